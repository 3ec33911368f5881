// What a press on "Bid" may become, and what it must not: a second bid by accident, a fright, a
// bid that nobody presses for any more. And what the page says while it cannot know.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import {
  addressOf,
  createAuction,
  fillBid,
  inMs,
  placeBid,
  press,
  said,
  says,
  standing,
  take,
  windows,
} from "./lib/auctions-page.mjs";
import { byId, connected, launch } from "./lib/browser.mjs";
import { get, request } from "./lib/http.mjs";
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

  const focusedId = (page) => page.evaluate(() => document.activeElement.id);
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

  pageTest("an attempt that was stopped is sent by a press only, and is one bid then", async () => {
    const auction = await createAuction(server, "Stopped");
    const where = await context();
    let page = await openIn(where, addressOf(auction));
    page.networkMayFail = true;
    const keys = [];
    const unreachable = async (route) => {
      keys.push(route.request().headers()["idempotency-key"]);
      await route.abort("connectionrefused");
    };
    await page.route("**/bids", unreachable);
    await placeBid(page, { bidder: "ada", amount: 7_000 });
    await byId(page, "bid-stop").click();
    await says(page, "bid-said", /We do not know whether it arrived/);
    const sent = keys.length;
    await page.unroute("**/bids");
    for (const again of ["reloaded", "opened anew"]) {
      if (again === "reloaded") await page.reload();
      else page = await openIn(where, addressOf(auction));
      await connected(page);
      await says(page, "bid-said", /You bid ₩7,000.*may still have been made/);
      assert.equal((await amounts(auction)).length, 0, again);
    }
    page.networkMayFail = true;
    const sentAgain = page.waitForRequest((one) => one.method() === "POST" && one.url().endsWith("/bids"));
    await byId(page, "bid-again").click();
    assert.equal((await sentAgain).headers()["idempotency-key"], keys[0]);
    await standing(page, "leading");
    assert.ok(sent >= 1);
    assert.deepEqual(await amounts(auction), [7_000]);

    // Left alone, it is forgotten.
    await page.route("**/bids", unreachable);
    await placeBid(page, { amount: 8_000 });
    await byId(page, "bid-stop").click();
    await byId(page, "bid-forget").click();
    await page.unroute("**/bids");
    await page.reload();
    await standing(page, "leading");
    assert.equal(await byId(page, "bid-said").getAttribute("data-kind"), "none");
    assert.deepEqual(await amounts(auction), [7_000]);
  });

  pageTest("a second chance counts down and runs out on the page", async () => {
    const offered = async (name, forMs) => {
      const auction = await createAuction(server, name, { endTime: inMs(4_000) });
      const page = await open(addressOf(auction));
      await placeBid(page, { bidder: "ada", amount: 2_000 });
      await take(server, auction, "rich", 5_000);
      await standing(page, "lost");
      const post = (what, body) => request("POST", `${server.url}/auctions/${auction.id}/${what}`, { body });
      assert.equal((await post("forfeit", { bidderId: "rich" })).status, 200);
      assert.equal((await post("second-chance", { until: inMs(forMs) })).status, 200);
      await standing(page, "offered");
      return page;
    };
    const late = await offered("Too late", 3_000);
    await says(late, "own-left", /^00:0\d$/);
    await standing(late, "expired");
    await says(late, "standing", /The offer has run out/);
    assert.equal(await byId(late, "offer-accept").count(), 0);

    // Taken with the keyboard, the focus stays with the news.
    const taken = await offered("In time", 60_000);
    await byId(taken, "offer-accept").focus();
    await taken.keyboard.press("Enter");
    await standing(taken, "won");
    assert.equal(await focusedId(taken), "standing-title");
  });

  pageTest("the focus is not lost by what a press takes away", async () => {
    const auction = await createAuction(server, "Focus", { buyNowPrice: 9_000, retraction: { withinMs: 600_000, beforeEndMs: 0 } });
    const page = await open(addressOf(auction));
    await placeBid(page, { bidder: "ada" });
    await standing(page, "leading");
    await byId(page, "retract").focus();
    await page.keyboard.press("Enter");
    await byId(page, "confirm-yes").focus();
    await page.keyboard.press("Enter");
    await standing(page, "watching");
    assert.equal(await focusedId(page), "own-title");
    assert.equal((await byId(page, "bid-said").innerText()).trim(), "", "no bid was taken any more");

    await byId(page, "buy-now-button").focus();
    await page.keyboard.press("Enter");
    await byId(page, "confirm-yes").focus();
    await page.keyboard.press("Enter");
    await standing(page, "won");
    await until("the panel has it", async () => (await focusedId(page)) === "standing-title");
  });

  pageTest("without the server the panel says from when its word is, and that an auction is gone", async () => {
    const auction = await createAuction(server, "Away");
    const page = await open(addressOf(auction));
    await placeBid(page, { bidder: "ada" });
    await standing(page, "leading");
    page.networkMayFail = true;
    const panel = byId(page, "standing");
    assert.equal(await panel.getAttribute("data-status"), "accepted");
    const top = async () => (await byId(page, "bid-button").boundingBox()).y;
    const before = await top();
    await server.kill();
    await says(page, "standing", /As of \d\d:\d\d:\d\d\. Reconnecting/);
    assert.notEqual(await panel.getAttribute("data-status"), "accepted", "it is not green");
    assert.match(await page.title(), /^Reconnecting/);
    assert.equal(await top(), before, "nothing moved");
    await server.restart();
    await connected(page);
    await until("it is sure again", async () => (await panel.getAttribute("data-status")) === "accepted");
    assert.doesNotMatch(await panel.innerText(), /As of/);

    // A server that does not know the auction any more.
    const unknown = { code: "auction_not_found", status: 404, title: "gone" };
    const gone = (route) => route.fulfill({ status: 404, contentType: "application/problem+json", body: JSON.stringify(unknown) });
    await page.route(`**/auctions/${auction.id}**`, gone);
    await server.kill();
    await server.restart();
    await page.getByRole("heading", { name: "There is no such auction" }).waitFor();
    assert.equal(await panel.isVisible(), false);
    assert.match(await page.title(), /^There is no such auction · Firstcome$/);
  });

  pageTest("what can be no address of an auction has a page that says so", async () => {
    const where = await context();
    const page = await where.newPage();
    for (const address of ["%E0%A4%A", "auc_nope"]) {
      await page.goto(`${server.url}/saleroom/${address}`);
      await page.getByRole("heading", { name: "There is no such auction" }).waitFor();
      assert.equal(await page.title(), "There is no such auction · Firstcome");
    }
  });

  pageTest("a maximum is shown as it is read before it is sent", async () => {
    const auction = await createAuction(server, "Read", { currency: "EUR", startingPrice: 100, increment: 10 });
    const page = await open(addressOf(auction));
    const hint = page.locator("#maximum-hint");
    const before = await hint.boundingBox();
    await fillBid(page, { maximum: "4.50" });
    assert.match(await hint.innerText(), /€4\.50/);
    await fillBid(page, { maximum: "4,50" });
    assert.match(await hint.innerText(), /€4\.50/);
    await fillBid(page, { maximum: "4500" });
    assert.match(await hint.innerText(), /€4,500\.00/);
    assert.equal((await hint.boundingBox()).height, before.height, "nothing moves");
    await fillBid(page, { maximum: "" });
    assert.match(await hint.innerText(), /^Hidden until the end/);
  });

  pageTest("the name of a button contains what is written on it", async () => {
    const auction = await createAuction(server, "Name", { retraction: { withinMs: 600_000, beforeEndMs: 0 } });
    for (const language of ["en", "ko"]) {
      const page = await open(`${addressOf(auction)}?lang=${language}`);
      await placeBid(page, { bidder: `ada-${language}`, amount: language === "en" ? 1_000 : 2_000 });
      await standing(page, "leading");
      const button = byId(page, "retract").first();
      const name = await button.getAttribute("aria-label");
      assert.ok(name.includes(await button.innerText()), name);
    }
  });

  /** Watches what moves by itself, as browsers measure it, from the page's first moment on. */
  const watchShifts = (where) =>
    where.addInitScript(() => {
      window.shifted = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
    });

  pageTest("in a rush the list of bids changes once a second, and its rows stay where they are", async () => {
    const auction = await createAuction(server, "Rush");
    for (let n = 0; n < 25; n += 1) await take(server, auction, `a${n % 5}`, 1_000 + n * 100);
    const where = await context({ reducedMotion: "no-preference" });
    await watchShifts(where);
    const page = await openIn(where, addressOf(auction));
    const rows = byId(page, "bids").locator("li");
    await until("they are listed", async () => (await rows.count()) === 20);
    await page.evaluate(() => {
      window.shifted = 0;
      window.firsts = new Set();
      const list = document.querySelector('[data-testid="bids"]');
      new MutationObserver(() => window.firsts.add(list.querySelector(".bid-no").textContent)).observe(list, {
        childList: true,
        characterData: true,
        subtree: true,
      });
    });
    const began = Date.now();
    let amount = 4_000;
    while (Date.now() < began + 3_000) {
      amount += 100;
      await take(server, auction, `b${amount % 7}`, amount);
      await delay(30);
    }
    const newest = (await get(server, `/auctions/${auction.id}`)).bidCount;
    await until("the newest is there", async () => (await rows.first().locator(".bid-no").innerText()) === String(newest));
    const { firsts, shifted } = await page.evaluate(() => ({ firsts: window.firsts.size, shifted: window.shifted }));
    assert.ok(newest > 45, `${newest} bids`);
    const seconds = Math.ceil((Date.now() - began) / 1_000);
    assert.ok(firsts <= seconds + 1, `${firsts} changes in ${seconds} s`);
    assert.ok(shifted < 0.1, `shifted by ${shifted}`);
  });

  pageTest("the operations page comes up without moving", async () => {
    for (let n = 0; n < 8; n += 1) {
      const body = { sku: `P-${n}`, name: `Product ${n}`, price: 100, currency: "EUR", stock: 5 };
      assert.equal((await request("POST", `${server.url}/products`, { body })).status, 201);
    }
    for (const width of [1280, 390]) {
      const where = await context({ viewport: { width, height: 844 }, reducedMotion: "no-preference" });
      await watchShifts(where);
      // So late that the page is painted before it knows anything.
      await where.route("**/ops/summary", async (route) => {
        await delay(500);
        await route.continue();
      });
      const page = await openIn(where, "/ops");
      await byId(page, "ops-queues").locator("tr, li").first().waitFor();
      await delay(300);
      const shifted = await page.evaluate(() => window.shifted);
      assert.ok(shifted < 0.1, `${width}: shifted by ${shifted}`);
    }
  });

  pageTest("the link of an e-mail makes the bid one's own on another device, and the address forgets it", async () => {
    const auction = await createAuction(server, "Elsewhere");
    const { id } = await take(server, auction, "ada@example.com", 1_000);
    const page = await open(`${addressOf(auction)}#bid=${id}`);
    await standing(page, "leading");
    await until("the address is short again", async () => new URL(page.url()).hash === "");
    await page.reload();
    await standing(page, "leading");
    assert.equal(await byId(page, "own-bids").locator("li").count(), 1);
    // A bid of another auction says nothing about this one.
    const other = await createAuction(server, "Elsewhere too");
    const strange = await open(`${addressOf(other)}#bid=${id}`);
    await until("the address is short again", async () => new URL(strange.url()).hash === "");
    await standing(strange, "watching");
  });
});
