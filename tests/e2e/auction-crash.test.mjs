// 300 bidders, 30,000 bids on one auction, half of them deferred, with the server killed in the
// middle again and again.
//
// Clients do what good clients do: they send the same Idempotency-Key until they have an answer.
// In the end there is one winner, the same as that of a model which goes through the admitted
// bids in the log's order and knows nothing else; every bid has one verdict; store and
// certificate prove it, and a certificate with one byte changed does not.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { get, request } from "./lib/http.mjs";
import { Server } from "./lib/server.mjs";
import { inParallel, random, until } from "./lib/wait.mjs";

const BIDDERS = 300;
const BIDS_PER_BIDDER = 100;
const BIDS = BIDDERS * BIDS_PER_BIDDER;
const START = 1_000;
const INCREMENT = 5;
/** The end moves while people bid, so that it comes shortly after the last of them. */
const ENDS_AFTER_MS = 8_000;
const WINDOW_MS = 5_000;
const HARD_END_MS = 240_000;
const RETRY_MS = 20;
const ANSWER_LIMIT_MS = 120_000;
/** Answers between two kills. */
const ANSWERS_BETWEEN_KILLS = [2_000, 6_000];
/** Forged bytes of one certificate: each is a run of the program. */
const FORGERIES = 12;

const SEED = Number(process.env.CRASH_SEED ?? 20261121);

describe("an auction", () => {
  test("without a crash", () => hold({ kills: false, seed: SEED }));
  test(`killed again and again (CRASH_SEED=${SEED})`, () => hold({ kills: true, seed: SEED }));
});

async function hold({ kills, seed }) {
  const server = await Server.start({ demo: false });
  const auction = await createAuction(server);
  const books = new Books();
  const killer = kills ? killAgainAndAgain(server, books, seed) : Promise.resolve(0);
  const next = random(seed + 1);
  const began = Date.now();
  const bidders = Array.from({ length: BIDDERS }, (_, bidder) => bidder);
  await Promise.all(bidders.map((bidder) => bid(server, auction.id, bidder, books, next)));
  const seconds = (Date.now() - began) / 1_000;
  books.closed = true;
  const killed = await killer;
  if (kills) assert.ok(killed >= 3, `only ${killed} kills`);
  const closed = await until(
    "the auction is closed",
    async () => {
      const seen = await get(server, `/auctions/${auction.id}`);
      return seen.status === "closed" ? seen : undefined;
    },
    HARD_END_MS,
  );
  const counts = await checkVerdicts(server, books, closed);
  const answer = await request("GET", `${server.url}/auctions/${auction.id}/certificate`);
  assert.equal(answer.status, 200);
  const log = JSON.parse(answer.text);
  assert.equal(log.final, true);
  checkLog(log.entries, books, closed);
  await checkProof(server, answer.text, next);
  const audit = await server.stop();
  assert.match(audit, /, 1 auctions, 1 of them closed, 30000 bids\n/, "the audit has replayed it");
  const rate = Math.round(BIDS / seconds);
  console.log(
    `${BIDS} bids in ${seconds.toFixed(1)} s (${rate}/s), ${JSON.stringify(counts)}, ` +
      `killed ${killed} times, ${books.retries} retries, ${closed.extensions} extensions, ` +
      `certificate of ${answer.text.length} bytes`,
  );
}

async function createAuction(server) {
  const now = Date.now();
  const answer = await request("POST", `${server.url}/auctions`, {
    body: {
      product: "Guitar",
      startingPrice: START,
      currency: "EUR",
      increment: INCREMENT,
      reservePrice: START * 2,
      endTime: new Date(now + ENDS_AFTER_MS).toISOString(),
      softClose: {
        windowMs: WINDOW_MS,
        extendMs: WINDOW_MS,
        hardEnd: new Date(now + HARD_END_MS).toISOString(),
      },
    },
  });
  assert.equal(answer.status, 201, answer.text);
  return answer.json;
}

/** What the clients were told: one answer for each key, however often they asked. */
class Books {
  answers = new Map();
  retries = 0;
  closed = false;
  /** The newest price that anybody was told: bids go a little over it. */
  price = START;

  add(key, given) {
    const before = this.answers.get(key);
    if (before) assert.deepEqual(given, before, `${key} has two answers`);
    this.answers.set(key, given);
  }
}

async function bid(server, auction, bidder, books, next) {
  for (let n = 0; n < BIDS_PER_BIDDER; n += 1) {
    const key = `bidder-${bidder}-bid-${n}`;
    const amount = books.price + Math.floor(next() * 200) * INCREMENT;
    const body = { auctionId: auction, bidderId: `b${bidder}@example.com`, bidAmount: amount };
    if (next() < 0.3) body.maximum = amount + Math.floor(next() * 20) * INCREMENT;
    const deferred = n % 2 === 1;
    books.add(key, await answerTo(server, key, body, deferred, books));
    // Some ask again although they know.
    if (next() < 0.05) books.add(key, await answerTo(server, key, body, deferred, books));
  }
}

/** Asks with the same key until there is an answer. */
async function answerTo(server, key, body, deferred, books) {
  const url = server.url + (deferred ? "/bid" : "/bids");
  const headers = { "idempotency-key": key };
  const end = Date.now() + ANSWER_LIMIT_MS;
  while (Date.now() < end) {
    const answer = await request("POST", url, { body, headers }).catch(() => undefined);
    if (answer?.status === 201) {
      books.price = Math.max(books.price, answer.json.currentHighestBid);
      return { id: answer.json.id, said: "taken", body };
    }
    if (answer?.status === 202) return { id: answer.json.id, said: "pending", body };
    if (answer?.status === 409 && answer.json.code === "bid_too_low") {
      books.price = Math.max(books.price, answer.json.leastValidBid);
      return { id: answer.json.bid.id, said: "too_low", body };
    }
    const mayRetry = answer === undefined || answer.status === 503;
    assert.ok(mayRetry, `${key}: ${answer?.status} ${answer?.text}`);
    books.retries += 1;
    await delay(RETRY_MS);
  }
  throw new Error(`${key}: no answer within ${ANSWER_LIMIT_MS} ms`);
}

/** Kills and restarts the server at moments that the seed decides; answers how often. */
async function killAgainAndAgain(server, books, seed) {
  const next = random(seed);
  const [least, most] = ANSWERS_BETWEEN_KILLS;
  let killed = 0;
  while (!books.closed) {
    const target = books.answers.size + least + Math.floor(next() * (most - least));
    if (target >= BIDS) break;
    await until("the next kill", () => books.closed || books.answers.size >= target, 240_000);
    if (books.closed) break;
    await server.kill();
    killed += 1;
    await server.restart();
  }
  return killed;
}

/** Every bid has one verdict, and it is the one that was answered. */
async function checkVerdicts(server, books, closed) {
  assert.equal(books.answers.size, BIDS);
  const ids = new Set([...books.answers.values()].map((answer) => answer.id));
  assert.equal(ids.size, BIDS, "an id was given twice");
  const counts = {};
  const winners = new Set();
  const verdicts = { taken: ["winning", "lost"], too_low: ["too_low"], pending: ["winning", "lost", "too_low"] };
  await inParallel(64, [...books.answers.values()], async (answer) => {
    const seen = await get(server, `/bids/by-id/${answer.id}`);
    assert.ok(verdicts[answer.said].includes(seen.status), `${answer.said}, then ${seen.status}`);
    assert.equal(seen.bidAmount, answer.body.bidAmount);
    counts[seen.status] = (counts[seen.status] ?? 0) + 1;
    if (seen.status === "winning") winners.add(seen.bidderName);
  });
  // Whoever leads by a maximum may bid below it: those bids win with it.
  assert.deepEqual([...winners], closed.winners.map((won) => won.bidder), "one bidder wins");
  assert.ok(counts.lost > BIDS / 50, "hardly a bid was taken");
  return counts;
}

/**
 * The model: the highest maximum leads, a tie goes to the earlier; whoever is bid over moves the
 * price to the second maximum plus one increment, never above the first; a bid without a maximum
 * moves it to its amount.
 */
function checkLog(entries, books, closed) {
  const best = new Map();
  let price = START;
  let reserve = 0;
  let verdicts = 0;
  let no = 0;
  const placed = new Set();
  const admitted = [];
  for (const entry of entries) {
    const data = JSON.parse(entry.data);
    const sealed = entry.sealed ? JSON.parse(entry.sealed) : {};
    if (entry.kind === "auction.created") reserve = sealed.reservePrice;
    if (entry.kind === "bid.placed") placed.add(entry.seq);
    if (entry.kind !== "bid.accepted" && entry.kind !== "bid.refused") continue;
    verdicts += 1;
    if (data.placed) assert.ok(placed.delete(data.placed), `${data.placed} was decided twice`);
    admitted.push(sealed.admittedAt);
    const leader = first(best);
    const own = leader?.bidder === sealed.bidder ? leader : undefined;
    const raise = own && sealed.amount >= START && sealed.amount <= Math.max(price, own.amount) && sealed.maximum > own.maximum;
    const least = own ? Math.max(price, own.amount) + INCREMENT : leader ? price + INCREMENT : START;
    const valid = raise || sealed.amount >= least;
    assert.equal(entry.kind === "bid.accepted", Boolean(valid), `entry ${entry.seq}`);
    if (!valid) continue;
    no += 1;
    assert.equal(data.no, no);
    const known = best.get(sealed.bidder) ?? { amount: 0, maximum: -1 };
    best.set(sealed.bidder, {
      bidder: sealed.bidder,
      amount: Math.max(known.amount, sealed.amount),
      maximum: Math.max(known.maximum, sealed.maximum),
      no: sealed.maximum > known.maximum ? no : known.no,
    });
    const now = first(best);
    price = Math.max(price, now.amount);
    if (!own) {
      const second = Math.max(0, ...[...best.values()].filter((one) => one !== now).map((one) => one.maximum));
      if (second > 0) price = Math.max(price, Math.min(second + INCREMENT, now.maximum));
    }
    if (now.maximum >= reserve) price = Math.max(price, reserve);
    assert.equal(data.price, price, `entry ${entry.seq}`);
  }
  assert.equal(placed.size, 0, "a deferred bid has no verdict");
  assert.equal(verdicts, BIDS, "every bid has one verdict");
  assert.deepEqual(admitted, [...admitted].sort((a, b) => a - b), "bids are decided as they were admitted");
  const winner = first(best);
  assert.deepEqual(
    closed.winners.map((won) => ({ bidder: won.bidder, price: won.price })),
    [{ bidder: winner.bidder, price }],
  );
}

function first(best) {
  let leader;
  for (const one of best.values()) {
    const ahead = !leader || one.maximum > leader.maximum || (one.maximum === leader.maximum && one.no < leader.no);
    if (ahead) leader = one;
  }
  return leader;
}

async function checkProof(server, certificate, next) {
  const proof = await server.verify(certificate);
  assert.equal(proof.code, 0, proof.text);
  // One of them is a digit of the newest entry's number, which is in no hash yet.
  const places = [certificate.lastIndexOf('{"seq":') + '{"seq":'.length];
  while (places.length < FORGERIES) places.push(Math.floor(next() * certificate.length));
  for (const at of places) {
    const bytes = Buffer.from(certificate, "utf8");
    bytes[at] ^= 1;
    const forged = await server.verify(bytes);
    assert.equal(forged.code, 1, `byte ${at} was changed and nobody noticed: ${forged.text}`);
  }
}
