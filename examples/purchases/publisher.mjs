// The shop: POST /purchase { "id", "username", "price" } becomes one message to the topic.
// One call reaches both queues or, when it fails, none: half a purchase cannot happen.

import { randomUUID } from "node:crypto";
import http from "node:http";
import { PublishCommand } from "@aws-sdk/client-sns";

import { openTopic, sns } from "./topology.mjs";

const BODY_BYTES_MAX = 4_096;
const TopicArn = await openTopic();

const server = http.createServer(async (request, response) => {
  const answer = (status, value) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
  try {
    if (request.method !== "POST" || request.url !== "/purchase") {
      return answer(404, { error: "there is only POST /purchase" });
    }
    const purchase = await read(request);
    await sns.send(
      new PublishCommand({
        TopicArn,
        Message: JSON.stringify(purchase),
        MessageAttributes: { kind: { DataType: "String", StringValue: "purchase" } },
      }),
    );
    answer(202, purchase);
  } catch (error) {
    if (error instanceof TypeError) return answer(400, { error: error.message });
    console.error(error);
    // Nothing was sent; with the same id the shop may try again.
    answer(503, { error: "not taken, try again" });
  }
});

/** A purchase with an id, under which nothing that hangs on it happens twice. */
async function read(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) throw new TypeError("that is too long");
    chunks.push(chunk);
  }
  let body;
  try {
    body = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new TypeError("this is not JSON");
  }
  const { id = randomUUID(), username, price } = body ?? {};
  const isText = (value) => typeof value === "string" && /^[\w@.+-]{1,100}$/.test(value);
  if (!isText(id)) throw new TypeError('"id" must be 1 to 100 letters, digits or @.+-_');
  if (!isText(username))
    throw new TypeError('"username" must be 1 to 100 letters, digits or @.+-_');
  if (!Number.isSafeInteger(price) || price < 0) {
    throw new TypeError('"price" must be a whole number, in cents');
  }
  return { id, username, price, trackingId: `trk-${id}` };
}

server.listen(Number(process.env.PORT ?? 8081), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
process.on("SIGTERM", () => server.close());
