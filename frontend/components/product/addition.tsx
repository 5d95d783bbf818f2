"use client";
import { useActionState } from "react";
import { QuantityField } from "@/components/cart/quantity";
import { Said } from "@/components/page/action-form";
import { Link } from "@/components/page/link";
import { addToCart, type Result } from "@/lib/actions";

/** freshKey: for a first try; one after silence brings back its own. */
export function AdditionForm({ sku, freshKey }: { sku: string; freshKey: string }) {
  const [result, act, pending] = useActionState<Result, FormData>(addToCart, {});
  const fields = result.fields ?? {};
  return (
    <form action={act} aria-busy={pending}>
      <fieldset disabled={pending} className="flex flex-wrap items-end gap-3 pb-2">
        <input type="hidden" name="key" value={fields.key ?? freshKey} />
        <input type="hidden" name="sku" value={sku} />
        <QuantityField value={fields.quantity ?? 1} className="grid gap-1 font-medium" />
        <button type="submit" className="btn">
          Add to cart
        </button>
        <Link href="/cart" className="btn-quiet min-h-12">
          See the cart
        </Link>
      </fieldset>
      <Said result={result} pending={pending} />
    </form>
  );
}
