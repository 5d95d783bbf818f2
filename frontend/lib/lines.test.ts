import { expect, test } from "vitest";
import { linesOf } from "@/lib/lines";

const TEA = { sku: "TEA-1", quantity: 2 };

test("lines come back as they were written", () => {
  const lines = [TEA, { sku: "MUG-1", quantity: 100 }];

  expect(linesOf(JSON.stringify(lines))).toEqual(lines);
});

test.each([
  "",
  "[",
  "null",
  "{}",
  "[]",
  "[null]",
  JSON.stringify([{ ...TEA, quantity: 0 }]),
  JSON.stringify([{ ...TEA, quantity: 101 }]),
  JSON.stringify([{ ...TEA, quantity: 1.5 }]),
  JSON.stringify([{ ...TEA, quantity: "2" }]),
  JSON.stringify([{ ...TEA, sku: "../orders" }]),
  JSON.stringify([{ ...TEA, price: 1 }]),
  JSON.stringify([{ sku: "TEA-1" }]),
  JSON.stringify(Array(201).fill(TEA)),
])("what no page of ours has written is no line: %s", (text) => {
  expect(linesOf(text)).toBeUndefined();
});
