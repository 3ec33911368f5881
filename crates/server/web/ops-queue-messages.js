// The messages of a queue, looked at and not received: one line each, the rest when it is opened,
// and the whole body when it is asked for.

import { paths, problemText, request } from "./api.js";
import { clock } from "./clock.js";
import { h, keyed, setAttr, setText, show } from "./dom.js";
import { age, count, moment } from "./format.js";
import { lang, t } from "./i18n.js";
import { bodyLabelText, pretty } from "./ops-message.js";
import { reasonText } from "./ops-tables.js";
import { notice } from "./page.js";

const PREVIEW_LENGTH = 160;

/** Whole messages that were asked for, by queue and sequence, while their queue is shown. */
let whole = { queue: null, messages: new Map() };

export function drawMessages(root, queue, messages, onRedrive) {
  if (whole.queue !== queue.name) whole = { queue: queue.name, messages: new Map() };
  keyed(
    root,
    messages,
    (message) => `${queue.name} ${message.seq}`,
    () => createMessage(queue.name, onRedrive),
    (node, message) => updateMessage(node, message, queue),
  );
}

function createMessage(queue, onRedrive) {
  const node = h(
    "li",
    { class: "message" },
    h(
      "details",
      {},
      h(
        "summary",
        {},
        h("span", { class: "message-line" }, h("span", { class: "chip" }), h("span", { class: "message-body" })),
        h("span", { class: "message-facts muted" }),
      ),
      h("dl", { class: "message-more" }),
      h("p", { class: "dead-label muted" }),
      h("pre", { tabindex: "0" }),
      h("button", {
        type: "button",
        class: "button quiet small",
        onclick: () => showWhole(queue, node),
      }),
    ),
    h("button", {
      type: "button",
      class: "button quiet small message-redrive",
      onclick: () => onRedrive(node.message),
    }),
  );
  return node;
}

function updateMessage(node, message, queue) {
  node.message = message;
  const [details, again] = node.children;
  const [summary, more, label, body, showAll] = details.children;
  const [chip, preview] = summary.children[0].children;
  setText(chip, t(`message.${message.state}`));
  setAttr(chip, "data-status", { in_flight: "pending", delayed: "pending" }[message.state]);
  setText(preview, message.body.slice(0, PREVIEW_LENGTH));
  setText(summary.children[1], facts(message));
  drawMore(more, message);
  const shown = whole.messages.get(message.seq) ?? message;
  setText(label, bodyLabelText(shown));
  setText(body, pretty(shown.body));
  show(showAll, shown.cut === true);
  setText(showAll, t("message.whole"));
  const isDead = message.sourceQueue !== undefined && queue.deadLetterSourceQueues.length > 0;
  show(again, isDead);
  setText(again, t("redrive.one"));
  setAttr(again, "aria-label", `${t("redrive.one")}: ${message.id}`);
}

function facts(message) {
  const hidden = message.visibleAt ? (Date.parse(message.visibleAt) - clock.now()) / 1000 : 0;
  return [
    t("message.number", { seq: count(message.seq, lang()) }),
    message.reason ? reasonText(message.reason) : "",
    t("dead.received", { n: message.receiveCount, count: count(message.receiveCount, lang()) }),
    moment(message.sentAt, lang()),
    hidden > 0 ? t("message.hidden", { time: age(hidden, lang()) }) : "",
  ]
    .filter(Boolean)
    .join(" · ");
}

function drawMore(list, message) {
  const attributes = Object.entries(message.attributes).map(([name, value]) => [
    `${name} (${message.attributeTypes[name]})`,
    value,
  ]);
  const rows = [
    [t("message.id"), message.id],
    [t("field.groupId"), message.groupId],
    [t("field.deduplicationId"), message.deduplicationId],
    [t("message.source"), message.sourceQueue],
    ...attributes,
  ].filter(([, value]) => value !== undefined);
  keyed(
    list,
    rows,
    ([name]) => name,
    () => h("div", {}, h("dt", { class: "muted" }), h("dd")),
    (node, [name, value]) => {
      setText(node.children[0], name);
      setText(node.children[1], value);
    },
  );
}

async function showWhole(queue, node) {
  const { seq } = node.message;
  try {
    const message = await request("GET", paths.message(queue, seq));
    if (whole.queue !== queue) return;
    whole.messages.set(seq, message);
    const [, , label, body, showAll] = node.firstElementChild.children;
    setText(label, bodyLabelText(message));
    setText(body, pretty(message.body));
    show(showAll, false);
    body.focus();
  } catch (problem) {
    notice(problemText(problem), "bad");
  }
}
