"use client";
import { useActionState } from "react";
import { ProblemNotice } from "@/components/page/notice";
import { checkOut, type Result } from "@/lib/actions";
import type { Sums } from "@/lib/api/order";
import { money } from "@/lib/money";

// The payment provider's test tokens (docs/simulators.md). The shop never sees a card number.
const TEST_CARDS = [
  ["pm_ok", "A card that pays"],
  ["pm_slow", "A card that pays after a while"],
  ["pm_declined", "A card that is declined"],
  ["pm_insufficient_funds", "A card without funds"],
] as const;

/** freshKey: for a first try; a further one brings back its own. sums: as shown. */
export function CheckoutForm({ freshKey, sums }: { freshKey: string; sums: Sums }) {
  const [result, act, pending] = useActionState<Result, FormData>(checkOut, {});
  const fields = result.fields ?? {};
  return (
    <form action={act} aria-busy={pending} className="card grid gap-6 p-6">
      {result.problem && !pending && (
        <ProblemNotice problem={result.problem} currency={sums.currency} />
      )}
      <input type="hidden" name="key" value={fields.key ?? freshKey} />
      <input type="hidden" name="total_minor" value={sums.total_minor} />
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
        <span className="text-sm font-normal text-muted">For the confirmation, nothing else.</span>
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
        {pending ? "Ordering …" : `Order and pay ${money(sums.total_minor, sums.currency)}`}
      </button>
    </form>
  );
}
