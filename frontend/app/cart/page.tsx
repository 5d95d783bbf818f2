import type { Metadata } from "next";
import { EmptyCart } from "@/components/cart/empty";
import { CartLines } from "@/components/cart/lines";
import { Link } from "@/components/page/link";
import { ProblemNotice } from "@/components/page/notice";
import { pricedCart } from "@/lib/cart";
import { money } from "@/lib/money";
import { outcomeOf } from "@/lib/outcome";

export const metadata: Metadata = { title: "Cart" };

export default async function CartPage() {
  const found = await outcomeOf(pricedCart());
  if (!found.ok) return <ProblemNotice problem={found.problem} />;
  const cart = found.answer;
  if (!cart) return <EmptyCart />;
  return (
    <>
      <h1 className="pb-6 font-serif text-4xl font-bold">Your cart</h1>
      <div className="grid items-start gap-6 lg:grid-cols-[1fr_20rem]">
        <CartLines cart={cart} />
        <section aria-label="Total" className="card grid gap-4 p-6">
          <p className="flex items-baseline justify-between text-xl font-semibold">
            Total <span className="tabular-nums">{money(cart.total_minor, cart.currency)}</span>
          </p>
          <p className="text-sm text-muted">Nothing is set aside before you order.</p>
          {cart.unknown.length === 0 && (
            <Link href="/checkout" className="btn">
              Check out as a guest
            </Link>
          )}
        </section>
      </div>
    </>
  );
}
