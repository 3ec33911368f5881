// A sale of 1,000 units to 5,000 orders while the server is killed again and again.
//
// Clients do what good clients do: they send the same Idempotency-Key until they have a
// verdict. Whatever happens in between, the books are exact in the end: every order has
// one verdict and one place, and what was ever answered is what is stored.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { createProduct, get, order, request } from "./lib/http.mjs";
import { Server } from "./lib/server.mjs";
import { inParallel, random, until } from "./lib/wait.mjs";

const CLIENTS = 200;
const ORDERS_PER_CLIENT = 25;
const ORDERS = CLIENTS * ORDERS_PER_CLIENT;
const UNITS = 1_000;
const SKU = "CRASH-1";
/** A client that was refused or cut off tries again after so long. */
const RETRY_MS = 20;
const VERDICT_LIMIT_MS = 120_000;
/** Verdicts between two kills: some kills fall into the sale, some into the end of it. */
const VERDICTS_BETWEEN_KILLS = [40, 350];

const SEED = Number(process.env.CRASH_SEED ?? 20261120);

describe("a sale", () => {
  test("without a crash", () => sale({ kills: false, seed: SEED }));
  test(`killed again and again (CRASH_SEED=${SEED})`, () => sale({ kills: true, seed: SEED }));
});

async function sale({ kills, seed }) {
  const server = await Server.start({ demo: false });
  await createProduct(server, SKU, { stock: UNITS });
  const books = new Books();
  const killer = kills ? killAgainAndAgain(server, books, seed) : Promise.resolve(0);
  const next = random(seed + 1);
  const clients = Array.from({ length: CLIENTS }, (_, client) => client);
  await Promise.all(clients.map((client) => beClient(server, client, books, next)));
  books.closed = true;
  const killed = await killer;
  if (kills) assert.ok(killed >= 10, `only ${killed} kills`);

  await checkBooks(server, books);
  // A last end without warning: what lies on the disk then is exact too.
  await server.kill();
  const audit = await server.audit();
  assert.equal(audit.code, 0, audit.text);
  await server.restart();
  await checkBooks(server, books);
  await server.stop();
  if (kills) console.log(`killed ${killed} times, ${books.retries} retries`);
}

/** What the clients were told: one verdict for each key, however often they asked. */
class Books {
  verdicts = new Map();
  retries = 0;
  closed = false;

  add(key, given) {
    const verdict = {
      id: given.id,
      status: given.status,
      place: given.place,
      customer: given.customer,
      quantity: given.quantity,
    };
    const before = this.verdicts.get(key);
    if (before) assert.deepEqual(verdict, before, `${key} has two verdicts`);
    this.verdicts.set(key, verdict);
  }
}

async function beClient(server, client, books, next) {
  for (let n = 0; n < ORDERS_PER_CLIENT; n += 1) {
    const key = `client-${client}-order-${n}`;
    const customer = `${key}@example.com`;
    const asynchronous = next() < 0.2;
    books.add(key, await verdictOf(server, key, customer, asynchronous, books));
    // Some ask again although they know.
    if (next() < 0.1) books.add(key, await verdictOf(server, key, customer, asynchronous, books));
  }
}

/** Asks with the same key until there is a final answer. */
async function verdictOf(server, key, customer, asynchronous, books) {
  const headers = { "idempotency-key": key };
  if (asynchronous) headers.prefer = "respond-async";
  const end = Date.now() + VERDICT_LIMIT_MS;
  while (Date.now() < end) {
    const answer = await order(server, SKU, customer, { headers }).catch(() => undefined);
    if (answer?.status === 201) return answer.json;
    if (answer?.status === 409 && answer.json.code === "sold_out") return answer.json.order;
    if (answer?.status === 202) {
      const later = await request("GET", server.url + answer.headers.location).catch(() => undefined);
      // An order that was acknowledged exists, whatever has happened since.
      assert.notEqual(later?.status, 404, `${key}: an acknowledged order is gone`);
      if (later?.status === 200 && later.json.status !== "pending") return later.json;
    }
    const mayRetry = answer === undefined || [202, 503].includes(answer.status);
    assert.ok(mayRetry, `${key}: ${answer?.status} ${answer?.text}`);
    books.retries += 1;
    await delay(RETRY_MS);
  }
  throw new Error(`${key}: no verdict within ${VERDICT_LIMIT_MS} ms`);
}

/** Kills and restarts the server at moments that the seed decides; answers how often. */
async function killAgainAndAgain(server, books, seed) {
  const next = random(seed);
  const [least, most] = VERDICTS_BETWEEN_KILLS;
  let killed = 0;
  while (!books.closed) {
    const target = books.verdicts.size + least + Math.floor(next() * (most - least));
    await until(
      "the next kill or the end",
      () => books.closed || books.verdicts.size >= Math.min(target, ORDERS - 1),
      VERDICT_LIMIT_MS,
    );
    if (books.verdicts.size >= ORDERS - 1) break;
    await server.kill();
    killed += 1;
    if (killed % 4 === 0) {
      const audit = await server.audit();
      assert.equal(audit.code, 0, `after kill ${killed}: ${audit.text}`);
    }
    await server.restart();
  }
  return killed;
}

async function checkBooks(server, books) {
  assert.equal(books.verdicts.size, ORDERS);
  const verdicts = [...books.verdicts.values()];
  const count = (status) => verdicts.filter((v) => v.status === status).length;
  assert.equal(count("accepted"), UNITS);
  assert.equal(count("sold_out"), ORDERS - UNITS);
  const places = verdicts.map((v) => v.place).sort((a, b) => a - b);
  assert.deepEqual(places, Array.from({ length: ORDERS }, (_, i) => i + 1));
  // One unit each, so the first in line have them and nobody else.
  assert.ok(verdicts.every((v) => (v.status === "accepted") === v.place <= UNITS));
  assert.equal(new Set(verdicts.map((v) => v.id)).size, ORDERS);

  await inParallel(32, verdicts, async (verdict) => {
    const { customer, id, place, quantity, status } = await get(server, `/orders/${verdict.id}`);
    assert.deepEqual({ id, status, place, customer, quantity }, verdict);
  });
  const product = await get(server, `/products/${SKU}`);
  assert.equal(product.onHand, UNITS);
  assert.equal(product.allocated, UNITS);
  assert.equal(product.available, 0);
  assert.equal(product.lastPlace, ORDERS);
  assert.equal(product.waiting, 0);
}
