/** What is sold, and for how much. */

import "server-only";
import { cache } from "react";
import { call } from "./client";

export type Availability = "InStock" | "LimitedAvailability" | "OutOfStock";

export type Product = {
  sku: string;
  name: string;
  department: string;
  category: string;
  price_minor: number;
  currency: string;
  availability: Availability;
};

export type ProductPage = { items: Product[]; next_cursor: string | null };
export type Department = { name: string; products: number };
export type Quote = {
  currency: string;
  prices: { sku: string; name: string; unit_price_minor: number }[];
  unknown: string[];
};

export function searchProducts(query: Record<string, string>): Promise<ProductPage> {
  return call("catalog", `/products?${new URLSearchParams(query)}`);
}

/** Read once a request, though page and title both ask. */
export const readProduct = cache((sku: string) =>
  call<Product>("catalog", `/products/${encodeURIComponent(sku)}`),
);

export function listDepartments(): Promise<Department[]> {
  return call("catalog", "/departments");
}

export function quote(skus: string[]): Promise<Quote> {
  return call("catalog", "/quotes", { method: "POST", body: { skus } });
}
