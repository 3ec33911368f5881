// Counts the units that each product has sold, in sold.jsonl, each event once.
//
// A line is the note and the effect at once, and is on disk before the message is deleted. One
// process at a time: a second one would not see the first one's lines.

import fs from "node:fs";
import { GetQueueUrlCommand, SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

const sqs = new SQSClient(); // where it is and who asks: see env.sh
const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: "sold-units" }));
const file = fs.openSync("sold.jsonl", "a+");
const inbox = readInbox();

/** The events that were counted. A last line that a crash cut off was not: its message is back. */
function readInbox() {
  const bytes = fs.readFileSync(file);
  const whole = bytes.subarray(0, bytes.lastIndexOf("\n") + 1);
  fs.ftruncateSync(file, whole.length);
  const lines = whole.toString("utf8").split("\n").filter(Boolean);
  return new Set(lines.map((line) => JSON.parse(line).event));
}

/** Summed up, so the order of the events does not matter. */
function units({ type, data, order }) {
  if (type === "order.accepted") return order.quantity;
  if (type === "order.cancelled" && data.was === "accepted") return -order.quantity;
  return 0;
}

const consumer = Consumer.create({
  queueUrl: QueueUrl,
  sqs,
  batchSize: 10,
  handleMessage: async (message) => {
    const event = JSON.parse(message.Body);
    if (!inbox.has(event.seq)) {
      const line = { event: event.seq, sku: event.order.sku, units: units(event) };
      fs.writeSync(file, `${JSON.stringify(line)}\n`);
      fs.fsyncSync(file);
      inbox.add(event.seq);
    }
    return message;
  },
});
// What cannot be handled is not deleted: it comes again, and one day is a dead letter.
consumer.on("processing_error", (error) => console.log(`failed: ${error.message}`));
consumer.on("error", (error) => console.error(error.message));
consumer.start();
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => consumer.stop({ abort: true }));
}
