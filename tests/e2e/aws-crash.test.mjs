// Queues while the server is killed again and again: a standard queue and a FIFO queue with
// several groups, both with dead letters, producers and consumers over both protocols of SQS.
// Before each kill an attribute, a tag, a purge and a publication, which are there after it.
//
// Clients do what clients must: what was not answered is asked again, over either protocol,
// and what was received is worked on and deleted while it is theirs. All that they were told
// is written down, and counted in the end: what is lost, what came back, what came twice.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { Server } from "./lib/server.mjs";
import { Books } from "./lib/sqs-books.mjs";
import { ask, AWS_JSON, Lost, QUERY, SNS } from "./lib/sqs-wires.mjs";
import { random, until } from "./lib/wait.mjs";

const SEED = Number(process.env.CRASH_SEED ?? 20261121);
const KILLS = 8;
/** A kill falls somewhere into this time after the clients are at work again. */
const KILL_WITHIN_MS = 4_000;
const PRODUCERS = 4;
const CONSUMERS = 4;
const GROUPS_PER_PRODUCER = 4;
const BATCH_MAX = 10;
/** Short, so that what a killed server had handed out comes back while others work. */
const VISIBILITY_S = 2;
const WAIT_S = 1;
const RECEIVES_MAX = 3;
/** Shares of the messages: nobody can process it; the consumer forgets it this time. */
const POISON = 0.05;
/** Of the FIFO queue, which waits for each: the seventh of so many. */
const POISON_EVERY = 200;
const FORGOTTEN = 0.01;
/** Dead letters go back slowly, so that a kill falls between them. */
const MOVE_S = 8;
/** Producers wait while more than this is not worked off. */
const OUTSTANDING_MAX = 1_500;
const RETRY_MS = 25;
const WORK_LIMIT_MS = 90_000;
/** Whoever is overtaken by a time-out is told so; the message is somebody else's then. */
const TOO_LATE = ["InvalidParameterValue", "AWS.SimpleQueueService.MessageNotInflight"];

/** The server, who may go on, and how many answers there were. */
class Run {
  producing = true;
  consuming = true;
  failed = false;
  answers = { [AWS_JSON.name]: 0, [QUERY.name]: 0, [SNS.name]: 0 };
  repeated = 0;
  unanswered = 0;
  changes = { attributes: 0, tags: 0, purges: 0, published: 0, heardAgain: 0 };

  constructor(server, next) {
    this.server = server;
    this.next = next;
  }

  get answered() {
    return this.answers[AWS_JSON.name] + this.answers[QUERY.name];
  }

  /** Asks once, over the one protocol or the other. */
  async ask(action, parameters, only) {
    const wire = only ?? (this.next() < 0.5 ? AWS_JSON : QUERY);
    try {
      const answer = await ask(this.server.aws, wire, action, parameters);
      this.answers[wire.name] += 1;
      return answer;
    } catch (error) {
      this.unanswered += Number(error instanceof Lost && error.reached);
      throw error;
    }
  }

  /** Asks until there is an answer; `onLost` hears of each time that it may have been done. */
  async insist(action, parameters, onLost = () => {}, only = undefined) {
    while (!this.failed) {
      try {
        return await this.ask(action, parameters, only);
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
        if (error.reached) onLost();
        this.repeated += 1;
      }
      await delay(RETRY_MS);
    }
    throw new Error("given up: something else has failed");
  }

  async createQueue(name, given) {
    const answer = await this.insist("CreateQueue", { QueueName: name, Attributes: given });
    return answer.QueueUrl;
  }

  async attributesOf(queue) {
    const parameters = { QueueUrl: queue, AttributeNames: ["All"] };
    return (await this.insist("GetQueueAttributes", parameters)).Attributes;
  }

  async depth(queue) {
    const given = await this.attributesOf(queue);
    const parts = ["", "NotVisible", "Delayed"];
    const counts = parts.map((part) => Number(given[`ApproximateNumberOfMessages${part}`]));
    return counts.reduce((sum, count) => sum + count, 0);
  }
}

test(`queues, killed again and again (CRASH_SEED=${SEED})`, { timeout: 300_000 }, async () => {
  const server = await Server.start({ demo: false });
  try {
    await workThroughKills(server);
    await server.stop();
  } finally {
    await server.kill();
  }
});

async function workThroughKills(server) {
  const run = new Run(server, random(SEED + 1));
  const dead = await run.createQueue("dead", {});
  const deadFifo = await run.createQueue("dead.fifo", { FifoQueue: "true" });
  const attributes = async (deadLetters) => {
    const deadLetterTargetArn = (await run.attributesOf(deadLetters)).QueueArn;
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: RECEIVES_MAX });
    return { RedrivePolicy, VisibilityTimeout: `${VISIBILITY_S}` };
  };
  const receivesMax = RECEIVES_MAX;
  const standard = new Books(await run.createQueue("standard", await attributes(dead)), {
    receivesMax,
  });
  const groups = { FifoQueue: "true", ContentBasedDeduplication: "true" };
  const fifo = new Books(
    await run.createQueue("groups.fifo", { ...groups, ...(await attributes(deadFifo)) }),
    { isFifo: true, receivesMax },
  );
  const others = await makeOthers(run);

  await work(run, [standard, fifo], others);
  // A last end without warning: what lies on the disk then is what was answered.
  await killAndRestart(server, true);
  for (const { queue } of [standard, fifo]) {
    assert.equal(await run.depth(queue), 0);
    const left = await run.insist("ReceiveMessage", { QueueUrl: queue });
    assert.deepEqual(left.Messages ?? [], []);
  }
  await dig(run, dead, standard);
  await redrive(run, deadFifo, fifo);
  await hear(run, others);
  check(run, standard, fifo);
}

/** What is changed before each kill: a queue's settings, and a topic that a queue hears. */
async function makeOthers(run) {
  const settings = await run.createQueue("settings", {});
  const heard = await run.createQueue("heard", {});
  const { TopicArn } = await run.insist("CreateTopic", { Name: "told" }, undefined, SNS);
  const Endpoint = (await run.attributesOf(heard)).QueueArn;
  const raw = { "Attributes.entry.1.key": "RawMessageDelivery", "Attributes.entry.1.value": "true" };
  const subscription = { TopicArn, Protocol: "sqs", Endpoint, ...raw };
  await run.insist("Subscribe", subscription, undefined, SNS);
  return { settings, heard, TopicArn, published: [] };
}

/** One change of each kind; answers with what must be so after a restart. */
async function change(run, others, round) {
  const QueueUrl = others.settings;
  const Attributes = { MessageRetentionPeriod: `${1_000 + round}` };
  const Tags = { [`round-${round}`]: `${round}` };
  const purged = await run.createQueue(`purged-${round}`, {});
  for (const body of ["a", "b"]) {
    await run.insist("SendMessage", { QueueUrl: purged, MessageBody: body });
  }
  const Message = `publication ${round}`;
  await run.insist("SetQueueAttributes", { QueueUrl, Attributes });
  await run.insist("TagQueue", { QueueUrl, Tags });
  await run.insist("Publish", { TopicArn: others.TopicArn, Message }, undefined, SNS);
  others.published.push(Message);
  await run.insist("PurgeQueue", { QueueUrl: purged });
  return { Attributes, Tags, purged };
}

async function see(run, others, { Attributes, Tags, purged }) {
  const given = await run.attributesOf(others.settings);
  assert.equal(given.MessageRetentionPeriod, Attributes.MessageRetentionPeriod);
  run.changes.attributes += 1;
  const tagged = (await run.insist("ListQueueTags", { QueueUrl: others.settings })).Tags;
  assert.deepEqual({ ...tagged, ...Tags }, tagged);
  run.changes.tags += 1;
  assert.equal(await run.depth(purged), 0, "what was purged is back");
  run.changes.purges += 1;
}

/** All that was published was heard. */
async function hear(run, { heard, published }) {
  const parameters = { QueueUrl: heard, MaxNumberOfMessages: BATCH_MAX };
  const bodies = [];
  while ((await run.depth(heard)) > 0) {
    const { Messages = [] } = await run.insist("ReceiveMessage", parameters);
    for (const { Body, ReceiptHandle } of Messages) {
      bodies.push(Body);
      await run.insist("DeleteMessage", { QueueUrl: heard, ReceiptHandle });
    }
  }
  assert.deepEqual([...new Set(bodies)].sort(), published.toSorted());
  run.changes.published = published.length;
  run.changes.heardAgain = bodies.length - published.length;
}

/** Until the last kill is over and everything that was sent is worked off. */
async function work(run, all, others) {
  const crew = (count, member) => Array.from({ length: count }, (_, n) => member(n));
  const killing = killAgainAndAgain(run, others).then(() => (run.producing = false));
  const producing = all.flatMap((books) => crew(PRODUCERS, (n) => produce(run, books, n)));
  const consuming = all.flatMap((books) => crew(CONSUMERS, () => consume(run, books)));
  const sending = Promise.all([killing, ...producing]);
  const workedOff = sending.then(async () => {
    for (const { queue } of all) {
      const isEmpty = async () => run.failed || (await run.depth(queue)) === 0;
      await until("everything is worked off", isEmpty, WORK_LIMIT_MS);
    }
    run.consuming = false;
  });
  try {
    await Promise.all([workedOff, ...consuming]);
  } catch (error) {
    run.failed = true;
    run.producing = false;
    run.consuming = false;
    throw error;
  }
}

async function produce(run, books, producer) {
  let number = 0;
  while (run.producing) {
    const size = run.next() < 0.6 ? 1 : 1 + Math.floor(run.next() * BATCH_MAX);
    const sends = Array.from({ length: size }, () => {
      number += 1;
      return newSend(run, books, producer, number);
    });
    await send(run, books, sends);
    const hasRoom = () => !run.producing || books.outstanding < OUTSTANDING_MAX;
    await until("there is room", hasRoom, WORK_LIMIT_MS);
  }
}

function newSend(run, books, producer, number) {
  const id = `${producer}-${number}`;
  const bytes = run.next() < 0.01 ? 60_000 : Math.floor(run.next() ** 3 * 4_000);
  const entry = { MessageBody: `${id} ${"x".repeat(bytes)}` };
  const group = `group-${producer}-${number % GROUPS_PER_PRODUCER}`;
  if (books.isFifo) {
    entry.MessageGroupId = group;
    // The messages of the other producers are told apart by their content.
    if (producer % 2 === 0) entry.MessageDeduplicationId = id;
  }
  const poison = books.isFifo ? number % POISON_EVERY === 7 : run.next() < POISON;
  const made = { id, group, number, entry, poison, acknowledged: undefined, lost: 0 };
  books.begin(made);
  return made;
}

/** A producer sends the same until it is told that it was taken. */
async function send(run, books, sends) {
  const QueueUrl = books.queue;
  const onLost = () => sends.forEach((one) => (one.lost += 1));
  if (sends.length === 1) {
    const [one] = sends;
    const parameters = { QueueUrl, ...one.entry };
    books.acknowledge(one, await run.insist("SendMessage", parameters, onLost));
    return;
  }
  const Entries = sends.map(({ entry }, at) => ({ Id: `${at}`, ...entry }));
  const answer = await run.insist("SendMessageBatch", { QueueUrl, Entries }, onLost);
  assert.equal(answer.Successful.length, sends.length, JSON.stringify(answer.Failed));
  for (const sent of answer.Successful) books.acknowledge(sends[Number(sent.Id)], sent);
}

async function consume(run, books) {
  const parameters = {
    QueueUrl: books.queue,
    MaxNumberOfMessages: BATCH_MAX,
    WaitTimeSeconds: WAIT_S,
    AttributeNames: ["All"],
  };
  while (run.consuming) {
    const mineUntil = Date.now() + VISIBILITY_S * 1_000;
    try {
      const { Messages = [] } = await run.ask("ReceiveMessage", parameters);
      const received = books.receive(Messages, Date.now() < mineUntil);
      const done = await attempt(run, books, received);
      if (done.length > 0) await remove(run, books, done, mineUntil);
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
      books.counts.receivesLost += Number(error.reached);
      await delay(RETRY_MS);
    }
  }
}

/** Answers with what is done; the rest comes back after its time-out, or is given back. */
async function attempt(run, books, received) {
  const done = [];
  const stopped = new Set();
  for (const work of received) {
    const { send, ReceiptHandle } = work;
    const fails = send.poison || run.next() < FORGOTTEN;
    // In a group nothing may be done that stands behind what failed, unless it never will succeed:
    // what stands behind that would become a dead letter with it.
    if (fails && books.isFifo && !send.poison) stopped.add(send.group);
    if (!fails && !stopped.has(send.group)) done.push(work);
    if (send.poison && run.next() < 0.5) {
      const parameters = { QueueUrl: books.queue, ReceiptHandle, VisibilityTimeout: 0 };
      await unlessTooLate(run.insist("ChangeMessageVisibility", parameters));
    }
  }
  return done;
}

async function remove(run, books, done, mineUntil) {
  const QueueUrl = books.queue;
  done.forEach((work) => books.deleting(work));
  if (run.next() < 0.3) {
    for (const work of done) {
      const { ReceiptHandle } = work;
      const asked = run.insist("DeleteMessage", { QueueUrl, ReceiptHandle });
      if (await unlessTooLate(asked)) books.delete(work, Date.now() < mineUntil);
      else books.refuse(work);
    }
    return;
  }
  const Entries = done.map(({ ReceiptHandle }, at) => ({ Id: `${at}`, ReceiptHandle }));
  const answer = await run.insist("DeleteMessageBatch", { QueueUrl, Entries });
  const inTime = Date.now() < mineUntil;
  for (const { Id } of answer.Successful ?? []) books.delete(done[Number(Id)], inTime);
  for (const { Id, Code } of answer.Failed ?? []) {
    assert.ok(books.isFifo && TOO_LATE.includes(Code), Code);
    books.refuse(done[Number(Id)]);
  }
}

async function unlessTooLate(asked) {
  try {
    return await asked;
  } catch (error) {
    if (!TOO_LATE.includes(error.code)) throw error;
    return undefined;
  }
}

/** Kills and restarts the server at moments that the seed decides. */
async function killAgainAndAgain(run, others) {
  const next = random(SEED);
  for (let killed = 1; killed <= KILLS && !run.failed; killed += 1) {
    const before = run.answered;
    const isAtWork = () => run.failed || run.answered > before;
    await until("the clients are at work", isAtWork, WORK_LIMIT_MS);
    await delay(next() * KILL_WITHIN_MS);
    const changed = await change(run, others, killed);
    await killAndRestart(run.server, killed % 3 === 0);
    await see(run, others, changed);
  }
}

async function killAndRestart(server, audited) {
  await server.kill();
  if (audited) {
    const audit = await server.audit();
    assert.equal(audit.code, 0, audit.text);
  }
  await server.restart();
}

/** Looks at everything in the dead-letter queue, and deletes it. */
async function dig(run, dead, books) {
  const source = (await run.attributesOf(books.queue)).QueueArn;
  const parameters = {
    QueueUrl: dead,
    MaxNumberOfMessages: BATCH_MAX,
    AttributeNames: ["All"],
  };
  while ((await run.depth(dead)) > 0) {
    const { Messages = [] } = await run.insist("ReceiveMessage", parameters);
    assert.ok(Messages.length > 0, "there is something, and it cannot be received");
    for (const message of Messages) {
      assert.equal(message.Attributes.DeadLetterQueueSourceArn, source);
      books.bury(message);
      const { ReceiptHandle } = message;
      await run.insist("DeleteMessage", { QueueUrl: dead, ReceiptHandle });
    }
  }
}

/** The dead letters of a FIFO queue go back where they came from, with a kill in between. */
async function redrive(run, dead, books) {
  const SourceArn = (await run.attributesOf(dead)).QueueArn;
  const count = await run.depth(dead);
  assert.ok(count > 1, "there are dead letters of the FIFO queue");
  const pace = { MaxNumberOfMessagesPerSecond: Math.ceil(count / MOVE_S) };
  await run.insist("StartMessageMoveTask", { SourceArn, ...pace });
  await until("some are moved", async () => (await run.depth(dead)) < count, WORK_LIMIT_MS);
  const left = await run.depth(dead);
  await killAndRestart(run.server, false);
  assert.ok(left > 0, "all were moved before the kill");
  const isMoved = async () => (await run.depth(dead)) === 0;
  await until("all are moved", isMoved, WORK_LIMIT_MS);
  const parameters = {
    QueueUrl: books.queue,
    MaxNumberOfMessages: BATCH_MAX,
    VisibilityTimeout: 60,
    AttributeNames: ["All"],
  };
  let back = 0;
  while ((await run.depth(books.queue)) > 0) {
    const { Messages = [] } = await run.insist("ReceiveMessage", parameters);
    assert.ok(Messages.length > 0, "there is something, and it cannot be received");
    for (const message of Messages) {
      books.comeBack(message);
      back += 1;
      const { ReceiptHandle } = message;
      await run.insist("DeleteMessage", { QueueUrl: books.queue, ReceiptHandle });
    }
  }
  assert.equal(back, count, "dead letters that came back");
  run.redriven = { count, leftAtTheKill: left };
}

function check(run, standard, fifo) {
  const { answers, repeated, unanswered, changes, redriven } = run;
  const messages = [...standard.messages.values()];
  const poison = messages.filter((message) => standard.sends.get(message.id).poison);
  const notDead = poison.filter((message) => !message.dead).length;
  const dead = messages.filter((message) => message.dead);
  // A receive that nobody heard of counts as well, so some were seen less often.
  const unseen = dead.reduce((sum, message) => sum + RECEIVES_MAX - message.seen, 0);
  const report = [standard, fifo].map((books) => {
    const { counts, sentAgain, lost, duplicates, wrong } = books;
    return { ...counts, sentAgain, lost, duplicates, ...wrong };
  });
  console.log({ killed: KILLS + 2, answers, repeated, unanswered, changes, redriven });
  console.log("standard", report[0], "FIFO", report[1]);
  console.log({ deadLetters: dead.length, poison: poison.length, notDead, unseen });

  for (const { counts, lost, duplicates, wrong } of [standard, fifo]) {
    assert.equal(lost, 0, "acknowledged messages are lost");
    assert.equal(duplicates.unexplained, 0, "duplicates without a lost answer");
    for (const [what, count] of Object.entries(wrong)) assert.equal(count, 0, what);
    // Otherwise nothing was tried.
    assert.ok(counts.acknowledged > 100 && counts.deletes > 100 && counts.redeliveries > 0);
  }
  // Whatever was passed by had become a dead letter, and so had all that cannot be processed.
  const strays = [...fifo.sends.values()].filter((send) => {
    const isDead = send.acknowledged && fifo.messages.get(send.acknowledged).dead;
    return (send.passed || send.poison) && !isDead;
  });
  assert.deepEqual(strays, [], "overtaken in their group, or poison that is no dead letter");
  assert.ok(fifo.counts.passed > 0, "no dead letter let others pass");
  assert.equal(fifo.duplicates.all, 0, "duplicates on the FIFO queue");
  assert.equal(notDead, 0, "poison that is not in the dead-letter queue");
  assert.ok(poison.length > 0);
  assert.ok(unseen <= standard.counts.receivesLost * BATCH_MAX, "dead before it was tried");
  assert.ok(unanswered > 0 && [AWS_JSON, QUERY].every(({ name }) => answers[name] > 100));
}
