// Requests to the server: JSON in, JSON or a `Problem` out. What always holds: a call ends
// within its time limit, and every answer teaches the clock. Knows no page and does not
// retry; whoever calls decides whether a repetition is safe.

import { clock } from "./clock.js";
import { has, lang, t } from "./i18n.js";

const TIMEOUT_MS = 15_000;

/** An RFC 9457 answer, or `code: "network"` with status 0 when there was none. */
export class Problem extends Error {
  constructor(status, body, retryAfterMs) {
    super(body.detail ?? body.title ?? body.code ?? String(status));
    this.status = status;
    this.body = body;
    this.code = body.code ?? `http_${status}`;
    this.field = body.field;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether nobody knows yet what became of the request, or the server said "later". */
  get undecided() {
    if (this.code === "too_many_keys") return false;
    const later = [0, 408, 425, 429].includes(this.status) || this.status >= 500;
    return later || this.retryAfterMs !== undefined;
  }
}

export async function request(method, path, { body, headers = {}, timeoutMs = TIMEOUT_MS, signal } = {}) {
  const sentAt = clock.local();
  let response;
  let payload;
  try {
    response = await fetch(path, {
      method,
      cache: "no-store",
      headers: {
        accept: "application/json",
        "accept-language": lang(),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: limit(timeoutMs, signal),
    });
    // The headers are what the server dated, so the clock is read before the body is.
    clock.observeDate(response.headers.get("date"), sentAt, clock.local());
    payload = await response.text();
  } catch (cause) {
    throw new Problem(0, { code: "network", detail: String(cause?.message ?? cause) });
  }
  if (!response.ok) throw problemFrom(response, payload);
  return parse(payload) ?? {};
}

function limit(timeoutMs, signal) {
  const timeout = AbortSignal.timeout(timeoutMs);
  return signal ? AbortSignal.any([timeout, signal]) : timeout;
}

export function problemFrom(response, payload) {
  const after = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  const body = parse(payload);
  return new Problem(
    response.status,
    body !== null && typeof body === "object" ? body : { detail: payload.slice(0, 200) },
    Number.isFinite(after) ? after * 1000 : undefined,
  );
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A problem in the page's language: by code and field, by code, or as the server put it. */
export function problemText(problem) {
  const body = problem.body ?? {};
  const params = { ...body, n: body.limit ?? body.available ?? 0 };
  for (const key of [`error.${problem.code}.${problem.field}`, `error.${problem.code}`]) {
    if (has(key)) return t(key, params);
  }
  return body.detail ?? body.title ?? t("error.unknown");
}

/** A part of an address as it was meant, or null where its escapes are broken. */
export function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

const at = (...segments) => `/${segments.map(encodeURIComponent).join("/")}`;

export const paths = {
  product: (sku) => at("products", sku),
  // What is left, not every order of a rush.
  productEvents: (sku) => `${at("products", sku, "events")}?latest=true`,
  receipts: (sku) => at("products", sku, "receipts"),
  productPage: (sku) => at("shop", sku),
  order: (id) => at("orders", id),
  orderEvents: (id) => at("orders", id, "events"),
  auction: (id) => at("auctions", id),
  auctionPage: (id) => at("saleroom", id),
  auctionBids: (id) => at("auctions", id, "bids"),
  // How it stands, not every bid of a rush.
  auctionEvents: (id) => `${at("auctions", id, "events")}?latest=true`,
  buyNow: (id) => at("auctions", id, "buy-now"),
  certificate: (id) => at("auctions", id, "certificate"),
  result: (id) => at("auctions", id, "result"),
  settle: (id) => at("auctions", id, "settle"),
  forfeit: (id) => at("auctions", id, "forfeit"),
  secondChance: (id) => at("auctions", id, "second-chance"),
  bid: (id) => at("bids", "by-id", id),
  offer: (id) => at("bids", "by-id", id, "offer"),
  queue: (queue) => at("ops", "queues", queue),
  message: (queue, seq) => at("ops", "queues", queue, "messages", String(seq)),
  moves: (queue) => at("ops", "queues", queue, "moves"),
  move: (queue, id) => at("ops", "queues", queue, "moves", id),
  purge: (queue) => at("ops", "queues", queue, "purge"),
  mail: (id) => at("ops", "mails", id),
  timeline: (id) => at("ops", "orders", id, "timeline"),
  consumer: (name, does) => at("ops", "consumers", name, does),
  messages: (queue) => at("ops", "queues", queue, "messages"),
  redrive: (queue) => at("ops", "queues", queue, "redrive"),
};
