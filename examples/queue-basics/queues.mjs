// The queue and its dead-letter queue, and the clock of this example.

import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";

/** Endpoint, region and keys come from the environment, as for any program on Amazon. */
export const sqs = new SQSClient({});

/** TIME_SCALE=0.1 makes a demonstration of minutes one of seconds. */
export const scaled = (seconds) => seconds * Number(process.env.TIME_SCALE ?? 1);

/** How long a message is hidden while somebody works on it. */
export const VISIBILITY_TIMEOUT_S = Math.max(1, Math.round(scaled(10)));
/** After so many deliveries it is a dead letter. */
const RECEIVES_MAX = 3;

const NAME = process.env.QUEUE ?? "numbers";

async function createQueue(QueueName) {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName }));
  return QueueUrl;
}

export async function arnOf(QueueUrl) {
  const AttributeNames = ["QueueArn"];
  const answer = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }));
  return answer.Attributes.QueueArn;
}

/** Both queues; making them again changes nothing. */
export async function openQueues() {
  const dead = await createQueue(`${NAME}-dead`);
  const queue = await createQueue(NAME);
  const RedrivePolicy = JSON.stringify({
    deadLetterTargetArn: await arnOf(dead),
    maxReceiveCount: RECEIVES_MAX,
  });
  const Attributes = { VisibilityTimeout: String(VISIBILITY_TIMEOUT_S), RedrivePolicy };
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl: queue, Attributes }));
  return { queue, dead };
}
