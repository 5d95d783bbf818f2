/** Money as the services write it: minor units and ISO 4217. Shows it; never computes a price. */

const formats = new Map<string, Intl.NumberFormat>();

/** 1999, "USD" -> "$19.99"; 500, "JPY" -> "¥500", which has no minor unit. */
export function money(amountMinor: number, currency: string): string {
  let format = formats.get(currency);
  if (!format) {
    format = new Intl.NumberFormat("en-US", { style: "currency", currency });
    formats.set(currency, format);
  }
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(amountMinor / 10 ** digits);
}
