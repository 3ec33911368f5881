// Many people buy one product of which there is little: POST /orders, each with a key of its
// own. Fails when an answer is late or wrong, or when one unit too many or too few was sold.

import http from "k6/http";
import { check } from "k6";
import { Counter } from "k6/metrics";

import { arrivals, IN_TIME, JSON_BODY, number, refuse, target } from "./target.js";

const BASE = target("BASE_URL", "http://127.0.0.1:3000");
const STOCK = number("STOCK", 1000);

const accepted = new Counter("orders_accepted");
const soldOut = new Counter("orders_sold_out");

export const options = {
  scenarios: { purchases: arrivals(number("RATE", 200)) },
  thresholds: {
    checks: ["rate==1"],
    http_req_failed: ["rate==0"],
    "http_req_duration{name:order}": IN_TIME,
    // An iteration that could not begin in time is load that was not made.
    dropped_iterations: ["count==0"],
  },
};

export function setup() {
  const sku = `LOAD-${Date.now()}`;
  const product = { sku, name: "Load", price: 100, currency: "EUR", stock: STOCK };
  const answer = http.post(`${BASE}/products`, JSON.stringify(product), JSON_BODY);
  if (answer.status !== 201)
    refuse(`no product was made at ${BASE}: ${answer.status} ${answer.body}`);
  return { sku };
}

export default function ({ sku }) {
  const id = `${__VU}-${__ITER}-${sku}`;
  const order = JSON.stringify({ sku, quantity: 1, customer: `buyer-${id}@example.com` });
  const answer = http.post(`${BASE}/orders`, order, {
    headers: { ...JSON_BODY.headers, "idempotency-key": id },
    tags: { name: "order" },
    // Sold out is an answer, not a failure.
    responseCallback: http.expectedStatuses(201, 409),
  });
  const verdict = answer.status === 201 ? "accepted" : answer.status === 409 && answer.json("code");
  check(verdict, { "accepted or sold out": (v) => v === "accepted" || v === "sold_out" });
  if (verdict === "accepted") accepted.add(1);
  if (verdict === "sold_out") soldOut.add(1);
}

export function teardown({ sku }) {
  const product = http.get(`${BASE}/products/${sku}`).json();
  check(product, {
    "every unit that was asked for was sold, and none twice": (p) =>
      p.allocated === Math.min(STOCK, p.lastPlace) && p.available === STOCK - p.allocated,
    "nobody waits without a verdict": (p) => p.waiting === 0,
  });
}
