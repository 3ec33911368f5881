// The parcel on its order's page: every step live, in two languages, light and dark, on a desk
// and on a telephone, with nothing else on the page moving.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import {
  assertAccessible,
  assertFits,
  buy,
  byId,
  connected,
  launch,
  markWindow,
  openContext,
  openPage,
  verdict,
} from "./lib/browser.mjs";
import { createProduct, get, request } from "./lib/http.mjs";
import { OUT, Server } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

const WORDS = {
  en: {
    created: "Registered",
    packed: "Packed",
    in_transit: "On its way",
    delivered: "Delivered",
    returned: "Returned",
  },
  ko: {
    created: "접수",
    packed: "포장 완료",
    in_transit: "배송 중",
    delivered: "배송 완료",
    returned: "반송",
  },
};

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** What the topic says of an accepted order; a repeat of it changes nothing. */
async function tellTracking(server, order) {
  const seq = [...order.id.slice(4, 14)].reduce((n, c) => n * 32 + ALPHABET.indexOf(c), 0);
  const { id, customer, sku, quantity, unitPrice, currency } = order;
  const message = {
    type: "order.accepted",
    seq: seq + 1_000_000,
    at: Date.parse(order.decidedAt),
    data: {},
    order: { id, seq, customer, sku, quantity, unitPrice, currency },
  };
  const path = `${server.url}/ops/queues/product-tracking/messages`;
  const answer = await request("POST", path, { body: { body: JSON.stringify(message) } });
  assert.equal(answer.status, 201);
}

async function carrierSays(server, id, status) {
  const parcel = await until("the parcel is there", async () => {
    const order = await get(server, `/orders/${id}`);
    return order.parcel;
  });
  const path = `${server.url}/carrier/parcels/${parcel.trackingId}`;
  const answer = await request("POST", path, { body: { status } });
  assert.equal(answer.status, 200, JSON.stringify(answer.json));
}

/** The order that this window remembers. */
const ownOrder = (page) =>
  page.evaluate(() => {
    const key = Object.keys(localStorage).find((name) => name.startsWith("firstcome.order."));
    return JSON.parse(localStorage.getItem(key));
  });

async function shown(page, status) {
  await page.locator(`[data-testid="parcel"][data-status="${status}"]`).waitFor();
}

describe("the parcel on the order's page", () => {
  let server;
  let browser;
  before(async () => {
    server = await Server.start({ demo: false });
    browser = await launch();
    fs.mkdirSync(OUT, { recursive: true });
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  for (const [language, scheme, width] of [
    ["en", "light", 1280],
    ["ko", "dark", 390],
    ["ko", "light", 1280],
    ["en", "dark", 390],
  ]) {
    test(`${language}, ${scheme}, ${width} px: every step live, nothing moves`, async () => {
      const sku = `P-${language}-${width}`;
      await createProduct(server, sku, { stock: 3 });
      const context = await openContext(browser, {
        locale: language === "en" ? "en-US" : "ko-KR",
        colorScheme: scheme,
        viewport: { width, height: 900 },
      });
      const page = await openPage(context, `${server.url}/shop/${sku}`);
      await connected(page);
      const same = await markWindow(page);
      await buy(page, "ada@example.com");
      await verdict(page, "accepted");
      const root = byId(page, "parcel");
      await root.waitFor();
      const order = await ownOrder(page);
      await tellTracking(server, order);
      const words = WORDS[language];
      let height = null;
      for (const status of ["created", "packed", "in_transit", "delivered"]) {
        if (status !== "created") await carrierSays(server, order.id, status);
        await shown(page, status);
        const current = page.locator('.parcel-step[aria-current="step"]');
        assert.equal(await current.getAttribute("data-step"), status);
        assert.equal(await current.locator(".parcel-label").textContent(), words[status]);
        assert.equal(await byId(page, "parcel-status").getAttribute("aria-live"), "polite");
        const steps = await page.locator(".parcel-step").evaluateAll((nodes) =>
          nodes.map((node) => [node.dataset.step, node.dataset.state]),
        );
        const at = steps.findIndex(([name]) => name === status);
        for (const [n, [, state]] of steps.entries()) {
          const expected = n < at || (n === at && status === "delivered") ? "done" : n === at ? "now" : "next";
          assert.equal(state, expected, `${status}: ${JSON.stringify(steps)}`);
        }
        const box = await root.boundingBox();
        height ??= Math.round(box.height);
        assert.equal(Math.round(box.height), height, "the steps keep their room");
        await assertFits(page, status);
        await assertAccessible(page, `${language} ${scheme} ${status}`);
        if (status === "in_transit" || status === "delivered") {
          await root.scrollIntoViewIfNeeded();
          const name = `parcel-${status}-${language}-${scheme}-${width}.png`;
          await page.screenshot({ path: path.join(OUT, name) });
        }
      }
      await same();
      await page.reload();
      await shown(page, "delivered");
      assert.deepEqual(page.errors, []);
      await context.close();
    });
  }

  test("before its parcel is known an accepted order keeps the room, and its steps then fill it", async () => {
    await createProduct(server, "ROOM-1", { stock: 1 });
    const context = await openContext(browser);
    const page = await openPage(context, `${server.url}/shop/ROOM-1`);
    await connected(page);
    assert.equal(await byId(page, "parcel").isVisible(), false);
    await buy(page, "bob@example.com");
    await verdict(page, "accepted");
    const root = byId(page, "parcel");
    await root.waitFor();
    const room = async () =>
      Object.values(await root.boundingBox()).map((pixels) => Math.round(pixels));
    const before = await room();
    await tellTracking(server, await ownOrder(page));
    await shown(page, "created");
    assert.deepEqual(await room(), before);
    assert.match(await root.textContent(), /trk_[0-9a-z]{16}/);
    assert.deepEqual(page.errors, []);
    await context.close();
  });

  test("a parcel that comes back says so in words", async () => {
    await createProduct(server, "BACK-1", { stock: 1 });
    const context = await openContext(browser);
    const page = await openPage(context, `${server.url}/shop/BACK-1`);
    await connected(page);
    await buy(page, "eve@example.com");
    await verdict(page, "accepted");
    const order = await ownOrder(page);
    await tellTracking(server, order);
    await carrierSays(server, order.id, "in_transit");
    await shown(page, "in_transit");
    await carrierSays(server, order.id, "returned");
    await shown(page, "returned");
    const labels = await page.locator(".parcel-label").allTextContents();
    assert.deepEqual(labels, [WORDS.en.created, WORDS.en.returned]);
    await page.screenshot({ path: path.join(OUT, "parcel-returned.png"), fullPage: true });
    assert.deepEqual(page.errors, []);
    await context.close();
  });
});
