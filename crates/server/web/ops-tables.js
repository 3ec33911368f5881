// Tables that become cards on a phone: a table's rows keep their nodes over a refresh, and
// each cell carries its column's name for the narrow layout. Also the columns of stock,
// replenishments and queues. Knows what the server's fields mean, not when they are fetched.

import { paths } from "./api.js";
import { clock } from "./clock.js";
import { h, keyed, setAttr, setText, show } from "./dom.js";
import { age, count, moment } from "./format.js";
import { has, lang, t } from "./i18n.js";

/**
 * `columns` are `{label, kind?, build?(td), draw(td, item)}`; `kind` is `number`, `main` or
 * `wide`. Roles are written out because a table drawn as blocks loses them in some browsers.
 */
export class Table {
  #table;
  #head;
  #body;
  #empty;
  #columns;
  #keyOf;

  constructor(container, columns, keyOf) {
    this.#columns = columns;
    this.#keyOf = keyOf;
    this.#head = h("tr", { role: "row" });
    for (const column of columns) {
      this.#head.append(h("th", { role: "columnheader", scope: "col", class: column.kind }));
    }
    this.#body = h("tbody", { role: "rowgroup" });
    this.#table = h(
      "table",
      { role: "table", class: "table" },
      h("thead", { role: "rowgroup" }, this.#head),
      this.#body,
    );
    this.#empty = h("p", { class: "table-empty muted" });
    container.append(this.#table, this.#empty);
  }

  draw(items, emptyText) {
    this.#columns.forEach((column, n) => setText(this.#head.children[n], t(column.label)));
    show(this.#table, items.length > 0);
    show(this.#empty, items.length === 0);
    setText(this.#empty, emptyText);
    keyed(this.#body, items, this.#keyOf, () => this.#createRow(), (row, item) => {
      row.item = item;
      this.#columns.forEach((column, n) => {
        setAttr(row.children[n], "data-label", t(column.label));
        column.draw(row.children[n], item);
      });
    });
  }

  #createRow() {
    const row = h("tr", { role: "row" });
    for (const column of this.#columns) {
      const cell = h("td", { role: "cell", class: column.kind });
      column.build?.(cell, () => row.item);
      row.append(cell);
    }
    return row;
  }
}

/** A text that may be missing; the narrow layout leaves the cell out then. */
export function setOptional(cell, text) {
  setText(cell, text || "–");
  setAttr(cell, "data-none", !text);
}

const number = (label, pick) => ({
  label,
  kind: "number",
  draw(cell, item) {
    const value = pick(item);
    setText(cell, value === undefined ? "–" : count(value, lang()));
    setAttr(cell, "data-zero", value === 0 || value === undefined);
  },
});

const twoLines = (cell) =>
  cell.append(h("span", { class: "cell-main" }), h("span", { class: "cell-sub muted" }));

export function productColumns(onReceipt) {
  return [
    {
      label: "col.product",
      kind: "main",
      build: (cell) =>
        cell.append(h("a", { class: "cell-main" }), h("span", { class: "cell-sub muted" })),
      draw(cell, product) {
        setText(cell.firstChild, product.name);
        setAttr(cell.firstChild, "href", paths.productPage(product.sku));
        setText(cell.lastChild, product.sku);
      },
    },
    number("col.onHand", (product) => product.onHand),
    number("col.allocated", (product) => product.allocated),
    {
      ...number("col.available", (product) => product.available),
      kind: "number strong",
    },
    number("col.waiting", (product) => product.waiting),
    number("col.waitingUnits", (product) => product.waitingUnits),
    number("col.lastPlace", (product) => product.lastPlace),
    {
      label: "col.actions",
      kind: "actions",
      build(cell, item) {
        const press = () => onReceipt(item().sku);
        cell.append(h("button", { type: "button", class: "button quiet small", onclick: press }));
      },
      draw(cell, product) {
        setText(cell.firstChild, t("receipt.open"));
        setAttr(cell.firstChild, "aria-label", t("receipt.openFor", { sku: product.sku }));
      },
    },
  ];
}

export function reasonText(reason, detail) {
  if (!reason) return detail ?? "";
  const known = has(`reason.${reason}`) ? t(`reason.${reason}`) : reason;
  return detail ? `${known}: ${detail}` : known;
}

function sinceText(iso) {
  return t("ago", { time: age((clock.now() - Date.parse(iso)) / 1000, lang()) });
}

export const replenishmentColumns = [
  {
    label: "col.product",
    kind: "main",
    build: twoLines,
    draw(cell, one) {
      setText(cell.firstChild, one.sku);
      setText(cell.lastChild, one.factory);
    },
  },
  {
    label: "col.status",
    build: (cell) => cell.append(h("span", { class: "chip" })),
    draw(cell, one) {
      setText(cell.firstChild, t(`rep.${one.status}`));
      setAttr(cell.firstChild, "data-status", one.status);
    },
  },
  number("col.quantity", (one) => one.quantity),
  number("col.received", (one) => one.received),
  number("col.attempts", (one) => one.attempts),
  {
    label: "col.requested",
    kind: "time",
    draw(cell, one) {
      setText(cell, sinceText(one.requestedAt));
      setAttr(cell, "title", moment(one.requestedAt, lang()));
    },
  },
  {
    label: "col.reason",
    kind: "wide",
    draw: (cell, one) => setOptional(cell, reasonText(one.reason, one.detail)),
  },
];

/** Where a queue is shown: a dialog of the operations page that its address opens. */
export const queueLink = (name) => `#queue=${encodeURIComponent(name)}`;

/** What a queue has to do with others, and whether messages are leaving it. */
export function queueText(queue) {
  if (queue.moving) return movedText(queue.moving);
  const sources = queue.deadLetterSourceQueues.join(", ");
  if (sources) return t("queue.dlq", { sources });
  return queue.deadLetterQueue ? t("queue.feeds", { queue: queue.deadLetterQueue }) : "";
}

export const movedText = (move) =>
  t("move.progress", { moved: count(move.moved, lang()), total: count(Math.max(move.toMove, move.moved), lang()) });

export const queueColumns = [
  {
    label: "col.queue",
    kind: "main",
    build: (cell) =>
      cell.append(h("a", { class: "cell-main" }), h("span", { class: "cell-sub muted" })),
    draw(cell, queue) {
      setText(cell.firstChild, queue.name);
      setAttr(cell.firstChild, "href", queueLink(queue.name));
      setText(cell.lastChild, queueText(queue));
    },
  },
  { ...number("col.visible", (queue) => queue.visible), kind: "number strong" },
  number("col.inFlight", (queue) => queue.inFlight),
  number("col.delayed", (queue) => queue.delayed),
  {
    label: "col.oldest",
    kind: "number",
    draw(cell, queue) {
      const seconds = queue.oldestAgeSeconds;
      setText(cell, seconds === undefined ? "–" : age(seconds, lang()));
      setAttr(cell, "data-zero", seconds === undefined);
    },
  },
  number("col.sentMinute", (queue) => queue.perMinute.sent),
  number("col.receivedMinute", (queue) => queue.perMinute.received),
  number("col.deletedMinute", (queue) => queue.perMinute.deleted),
  {
    label: "col.trend",
    kind: "trend",
    build: (cell) =>
      cell.append(
        h("svg", { class: "trend-line", viewBox: "0 0 150 24", preserveAspectRatio: "none", "aria-hidden": "true" },
          h("polyline", { points: "" })),
      ),
    draw: (cell, queue) => setAttr(cell.querySelector("polyline"), "points", trendPoints(queue.name)),
  },
];

// Depths seen by this page, newest last: 150 samples of two seconds are five minutes.
const SAMPLES_MAX = 150;
const samples = new Map();

export function sampleQueues(queues) {
  const names = new Set(queues.map((queue) => queue.name));
  for (const name of samples.keys()) if (!names.has(name)) samples.delete(name);
  for (const { name, visible, inFlight, delayed } of queues) {
    const kept = samples.get(name) ?? [];
    kept.push(visible + inFlight + delayed);
    if (kept.length > SAMPLES_MAX) kept.shift();
    samples.set(name, kept);
  }
}

function trendPoints(name) {
  const kept = samples.get(name) ?? [];
  const top = Math.max(1, ...kept);
  const first = SAMPLES_MAX - kept.length;
  return kept
    .map((depth, n) => `${first + n},${(22 - (depth / top) * 20).toFixed(1)}`)
    .join(" ");
}
