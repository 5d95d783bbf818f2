import { QUANTITY_MAX } from "@/lib/lines";

/** Begins anew, with *value*, whenever that is another. className: how label and field stand. */
export function QuantityField({ value, className }: { value: number | string; className: string }) {
  return (
    <label className={`text-sm ${className}`}>
      Quantity
      <input
        key={value}
        type="number"
        name="quantity"
        defaultValue={value}
        min={1}
        max={QUANTITY_MAX}
        required
        className="field w-24"
      />
    </label>
  );
}
