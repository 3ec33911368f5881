// Queue traffic as an SDK makes it, AWS JSON over plain HTTP: each iteration sends a message,
// receives one and deletes it. An iteration receives only after it has sent, so there is
// always one for it: a receive that finds nothing is a message that was lost, and one that
// is left at the end was delivered twice. Fails in both cases, and when an answer is late.

import http from "k6/http";
import { check } from "k6";
import { Trend } from "k6/metrics";

import { arrivals, IN_TIME, number, P95_MS, refuse, target } from "./target.js";

const BASE = target("AWS_ENDPOINT_URL", "http://127.0.0.1:9324");
const BODY = "x".repeat(number("BODY_BYTES", 256));
// Without access keys the server does not look at the signature, only at region and service.
const SIGNED =
  "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, " +
  `SignedHeaders=host;x-amz-date, Signature=${"0".repeat(64)}`;

const roundTrip = new Trend("send_to_delete_ms", true);

export const options = {
  scenarios: { queues: arrivals(number("RATE", 100)) },
  thresholds: {
    checks: ["rate==1"],
    http_req_failed: ["rate==0"],
    "http_req_duration{name:SendMessage}": IN_TIME,
    "http_req_duration{name:ReceiveMessage}": IN_TIME,
    "http_req_duration{name:DeleteMessage}": IN_TIME,
    send_to_delete_ms: [`p(95)<${3 * P95_MS}`],
    dropped_iterations: ["count==0"],
  },
};

function sqs(action, parameters) {
  return http.post(`${BASE}/`, JSON.stringify(parameters), {
    headers: {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": `AmazonSQS.${action}`,
      "x-amz-date": "20260101T000000Z",
      authorization: SIGNED,
    },
    tags: { name: action },
  });
}

export function setup() {
  const answer = sqs("CreateQueue", { QueueName: `load-${Date.now()}` });
  if (answer.status !== 200)
    refuse(`no queue was made at ${BASE}: ${answer.status} ${answer.body}`);
  return { QueueUrl: answer.json("QueueUrl") };
}

export default function ({ QueueUrl }) {
  const began = Date.now();
  const sent = sqs("SendMessage", { QueueUrl, MessageBody: BODY });
  const isSent = check(sent, { "it is sent": (a) => a.status === 200 && !!a.json("MessageId") });
  if (!isSent) return;
  const received = sqs("ReceiveMessage", { QueueUrl, WaitTimeSeconds: 5 });
  const message = received.status === 200 ? received.json("Messages.0") : undefined;
  check(message, { "one is received, as it was sent": (m) => m && m.Body === BODY });
  if (!message) return;
  const deleted = sqs("DeleteMessage", { QueueUrl, ReceiptHandle: message.ReceiptHandle });
  check(deleted, { "it is deleted": (a) => a.status === 200 });
  roundTrip.add(Date.now() - began);
}

export function teardown({ QueueUrl }) {
  const AttributeNames = ["All"];
  const { Attributes: a } = sqs("GetQueueAttributes", { QueueUrl, AttributeNames }).json();
  check(a, {
    "nothing is left": () =>
      a.ApproximateNumberOfMessages === "0" && a.ApproximateNumberOfMessagesNotVisible === "0",
  });
  sqs("DeleteQueue", { QueueUrl });
}
