// The pages as a customer and an operator have them: in windows that stay open while the
// world changes, on a network that comes and goes, on a telephone, in two languages.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import {
  assertAccessible,
  assertFits,
  buy,
  byId,
  connected,
  groundOf,
  launch,
  markWindow,
  number,
  openContext,
  openPage,
  row,
  verdict,
} from "./lib/browser.mjs";
import { createProduct, get, order, receive, request } from "./lib/http.mjs";
import { OUT, Server } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

/** Long enough to look at a waiting order before the goods come. */
const LEAD_TIME_MS = 4_000;

describe("pages", () => {
  let server;
  let browser;
  const contexts = [];
  const pages = [];
  before(async () => {
    const env = { FIRSTCOME_FACTORY__LEAD_TIME_MS: String(LEAD_TIME_MS) };
    server = await Server.start({ env });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  async function context(options) {
    const made = await openContext(browser, options);
    contexts.push(made);
    return made;
  }

  async function open(where, address) {
    const page = await openPage(where, server.url + address);
    pages.push(page);
    return page;
  }

  /** A test whose pages are closed after it and must not have complained. */
  const pageTest = (name, body) =>
    test(name, async () => {
      try {
        await body();
        assert.deepEqual(pages.flatMap((page) => page.errors), []);
      } catch (error) {
        const shots = pages.filter((page) => !page.isClosed());
        for (const [n, page] of shots.entries()) {
          const file = `failed-${name.replaceAll(/[^a-z]+/gi, "-").slice(0, 60)}-${n}.png`;
          await page.screenshot({ path: path.join(OUT, file) }).catch(() => {});
        }
        throw error;
      } finally {
        for (const made of contexts.splice(0)) await made.close();
        pages.length = 0;
      }
    });

  pageTest("the last unit, two windows: one has it, the other hears so, nobody reloads", async () => {
    await createProduct(server, "LAST-1", { stock: 1 });
    const windows = [];
    for (const who of ["ada", "bob"]) {
      const page = await open(await context(), "/shop/LAST-1");
      await number(page, "available", (n) => n === 1);
      await connected(page);
      await byId(page, "buy-email").fill(`${who}@example.com`);
      windows.push({ page, same: await markWindow(page) });
    }
    await Promise.all(windows.map(({ page }) => byId(page, "buy-button").click()));
    const verdicts = await Promise.all(
      windows.map(({ page }) => verdict(page, "accepted", "sold_out")),
    );
    assert.deepEqual(verdicts.toSorted(), ["accepted", "sold_out"]);
    for (const { page, same } of windows) {
      await number(page, "available", (n) => n === 0);
      await same();
    }
    const product = await get(server, "/products/LAST-1");
    assert.equal(product.allocated, 1);
    assert.equal(product.lastPlace, 2);
  });

  pageTest("a window that only watches sees the stock go, on the product's page and the shop's", async () => {
    await createProduct(server, "WATCH-1", { stock: 7 });
    const where = await context();
    const product = await open(where, "/shop/WATCH-1");
    const shop = await open(where, "/");
    const card = byId(shop, "product-card-WATCH-1");
    await card.waitFor();
    await number(product, "available", (n) => n === 7);
    await connected(product);
    const same = [await markWindow(product), await markWindow(shop)];
    await order(server, "WATCH-1", "elsewhere@example.com", { quantity: 3 });
    await number(product, "available", (n) => n === 4);
    await until("the card shows it", async () => (await card.textContent()).includes("4"));
    for (const check of same) await check();
  });

  pageTest("the donut's line: a place, people ahead, the factory delivers, the verdict appears", async () => {
    const sku = "CP-502101";
    const page = await open(await context(), `/shop/${sku}`);
    await connected(page);
    const { available } = await get(server, `/products/${sku}`);
    for (let n = 0; n < available; n += 1) await order(server, sku, `early-${n}@example.com`);
    await number(page, "available", (n) => n === 0);
    for (let n = 0; n < 3; n += 1) await order(server, sku, `ahead-${n}@example.com`);

    const same = await markWindow(page);
    await buy(page, "waiting@example.com");
    await verdict(page, "pending");
    assert.equal(await number(page, "place", () => true), available + 4);
    assert.equal(await number(page, "ahead", () => true), 3);
    await page.screenshot({ path: path.join(OUT, "waiting-line.png"), fullPage: true });
    await verdict(page, "accepted");
    await same();
    assert.equal(await number(page, "place", () => true), available + 4);
    assert.equal((await get(server, `/products/${sku}`)).waiting, 0);
  });

  pageTest("those ahead leave the line one by one and the window counts down", async () => {
    await createProduct(server, "LINE-1", { whenSoldOut: "wait" });
    const first = [];
    for (let n = 0; n < 3; n += 1) {
      first.push((await order(server, "LINE-1", `line-${n}@example.com`)).json);
    }
    const page = await open(await context(), "/shop/LINE-1");
    await connected(page);
    await buy(page, "fourth@example.com");
    await verdict(page, "pending");
    await number(page, "ahead", (n) => n === 3);
    await receive(server, "LINE-1", 1, "one");
    await number(page, "ahead", (n) => n === 2);
    // Somebody in front gives up.
    await request("DELETE", `${server.url}/orders/${first[1].id}`);
    await number(page, "ahead", (n) => n === 1);
    assert.equal(await number(page, "place", () => true), 4);
    await receive(server, "LINE-1", 2, "two");
    await verdict(page, "accepted");
  });

  pageTest("how long the line may take: nothing before there is a pace, then what the pace says", async () => {
    await createProduct(server, "PACE-1", { whenSoldOut: "wait" });
    for (let n = 0; n < 2; n += 1) await order(server, "PACE-1", `pace-${n}@example.com`);
    await order(server, "PACE-1", "many@example.com", { quantity: 1_000 });
    const page = await open(await context(), "/shop/PACE-1");
    await connected(page);
    await buy(page, "patient@example.com");
    await verdict(page, "pending");
    const estimate = () => byId(page, "estimate").innerText();
    assert.equal(await estimate(), "not known yet");
    await receive(server, "PACE-1", 1, "one");
    // Within a second it would be the same delivery.
    await delay(1_200);
    await receive(server, "PACE-1", 1, "two");
    await until("minutes are shown", async () => /^about \d+ minutes$/.test(await estimate()));
    // A unit in 1.2 s and more, a thousand and one of them.
    const minutes = Number((await estimate()).match(/\d+/)[0]);
    assert.ok(minutes >= 20, String(minutes));
  });

  pageTest("a reload in the middle keeps the order", async () => {
    await createProduct(server, "RELOAD-1", { whenSoldOut: "wait" });
    const page = await open(await context(), "/shop/RELOAD-1");
    await connected(page);
    await buy(page, "reload@example.com", 2);
    await verdict(page, "pending");
    await page.reload();
    await verdict(page, "pending");
    assert.equal(await number(page, "place", () => true), 1);
    // What happens while the page is closed is there when it is opened again.
    await page.goto("about:blank");
    await receive(server, "RELOAD-1", 2, "goods");
    await page.goto(`${server.url}/shop/RELOAD-1`);
    await verdict(page, "accepted");
    assert.equal((await get(server, "/products/RELOAD-1")).lastPlace, 1);
  });

  pageTest("an order is cancelled from the page, after a question, and the next in line has it", async () => {
    await createProduct(server, "CANCEL-1", { stock: 1, whenSoldOut: "wait" });
    const [one, two] = [
      await open(await context(), "/shop/CANCEL-1"),
      await open(await context(), "/shop/CANCEL-1"),
    ];
    await buy(one, "one@example.com");
    await verdict(one, "accepted");
    await buy(two, "two@example.com");
    await verdict(two, "pending");
    await byId(one, "cancel-order").first().click();
    await byId(one, "confirm-no").click();
    await byId(one, "cancel-order").first().click();
    await byId(one, "confirm-yes").click();
    await verdict(one, "cancelled");
    await verdict(two, "accepted");
  });

  pageTest("bad input is explained beside the field, and nothing is ordered", async () => {
    await createProduct(server, "WRONG-1", { stock: 5, purchaseLimit: 2 });
    const page = await open(await context(), "/shop/WRONG-1");
    await connected(page);
    for (const [email, quantity, field] of [
      ["nobody", 1, "customer"],
      ["", 1, "customer"],
      ["ok@example.com", 0, "quantity"],
      ["ok@example.com", "1.5", "quantity"],
    ]) {
      await buy(page, email, quantity);
      const shown = page.locator(`[data-field="${field}"]`);
      await until(`a word about ${field}`, async () => (await shown.textContent()).trim() !== "");
    }
    assert.equal((await get(server, "/products/WRONG-1")).lastPlace, 0);
  });

  pageTest("offline and back: the order that was sent meanwhile is made once", async () => {
    await createProduct(server, "OFFLINE-1", { stock: 5 });
    const where = await context();
    const page = await open(where, "/shop/OFFLINE-1");
    await connected(page);
    const same = await markWindow(page);
    page.networkMayFail = true;
    await where.setOffline(true);
    await buy(page, "offline@example.com");
    // It is on its way, and the page does not claim anything else.
    await until("the page tries", async () => {
      const status = await byId(page, "verdict").getAttribute("data-status");
      assert.ok(!["accepted", "sold_out", "rejected", "cancelled"].includes(status), status);
      return status !== "none";
    });
    assert.equal((await get(server, "/products/OFFLINE-1")).lastPlace, 0);
    await where.setOffline(false);
    await verdict(page, "accepted");
    await connected(page);
    await same();
    page.networkMayFail = false;
    assert.equal((await get(server, "/products/OFFLINE-1")).lastPlace, 1);
    await order(server, "OFFLINE-1", "other@example.com");
    await number(page, "available", (n) => n === 3);
  });

  pageTest("the server dies and returns: the window notices, recovers, and has its verdict", async () => {
    await createProduct(server, "AWAY-1", { whenSoldOut: "wait" });
    const page = await open(await context(), "/shop/AWAY-1");
    await connected(page);
    await buy(page, "away@example.com");
    await verdict(page, "pending");
    const same = await markWindow(page);
    page.networkMayFail = true;
    await server.kill();
    await page.locator('[data-testid="connection"][data-state="reconnecting"]').waitFor();
    await server.restart();
    await receive(server, "AWAY-1", 1, "goods");
    await verdict(page, "accepted");
    await connected(page);
    await same();
  });

  pageTest("Korean and back, and the choice is kept", async () => {
    const page = await open(await context(), "/shop/POSTER-1");
    await connected(page);
    const language = () => page.evaluate(() => document.documentElement.lang);
    const title = () => byId(page, "buy-button").textContent();
    assert.equal(await language(), "en");
    assert.doesNotMatch(await title(), /[가-힣]/);
    await byId(page, "lang-switch").click();
    assert.equal(await language(), "ko");
    assert.match(await title(), /[가-힣]/);
    await page.reload();
    assert.equal(await language(), "ko");
    await page.goto(`${server.url}/?lang=en`);
    assert.equal(await language(), "en");
    await page.goto(`${server.url}/?lang=ko`);
    assert.equal(await language(), "ko");
    const korean = await open(await context({ locale: "ko-KR" }), "/");
    assert.equal(await korean.evaluate(() => document.documentElement.lang), "ko");
  });

  pageTest("operations: stock, queues and decisions as they happen", async () => {
    await createProduct(server, "OPS-1", { stock: 6 });
    const page = await open(await context(), "/ops");
    await connected(page);
    const same = await markWindow(page);
    const products = byId(page, "ops-products");
    await until("the product is listed", async () => (await products.textContent()).includes("OPS-1"));
    await order(server, "OPS-1", "ops@example.com");
    const decisions = byId(page, "ops-decisions");
    await until("the decision is shown", async () => (await decisions.textContent()).includes("OPS-1"));
    for (const part of ["ops-queues", "ops-dead-letters", "ops-replenishments"]) {
      await byId(page, part).waitFor({ state: "attached" });
    }
    const { queues } = await get(server, "/ops/queues");
    for (const queue of queues) {
      await until(`the queue ${queue.name} is listed`, async () =>
        (await byId(page, "ops-queues").textContent()).includes(queue.name),
      );
    }
    assert.doesNotMatch(await page.locator("body").innerText(), /ops@example\.com|undefined|NaN/);
    await same();
  });

  pageTest("operations: a dead letter is seen with its reason, and redriven once the factory is back", async () => {
    // A factory that is known but away: its address is one that nobody listens at now.
    const lead = { FIRSTCOME_FACTORY__LEAD_TIME_MS: "100" };
    const factory = await Server.start({ command: "factory", env: lead });
    await factory.kill();
    const shop = await Server.start({
      demo: false,
      env: {
        FIRSTCOME_FACTORIES__AWAY_1: `${factory.url}/api/manufactures`,
        FIRSTCOME_FACTORY__ATTEMPTS_MAX: "1",
      },
    });
    const reorder = { point: 0, quantity: 10, factory: "AWAY-1" };
    await createProduct(shop, "DEAD-1", { stock: 1, whenSoldOut: "wait", reorder });
    const page = await openPage(await context(), `${shop.url}/ops`);
    pages.push(page);
    await connected(page);
    await order(shop, "DEAD-1", "first@example.com");
    const waiting = (await order(shop, "DEAD-1", "second@example.com")).json;
    const letters = byId(page, "ops-dead-letters");
    await byId(letters, "redrive").first().waitFor();
    const reason = await letters.locator(".dead-reason").innerText();
    assert.equal(reason, `factory_unreachable: connection refused by 127.0.0.1:${factory.port}`);
    assert.equal((await get(shop, "/ops/summary")).deadLetters, 1);
    const cells = (table, name, expected) =>
      until(`${name} in ${table}`, async () => {
        const found = await row(byId(page, table), name);
        return found && Object.entries(expected).every(([column, what]) => what.test(found[column]));
      });
    await cells("ops-products", "DEAD-1", {
      "On hand": /^1$/,
      Allocated: /^1$/,
      Available: /^0$/,
      "Orders waiting": /^1$/,
      "Units waiting": /^1$/,
      "Last place": /^2$/,
    });
    await cells("ops-replenishments", "DEAD-1", {
      Product: /^DEAD-1\nAWAY-1$/,
      Status: /^Failed$/,
      Quantity: /^10$/,
      Received: /^0$/,
      Attempts: /^1$/,
      Requested: /^\d+ sec ago$/,
      Reason: /^Factory unreachable: connection refused by 127\.0\.0\.1:\d+$/,
    });
    await cells("ops-queues", "replenishment-dlq", { Waiting: /^1$/, "In flight": /^0$/, Oldest: /^\d+ sec$/ });
    await cells("ops-queues", "replenishment", { Waiting: /^0$/, "In flight": /^0$/, Oldest: /^–$/ });
    const tiles = await page.locator("#summary .tile").evaluateAll((all) =>
      Object.fromEntries(all.map((one) => [one.children[0].textContent, one.children[1].textContent])),
    );
    assert.equal(tiles["Orders waiting"], "1");
    assert.equal(tiles["Dead letters"], "1");
    await page.screenshot({ path: path.join(OUT, "dead-letter.png"), fullPage: true });

    await factory.restart();
    await byId(letters, "redrive").first().click();
    await byId(page, "confirm-yes").click();
    await until("the order that waited is accepted", async () =>
      (await get(shop, `/orders/${waiting.id}`)).status === "accepted",
    );
    await cells("ops-replenishments", "DEAD-1", { Status: /^Received$/, Received: /^10$/, Attempts: /^2$/ });
    await cells("ops-products", "DEAD-1", { "On hand": /^11$/, Available: /^9$/, "Orders waiting": /^0$/ });
    await byId(letters, "redrive").first().waitFor({ state: "detached" });
    const { replenishments } = await get(shop, "/replenishments?sku=DEAD-1");
    assert.equal(replenishments.filter((r) => r.status === "received").length, 1);
    assert.equal((await get(shop, "/products/DEAD-1")).onHand, 11);
    await page.close();
    await shop.stop();
    await factory.stop();
  });

  for (const [name, address, content] of [
    ["shop", "/", '[data-testid="product-card-CP-502101"]'],
    ["product", "/shop/CP-502101", '[data-testid="buy-button"]:enabled'],
    ["ops", "/ops", '[data-testid="ops-products"] :text("CP-502101")'],
  ]) {
    pageTest(`${name}: fits, reads and can be used by everybody`, async () => {
      fs.mkdirSync(OUT, { recursive: true });
      for (const colorScheme of ["light", "dark"]) {
        for (const language of ["en", "ko"]) {
          for (const width of [1280, 390]) {
            const viewport = { width, height: width === 390 ? 844 : 900 };
            const where = await context({ colorScheme, viewport });
            const page = await open(where, `${address}?lang=${language}`);
            await connected(page);
            await page.locator(content).first().waitFor();
            const what = `${name}-${width}-${colorScheme}-${language}`;
            const ground = await groundOf(page);
            assert.ok(colorScheme === "dark" ? ground < 60 : ground > 200, `${what}: a ground of ${ground}`);
            await assertFits(page, what);
            await page.screenshot({ path: path.join(OUT, `${what}.png`), fullPage: true });
            await assertAccessible(page, what);
            assert.doesNotMatch(await page.locator("body").innerText(), /undefined|NaN|\[object/, what);
            await page.close();
          }
        }
      }
    });
  }

  pageTest("a product that does not exist has a page that says so", async () => {
    const page = await openPage(await context(), `${server.url}/shop/NO-SUCH`);
    await page.locator("h1:visible").waitFor();
    const titles = await page.locator("h1:visible").allTextContents();
    assert.equal(titles.length, 1);
    await assertAccessible(page, "missing product");
  });
});
