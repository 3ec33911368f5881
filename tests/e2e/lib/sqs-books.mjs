// What the clients of one queue were told, and what should not have been.
//
// A send is known by what its body begins with, which a repeated send has again; a message by
// the id that the server gave it. So a send may have become two messages, but only when an
// answer was lost, and on a FIFO queue never.

import assert from "node:assert/strict";

export class Books {
  /** `{id, group, number, poison, acknowledged, lost, deleting, settled, passed}` by id. */
  sends = new Map();
  messages = new Map();
  /** Of a FIFO queue: the sends of each group that are not settled, in their order. */
  groups = new Map();
  lastOfGroup = new Map();
  backOfGroup = new Map();
  /** Acknowledged messages that are neither deleted nor dead, but for poison. */
  outstanding = 0;
  counts = {
    acknowledged: 0,
    receives: 0,
    redeliveries: 0,
    receivesLost: 0,
    deletes: 0,
    deletedLate: 0,
    refusedAsExpired: 0,
    passed: 0,
  };
  wrong = { cameBack: 0, shrunk: 0, receivedTooOften: 0, outOfOrder: 0, overtaken: 0, unknown: 0 };

  constructor(queue, { isFifo = false, receivesMax = Infinity } = {}) {
    this.queue = queue;
    this.isFifo = isFifo;
    this.receivesMax = receivesMax;
  }

  /** A send that is about to be asked for. */
  begin(send) {
    this.sends.set(send.id, send);
    if (!this.isFifo) return;
    if (!this.groups.has(send.group)) this.groups.set(send.group, []);
    this.groups.get(send.group).push(send);
  }

  acknowledge(send, answer) {
    assert.ok(answer.MessageId, `${send.id}: ${JSON.stringify(answer)}`);
    assert.equal(send.acknowledged, undefined);
    send.acknowledged = answer.MessageId;
    this.counts.acknowledged += 1;
    // It may be received and deleted before its producer hears that it was taken.
    const isOpen = !this.#message(send.acknowledged, send.id).settled;
    this.outstanding += Number(isOpen && !send.poison);
  }

  /** What one receive brought, `inTime` while nobody else may have it; each with what is known of it. */
  receive(messages, inTime) {
    const works = messages.map((received) => this.#receiveOne(received, inTime));
    if (this.isFifo) this.#passBy(works.map((work) => work.send));
    return works;
  }

  /**
   * Whatever stands before it in its group is deleted, or came with it, or has become a dead
   * letter. Which of them it is shows later: a dead letter is not received or deleted any more.
   */
  #passBy(sends) {
    const last = new Map(sends.map((send) => [send.group, send.number]));
    for (const [group, number] of last) {
      const left = this.groups.get(group).filter((send) => !send.settled);
      this.groups.set(group, left);
      for (const send of left) {
        if (send.number >= number) break;
        if (send.passed || send.deleting || sends.includes(send)) continue;
        send.passed = true;
        this.counts.passed += 1;
      }
    }
  }

  /** A delete of it is about to be asked for. */
  deleting({ send }) {
    send.deleting = true;
  }

  /** It was refused: its time had passed. */
  refuse({ send }) {
    send.deleting = false;
    this.counts.refusedAsExpired += 1;
  }

  #receiveOne(received, inTime) {
    const send = this.#sendOf(received);
    this.wrong.overtaken += Number(inTime && send.passed === true);
    const message = this.#message(received.MessageId, send.id);
    const count = Number(received.Attributes.ApproximateReceiveCount);
    const first = Number(received.Attributes.ApproximateFirstReceiveTimestamp);
    if (message.seen === 0 && this.isFifo) this.#follow(received, send);
    this.counts.receives += 1;
    this.counts.redeliveries += Number(message.seen > 0);
    this.wrong.cameBack += Number(message.deleted);
    // Each receive counts one more, and the first one stays where it was.
    const hasMoved = message.seen > 0 && first !== message.first;
    this.wrong.shrunk += Number(count <= message.count || hasMoved);
    this.wrong.receivedTooOften += Number(count > this.receivesMax);
    message.seen += 1;
    message.count = Math.max(count, message.count);
    message.first = first;
    return { ...received, message, send };
  }

  /** A delete was answered. If it was `inTime`, nobody may see the message again. */
  delete({ message, send }, inTime) {
    this.counts.deletes += 1;
    this.counts.deletedLate += Number(!inTime);
    this.wrong.overtaken += Number(inTime && send.passed === true);
    message.deleted ||= inTime;
    this.#settle(message, send);
  }

  /** It lies in the dead-letter queue. */
  bury(received) {
    const send = this.#sendOf(received);
    const message = this.#message(received.MessageId, send.id);
    this.wrong.cameBack += Number(message.deleted || message.dead);
    message.dead = true;
    this.#settle(message, send);
  }

  /** A dead letter that is back where it came from, after those before it; it is deleted there. */
  comeBack(received) {
    const send = this.#sendOf(received);
    const message = this.#message(received.MessageId, send.id);
    this.wrong.cameBack += Number(message.settled);
    this.wrong.receivedTooOften += Number(received.Attributes.ApproximateReceiveCount !== "1");
    const last = this.backOfGroup.get(send.group) ?? 0;
    this.wrong.outOfOrder += Number(send.number <= last);
    this.backOfGroup.set(send.group, send.number);
    message.dead = true;
    this.#settle(message, send);
  }

  /** Sends of which an answer was lost: they may have become more than one message. */
  get sentAgain() {
    return [...this.sends.values()].filter((send) => send.lost > 0).length;
  }

  /** Messages that were acknowledged, and are neither deleted nor dead. */
  get lost() {
    const acknowledged = [...this.sends.values()].filter((send) => send.acknowledged);
    return acknowledged.filter((send) => !this.messages.get(send.acknowledged).settled).length;
  }

  /** Messages beside the acknowledged one of their send, and those no lost answer explains. */
  get duplicates() {
    const counts = new Map();
    for (const message of this.messages.values()) {
      const send = this.sends.get(message.id);
      if (send.acknowledged !== message.messageId) counts.set(send, (counts.get(send) ?? 0) + 1);
    }
    let [all, unexplained] = [0, 0];
    for (const [send, count] of counts) {
      all += count;
      unexplained += Math.max(0, count - send.lost);
    }
    return { all, unexplained };
  }

  #message(messageId, id) {
    let message = this.messages.get(messageId);
    if (message === undefined) {
      message = { messageId, id, seen: 0, count: 0, deleted: false, settled: false, dead: false };
      this.messages.set(messageId, message);
    }
    this.wrong.unknown += Number(message.id !== id);
    return message;
  }

  #sendOf(received) {
    const send = this.sends.get(received.Body.split(" ")[0]);
    assert.ok(send, `nobody sent ${received.Body.slice(0, 100)}`);
    return send;
  }

  /** The first deliveries of a group come in the order in which they were sent. */
  #follow(received, send) {
    const sequence = BigInt(received.Attributes.SequenceNumber);
    const last = this.lastOfGroup.get(send.group) ?? { number: 0, sequence: 0n };
    this.wrong.outOfOrder += Number(send.number <= last.number || sequence <= last.sequence);
    this.lastOfGroup.set(send.group, { number: send.number, sequence });
  }

  #settle(message, send) {
    const closes = !message.settled && !send.poison && send.acknowledged === message.messageId;
    message.settled = true;
    send.settled = true;
    this.outstanding -= Number(closes);
  }
}
