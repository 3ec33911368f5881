// The work as messages: node producer.mjs 1 2 3. It is done when the queue has them, which
// is before anybody worked on them.

import { SendMessageBatchCommand } from "@aws-sdk/client-sqs";

import { openQueues, sqs } from "./queues.mjs";

const BATCH_MAX = 10;

const inputs = process.argv.slice(2);
const { queue } = await openQueues();
for (let at = 0; at < inputs.length; at += BATCH_MAX) {
  const Entries = inputs.slice(at, at + BATCH_MAX).map((input, i) => ({
    Id: String(i),
    // What is not a number is sent all the same: the consumer has to cope with it.
    MessageBody: /^-?\d+$/.test(input) ? JSON.stringify({ input: Number(input) }) : input,
  }));
  const { Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl: queue, Entries }));
  if (Failed.length > 0) throw new Error(`not sent: ${JSON.stringify(Failed)}`);
}
console.log(`sent ${inputs.length}`);
