// The last decisions, live. What always holds: at most 100 are kept however fast they come,
// the page draws a few times a second at most, and a pause holds the picture while counting
// what it hides.

import { byId, h, setAttr, setText } from "./dom.js";
import { count, time } from "./format.js";
import { has, lang, t } from "./i18n.js";
import { follow } from "./live.js";
import { reasonText, setOptional, Table } from "./ops-tables.js";

const KEPT_MAX = 100;
const DRAW_EVERY_MS = 250;
// How far before the newest known event the feed begins, so that it does not begin empty.
const LOOK_BACK = 100;
const TYPES = new Set([
  "product.created",
  "product.updated",
  "order.placed",
  "order.accepted",
  "order.sold_out",
  "order.cancelled",
  "stock.received",
  "replenishment.requested",
  "replenishment.started",
  "replenishment.received",
  "replenishment.failed",
  "message.dead_lettered",
  "auction.created",
  "auction.opened",
  "auction.closing_soon",
  "auction.closed",
  "auction.cancelled",
  "auction.settled",
  "auction.forfeited",
  "auction.offered",
  "auction.offer_answered",
  "bid.accepted",
  "bid.refused",
  "bid.retracted",
  "parcel.created",
  "parcel.moved",
]);

const TONES = {
  "order.accepted": "accepted",
  "stock.received": "accepted",
  "replenishment.received": "accepted",
  "bid.accepted": "accepted",
  "auction.closed": "accepted",
  "auction.settled": "accepted",
  "order.placed": "pending",
  "auction.offered": "pending",
  "replenishment.requested": "pending",
  "replenishment.started": "pending",
  "replenishment.failed": "failed",
  "message.dead_lettered": "failed",
};

const columns = [
  { label: "col.time", kind: "time", draw: (cell, one) => setText(cell, time(one.at, lang())) },
  {
    label: "col.decision",
    build: (cell) => cell.append(h("span", { class: "chip" })),
    draw(cell, one) {
      const key = `event.${one.type}`;
      setText(cell.firstChild, has(key) ? t(key) : one.type);
      setAttr(cell.firstChild, "data-status", TONES[one.type]);
    },
  },
  { label: "col.product", kind: "main", draw: (cell, one) => setText(cell, one.sku ?? one.queue ?? one.product ?? one.auction ?? "–") },
  { label: "col.place", kind: "number", draw: (cell, one) => setText(cell, numberText(one.place ?? one.no)) },
  { label: "col.quantity", kind: "number", draw: (cell, one) => setText(cell, numberText(one.quantity)) },
  {
    label: "col.available",
    kind: "number",
    draw: (cell, one) => setText(cell, numberText(one.stock?.available)),
  },
  { label: "col.detail", kind: "wide", draw: (cell, one) => setOptional(cell, detail(one)) },
];

const numberText = (value) => (value === undefined ? "–" : count(value, lang()));

function detail(one) {
  if (one.type.startsWith("parcel.")) return `${t(`parcel.${one.status}`)} · ${one.reference}`;
  if (one.type === "message.dead_lettered") {
    return [reasonText(one.reason), one.deadLetterQueue].filter(Boolean).join(" → ");
  }
  if (one.bidder) return [one.bidder, reasonText(one.reason)].filter(Boolean).join(" · ");
  return one.reference ?? reasonText(one.reason);
}

export class Feed {
  #table = new Table(byId("decisions"), columns, (one) => one.seq);
  #events = [];
  #frozen = null;
  #held = 0;
  #timer = null;
  #matches;

  constructor(matches) {
    this.#matches = matches;
    byId("pause").addEventListener("click", () => this.toggle());
  }

  /** `lastSeq` is the newest event there is, if the server tells. */
  start(lastSeq) {
    follow("/events", {
      since: lastSeq === undefined ? undefined : Math.max(0, lastSeq - LOOK_BACK),
      whileHidden: false,
      onEvent: (type, data) => this.#hear(type, data),
    });
  }

  toggle() {
    this.#frozen = this.#frozen ? null : [...this.#events];
    this.#held = 0;
    this.draw();
  }

  draw() {
    const paused = this.#frozen !== null;
    setText(byId("pause"), t(paused ? "ops.resume" : "ops.pause"));
    setAttr(byId("pause"), "aria-pressed", String(paused));
    const held = paused && this.#held > 0;
    setText(byId("feed-held"), held ? t("ops.held", { n: this.#held, count: count(this.#held, lang()) }) : "");
    const all = this.#frozen ?? this.#events;
    const shown = all.filter((one) => this.#matches(one.sku, one.queue, one.deadLetterQueue, one.auction, one.type));
    this.#table.draw(shown, t(all.length > 0 ? "ops.noneFiltered" : "ops.noDecisions"));
  }

  #hear(type, data) {
    if (!TYPES.has(type) || data === null) return;
    this.#events.unshift(data);
    if (this.#events.length > KEPT_MAX) this.#events.length = KEPT_MAX;
    if (this.#frozen) this.#held += 1;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.draw();
    }, DRAW_EVERY_MS);
  }
}
