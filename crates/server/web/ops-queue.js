// One queue, in a dialog that its address opens (`#queue=jobs`): its numbers, its messages, and
// what can be done with it. What always holds: looking receives nothing; nothing is deleted and
// nothing is redriven before it was said how many messages that concerns; what was typed and
// what is open survive every refresh.

import { paths, problemText, request } from "./api.js";
import { byId, h, keyed, setAttr, setText, show } from "./dom.js";
import { age, count, moment } from "./format.js";
import { lang, t } from "./i18n.js";
import { redrive } from "./ops-dead.js";
import { FieldError, given, integer, wireDialog, wireForm } from "./ops-forms.js";
import { readAttributes } from "./ops-message.js";
import { drawMessages } from "./ops-queue-messages.js";
import { movedText, queueLink, queueText } from "./ops-tables.js";
import { confirm, notice } from "./page.js";

const PAGE_SIZE = 20;

const dialog = byId("queue-dialog");
const number = (value) => count(value, lang());

/** The queue as it was last seen, null until then and when there is none of this name. */
let queue = null;
let name = "";
let messages = [];
let next;
let wanted = PAGE_SIZE;
let names = [];
/** The redrive is to be opened once there is something to show. */
let asksRedrive = false;
let refresh = () => {};

// ---------------------------------------------------------------- opening and fetching

/** The queue that the address names. */
function named() {
  const match = /^#queue=(.+)$/.exec(location.hash);
  try {
    return match ? decodeURIComponent(match[1]) : "";
  } catch {
    return "";
  }
}

function open() {
  const asked = named();
  if (asked === "" || (dialog.open && asked === name)) return;
  [name, queue, messages, next, wanted] = [asked, null, [], undefined, PAGE_SIZE];
  for (const form of dialog.querySelectorAll("form")) form.reset();
  for (const part of dialog.querySelectorAll("details")) part.open = false;
  draw();
  if (!dialog.open) dialog.showModal();
  refresh();
}

/** Opens a dead-letter queue where it is redriven. */
export function askRedrive(of) {
  asksRedrive = true;
  location.hash = queueLink(of);
  open();
}

/** What the dialog shows, fetched; nothing while it is closed. */
export async function fetchQueue(queues) {
  names = queues.map((one) => one.name);
  if (!dialog.open) return;
  const of = name;
  try {
    const [detail, page] = await Promise.all([request("GET", paths.queue(of)), fetchPage(of)]);
    if (of !== name) return;
    [queue, messages, next] = [detail, page.messages, page.next];
    show(byId("queue-problem"), false);
  } catch (problem) {
    if (problem.undecided || of !== name) throw problem;
    queue = null;
    setText(byId("queue-problem"), problemText(problem));
    show(byId("queue-problem"), true);
  }
}

async function fetchPage(of) {
  const messages = [];
  let next;
  while (messages.length < wanted) {
    const query = new URLSearchParams({ limit: PAGE_SIZE, ...(next ? { after: next } : {}) });
    const page = await request("GET", `${paths.messages(of)}?${query}`);
    messages.push(...page.messages);
    next = page.next;
    if (!next) break;
  }
  return { messages, next };
}

// ---------------------------------------------------------------- drawing

export function draw() {
  setText(byId("queue-title"), name);
  show(byId("queue-content"), queue !== null);
  show(byId("queue-kind"), queue !== null);
  if (queue === null) return setText(byId("queue-about"), "");
  setText(byId("queue-kind"), t(queue.kind === "fifo" ? "queue.fifo" : "queue.standard"));
  setText(byId("queue-about"), queue.moving ? "" : queueText(queue));
  drawTiles();
  drawMove();
  drawRedrive();
  const isFifo = queue.kind === "fifo";
  for (const field of dialog.querySelectorAll("[data-fifo]")) show(field, isFifo);
  show(byId("s-delay").closest(".field"), !isFifo);
  setText(byId("queue-messages-count"), t("dead.count", { n: queue.total, count: number(queue.total) }));
  drawMessages(byId("queue-messages"), queue, messages, (message) => redrive({ queue }, message, refresh));
  show(byId("queue-none"), messages.length === 0);
  show(byId("queue-more"), next !== undefined);
  drawSettings();
  if (asksRedrive) {
    asksRedrive = false;
    byId("queue-redrive").open = true;
    byId("m-rate").focus();
  }
}

function drawTiles() {
  const { perMinute } = queue;
  const oldest = queue.oldestAgeSeconds;
  const tiles = [
    ["col.visible", number(queue.visible)],
    ["col.inFlight", number(queue.inFlight)],
    ["col.delayed", number(queue.delayed)],
    ["col.oldest", oldest === undefined ? "–" : age(oldest, lang())],
    ["col.sentMinute", number(perMinute.sent)],
    ["col.receivedMinute", number(perMinute.received)],
    ["col.deletedMinute", number(perMinute.deleted)],
  ];
  keyed(
    byId("queue-tiles"),
    tiles,
    ([key]) => key,
    () => h("div", { class: "tile" }, h("dt"), h("dd")),
    (node, [key, value]) => {
      setText(node.children[0], t(key));
      setText(node.children[1], value);
    },
  );
}

/** The move that is running; else what became of the last one. */
function drawMove() {
  const last = queue.moves[0];
  const { moving } = queue;
  show(byId("queue-move"), last !== undefined);
  if (last === undefined) return;
  const bar = byId("queue-move-bar");
  const shown = moving ?? last;
  const all = Math.max(shown.toMove, shown.moved, 1);
  setAttr(bar, "max", all);
  setAttr(bar, "value", shown.moved);
  setText(bar, movedText(shown));
  show(bar, moving !== undefined);
  show(byId("queue-move-cancel"), moving !== undefined);
  const rate = shown.rate ? t("move.rate", { rate: number(shown.rate) }) : "";
  const to = shown.destination ? t("move.to", { queue: shown.destination }) : "";
  const outcome = moving ? "" : t(`move.${shown.status}`);
  const parts = [movedText(shown), to, rate, outcome, shown.failure, moment(shown.startedAt, lang())];
  setText(byId("queue-move-text"), parts.filter(Boolean).join(" · "));
}

function drawRedrive() {
  const sources = queue.deadLetterSourceQueues.join(", ");
  show(byId("queue-redrive"), sources !== "");
  const params = { n: queue.total, count: number(queue.total), sources };
  setText(byId("queue-redrive-text"), t("move.text", params));
  const busy = queue.moving !== undefined || queue.total === 0;
  byId("redrive-form").querySelector("[type=submit]").disabled = busy;
  const others = names.filter((one) => one !== name && one.endsWith(".fifo") === (queue.kind === "fifo"));
  keyed(byId("queue-names"), others, (one) => one, (one) => h("option", { value: one }));
}

function drawSettings() {
  const { settings } = queue;
  const seconds = (value) => age(value, lang());
  const rows = [
    ["set.visibility", seconds(settings.visibilityTimeoutSeconds)],
    ["set.delay", seconds(settings.delaySeconds)],
    ["set.retention", seconds(settings.retentionSeconds)],
    ["set.size", t("set.bytes", { count: number(settings.maximumMessageBytes) })],
    ["set.wait", seconds(settings.receiveWaitSeconds)],
    ["set.receives", queue.maxReceiveCount === undefined ? "" : number(queue.maxReceiveCount)],
    ["set.deduplication", settings.fifo ? t(settings.fifo.contentBasedDeduplication ? "set.byContent" : "set.byId") : ""],
    ["set.tags", Object.entries(queue.tags).map(([key, value]) => `${key}=${value}`).join(", ")],
    ["set.policy", settings.policy ?? ""],
  ].filter(([, value]) => value !== "");
  keyed(
    byId("queue-settings"),
    rows,
    ([key]) => key,
    () => h("div", {}, h("dt", { class: "muted" }), h("dd")),
    (node, [key, value]) => {
      setText(node.children[0], t(key));
      setText(node.children[1], value);
    },
  );
}

// ---------------------------------------------------------------- acting

async function send(values) {
  const { attributes, wrong } = readAttributes(values.attributes);
  if (wrong) throw new FieldError("attributes", t("send.attributesWrong", { line: wrong }));
  const body = { body: values.body, attributes };
  if (given(values, "groupId")) body.groupId = values.groupId.trim();
  if (given(values, "deduplicationId")) body.deduplicationId = values.deduplicationId.trim();
  if (given(values, "delaySeconds")) body.delaySeconds = integer(values, "delaySeconds");
  const { seq } = await request("POST", paths.messages(name), { body });
  return t("send.done", { seq: number(seq) });
}

async function startMove(values) {
  const body = {};
  if (given(values, "destination")) body.destination = values.destination.trim();
  if (given(values, "rate")) body.rate = integer(values, "rate");
  const { toMove } = await request("POST", paths.moves(name), { body });
  return t("redrive.done", { n: toMove, count: number(toMove) });
}

async function act(task, said) {
  try {
    await task();
    notice(said);
  } catch (problem) {
    notice(problemText(problem), "bad");
  }
  refresh();
}

async function purge() {
  const params = { queue: name, n: queue.total, count: number(queue.total) };
  const sure = await confirm({
    title: t("purge.title", params),
    text: t("purge.text"),
    yes: t("purge.yes", params),
    no: t("redrive.no"),
    danger: true,
  });
  if (sure) await act(() => request("POST", paths.purge(params.queue)), t("purge.done", params));
}

function cancelMove() {
  const { moving } = queue;
  if (moving) act(() => request("DELETE", paths.move(name, moving.id)), t("move.cancelled"));
}

/** `again` fetches and draws the page anew. */
export function startQueue(again) {
  refresh = again;
  wireDialog(dialog);
  wireForm(byId("send-form"), send, again);
  wireForm(byId("redrive-form"), startMove, again);
  byId("queue-purge").addEventListener("click", purge);
  byId("queue-move-cancel").addEventListener("click", cancelMove);
  byId("queue-more").addEventListener("click", () => {
    wanted += PAGE_SIZE;
    again();
  });
  dialog.addEventListener("close", () => {
    history.replaceState(history.state, "", location.pathname + location.search);
  });
  addEventListener("hashchange", () => (named() === "" ? dialog.close() : open()));
  open();
}
