// Waiting for a condition, never for a time.

import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 15;

/** Resolves with the first answer of `condition` that is true-ish; fails past the limit. */
export async function until(what, condition, limitMs = 10_000) {
  const end = Date.now() + limitMs;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await delay(POLL_MS);
  }
}

/** Runs `work(item)` for every item, at most `width` at a time, begun in their order. */
export async function inParallel(width, items, work) {
  const results = new Array(items.length);
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const index = next;
      next += 1;
      results[index] = await work(items[index], index);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return results;
}

/** The same numbers from the same seed, from 0 up to 1 (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}
