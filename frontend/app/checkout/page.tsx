import { randomUUID } from "node:crypto";
import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { EmptyCart } from "@/components/cart/empty";
import { CheckoutForm } from "@/components/checkout/form";
import { SumLines } from "@/components/order/sums";
import { ProblemNotice } from "@/components/page/notice";
import { quotedCart } from "@/lib/cart";
import { money } from "@/lib/money";
import { outcomeOf } from "@/lib/outcome";

export const metadata: Metadata = { title: "Checkout" };

export default async function CheckoutPage() {
  const found = await outcomeOf(quotedCart());
  if (!found.ok) return <ProblemNotice problem={found.problem} alone />;
  const cart = found.answer;
  if (!cart) return <EmptyCart />;
  const { sums } = cart;
  if (!sums) redirect("/cart"); // It says what to take out.
  if (!sums.ok) return <ProblemNotice problem={sums.problem} alone />;
  return (
    <>
      <h1 className="pb-6 font-serif text-4xl font-bold">Checkout</h1>
      <div className="grid items-start gap-6 lg:grid-cols-[1fr_22rem]">
        <CheckoutForm freshKey={randomUUID()} sums={sums.answer} />
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
          <SumLines sums={sums.answer} />
        </section>
      </div>
    </>
  );
}
