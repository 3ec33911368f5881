// The parts of the auction pages that need no browser: what may be bid, where one
// stands, what a device that slept does to a clock. Needs no server either.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Problem } from "../../crates/server/web/api.js";
import { Listing } from "../../crates/server/web/auction-listing.js";
import { describe as describeStanding } from "../../crates/server/web/auction-standing.js";
import {
  fallenTo,
  incrementAt,
  leastBid,
  nextFall,
  ownStanding,
  phase,
  received,
  retractableUntil,
  scheduledPrice,
  standingKind,
} from "../../crates/server/web/auction-state.js";
import { priceWords, refusalText, timeText } from "../../crates/server/web/auction-words.js";
import { ServerClock } from "../../crates/server/web/clock.js";
import { amount, currencySign, duration, timeLeft } from "../../crates/server/web/format.js";
import { useLanguage } from "../../crates/server/web/i18n.js";
import { SleepWatch } from "../../crates/server/web/wake.js";

const START = 1_800_000_000_000;
const iso = (ms) => new Date(ms).toISOString();

const auctionOf = (changes = {}) =>
  received({
    id: "auc_1",
    product: "Jar",
    status: "open",
    format: "english",
    currency: "KRW",
    lots: 1,
    startingPrice: 1000,
    currentPrice: 1000,
    increment: 100,
    bidCount: 0,
    reserveMet: null,
    buyNowPrice: null,
    startTime: iso(START),
    endTime: iso(START + 60_000),
    extensions: 0,
    retraction: { withinMs: 10_000, beforeEndMs: 20_000 },
    lastEvent: 10,
    ...changes,
  });

const bidOf = (changes) => ({ bidderName: "a", amount: 1000, timestamp: iso(START), status: "leading", ...changes });

describe("what may be bid", () => {
  const now = START + 1;

  test("the step of a price", () => {
    const bands = [{ from: 0, step: 1 }, { from: 100, step: 5 }];
    for (const [price, step] of [[0, 1], [99, 1], [100, 5], [5000, 5]]) assert.equal(incrementAt(bands, price), step);
    assert.equal(incrementAt(7, 5000), 7);
  });

  test("the least valid bid, for anybody and for who leads", () => {
    const led = auctionOf({ leaders: ["a"], currentPrice: 2000 });
    const own = ownStanding(led, [bidOf({ amount: 2500 })]);
    for (const [auction, mine, expected] of [
      [auctionOf(), null, 1000],
      [led, null, 2100],
      [led, own, 2600],
      [auctionOf({ lots: 2, leaders: ["a"] }), null, 1000],
      [auctionOf({ lots: 2, leaders: ["a", "b"] }), null, 1100],
      [auctionOf({ format: "sealed-first", currentPrice: null }), null, 1000],
      [auctionOf({ format: "sealed-first", currentPrice: null }), own, 2501],
    ]) {
      assert.equal(leastBid(auction, mine, now), expected);
    }
  });

  test("a dutch price falls by its schedule down to its floor", () => {
    const dutch = auctionOf({ format: "dutch", dutch: { step: 300, everyMs: 1000, floor: 500 } });
    for (const [after, price, next] of [
      [-5, 1000, 1000],
      [0, 1000, 1000],
      [999, 1000, 1000],
      [1000, 700, 2000],
      [2000, 500, null],
      [9_000_000, 500, null],
    ]) {
      assert.equal(scheduledPrice(dutch, START + after), price, String(after));
      assert.equal(nextFall(dutch, START + after), next === null ? null : START + next, String(after));
    }
    assert.equal(fallenTo(dutch, 1000), START);
    assert.equal(fallenTo(dutch, 700), START + 1000);
    assert.equal(fallenTo(dutch, 500), START + 2000);
  });

  test("until when a bid may be taken back", () => {
    const auction = auctionOf();
    assert.equal(retractableUntil(auction, bidOf()), START + 10_000);
    assert.equal(retractableUntil(auction, bidOf({ timestamp: iso(START + 35_000) })), START + 40_000);
    assert.equal(retractableUntil(auctionOf({ retraction: null }), bidOf()), null);
    assert.equal(retractableUntil(auction, bidOf({ status: "retracted" })), null);
    assert.equal(retractableUntil(auctionOf({ status: "closed" }), bidOf()), null);
  });
});

describe("where one stands", () => {
  const stand = (changes, bids, after = 1) => {
    const auction = auctionOf(changes);
    return standingKind(auction, ownStanding(auction, bids), START + after);
  };
  const mine = [bidOf()];
  const award = (status, more) => ({ status: "closed", winners: [{ bidder: "a", price: 1000, status, ...more }] });
  const TABLE = [
    [{ status: "scheduled" }, [], "scheduled", -1],
    [{ status: "scheduled" }, [], "watching", 1],
    [{}, mine, "outbid"],
    [{ leaders: ["a"] }, mine, "leading"],
    [{ leaders: ["a"] }, [bidOf({ status: "retracted" })], "watching"],
    [{ format: "sealed-first" }, mine, "in"],
    [{}, mine, "deciding", 60_000],
    [award("won"), mine, "won"],
    [award("settled"), mine, "paid"],
    [award("forfeited"), mine, "forfeited"],
    [award("offered", { until: iso(START + 5) }), mine, "offered"],
    [award("offered", { until: iso(START) }), mine, "expired"],
    [award("expired", { until: iso(START) }), mine, "expired"],
    [award("declined"), mine, "lost"],
    [award("won"), [bidOf({ bidderName: "b" })], "lost"],
    [award("won"), [], "sold"],
    [{ status: "unsold", unsoldReason: "no_bids" }, [], "unsold"],
    [{ status: "cancelled" }, mine, "void"],
    [{ status: "cancelled" }, [], "cancelled"],
  ];

  test("its kind", () => {
    for (const [changes, bids, kind, after] of TABLE) assert.equal(stand(changes, bids, after), kind, JSON.stringify(changes));
  });

  test("an answer that is ahead of the auction is believed, and one that is behind it is not", () => {
    const ASKED = 100;
    const stands = (changes, more, bid, after = 1, asking = false) => {
      const auction = received(auctionOf(changes), { askedAt: ASKED, newestNo: 0, ...more });
      return standingKind(auction, ownStanding(auction, bid === null ? [] : [bidOf(bid)]), START + after, asking);
    };
    const answered = { no: 4, answeredAt: ASKED + 1 };
    const others = { leaders: ["b"], bidCount: 3 };
    const over = { status: "closed", bidCount: 4, winners: [{ bidder: "a", price: 1000, status: "won" }] };
    const dutch = { format: "dutch", dutch: { step: 300, everyMs: 1000, floor: 500 } };
    for (const [what, expected, ...known] of [
      ["the answer first", "leading", others, {}, { ...answered, status: "leading" }],
      ["taken, and somebody's maximum is not below it", "outbid", others, {}, { ...answered, status: "outbid" }],
      ["the auction counts as many", "outbid", { ...others, bidCount: 4 }, {}, { ...answered, status: "leading" }],
      ["a later bid was heard", "outbid", others, { newestNo: 5 }, { ...answered, status: "leading" }],
      ["asked for after the answer", "outbid", others, { askedAt: ASKED + 1 }, { ...answered, status: "leading" }],
      ["a bid from before the page", "outbid", others, {}, { no: 4, status: "leading" }],
      ["the auction first", "watching", { leaders: ["a"], bidCount: 4 }, {}, null, 1, true],
      ["then the answer", "leading", { leaders: ["a"], bidCount: 4 }, {}, { ...answered, status: "leading" }],
      ["bought, the answer first", "won", others, {}, { ...answered, status: "winning" }],
      ["a falling price, the answer first", "won", dutch, {}, { no: 1, answeredAt: ASKED + 1, status: "winning" }],
      ["a falling price never outbids", "watching", dutch, {}, { no: 1, status: "winning" }],
      ["bought, the auction first", "answering", over, {}, null, 1, true],
      ["then the answer", "won", over, {}, { ...answered, status: "winning" }],
    ]) {
      assert.equal(stands(...known), expected, what);
    }
  });

  test("every kind is said in both languages", () => {
    for (const language of ["en", "ko"]) {
      useLanguage(language);
      for (const [changes, bids, kind, after = 1] of TABLE) {
        const auction = auctionOf(changes);
        const view = describeStanding(auction, ownStanding(auction, bids), START + after);
        assert.equal(view.kind, kind);
        assert.doesNotMatch(`${view.title} ${view.text}`, /undefined|[{}]|standing\.|auction\./);
        assert.notEqual(view.title, "");
        assert.notEqual(view.text, "");
      }
      const answering = describeStanding(auctionOf({ status: "closed" }), null, START, true);
      assert.doesNotMatch(`${answering.title} ${answering.text}`, /standing\./);
    }
    useLanguage("en");
  });

  test("time decides what it is, because who opens and closes may be late", () => {
    assert.equal(phase(auctionOf({ status: "scheduled" }), START - 1), "scheduled");
    assert.equal(phase(auctionOf({ status: "scheduled" }), START), "open");
    assert.equal(phase(auctionOf(), START + 60_000), "ending");
    assert.equal(phase(auctionOf({ status: "unsold" }), START), "over");
  });
});

describe("words", () => {
  test("prices and clocks", () => {
    useLanguage("en");
    const say = (changes, after = 1) => priceWords(auctionOf(changes), START + after);
    assert.deepEqual(say({}), { label: "Starting price", text: "₩1,000" });
    assert.deepEqual(say({ bidCount: 2, currentPrice: 1500 }), { label: "Current price", text: "₩1,500" });
    assert.deepEqual(say({ format: "sealed-first", bidCount: 2, currentPrice: null }), { label: "Starting price", text: "₩1,000" });
    assert.deepEqual(say({ status: "closed", bidCount: 2, currentPrice: 1500 }), { label: "Sold for", text: "₩1,500" });
    assert.deepEqual(say({ format: "sealed-first", status: "unsold", currentPrice: null }), { label: "Last price", text: "–" });
    assert.equal(timeText(auctionOf(), START), "01:00 left");
    assert.equal(timeText(auctionOf({ status: "scheduled" }), START - 5_000), "Opens in 00:05");
  });

  test("a refusal says why, the price and the least valid bid", () => {
    const say = (code, more, changes) => refusalText(new Problem(409, { code, detail: "raw", ...more }), auctionOf(changes), START);
    assert.equal(
      say("bid_too_low", { currentPrice: 5000, leastValidBid: 5100 }),
      "Your bid was too low. The price is now ₩5,000. The least valid bid is ₩5,100.",
    );
    assert.equal(say("bid_too_low", { currentPrice: null, leastValidBid: 1000 }, { format: "sealed-first" }), "Your bid was too low. The least valid bid is ₩1,000.");
    assert.equal(say("auction_closed", { currentPrice: 5000 }), "Your bid came after the end.");
    assert.match(say("auction_not_open", {}), /^Bidding opens on \w/);
    assert.equal(say("brand_new", {}), "raw");
  });

  test("what is left, and how long a rule is", () => {
    for (const [ms, text] of [[1, "00:01"], [3_599_000, "59:59"], [172_799_000, "47:59:59"], [172_800_000, "2 days 0 hr"], [400 * 86_400_000, "400 days 0 hr"]]) {
      assert.equal(timeLeft(ms, "en"), text);
    }
    assert.equal(timeLeft(2 * 86_400_000 + 5 * 3_600_000, "ko"), "2일 5시간");
    for (const [ms, text] of [[90_000, "90 seconds"], [120_000, "2 minutes"], [3_600_000, "1 hour"], [5_400_000, "90 minutes"], [1_500, "1.5 seconds"]]) {
      assert.equal(duration(ms, "en"), text);
    }
  });

  test("an amount in a field has its currency beside it", () => {
    assert.equal(amount(12_100, "KRW", "en"), "12,100");
    assert.equal(amount(1_234_50, "EUR", "ko"), "1,234.50");
    assert.equal(currencySign("KRW", "ko"), "₩");
    assert.equal(currencySign("nonsense", "en"), "nonsense");
  });
});

describe("a device that slept", () => {
  const clocks = () => {
    const at = { local: 1000, wall: 5_000_000 };
    return { at, sleep: new SleepWatch(() => at.local, () => at.wall), pass: (local, wall = local) => ((at.local += local), (at.wall += wall)) };
  };

  test("is told from one that did not", () => {
    for (const [local, wall, punctual, expected] of [
      [1000, 1000, true, null],
      [1000, 2900, true, null],
      [1000, 601_000, true, 600_000],
      [600_000, 600_000, true, 0],
      [600_000, 600_000, false, null],
      [1000, -600_000, true, 0],
      [1000, 601_000, false, 600_000],
    ]) {
      const { sleep, pass } = clocks();
      pass(local, wall);
      assert.equal(sleep.look(punctual), expected, `${local} ${wall} ${punctual}`);
      pass(1000);
      assert.equal(sleep.look(), null, "it is told once");
    }
  });

  test("moves the server's clock on, until an answer decides", () => {
    let local = 0;
    const clock = new ServerClock(() => local, () => 0);
    const ask = (server) => clock.observeDate(new Date(Math.floor(server / 1000) * 1000).toUTCString(), local, local);
    ask(START);
    clock.slept(600_000);
    assert.ok(Math.abs(clock.now() - (START + 600_000)) <= 1000);
    local += 50;
    ask(START + 50);
    assert.ok(Math.abs(clock.now() - (START + 50)) <= 1000, "it was no sleep");
  });
});

describe("the list", () => {
  const one = (n, status) => ({ id: `auc_${String(n).padStart(3, "0")}`, status });
  /** A server with these auctions, two a page. */
  const listing = (all, ...statuses) =>
    new Listing(statuses, {
      async fetchPage(status, after) {
        const found = all
          .filter((auction) => auction.status === status && (after === undefined || auction.id < after))
          .sort((a, b) => (a.id < b.id ? 1 : -1));
        return { auctions: found.slice(0, 2), next: found.length > 2 ? found[1].id : undefined };
      },
      fetchOne: async (id) => all.find((auction) => auction.id === id),
    });
  const ids = (list) => list.auctions.map(({ id }) => Number(id.slice(4)));

  test("of several statuses is one, newest first, without a gap", async () => {
    const all = [1, 2, 3, 8, 9].map((n) => one(n, "closed")).concat([4, 5, 6, 7].map((n) => one(n, "unsold")));
    const list = listing(all, "closed", "unsold");
    await list.refresh(new Set());
    assert.deepEqual(ids(list), [9, 8]);
    const seen = [];
    while (list.hasMore) {
      await list.more();
      seen.push(ids(list).join(" "));
      assert.ok(seen.length < 9);
    }
    assert.deepEqual(ids(list), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
    for (const [n, text] of seen.entries()) if (n > 0) assert.ok(text.startsWith(seen[n - 1]), "what was shown stays");
  });

  test("keeps what left its status, as it is now", async () => {
    const all = [one(1, "open"), one(2, "open")];
    const list = listing(all, "open");
    await list.refresh(new Set());
    all[0] = one(1, "closed");
    await list.refresh(new Set(["auc_001", "auc_002"]));
    assert.deepEqual(list.auctions.map(({ id, status }) => `${id} ${status}`), ["auc_002 open", "auc_001 closed"]);
  });
});
