// `aws-sdk` v2 in two versions: one that speaks the query protocol to SQS, on the queue's
// URL, and the last one, which speaks AWS JSON. Both check every digest themselves.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";

import awsJson from "aws-sdk-json";
import awsQuery from "aws-sdk-query";

import { queueTests } from "./lib/aws-queues.mjs";
import { topicTests } from "./lib/aws-topics.mjs";
import { createQueue, drain, KEYS, REGION, refused, startAws, unique } from "./lib/aws.mjs";

// The SDK warns of its own end on every start.
process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = "1";
const NO_SUCH_QUEUE = "AWS.SimpleQueueService.NonExistentQueue";

let aws;
before(async () => {
  aws = await startAws();
});
after(() => aws?.stop());

/** The common form of a service: `sendMessage(...).promise()` becomes `call`. */
function connect(service) {
  return {
    endpoint: aws.endpoint,
    service,
    call: (action, parameters) =>
      service[action[0].toLowerCase() + action.slice(1)](parameters).promise(),
    code: (error) => error.code,
  };
}

function clients(sdk) {
  // One attempt: a suite that repeats a request would hide the first answer.
  const options = { region: REGION, credentials: KEYS, endpoint: aws.endpoint, maxRetries: 0 };
  return { sqs: connect(new sdk.SQS(options)), sns: connect(new sdk.SNS(options)) };
}

describe("aws-sdk v2", { concurrency: true }, () => {
  for (const [protocol, sdk, message] of [
    ["query", awsQuery, "The specified queue does not exist for this wsdl version."],
    ["json", awsJson, "The specified queue does not exist."],
  ]) {
    describe(`aws-sdk ${sdk.VERSION}, ${protocol}`, { concurrency: true }, () => {
      test("it speaks what this suite is there for", () => {
        assert.equal(clients(sdk).sqs.service.api.protocol, protocol);
      });

      queueTests(() => clients(sdk).sqs);
      topicTests(() => clients(sdk));

      test("an error has its code, its text, its status and a request's id", async () => {
        const { sqs } = clients(sdk);
        const error = await refused(sqs, NO_SUCH_QUEUE, () =>
          sqs.call("GetQueueUrl", { QueueName: unique("missing") }),
        );
        assert.equal(error.message, message);
        assert.equal(error.statusCode, 400);
        assert.match(error.requestId, /^[0-9a-f-]{36}$/);
      });

      // Amazon's JSON has a body and a header, which a URL cannot carry.
      test("a presigned URL works without the SDK", { skip: protocol === "json" }, async () => {
        const { sqs } = clients(sdk);
        const queue = await createQueue(sqs);
        const sending = sqs.service.sendMessage({
          QueueUrl: queue,
          MessageBody: "by hand & so on",
        });
        const url = await promisify((done) => sending.toGet().presign(60, done))();
        const answer = await fetch(url);
        assert.equal(answer.status, 200, await answer.text());
        assert.match(answer.headers.get("content-type"), /xml/);
        const [message] = await drain(sqs, queue, 1);
        assert.equal(message.Body, "by hand & so on");
      });
    });
  }
});
