// `@aws-sdk/client-sqs` and `client-sns` v3: AWS JSON and the query protocol, errors that
// are classes, and what a web server hears that subscribes to a topic.

import assert from "node:assert/strict";
import { createVerify, X509Certificate } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { after, before, describe, test } from "node:test";

import * as snsSdk from "@aws-sdk/client-sns";
import * as sqsSdk from "@aws-sdk/client-sqs";

import { queueTests } from "./lib/aws-queues.mjs";
import { topicTests } from "./lib/aws-topics.mjs";
import { createQueue, KEYS, REGION, refused, send, startAws, unique } from "./lib/aws.mjs";
import { until } from "./lib/wait.mjs";

let aws;
before(async () => {
  aws = await startAws();
});
after(() => aws?.stop());

/** The common form of a client: `send(new SendMessageCommand(...))` becomes `call`. */
function connect(sdk, name) {
  const service = new sdk[name]({
    region: REGION,
    credentials: KEYS,
    endpoint: aws.endpoint,
    // One attempt: a suite that repeats a request would hide the first answer.
    maxAttempts: 1,
  });
  return {
    endpoint: aws.endpoint,
    call: (action, parameters) => service.send(new sdk[`${action}Command`](parameters)),
    // The SDK's own name for an error is the shape's; the query protocol's is kept beside it.
    code: (error) => error.Code ?? error.Error?.Code ?? error.name,
  };
}

const clients = () => ({
  sqs: connect(sqsSdk, "SQSClient"),
  sns: connect(snsSdk, "SNSClient"),
});

describe("@aws-sdk v3", { concurrency: true }, () => {
  queueTests(() => clients().sqs);
  topicTests(clients);

  test("an error is of its class, with Amazon's code, text, status and a request's id", async () => {
    const { sqs, sns } = clients();
    const queue = await createQueue(sqs);
    const purge = () => sqs.call("PurgeQueue", { QueueUrl: queue });
    await purge();
    const TopicArn = `arn:aws:sns:${REGION}:000000000000:${unique("missing")}`;
    for (const [type, status, call] of [
      [sqsSdk.QueueDoesNotExist, 400, () => send(sqs, `${queue}-missing`, "body")],
      [
        sqsSdk.ReceiptHandleIsInvalid,
        400,
        () => sqs.call("DeleteMessage", { QueueUrl: queue, ReceiptHandle: "rubbish" }),
      ],
      [sqsSdk.PurgeQueueInProgress, 403, purge],
      [
        sqsSdk.EmptyBatchRequest,
        400,
        () => sqs.call("SendMessageBatch", { QueueUrl: queue, Entries: [] }),
      ],
      [snsSdk.NotFoundException, 404, () => sns.call("Publish", { TopicArn, Message: "x" })],
      [snsSdk.InvalidParameterException, 400, () => sns.call("CreateTopic", { Name: "a b" })],
    ]) {
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof type, `${error.name}: ${error.message}`);
        assert.equal(error.$fault, "client");
        assert.equal(error.$metadata.httpStatusCode, status);
        assert.match(error.$metadata.requestId, /^[0-9a-f-]{36}$/);
        assert.ok(error.message);
        return true;
      });
    }
    const missing = await refused(sqs, "AWS.SimpleQueueService.NonExistentQueue", () =>
      send(sqs, `${queue}-missing`, "body"),
    );
    assert.equal(missing.message, "The specified queue does not exist.");
  });

  test("a web server subscribes, confirms, and hears signed messages", async () => {
    const { sns } = clients();
    const { TopicArn } = await sns.call("CreateTopic", { Name: unique("topic") });
    const listener = await listen();
    try {
      const pending = await sns.call("Subscribe", {
        TopicArn,
        Protocol: "http",
        Endpoint: listener.url,
      });
      assert.equal(pending.SubscriptionArn, "pending confirmation");
      const asked = await listener.next("SubscriptionConfirmation");
      assert.equal(asked.TopicArn, TopicArn);
      assert.ok(asked.SubscribeURL.includes(asked.Token));
      const shown = [
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
      ];
      await verify(asked, shown);
      const { SubscriptionArn } = await sns.call("ConfirmSubscription", {
        TopicArn,
        Token: asked.Token,
      });
      const sent = await sns.call("Publish", { TopicArn, Subject: "news", Message: "line\n도넛" });
      const heard = await listener.next("Notification");
      assert.equal(heard.MessageId, sent.MessageId);
      assert.deepEqual([heard.Subject, heard.Message], ["news", "line\n도넛"]);
      assert.deepEqual(heard.headers, {
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": sent.MessageId,
        "x-amz-sns-topic-arn": TopicArn,
        "x-amz-sns-subscription-arn": SubscriptionArn,
      });
      await verify(heard, ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]);
      // A listener that fails is asked again, as soon as the policy says: by default, 20 s.
      const healthyRetryPolicy = { numRetries: 2, minDelayTarget: 1, maxDelayTarget: 1 };
      await sns.call("SetSubscriptionAttributes", {
        SubscriptionArn,
        AttributeName: "DeliveryPolicy",
        AttributeValue: JSON.stringify({ healthyRetryPolicy }),
      });
      listener.failures = 1;
      await sns.call("Publish", { TopicArn, Message: "again" });
      const again = [await listener.next("Notification"), await listener.next("Notification")];
      assert.deepEqual(
        again.map((message) => message.Message),
        ["again", "again"],
      );
      assert.equal(again[0].MessageId, again[1].MessageId);
    } finally {
      listener.close();
    }
  });
});

/** The signature over the fields as Amazon documents it, by the certificate it names. */
async function verify(message, fields) {
  const text = fields.map((name) => `${name}\n${message[name]}\n`).join("");
  const certificate = await (await fetch(message.SigningCertURL)).text();
  const { publicKey } = new X509Certificate(certificate);
  assert.equal(message.SignatureVersion, "1");
  const check = createVerify("RSA-SHA1").update(text);
  assert.ok(check.verify(publicKey, message.Signature, "base64"), text);
}

/** A web server that keeps what it is sent; it answers 500 as often as `failures` says. */
async function listen() {
  const messages = [];
  const server = http.createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const headers = Object.entries(request.headers).filter(([name]) =>
      name.startsWith("x-amz-sns-"),
    );
    messages.push({ ...JSON.parse(body), headers: Object.fromEntries(headers) });
    response.statusCode = listener.failures > 0 ? 500 : 200;
    listener.failures -= 1;
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const listener = {
    url: `http://127.0.0.1:${server.address().port}/news`,
    failures: 0,
    close: () => server.close(),
    /** The next message of this type that was not asked for yet. */
    next: async (type) => {
      const at = await until(`a ${type}`, () => {
        const index = messages.findIndex((message) => message.Type === type);
        return index >= 0 && { index };
      });
      return messages.splice(at.index, 1)[0];
    },
  };
  return listener;
}
