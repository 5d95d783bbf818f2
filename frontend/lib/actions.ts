"use server";
/** Everything a shopper can do. Plain form posts: they work without JavaScript. */

import { refresh } from "next/cache";
import { redirect } from "next/navigation";
import { putLine, readCart, removeLine } from "./api/cart";
import { placeOrder } from "./api/order";
import { outcomeOf } from "./outcome";
import type { Problem } from "./problem";
import { guestToken, guestTokenOrNew } from "./session";

/** done: a sentence for the shopper. fields: what was typed, so that nothing is lost. */
export type Result = { done?: string; problem?: Problem; fields?: Record<string, string> };

// The cart's own limit of pieces in a line.
const QUANTITY_MAX = 100;

const SESSION_ENDED: Problem = {
  type: "session-ended",
  status: 401,
  title: "Your visit as a guest has ended",
  detail: "It lasts ten minutes. Put something into the cart to start a new one.",
  members: {},
};

export async function addToCart(_: Result, form: FormData): Promise<Result> {
  const sku = text(form, "sku");
  const entered = await outcomeOf(guestTokenOrNew());
  if (!entered.ok) return { problem: entered.problem };
  const before = await outcomeOf(readCart(entered.answer));
  if (!before.ok) return { problem: before.problem };
  const held = before.answer.lines.find((line) => line.sku === sku)?.quantity ?? 0;
  const wanted = Math.min(held + Number(text(form, "quantity")), QUANTITY_MAX);
  const put = await outcomeOf(putLine(entered.answer, sku, wanted));
  if (!put.ok) return { problem: put.problem };
  refresh();
  return { done: wanted === held ? "A cart holds at most 100 of one thing." : "In your cart." };
}

export async function setQuantity(_: Result, form: FormData): Promise<Result> {
  const token = await guestToken();
  if (!token) return { problem: SESSION_ENDED };
  const sku = text(form, "sku");
  const quantity = Number(text(form, "quantity"));
  const change = quantity === 0 ? removeLine(token, sku) : putLine(token, sku, quantity);
  const changed = await outcomeOf(change);
  if (!changed.ok) return { problem: changed.problem };
  refresh();
  return { done: "Changed." };
}

/** The form brings the key: a double click, or a second try after silence, orders once. */
export async function checkOut(_: Result, form: FormData): Promise<Result> {
  const fields = {
    key: text(form, "key"),
    email: text(form, "email"),
    payment_method: text(form, "payment_method"),
  };
  const token = await guestToken();
  if (!token) return { problem: SESSION_ENDED, fields };
  const cart = await outcomeOf(readCart(token));
  if (!cart.ok) return { problem: cart.problem, fields };
  const placed = await outcomeOf(
    placeOrder(token, fields.key, {
      email: fields.email,
      payment_method: fields.payment_method,
      lines: cart.answer.lines,
      expected_total_minor: Number(text(form, "total_minor")),
    }),
  );
  if (!placed.ok) {
    refresh(); // The cart may show other prices now.
    return { problem: placed.problem, fields };
  }
  redirect(`/orders/${placed.answer.id}`);
}

function text(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value : "";
}
