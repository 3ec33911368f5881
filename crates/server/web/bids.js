// The bids of this browser: attempts that have no answer yet and bids that were taken. What
// always holds: an attempt is stored before it is sent and forgotten only when its answer is
// known, so whatever breaks in between, a repetition carries the same key and the server makes
// one bid of it. A bid's id is known here and to the server only; it is what proves "mine".

import { paths, request } from "./api.js";
import { backoffMs, pause } from "./live.js";
import { all, erase, newKey, read, write } from "./storage.js";

const ATTEMPT = "firstcome.bid-attempt.";
const BID = "firstcome.bid.";
const BIDDER = "firstcome.bidder";
const BIDS_MAX = 300;
const ATTEMPT_TIMEOUT_MS = 20_000;
// The server keeps a key for 24 hours. An hour before that, a repetition could already be a
// second bid, so the attempt is only shown.
const ATTEMPT_KEPT_MS = 23 * 3_600_000;
// Up to here somebody who reloads surely still wants what they pressed for, unless they stopped it.
const ATTEMPT_FRESH_MS = 10 * 60_000;

export const bidder = {
  get: () => read(BIDDER) ?? "",
  set: (value) => write(BIDDER, value),
};

/** `wanted` is `{auctionId, bidderId, amount, maximum?}`, with `buyNow: true` to take the lot. */
export function newAttempt(wanted) {
  const attempt = { ...wanted, key: newKey(), at: Date.now() };
  write(ATTEMPT + attempt.key, JSON.stringify(attempt));
  return attempt;
}

export function attemptsIn(auctionId) {
  return all(ATTEMPT)
    .filter((attempt) => attempt.auctionId === auctionId)
    .sort((a, b) => b.at - a.at);
}

/** Whether somebody stopped it: then only a press sends it again, however fresh it is. */
export function markStopped(attempt, stopped) {
  const marked = { ...attempt, stopped };
  write(ATTEMPT + attempt.key, JSON.stringify(marked));
  return marked;
}

export const forgetAttempt = (attempt) => erase(ATTEMPT + attempt.key);
export const isFresh = (attempt) => !attempt.stopped && Date.now() - attempt.at < ATTEMPT_FRESH_MS;
export const isRepeatable = (attempt) => Date.now() - attempt.at < ATTEMPT_KEPT_MS;

/** This browser's bids, of one auction or of all, newest first. */
export function ownBids(auctionId) {
  return all(BID)
    .filter((bid) => auctionId === undefined || bid.auctionId === auctionId)
    .sort((a, b) => (a.timestamp < b.timestamp ? 1 : -1));
}

/** Stores what the server said about a bid, on top of what was known. */
export function rememberBid({ id, auctionId, bidderId, bidderName, bidAmount, maximum, no, timestamp, status, ...more }) {
  const known = read(BID + id);
  const { currentHighestBid: price, answeredAt } = more;
  const said = { id, auctionId, bidderId, bidderName, amount: bidAmount, maximum, no, timestamp, status, price, answeredAt };
  const given = Object.entries(said).filter(([, value]) => value !== undefined && value !== null);
  const kept = { ...(known ? JSON.parse(known) : {}), ...Object.fromEntries(given) };
  write(BID + id, JSON.stringify(kept));
  if (!known) for (const old of ownBids().slice(BIDS_MAX)) erase(BID + old.id);
  return kept;
}

/**
 * The id of a bid that an e-mail's link carries behind the `#`, taken in as this browser's own and
 * out of the address; it stays there while the server cannot say what it is.
 */
export async function takeInBid(auctionId) {
  const [, id] = /^#bid=(bid_\w+)$/.exec(location.hash) ?? [];
  if (id === undefined) return;
  try {
    const bid = await request("GET", paths.bid(id));
    if (bid.auctionId === auctionId && bid.no !== undefined) rememberBid(bid);
  } catch (problem) {
    if (problem.undecided) throw problem;
  }
  history.replaceState(history.state, "", location.pathname + location.search);
}

export const forgetBid = (bid) => erase(BID + bid.id);

/**
 * Sends an attempt until its answer is known. Resolves to the bid, throws the problem that
 * decided it, and resolves to null when `signal` stopped it undecided: the attempt then stays
 * stored, because the server may have taken the bid.
 */
export async function placeBid(attempt, { onWaiting, signal }) {
  const { path, body } = requestOf(attempt);
  for (let n = 1; !signal.aborted; n += 1) {
    try {
      const headers = { "idempotency-key": attempt.key };
      const bid = await request("POST", path, { headers, body, timeoutMs: ATTEMPT_TIMEOUT_MS, signal });
      const kept = rememberBid({ ...bid, answeredAt: Date.now() });
      forgetAttempt(attempt);
      return kept;
    } catch (problem) {
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

function requestOf({ auctionId, bidderId, amount, maximum, buyNow }) {
  if (buyNow) return { path: paths.buyNow(auctionId), body: { bidderId } };
  return { path: "/bids", body: { auctionId, bidderId, bidAmount: amount, maximum } };
}

export const fetchBid = async (bid) => rememberBid(await request("GET", paths.bid(bid.id)));
/** Takes a bid back; the answer is the bid. */
export async function retractBid(bid) {
  await request("DELETE", paths.bid(bid.id));
  return rememberBid({ ...bid, status: "retracted" });
}
