import type { Sums } from "@/lib/api/order";
import { money } from "@/lib/money";

/** What the total is made of, a line each. */
export function SumLines({ sums }: { sums: Sums }) {
  return (
    <dl className="grid gap-2 tabular-nums">
      <Line name="Goods" amount={money(sums.subtotal_minor, sums.currency)} />
      <Line name="Delivery" amount={money(sums.shipping_minor, sums.currency)} />
      <Line name="Tax" amount={money(sums.tax_minor, sums.currency)} />
      <Line
        name="Total"
        amount={money(sums.total_minor, sums.currency)}
        className="mt-2 border-t border-line pt-4 text-lg font-semibold"
      />
    </dl>
  );
}

function Line(props: { name: string; amount: string; className?: string }) {
  return (
    <div className={`flex items-baseline justify-between gap-4 ${props.className ?? ""}`}>
      <dt>{props.name}</dt>
      <dd>{props.amount}</dd>
    </div>
  );
}
