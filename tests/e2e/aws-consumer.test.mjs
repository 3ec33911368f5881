// `sqs-consumer`, which the systems that Firstcome replaces are written with: one message
// and ten at a time, poison that ends as a dead letter, work that is longer than its
// visibility timeout, and consumers that leave.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import * as sqsSdk from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

import {
  attributesOf,
  bodies,
  createQueue,
  drain,
  KEYS,
  receive,
  REGION,
  send,
  startAws,
  text,
  withDeadLetters,
} from "./lib/aws.mjs";
import { until } from "./lib/wait.mjs";

let aws;
let client;
before(async () => {
  aws = await startAws();
  client = new sqsSdk.SQSClient({ region: REGION, credentials: KEYS, endpoint: aws.endpoint });
});
after(() => aws?.stop());

const sqs = {
  call: (action, parameters) => client.send(new sqsSdk[`${action}Command`](parameters)),
};

/** Runs a consumer while `work` lasts; what it complains about is in `errors`. */
async function consume(queueUrl, options, work) {
  const errors = [];
  const consumer = Consumer.create({
    queueUrl,
    sqs: client,
    suppressFifoWarning: true,
    ...options,
  });
  for (const event of ["error", "processing_error", "timeout_error"]) {
    consumer.on(event, (error) => errors.push(`${event}: ${error.message}`));
  }
  consumer.start();
  try {
    await work(errors, consumer);
  } finally {
    consumer.stop({ abort: true });
  }
  return errors;
}

const depth = async (queue) => {
  const attributes = await attributesOf(sqs, queue);
  return (
    Number(attributes.ApproximateNumberOfMessages) +
    Number(attributes.ApproximateNumberOfMessagesNotVisible)
  );
};

const isEmpty = (queue) => until("the queue is empty", async () => (await depth(queue)) === 0);

describe("sqs-consumer", { concurrency: true }, () => {
  test("it takes one message at a time, with its attributes, and deletes it", async () => {
    const queue = await createQueue(sqs);
    const handled = [];
    const options = {
      messageAttributeNames: ["color"],
      messageSystemAttributeNames: ["ApproximateReceiveCount"],
      handleMessage: async (message) => {
        handled.push(message);
        return message;
      },
    };
    const errors = await consume(queue, options, async () => {
      // It waits already; each message wakes it.
      for (const body of ["one", "two", "three"]) {
        await send(sqs, queue, body, { MessageAttributes: { color: text("red") } });
      }
      await until("all are handled", () => handled.length === 3);
      await isEmpty(queue);
    });
    assert.deepEqual(errors, []);
    assert.deepEqual(bodies(handled).sort(), ["one", "three", "two"]);
    for (const message of handled) {
      assert.equal(message.MessageAttributes.color.StringValue, "red");
      assert.equal(message.Attributes.ApproximateReceiveCount, "1");
    }
  });

  test("it takes a batch, and what it does not acknowledge comes back", async () => {
    const queue = await createQueue(sqs, "queue", { VisibilityTimeout: 1 });
    const Entries = Array.from({ length: 10 }, (_, i) => ({ Id: `e${i}`, MessageBody: `${i}` }));
    await sqs.call("SendMessageBatch", { QueueUrl: queue, Entries });
    const rounds = [];
    const options = {
      batchSize: 10,
      handleMessageBatch: async (messages) => {
        rounds.push(...bodies(messages));
        return rounds.length <= 10 ? messages.filter((message) => message.Body !== "7") : messages;
      },
    };
    const errors = await consume(queue, options, async () => {
      await until("the one came back", () => rounds.length >= 11);
      await isEmpty(queue);
    });
    assert.deepEqual(errors, []);
    assert.deepEqual(rounds.slice(10), ["7"]);
    assert.deepEqual(new Set(rounds), new Set(Entries.map((entry) => entry.MessageBody)));
  });

  test("poison ends as a dead letter, and holds nobody up", async () => {
    const { queue, dead } = await withDeadLetters(sqs, 3);
    await send(sqs, queue, "poison");
    await send(sqs, queue, "fine");
    const attempts = [];
    const options = {
      terminateVisibilityTimeout: true,
      handleMessage: async (message) => {
        attempts.push(message.Body);
        if (message.Body === "poison") throw new Error("cannot be handled");
        return message;
      },
    };
    const errors = await consume(queue, options, () =>
      until("the dead letter", async () => (await depth(dead)) === 1),
    );
    assert.equal(attempts.filter((body) => body === "poison").length, 3);
    assert.ok(attempts.includes("fine"));
    assert.equal(errors.length, 3, String(errors));
    assert.ok(
      errors.every((error) => error.startsWith("processing_error")),
      String(errors),
    );
    assert.deepEqual(bodies(await drain(sqs, dead, 1)), ["poison"]);
    await isEmpty(queue);
  });

  test("heartbeats keep a message that takes longer than its timeout", async () => {
    const queue = await createQueue(sqs);
    await send(sqs, queue, "long work");
    const handled = [];
    const options = {
      visibilityTimeout: 2,
      heartbeatInterval: 1,
      handleMessage: async (message) => {
        handled.push(message.Body);
        await delay(3_500);
        return message;
      },
    };
    const errors = await consume(queue, options, async () => {
      await until("it is at work", () => handled.length === 1);
      // Nobody else gets it in the meantime, also past its first timeout.
      assert.deepEqual(await receive(sqs, queue, { WaitTimeSeconds: 3 }), []);
      await isEmpty(queue);
    });
    assert.deepEqual(errors, []);
    assert.deepEqual(handled, ["long work"]);
  });

  test("a FIFO queue is worked off in order", async () => {
    const queue = await createQueue(sqs, "queue.fifo", { ContentBasedDeduplication: "true" });
    for (let i = 0; i < 12; i += 1) {
      await send(sqs, queue, `${i}`, { MessageGroupId: "one" });
    }
    const handled = [];
    let failed = false;
    const options = {
      terminateVisibilityTimeout: true,
      handleMessage: async (message) => {
        if (message.Body === "5" && !failed) {
          failed = true;
          throw new Error("once");
        }
        handled.push(Number(message.Body));
        return message;
      },
    };
    const errors = await consume(queue, options, () =>
      until("all are handled", () => handled.length === 12),
    );
    assert.equal(errors.length, 1, String(errors));
    assert.deepEqual(handled, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test("a consumer that leaves while it waits takes no message with it", async () => {
    const queue = await createQueue(sqs);
    const options = { handleMessage: async () => assert.fail("it had left") };
    await consume(queue, options, () => delay(300));
    // Its connection is closed; the other side may need a moment to see that.
    await delay(300);
    await send(sqs, queue, "for the next one");
    const [message] = await receive(sqs, queue, { WaitTimeSeconds: 5 });
    assert.equal(message.Body, "for the next one");
    assert.equal(message.Attributes.ApproximateReceiveCount, "1");
  });
});
