import { Link } from "@/components/page/link";
import { readCart } from "@/lib/api/cart";
import { outcomeOf } from "@/lib/outcome";
import { pieces } from "@/lib/priced";
import { asGuest } from "@/lib/session";

export async function Header() {
  return (
    <header className="sticky top-0 z-10 border-b border-line bg-paper/95 backdrop-blur">
      <a href="#main" className="skip">
        To the content
      </a>
      <div className="frame flex flex-wrap items-center gap-x-6 gap-y-2 py-3">
        <Link href="/" className="font-serif text-2xl font-bold tracking-tight text-brand-deep">
          Cartwright
        </Link>
        <search className="order-last w-full sm:order-none sm:w-auto sm:flex-1">
          <form action="/" className="flex gap-2">
            <input
              type="search"
              name="q"
              aria-label="Search the shop"
              placeholder="Milk, bananas, coffee …"
              maxLength={100}
              className="field rounded-full"
            />
            <button type="submit" className="btn-quiet">
              Search
            </button>
          </form>
        </search>
        <Link href="/cart" className="btn-quiet ml-auto">
          Cart
          <CartCount />
        </Link>
      </div>
    </header>
  );
}

/** Nothing at all when the cart cannot be read: an empty one would be a lie. */
async function CartCount() {
  const cart = await outcomeOf(asGuest(readCart));
  if (!cart.ok || !cart.answer?.lines.length) return null;
  return (
    <span className="badge bg-accent text-white">
      {pieces(cart.answer)}
      <span className="sr-only"> pieces</span>
    </span>
  );
}
