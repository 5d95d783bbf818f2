/** The guest's token, in a cookie that no script of the page can read. */

import "server-only";
import { cookies } from "next/headers";
import { enterAsGuest } from "./api/auth";

const COOKIE = "guest";

/** undefined before the first thing is put into a cart, and after the token has expired. */
export async function guestToken(): Promise<string | undefined> {
  return (await cookies()).get(COOKIE)?.value;
}

/** The token there is, or a new guest's. Only where cookies can be set: in server actions. */
export async function guestTokenOrNew(): Promise<string> {
  const known = await guestToken();
  if (known) return known;
  const token = await enterAsGuest();
  (await cookies()).set(COOKIE, token.access_token, {
    httpOnly: true,
    sameSite: "lax",
    path: "/",
    secure: process.env.COOKIE_SECURE === "1",
    maxAge: token.expires_in, // The cookie goes when auth would refuse the token anyway.
  });
  return token.access_token;
}
