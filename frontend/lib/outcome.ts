/** What a page shows: an answer, or the reason why there is none. */

import "server-only";
import { type Problem, ServiceRefused } from "./problem";

export type Outcome<Answer> = { ok: true; answer: Answer } | { ok: false; problem: Problem };

/** Catches refusals only: a page without one of its services still renders the rest. */
export async function outcomeOf<Answer>(asked: Promise<Answer>): Promise<Outcome<Answer>> {
  try {
    return { ok: true, answer: await asked };
  } catch (error) {
    if (error instanceof ServiceRefused) return { ok: false, problem: error.problem };
    throw error;
  }
}
