// The consumer in Node of docs/CONSUMERS.md, as it stands in examples/sold-units: real orders,
// killed half-way and started again, and each order counts once.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { once } from "node:events";
import { after, before, test } from "node:test";

import { Example } from "./lib/example.mjs";
import { createProduct, get, order, request } from "./lib/http.mjs";
import { Server } from "./lib/server.mjs";
import { inParallel, until } from "./lib/wait.mjs";

const ORDERS = 150;
const SKUS = ["SOLD-1", "SOLD-2", "SOLD-3"];
const KILLS = 3;
const WORK_LIMIT_MS = 60_000;

let server;
let example;
before(async () => {
  example = new Example("sold-units");
  server = await Server.start({ config: soonerSettings() });
  example.env.AWS_ENDPOINT_URL = server.aws;
});
after(() => server?.stop());

/** The example's own settings, but for messages that come back sooner. */
function soonerSettings() {
  const config = path.join(example.programs, "firstcome.toml");
  const settings = fs.readFileSync(config, "utf8");
  const sooner = settings.replace("VisibilityTimeout = 30", "VisibilityTimeout = 2");
  assert.notEqual(sooner, settings, "the line that this changes is there");
  fs.writeFileSync(config, sooner);
  return config;
}

/** The lines of its file, without one that was cut off. */
function lines() {
  const file = path.join(example.programs, "sold.jsonl");
  if (!fs.existsSync(file)) return [];
  const whole = fs.readFileSync(file, "utf8");
  const text = whole.slice(0, whole.lastIndexOf("\n") + 1);
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

const sum = (pairs) => {
  const sums = Object.fromEntries(SKUS.map((sku) => [sku, 0]));
  for (const { sku, units } of pairs) sums[sku] += units;
  return sums;
};

/** What is in the queue comes twice. */
async function sendAgain() {
  const messages = "/ops/queues/sold-units/messages";
  const listed = await until("there is something", async () => {
    const page = await get(server, messages);
    return page.messages.length > 0 && page.messages;
  });
  for (const { seq } of listed) {
    const { body } = await get(server, `${messages}/${seq}`);
    const sent = await request("POST", server.url + messages, { body: { body } });
    assert.equal(sent.status, 201, sent.text);
  }
}

test("its packages are the ones that the suites use", () => example.assertPinned());

test("each order counts once, though the consumer is killed half-way", async () => {
  for (const sku of SKUS) await createProduct(server, sku, { stock: 1_000_000 });
  const numbers = [...Array(ORDERS).keys()];
  const accepted = [];
  let events = 0;
  const buying = inParallel(4, numbers, async (n) => {
    const [sku, quantity] = [SKUS[n % SKUS.length], 1 + (n % 4)];
    const answer = await order(server, sku, `buyer${n}@example.com`, { quantity });
    assert.equal(answer.status, 201, answer.text);
    events += 1;
    if (n % 5 === 0) {
      const cancelled = await request("DELETE", `${server.url}/orders/${answer.json.id}`);
      assert.equal(cancelled.status, 200, cancelled.text);
      events += 1;
    } else {
      accepted.push({ sku, units: quantity });
    }
    // Slower than the consumer, so that it is killed in between.
    await until("it follows", () => lines().length > events - 60, WORK_LIMIT_MS);
  });

  let consumer = example.start("consumer.mjs");
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const enough = (ORDERS / (KILLS + 1)) * kill;
    await until(
      `it has counted ${enough}`,
      () => {
        assert.equal(consumer.child.exitCode, null, consumer.errors);
        return lines().length >= enough;
      },
      WORK_LIMIT_MS,
    );
    const gone = once(consumer.child, "exit");
    consumer.child.kill("SIGKILL");
    await gone;
    await sendAgain();
    // A crash may cut a line off.
    fs.appendFileSync(path.join(example.programs, "sold.jsonl"), '{"event":1');
    consumer = example.start("consumer.mjs");
  }
  await buying;
  await until("all is counted", () => lines().length >= events, WORK_LIMIT_MS);
  await until(
    "nothing is left",
    async () => {
      const queue = await get(server, "/ops/queues/sold-units");
      return queue.visible + queue.inFlight + queue.delayed === 0;
    },
    WORK_LIMIT_MS,
  );
  await example.stop(consumer);

  const counted = lines();
  assert.equal(counted.length, events, "one line for each event");
  assert.equal(new Set(counted.map((line) => line.event)).size, events, "each once");
  assert.deepEqual(sum(counted), sum(accepted));
  const dead = await get(server, "/ops/queues/sold-units-dlq");
  assert.equal(dead.visible, 0);
});
