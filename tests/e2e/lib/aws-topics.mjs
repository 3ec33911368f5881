// What every JavaScript SDK does with topics, which have one wire only, the query
// protocol. Every operator of a filter policy is in test_aws_boto3_topics.py.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  arnOf,
  bodies,
  createQueue,
  drain,
  number,
  receive,
  refused,
  text,
  unique,
} from "./aws.mjs";

const FIFO = { FifoTopic: "true", ContentBasedDeduplication: "true" };

/** @param {() => {sqs: object, sns: object}} clients asked when a test begins */
export function topicTests(clients) {
  test("a queue hears of a message wrapped and raw", async () => {
    const { sqs, sns } = clients();
    const topic = await createTopic(sns);
    const wrapped = await createQueue(sqs);
    const raw = await createQueue(sqs);
    await subscribe(clients(), topic, wrapped);
    await subscribe(clients(), topic, raw, { RawMessageDelivery: "true" });
    const published = await sns.call("Publish", {
      TopicArn: topic,
      Subject: "an order",
      Message: "도넛 & <more>",
      MessageAttributes: { city: text("Zürich"), units: number("3") },
    });
    const [message] = await drain(sqs, wrapped, 1);
    const envelope = JSON.parse(message.Body);
    assert.equal(envelope.Type, "Notification");
    assert.equal(envelope.MessageId, published.MessageId);
    assert.equal(envelope.TopicArn, topic);
    assert.deepEqual([envelope.Subject, envelope.Message], ["an order", "도넛 & <more>"]);
    assert.deepEqual(envelope.MessageAttributes, {
      city: { Type: "String", Value: "Zürich" },
      units: { Type: "Number", Value: "3" },
    });
    assert.ok(envelope.Signature && envelope.SigningCertURL && envelope.UnsubscribeURL);
    const [plain] = await drain(sqs, raw, 1);
    assert.equal(plain.Body, "도넛 & <more>");
    assert.equal(plain.MessageAttributes.city.StringValue, "Zürich");
    assert.equal(plain.MessageAttributes.units.DataType, "Number");
  });

  test("a filter looks at attributes or into the body", async () => {
    const { sqs, sns } = clients();
    const topic = await createTopic(sns);
    const queues = {};
    const policies = {
      MessageAttributes: { kind: [{ prefix: "order" }], price: [{ numeric: [">=", 100] }] },
      MessageBody: { customer: { tier: ["vip"] } },
    };
    for (const [scope, policy] of Object.entries(policies)) {
      queues[scope] = await createQueue(sqs);
      await subscribe(clients(), topic, queues[scope], {
        RawMessageDelivery: "true",
        FilterPolicyScope: scope,
        FilterPolicy: JSON.stringify(policy),
      });
    }
    const entries = [
      ["order", "100", "vip"],
      ["order", "99", "vip"],
      ["bid", "100", "normal"],
      ["order.changed", "1e2", "normal"],
    ].map(([kind, price, tier], i) => ({
      Id: `e${i}`,
      Message: JSON.stringify({ i, customer: { tier } }),
      MessageAttributes: { kind: text(kind), price: number(price) },
    }));
    const sent = await sns.call("PublishBatch", {
      TopicArn: topic,
      PublishBatchRequestEntries: entries,
    });
    assert.deepEqual(
      sent.Successful.map((entry) => entry.Id),
      ["e0", "e1", "e2", "e3"],
    );
    const passed = async (scope) =>
      bodies(await drain(sqs, queues[scope], 2))
        .map((body) => JSON.parse(body).i)
        .sort();
    assert.deepEqual(await passed("MessageAttributes"), [0, 3]);
    assert.deepEqual(await passed("MessageBody"), [0, 1]);
  });

  test("a FIFO topic keeps order and leaves out repetitions", async () => {
    const { sqs, sns } = clients();
    const topic = await createTopic(sns, "topic.fifo", FIFO);
    const queue = await createQueue(sqs, "queue.fifo");
    await subscribe(clients(), topic, queue, { RawMessageDelivery: "true" });
    for (const Message of ["one", "two", "two", "three"]) {
      await sns.call("Publish", { TopicArn: topic, Message, MessageGroupId: "a" });
    }
    assert.deepEqual(bodies(await drain(sqs, queue, 3)), ["one", "two", "three"]);
  });

  test("topics and subscriptions are listed, tagged, changed and ended", async () => {
    const { sqs, sns } = clients();
    const name = unique("kept");
    const { TopicArn } = await sns.call("CreateTopic", { Name: name });
    assert.equal((await sns.call("CreateTopic", { Name: name })).TopicArn, TopicArn);
    const Tags = [{ Key: "team", Value: "sales" }];
    await sns.call("TagResource", { ResourceArn: TopicArn, Tags });
    const tags = await sns.call("ListTagsForResource", { ResourceArn: TopicArn });
    assert.deepEqual(tags.Tags, Tags);
    const queue = await createQueue(sqs);
    const SubscriptionArn = await subscribe(clients(), TopicArn, queue);
    const listed = await sns.call("ListSubscriptionsByTopic", { TopicArn });
    assert.deepEqual(
      listed.Subscriptions.map((s) => [s.SubscriptionArn, s.Protocol, s.Endpoint]),
      [[SubscriptionArn, "sqs", await arnOf(sqs, queue)]],
    );
    await sns.call("SetSubscriptionAttributes", {
      SubscriptionArn,
      AttributeName: "RawMessageDelivery",
      AttributeValue: "true",
    });
    const kept = await sns.call("GetSubscriptionAttributes", { SubscriptionArn });
    assert.equal(kept.Attributes.RawMessageDelivery, "true");
    await sns.call("Unsubscribe", { SubscriptionArn });
    await sns.call("Publish", { TopicArn, Message: "nobody listens" });
    assert.deepEqual(await receive(sqs, queue), []);
    await sns.call("DeleteTopic", { TopicArn });
    for (const [code, call] of [
      ["NotFound", () => sns.call("Publish", { TopicArn, Message: "to nobody" })],
      ["InvalidParameter", () => sns.call("CreateTopic", { Name: "has space" })],
    ]) {
      await refused(sns, code, call);
    }
  });
}

export async function createTopic(sns, name = "topic", Attributes = {}) {
  return (await sns.call("CreateTopic", { Name: unique(name), Attributes })).TopicArn;
}

/** The queue gets what the topic is sent, and lets it; answers with the subscription's ARN. */
export async function subscribe({ sqs, sns }, topic, queue, attributes = {}) {
  const arn = await arnOf(sqs, queue);
  const allow = {
    Effect: "Allow",
    Principal: { Service: "sns.amazonaws.com" },
    Action: "sqs:SendMessage",
    Resource: arn,
    Condition: { ArnEquals: { "aws:SourceArn": topic } },
  };
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [allow] });
  await sqs.call("SetQueueAttributes", { QueueUrl: queue, Attributes: { Policy } });
  const subscribed = await sns.call("Subscribe", {
    TopicArn: topic,
    Protocol: "sqs",
    Endpoint: arn,
    Attributes: attributes,
    ReturnSubscriptionArn: true,
  });
  return subscribed.SubscriptionArn;
}
