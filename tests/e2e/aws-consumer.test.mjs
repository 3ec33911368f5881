// `sqs-consumer`, which the systems that Firstcome replaces are written with: one message
// and ten at a time, groups and repetitions, poison that ends as a dead letter and comes back,
// what a topic sends, work that is longer than its visibility timeout, and consumers that leave.
// What it has no call for is asked with the SDK underneath it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import * as snsSdk from "@aws-sdk/client-sns";
import * as sqsSdk from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

import { createTopic, subscribe } from "./lib/aws-topics.mjs";
import {
  arnOf,
  attributesOf,
  bodies,
  createQueue,
  drain,
  KEYS,
  number,
  receive,
  REGION,
  send,
  startAws,
  text,
  withDeadLetters,
} from "./lib/aws.mjs";
import { until } from "./lib/wait.mjs";

const MOVE_LIMIT_MS = 20_000;

let aws;
let client;
let topics;
before(async () => {
  aws = await startAws();
  const options = { region: REGION, credentials: KEYS, endpoint: aws.endpoint };
  client = new sqsSdk.SQSClient(options);
  topics = new snsSdk.SNSClient(options);
});
after(() => aws?.stop());

const sqs = {
  call: (action, parameters) => client.send(new sqsSdk[`${action}Command`](parameters)),
};
const sns = {
  call: (action, parameters) => topics.send(new snsSdk[`${action}Command`](parameters)),
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

  test("what is sent twice to a FIFO queue is handled once, each group in its order", async () => {
    const queue = await createQueue(sqs, "queue.fifo");
    const names = [0, 1, 2, 3].flatMap((i) => ["a", "b", "c"].map((group) => `${group}${i}`));
    const entry = (name) => ({
      Id: name,
      MessageBody: name,
      MessageGroupId: name[0],
      MessageDeduplicationId: name,
    });
    const sendAll = async () => {
      for (const part of [names.slice(0, 8), names.slice(8)]) {
        const Entries = part.map(entry);
        const sent = await sqs.call("SendMessageBatch", { QueueUrl: queue, Entries });
        assert.equal(sent.Successful.length, part.length);
      }
    };
    await sendAll();
    await sendAll();
    assert.equal(await depth(queue), 12);
    const handled = [];
    const options = {
      batchSize: 10,
      messageSystemAttributeNames: ["MessageGroupId", "MessageDeduplicationId"],
      handleMessageBatch: async (messages) => {
        handled.push(...messages);
        return messages;
      },
    };
    const errors = await consume(queue, options, async () => {
      await until("all are handled", () => handled.length === 12);
      await isEmpty(queue);
      // Their ids are remembered, although they are gone; what follows is the proof.
      await sendAll();
      await send(sqs, queue, "last", { MessageGroupId: "a", MessageDeduplicationId: "last" });
      await until("the last is handled", () => handled.length > 12);
      await isEmpty(queue);
    });
    assert.deepEqual(errors, []);
    assert.equal(handled.length, 13, String(bodies(handled)));
    for (const group of ["a", "b", "c"]) {
      const ofGroup = handled.filter((message) => message.Attributes.MessageGroupId === group);
      const expected = names.filter((name) => name[0] === group);
      if (group === "a") expected.push("last");
      assert.deepEqual(bodies(ofGroup), expected);
    }
    assert.ok(handled.every((one) => one.Attributes.MessageDeduplicationId === one.Body));
  });

  test("poison that was moved back is handled once it can be", async () => {
    const { queue, dead } = await withDeadLetters(sqs, 2);
    const sent = await send(sqs, queue, "poison", { MessageAttributes: { a: text("b") } });
    const attempts = [];
    let mended = false;
    const options = {
      terminateVisibilityTimeout: true,
      messageAttributeNames: ["All"],
      messageSystemAttributeNames: ["All"],
      handleMessage: async (message) => {
        attempts.push(message);
        if (!mended) throw new Error("cannot be handled yet");
        return message;
      },
    };
    const SourceArn = await arnOf(sqs, dead);
    const errors = await consume(queue, options, async () => {
      await until("the dead letter", async () => (await depth(dead)) === 1);
      assert.equal(await depth(queue), 0);
      mended = true;
      await sqs.call("StartMessageMoveTask", { SourceArn });
      await until("it is handled", () => attempts.length === 3, MOVE_LIMIT_MS);
      await isEmpty(queue);
    });
    assert.equal(errors.length, 2, String(errors));
    for (const message of attempts) {
      assert.deepEqual([message.MessageId, message.Body], [sent.MessageId, "poison"]);
      assert.equal(message.MessageAttributes.a.StringValue, "b");
    }
    assert.equal(await depth(dead), 0);
    const tasks = await until("the move is done", async () => {
      const { Results } = await sqs.call("ListMessageMoveTasks", { SourceArn });
      return Results[0].Status !== "RUNNING" && Results;
    });
    assert.deepEqual(
      tasks.map((task) => [task.Status, Number(task.ApproximateNumberOfMessagesMoved)]),
      [["COMPLETED", 1]],
    );
  });

  test("it hears of a topic what the filters let through, raw and wrapped", async () => {
    const topic = await createTopic(sns);
    const filters = {
      raw: {
        RawMessageDelivery: "true",
        FilterPolicy: JSON.stringify({ kind: [{ prefix: "order" }] }),
      },
      wrapped: {
        FilterPolicyScope: "MessageBody",
        FilterPolicy: JSON.stringify({ units: [{ numeric: [">=", 3] }] }),
      },
    };
    const queues = {};
    const heard = { raw: [], wrapped: [] };
    for (const [form, attributes] of Object.entries(filters)) {
      queues[form] = await createQueue(sqs);
      await subscribe({ sqs, sns }, topic, queues[form], attributes);
    }
    const options = (form) => ({
      messageAttributeNames: ["All"],
      handleMessage: async (message) => {
        heard[form].push(message);
        return message;
      },
    });
    const published = [];
    const publish = async (kind, units) => {
      const sent = await sns.call("Publish", {
        TopicArn: topic,
        Subject: kind,
        Message: JSON.stringify({ units, name: "도넛 & <more>" }),
        MessageAttributes: { kind: text(kind), units: number(String(units)) },
      });
      published.push(sent.MessageId);
    };
    const complaints = await consume(queues.raw, options("raw"), async (errors) => {
      errors.push(
        ...(await consume(queues.wrapped, options("wrapped"), async () => {
          await publish("order", 1);
          await publish("bid", 2);
          await publish("bid", 3);
          await publish("order.changed", 4);
          // The last one passes both filters: what did not come until then was left out.
          await until("both heard", () => heard.raw.length >= 2 && heard.wrapped.length >= 2);
          await isEmpty(queues.raw);
          await isEmpty(queues.wrapped);
        })),
      );
    });
    assert.deepEqual(complaints, []);
    const body = (units) => JSON.stringify({ units, name: "도넛 & <more>" });
    assert.deepEqual(bodies(heard.raw).sort(), [body(1), body(4)]);
    for (const message of heard.raw) {
      const { units } = JSON.parse(message.Body);
      const { kind, units: given } = message.MessageAttributes;
      assert.equal(kind.StringValue, units === 1 ? "order" : "order.changed");
      assert.deepEqual([given.DataType, given.StringValue], ["Number", String(units)]);
    }
    const envelopes = heard.wrapped
      .map((message) => JSON.parse(message.Body))
      .sort((one, other) => one.Message.localeCompare(other.Message));
    assert.deepEqual(
      envelopes.map(({ Type, TopicArn, MessageId, Subject, Message }) => [
        Type,
        TopicArn,
        MessageId,
        Subject,
        Message,
      ]),
      [
        ["Notification", topic, published[2], "bid", body(3)],
        ["Notification", topic, published[3], "order.changed", body(4)],
      ],
    );
    assert.deepEqual(envelopes[0].MessageAttributes, {
      kind: { Type: "String", Value: "bid" },
      units: { Type: "Number", Value: "3" },
    });
    assert.ok(heard.wrapped.every((message) => message.MessageAttributes === undefined));
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
