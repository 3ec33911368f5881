// The pages of the auctions as bidders have them: windows that stay open while others bid, on a
// network that comes and goes, with a clock that is wrong, on a telephone, in two languages.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import {
  addressOf,
  createAuction,
  fillBid,
  inMs,
  placeBid,
  press,
  said,
  says,
  shownMs,
  standing,
  STEP,
  take,
  windows,
} from "./lib/auctions-page.mjs";
import { byId, connected, launch, markWindow } from "./lib/browser.mjs";
import { get, request } from "./lib/http.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

describe("the pages of the auctions", () => {
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

  const auctionNow = (auction) => get(server, `/auctions/${auction.id}`);
  const bidsOf = async (auction) => (await get(server, `/auctions/${auction.id}/bids`)).bids;
  const price = (page, text) => says(page, "price", new RegExp(`^${text}$`));

  pageTest("two windows outbid each other, the end moves, one wins, nobody reloads", async () => {
    const softClose = { windowMs: 6_000, extendMs: 6_000, hardEnd: inMs(60_000) };
    const auction = await createAuction(server, "Moon jar", { endTime: inMs(9_000), softClose });
    const [ada, bob] = [await open(addressOf(auction)), await open(addressOf(auction))];
    const same = [await markWindow(ada), await markWindow(bob)];
    await standing(ada, "watching");
    assert.equal(await byId(ada, "bid-amount").inputValue(), "1,000", "the least valid bid is filled in");

    await placeBid(ada, { bidder: "ada@example.com" });
    await standing(ada, "leading");
    // The price was the same before there was a bid; the least valid one was not.
    await until("the bid is heard", async () => (await byId(bob, "bid-amount").inputValue()) === "1,100");
    await price(bob, "₩1,000");
    await placeBid(bob, { bidder: "bob@example.com", amount: "1,500" });
    await standing(bob, "leading");
    await standing(ada, "outbid");
    await price(ada, "₩1,500");
    assert.match(await ada.title(), /^You were outbid/);
    // One press is enough to bid again.
    assert.match(await byId(ada, "bid-button").innerText(), /Bid again\s+₩1,600/);
    await press(ada);
    await standing(ada, "leading");
    await standing(bob, "outbid");

    // A bid in the last seconds moves the end, in both windows.
    await until("the last seconds", async () => (await shownMs(bob)) <= 6_000);
    const announced = (await auctionNow(auction)).endTime;
    await placeBid(bob, { amount: 2000 });
    await standing(ada, "outbid");
    for (const page of [ada, bob]) {
      await page.locator('[data-testid="extended"].shown').waitFor();
      await says(page, "extended", /extended \d+ times?/);
      await until("it is said aloud", async () => /Extended/.test(await byId(page, "spoken").textContent()));
    }
    const extended = await auctionNow(auction);
    assert.ok(extended.endTime > announced, `${extended.endTime} is after ${announced}`);
    assert.ok((await shownMs(ada)) <= Date.parse(extended.endTime) - Date.now() + 1_500);

    for (const [page, kind] of [[bob, "won"], [ada, "lost"]]) {
      await page.locator(`[data-testid="standing"][data-standing="${kind}"]`).waitFor({ timeout: 20_000 });
      await price(page, "₩2,000");
    }
    assert.match(await bob.title(), /^You won/);
    await says(ada, "standing", /It was sold for ₩2,000/);
    for (const check of same) await check();
    assert.deepEqual((await bidsOf(auction)).map((one) => one.bidAmount), [2000, 1600, 1500, 1000]);
    const certificate = await get(server, await byId(bob, "certificate").getAttribute("href"));
    assert.deepEqual([certificate.auction, certificate.final], [auction.id, true]);
  });

  pageTest("a maximum goes on bidding; the form says where one stands and stays where it is", async () => {
    const auction = await createAuction(server, "Maximum", { reservePrice: 3_000 });
    const page = await open(addressOf(auction));
    const top = async () => (await byId(page, "bid-button").boundingBox()).y;
    await says(page, "standing", /You have not bid yet/);
    const before = await top();
    await placeBid(page, { bidder: "ada", maximum: 2_000 });
    await standing(page, "leading");
    assert.match(await said(page, "good"), /Your bid of ₩1,000 was taken. We bid for you up to ₩2,000/);
    assert.equal(await top(), before, "nothing moved");
    await take(server, auction, "bob", 1_500);
    await price(page, "₩1,600");
    await standing(page, "leading");
    assert.equal(await byId(page, "own-maximum").innerText(), "₩2,000");
    // A higher maximum alone moves no price.
    await fillBid(page, { maximum: 2_500 });
    assert.match(await byId(page, "bid-button").innerText(), /Raise my maximum to\s+₩2,500/);
    await press(page);
    await until("it is raised", async () => (await byId(page, "own-maximum").innerText()) === "₩2,500");
    assert.equal((await auctionNow(auction)).currentPrice, 1_600);
    assert.ok(await page.getByText("Reserve not met").isVisible());
    await take(server, auction, "bob", 2_000, { maximum: 4_000 });
    await standing(page, "outbid");
    await page.getByText("Reserve met").waitFor();
    await price(page, "₩3,000");
    assert.equal(await top(), before, "nothing moved");
    const rows = byId(page, "bids").locator("li");
    await until("the list has them all", async () => (await rows.count()) === 4);
    assert.equal(await rows.filter({ hasText: "you" }).count(), 2);
    assert.match(await rows.first().innerText(), /Leads/);
  });

  pageTest("a rush of bids: the window keeps up, and hears of a bid that was taken back elsewhere", async () => {
    const BIDS = 300;
    const auction = await createAuction(server, "Rush", { retraction: { withinMs: 600_000, beforeEndMs: 0 } });
    const page = await open(addressOf(auction));
    const same = await markWindow(page);
    const first = await take(server, auction, "ada", 1_000);
    for (let n = 1; n < BIDS; n += 1) await take(server, auction, `b${n % 7}`, 1_000 + n * STEP);
    await price(page, "₩30,900");
    await page.getByText("300 bids").first().waitFor();
    const rows = byId(page, "bids").locator("li");
    const numbers = async () => (await rows.locator(".bid-no").allInnerTexts()).map(Number);
    const newest = Array.from({ length: 20 }, (_, n) => BIDS - n);
    await until("the list is the newest, without a gap", async () => String(await numbers()) === String(newest));
    assert.equal(await rows.filter({ hasText: "Leads" }).count(), 1);

    // Further back, and taken back by somebody else's hand.
    for (let shown = 20; shown < BIDS; shown += 20) {
      await page.locator("#bids-more").click();
      await until("more is shown", async () => (await rows.count()) >= Math.min(shown + 20, BIDS));
    }
    const taken = await request("DELETE", `${server.url}/bids/by-id/${first.id}`);
    assert.equal(taken.status, 200, taken.text);
    await until("it is marked", async () => /Retracted/.test(await rows.last().innerText()));
    await page.getByText("299 bids").first().waitFor();
    assert.equal(await rows.count(), BIDS, "nothing else went");

    // More at once than is told of: what lies between is not known, and is not passed over in silence.
    for (let n = BIDS; n < BIDS + 60; n += 1) await take(server, auction, `b${n % 7}`, 1_000 + n * STEP);
    await until("the newest are there", async () => (await numbers())[0] === BIDS + 60);
    const shown = await numbers();
    assert.deepEqual(shown, shown.map((_, n) => BIDS + 60 - n), "no gap");

    // One's own bid, taken back on another device.
    const answer = page.waitForResponse((one) => one.request().method() === "POST" && one.url().endsWith("/bids"));
    await placeBid(page, { bidder: "eve", amount: 100_000 });
    await standing(page, "leading");
    const { id } = await (await answer).json();
    assert.equal((await request("DELETE", `${server.url}/bids/by-id/${id}`)).status, 200);
    await standing(page, "watching");
    assert.match(await byId(page, "own-bids").locator("li").first().innerText(), /Retracted/);
    await same();
  });

  pageTest("what is refused is said with the least valid bid", async () => {
    const auction = await createAuction(server, "Refused");
    const page = await open(addressOf(auction));
    await placeBid(page, { bidder: "two words", amount: "12 apples", maximum: 500 });
    for (const [field, text] of [["bidAmount", /an amount such as/], ["bidderId", /without spaces/]]) {
      assert.match(await page.locator(`#bid [data-field="${field}"]`).innerText(), text);
    }
    await placeBid(page, { bidder: "ada", amount: 900, maximum: "" });
    assert.match(await page.locator('#bid [data-field="bidAmount"]').innerText(), /At least ₩1,000/);
    await placeBid(page, { amount: 1_200, maximum: 1_100 });
    assert.match(await page.locator('#bid [data-field="maximum"]').innerText(), /cannot be below the bid/);
    assert.equal((await bidsOf(auction)).length, 0);

    // Somebody is faster, on the way.
    page.networkMayFail = true;
    const faster = async (route) => {
      await take(server, auction, "bob", 5_000);
      await route.continue();
    };
    await page.route("**/bids", faster, { times: 1 });
    await placeBid(page, { amount: 1_200, maximum: "" });
    assert.equal(
      await said(page, "bad"),
      "Your bid was too low. The price is now ₩5,000. The least valid bid is ₩5,100.",
    );
    await until("the field follows", async () => (await byId(page, "bid-amount").inputValue()) === "5,100");
    await press(page);
    await standing(page, "leading");

    const own = await createAuction(server, "Own lot", { seller: "ada" });
    await page.goto(server.url + addressOf(own));
    await press(page);
    assert.match(await said(page, "bad"), /your own lot/);
    assert.match(await page.locator('#bid [data-field="bidderId"]').innerText(), /your own lot/);
  });

  pageTest("an amount that moves under the finger is not sent", async () => {
    const auction = await createAuction(server, "Finger");
    const page = await open(addressOf(auction));
    await fillBid(page, { bidder: "ada" });
    // In one turn of the page: the amount moves, and the press that was meant for the one before.
    const pressAsItMoves = () =>
      page.evaluate(() => {
        const amount = document.querySelector('[data-testid="bid-amount"]');
        const button = document.querySelector('[data-testid="bid-button"]');
        new MutationObserver((_, observer) => {
          if (!button.hasAttribute("data-moved")) return;
          observer.disconnect();
          window.amountThen = amount.value;
          button.click();
        }).observe(button, { attributes: true });
      });
    await pressAsItMoves();
    await take(server, auction, "bob", 1_000);
    assert.match(await said(page, "bad"), /The price moved as you pressed.*₩1,100/);
    assert.equal(await page.evaluate(() => window.amountThen), "1,100");
    assert.equal((await bidsOf(auction)).length, 1, "nothing was sent");
    await press(page);
    await standing(page, "leading");
    assert.equal((await auctionNow(auction)).currentPrice, 1_100);

    // Who has said up to how much is not asked again.
    await take(server, auction, "bob", 2_000);
    await standing(page, "outbid");
    await page.locator('[data-testid="bid-button"]:not([data-moved])').waitFor();
    await fillBid(page, { maximum: 5_000 });
    await pressAsItMoves();
    await take(server, auction, "carl", 3_000);
    assert.match(await said(page, "good"), /Your bid of ₩3,100 was taken. We bid for you up to ₩5,000/);
    await standing(page, "leading");
  });

  pageTest("a bid without an answer is sent again with its key, also after a reload, and counts once", async () => {
    const auction = await createAuction(server, "Network");
    const where = await context();
    const page = await openIn(where, addressOf(auction));
    page.networkMayFail = true;
    const keys = [];
    // The bid arrives, its answer does not.
    let failing = true;
    await page.route("**/bids", async (route) => {
      keys.push(route.request().headers()["idempotency-key"]);
      if (!failing) return route.continue();
      // A page that is reloaded meanwhile takes its request with it.
      await route.fetch().catch(() => {});
      return route.abort("connectionreset").catch(() => {});
    });
    await placeBid(page, { bidder: "ada" });
    await until("it tries again", () => keys.length >= 2);
    assert.match(await byId(page, "bid-said").innerText(), /keep sending the same bid/);
    await page.reload();
    await until("and again after the reload", () => keys.length >= 4);
    failing = false;
    assert.match(await said(page, "good"), /was taken/);
    await standing(page, "leading");
    assert.equal(new Set(keys).size, 1, "one key");
    assert.equal((await bidsOf(auction)).length, 1, "one bid");

    // Offline, and outbid meanwhile: known at once when the network is back.
    const same = await markWindow(page);
    await where.setOffline(true);
    await take(server, auction, "bob", 2_000);
    await where.setOffline(false);
    await standing(page, "outbid");
    await connected(page);
    await same();
    await page.reload();
    await standing(page, "outbid");
    assert.equal(await byId(page, "own-bids").locator("li").count(), 1);
    assert.equal(await byId(page, "bid-bidder").inputValue(), "ada");
  });

  pageTest("the server dies and returns: the window recovers and goes on", async () => {
    const auction = await createAuction(server, "Away");
    const page = await open(addressOf(auction));
    await placeBid(page, { bidder: "ada" });
    await standing(page, "leading");
    const same = await markWindow(page);
    page.networkMayFail = true;
    await server.kill();
    await page.locator('[data-testid="connection"][data-state="reconnecting"]').waitFor();
    await server.restart();
    await take(server, auction, "bob", 1_500);
    await standing(page, "outbid");
    await connected(page);
    await same();
  });

  pageTest("the countdown is the server's, whatever this device's clock says, also after a sleep", async () => {
    const auction = await createAuction(server, "Clock", { endTime: inMs(1_800_000) });
    const where = await context();
    await where.addInitScript(() => {
      // Two hours slow, and a monotonic clock that can be stopped as a sleep stops it.
      const [wall, local] = [Date.now.bind(Date), performance.now.bind(performance)];
      Object.assign(window, { slowMs: 7_200_000, asleepMs: 0 });
      Date.now = () => wall() - window.slowMs;
      performance.now = () => local() - window.asleepMs;
    });
    const page = await openIn(where, addressOf(auction));
    const isRight = async () => Math.abs((await shownMs(page)) - (Date.parse(auction.endTime) - Date.now())) < 1_500;
    await until("it is right", isRight);

    // Asleep, and without a network when it wakes: the device's two clocks tell by how much.
    page.networkMayFail = true;
    await where.setOffline(true);
    const before = await shownMs(page);
    await page.evaluate(() => {
      window.asleepMs += 600_000;
    });
    await until("it is drawn again", async () => (await shownMs(page)) !== before);
    await until("it is right before anybody was asked", isRight, 3_000);
    await where.setOffline(false);
    await connected(page);
    assert.ok(await isRight());

    // What looks like a sleep and is none is put right by the next answer.
    const asked = page.waitForResponse((answer) => answer.url().includes("/events"));
    await page.evaluate(() => {
      window.slowMs -= 600_000;
    });
    await asked;
    await until("the server decides", isRight);
  });
});
