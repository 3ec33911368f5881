// What a newcomer sees who types one command and opens the shop twice: the demonstration's donut, from
// the first press to the third delivery of its factory, in two windows that nobody reloads.

import assert from "node:assert/strict";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import { QUIET_MS } from "../../crates/server/web/gesture.js";
import { buy, byId, connected, launch, markWindow, number, openContext, openPage, verdict } from "./lib/browser.mjs";
import { get } from "./lib/http.mjs";
import { OUT, Server } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

const DONUT = "CP-502101";
/** Long enough to press twice before the goods come, in a browser on a busy machine. */
const LEAD_TIME_MS = 8_000;
/** A delivery, and the browser's own time. */
const DELIVERY_LIMIT_MS = 30_000;

describe("a sale as a newcomer sees it", () => {
  let server;
  let browser;
  const windows = [];
  before(async () => {
    server = await Server.start({ env: { FIRSTCOME_FACTORY__LEAD_TIME_MS: String(LEAD_TIME_MS) } });
    browser = await launch();
  });
  after(async () => {
    for (const [n, { page }] of windows.entries()) {
      await page.screenshot({ path: path.join(OUT, `story-end-${n}.png`), fullPage: true });
    }
    for (const { context } of windows) await context.close();
    await browser?.close();
    await server?.stop();
  });

  async function open() {
    const context = await openContext(browser);
    const page = await openPage(context, `${server.url}/`);
    windows.push({ context, page });
    await byId(page, `product-card-${DONUT}`).click();
    await connected(page);
    await number(page, "available", (n) => n === 5);
    return { page, same: await markWindow(page) };
  }

  /** As a hand that means a second thing presses: later than what belongs to the first press. */
  async function buyMore(page, email, quantity) {
    const after = (await page.evaluate(() => performance.now())) + QUIET_MS;
    await page.waitForFunction((ms) => performance.now() > ms, after);
    await buy(page, email, quantity);
    await verdict(page, "pending");
  }

  const label = (page) => page.locator("#stock-label").innerText();
  const text = (page, name) => byId(page, name).innerText();
  const delivered = (page) =>
    page.locator('[data-testid="verdict"][data-status="accepted"]').waitFor({ timeout: DELIVERY_LIMIT_MS });

  test("two windows buy the last donuts, wait in line, and hear when the factory delivers", async () => {
    const [ada, bob] = [await open(), await open()];
    // Three and two: that was all.
    await buy(ada.page, "ada@example.com", 3);
    await verdict(ada.page, "accepted");
    await number(bob.page, "available", (n) => n === 2);
    await buy(bob.page, "bob@example.com", 2);
    await verdict(bob.page, "accepted");
    for (const { page } of [ada, bob]) {
      await until("it is sold out, and more is to come", async () => (await label(page)) === "Sold out, restocking");
    }

    // Each wants all that the factory makes at a time.
    await buyMore(ada.page, "ada@example.com", 10);
    await buyMore(bob.page, "bob@example.com", 10);
    assert.equal(await text(ada.page, "place"), "3");
    assert.equal(await text(ada.page, "ahead"), "0");
    assert.equal(await text(bob.page, "place"), "4");
    assert.equal(await text(bob.page, "ahead"), "1");
    // Nothing was granted to anybody who waited, so nobody knows.
    assert.equal(await text(bob.page, "estimate"), "not known yet");
    await bob.page.screenshot({ path: path.join(OUT, "story-waiting.png"), fullPage: true });

    // The first delivery is the first one's; the other comes to the head of the line.
    await delivered(ada.page);
    await number(bob.page, "ahead", (n) => n === 0);
    assert.equal(await byId(bob.page, "verdict").getAttribute("data-status"), "pending");
    await buyMore(ada.page, "ada@example.com", 10);
    assert.equal(await text(ada.page, "place"), "5");

    // From the second one on the line has a pace.
    await delivered(bob.page);
    assert.equal(await byId(ada.page, "verdict").getAttribute("data-status"), "pending");
    await until("the wait is known", async () => (await text(ada.page, "estimate")) === "under a minute");
    await delivered(ada.page);

    for (const { page, same } of [ada, bob]) {
      await same();
      assert.deepEqual(page.errors, []);
    }
    const donut = await get(server, `/products/${DONUT}`);
    assert.deepEqual([donut.onHand, donut.allocated, donut.waiting, donut.lastPlace], [35, 35, 0, 5]);
  });
});
