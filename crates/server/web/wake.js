// Notices that the device slept. The monotonic clock of a page stands still meanwhile in some
// browsers and runs on in others, and timers tell nobody. What always holds: whoever asked is
// told within about a second after the device woke, and the server's clock is moved on by what
// the local one missed. A device's clock that somebody set is taken for a sleep: that costs a
// needless question to the server and nothing else.

import { clock } from "./clock.js";

const LOOK_EVERY_MS = 1_000;
// Corrections over the network and late timers stay below.
const MISSED_MIN_MS = 2_000;
const GAP_MIN_MS = 10_000;

export class SleepWatch {
  #local;
  #wall;
  #lastLocal;
  #lastWall;

  constructor(local = () => performance.now(), wall = () => Date.now()) {
    this.#local = local;
    this.#wall = wall;
    this.#lastLocal = local();
    this.#lastWall = wall();
  }

  /**
   * Null when nothing happened since the last look; else how many milliseconds the local clock
   * missed. `punctual` says that only a sleep could have kept the look from coming in time.
   */
  look(punctual = true) {
    const local = this.#local();
    const wall = this.#wall();
    const ran = local - this.#lastLocal;
    const missed = wall - this.#lastWall - ran;
    this.#lastLocal = local;
    this.#lastWall = wall;
    const gap = punctual && ran >= GAP_MIN_MS;
    if (Math.abs(missed) < MISSED_MIN_MS && !gap) return null;
    return missed >= MISSED_MIN_MS ? missed : 0;
  }
}

const listeners = new Set();
let watching = false;

/** Calls `listener` whenever the device woke, until `signal`. */
export function onWake(listener, signal) {
  listeners.add(listener);
  signal?.addEventListener("abort", () => listeners.delete(listener));
  if (!watching) watch();
}

function watch() {
  watching = true;
  const sleep = new SleepWatch();
  // Timers of a hidden tab are late for other reasons.
  let wasVisible = true;
  const look = () => {
    const visible = document.visibilityState === "visible";
    const missed = sleep.look(visible && wasVisible);
    wasVisible = visible;
    if (missed === null) return;
    clock.slept(missed);
    for (const listener of [...listeners]) listener();
  };
  setInterval(look, LOOK_EVERY_MS);
  document.addEventListener("visibilitychange", look);
}
