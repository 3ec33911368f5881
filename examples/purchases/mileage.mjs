// Points: 2 % of the price, rounded down, once for each purchase.

import { listen } from "./listener.mjs";

const PERCENT = 2n;

await listen("mileage", ({ username, price }) => {
  // Whole numbers throughout: 0.02 * price is not exact.
  const points = Number((BigInt(price) * PERCENT) / 100n);
  return { username, points };
});
