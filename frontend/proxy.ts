/** What a page may load and do: files of its own and nothing else (CSP Level 3). */

import { type NextRequest, NextResponse } from "next/server";

// Development compiles modules in the page, and shows errors with the source around them.
const DEVELOPMENT = process.env.NODE_ENV === "development" ? " 'unsafe-eval'" : "";

/** Next gives the nonce that it reads in the request's policy to the scripts that it writes. */
export function proxy(request: NextRequest): NextResponse {
  const policy = contentSecurityPolicy(btoa(crypto.randomUUID()));
  const headers = new Headers(request.headers);
  headers.set("Content-Security-Policy", policy);
  const response = NextResponse.next({ request: { headers } });
  response.headers.set("Content-Security-Policy", policy);
  return response;
}

function contentSecurityPolicy(nonce: string): string {
  return [
    "default-src 'self'",
    `script-src 'nonce-${nonce}' 'strict-dynamic'${DEVELOPMENT}`,
    `style-src 'self'${DEVELOPMENT && " 'unsafe-inline'"}`,
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
}

export const config = { matcher: "/((?!_next/static/).*)" };
