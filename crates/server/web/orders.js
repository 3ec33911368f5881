// The orders of this browser: attempts that have no answer yet and orders that have one.
// What always holds: an attempt is stored before it is sent and forgotten only when its
// answer is known, so whatever breaks in between, a repetition carries the same key and the
// server makes one order of it. One entry per key, so tabs never overwrite each other.

import { request } from "./api.js";
import { backoffMs, pause } from "./live.js";
import { all, erase, newKey, read, write } from "./storage.js";

const ATTEMPT = "firstcome.attempt.";
const ORDER = "firstcome.order.";
const EMAIL = "firstcome.email";
const ORDERS_MAX = 50;
const ATTEMPT_TIMEOUT_MS = 20_000;
// The server keeps a key for 24 hours. An hour before that, a repetition could already be a
// second order, so the attempt is only shown.
const ATTEMPT_KEPT_MS = 23 * 3_600_000;
// Up to here somebody who reloads surely still wants what they pressed for.
const ATTEMPT_FRESH_MS = 10 * 60_000;

export const email = {
  get: () => read(EMAIL) ?? "",
  set: (value) => write(EMAIL, value),
};

export function newAttempt({ sku, quantity, customer }) {
  const key = newKey();
  const attempt = { key, sku, quantity, customer, at: Date.now() };
  write(ATTEMPT + key, JSON.stringify(attempt));
  return attempt;
}

export function attemptsFor(sku) {
  return all(ATTEMPT)
    .filter((attempt) => attempt.sku === sku)
    .sort((a, b) => b.at - a.at);
}

/** Somebody gave up waiting: from now on it is sent when they press for it, and never without. */
export function stopAttempt(attempt) {
  if (read(ATTEMPT + attempt.key)) write(ATTEMPT + attempt.key, JSON.stringify({ ...attempt, stopped: true }));
}

export const forgetAttempt = (attempt) => erase(ATTEMPT + attempt.key);
export const isFresh = (attempt) => Date.now() - attempt.at < ATTEMPT_FRESH_MS;
export const isRepeatable = (attempt) => Date.now() - attempt.at < ATTEMPT_KEPT_MS;

export function listOrders(sku) {
  return all(ORDER)
    .filter((order) => sku === undefined || order.sku === sku)
    .sort((a, b) => (a.placedAt < b.placedAt ? 1 : -1));
}

/** Stores what is known of an order; `name` is the product's, for lists that span products. */
export function rememberOrder(order, name) {
  const known = read(ORDER + order.id);
  const before = known ? JSON.parse(known) : {};
  const kept = { ...order, name: name ?? before.name };
  write(ORDER + order.id, JSON.stringify(kept));
  if (!known) {
    for (const old of listOrders().slice(ORDERS_MAX)) {
      if (old.status !== "pending") erase(ORDER + old.id);
    }
  }
  return kept;
}

export const forgetOrder = (order) => erase(ORDER + order.id);

export const isFinal = (order) => order.status !== "pending";
export const isCancellable = (order) => ["pending", "accepted"].includes(order.status);

/**
 * Sends an attempt until its answer is known. Resolves to `{order, available?}`, throws the
 * problem that decided it, and resolves to null when `signal` stopped it undecided: the
 * attempt then stays stored, because the server may have made the order.
 */
export async function placeOrder(attempt, { nameOf, onWaiting, signal }) {
  const { key, sku, quantity, customer } = attempt;
  if (attempt.stopped) write(ATTEMPT + key, JSON.stringify({ ...attempt, stopped: false }));
  for (let n = 1; !signal.aborted; n += 1) {
    try {
      const order = await request("POST", "/orders", {
        headers: { "idempotency-key": key },
        body: { sku, quantity, customer },
        timeoutMs: ATTEMPT_TIMEOUT_MS,
        signal,
      });
      const kept = rememberOrder(order, nameOf());
      forgetAttempt(attempt);
      return { order: kept };
    } catch (problem) {
      if (problem.code === "sold_out" && problem.body.order) {
        const kept = rememberOrder(problem.body.order, nameOf());
        forgetAttempt(attempt);
        return { order: kept, available: problem.body.available };
      }
      if (!problem.undecided) {
        forgetAttempt(attempt);
        throw problem;
      }
      if (signal.aborted) break;
      onWaiting?.(problem);
      await pause(Math.max(problem.retryAfterMs ?? 0, backoffMs(n)), signal);
    }
  }
  return null;
}

export const fetchOrder = (path) => request("GET", path);
export const cancelOrder = (path) => request("DELETE", path);
