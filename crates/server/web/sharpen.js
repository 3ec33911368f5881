// What nobody should be half a second late for: the server's clock, asked at the right moments.

import { clock } from "./clock.js";
import { pause } from "./live.js";
import { onWake } from "./wake.js";

const SHARP_MS = 80;
const QUESTIONS_MAX = 6;

/**
 * A function that makes the clock sharp while `wanted()` holds, however often it is called. A
 * request sent when we believe that the server's second turns tells on which side of the turn
 * we are, which halves what we do not know; `ask` sends one.
 */
export function sharpener(ask, wanted) {
  let questions = 0;
  let running = false;
  // What was known before a sleep is not known after it.
  onWake(() => {
    questions = 0;
  });
  return async () => {
    if (running) return;
    running = true;
    while (wanted() && clock.uncertainty > SHARP_MS && questions < QUESTIONS_MAX) {
      questions += 1;
      await pause(1000 - (clock.now() % 1000));
      await ask().catch(() => {});
    }
    running = false;
  };
}
