import { randomUUID } from "node:crypto";
import type { Metadata } from "next";
import { EmptyCart } from "@/components/cart/empty";
import { CheckoutForm } from "@/components/checkout/form";
import { ProblemNotice } from "@/components/page/notice";
import { pricedCart } from "@/lib/cart";
import { money } from "@/lib/money";
import { outcomeOf } from "@/lib/outcome";

export const metadata: Metadata = { title: "Checkout" };

export default async function CheckoutPage() {
  const found = await outcomeOf(pricedCart());
  if (!found.ok) return <ProblemNotice problem={found.problem} />;
  const cart = found.answer;
  if (!cart) return <EmptyCart />;
  const total = money(cart.total_minor, cart.currency);
  return (
    <>
      <h1 className="pb-6 font-serif text-4xl font-bold">Checkout</h1>
      <div className="grid items-start gap-6 lg:grid-cols-[1fr_22rem]">
        <CheckoutForm freshKey={randomUUID()} totalMinor={cart.total_minor} total={total} />
        <section aria-label="What you order" className="card p-6">
          <ul className="grid gap-2">
            {cart.lines.map((line) => (
              <li key={line.sku} className="flex justify-between gap-4">
                <span>
                  {line.quantity} × {line.name}
                </span>
                <span className="tabular-nums">{money(line.line_total_minor, cart.currency)}</span>
              </li>
            ))}
          </ul>
          <p className="mt-4 flex justify-between border-t border-line pt-4 text-lg font-semibold">
            Total <span className="tabular-nums">{total}</span>
          </p>
        </section>
      </div>
    </>
  );
}
