import type { Metadata } from "next";
import { Follow } from "@/components/order/follow";
import { History, STATUS_WORDS, StatusPanel } from "@/components/order/status";
import { SumLines } from "@/components/order/sums";
import { Link } from "@/components/page/link";
import { ProblemNotice } from "@/components/page/notice";
import { type Order, readOrder } from "@/lib/api/order";
import { money } from "@/lib/money";
import { type Outcome, outcomeOf } from "@/lib/outcome";
import { isUndecided, type Problem } from "@/lib/problem";
import { asGuest } from "@/lib/session";

type Props = PageProps<"/orders/[id]">;

const NOT_YOURS: Problem = {
  type: "session-ended",
  status: 401,
  title: "This order cannot be shown here",
  detail:
    "Only the browser that placed it can see it, until the visit as a guest ends after ten minutes. The order goes on, and a mail tells how it ended.",
  members: {},
};

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const found = await order(params);
  return { title: found.ok ? STATUS_WORDS[found.answer.status] : found.problem.title };
}

export default async function OrderPage({ params }: Props) {
  const found = await order(params);
  // One lost answer is no end of it.
  const goesOn = found.ok ? !found.answer.settled : isUndecided(found.problem);
  return (
    <div className="grid gap-8">
      {goesOn && <Follow />}
      {goesOn && (
        <noscript>
          <meta httpEquiv="refresh" content="2" />
        </noscript>
      )}
      {found.ok ? (
        <Details order={found.answer} />
      ) : (
        <ProblemNotice problem={found.problem} alone />
      )}
    </div>
  );
}

function Details({ order }: { order: Order }) {
  const { lines, currency } = order;
  return (
    <>
      <StatusPanel order={order} />
      <div className="grid items-start gap-8 md:grid-cols-2">
        <section>
          <h2 className="pb-4 text-xl font-semibold">What happened</h2>
          <History order={order} />
        </section>
        <section className="card p-6">
          <h2 className="pb-4 text-xl font-semibold">What you ordered</h2>
          <ul className="mb-4 grid gap-2 border-b border-line pb-4">
            {lines.map((line) => (
              <li key={line.sku} className="flex justify-between gap-4">
                <span>
                  {line.quantity} × {line.name}
                </span>
                <span className="tabular-nums">
                  {money(line.quantity * line.unit_price_minor, currency)}
                </span>
              </li>
            ))}
          </ul>
          <SumLines sums={order} />
        </section>
      </div>
      <p>
        <Link href="/" className="btn-quiet">
          Back to the shelves
        </Link>
      </p>
    </>
  );
}

async function order(params: Props["params"]): Promise<Outcome<Order>> {
  const { id } = await params;
  const found = await outcomeOf(asGuest((token) => readOrder(token, id)));
  if (!found.ok) return found;
  return found.answer ? { ok: true, answer: found.answer } : { ok: false, problem: NOT_YOURS };
}
