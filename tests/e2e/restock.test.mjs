// Restocking by a factory that is a program of its own and fails in the middle: orders
// that wait are accepted in place order, and what arrives is counted once.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { createProduct, get, order } from "./lib/http.mjs";
import { Server } from "./lib/server.mjs";
import { Listener } from "./lib/sse.mjs";
import { until } from "./lib/wait.mjs";

/** Long enough for all to have ordered before the first delivery. */
const LEAD_TIME_MS = 1_200;
/** Long enough to kill a factory that has begun, however busy the machine is. */
const LONG_LEAD_TIME_MS = 1_500;
/** Three deliveries take a few seconds; ten times that is a failure. */
const DELIVERY_LIMIT_MS = 25_000;
const SKU = "RESTOCK-1";
const STOCK = 5;
const BATCH = 10;
/** After the stock is gone, so many wait: two deliveries and a half. */
const WAITING = 25;

describe("restocking", { concurrency: true }, () => {
  test("a factory that works", () => restock(async () => {}));

  test("in the demonstration too the factory that was configured is the one that is asked", () =>
    restock(async () => {}, { demo: true }));

  test("the factory is killed after it took the order", () =>
    restock(async ({ factory, shop }) => {
      await openReplenishment(shop, "in_production");
      await factory.kill();
      await factory.restart();
    }, { leadTimeMs: LONG_LEAD_TIME_MS }));

  test("the factory is killed in every delivery, and is away for a while", () =>
    restock(async ({ factory, shop, accepted }) => {
      for (let delivery = 0; delivery < 3; delivery += 1) {
        const before = accepted();
        await openReplenishment(shop, "in_production");
        await factory.kill();
        // Nothing arrives from a factory that is not there.
        const { status } = await openReplenishment(shop);
        assert.equal(status, "in_production");
        await factory.restart();
        await until("a delivery", () => accepted() >= Math.min(before + BATCH, STOCK + WAITING), DELIVERY_LIMIT_MS);
      }
    }, { leadTimeMs: LONG_LEAD_TIME_MS }));

  test("the factory is not there when it is asked", () =>
    restock(
      async ({ factory, shop }) => {
        const open = await until("the factory is missed", async () => {
          const found = await openReplenishment(shop);
          return found.attempts >= 2 && found;
        }, DELIVERY_LIMIT_MS);
        assert.equal(open.status, "requested");
        assert.equal(open.received, 0);
        await factory.restart();
      },
      { factoryAwayFirst: true },
    ));

  test("the shop is killed while the factory works", () =>
    restock(async ({ shop }) => {
      await openReplenishment(shop, "in_production");
      await shop.kill();
      await shop.restart();
      await openReplenishment(shop);
      await shop.kill();
      await shop.restart();
    }, { leadTimeMs: LONG_LEAD_TIME_MS }));
});

async function restock(disturb, options = {}) {
  const { factoryAwayFirst = false, leadTimeMs = LEAD_TIME_MS, demo = false } = options;
  const lead = { FIRSTCOME_FACTORY__LEAD_TIME_MS: String(leadTimeMs) };
  const factory = await Server.start({ command: "factory", env: lead });
  if (factoryAwayFirst) await factory.kill();
  const shop = await Server.start({
    demo,
    // The shop's own factory, where there is one, would be far too slow.
    env: {
      FIRSTCOME_FACTORIES__FF_500293: `${factory.url}/api/manufactures`,
      FIRSTCOME_FACTORY__LEAD_TIME_MS: "600000",
    },
  });
  await createProduct(shop, SKU, {
    stock: STOCK,
    whenSoldOut: "wait",
    reorder: { point: 0, quantity: BATCH, factory: "FF-500293" },
  });
  const placed = [];
  for (let place = 1; place <= STOCK + WAITING; place += 1) {
    const answer = await order(shop, SKU, `restock-${place}@example.com`);
    assert.equal(answer.status, place <= STOCK ? 201 : 202, answer.text);
    assert.equal(answer.json.place, place);
    placed.push(answer.json.id);
  }
  // The events of the whole story, however often the shop is killed during it.
  let events = [];
  let lastEventId = "0";
  let listener;
  const listen = () => {
    if (listener && !listener.closed) return;
    if (listener) {
      events.push(...listener.events);
      lastEventId = listener.lastEventId;
    }
    listener = new Listener(`${shop.url}/products/${SKU}/events`, { lastEventId });
  };
  const seen = () => [...events, ...listener.events];
  const accepted = () => seen().filter((e) => e.type === "order.accepted").length;
  listen();
  await disturb({ factory, shop, accepted });
  await until(
    "everybody who waited is served",
    () => {
      listen();
      return accepted() >= STOCK + WAITING;
    },
    DELIVERY_LIMIT_MS,
  );
  listener.close();
  events = seen();

  const acceptedPlaces = events.filter((e) => e.type === "order.accepted").map((e) => e.data.place);
  assert.deepEqual(acceptedPlaces, Array.from({ length: STOCK + WAITING }, (_, i) => i + 1));
  for (const id of placed) assert.equal((await get(shop, `/orders/${id}`)).status, "accepted");

  // Once each: the replenishments, the receipts, the movements and the stock agree.
  await until("no replenishment is open", async () => !(await get(shop, `/products/${SKU}`)).replenishment);
  const { replenishments } = await get(shop, `/replenishments?sku=${SKU}&limit=100`);
  assert.ok(replenishments.every((r) => r.status === "received" && r.received === r.quantity));
  const received = replenishments.reduce((sum, r) => sum + r.received, 0);
  const product = await get(shop, `/products/${SKU}`);
  assert.equal(product.onHand, STOCK + received);
  assert.equal(product.allocated, STOCK + WAITING);
  assert.equal(product.waiting, 0);
  assert.ok(product.available > 0, "an available unit ends the reordering");
  const { movements } = await get(shop, `/products/${SKU}/movements?limit=100`);
  const arrivals = movements.filter((m) => m.onHand !== 0);
  const delivered = arrivals.reduce((sum, m) => sum + m.onHand, 0);
  assert.equal(delivered, STOCK + received);
  assert.equal(arrivals.length, replenishments.length + 1);
  const summary = await get(shop, "/ops/summary");
  assert.equal(summary.deadLetters, 0);

  await shop.stop();
  await factory.stop();
}

/** The one open replenishment, once it has the wanted status. */
function openReplenishment(shop, status) {
  return until(`an open replenishment ${status ?? ""}`, async () => {
    const { replenishments } = await get(shop, `/replenishments?sku=${SKU}`);
    const open = replenishments.filter((r) => ["requested", "in_production"].includes(r.status));
    assert.ok(open.length <= 1, "more than one open replenishment");
    return open.find((r) => !status || r.status === status);
  }, DELIVERY_LIMIT_MS);
}
