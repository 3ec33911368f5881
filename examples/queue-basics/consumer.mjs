// Works on messages as they come, several at a time:
//
//   node consumer.mjs [--work SECONDS] [--extend] [--idle SECONDS]
//
// --work says how long one message takes. Longer than the visibility timeout, and the queue
// takes the consumer for dead and delivers the message again; --extend is the cure: it tells
// the queue, while it works, that it still does. --idle ends it when nothing came for so
// long.

import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
} from "@aws-sdk/client-sqs";

import { openQueues, scaled, sqs, VISIBILITY_TIMEOUT_S } from "./queues.mjs";
import { plusOne } from "./work.mjs";

const { values: options } = parseArgs({
  options: {
    work: { type: "string", default: "0" },
    extend: { type: "boolean", default: false },
    idle: { type: "string", default: "Infinity" },
  },
});
const WORK_MS = scaled(Number(options.work)) * 1_000;
const IDLE_MS = scaled(Number(options.idle)) * 1_000;
const AT_ONCE_MAX = 10;
const WAIT_S = Math.max(1, Math.min(20, Math.floor(IDLE_MS / 1_000)));

const { queue } = await openQueues();
const working = new Set();
let lastMessageAt = Date.now();
const leaving = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => leaving.abort());

while (!leaving.signal.aborted && (working.size > 0 || Date.now() - lastMessageAt < IDLE_MS)) {
  if (working.size >= AT_ONCE_MAX) {
    await Promise.race(working);
    continue;
  }
  for (const message of await receive(AT_ONCE_MAX - working.size)) {
    lastMessageAt = Date.now();
    const work = handle(message).finally(() => working.delete(work));
    working.add(work);
  }
}
await Promise.all(working);

async function receive(count) {
  const command = new ReceiveMessageCommand({
    QueueUrl: queue,
    MaxNumberOfMessages: count,
    WaitTimeSeconds: WAIT_S,
    MessageSystemAttributeNames: ["ApproximateReceiveCount"],
  });
  try {
    return (await sqs.send(command, { abortSignal: leaving.signal })).Messages ?? [];
  } catch (error) {
    if (leaving.signal.aborted) return [];
    throw error;
  }
}

async function handle({ Body, ReceiptHandle, Attributes }) {
  const delivery = `(delivery ${Attributes.ApproximateReceiveCount})`;
  console.log(`received ${Body} ${delivery}`);
  const ofDelivery = { QueueUrl: queue, ReceiptHandle };
  const stopHeartbeat = options.extend ? startHeartbeat(ofDelivery) : async () => {};
  try {
    const output = plusOne(Body);
    await delay(WORK_MS);
    console.log(`done ${Body} -> ${output} ${delivery}`);
    await stopHeartbeat();
    // With the handle of an earlier delivery this succeeds, and the message stays.
    await sqs.send(new DeleteMessageCommand(ofDelivery));
  } catch (error) {
    // Not deleted, it comes back when its timeout ends, and one day is a dead letter.
    console.log(`failed ${Body} ${delivery}: ${error.message}`);
  } finally {
    await stopHeartbeat();
  }
}

/** Answers with a function that ends it, and waits for a beat that is on its way. */
function startHeartbeat(ofDelivery) {
  let beat;
  const VisibilityTimeout = VISIBILITY_TIMEOUT_S;
  const timer = setInterval(() => {
    beat = sqs
      .send(new ChangeMessageVisibilityCommand({ ...ofDelivery, VisibilityTimeout }))
      .catch((error) => console.log(`not extended: ${error.message}`));
  }, VISIBILITY_TIMEOUT_S * 500);
  return async () => {
    clearInterval(timer);
    await beat;
  };
}
