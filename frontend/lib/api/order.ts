/** What was ordered and what became of it. */

import "server-only";
import { cache } from "react";
import type { CartLine } from "./cart";
import { call } from "./client";

export type OrderStatus = "pending" | "confirmed" | "cancelled";

/** Goods, delivery, tax, and the total that is paid: as the order service counts them. */
export type Sums = {
  currency: string;
  subtotal_minor: number;
  shipping_minor: number;
  tax_minor: number;
  total_minor: number;
};

/** settled: nothing more will happen by itself; a confirmed order's payment has been taken. */
export type Order = Sums & {
  id: string;
  status: OrderStatus;
  cancel_reason: string | null;
  lines: { sku: string; name: string; quantity: number; unit_price_minor: number }[];
  placed_at: string;
  settled: boolean;
  history: { version: number; status: OrderStatus; event: string; at: string }[];
};

export type Placement = {
  email: string;
  payment_method: string;
  lines: CartLine[];
  expected_total_minor: number;
};

/** What an order of *lines* would cost now; places none. */
export function quoteOrder(token: string, lines: CartLine[]): Promise<Sums> {
  return call("order", "/order-quotes", { method: "POST", token, body: { lines } });
}

/** key: the same for every attempt at the same order, so that it is placed once (ADR-0006). */
export function placeOrder(token: string, key: string, placement: Placement): Promise<Order> {
  const headers = { "idempotency-key": key };
  return call("order", "/orders", { method: "POST", token, headers, body: placement });
}

/** Read once a request, though page and title both ask. */
export const readOrder = cache((token: string, id: string) =>
  call<Order>("order", `/orders/${encodeURIComponent(id)}`, { token }),
);
