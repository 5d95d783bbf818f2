/** A drawing for a product without a photograph: the shape of its department, a colour of its own. */

const SHAPES: Record<string, string> = {
  leaf: "M50 86C20 70 18 34 50 14c32 20 30 56 0 72Zm0 0V34m0 22 13-12M50 66 37 54",
  tin: "M28 26c0-5 10-9 22-9s22 4 22 9v48c0 5-10 9-22 9s-22-4-22-9Zm0 0c0 5 10 9 22 9s22-4 22-9M28 44c0 5 10 9 22 9s22-4 22-9M28 60c0 5 10 9 22 9s22-4 22-9",
  loaf: "M20 46c-6-16 8-24 30-24s36 8 30 24v28a4 4 0 0 1-4 4H24a4 4 0 0 1-4-4Zm16 32V50m14 28V50m14 28V50",
  fish: "M16 50c14-22 40-22 54 0-14 22-40 22-54 0Zm54 0 16-14v28ZM32 46v1",
  steak:
    "M24 34c14-16 46-16 54 4 6 18-8 24-20 24-10 0-12 16-24 16-18 0-24-28-10-44Zm16 14a7 7 0 1 0 .1 0",
  bottle:
    "M43 14h14v16c0 6 9 8 9 20v30a6 6 0 0 1-6 6H40a6 6 0 0 1-6-6V50c0-12 9-14 9-20ZM34 54h32v18H34",
};

const OF_DEPARTMENT: Record<string, [shape: string, hue: number]> = {
  Produce: ["leaf", 140],
  "Salad Bar": ["leaf", 125],
  Floral: ["leaf", 340],
  "Garden Center": ["leaf", 110],
  Pastry: ["loaf", 60],
  Restaurant: ["loaf", 45],
  Seafood: ["fish", 225],
  "Packaged Seafood": ["fish", 240],
  Meat: ["steak", 20],
  "Packaged Meat": ["steak", 30],
  Deli: ["steak", 50],
  Spirits: ["bottle", 310],
  Cosmetics: ["bottle", 350],
  Nutrition: ["bottle", 170],
  "Drug & General Merchandise": ["bottle", 260],
};

// So far two products of a department may differ in hue: enough to tell neighbours apart.
const HUE_SPREAD = 40;

export function ProductArt({ sku, department }: { sku: string; department: string }) {
  const [shape, hue] = OF_DEPARTMENT[department] ?? ["tin", 85];
  const own = hue + (hash(sku) % HUE_SPREAD) - HUE_SPREAD / 2;
  return (
    <svg viewBox="0 0 100 100" aria-hidden="true" className="block aspect-square w-full">
      <rect width="100" height="100" fill={`oklch(0.94 0.045 ${own})`} />
      <circle cx="50" cy="52" r="38" fill={`oklch(0.89 0.08 ${own})`} />
      <path
        d={SHAPES[shape]}
        fill={`oklch(0.97 0.03 ${own})`}
        stroke={`oklch(0.45 0.11 ${own})`}
        strokeWidth="2.5"
        strokeLinejoin="round"
        strokeLinecap="round"
      />
    </svg>
  );
}

/** The same number for the same SKU, here and in every process. */
function hash(sku: string): number {
  return [...sku].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 9973, 7);
}
