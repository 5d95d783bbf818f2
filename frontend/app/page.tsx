import type { Metadata } from "next";
import { Link } from "@/components/page/link";
import { ProblemNotice } from "@/components/page/notice";
import { ProductCard } from "@/components/product/card";
import { type Department, listDepartments, searchProducts } from "@/lib/api/catalog";
import { outcomeOf } from "@/lib/outcome";

type Query = { q?: string | string[]; department?: string | string[]; cursor?: string | string[] };

const PAGE_SIZE = "24";

export async function generateMetadata({ searchParams }: PageProps<"/">): Promise<Metadata> {
  const { q, department } = chosen(await searchParams);
  return q || department ? { title: q || department } : {};
}

export default async function Home({ searchParams }: PageProps<"/">) {
  const query = chosen(await searchParams);
  const [page, departments] = await Promise.all([
    outcomeOf(searchProducts({ ...query, limit: PAGE_SIZE })),
    outcomeOf(listDepartments()),
  ]);
  const isFront = Object.keys(query).length === 0;
  const Heading = isFront ? "h2" : "h1"; // The front page's own is its welcome.
  return (
    <>
      {isFront && <Welcome />}
      {departments.ok && <Departments all={departments.answer} current={query.department} />}
      <Heading className="pt-8 pb-4 text-xl font-semibold">{heading(query)}</Heading>
      {!page.ok && <ProblemNotice problem={page.problem} />}
      {page.ok && page.answer.items.length === 0 && (
        <p>
          Nothing found.{" "}
          <Link href="/" className="underline">
            See everything.
          </Link>
        </p>
      )}
      {page.ok && (
        <ul className="grid grid-cols-2 gap-4 md:grid-cols-3 lg:grid-cols-4">
          {page.answer.items.map((product) => (
            <ProductCard key={product.sku} product={product} />
          ))}
        </ul>
      )}
      {page.ok && page.answer.next_cursor && (
        <p className="pt-8 text-center">
          <Link className="btn-quiet" href={address({ ...query, cursor: page.answer.next_cursor })}>
            More products
          </Link>
        </p>
      )}
    </>
  );
}

function Welcome() {
  return (
    <section className="mb-8 rounded-3xl bg-brand-deep px-6 py-10 text-white md:px-12 md:py-14">
      <h1 className="max-w-2xl font-serif text-4xl leading-tight font-bold text-balance md:text-5xl">
        Groceries, ordered with care.
      </h1>
      <p className="mt-4 max-w-xl text-lg text-white/90">
        What real households put into real baskets. Fill yours, order as a guest, and watch seven
        services agree on it.
      </p>
    </section>
  );
}

function Departments({ all, current }: { all: Department[]; current?: string }) {
  return (
    <nav aria-label="Departments">
      <ul className="flex flex-wrap gap-2">
        {all.map(({ name, products }) => (
          <li key={name}>
            <Link
              href={address({ department: name })}
              aria-current={name === current ? "page" : undefined}
              className="btn-quiet text-sm"
            >
              {name} <span className={name === current ? "" : "opacity-75"}>{products}</span>
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function heading({ q, department }: Record<string, string>): string {
  if (q) return `Found for “${q}”`;
  return department || "On the shelves";
}

function address(query: Record<string, string>): string {
  return `/?${new URLSearchParams(query)}`;
}

/** The parameters that are there, each once. */
function chosen(query: Query): Record<string, string> {
  const { q, department, cursor } = query;
  const named = Object.entries({ q, department, cursor });
  return Object.fromEntries(
    named.flatMap(([name, value]) => (typeof value === "string" && value ? [[name, value]] : [])),
  );
}
