// Many people bid on one lot: POST /bids, each higher than the one before it, so that one that
// is overtaken on its way is too low. Fails when an answer is late or wrong, or when the lot's
// price is not the highest bid that was taken. Needs a server that has auctions.

import http from "k6/http";
import { check } from "k6";
import exec from "k6/execution";
import { Counter } from "k6/metrics";

import { arrivals, IN_TIME, JSON_BODY, number, refuse, target } from "./target.js";

const BASE = target("BASE_URL", "http://127.0.0.1:3000");
const STARTING_PRICE = 100;

const leading = new Counter("bids_leading");
const tooLow = new Counter("bids_too_low");

export const options = {
  scenarios: { bids: arrivals(number("RATE", 200)) },
  thresholds: {
    checks: ["rate==1"],
    http_req_failed: ["rate==0"],
    "http_req_duration{name:bid}": IN_TIME,
    dropped_iterations: ["count==0"],
  },
};

export function setup() {
  const auction = {
    product: `LOAD-${Date.now()}`,
    startingPrice: STARTING_PRICE,
    currency: "EUR",
    increment: 1,
    // Long after the load, so that no bid is too late.
    endTime: new Date(Date.now() + 3_600_000).toISOString(),
  };
  const answer = http.post(`${BASE}/auctions`, JSON.stringify(auction), JSON_BODY);
  if (answer.status === 404) refuse(`the server at ${BASE} has no auctions: POST /auctions is 404`);
  if (answer.status !== 201)
    refuse(`no auction was made at ${BASE}: ${answer.status} ${answer.body}`);
  return { auctionId: answer.json("id") };
}

export default function ({ auctionId }) {
  const bidAmount = STARTING_PRICE + exec.scenario.iterationInTest;
  const bid = JSON.stringify({ auctionId, bidderId: `bidder-${__VU}`, bidAmount });
  const answer = http.post(`${BASE}/bids`, bid, {
    ...JSON_BODY,
    tags: { name: "bid" },
    // A bid that was overtaken on its way is answered with the price, which is no failure.
    responseCallback: http.expectedStatuses(201, 409),
  });
  const verdict = answer.status === 201 ? "leading" : answer.status === 409 && answer.json("code");
  check(verdict, { "leading or too low": (v) => v === "leading" || v === "bid_too_low" });
  if (verdict === "leading") leading.add(1);
  if (verdict === "bid_too_low") tooLow.add(1);
}

export function teardown({ auctionId }) {
  const auction = http.get(`${BASE}/auctions/${auctionId}`).json();
  // Newest first; refused bids may be among them.
  const newest = http.get(`${BASE}/bids/${auctionId}`).json("bids");
  const taken = newest.filter((bid) => bid.status !== "too_low").map((bid) => bid.bidAmount);
  check(auction, {
    "the price is that of the highest bid": (a) => a.currentHighestBid === Math.max(...taken),
    "the auction is open": (a) => a.status === "open",
  });
}
