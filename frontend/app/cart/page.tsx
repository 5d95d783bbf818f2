import type { Metadata } from "next";
import { EmptyCart } from "@/components/cart/empty";
import { CartLines } from "@/components/cart/lines";
import { SumLines } from "@/components/order/sums";
import { Link } from "@/components/page/link";
import { ProblemNotice } from "@/components/page/notice";
import { quotedCart } from "@/lib/cart";
import { outcomeOf } from "@/lib/outcome";

export const metadata: Metadata = { title: "Cart" };

export default async function CartPage() {
  const found = await outcomeOf(quotedCart());
  if (!found.ok) return <ProblemNotice problem={found.problem} alone />;
  const cart = found.answer;
  if (!cart) return <EmptyCart />;
  return (
    <>
      <h1 className="pb-6 font-serif text-4xl font-bold">Your cart</h1>
      <div className="grid items-start gap-6 lg:grid-cols-[1fr_20rem]">
        <CartLines cart={cart} />
        <section aria-label="Total" className="card grid gap-4 p-6">
          {cart.sums && !cart.sums.ok && <ProblemNotice problem={cart.sums.problem} />}
          {cart.sums?.ok && <SumLines sums={cart.sums.answer} />}
          <p className="text-sm text-muted">Nothing is set aside before you order.</p>
          {cart.sums?.ok && cart.unknown.length === 0 && (
            <Link href="/checkout" className="btn">
              Check out as a guest
            </Link>
          )}
        </section>
      </div>
    </>
  );
}
