/** Who is shopping. */

import "server-only";
import { call } from "./client";

/** expires_in: seconds. */
export type Token = { access_token: string; expires_in: number; customer_id: string };

export function enterAsGuest(): Promise<Token> {
  return call("auth", "/guest-tokens", { method: "POST", body: {} });
}
