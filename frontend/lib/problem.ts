/** Why a service said no (RFC 9457), in the words it used. Hides nothing and makes up nothing. */

import { money } from "./money";

/** `type`: the last part, as in `/problems/…`, e.g. `price-changed`. `status`: 0 if nobody answered. */
export type Problem = {
  type: string;
  status: number;
  title: string;
  detail?: string;
  members: Record<string, unknown>;
};

export class ServiceRefused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.title);
  }
}

const STANDARD_MEMBERS = new Set(["type", "title", "status", "detail", "instance"]);

/** The problem in *body*, if there is one; whatever a broken proxy may have put in its place. */
export function problemOf(status: number, body: unknown): Problem {
  if (!isRecord(body) || typeof body.title !== "string") {
    return { type: "about:blank", status, title: `The shop answered ${status}`, members: {} };
  }
  return {
    type: nameOf(body.type),
    status,
    title: body.title,
    detail: typeof body.detail === "string" ? body.detail : undefined,
    members: Object.fromEntries(
      Object.entries(body).filter(([name]) => !STANDARD_MEMBERS.has(name)),
    ),
  };
}

/** For a timeout, a refused connection, a cut line: it may have happened or not. */
export function noAnswer(service: string): Problem {
  return {
    type: "no-answer",
    status: 0,
    title: `The ${service} service did not answer`,
    detail: "It may be starting again. Try once more in a moment.",
    members: {},
  };
}

/** Whether it may have been done all the same, or may yet be answered: to ask again is right. */
export function isUndecided({ type, status }: Problem): boolean {
  return status === 0 || status >= 500 || type === "request-in-flight";
}

/**
 * What the machine-readable members say, a sentence each, for those that a shopper can act on.
 * currency: of sums among them, which come without.
 */
export function explanations({ type, members }: Problem, currency?: string): string[] {
  if (type === "malformed" && Array.isArray(members.errors)) {
    return members.errors
      .filter(isRecord)
      .map(({ pointer, detail }) => `${String(pointer).slice(1)}: ${detail}`);
  }
  if (type === "unknown-sku" && Array.isArray(members.unknown)) {
    return members.unknown.map((sku) => `${sku} is no longer sold: take it out of the cart.`);
  }
  if (type === "price-changed" && currency) {
    const [seen, now] = [members.expected_minor, members.actual_minor].map((sum) =>
      money(Number(sum), currency),
    );
    return [`You saw ${seen}, it costs ${now} now. Nothing was ordered: order again to accept it.`];
  }
  return [];
}

function nameOf(type: unknown): string {
  if (typeof type !== "string" || type === "about:blank") return "about:blank";
  return type.slice(type.lastIndexOf("/") + 1);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
