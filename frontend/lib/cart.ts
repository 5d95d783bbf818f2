/** The shopper's own cart, priced: what the cart page and the checkout both show. */

import "server-only";
import { readCart } from "./api/cart";
import { quote } from "./api/catalog";
import { type PricedCart, priced } from "./priced";
import { guestToken } from "./session";

/** undefined: nothing in it. Raises ServiceRefused. */
export async function pricedCart(): Promise<PricedCart | undefined> {
  const token = await guestToken();
  if (!token) return undefined;
  const cart = await readCart(token);
  if (cart.lines.length === 0) return undefined;
  return priced(cart, await quote(cart.lines.map((line) => line.sku)));
}
