"use server";
/** Everything a shopper can do. Plain form posts: they work without JavaScript. */

import { refresh } from "next/cache";
import { redirect } from "next/navigation";
import { addToLine, putLine, readCart, removeLine } from "./api/cart";
import { placeOrder } from "./api/order";
import { outcomeOf } from "./outcome";
import { isUndecided, type Problem } from "./problem";
import { asGuest, asGuestOrNew, guestToken } from "./session";

/** done: a sentence for the shopper. fields: what was sent, so that nothing is lost. */
export type Result = { done?: string; problem?: Problem; fields?: Record<string, string> };

const SESSION_ENDED: Problem = {
  type: "session-ended",
  status: 401,
  title: "Your visit as a guest has ended",
  detail: "It lasts ten minutes. Put something into the cart to start a new one.",
  members: {},
};

/** The form brings the key: a double click, or a second try after silence, adds once. */
export async function addToCart(_: Result, form: FormData): Promise<Result> {
  const fields = { key: text(form, "key"), quantity: text(form, "quantity") };
  const added = await outcomeOf(
    asGuestOrNew((token) =>
      addToLine(token, fields.key, text(form, "sku"), Number(fields.quantity)),
    ),
  );
  if (!added.ok && isUndecided(added.problem)) return { problem: added.problem, fields };
  refresh(); // What comes next is another addition, with a key of its own.
  return added.ok ? { done: "In your cart." } : { problem: added.problem };
}

export async function setQuantity(_: Result, form: FormData): Promise<Result> {
  const sku = text(form, "sku");
  const quantity = Number(text(form, "quantity"));
  const changed = await outcomeOf(
    asGuest((token) => (quantity === 0 ? removeLine(token, sku) : putLine(token, sku, quantity))),
  );
  if (!changed.ok) return { problem: changed.problem };
  if (!changed.answer) return { problem: SESSION_ENDED };
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
