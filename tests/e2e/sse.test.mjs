// Event streams: a listener that is cut off anywhere and resumes with `Last-Event-ID`
// has in the end seen what an undisturbed one saw, in the same order, once each.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { createProduct, order, receive, request } from "./lib/http.mjs";
import { Server } from "./lib/server.mjs";
import { Listener } from "./lib/sse.mjs";
import { inParallel, random, until } from "./lib/wait.mjs";

const HEARTBEAT_LIMIT_MS = 20_000;
/** The number of events the server promises to hold. */
const HELD_EVENTS = 10_000;

describe("server-sent events", { concurrency: true }, () => {
  let server;
  before(async () => {
    server = await Server.start();
  });
  after(() => server.stop());

  /** Follows a stream over many short connections until `done(events)`. */
  async function followInPieces(url, from, seed, done) {
    const next = random(seed);
    const events = [];
    let lastEventId = from;
    let cuts = 0;
    let cutsInsideAnEvent = 0;
    while (!done(events)) {
      const cutAfterBytes = 1 + Math.floor(next() * 1500);
      const piece = new Listener(url, { lastEventId, cutAfterBytes });
      assert.equal(await piece.opened, 200);
      await until("the piece ends", () => piece.closed || done([...events, ...piece.events]), 30_000);
      piece.close();
      events.push(...piece.events);
      lastEventId = piece.lastEventId;
      cuts += 1;
      cutsInsideAnEvent += piece.buffer.trim() === "" ? 0 : 1;
    }
    return { events, cuts, cutsInsideAnEvent };
  }

  async function checkCutAndResumed({ path, sku, seed, from }) {
    const orders = 150;
    await createProduct(server, sku, { stock: 100 });
    const whole = new Listener(server.url + path, { lastEventId: from });
    assert.equal(await whole.opened, 200);
    assert.match(whole.type, /^text\/event-stream/);
    const own = (events) =>
      events.filter((e) => e.data.sku === sku && /^order\.(accepted|sold_out)$/.test(e.type));
    const done = (events) => own(events).length >= orders;

    const pieces = followInPieces(server.url + path, from, seed, done);
    const customers = Array.from({ length: orders }, (_, i) => `sse-${sku}-${i}@example.com`);
    await inParallel(10, customers, (customer) => order(server, sku, customer));
    const { events, cuts, cutsInsideAnEvent } = await pieces;
    await until("the whole stream has everything", () => done(whole.events));
    whole.close();

    assert.ok(cuts > 10, `only ${cuts} cuts`);
    assert.ok(cutsInsideAnEvent > 5, `only ${cutsInsideAnEvent} cuts inside an event`);
    const line = (list) => own(list).map((e) => `${e.id} ${e.type} ${e.data.place}`);
    assert.deepEqual(line(events), line(whole.events));
    assert.deepEqual(
      own(events).map((e) => e.data.place),
      Array.from({ length: orders }, (_, i) => i + 1),
    );
    // Sequences only rise, and are the ids.
    const seqs = events.map((e) => e.data.seq);
    assert.ok(seqs.every((seq, i) => i === 0 || seq > seqs[i - 1]), "a sequence does not rise");
    assert.deepEqual(events.map((e) => e.id), seqs.map(String));
    for (const event of own(events)) {
      assert.equal(event.data.type, event.type);
      assert.equal(event.data.quantity, 1);
      assert.equal(event.data.stock.onHand, 100);
      assert.equal(event.data.customer, undefined);
      assert.doesNotMatch(JSON.stringify(event.data), /ord_|@/);
    }
  }

  test("a product's stream, cut and resumed, misses nothing and repeats nothing", () =>
    checkCutAndResumed({ path: "/products/SSE-P/events", sku: "SSE-P", seed: 11, from: "0" }));

  test("the stream of everything, cut and resumed, misses nothing and repeats nothing", () =>
    checkCutAndResumed({ path: "/events", sku: "SSE-E", seed: 12, from: "0" }));

  test("a product's stream has no other product's events, and ?since= resumes too", async () => {
    await createProduct(server, "SSE-A", { stock: 5 });
    await createProduct(server, "SSE-B", { stock: 5 });
    await order(server, "SSE-B", "other@example.com");
    await order(server, "SSE-A", "one@example.com");
    await order(server, "SSE-A", "two@example.com");
    const all = new Listener(`${server.url}/products/SSE-A/events?since=0`);
    await all.event("the second order", (e) => e.data.place === 2);
    assert.ok(all.events.every((e) => e.data.sku === "SSE-A"));
    const first = all.events.find((e) => e.data.place === 1);
    const rest = new Listener(`${server.url}/products/SSE-A/events?since=${first.id}`);
    await rest.event("the second order", (e) => e.data.place === 2);
    assert.deepEqual(rest.events.map((e) => e.data.place), [2]);
    all.close();
    rest.close();
  });

  test("an order's stream begins with the order and brings its verdict", async () => {
    await createProduct(server, "SSE-O", { whenSoldOut: "wait" });
    const first = await order(server, "SSE-O", "first@example.com");
    const second = await order(server, "SSE-O", "second@example.com");
    assert.equal(second.status, 202, second.text);
    const listener = new Listener(`${server.url}/orders/${second.json.id}/events`);
    const begin = await listener.event("the order itself", (e) => e.type === "order");
    assert.equal(begin.data.id, second.json.id);
    assert.equal(begin.data.status, "pending");
    assert.equal(begin.data.place, 2);
    assert.equal(begin.data.ahead, 1);

    await receive(server, "SSE-O", 1, "one unit");
    await listener.event("the line moved", (e) => e.data.status === "pending" && e.data.ahead === 0);
    await receive(server, "SSE-O", 1, "another unit");
    await listener.event("accepted", (e) => e.data.status === "accepted");
    // It stays open for the cancellation.
    await request("DELETE", `${server.url}/orders/${second.json.id}`);
    await listener.event("cancelled", (e) => e.data.status === "cancelled");
    assert.equal(listener.closed, false);
    assert.ok(listener.events.every((e) => e.data.id !== first.json.id));
    listener.close();
  });

  test("an order's stream, cut off while the verdict falls, has it after resuming", async () => {
    await createProduct(server, "SSE-R", { whenSoldOut: "wait" });
    const placed = await order(server, "SSE-R", "resume@example.com");
    const url = `${server.url}/orders/${placed.json.id}/events`;
    const before = new Listener(url);
    await before.event("the order", (e) => e.data.status === "pending");
    before.close();
    await receive(server, "SSE-R", 1, "while away");
    const afterwards = new Listener(url, { lastEventId: before.lastEventId });
    await afterwards.event("accepted", (e) => e.data.status === "accepted");
    afterwards.close();
  });

  test("nobody reads an order's stream without its unguessable id", async () => {
    await createProduct(server, "SSE-S", { stock: 1 });
    const { json } = await order(server, "SSE-S", "secret@example.com");
    const last = json.id.at(-1);
    const wrong = json.id.slice(0, -1) + (last === "0" ? "1" : "0");
    for (const id of [wrong, "ord_1", "1", "%00", `${json.id}x`]) {
      const answer = await request("GET", `${server.url}/orders/${id}/events`);
      assert.equal(answer.status, 404, `${id}: ${answer.text}`);
      assert.equal(answer.json.code, "order_not_found");
    }
    const none = await request("GET", `${server.url}/products/NO-SUCH/events`);
    assert.equal(none.status, 404);
    assert.equal(none.json.code, "product_not_found");
  });

  test("a silent stream has a heartbeat", async () => {
    await createProduct(server, "SSE-H");
    const listener = new Listener(`${server.url}/products/SSE-H/events`);
    await listener.opened;
    const before = listener.comments;
    await until("a comment", () => listener.comments > before, HEARTBEAT_LIMIT_MS);
    listener.close();
  });

  test("an id that cannot be resumed from is refused or begins anew, and breaks nothing", async () => {
    for (const lastEventId of ["abc", "-1", "1.5", "99999999999999999999999", ""]) {
      const listener = new Listener(`${server.url}/products/CP-502101/events`, { lastEventId });
      const status = await listener.opened;
      assert.ok(status === 200 || (status >= 400 && status < 500), `${lastEventId}: ${status}`);
      listener.close();
    }
  });
});

describe("a listener that was away too long", () => {
  test("is told to fetch again", async () => {
    const server = await Server.start();
    await createProduct(server, "SSE-OLD", { stock: 0 });
    const listener = new Listener(`${server.url}/products/SSE-OLD/events`, { lastEventId: "0" });
    const first = await listener.event("an event", () => true);
    listener.close();
    const many = Array.from({ length: HELD_EVENTS + 50 }, (_, i) => `old-${i}@example.com`);
    await inParallel(128, many, (customer) => order(server, "SSE-OLD", customer));
    for (const path of ["/events", "/products/SSE-OLD/events"]) {
      const late = new Listener(server.url + path, { lastEventId: first.id });
      const event = await late.event("any event", () => true);
      assert.equal(event.type, "reset", path);
      late.close();
      // From the id that the reset carried, nothing is missed.
      const again = new Listener(server.url + path, { lastEventId: late.lastEventId });
      await again.opened;
      const before = await order(server, "SSE-OLD", `after-reset@example.com`);
      assert.equal(before.status, 409);
      await again.event("the new one", (e) => e.data.place === before.json.order.place);
      assert.ok(again.events.every((e) => e.type !== "reset"));
      again.close();
    }
    await server.stop();
  });
});
