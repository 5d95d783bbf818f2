"use client";
import { type ReactNode, useActionState } from "react";
import { ProblemNotice } from "@/components/page/notice";
import { checkOut, type Result } from "@/lib/actions";
import type { CartLine } from "@/lib/api/cart";
import type { Sums } from "@/lib/api/order";
import { money } from "@/lib/money";
import { isUndecided } from "@/lib/problem";

// The payment provider's test tokens (docs/simulators.md). The shop never sees a card number.
const TEST_CARDS = [
  ["pm_ok", "A card that pays"],
  ["pm_slow", "A card that pays after a while"],
  ["pm_declined", "A card that is declined"],
  ["pm_insufficient_funds", "A card without funds"],
] as const;

type Props = {
  freshKey: string;
  shown?: { lines: CartLine[]; sums: Sums };
  otherwise: ReactNode;
  children: ReactNode;
};

type Sent = Record<"lines" | "total_minor" | "currency", string>;

/**
 * freshKey: for a first try; a further one brings back its own. shown: what the cart holds and costs,
 * and children says it; otherwise: instead of the form without. An attempt that nobody knows the
 * end of is tried again just as it was, whatever the cart holds by now.
 */
export function CheckoutForm({ freshKey, shown, otherwise, children }: Props) {
  const [result, act, pending] = useActionState<Result, FormData>(checkOut, {});
  const { problem, fields = {} } = result;
  const again = problem && isUndecided(problem);
  const sent = again ? (fields as Sent) : shown && sentOf(shown);
  const notice = problem && !pending && (
    <ProblemNotice problem={problem} currency={fields.currency} />
  );
  if (!sent) {
    return (
      <>
        {notice}
        {otherwise}
      </>
    );
  }
  return (
    <>
      <h1 className="pb-6 font-serif text-4xl font-bold">Checkout</h1>
      <div className="grid items-start gap-6 lg:grid-cols-[1fr_22rem]">
        <form action={act} aria-busy={pending} className="card grid gap-6 p-6">
          {notice}
          <input type="hidden" name="key" value={fields.key || freshKey} />
          <input type="hidden" name="lines" value={sent.lines} />
          <input type="hidden" name="total_minor" value={sent.total_minor} />
          <input type="hidden" name="currency" value={sent.currency} />
          <label className="grid gap-1 font-medium">
            E-mail
            <input
              key={fields.email}
              type="email"
              name="email"
              autoComplete="email"
              required
              defaultValue={fields.email}
              className="field"
            />
            <span className="text-sm font-normal text-muted">
              For the confirmation, nothing else.
            </span>
          </label>
          <fieldset className="grid gap-2" key={fields.payment_method}>
            <legend className="pb-1 font-medium">Pay with</legend>
            {TEST_CARDS.map(([token, words], position) => (
              <label
                key={token}
                className="flex min-h-11 items-center gap-3 rounded-lg border border-line bg-white px-3"
              >
                <input
                  type="radio"
                  name="payment_method"
                  value={token}
                  defaultChecked={
                    fields.payment_method ? fields.payment_method === token : position === 0
                  }
                />
                {words}
              </label>
            ))}
            <p className="text-sm text-muted">
              Test cards: this shop sells nothing and charges nobody.
            </p>
          </fieldset>
          <button type="submit" disabled={pending} className="btn">
            {pending
              ? "Ordering …"
              : `Order and pay ${money(Number(sent.total_minor), sent.currency)}`}
          </button>
        </form>
        {again ? <p>Trying again sends the same order, which counts only once.</p> : children}
      </div>
    </>
  );
}

function sentOf({ lines, sums }: { lines: CartLine[]; sums: Sums }): Sent {
  const { total_minor, currency } = sums;
  return { lines: JSON.stringify(lines), total_minor: String(total_minor), currency };
}
