// Whom the load goes to, how much and for how long: this machine, little and 20 seconds,
// unless the command says otherwise.

import exec from "k6/execution";

const LOOPBACK = /^https?:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;

/** The address in an environment variable; another machine has to be meant. */
export function target(name, fallback) {
  const url = (__ENV[name] || fallback).replace(/\/$/, "");
  if (!LOOPBACK.test(url) && __ENV.ANYWHERE !== "yes") {
    throw new Error(`${name}=${url} is not this machine; ANYWHERE=yes says that it is meant`);
  }
  return url;
}

/** A positive number in an environment variable. */
export function number(name, fallback) {
  const value = Number(__ENV[name] || fallback);
  if (!(value > 0)) throw new Error(`${name} must be a number above 0`);
  return value;
}

/** Within how many milliseconds 95 of 100 answers come. */
export const P95_MS = number("P95_MS", 100);
/** The thresholds of a request. */
export const IN_TIME = [`p(95)<${P95_MS}`, `p(99)<${number("P99_MS", 250)}`];

/**
 * So many iterations begin each second, however slow the answers are: load as it comes from
 * people, who do not wait for each other.
 */
export function arrivals(ratePerSecond) {
  return {
    executor: "constant-arrival-rate",
    rate: ratePerSecond,
    timeUnit: "1s",
    duration: `${number("SECONDS", 20)}s`,
    preAllocatedVUs: Math.ceil(ratePerSecond / 4) + 10,
    maxVUs: ratePerSecond + 100,
    gracefulStop: "10s",
  };
}

/** Ends the run, with a reason and without load. */
export function refuse(reason) {
  exec.test.abort(reason);
}

export const JSON_BODY = { headers: { "content-type": "application/json" } };
