/** A cart with its prices of now. Pure: cart and quote come from their services. */

import type { Cart, CartLine } from "./api/cart";
import type { Quote } from "./api/catalog";

export type PricedLine = {
  sku: string;
  name: string;
  quantity: number;
  unit_price_minor: number;
  line_total_minor: number;
};

/** `unknown`: SKUs in the cart that are no longer sold; they are in no line. */
export type PricedCart = {
  lines: PricedLine[];
  unknown: string[];
  currency: string;
};

export function priced(cart: Cart, quote: Quote): PricedCart {
  const prices = new Map(quote.prices.map((price) => [price.sku, price]));
  const lines = cart.lines.flatMap(({ sku, quantity }) => {
    const price = prices.get(sku);
    if (!price) return [];
    return [{ ...price, quantity, line_total_minor: quantity * price.unit_price_minor }];
  });
  return {
    lines,
    unknown: cart.lines.filter(({ sku }) => !prices.has(sku)).map(({ sku }) => sku),
    currency: quote.currency,
  };
}

export function linesToOrder(cart: PricedCart): CartLine[] {
  return cart.lines.map(({ sku, quantity }) => ({ sku, quantity }));
}

export function pieces(cart: Cart): number {
  return cart.lines.reduce((count, line) => count + line.quantity, 0);
}
