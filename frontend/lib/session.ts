/** The guest's token, in a cookie that no script of the page can read. */

import "server-only";
import { cookies } from "next/headers";
import { enterAsGuest } from "./api/auth";
import { ServiceRefused } from "./problem";

const SECURE = process.env.COOKIE_SECURE === "1";
// The prefix keeps neighbours under the same domain from setting it (RFC 6265bis §4.1.3.2).
const COOKIE = SECURE ? "__Host-guest" : "guest";

/** undefined before the first thing is put into a cart, and after the token has expired. */
async function guestToken(): Promise<string | undefined> {
  return (await cookies()).get(COOKIE)?.value;
}

/** What *ask* answers the guest. undefined: there is none, or the token does not hold any more. */
export async function asGuest<Answer>(
  ask: (token: string) => Promise<Answer>,
): Promise<Answer | undefined> {
  const token = await guestToken();
  if (!token) return undefined;
  try {
    return await ask(token);
  } catch (error) {
    if (isTokenRefused(error)) return undefined;
    throw error;
  }
}

/** The same for a new guest where there is none. Only where cookies can be set: in server actions. */
export async function asGuestOrNew<Answer>(
  ask: (token: string) => Promise<Answer>,
): Promise<Answer> {
  return (await asGuest(ask)) ?? ask(await newGuestToken());
}

async function newGuestToken(): Promise<string> {
  const token = await enterAsGuest();
  (await cookies()).set(COOKIE, token.access_token, {
    httpOnly: true,
    sameSite: "lax",
    path: "/",
    secure: SECURE,
    maxAge: token.expires_in, // The cookie goes when auth would refuse the token anyway.
  });
  return token.access_token;
}

function isTokenRefused(error: unknown): boolean {
  return error instanceof ServiceRefused && error.problem.status === 401;
}
