// Parcels: one is started for each purchase, under the number that the purchase names.

import { listen } from "./listener.mjs";

await listen("tracking", ({ username, trackingId }) => {
  if (typeof trackingId !== "string") throw new TypeError("a purchase needs a trackingId");
  return { username, trackingId, status: "started" };
});
