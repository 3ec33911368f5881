// The topic, and a queue with its dead-letter queue for each of those who listen.

import { CreateTopicCommand, SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";

/** Endpoint, region and keys come from the environment, as for any program on Amazon. */
export const sqs = new SQSClient({});
export const sns = new SNSClient({});

/** Whoever tries the example twice at a time gives each a name. */
const TOPIC = process.env.TOPIC ?? "purchases";
const LISTENERS = ["mileage", "tracking"];
const RECEIVES_MAX = 3;

/** The topic, with every listener subscribed: a purchase must not be early for one of them. */
export async function openTopic() {
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: TOPIC }));
  for (const listener of LISTENERS) {
    const { arn } = await openQueue(listener, TopicArn);
    await sns.send(
      new SubscribeCommand({
        TopicArn,
        Protocol: "sqs",
        Endpoint: arn,
        Attributes: { RawMessageDelivery: "true" },
      }),
    );
  }
  return TopicArn;
}

/** The queue of one listener, which a topic may send to; making it again changes nothing. */
export async function openQueue(listener, topicArn) {
  const dead = await createQueue(`${TOPIC}-${listener}-dead`);
  const queue = await createQueue(`${TOPIC}-${listener}`);
  const Attributes = {
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: RECEIVES_MAX }),
  };
  if (topicArn !== undefined) {
    const allow = {
      Effect: "Allow",
      Principal: { Service: "sns.amazonaws.com" },
      Action: "sqs:SendMessage",
      Resource: queue.arn,
      Condition: { ArnEquals: { "aws:SourceArn": topicArn } },
    };
    Attributes.Policy = JSON.stringify({ Version: "2012-10-17", Statement: [allow] });
  }
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl: queue.url, Attributes }));
  return queue;
}

async function createQueue(QueueName) {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName }));
  const AttributeNames = ["QueueArn"];
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames }),
  );
  return { url: QueueUrl, arn: Attributes.QueueArn };
}
