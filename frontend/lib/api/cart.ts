/** What a shopper means to buy. */

import "server-only";
import { cache } from "react";
import { call } from "./client";

export type CartLine = { sku: string; quantity: number };
export type Cart = { customer_id: string; lines: CartLine[]; version: number };

/** Read once a request, though header and page both ask. */
export const readCart = cache((token: string) => call<Cart>("cart", "/cart", { token }));

/** quantity: 1 to 100. */
export function putLine(token: string, sku: string, quantity: number): Promise<Cart> {
  const path = `/cart/lines/${encodeURIComponent(sku)}`;
  return call("cart", path, { method: "PUT", token, body: { quantity } });
}

/** key: the same for every attempt at the same addition, so that it is made once. */
export function addToLine(token: string, key: string, sku: string, add: number): Promise<Cart> {
  const headers = { "idempotency-key": key };
  const path = `/cart/lines/${encodeURIComponent(sku)}`;
  return call("cart", path, { method: "PATCH", token, headers, body: { add } });
}

export function removeLine(token: string, sku: string): Promise<Cart> {
  return call("cart", `/cart/lines/${encodeURIComponent(sku)}`, { method: "DELETE", token });
}
