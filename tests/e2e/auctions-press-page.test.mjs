// What a press on "Bid" may become, and what it must not: a second bid by accident, a fright, a
// bid that nobody presses for any more. And what the page says while it cannot know.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import {
  addressOf,
  createAuction,
  fillBid,
  placeBid,
  press,
  said,
  standing,
  take,
  windows,
} from "./lib/auctions-page.mjs";
import { byId, launch } from "./lib/browser.mjs";
import { get } from "./lib/http.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

describe("pressing", () => {
  let server;
  let browser;
  const { context, open, openIn, pageTest } = windows(() => server, () => browser);
  before(async () => {
    server = await Server.start({ demo: false });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const amounts = async (auction) => (await get(server, `/auctions/${auction.id}/bids`)).bids.map((bid) => bid.bidAmount);

  /** Pages of this browser then poll, and hear of nothing by an event. */
  const takeEveryStream = async (where) => {
    const page = await where.newPage();
    await page.goto(`${server.url}/docs`);
    await page.evaluate(() => {
      for (let n = 0; n < 4; n += 1) navigator.locks.request(`firstcome.stream.${n}`, () => new Promise(() => {}));
    });
  };

  pageTest("a double press and a held Enter are one bid", async () => {
    for (const betweenMs of [100, 250, 450]) {
      const auction = await createAuction(server, `Twice ${betweenMs}`);
      const page = await open(addressOf(auction));
      await fillBid(page, { bidder: "ada" });
      const button = byId(page, "bid-button");
      await button.scrollIntoViewIfNeeded();
      const box = await button.boundingBox();
      await page.mouse.move(box.x + 40, box.y + 10);
      for (const clickCount of [1, 2]) {
        await page.mouse.down({ clickCount });
        await page.mouse.up({ clickCount });
        if (clickCount === 1) await delay(betweenMs);
      }
      await standing(page, "leading");
      assert.match(await said(page, "good"), /was taken/);
      assert.equal(await byId(page, "confirm-dialog").count(), 0, "nothing is asked either");
      assert.deepEqual(await amounts(auction), [1_000], `${betweenMs} ms apart`);
    }
    const auction = await createAuction(server, "Held");
    const page = await open(addressOf(auction));
    await fillBid(page, { bidder: "ada" });
    await byId(page, "bid-bidder").focus();
    for (let n = 0; n < 40; n += 1) {
      await page.keyboard.down("Enter");
      await delay(33);
    }
    await page.keyboard.up("Enter");
    await standing(page, "leading");
    assert.deepEqual(await amounts(auction), [1_000]);
  });

  pageTest("who leads is asked before an amount that nobody typed goes over the own bid", async () => {
    const auction = await createAuction(server, "Own");
    const page = await open(addressOf(auction));
    await placeBid(page, { bidder: "ada" });
    await standing(page, "leading");
    await press(page);
    await page.getByText("Bid over your own bid?").waitFor();
    await byId(page, "confirm-no").click();
    assert.deepEqual(await amounts(auction), [1_000]);
    await press(page);
    await byId(page, "confirm-yes").click();
    await until("it is bid", async () => (await amounts(auction)).length === 2);
    // What was typed for it needs no question.
    await placeBid(page, { amount: 1_500 });
    await until("it is bid", async () => (await amounts(auction)).length === 3);
    assert.deepEqual(await amounts(auction), [1_500, 1_100, 1_000]);
  });

  pageTest("whoever wins is not told that they were outbid, in whichever order it is heard", async () => {
    const dutch = { step: 100, everyMs: 60_000, floor: 500 };
    for (const [what, fields, end] of [
      ["Bid", {}, "leading"],
      ["Dutch", { format: "dutch", startingPrice: 9_000, dutch }, "won"],
      ["Bought", { buyNowPrice: 9_000 }, "won"],
    ]) {
      for (const slow of ["the answer", "the auction"]) {
        const auction = await createAuction(server, `${what} ${slow}`, fields);
        const where = await context();
        if (slow === "the auction") await takeEveryStream(where);
        const page = await openIn(where, addressOf(auction));
        await page.evaluate(() => {
          window.stood = [];
          const panel = document.querySelector('[data-testid="standing"]');
          new MutationObserver(() => window.stood.push(panel.dataset.standing)).observe(panel, { attributes: true });
        });
        // One of the two is late: the answer to the press, or what it made of the auction.
        const late = slow === "the answer" ? /\/(bids|buy-now)$/ : new RegExp(`/auctions/${auction.id}$`);
        await page.route(late, async (route) => {
          const response = await route.fetch();
          await delay(500);
          await route.fulfill({ response }).catch(() => {});
        });
        await fillBid(page, { bidder: "ada" });
        if (what === "Bought") {
          await byId(page, "buy-now-button").click();
          await byId(page, "confirm-yes").click();
        } else {
          await press(page);
        }
        await said(page, "good");
        await standing(page, end);
        const stood = await page.evaluate(() => window.stood);
        assert.ok(!stood.some((kind) => ["outbid", "sold", "lost"].includes(kind)), `${what}, late ${slow}: ${stood}`);
      }
    }
  });
});
