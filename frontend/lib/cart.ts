/** The shopper's own cart and what it would cost: what the cart page and the checkout both show. */

import "server-only";
import { readCart } from "./api/cart";
import { quote } from "./api/catalog";
import { quoteOrder, type Sums } from "./api/order";
import { type Outcome, outcomeOf } from "./outcome";
import { linesToOrder, type PricedCart, priced } from "./priced";
import { asGuest } from "./session";

/** sums: of what is still sold, or why nobody knows; absent if nothing is. */
export type QuotedCart = PricedCart & { sums?: Outcome<Sums> };

/** undefined: nothing in it. Raises ServiceRefused for the lines, not for the sums. */
export async function quotedCart(): Promise<QuotedCart | undefined> {
  return asGuest(async (token) => {
    const held = await readCart(token);
    if (held.lines.length === 0) return undefined;
    const cart = priced(held, await quote(held.lines.map((line) => line.sku)));
    if (cart.lines.length === 0) return cart;
    return { ...cart, sums: await outcomeOf(quoteOrder(token, linesToOrder(cart))) };
  });
}
