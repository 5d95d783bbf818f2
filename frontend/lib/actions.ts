"use server";
/** Everything a shopper can do. Plain form posts: they work without JavaScript. */

import { refresh } from "next/cache";
import { redirect } from "next/navigation";
import { addToLine, putLine, removeLine } from "./api/cart";
import { placeOrder } from "./api/order";
import { linesOf } from "./lines";
import { outcomeOf } from "./outcome";
import { isUndecided, type Problem } from "./problem";
import { asGuest, asGuestOrNew } from "./session";

/** done: a sentence for the shopper. fields: what was sent, so that nothing is lost. */
export type Result = { done?: string; problem?: Problem; fields?: Record<string, string> };

const SESSION_ENDED: Problem = {
  type: "session-ended",
  status: 401,
  title: "Your visit as a guest has ended",
  detail: "It lasts ten minutes. Put something into the cart to start a new one.",
  members: {},
};

const FORM_CHANGED: Problem = {
  type: "about:blank",
  status: 400,
  title: "The form did not come back whole",
  detail: "Nothing was ordered. Try once more.",
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

/**
 * The form brings key and lines: a double click, or a second try after silence, orders once.
 * Not the cart's lines, which may be gone by then: the order has emptied it.
 */
export async function checkOut(_: Result, form: FormData): Promise<Result> {
  const fields = {
    key: text(form, "key"),
    lines: text(form, "lines"),
    total_minor: text(form, "total_minor"),
    currency: text(form, "currency"),
    email: text(form, "email"),
    payment_method: text(form, "payment_method"),
  };
  const lines = linesOf(fields.lines);
  if (!lines) return { problem: FORM_CHANGED, fields };
  const placed = await outcomeOf(
    asGuest((token) =>
      placeOrder(token, fields.key, {
        email: fields.email,
        payment_method: fields.payment_method,
        lines,
        expected_total_minor: Number(fields.total_minor),
      }),
    ),
  );
  if (placed.ok && placed.answer) redirect(`/orders/${placed.answer.id}`);
  const problem = placed.ok ? SESSION_ENDED : placed.problem;
  if (isUndecided(problem)) return { problem, fields };
  refresh(); // The cart may show other prices now.
  // Under a key that is another order's, no try would ever be taken.
  const reused = problem.type === "idempotency-key-reused";
  return { problem, fields: reused ? { ...fields, key: "" } : fields };
}

function text(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value : "";
}
