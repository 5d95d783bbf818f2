"use client";
import { type ReactNode, useActionState } from "react";
import type { Result } from "@/lib/actions";
import { ProblemNotice } from "./notice";

type Action = (before: Result, form: FormData) => Promise<Result>;

/** A form around a server action, that says what became of it. */
export function ActionForm(props: { action: Action; className?: string; children: ReactNode }) {
  const [result, act, pending] = useActionState(props.action, {});
  return (
    <form action={act} aria-busy={pending}>
      <fieldset disabled={pending} className={props.className}>
        {props.children}
      </fieldset>
      <Said result={result} pending={pending} />
    </form>
  );
}

export function Said({ result, pending }: { result: Result; pending: boolean }) {
  return (
    <>
      <div role="status" className="text-sm text-brand-deep">
        {pending ? "One moment …" : result.done}
      </div>
      {result.problem && !pending && <ProblemNotice problem={result.problem} />}
    </>
  );
}
