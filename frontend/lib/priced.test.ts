import { expect, test } from "vitest";
import { pieces, priced } from "@/lib/priced";

const MUG = { sku: "MUG-1", name: "Mug", unit_price_minor: 1250 };

function cart(...lines: { sku: string; quantity: number }[]) {
  return { customer_id: "guest-1", version: 1, lines };
}

test("a line costs its pieces", () => {
  const tea = { sku: "TEA-1", name: "Tea", unit_price_minor: 399 };
  const quote = { currency: "USD", prices: [MUG, tea], unknown: [] };

  const shown = priced(cart({ sku: "MUG-1", quantity: 2 }, { sku: "TEA-1", quantity: 1 }), quote);

  expect(shown.lines.map((line) => line.line_total_minor)).toEqual([2500, 399]);
});

test("what is no longer sold is named and is in no line", () => {
  const quote = { currency: "USD", prices: [MUG], unknown: ["OLD-1"] };

  const shown = priced(cart({ sku: "OLD-1", quantity: 3 }, { sku: "MUG-1", quantity: 1 }), quote);

  expect(shown.unknown).toEqual(["OLD-1"]);
  expect(shown.lines.map((line) => line.sku)).toEqual(["MUG-1"]);
});

test("pieces are counted, not lines", () => {
  expect(pieces(cart({ sku: "MUG-1", quantity: 2 }, { sku: "TEA-1", quantity: 3 }))).toBe(5);
});
