// What both consumers have in common: a queue, sqs-consumer, and an inbox.
//
// A queue may deliver a message twice, and a shop may publish a purchase twice. The inbox
// is the file of what was done, one line each; a purchase that is in it is done. The line
// is on disk before the message is deleted, so a crash in between repeats the delivery and
// not the work. One process per listener: a second one would not see the first one's lines.

import fs from "node:fs";
import { Consumer } from "sqs-consumer";

import { openQueue, sqs } from "./topology.mjs";

const VISIBILITY_TIMEOUT_S = Number(process.env.VISIBILITY_TIMEOUT_S ?? 10);

/**
 * Runs a listener until it is told to end.
 * @param {string} name of its queue, and of its file, `<name>.jsonl` in `$INBOX`
 * @param {(purchase: object) => object} work what is done for a purchase, without its id
 */
export async function listen(name, work) {
  const file = fs.openSync(`${process.env.INBOX ?? "."}/${name}.jsonl`, "a+");
  const inbox = readInbox(file);
  const { url } = await openQueue(name);

  const handleMessage = async (message) => {
    const purchase = JSON.parse(message.Body);
    if (typeof purchase?.id !== "string") throw new TypeError("a purchase needs an id");
    if (inbox.has(purchase.id)) {
      console.log(`again ${purchase.id}`);
      return message;
    }
    const done = { id: purchase.id, ...work(purchase) };
    fs.writeSync(file, `${JSON.stringify(done)}\n`);
    fs.fsyncSync(file);
    inbox.add(purchase.id);
    console.log(`done ${purchase.id}`);
    return message;
  };

  const consumer = Consumer.create({
    queueUrl: url,
    sqs,
    batchSize: 10,
    visibilityTimeout: VISIBILITY_TIMEOUT_S,
    handleMessage,
  });
  // What cannot be handled is not deleted: it comes back, and one day is a dead letter.
  consumer.on("processing_error", (error) => console.log(`failed: ${error.message}`));
  consumer.on("error", (error) => console.error(error.message));
  consumer.start();
  console.log(`listening to ${url}`);
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => consumer.stop({ abort: true }));
  }
}

/** The ids of what was done. A last line that a crash cut off was not: its message is back. */
function readInbox(file) {
  const bytes = fs.readFileSync(file);
  const whole = bytes.subarray(0, bytes.lastIndexOf("\n") + 1);
  fs.ftruncateSync(file, whole.length);
  const lines = whole.toString("utf8").split("\n").filter(Boolean);
  return new Set(lines.map((line) => JSON.parse(line).id));
}
