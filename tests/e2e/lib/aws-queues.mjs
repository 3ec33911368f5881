// What every JavaScript SDK does with queues, whichever wire it speaks. The suites add
// what is different between the SDKs; the widest scenario is test_aws_boto3.py.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import {
  arnOf,
  attributesMd5,
  attributesOf,
  bodies,
  changeVisibility,
  createQueue,
  drain,
  md5,
  number,
  receive,
  refused,
  remove,
  send,
  text,
  unique,
  withDeadLetters,
} from "./aws.mjs";
import { until } from "./wait.mjs";

/** Waking a receiver takes milliseconds; a busy machine may take this. */
const AT_ONCE_MS = 1_000;
const MOVE_LIMIT_MS = 20_000;
const PREFIX = "AWS.SimpleQueueService.";
const BATCH_OF_ALL = { MaxNumberOfMessages: 10 };

/**
 * @param {() => {call: Function, code: Function, endpoint: string}} client
 *   asked when a test begins, so that a suite may start its server first
 */
export function queueTests(client) {
  test("a queue is found by name, listed by page, tagged and deleted", async () => {
    const sqs = client();
    const prefix = unique("list");
    const urls = [];
    for (const i of [0, 1, 2]) {
      const created = await sqs.call("CreateQueue", { QueueName: `${prefix}-${i}` });
      urls.push(created.QueueUrl);
    }
    assert.ok(urls[0].startsWith(`${sqs.endpoint}/`), urls[0]);
    const found = await sqs.call("GetQueueUrl", { QueueName: `${prefix}-0` });
    assert.equal(found.QueueUrl, urls[0]);
    const page = { QueueNamePrefix: prefix, MaxResults: 2 };
    const first = await sqs.call("ListQueues", page);
    const second = await sqs.call("ListQueues", { ...page, NextToken: first.NextToken });
    assert.deepEqual([first.QueueUrls.length, second.QueueUrls.length], [2, 1]);
    assert.deepEqual([...first.QueueUrls, ...second.QueueUrls].sort(), urls);
    assert.equal(second.NextToken, undefined);

    const [queue] = urls;
    const Tags = { team: "sales", cost: "1" };
    await sqs.call("TagQueue", { QueueUrl: queue, Tags });
    await sqs.call("UntagQueue", { QueueUrl: queue, TagKeys: ["cost"] });
    const tags = await sqs.call("ListQueueTags", { QueueUrl: queue });
    assert.deepEqual(tags.Tags, { team: "sales" });
    await sqs.call("SetQueueAttributes", { QueueUrl: queue, Attributes: { DelaySeconds: "7" } });
    assert.equal((await attributesOf(sqs, queue)).DelaySeconds, "7");
    await sqs.call("DeleteQueue", { QueueUrl: queue });
    await refused(sqs, `${PREFIX}NonExistentQueue`, () => attributesOf(sqs, queue));
  });

  test("a message keeps its body, attributes and digests", async () => {
    const sqs = client();
    const queue = await createQueue(sqs);
    const attributes = {
      city: text("Zürich"),
      "city.code": { DataType: "String.iata", StringValue: "ZRH" },
      units: number("12.50"),
      photo: { DataType: "Binary", BinaryValue: Buffer.from([0, 255, 137]) },
    };
    const body = 'a "quoted" <body> & \t\r\n 도넛 🍩 100%+1';
    const trace = { AWSTraceHeader: text("Root=1-5759e988-bd862e3fe1be46a994272793") };
    const sent = await send(sqs, queue, body, {
      MessageAttributes: attributes,
      MessageSystemAttributes: trace,
    });
    assert.equal(sent.MD5OfMessageBody, md5(body));
    assert.equal(sent.MD5OfMessageAttributes, attributesMd5(attributes));
    assert.equal(sent.MD5OfMessageSystemAttributes, attributesMd5(trace));
    const [message] = await receive(sqs, queue);
    assert.deepEqual([message.Body, message.MessageId], [body, sent.MessageId]);
    assert.equal(message.MD5OfMessageAttributes, attributesMd5(attributes));
    for (const [name, { DataType, StringValue, BinaryValue }] of Object.entries(attributes)) {
      const received = message.MessageAttributes[name];
      assert.equal(received.DataType, DataType);
      assert.equal(received.StringValue, StringValue);
      if (BinaryValue) assert.deepEqual(Buffer.from(received.BinaryValue), BinaryValue);
    }
    assert.equal(message.Attributes.AWSTraceHeader, trace.AWSTraceHeader.StringValue);
    assert.equal(message.Attributes.ApproximateReceiveCount, "1");
    await changeVisibility(sqs, queue, message, 0);
    const [some] = await receive(sqs, queue, { MessageAttributeNames: ["city.*"] });
    assert.deepEqual(Object.keys(some.MessageAttributes).sort(), ["city", "city.code"]);
    const { city, "city.code": code } = attributes;
    assert.equal(some.MD5OfMessageAttributes, attributesMd5({ city, "city.code": code }));
  });

  test("a batch answers for each entry", async () => {
    const sqs = client();
    const queue = await createQueue(sqs, "queue", { MaximumMessageSize: 1024 });
    const Entries = [..."abcd"].map((Id) => ({ Id, MessageBody: `body ${Id}` }));
    Entries[1].MessageBody = "x".repeat(1025);
    Entries[2].DelaySeconds = 901;
    const sent = await sqs.call("SendMessageBatch", { QueueUrl: queue, Entries });
    assert.deepEqual(
      sent.Successful.map((entry) => entry.Id),
      ["a", "d"],
    );
    assert.equal(sent.Successful[1].MD5OfMessageBody, md5("body d"));
    assert.deepEqual(
      sent.Failed.map(({ Id, Code, SenderFault }) => [Id, Code, SenderFault]),
      [
        ["b", "InvalidParameterValue", true],
        ["c", "InvalidParameterValue", true],
      ],
    );
    const received = await receive(sqs, queue, BATCH_OF_ALL);
    assert.deepEqual(bodies(received).sort(), ["body a", "body d"]);
    const handles = [...received.map((message) => message.ReceiptHandle), "rubbish"];
    const each = (fields) => ({
      QueueUrl: queue,
      Entries: handles.map((ReceiptHandle, i) => ({ Id: `h${i}`, ReceiptHandle, ...fields })),
    });
    const changed = await sqs.call("ChangeMessageVisibilityBatch", each({ VisibilityTimeout: 60 }));
    const deleted = await sqs.call("DeleteMessageBatch", each({}));
    for (const { Successful, Failed } of [changed, deleted]) {
      assert.deepEqual(
        Successful.map((entry) => entry.Id),
        ["h0", "h1"],
      );
      assert.deepEqual(
        Failed.map((entry) => [entry.Id, entry.Code]),
        [["h2", "ReceiptHandleIsInvalid"]],
      );
    }
    assert.equal((await attributesOf(sqs, queue)).ApproximateNumberOfMessagesNotVisible, "0");
  });

  test("a long poll answers when a message arrives, and when nothing did", async () => {
    const sqs = client();
    const queue = await createQueue(sqs);
    const waiting = receive(sqs, queue, { WaitTimeSeconds: 20 });
    const early = await Promise.race([waiting, delay(500, "still waiting")]);
    assert.equal(early, "still waiting");
    const sent = Date.now();
    await send(sqs, queue, "at last");
    assert.deepEqual(bodies(await waiting), ["at last"]);
    assert.ok(Date.now() - sent < AT_ONCE_MS, `${Date.now() - sent} ms`);
    const began = Date.now();
    assert.deepEqual(await receive(sqs, queue, { WaitTimeSeconds: 1 }), []);
    const took = Date.now() - began;
    assert.ok(took > 950 && took < 1_000 + AT_ONCE_MS, `${took} ms`);
  });

  test("a message comes back when its visibility timeout ends, or is ended", async () => {
    const sqs = client();
    const queue = await createQueue(sqs, "queue", { VisibilityTimeout: 1 });
    await send(sqs, queue, "one");
    const [first] = await receive(sqs, queue);
    assert.deepEqual(await receive(sqs, queue), []);
    const [second] = await receive(sqs, queue, { WaitTimeSeconds: 5 });
    assert.equal(second.Attributes.ApproximateReceiveCount, "2");
    const firstTime = "ApproximateFirstReceiveTimestamp";
    assert.equal(second.Attributes[firstTime], first.Attributes[firstTime]);
    await changeVisibility(sqs, queue, second, 60);
    assert.deepEqual(await receive(sqs, queue, { WaitTimeSeconds: 2 }), []);
    await changeVisibility(sqs, queue, second, 0);
    await refused(sqs, `${PREFIX}MessageNotInflight`, () =>
      changeVisibility(sqs, queue, second, 5),
    );
    const [third] = await receive(sqs, queue);
    // With a handle that is not the last one the request succeeds and deletes nothing.
    await remove(sqs, queue, first);
    assert.equal((await attributesOf(sqs, queue)).ApproximateNumberOfMessagesNotVisible, "1");
    await remove(sqs, queue, third);
    await remove(sqs, queue, third);
    assert.equal((await attributesOf(sqs, queue)).ApproximateNumberOfMessagesNotVisible, "0");
  });

  test("a delayed message arrives late, a purged one never", async () => {
    const sqs = client();
    const queue = await createQueue(sqs);
    await send(sqs, queue, "late", { DelaySeconds: 1 });
    assert.deepEqual(await receive(sqs, queue), []);
    assert.deepEqual(bodies(await drain(sqs, queue, 1)), ["late"]);
    await send(sqs, queue, "never");
    await sqs.call("PurgeQueue", { QueueUrl: queue });
    assert.deepEqual(await receive(sqs, queue), []);
    await refused(sqs, `${PREFIX}PurgeQueueInProgress`, () =>
      sqs.call("PurgeQueue", { QueueUrl: queue }),
    );
  });

  test("a FIFO queue keeps each group in order, and locks it", async () => {
    const sqs = client();
    const queue = await createQueue(sqs, "queue.fifo", { ContentBasedDeduplication: "true" });
    const numbers = [];
    for (const body of ["a1", "a2", "b1", "a1"]) {
      const sent = await send(sqs, queue, body, { MessageGroupId: body[0] });
      numbers.push(BigInt(sent.SequenceNumber));
    }
    assert.ok(numbers[0] < numbers[1] && numbers[1] < numbers[2], String(numbers));
    const [a1] = await receive(sqs, queue);
    const [b1] = await receive(sqs, queue);
    assert.deepEqual(bodies([a1, b1]), ["a1", "b1"]);
    assert.equal(a1.Attributes.MessageGroupId, "a");
    assert.equal(BigInt(a1.Attributes.SequenceNumber), numbers[0]);
    assert.deepEqual(await receive(sqs, queue, BATCH_OF_ALL), []);
    await changeVisibility(sqs, queue, a1, 0);
    const [again] = await receive(sqs, queue);
    assert.equal(again.Body, "a1");
    await remove(sqs, queue, again);
    // The fourth was a repetition of the first, by its content.
    assert.deepEqual(bodies(await drain(sqs, queue, 1)), ["a2"]);
  });

  test("an explicit deduplication id is remembered after the message is gone", async () => {
    const sqs = client();
    const queue = await createQueue(sqs, "queue.fifo");
    const once = { MessageGroupId: "a", MessageDeduplicationId: "once" };
    await send(sqs, queue, "first", once);
    await send(sqs, queue, "second", once);
    assert.deepEqual(bodies(await drain(sqs, queue, 1)), ["first"]);
    await send(sqs, queue, "third", once);
    assert.deepEqual(await receive(sqs, queue), []);
  });

  test("a message received too often becomes a dead letter, and is moved back", async () => {
    const sqs = client();
    const { queue, dead } = await withDeadLetters(sqs, 2);
    const sent = await send(sqs, queue, "poison", { MessageAttributes: { a: text("b") } });
    for (const count of ["1", "2"]) {
      const [message] = await receive(sqs, queue, { VisibilityTimeout: 0 });
      assert.equal(message.Attributes.ApproximateReceiveCount, count);
    }
    assert.deepEqual(await receive(sqs, queue), []);
    const wait = { WaitTimeSeconds: 5, VisibilityTimeout: 0 };
    const [letter] = await receive(sqs, dead, wait);
    assert.deepEqual([letter.MessageId, letter.Body], [sent.MessageId, "poison"]);
    assert.equal(letter.MessageAttributes.a.StringValue, "b");
    assert.equal(letter.Attributes.DeadLetterQueueSourceArn, await arnOf(sqs, queue));
    const sources = await sqs.call("ListDeadLetterSourceQueues", { QueueUrl: dead });
    assert.deepEqual(sources.queueUrls, [queue]);

    const SourceArn = await arnOf(sqs, dead);
    const task = await sqs.call("StartMessageMoveTask", { SourceArn });
    assert.ok(task.TaskHandle);
    const done = await until(
      "the move is done",
      async () => {
        const [latest] = (await sqs.call("ListMessageMoveTasks", { SourceArn })).Results;
        return latest.Status !== "RUNNING" && latest;
      },
      MOVE_LIMIT_MS,
    );
    assert.equal(done.Status, "COMPLETED");
    assert.equal(Number(done.ApproximateNumberOfMessagesMoved), 1);
    assert.deepEqual(bodies(await drain(sqs, queue, 1)), ["poison"]);
  });

  test("what is refused, and with which code", async () => {
    const sqs = client();
    const queue = await createQueue(sqs);
    const fifo = await createQueue(sqs, "queue.fifo");
    const entry = { Id: "a", MessageBody: "b" };
    const eleven = Array.from({ length: 11 }, (_, i) => ({ ...entry, Id: `e${i}` }));
    const batch = (...Entries) => sqs.call("SendMessageBatch", { QueueUrl: queue, Entries });
    const rubbish = { ReceiptHandle: "rubbish" };
    const name = queue.split("/").at(-1);
    for (const [code, call] of [
      [`${PREFIX}NonExistentQueue`, () => sqs.call("GetQueueUrl", { QueueName: unique("no") })],
      [`${PREFIX}NonExistentQueue`, () => send(sqs, `${queue}-no`, "body")],
      [
        "QueueAlreadyExists",
        () => sqs.call("CreateQueue", { QueueName: name, Attributes: { DelaySeconds: "9" } }),
      ],
      ["InvalidParameterValue", () => sqs.call("CreateQueue", { QueueName: "has space" })],
      [
        "InvalidAttributeName",
        () => sqs.call("SetQueueAttributes", { QueueUrl: queue, Attributes: { Nonsense: "1" } }),
      ],
      ["ReceiptHandleIsInvalid", () => remove(sqs, queue, rubbish)],
      ["ReceiptHandleIsInvalid", () => changeVisibility(sqs, queue, rubbish, 1)],
      ["InvalidParameterValue", () => receive(sqs, queue, { MaxNumberOfMessages: 11 })],
      ["InvalidParameterValue", () => send(sqs, queue, "x".repeat(1_048_577))],
      ["MissingParameter", () => send(sqs, fifo, "no group")],
      ["InvalidParameterValue", () => send(sqs, fifo, "no id", { MessageGroupId: "a" })],
      [`${PREFIX}EmptyBatchRequest`, () => batch()],
      [`${PREFIX}TooManyEntriesInBatchRequest`, () => batch(...eleven)],
      [`${PREFIX}BatchEntryIdsNotDistinct`, () => batch(entry, entry)],
      [`${PREFIX}InvalidBatchEntryId`, () => batch({ ...entry, Id: "a b" })],
    ]) {
      const error = await refused(sqs, code, call);
      assert.ok(error.message, code);
    }
    assert.deepEqual(await receive(sqs, queue), []);
  });
}
