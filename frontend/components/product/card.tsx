import { Link } from "@/components/page/link";
import type { Product } from "@/lib/api/catalog";
import { money } from "@/lib/money";
import { ProductArt } from "./art";
import { AvailabilityNote } from "./availability";

export function ProductCard({ product }: { product: Product }) {
  return (
    <li className="card group relative flex flex-col overflow-hidden">
      <ProductArt sku={product.sku} department={product.department} />
      <div className="flex flex-1 flex-col gap-1 p-3">
        <p className="text-xs text-muted">{product.category}</p>
        <h3 className="leading-snug font-medium">
          <Link
            href={`/products/${encodeURIComponent(product.sku)}`}
            className="group-hover:underline after:absolute after:inset-0"
          >
            {product.name}
          </Link>
        </h3>
        <div className="mt-auto flex items-baseline justify-between gap-2 pt-2">
          <p className="text-lg font-semibold tabular-nums">
            {money(product.price_minor, product.currency)}
          </p>
          <AvailabilityNote availability={product.availability} />
        </div>
      </div>
    </li>
  );
}
