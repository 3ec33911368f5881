// The pages of the auctions beyond one lot and the highest bid: other formats, taking a bid back,
// buying at once, the list, what an operator does, and how all of it looks.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
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
  standing,
  take,
  windows,
} from "./lib/auctions-page.mjs";
import { assertAccessible, assertFits, byId, launch, markWindow } from "./lib/browser.mjs";
import { get, request } from "./lib/http.mjs";
import { OUT, Server } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

const SOON_MS = 4_000;

describe("formats, the list and the operators of auctions", () => {
  let server;
  let browser;
  const { context, open, openIn, pageTest } = windows(() => server, () => browser);
  before(async () => {
    fs.mkdirSync(OUT, { recursive: true });
    server = await Server.start({ demo: false });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const auctionNow = (auction) => get(server, `/auctions/${auction.id}`);
  const card = (page, auction) => byId(page, `auction-card-${auction.id}`);

  pageTest("sealed: nobody sees an amount before the close, and the second price is paid", async () => {
    const auction = await createAuction(server, "Sealed", { format: "sealed-second", endTime: inMs(SOON_MS + 4_000) });
    const [ada, bob] = [await open(addressOf(auction)), await open(addressOf(auction))];
    assert.ok(!(await byId(ada, "bid-maximum").isVisible()));
    await placeBid(ada, { bidder: "ada", amount: 5_000 });
    await standing(ada, "in");
    await says(ada, "standing", /Amounts are shown after the close/);
    await until("bob sees that somebody bid", async () => (await byId(bob, "bids").locator("li").count()) === 1);
    assert.doesNotMatch(await bob.locator("main").innerText(), /5,000/);
    assert.match(await byId(bob, "bids").innerText(), /sealed/);
    assert.match(await byId(ada, "bids").innerText(), /₩5,000/, "one's own amount is known here");
    await fillBid(ada, { amount: 4_000 });
    await press(ada);
    assert.match(await ada.locator('#bid [data-field="bidAmount"]').innerText(), /more than ₩5,000/);
    await placeBid(bob, { bidder: "bob", amount: 3_000 });
    await standing(bob, "in");
    await standing(ada, "won");
    await standing(bob, "lost");
    await says(ada, "standing", /The price is ₩3,000/);
    await until("all amounts are shown", async () => /₩5,000/.test(await byId(bob, "bids").innerText()));
  });

  pageTest("dutch: the price falls on its own, and whoever takes it first has it", async () => {
    const dutch = { step: 100, everyMs: 1_000, floor: 500 };
    const auction = await createAuction(server, "Tulips", { format: "dutch", startingPrice: 2_000, dutch });
    const [ada, bob] = [await open(addressOf(auction)), await open(addressOf(auction))];
    const same = await markWindow(ada);
    const number = async (page) => Number((await byId(page, "price").innerText()).replaceAll(/\D/g, ""));
    const first = await number(ada);
    await until("it falls", async () => (await number(ada)) <= first - 200);
    await says(ada, "bid-button", /Take it for\s+₩[\d,]+/);
    await fillBid(ada, { bidder: "ada" });
    await byId(ada, "bid-button").click();
    await standing(ada, "won");
    await says(bob, "auction-status", /Sold/);
    const { currentPrice, winners } = await auctionNow(auction);
    assert.ok(currentPrice < 2_000 && currentPrice >= 500, String(currentPrice));
    assert.equal(winners.length, 1);
    await until("both show what it went for", async () => (await number(bob)) === currentPrice);
    await same();
  });

  pageTest("several lots: who leads them is shown, and who falls out is told", async () => {
    const auction = await createAuction(server, "Seats", { lots: 2 });
    const page = await open(addressOf(auction));
    await placeBid(page, { bidder: "ada" });
    await standing(page, "leading");
    await says(page, "standing", /among the leaders/);
    await until("one lot is free", async () => /1 lot is still free/.test(await page.locator("#leaders-note").innerText()));
    await take(server, auction, "bob", 1_500);
    await until("two lead", async () => (await byId(page, "leaders").locator("li").count()) === 2);
    await take(server, auction, "cyd", 1_600);
    await standing(page, "outbid");
    assert.doesNotMatch(await byId(page, "leaders").innerText(), /you/);
    await press(page);
    await standing(page, "leading");
    assert.match(await byId(page, "leaders").innerText(), /you/);
  });

  pageTest("a bid is taken back, after a question, while the terms let it", async () => {
    const retraction = { withinMs: 600_000, beforeEndMs: 0 };
    const auction = await createAuction(server, "Slip", { retraction });
    const [ada, bob] = [await open(addressOf(auction)), await open(addressOf(auction))];
    await placeBid(bob, { bidder: "bob" });
    await standing(bob, "leading");
    await placeBid(ada, { bidder: "ada", amount: 99_000 });
    await standing(bob, "outbid");
    await byId(ada, "retract").click();
    await byId(ada, "confirm-no").click();
    await byId(ada, "retract").click();
    await byId(ada, "confirm-yes").click();
    await standing(bob, "leading");
    await standing(ada, "watching");
    await says(bob, "price", /^₩1,000$/);
    const newest = byId(bob, "bids").locator("li").first();
    await newest.filter({ hasText: "Retracted" }).waitFor();
    assert.equal((await auctionNow(auction)).bidCount, 1);
    const stands = await createAuction(server, "No slip", { retraction: null });
    await ada.goto(server.url + addressOf(stands));
    await placeBid(ada, {});
    await standing(ada, "leading");
    assert.equal(await byId(ada, "retract").isVisible(), false);
  });

  pageTest("buy now: asked for, final, and gone once somebody else was faster", async () => {
    const auction = await createAuction(server, "Now", { buyNowPrice: 9_000 });
    const [ada, bob] = [await open(addressOf(auction)), await open(addressOf(auction))];
    await byId(ada, "buy-now-button").click();
    assert.match(await ada.locator('#bid [data-field="bidderId"]').innerText(), /enter your name/);
    await fillBid(ada, { bidder: "ada" });
    await byId(ada, "buy-now-button").click();
    await ada.getByText("Buy Now now?").waitFor();
    await byId(ada, "confirm-yes").click();
    await standing(ada, "won");
    assert.match(await said(ada, "good"), /It is yours for ₩9,000/);
    await says(bob, "auction-status", /Sold/);
    assert.equal(await byId(bob, "buy-now-button").isVisible(), false);

    const other = await createAuction(server, "Later", { buyNowPrice: 9_000 });
    await bob.goto(server.url + addressOf(other));
    await byId(bob, "buy-now-button").waitFor();
    bob.networkMayFail = true;
    await bob.route("**/buy-now", async (route) => {
      await take(server, other, "cyd", 1_000, { maximum: 20_000 });
      await route.continue();
    });
    await fillBid(bob, { bidder: "bob" });
    await byId(bob, "buy-now-button").click();
    await byId(bob, "confirm-yes").click();
    assert.match(await said(bob, "bad"), /can no longer be bought at once.*least valid bid is ₩1,100/);
  });

  pageTest("an auction opens, ends unsold, or is cancelled while it is looked at", async () => {
    const scheduled = await createAuction(server, "Soon", { startTime: inMs(SOON_MS), endTime: inMs(2 * SOON_MS), reservePrice: 50_000 });
    const page = await open(addressOf(scheduled));
    await standing(page, "scheduled");
    await says(page, "bid-button", /Opens in\s+00:0\d/);
    assert.equal(await byId(page, "bid-button").getAttribute("aria-disabled"), "true");
    const same = await markWindow(page);
    await standing(page, "watching");
    await says(page, "auction-status", /Open/);
    await placeBid(page, { bidder: "ada" });
    await standing(page, "leading");
    await standing(page, "unsold");
    await says(page, "standing", /The reserve price was not reached/);
    await same();

    const cancelled = await createAuction(server, "Withdrawn");
    await page.goto(server.url + addressOf(cancelled));
    await placeBid(page, {});
    await standing(page, "leading");
    await request("DELETE", `${server.url}/auctions/${cancelled.id}`);
    await standing(page, "void");
    await says(page, "bid-button", /Bidding is closed/);
  });

  pageTest("the list: prices, clocks and who leads, without a reload; what ends stays in sight", async () => {
    const [mine, other] = [await createAuction(server, "Listed A"), await createAuction(server, "Listed B")];
    const ending = await createAuction(server, "Listed C", { endTime: inMs(SOON_MS + 2_000) });
    const coming = await createAuction(server, "Listed D", { startTime: inMs(3_000_000) });
    const where = await context();
    const page = await openIn(where, addressOf(mine));
    await placeBid(page, { bidder: "ada" });
    await standing(page, "leading");
    await page.getByRole("link", { name: "All auctions" }).click();
    const same = await markWindow(page);
    const shows = (auction, pattern) =>
      until(`${auction.product} shows ${pattern}`, async () => pattern.test(await card(page, auction).innerText()));
    await shows(mine, /You lead[^]*₩1,000[^]*left/);
    await shows(other, /Starting price[^]*No bids yet/);
    await take(server, mine, "bob", 1_300);
    await shows(mine, /You were outbid[^]*₩1,300[^]*2 bids/);
    await take(server, ending, "bob", 7_000);
    await shows(ending, /₩7,000/);
    await shows(ending, /Sold[^]*Ended/);
    assert.equal(await card(page, coming).count(), 0);
    await same();

    await byId(page, "tab-scheduled").click();
    await shows(coming, /Opens in \d\d:\d\d/);
    await byId(page, "tab-ended").click();
    await shows(ending, /Sold for\s+₩7,000/);
    assert.equal(await card(page, mine).count(), 0);
    await page.goto(`${server.url}/`);
    await page.getByRole("link", { name: "Auctions" }).click();
    await card(page, mine).getByRole("link").click();
    await standing(page, "outbid");
  });

  pageTest("an operator makes an auction; what is wrong stands at its field", async () => {
    const page = await open("/ops");
    await page.keyboard.press("a");
    const dialog = byId(page, "auction-form-dialog");
    await dialog.waitFor();
    const error = (field) => dialog.locator(`[data-field="${field}"]`).innerText();
    await page.locator("#a-product").fill("Made by hand");
    await byId(page, "auction-create").click();
    assert.match(await error("startingPrice"), /fill in/);
    await page.locator("#a-currency").fill("EUR");
    await page.locator("#a-starting").fill("12.345");
    await byId(page, "auction-create").click();
    assert.match(await error("startingPrice"), /an amount such as €12\.50/);
    await page.locator("#a-starting").fill("12.50");
    await page.locator("#a-reserve").fill("10");
    page.networkMayFail = true;
    await byId(page, "auction-create").click();
    await until("the server's word", async () => /above the starting price/.test(await error("reservePrice")));
    await page.locator("#a-reserve").fill("20");
    await dialog.locator("summary").click();
    await page.locator("#a-increment").fill("0: 0.50; 100: 5");
    // It arrives, its answer does not; the same form sent again makes no second one.
    await page.route("**/auctions", async (route) => {
      await route.fetch();
      await route.abort("connectionreset");
    }, { times: 1 });
    await byId(page, "auction-create").click();
    await until("it is there", async () => (await get(server, "/auctions")).auctions[0].product === "Made by hand");
    await until("it can be sent again", () => byId(page, "auction-create").isEnabled());
    assert.ok(await dialog.isVisible());
    await byId(page, "auction-create").click();
    await dialog.waitFor({ state: "hidden" });
    const [made, before] = (await get(server, "/auctions")).auctions;
    assert.equal(made.product, "Made by hand");
    assert.notEqual(before?.product, "Made by hand");
    assert.deepEqual(made.increment, [{ from: 0, step: 50 }, { from: 10_000, step: 500 }]);
    assert.deepEqual([made.softClose.windowMs, made.softClose.extendMs, made.reserveMet], [60_000, 60_000, false]);

    await byId(page, "open-auction").click();
    await page.locator("#a-format").selectOption("dutch");
    for (const [field, value] of [["product", "Falling"], ["starting", "5000"], ["step", "100"], ["floor", "1000"]]) {
      await page.locator(`#a-${field}`).fill(value);
    }
    assert.equal(await page.locator("#a-reserve").isVisible(), false);
    await byId(page, "auction-create").click();
    await dialog.waitFor({ state: "hidden" });
    await until("it is listed", async () => /Falling/.test(await byId(page, "ops-auctions").innerText()));
    const [falling] = (await get(server, "/auctions")).auctions;
    assert.deepEqual(falling.dutch, { step: 100, everyMs: 60_000, floor: 1000 });

    await byId(page, "ops-auctions").getByRole("link", { name: "Falling" }).click();
    await byId(page, "auction-cancel").click();
    await byId(page, "confirm-yes").click();
    await until("it is cancelled", async () => (await auctionNow(falling)).status === "cancelled");
  });

  pageTest("an operator settles by real names; who gave up makes room for a second chance", async () => {
    const auction = await createAuction(server, "Afterwards", { lots: 2, endTime: inMs(SOON_MS) });
    const bidder = await open(addressOf(auction));
    await placeBid(bidder, { bidder: "cyd@example.com" });
    await standing(bidder, "leading");
    for (const name of ["ada@example.com", "bob@example.com"]) await take(server, auction, name, 2_000);
    await standing(bidder, "lost");
    const page = await open(`/ops#auction=${auction.id}`);
    const winners = byId(page, "winners");
    const row = (name) => winners.locator("li").filter({ hasText: name });
    await row("ada@example.com").waitFor();
    const decide = async (name, what) => {
      await byId(row(name), what).click();
      await byId(page, "confirm-yes").click();
    };
    await decide("ada@example.com", "settle");
    await until("ada has paid", async () => /Paid/.test(await row("ada@example.com").innerText()));
    await decide("bob@example.com", "forfeit");
    await until("bob gave up", async () => /Given up/.test(await row("bob@example.com").innerText()));
    await page.locator("#second-part > summary").click();
    await byId(page, "second-offer").click();
    await row("cyd@example.com").waitFor();
    await standing(bidder, "offered");
    await byId(bidder, "offer-accept").click();
    await standing(bidder, "won");
    const { winners: won } = await get(server, `/auctions/${auction.id}/result`);
    const statuses = Object.fromEntries(won.map((one) => [one.bidderId, one.status]));
    assert.deepEqual(statuses, { "ada@example.com": "settled", "bob@example.com": "forfeited", "cyd@example.com": "won" });
  });

  pageTest("with the keyboard alone: to the field, an amount, Enter", async () => {
    const auction = await createAuction(server, "Keyboard");
    const page = await open(addressOf(auction));
    await byId(page, "bid-amount").focus();
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.type("1,250");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.type("ada@example.com");
    await page.keyboard.press("Enter");
    await standing(page, "leading");
    assert.equal((await auctionNow(auction)).currentPrice, 1_250);
    const named = await page.evaluate(() => document.activeElement.dataset.testid);
    assert.equal(named, "bid-bidder", "the focus stays");
  });

  pageTest("an auction that does not exist has a page that says so", async () => {
    const where = await context();
    const page = await where.newPage();
    await page.goto(`${server.url}/saleroom/auc_nope`);
    await page.getByRole("heading", { name: "There is no such auction" }).waitFor();
    await assertAccessible(page, "missing auction");
  });

  pageTest("fits, reads and can be used by everybody", async () => {
    const open = await createAuction(server, "Porcelain moon jar of the 18th century", { reservePrice: 900_000, buyNowPrice: 5_000_000, softClose: { windowMs: 60_000, extendMs: 60_000, hardEnd: inMs(7_200_000) } });
    const ended = await createAuction(server, "Ended", { endTime: inMs(SOON_MS) });
    await take(server, ended, "ada@example.com", 1_000);
    await until("it has ended", async () => (await auctionNow(ended)).status === "closed");
    let price = 1_000;
    for (const colorScheme of ["light", "dark"]) {
      for (const language of ["en", "ko"]) {
        for (const width of [1280, 360]) {
          const viewport = { width, height: width === 360 ? 780 : 900 };
          const where = await context({ colorScheme, viewport });
          const look = async (page, name) => {
            const what = `${name}-${width}-${colorScheme}-${language}`;
            await assertFits(page, what);
            await page.screenshot({ path: path.join(OUT, `${what}.png`), fullPage: true });
            await assertAccessible(page, what);
            assert.doesNotMatch(await page.locator("body").innerText(), /undefined|NaN|\[object|\{\w+\}/, what);
          };
          const page = await openIn(where, `${addressOf(open)}?lang=${language}`);
          await standing(page, "watching");
          await look(page, "auction-watching");
          await placeBid(page, { bidder: "kim@example.com", amount: price + 100, maximum: price + 300 });
          await standing(page, "leading");
          await look(page, "auction-leading");
          price += 1_000;
          await take(server, open, "bob@example.com", price);
          await standing(page, "outbid");
          await look(page, "auction-outbid");
          await page.goto(`${server.url}/saleroom`);
          await card(page, open).waitFor();
          await look(page, "auctions");
          await page.goto(`${server.url}${addressOf(ended)}`);
          await standing(page, "sold");
          await look(page, "auction-sold");
          await page.goto(`${server.url}/ops#auction=${ended.id}`);
          await byId(page, "settle").first().waitFor();
          await look(page, "ops-auction");
          await page.keyboard.press("Escape");
          await byId(page, "open-auction").click();
          await byId(page, "auction-form").locator("summary").click();
          await look(page, "ops-auction-form");
          await where.close();
        }
      }
    }
  });
});
