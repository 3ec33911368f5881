// SQS and SNS on the server under test, for any SDK: where they are, names of their own,
// receiving until all is there, and the digest that Amazon documents.
//
// A client of a suite is `{ call(action, parameters), code(error) }`, whichever SDK is
// behind it: `call("SendMessage", {...})`, and the code under which Amazon lists an error.

import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";

export const REGION = "eu-central-1";
export const KEYS = { accessKeyId: "test", secretAccessKey: "test" };
const RECEIVE_LIMIT_MS = 10_000;

/**
 * `{ endpoint, stop }`: what FIRSTCOME_AWS_ENDPOINT names, or a server of its own.
 * @param {object} [options] as of `Server.start`
 */
export async function startAws(options) {
  const given = process.env.FIRSTCOME_AWS_ENDPOINT;
  if (given) return { endpoint: given.replace(/\/$/, ""), stop: async () => {} };
  const { Server } = await import("./server.mjs");
  const server = await Server.start(options);
  return { endpoint: server.aws, stop: () => server.stop() };
}

export const unique = (name) => `${randomUUID().slice(0, 8)}-${name}`;

/** The URL of a new queue; a name that ends in `.fifo` makes it one. */
export async function createQueue(sqs, name = "queue", attributes = {}) {
  const fifo = name.endsWith(".fifo") ? { FifoQueue: "true" } : {};
  const all = Object.entries({ ...fifo, ...attributes }).map(([key, value]) => [
    key,
    String(value),
  ]);
  const created = await sqs.call("CreateQueue", {
    QueueName: unique(name),
    Attributes: Object.fromEntries(all),
  });
  return created.QueueUrl;
}

export async function attributesOf(sqs, queue) {
  const answer = await sqs.call("GetQueueAttributes", { QueueUrl: queue, AttributeNames: ["All"] });
  return answer.Attributes;
}

export async function arnOf(sqs, queue) {
  return (await attributesOf(sqs, queue)).QueueArn;
}

/** A queue, and the dead-letter queue behind it. */
export async function withDeadLetters(sqs, receives, attributes = {}) {
  const dead = await createQueue(sqs, "dead");
  const policy = { deadLetterTargetArn: await arnOf(sqs, dead), maxReceiveCount: receives };
  const RedrivePolicy = JSON.stringify(policy);
  return { dead, queue: await createQueue(sqs, "queue", { RedrivePolicy, ...attributes }) };
}

export function send(sqs, queue, body, parameters = {}) {
  return sqs.call("SendMessage", { QueueUrl: queue, MessageBody: body, ...parameters });
}

/** One call, with all attributes unless told otherwise. */
export async function receive(sqs, queue, parameters = {}) {
  const answer = await sqs.call("ReceiveMessage", {
    QueueUrl: queue,
    AttributeNames: ["All"],
    MessageAttributeNames: ["All"],
    ...parameters,
  });
  return answer.Messages ?? [];
}

export function remove(sqs, queue, message) {
  return sqs.call("DeleteMessage", { QueueUrl: queue, ReceiptHandle: message.ReceiptHandle });
}

export function changeVisibility(sqs, queue, message, seconds) {
  return sqs.call("ChangeMessageVisibility", {
    QueueUrl: queue,
    ReceiptHandle: message.ReceiptHandle,
    VisibilityTimeout: seconds,
  });
}

/** Receives and deletes until so many messages came, and sees that no more follow. */
export async function drain(sqs, queue, count) {
  const messages = [];
  const end = Date.now() + RECEIVE_LIMIT_MS;
  while (messages.length < count && Date.now() < end) {
    const options = { MaxNumberOfMessages: 10, WaitTimeSeconds: 1 };
    const received = await receive(sqs, queue, options);
    messages.push(...received);
    for (const message of received) await remove(sqs, queue, message);
  }
  messages.push(...(await receive(sqs, queue)));
  assert.equal(messages.length, count, JSON.stringify(bodies(messages)));
  return messages;
}

export const bodies = (messages) => messages.map((message) => message.Body);

/** The call fails with this code of Amazon's; answers with the error. */
export async function refused(client, code, call) {
  let error;
  try {
    await call();
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error, `not refused, expected ${code}`);
  assert.equal(client.code(error), code, String(error));
  return error;
}

export const text = (value) => ({ DataType: "String", StringValue: value });
export const number = (value) => ({ DataType: "Number", StringValue: value });

export const md5 = (body) => createHash("md5").update(body).digest("hex");

/** As the page "Amazon SQS message metadata" of the developer guide writes it down. */
export function attributesMd5(attributes) {
  const hash = createHash("md5");
  const part = (bytes) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  };
  for (const name of Object.keys(attributes).sort()) {
    const { DataType, StringValue, BinaryValue } = attributes[name];
    part(Buffer.from(name));
    part(Buffer.from(DataType));
    hash.update(Buffer.of(BinaryValue ? 2 : 1));
    part(Buffer.from(BinaryValue ?? StringValue));
  }
  return hash.digest("hex");
}
