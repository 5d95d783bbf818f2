import { expect, test } from "vitest";
import { money } from "@/lib/money";

test("minor units are hundredths of a dollar", () => {
  expect(money(1999, "USD")).toBe("$19.99");
});

test("a round price keeps its cents", () => {
  expect(money(300, "USD")).toBe("$3.00");
});

test("thousands are grouped", () => {
  expect(money(123_456_789, "USD")).toBe("$1,234,567.89");
});

test("a currency without minor unit is not divided", () => {
  expect(money(500, "JPY")).toBe("¥500");
});

test("a currency with three digits is divided by a thousand", () => {
  expect(money(1500, "KWD")).toContain("1.500");
});
