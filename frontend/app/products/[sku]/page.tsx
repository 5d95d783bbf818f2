import { randomUUID } from "node:crypto";
import type { Metadata } from "next";
import { Link } from "@/components/page/link";
import { ProblemNotice } from "@/components/page/notice";
import { AdditionForm } from "@/components/product/addition";
import { ProductArt } from "@/components/product/art";
import { AvailabilityNote } from "@/components/product/availability";
import { type Product, readProduct } from "@/lib/api/catalog";
import { money } from "@/lib/money";
import { outcomeOf } from "@/lib/outcome";

type Props = PageProps<"/products/[sku]">;

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const found = await product(params);
  return { title: found.ok ? found.answer.name : found.problem.title };
}

export default async function ProductPage({ params }: Props) {
  const found = await product(params);
  // Not `notFound()`: Next renders what that shows by JavaScript only.
  if (!found.ok) return <ProblemNotice problem={found.problem} alone />;
  return <Details product={found.answer} />;
}

async function product(params: Props["params"]) {
  return outcomeOf(readProduct(decodeURIComponent((await params).sku)));
}

function Details({ product }: { product: Product }) {
  const { sku, name, department, category } = product;
  return (
    <article className="grid gap-8 md:grid-cols-2">
      <div className="card overflow-hidden">
        <ProductArt sku={sku} department={department} />
      </div>
      <div className="flex flex-col gap-4">
        <nav aria-label="Breadcrumb" className="text-sm">
          <Link href={`/?${new URLSearchParams({ department })}`} className="underline">
            {department}
          </Link>
          <span className="text-muted"> / {category}</span>
        </nav>
        <h1 className="font-serif text-4xl font-bold text-balance">{name}</h1>
        <p className="text-3xl font-semibold tabular-nums">
          {money(product.price_minor, product.currency)}
        </p>
        <AvailabilityNote availability={product.availability} />
        <AdditionForm sku={sku} freshKey={randomUUID()} />
        <p className="text-sm text-muted">Article {sku}</p>
      </div>
    </article>
  );
}
