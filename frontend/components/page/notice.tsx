import { explanations, type Problem } from "@/lib/problem";

/**
 * A problem in the shop's own words; its type leads to a page of the service's. currency: of its
 * sums, if any. alone: on its page, which has no other title.
 */
export function ProblemNotice(props: { problem: Problem; currency?: string; alone?: boolean }) {
  const { problem, currency, alone } = props;
  const Title = alone ? "h1" : "p";
  const known = problem.type !== "about:blank" && problem.type !== "no-answer";
  return (
    <div role="alert" className="notice notice-problem">
      <Title className="font-semibold">{problem.title}</Title>
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
