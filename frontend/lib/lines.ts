/** The lines of an order as a form brings them back. Pure. */

import type { CartLine } from "./api/cart";

// As the cart has them.
const SKU = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
export const QUANTITY_MAX = 100;
const LINES_MAX = 200;

/** undefined for what this shop never wrote. */
export function linesOf(text: string): CartLine[] | undefined {
  const lines = parsed(text);
  if (!Array.isArray(lines) || lines.length < 1 || lines.length > LINES_MAX) return undefined;
  return lines.every(isLine) ? lines : undefined;
}

function isLine(value: unknown): value is CartLine {
  if (typeof value !== "object" || value === null || Object.keys(value).length !== 2) return false;
  const { sku, quantity } = value as Record<string, unknown>;
  if (typeof sku !== "string" || !SKU.test(sku)) return false;
  return Number.isInteger(quantity) && Number(quantity) >= 1 && Number(quantity) <= QUANTITY_MAX;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
