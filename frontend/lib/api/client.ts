/** One request to one service, with a limit on its time. Knows no path of any service. */

import "server-only";
import { noAnswer, problemOf, ServiceRefused } from "@/lib/problem";

// A page waits for its slowest service; a shopper who has waited longer than this has left.
const TIMEOUT_MS = 4_000;

const URLS = {
  auth: "AUTH_URL",
  cart: "CART_URL",
  catalog: "CATALOG_URL",
  order: "ORDER_URL",
} as const;

export type Service = keyof typeof URLS;

type Call = {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  token?: string;
  body?: unknown;
  headers?: Record<string, string>;
};

/** The JSON it answered. Raises ServiceRefused with its problem, or with `no-answer`. */
export async function call<Answer>(
  service: Service,
  path: string,
  ask: Call = {},
): Promise<Answer> {
  const headers: Record<string, string> = { accept: "application/json", ...ask.headers };
  if (ask.token) headers.authorization = `Bearer ${ask.token}`;
  if (ask.body !== undefined) headers["content-type"] = "application/json";
  const request = {
    method: ask.method ?? "GET",
    headers,
    body: ask.body === undefined ? undefined : JSON.stringify(ask.body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
    cache: "no-store" as const,
  };
  const { status, body } = await exchange(service, baseUrl(service) + path, request);
  if (status >= 400) throw new ServiceRefused(problemOf(status, body));
  return body as Answer;
}

async function exchange(service: Service, url: string, request: RequestInit) {
  try {
    const response = await fetch(url, request);
    const text = await response.text();
    return { status: response.status, body: parsed(text) };
  } catch (error) {
    console.error(JSON.stringify({ event: "no_answer", service, url, error: String(error) }));
    throw new ServiceRefused(noAnswer(service));
  }
}

/** undefined for what is no JSON: a proxy's page, which `problemOf` tells by its status. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function baseUrl(service: Service): string {
  const url = process.env[URLS[service]];
  if (!url) throw new Error(`${URLS[service]} is not set: see frontend/README.md`);
  return url;
}
