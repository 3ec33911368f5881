// One buyer and the product's page: what one gesture orders, what becomes of an attempt that was
// stopped, where an order is found again, and where the keyboard is afterwards; in Chromium.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import { createAuction, inMs } from "./lib/auctions-page.mjs";
import {
  assertAccessible,
  assertFits,
  buy,
  byId,
  connected,
  launch,
  openContext,
  openPage,
  verdict,
} from "./lib/browser.mjs";
import { createProduct, get, order, request } from "./lib/http.mjs";
import { OUT, Server } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

const ADA = "ada@example.com";
/** Longer than the page takes several presses for one gesture. */
const QUIET_MS = 800;

describe("an order on its product's page", () => {
  let server;
  let browser;
  const contexts = [];
  before(async () => {
    fs.mkdirSync(OUT, { recursive: true });
    server = await Server.start({ env: { FIRSTCOME_MAIL__VERDICTS: "true" } });
    browser = await launch();
  });
  after(async () => {
    for (const context of contexts) await context.close();
    await browser?.close();
    await server?.stop();
  });

  async function context(options) {
    const made = await openContext(browser, options);
    contexts.push(made);
    return made;
  }

  /** A window on a product; `sent` counts the orders that left it. */
  async function open(sku, { where, address = `/shop/${sku}?lang=en` } = {}) {
    const page = await openPage(where ?? (await context()), server.url + address);
    page.sent = 0;
    page.on("request", (sent) => {
      if (sent.method() === "POST" && sent.url().endsWith("/orders")) page.sent += 1;
    });
    await connected(page);
    return page;
  }

  const frames = (page) =>
    page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

  async function quiet(page) {
    const from = await page.evaluate(() => performance.now());
    await page.waitForFunction((until) => performance.now() > until, from + QUIET_MS);
  }

  const sold = async (sku) => (await get(server, `/products/${sku}`)).allocated;
  const label = (page) => page.locator("#buy-label").textContent();

  test("a double click is one order, and its verdict stays", async () => {
    await createProduct(server, "DOUBLE-1", { stock: 5, purchaseLimit: 1 });
    const page = await open("DOUBLE-1");
    await buy(page, ADA);
    await verdict(page, "accepted");
    // The server has answered; the hand is still at it.
    await byId(page, "buy-button").click();
    await byId(page, "buy-button").click();
    await frames(page);
    assert.equal(page.sent, 1);
    assert.equal(await sold("DOUBLE-1"), 1);
    await verdict(page, "accepted");
    assert.equal((await byId(page, "verdict-refusal").textContent()).trim(), "");
    assert.deepEqual(page.errors, []);
  });

  test("a double tap on a telephone is one order", async () => {
    await createProduct(server, "TAP-1", { stock: 5 });
    const where = await context({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    const page = await open("TAP-1", { where });
    await byId(page, "buy-email").fill(ADA);
    await byId(page, "buy-button").tap();
    await verdict(page, "accepted");
    await byId(page, "buy-button").tap();
    await frames(page);
    assert.equal(page.sent, 1);
  });

  test("Enter held down is one order, and Enter pressed again another", async () => {
    await createProduct(server, "HELD-1", { stock: 50 });
    const page = await open("HELD-1");
    await byId(page, "buy-email").fill(ADA);
    await byId(page, "buy-email").focus();
    await page.keyboard.down("Enter");
    await verdict(page, "accepted");
    await quiet(page);
    for (let n = 0; n < 5; n += 1) await page.keyboard.down("Enter");
    await byId(page, "buy-button").focus();
    for (let n = 0; n < 5; n += 1) await page.keyboard.down("Enter");
    await page.keyboard.up("Enter");
    await frames(page);
    assert.equal(page.sent, 1);
    await page.keyboard.press("Enter");
    await until("the second is sold", async () => (await sold("HELD-1")) === 2);
  });

  test("a second one is a decision, and its refusal stands below the order that one has", async () => {
    await createProduct(server, "SECOND-1", { stock: 5, purchaseLimit: 1 });
    const page = await open("SECOND-1");
    assert.equal(await label(page), "Buy");
    await buy(page, ADA);
    await verdict(page, "accepted");
    assert.equal(await label(page), "Buy another");
    await quiet(page);
    await byId(page, "buy-button").click();
    const refusal = byId(page, "verdict-refusal");
    await until("the refusal is said", async () => /already have 1/.test(await refusal.textContent()));
    assert.equal(page.sent, 2);
    assert.equal(await verdict(page, "accepted", "error"), "accepted");
    assert.match(await page.title(), /^It’s yours/);
    await page.screenshot({ path: path.join(OUT, "order-refused-second.png"), fullPage: true });
    await assertAccessible(page, "a refused second order");
  });

  test("sold out for the second leaves the first in its place", async () => {
    await createProduct(server, "REST-1", { stock: 1 });
    const page = await open("REST-1");
    await buy(page, ADA);
    await verdict(page, "accepted");
    await quiet(page);
    await byId(page, "buy-button").click();
    const refusal = byId(page, "verdict-refusal");
    await until("the refusal is said", async () => /Everything was gone/.test(await refusal.textContent()));
    assert.equal(await verdict(page, "accepted", "sold_out"), "accepted");
  });

  test("what was stopped is not sent again without a press", async () => {
    await createProduct(server, "STOP-1", { stock: 5 });
    const where = await context();
    const page = await open("STOP-1", { where });
    page.networkMayFail = true;
    await page.route("**/orders", (route) => route.abort());
    await buy(page, ADA);
    await byId(page, "verdict-stop").click();
    await verdict(page, "error");
    assert.equal(await page.evaluate(() => document.activeElement.id), "verdict-title");
    await page.unroute("**/orders");
    page.networkMayFail = false;
    // It stands where the button was that stopped it, under a hand that may press twice.
    const again = byId(page, "verdict-again");
    const stopped = page.sent;
    await again.click();
    await frames(page);
    assert.equal(page.sent, stopped);
    for (const reload of [() => page.reload(), () => page.goto(`${server.url}/shop/STOP-1`)]) {
      const before = page.sent;
      await reload();
      await again.waitFor();
      await connected(page);
      await frames(page);
      assert.equal(page.sent, before);
      assert.match(await byId(page, "verdict").textContent(), /may still have been made/);
    }
    assert.equal(await sold("STOP-1"), 0);
    await again.click();
    await verdict(page, "accepted");
    assert.equal(await sold("STOP-1"), 1);
    assert.deepEqual(page.errors, []);
  });

  test("the link in an e-mail shows the order on another device, live, and leaves the address", async () => {
    await createProduct(server, "LINK-1", { whenSoldOut: "wait" });
    const { id } = (await order(server, "LINK-1", ADA)).json;
    const page = await open("LINK-1", { address: `/shop/LINK-1?lang=en#order=${id}` });
    await verdict(page, "pending");
    assert.equal(await page.evaluate(() => location.hash), "");
    assert.equal(await page.evaluate(() => location.search), "?lang=en");
    await page.reload();
    await verdict(page, "pending");
    const goods = { quantity: 1, reference: "goods" };
    await request("POST", `${server.url}/products/LINK-1/receipts`, { body: goods });
    await verdict(page, "accepted");
    await byId(page, "cancel-order").waitFor();
    assert.deepEqual(page.errors, []);
  });

  test("the e-mail that was sent has that link", async () => {
    await createProduct(server, "LINK-2", { stock: 1 });
    const { id } = (await order(server, "LINK-2", ADA)).json;
    const sent = () => get(server, "/ops/mails");
    await until("it is there", async () => (await sent()).mails.some(({ subject }) => /LINK-2/.test(subject)));
    const mail = (await sent()).mails.find(({ subject }) => /LINK-2/.test(subject));
    const { text } = await get(server, `/ops/mails/${mail.id}`);
    const [, address] = /https?:\/\/[^/\s]+(\/shop\/\S+)/.exec(text);
    assert.equal(address, `/shop/LINK-2#order=${id}`);
    const page = await open("LINK-2", { address });
    await verdict(page, "accepted");
  });

  test("a link to an order that is not there says so and changes nothing", async () => {
    await createProduct(server, "LINK-3", { stock: 1 });
    const { id } = (await order(server, "LINK-3", ADA)).json;
    for (const wrong of ["ord_x", "%E0%A4%A", "/../x"]) {
      const page = await open("LINK-3", { address: `/shop/LINK-3?lang=en#order=${wrong}` });
      await page.locator("#notice.shown").waitFor();
      assert.match(await page.locator("#notice").textContent(), /does not know this order/);
      assert.equal(await page.evaluate(() => location.hash), "");
      await verdict(page, "none");
      assert.equal(await page.locator("#orders").isVisible(), false);
    }
    // One of another product is not shown as one of this.
    await createProduct(server, "LINK-4", { stock: 1 });
    const page = await open("LINK-4", { address: `/shop/LINK-4?lang=en#order=${id}` });
    await page.locator("#notice.shown").waitFor();
    await verdict(page, "none");
  });

  /** A context whose device is ahead by so much. */
  async function ahead(hours) {
    const where = await context();
    await where.addInitScript((ms) => {
      const Real = Date;
      window.Date = class extends Real {
        constructor(...parts) {
          super(...(parts.length === 0 ? [Real.now() + ms] : parts));
        }
        static now() {
          return Real.now() + ms;
        }
      };
    }, hours * 3_600_000);
    return where;
  }

  test("a reload keeps the verdict on a device whose clock is hours ahead", async () => {
    await createProduct(server, "CLOCK-1", { stock: 1 });
    for (const expected of ["accepted", "sold_out"]) {
      const page = await open("CLOCK-1", { where: await ahead(7) });
      await buy(page, ADA);
      await verdict(page, expected);
      await page.reload();
      await verdict(page, expected);
    }
  });

  test("an order that holds something is said after any time", async () => {
    await createProduct(server, "OLD-1", { stock: 2 });
    const page = await open("OLD-1");
    await buy(page, ADA);
    await verdict(page, "accepted");
    await page.evaluate(() => {
      const key = Object.keys(localStorage).find((name) => name.startsWith("firstcome.order."));
      const stored = JSON.parse(localStorage.getItem(key));
      stored.placedAt = "2020-01-01T00:00:00Z";
      localStorage.setItem(key, JSON.stringify(stored));
    });
    // The shop's own answer is not what tells.
    await page.route("**/orders/**", (route) => route.fulfill({ status: 503, body: "{}" }));
    page.networkMayFail = true;
    await page.reload();
    await verdict(page, "accepted");
    assert.equal(await label(page), "Buy another");
  });

  const focused = (page) =>
    page.evaluate(() => document.activeElement.dataset.testid ?? document.activeElement.id ?? document.activeElement.tagName);

  test("with the keyboard: cancel, remove one, remove the last, and never lose the place", async () => {
    await createProduct(server, "KEYS-1", { stock: 1, whenSoldOut: "wait" });
    const page = await open("KEYS-1");
    await buy(page, ADA);
    await verdict(page, "accepted");
    await quiet(page);
    await byId(page, "buy-button").click();
    await verdict(page, "pending");
    const dialog = byId(page, "confirm-dialog");
    for (const words of [/You leave place 2/, /next in line, or back on sale/]) {
      await byId(page, "cancel-order").first().focus();
      await page.keyboard.press("Enter");
      assert.match(await dialog.textContent(), words);
      await byId(page, "confirm-yes").focus();
      await page.keyboard.press("Enter");
      await dialog.waitFor({ state: "detached" });
      await until("the button removes now", async () => (await focused(page)) === "forget-order");
    }
    assert.match(await byId(page, "verdict").textContent(), /left the line|back on sale/);
    await page.keyboard.press("Enter");
    await until("one is left", async () => (await byId(page, "forget-order").count()) === 1);
    assert.equal(await focused(page), "forget-order");
    await page.keyboard.press("Enter");
    await until("none is left", async () => (await byId(page, "forget-order").count()) === 0);
    assert.equal(await focused(page), "main");
    assert.deepEqual(page.errors, []);
  });

  test("an address that is no address says that there is no such product", async () => {
    const page = await openPage(await context(), `${server.url}/shop/%E0%A4%A?lang=en`);
    const heading = page.locator("#missing h1");
    await heading.waitFor();
    assert.equal(await heading.textContent(), "There is no such product");
  });

  test("where there is nothing a browser reads a page, in its language, with a way back", async () => {
    for (const [locale, title] of [["en-US", "There is no such page"], ["ko-KR", "찾으시는 페이지가 없어요"]]) {
      const page = await openPage(await context({ locale }), `${server.url}/nope`);
      assert.equal(await page.locator("h1").textContent(), title);
      assert.equal(await page.evaluate(() => document.documentElement.lang), locale.slice(0, 2));
      await assertAccessible(page, "nothing there");
      await assertFits(page, "nothing there");
      await page.screenshot({ path: path.join(OUT, `not-found-${locale}.png`) });
      await page.locator("main a.button").click();
      await connected(page);
      await page.goto(`${server.url}/saleroom/`);
      assert.equal(new URL(page.url()).pathname, "/saleroom");
    }
  });

  test("a name of 200 letters, and the tools of operators, fit a small telephone", async () => {
    const telephone = (width) => context({ viewport: { width, height: 700 }, isMobile: true });
    await createAuction(server, "Large", { startingPrice: 99_999_999_999, startTime: inMs(600_000) });
    for (const language of ["en", "ko"]) {
      const ops = await openPage(await telephone(320), `${server.url}/ops?lang=${language}`);
      await connected(ops);
      for (const table of ["#products", "#auctions", "#decisions"]) {
        await ops.locator(`${table} tbody tr`).first().waitFor();
      }
      await assertFits(ops, `operations, ${language}`);
    }
    await createProduct(server, "L".repeat(64), { name: "N".repeat(200), price: 999_999_999_999_999, currency: "KRW", stock: 1e9 });
    await createProduct(server, "LONG-2", { name: "가".repeat(200), stock: 9 });
    for (const width of [390, 320]) {
      const where = await telephone(width);
      for (const sku of ["L".repeat(64), "LONG-2"]) {
        const page = await open(sku, { where });
        await buy(page, `${"a".repeat(60)}@${"b".repeat(13)}.kr`, 2);
        await verdict(page, "accepted");
        await assertFits(page, `${sku} at ${width}`);
        await byId(page, "cancel-order").first().click();
        await byId(page, "confirm-dialog").waitFor();
        await assertFits(page, `the question at ${width}`);
        await byId(page, "confirm-no").click();
      }
      const shop = await openPage(where, `${server.url}/`);
      await byId(shop, "cancel-order").first().waitFor();
      await assertFits(shop, `the shop at ${width}`);
    }
  });

  test("a quantity that cannot be has no price", async () => {
    await createProduct(server, "LESS-1", { stock: 5, purchaseLimit: 3 });
    const page = await open("LESS-1");
    const total = page.locator("#buy-total");
    await until("one has a price", async () => (await total.textContent()) === "€1.00");
    for (const quantity of ["-1", "0", "1.5", "4"]) {
      await byId(page, "buy-quantity").fill(quantity);
      assert.equal(await total.textContent(), "", quantity);
      assert.equal(await label(page), "Buy");
    }
    await byId(page, "buy-quantity").fill("3");
    assert.equal(await total.textContent(), "€3.00");
  });

  test("the place is said once, and those ahead change in silence", async () => {
    await createProduct(server, "SAID-1", { whenSoldOut: "wait" });
    for (let n = 0; n < 5; n += 1) await order(server, "SAID-1", `q${n}@example.com`);
    const page = await open("SAID-1");
    await buy(page, ADA);
    await verdict(page, "pending");
    const words = page.locator(".verdict-words");
    assert.match(await words.textContent(), /in line, place 6/);
    const before = await words.textContent();
    const goods = { quantity: 2, reference: "said" };
    await request("POST", `${server.url}/products/SAID-1/receipts`, { body: goods });
    await until("three are ahead", async () => (await byId(page, "ahead").textContent()) === "3");
    assert.equal(await words.textContent(), before);
  });

  test("the English of the API's description is marked as such on the Korean page", async () => {
    const page = await openPage(await context(), `${server.url}/docs?lang=ko`);
    await page.locator(".doc-summary").first().waitFor();
    const unmarked = await page.evaluate(() =>
      [...document.querySelectorAll("#about > *, .prose > *, .doc-summary, #index a span:last-child, .doc-answers p:not(.doc-type)")]
        .filter((node) => /[a-z]{4}/.test(node.textContent) && node.closest("[lang]").lang !== "en")
        .map((node) => node.outerHTML.slice(0, 120)),
    );
    assert.deepEqual(unmarked, []);
  });
});
