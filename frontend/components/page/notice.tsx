import { explanations, type Problem } from "@/lib/problem";

/** A problem in the shop's own words; its type leads to a page of the service's. currency: of its sums, if any. */
export function ProblemNotice({ problem, currency }: { problem: Problem; currency?: string }) {
  const known = problem.type !== "about:blank" && problem.type !== "no-answer";
  return (
    <div role="alert" className="notice notice-problem">
      <p className="font-semibold">{problem.title}</p>
      {problem.detail && <p>{problem.detail}</p>}
      {explanations(problem, currency).map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
      {known && (
        <p className="mt-1 text-xs opacity-75">
          {problem.type} · {problem.status}
        </p>
      )}
    </div>
  );
}
