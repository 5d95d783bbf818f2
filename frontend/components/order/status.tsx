import type { Order, OrderStatus } from "@/lib/api/order";

export const STATUS_WORDS: Record<OrderStatus, string> = {
  pending: "We are working on your order",
  confirmed: "Your order is confirmed",
  cancelled: "Your order was cancelled",
};

const REASONS: Record<string, string> = {
  out_of_stock: "Something in it had been sold out, so your card was not asked.",
  payment_declined: "The card was declined. Nothing was charged.",
  customer_cancelled: "As you asked.",
  deadline_exceeded: "It could not be completed in time.",
};

const EVENTS: Record<string, string> = {
  "order.placed": "Order received",
  "stock.reserved": "Everything set aside for you",
  "stock.rejected": "Not everything was in stock",
  "payment.authorized": "Card accepted",
  "payment.declined": "Card declined",
  "payment.captured": "Payment taken",
  "payment.voided": "Payment released",
  "stock.committed": "Goods leave the shelf",
  "stock.released": "Goods are back on the shelf",
};

const TONES: Record<OrderStatus, string> = {
  pending: "border-sun bg-sun/10",
  confirmed: "border-brand bg-brand/10",
  cancelled: "border-accent bg-accent/10",
};

export function StatusPanel({ order }: { order: Order }) {
  return (
    <section className={`rounded-2xl border-2 p-6 ${TONES[order.status]}`}>
      <div role="status">
        <h1 className="font-serif text-3xl font-bold text-balance">{STATUS_WORDS[order.status]}</h1>
      </div>
      {order.cancel_reason && <p className="mt-2">{reason(order.cancel_reason)}</p>}
      {!order.settled && <p className="mt-2">This page follows by itself.</p>}
      <p className="mt-3 text-sm text-muted">
        Order <code className="break-all">{order.id}</code>
      </p>
    </section>
  );
}

export function History({ order }: { order: Order }) {
  return (
    <ol className="ml-2 border-l-2 border-line">
      {order.history.map((entry) => (
        <li key={entry.version} className="relative pb-4 pl-5">
          <span className="absolute top-1.5 -left-[7px] size-3 rounded-full bg-brand" />
          <p>{EVENTS[entry.event] ?? entry.event}</p>
          <time dateTime={entry.at} className="text-sm text-muted tabular-nums">
            {new Date(entry.at).toISOString().slice(11, 23)} UTC
          </time>
        </li>
      ))}
    </ol>
  );
}

/** A reason this page has no words for is shown as it is. */
function reason(name: string): string {
  return REASONS[name] ?? name;
}
