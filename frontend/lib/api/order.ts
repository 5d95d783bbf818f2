/** What was ordered and what became of it. */

import "server-only";
import { cache } from "react";
import type { CartLine } from "./cart";
import { call } from "./client";

export type OrderStatus = "pending" | "confirmed" | "cancelled";

export type Order = {
  id: string;
  status: OrderStatus;
  cancel_reason: string | null;
  currency: string;
  total_minor: number;
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

/** key: the same for every attempt at the same order, so that it is placed once (ADR-0006). */
export function placeOrder(token: string, key: string, placement: Placement): Promise<Order> {
  const headers = { "idempotency-key": key };
  return call("order", "/orders", { method: "POST", token, headers, body: placement });
}

/** Read once a request, though page and title both ask. */
export const readOrder = cache((token: string, id: string) =>
  call<Order>("order", `/orders/${encodeURIComponent(id)}`, { token }),
);
