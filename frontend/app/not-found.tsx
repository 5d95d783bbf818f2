import { Link } from "@/components/page/link";

export default function NotFound() {
  return (
    <>
      <h1 className="pb-4 font-serif text-4xl font-bold">There is no such page</h1>
      <p className="pb-6">Perhaps the address was cut short.</p>
      <Link href="/" className="btn">
        To the shelves
      </Link>
    </>
  );
}
