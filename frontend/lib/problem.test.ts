import { expect, test } from "vitest";
import { explanations, isUndecided, noAnswer, problemOf } from "@/lib/problem";

test("a problem keeps its title, its detail and its own members", () => {
  const body = {
    type: "/problems/price-changed",
    title: "The price has changed",
    status: 409,
    detail: "the total is 1100, not 1000",
    expected_minor: 1000,
    actual_minor: 1100,
  };

  const problem = problemOf(409, body);

  expect(problem).toEqual({
    type: "price-changed",
    status: 409,
    title: "The price has changed",
    detail: "the total is 1100, not 1000",
    members: { expected_minor: 1000, actual_minor: 1100 },
  });
});

test("an answer that is no problem is told by its status alone", () => {
  expect(problemOf(502, "<html>Bad gateway</html>").title).toBe("The shop answered 502");
  expect(problemOf(500, null).title).toBe("The shop answered 500");
});

test("the status of the answer counts, not the one in its body", () => {
  expect(problemOf(503, { title: "Try again shortly", status: 200 }).status).toBe(503);
});

test("a malformed request is explained field by field", () => {
  const errors = [{ pointer: "/email", detail: "value is not a valid email address" }];

  const problem = problemOf(400, { type: "/problems/malformed", title: "Malformed", errors });

  expect(explanations(problem)).toEqual(["email: value is not a valid email address"]);
});

test("each product that is no longer sold is named", () => {
  const problem = problemOf(422, {
    type: "/problems/unknown-sku",
    title: "?",
    unknown: ["A", "B"],
  });

  expect(explanations(problem)).toHaveLength(2);
  expect(explanations(problem)[0]).toContain("A is no longer sold");
});

test("silence is not called a refusal", () => {
  const problem = noAnswer("order");

  expect(problem.status).toBe(0);
  expect(problem.title).toBe("The order service did not answer");
});

test("what may have been done all the same is undecided, and a refusal is not", () => {
  const undecided = [noAnswer("order"), problemOf(503, {}), problemOf(502, null)];
  const inFlight = problemOf(409, { type: "/problems/request-in-flight", title: "?" });
  const refused = problemOf(409, { type: "/problems/price-changed", title: "?" });

  expect([...undecided, inFlight].map(isUndecided)).toEqual([true, true, true, true]);
  expect([refused, problemOf(401, {})].map(isUndecided)).toEqual([false, false]);
});

test("a changed price is told with what was seen and what it is now", () => {
  const members = { expected_minor: 1180, actual_minor: 1288 };
  const problem = problemOf(409, { type: "/problems/price-changed", title: "?", ...members });

  expect(explanations(problem, "USD")[0]).toContain("You saw $11.80, it costs $12.88 now.");
});
