// Looks at the dead letters, and with --redrive sends them back to where they came from.

import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import {
  ListMessageMoveTasksCommand,
  ReceiveMessageCommand,
  StartMessageMoveTaskCommand,
} from "@aws-sdk/client-sqs";

import { arnOf, openQueues, sqs } from "./queues.mjs";

const { values: options } = parseArgs({ options: { redrive: { type: "boolean" } } });
const { dead } = await openQueues();

if (options.redrive) {
  const SourceArn = await arnOf(dead);
  await sqs.send(new StartMessageMoveTaskCommand({ SourceArn }));
  let task;
  do {
    await delay(200);
    [task] = (await sqs.send(new ListMessageMoveTasksCommand({ SourceArn }))).Results;
  } while (task.Status === "RUNNING");
  console.log(`moved ${task.ApproximateNumberOfMessagesMoved}: ${task.Status}`);
} else {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: dead,
      MaxNumberOfMessages: 10,
      // Visible again at once: this only looks.
      VisibilityTimeout: 0,
      MessageSystemAttributeNames: ["DeadLetterQueueSourceArn"],
    }),
  );
  for (const { Body, Attributes } of Messages) {
    // One that was put there by hand comes from no queue.
    const source = Attributes?.DeadLetterQueueSourceArn?.split(":").at(-1) ?? "nowhere";
    console.log(`${Body} from ${source}`);
  }
  console.log(`dead letters: ${Messages.length}`);
}
