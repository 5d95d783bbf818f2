import type { Availability } from "@/lib/api/catalog";

const WORDS: Record<Availability, string> = {
  InStock: "",
  LimitedAvailability: "Only a few left",
  OutOfStock: "Sold out",
};

/** Advice, as the catalog last heard it; the reservation alone decides. */
export function AvailabilityNote({ availability }: { availability: Availability }) {
  if (!WORDS[availability]) return null;
  return <p className="text-sm font-medium text-accent">{WORDS[availability]}</p>;
}
