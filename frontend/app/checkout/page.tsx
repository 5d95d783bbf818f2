import { randomUUID } from "node:crypto";
import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { EmptyCart } from "@/components/cart/empty";
import { CheckoutForm } from "@/components/checkout/form";
import { SumLines } from "@/components/order/sums";
import { ProblemNotice } from "@/components/page/notice";
import type { Sums } from "@/lib/api/order";
import { quotedCart } from "@/lib/cart";
import { money } from "@/lib/money";
import { type Outcome, outcomeOf } from "@/lib/outcome";
import { linesToOrder, type PricedCart } from "@/lib/priced";
import type { Problem } from "@/lib/problem";

export const metadata: Metadata = { title: "Checkout" };

/** The form's place is always the same, so that what became of an attempt finds it. */
export default async function CheckoutPage() {
  const found = await outcomeOf(quotedCart());
  const cart = found.ok ? found.answer : undefined;
  if (cart && (cart.unknown.length > 0 || !cart.sums)) redirect("/cart"); // It says what to take out.
  const problem = found.ok ? problemIn(cart?.sums) : found.problem;
  const shown = cart?.sums?.ok && { lines: linesToOrder(cart), sums: cart.sums.answer };
  return (
    <CheckoutForm
      freshKey={randomUUID()}
      shown={shown || undefined}
      otherwise={problem ? <ProblemNotice problem={problem} alone /> : <EmptyCart />}
    >
      {cart && shown && <Ordered cart={cart} sums={shown.sums} />}
    </CheckoutForm>
  );
}

function Ordered({ cart, sums }: { cart: PricedCart; sums: Sums }) {
  return (
    <section aria-label="What you order" className="card p-6">
      <ul className="mb-4 grid gap-2 border-b border-line pb-4">
        {cart.lines.map((line) => (
          <li key={line.sku} className="flex justify-between gap-4">
            <span>
              {line.quantity} × {line.name}
            </span>
            <span className="tabular-nums">{money(line.line_total_minor, cart.currency)}</span>
          </li>
        ))}
      </ul>
      <SumLines sums={sums} />
    </section>
  );
}

function problemIn(sums?: Outcome<Sums>): Problem | undefined {
  return sums && !sums.ok ? sums.problem : undefined;
}
