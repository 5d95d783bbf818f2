import { QuantityField } from "@/components/cart/quantity";
import { ActionForm } from "@/components/page/action-form";
import { Link } from "@/components/page/link";
import { setQuantity } from "@/lib/actions";
import { money } from "@/lib/money";
import type { PricedCart, PricedLine } from "@/lib/priced";

export function CartLines({ cart }: { cart: PricedCart }) {
  return (
    <ul className="card divide-y divide-line">
      {cart.lines.map((line) => (
        <Line key={line.sku} line={line} currency={cart.currency} />
      ))}
      {cart.unknown.map((sku) => (
        <li key={sku} className="flex items-start justify-between gap-4 p-4">
          <p>
            <span className="font-medium">{sku}</span>
            <span className="block text-sm text-accent">No longer sold: please take it out.</span>
          </p>
          <Removal sku={sku} name={sku} />
        </li>
      ))}
    </ul>
  );
}

function Line({ line, currency }: { line: PricedLine; currency: string }) {
  return (
    <li className="grid grid-cols-[1fr_auto] gap-x-4 gap-y-2 p-4">
      <div>
        <Link
          href={`/products/${encodeURIComponent(line.sku)}`}
          className="font-medium underline-offset-2 hover:underline"
        >
          {line.name}
        </Link>
        <p className="text-sm text-muted">{money(line.unit_price_minor, currency)} each</p>
      </div>
      <p className="text-right font-semibold tabular-nums">
        {money(line.line_total_minor, currency)}
      </p>
      <div className="col-span-2 flex flex-wrap items-start gap-3">
        <ActionForm action={setQuantity} className="flex items-center gap-2">
          <input type="hidden" name="sku" value={line.sku} />
          <QuantityField value={line.quantity} className="flex items-center gap-2" />
          <button type="submit" className="btn-quiet">
            Change
          </button>
        </ActionForm>
        <Removal sku={line.sku} name={line.name} />
      </div>
    </li>
  );
}

function Removal({ sku, name }: { sku: string; name: string }) {
  return (
    <ActionForm action={setQuantity}>
      <input type="hidden" name="sku" value={sku} />
      <input type="hidden" name="quantity" value="0" />
      <button type="submit" className="btn-quiet">
        Remove<span className="sr-only"> {name}</span>
      </button>
    </ActionForm>
  );
}
