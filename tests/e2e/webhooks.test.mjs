// Webhooks as a receiver sees them: a real server that verifies each call with the package
// `standardwebhooks` and knows nothing else of the shop.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { after, before, describe, test } from "node:test";

import { Webhook } from "standardwebhooks";

import { createProduct, get, order, request } from "./lib/http.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

const SKU = "HOOK-1";
const LIMIT_MS = 40_000;

/** Keeps what came; answers what it is told to, 200 otherwise. */
class Receiver {
  calls = [];
  answers = [];

  async start() {
    this.server = http.createServer((incoming, answer) => {
      const chunks = [];
      incoming.on("data", (chunk) => chunks.push(chunk));
      incoming.on("end", () => {
        this.calls.push({ headers: incoming.headers, body: Buffer.concat(chunks).toString("utf8") });
        answer.statusCode = this.answers.shift() ?? 200;
        answer.end();
      });
    });
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    return this;
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}/hook`;
  }

  async call(n) {
    return until(`call ${n}`, () => this.calls[n - 1], LIMIT_MS);
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }
}

describe("webhooks", () => {
  let shop;
  let receiver;
  let hook;

  const post = async (path, body, status) => {
    const answer = await request("POST", shop.url + path, { body });
    assert.equal(answer.status, status, answer.text);
    return answer.json;
  };
  const verify = (call, secret) => new Webhook(secret).verify(call.body, call.headers);

  before(async () => {
    shop = await Server.start({
      demo: false,
      env: { FIRSTCOME_WEBHOOKS__RETRIES_S: "[0, 1, 1]", FIRSTCOME_WEBHOOKS__TIMEOUT_MS: "2000" },
    });
    receiver = await new Receiver().start();
    await createProduct(shop, SKU, { stock: 100 });
    hook = await post("/webhooks", { url: receiver.url, types: ["order.accepted"] }, 201);
  });
  after(async () => {
    await shop.stop();
    receiver.stop();
  });

  test("an event is verified by the package", async () => {
    assert.equal((await order(shop, SKU, "a@example.com")).status, 201);
    const call = await receiver.call(1);
    const event = verify(call, hook.secret);
    assert.equal(event.type, "order.accepted");
    assert.equal(call.headers["webhook-id"], `evt_${event.seq}`);
    assert.throws(() => new Webhook(hook.secret).verify(`${call.body} `, call.headers));
    assert.throws(() => verify(call, `whsec_${Buffer.alloc(32, 1).toString("base64")}`));
  });

  test("a call that fails comes again with its id, signed anew", async () => {
    const first = receiver.calls.length;
    receiver.answers = [500, 503];
    assert.equal((await order(shop, SKU, "b@example.com")).status, 201);
    await receiver.call(first + 3);
    const calls = receiver.calls.slice(first);
    assert.equal(new Set(calls.map((call) => call.headers["webhook-id"])).size, 1);
    for (const call of calls) verify(call, hook.secret);
    const { deliveries } = await until("it is noted", async () => {
      const list = await get(shop, `/webhooks/${hook.id}/deliveries`);
      return list.deliveries[0].status === "delivered" && list;
    });
    assert.deepEqual(deliveries[0].attempts.map((attempt) => attempt.status), [500, 503, 200]);
  });

  test("while a secret is replaced, receivers with either of them verify", async () => {
    const rotated = await post(`/webhooks/${hook.id}/rotate-secret`, {}, 200);
    const n = receiver.calls.length + 1;
    await post(`/webhooks/${hook.id}/test`, undefined, 202);
    const both = await receiver.call(n);
    assert.equal(verify(both, hook.secret).type, "webhook.test");
    assert.equal(verify(both, rotated.secret).type, "webhook.test");
    const last = await post(`/webhooks/${hook.id}/rotate-secret`, { overlapSeconds: 0 }, 200);
    await post(`/webhooks/${hook.id}/test`, undefined, 202);
    const alone = await receiver.call(n + 1);
    assert.throws(() => verify(alone, hook.secret));
    verify(alone, last.secret);
    hook = last;
  });

  test("a replay brings the same events with the same ids", async () => {
    const told = receiver.calls.filter((call) => JSON.parse(call.body).type === "order.accepted");
    const known = new Set(told.map((call) => call.headers["webhook-id"]));
    const n = receiver.calls.length;
    const { replayed } = await post(`/webhooks/${hook.id}/replay`, { since: 0 }, 202);
    assert.equal(replayed, known.size);
    await receiver.call(n + replayed);
    const again = receiver.calls.slice(n);
    for (const call of again) verify(call, hook.secret);
    assert.deepEqual(new Set(again.map((call) => call.headers["webhook-id"])), known);
  });

  test("nothing is lost when the shop is killed, and what comes twice has one id", async () => {
    const n = receiver.calls.length;
    const orders = 20;
    for (let i = 0; i < orders; i += 1) {
      assert.equal((await order(shop, SKU, `c${i}@example.com`)).status, 201);
      if (i % 7 === 6) {
        await shop.kill();
        await shop.restart();
      }
    }
    const ids = () => new Set(receiver.calls.slice(n).map((call) => call.headers["webhook-id"]));
    await until("every order is told", () => ids().size === orders, LIMIT_MS);
    for (const call of receiver.calls.slice(n)) verify(call, hook.secret);
  });
});
