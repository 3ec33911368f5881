// Purchases in system C's form: its two consumers, written with `sqs-consumer` as it writes
// them, take the place of ours and come to the same points. And system E's consumer, which
// works longer than its visibility timeout.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import * as sqsSdk from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

import { attributesOf, bodies, drain, KEYS, REGION, send, withDeadLetters } from "./lib/aws.mjs";
import { get, request } from "./lib/http.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

const PURCHASES = 200;
const CUSTOMERS = 12;
/** Each tenth purchase is sent twice. */
const SENT_TWICE = 10;
/** Each seventh message is handled, and then its consumer dies before it can say so. */
const HANDLED_TWICE = 7;
const LIMIT_MS = 60_000;
const QUEUES = ["mileage", "product-tracking"];

const purchases = Array.from({ length: PURCHASES }, (_, i) => {
  const price = (i * 7919) % 50_000;
  return {
    id: i % 2 === 0 ? i : `p-${i}`,
    username: `user${i % CUSTOMERS}@example.com`,
    price: i % 3 === 0 ? String(price) : price,
    mileageAccumulated: 0,
    trackingId: `T-${i}`,
  };
});
const deliveries = purchases.flatMap((one, i) => (i % SENT_TWICE === 0 ? [one, one] : [one]));

/** Two percent, whole points. */
const pointsOf = (price) => Math.floor((Number(price) * 2) / 100);

const clientOf = (endpoint) =>
  new sqsSdk.SQSClient({ region: REGION, credentials: KEYS, endpoint });

async function urlOf(client, name) {
  const found = await client.send(new sqsSdk.GetQueueUrlCommand({ QueueName: name }));
  return found.QueueUrl;
}

/** System C's two consumers: a map of points and a list of parcels, both in memory. */
async function systemC(client) {
  const mileage = new Map();
  const parcels = new Set();
  const counted = new Set();
  const complaints = [];
  let handled = 0;
  const consumer = async (queue, effect) => {
    const made = Consumer.create({
      queueUrl: await urlOf(client, queue),
      sqs: client,
      batchSize: 10,
      // What was not acknowledged comes back at once, not in half a minute.
      terminateVisibilityTimeout: true,
      handleMessage: async (message) => {
        effect(JSON.parse(message.Body));
        handled += 1;
        const isFirst = message.Attributes.ApproximateReceiveCount === "1";
        if (isFirst && handled % HANDLED_TWICE === 0) throw new Error("it dies before the delete");
        return message;
      },
      messageSystemAttributeNames: ["ApproximateReceiveCount"],
    });
    made.on("error", (error) => complaints.push(error.message));
    made.on("processing_error", () => {});
    made.start();
    return made;
  };
  const consumers = [
    await consumer("mileage", ({ id, username, price }) => {
      if (counted.has(String(id))) return;
      counted.add(String(id));
      mileage.set(username, (mileage.get(username) ?? 0) + pointsOf(price));
    }),
    await consumer("product-tracking", ({ trackingId }) => parcels.add(trackingId)),
  ];
  return {
    mileage,
    parcels,
    complaints,
    handled: () => handled,
    stop: () => consumers.forEach((one) => one.stop({ abort: true })),
  };
}

async function buyEverything(server) {
  for (const [i, body] of deliveries.entries()) {
    // System C asks with GET and a body; both are one.
    const method = i % 4 === 0 ? "GET" : "POST";
    const headers = { "content-length": String(Buffer.byteLength(JSON.stringify(body))) };
    const answer = await request(method, `${server.url}/purchase`, { body, headers });
    assert.equal(answer.status, 202, answer.text);
    assert.deepEqual(answer.json.queues, QUEUES);
    assert.equal(answer.json.id, body.id);
  }
}

const isEmpty = (server, queue) =>
  until(
    `${queue} is empty`,
    async () => (await get(server, `/ops/queues/${queue}`)).total === 0,
    LIMIT_MS,
  );

describe("purchases", { concurrency: true }, () => {
  test("system C's consumers and ours come to the same points", async () => {
    const theirs = await Server.start({
      demo: false,
      env: { FIRSTCOME_CONSUMERS__OFF: JSON.stringify(QUEUES) },
    });
    const ours = await Server.start({ demo: false });
    const client = clientOf(theirs.aws);
    const consumers = await systemC(client);
    try {
      await Promise.all([buyEverything(theirs), buyEverything(ours)]);
      for (const queue of QUEUES) await isEmpty(theirs, queue);
      await isEmpty(ours, "mileage");
    } finally {
      consumers.stop();
    }
    assert.deepEqual(consumers.complaints, []);
    // Every purchase in both queues, and more deliveries than that.
    assert.ok(consumers.handled() > 2 * deliveries.length, String(consumers.handled()));
    assert.equal(consumers.parcels.size, PURCHASES);
    assert.equal(consumers.mileage.size, CUSTOMERS);
    for (const [username, points] of consumers.mileage) {
      const customer = await get(ours, `/customers/${encodeURIComponent(username)}`);
      assert.equal(customer.mileage, points, username);
      const bought = purchases.filter((one) => one.username === username);
      const expected = bought.reduce((sum, one) => sum + pointsOf(one.price), 0);
      assert.equal(points, expected, username);
      const { mileage } = await get(ours, `/customers/${encodeURIComponent(username)}/mileage`);
      assert.equal(mileage.length, bought.length, username);
    }
    for (const queue of QUEUES) await isEmpty(theirs, `${queue}-dlq`);
    await isEmpty(ours, "mileage-dlq");
    // Ours were off there: nobody counted.
    const nobody = await request("GET", `${theirs.url}/customers/user0@example.com`);
    assert.equal(nobody.status, 404, nobody.text);
    client.destroy();
    await Promise.all([theirs.stop(), ours.stop()]);
  });

  describe("a consumer that works longer than the visibility timeout", () => {
    let server;
    let client;
    before(async () => {
      server = await Server.start({ demo: false });
      client = clientOf(server.aws);
    });
    after(async () => {
      client?.destroy();
      await server?.stop();
    });
    const sqs = {
      call: (action, parameters) => client.send(new sqsSdk[`${action}Command`](parameters)),
    };

    /** Its work is done every time and never in time: nobody learns of it. */
    async function tooSlow(timeoutS, workS, receives) {
      const { queue, dead } = await withDeadLetters(sqs, receives, {
        VisibilityTimeout: timeoutS,
      });
      const begun = [];
      // As many as a service that scales would run: one waits while another works.
      const consumers = Array.from({ length: receives + 1 }, () =>
        Consumer.create({
          queueUrl: queue,
          sqs: client,
          waitTimeSeconds: 1,
          messageSystemAttributeNames: ["ApproximateReceiveCount"],
          handleMessage: async (message) => {
            begun.push(message.Attributes.ApproximateReceiveCount);
            await delay(workS * 1000);
            return message;
          },
        }),
      );
      for (const consumer of consumers) consumer.on("error", () => {}).start();
      try {
        await send(sqs, queue, "slow work");
        await until(
          "the dead letter",
          async () => (await attributesOf(sqs, dead)).ApproximateNumberOfMessages === "1",
          (timeoutS * receives + workS) * 2_000,
        );
      } finally {
        for (const consumer of consumers) consumer.stop({ abort: true });
      }
      const counts = Array.from({ length: receives }, (_, i) => String(i + 1));
      assert.deepEqual(begun, counts, "each receive once, in order");
      const left = await attributesOf(sqs, queue);
      assert.equal(left.ApproximateNumberOfMessages, "0");
      assert.equal(left.ApproximateNumberOfMessagesNotVisible, "0");
      assert.deepEqual(bodies(await drain(sqs, dead, 1)), ["slow work"]);
    }

    test("3 s of work, 2 s of timeout, 3 receives", () => tooSlow(2, 3, 3));
    test("15 s of work, 10 s of timeout, 2 receives, as system E has it", () =>
      tooSlow(10, 15, 2));
  });
});
