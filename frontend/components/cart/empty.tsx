import { Link } from "@/components/page/link";

export function EmptyCart() {
  return (
    <>
      <h1 className="pb-4 font-serif text-4xl font-bold">Your cart is empty</h1>
      <p className="pb-6 text-muted">A guest's cart is kept for ten minutes.</p>
      <Link href="/" className="btn">
        To the shelves
      </Link>
    </>
  );
}
