// One order's whole story on the operations page: a field that takes its id or its number, and a
// dialog that the address opens (`#order=ord_...`). What always holds: it is fetched anew with
// the page while it is open, and what is away is said, not left out in silence.

import { paths, problemText, request } from "./api.js";
import { byId, h, keyed, setAttr, setText, show } from "./dom.js";
import { count, exactMoment } from "./format.js";
import { has, lang, t } from "./i18n.js";
import { wireDialog } from "./ops-forms.js";

const dialog = byId("order-dialog");
const CHIPS = {
  accepted: "accepted", sent: "accepted", delivered: "accepted", told: "accepted",
  pending: "pending", waiting: "pending", queued: "pending",
  failed: "failed", cancelled: "cancelled", withdrawn: "cancelled",
};

/** As it was last seen, null until then and when there is none of this id. */
let line = null;
let id = "";
let refresh = () => {};

const named = (prefix, name) => (has(`${prefix}.${name}`) ? t(`${prefix}.${name}`) : name);

// ---------------------------------------------------------------- fetching

/** What the dialog shows, fetched; nothing while it is closed. */
export async function fetchTimeline() {
  if (!dialog.open) return;
  const of = id;
  try {
    const seen = await request("GET", paths.timeline(of));
    if (of !== id) return;
    line = seen;
    show(byId("order-problem"), false);
  } catch (problem) {
    if (problem.undecided || of !== id) throw problem;
    line = null;
    setText(byId("order-problem"), problemText(problem));
    show(byId("order-problem"), true);
  }
}

// ---------------------------------------------------------------- drawing

const keyOf = ({ source, what, at, detail }) =>
  [source, what, at, detail.id, detail.to, detail.replay, detail.seq].join("|");

/** What is known of an item beside its name, as texts. */
export function facts({ source, status, detail }) {
  const at = (iso) => exactMoment(iso, lang());
  const number = (n) => count(n, lang());
  const of = {
    points: detail.points !== undefined && number(detail.points),
    units: detail.units !== undefined && number(detail.units),
    trackingId: detail.trackingId,
    location: detail.location,
    to: detail.to,
    attempts: detail.attempts !== undefined && number(detail.attempts),
    endedAt: detail.endedAt && at(detail.endedAt),
    nextAt: status === "pending" && detail.nextAt && at(detail.nextAt),
    answer: detail.answer !== undefined && String(detail.answer),
    error: detail.error,
    replay: detail.replay !== undefined && number(detail.replay),
    seq: source === "sale" && detail.seq !== undefined && String(detail.seq),
  };
  return Object.entries(of)
    .filter(([, value]) => value)
    .map(([name, value]) => [t(`timeline.${name}`), value]);
}

function createItem() {
  return h("li", { class: "story-item" },
    h("p", { class: "story-head" },
      h("time", { class: "muted" }), h("span", { class: "story-source" }),
      h("strong"), h("span", { class: "chip" })),
    h("dl", { class: "story-facts" }));
}

function drawItem(node, item) {
  const [head, list] = node.children;
  const [at, source, what, chip] = head.children;
  setAttr(node, "data-source", item.source);
  setText(at, exactMoment(item.at, lang()));
  setAttr(at, "datetime", item.at);
  setText(source, t(`timeline.source.${item.source}`));
  setText(what, named("timeline.what", item.what));
  // Of the sale and of parcels the status is what the name says already.
  const status = ["sale", "parcel"].includes(item.source) ? "" : item.status ?? "";
  setText(chip, status && named("timeline.status", status));
  setAttr(chip, "data-status", CHIPS[status]);
  keyed(list, facts(item), ([name]) => name, () => h("div", {}, h("dt", { class: "muted" }), h("dd")),
    (row, [name, value]) => {
      setText(row.children[0], name);
      setText(row.children[1], value);
    });
  show(list, list.children.length > 0);
}

export function drawTimeline() {
  setText(byId("order-title"), t("timeline.heading", { id: line ? line.order.seq : id }));
  show(byId("order-content"), line !== null);
  show(byId("order-chip"), line !== null);
  if (line === null) return;
  const { order, items, missing, more } = line;
  setText(byId("order-chip"), named("timeline.order", order.status));
  setAttr(byId("order-chip"), "data-status", order.status);
  setText(byId("order-about"), `${order.sku} × ${count(order.quantity, lang())} · ${order.id}`);
  const away = missing.map((name) => t(`timeline.missing.${name}`));
  const cut = more.map((name) => t("timeline.more", { source: t(`timeline.source.${name}`) }));
  setText(byId("order-missing"), [...away, ...cut].join(" "));
  show(byId("order-missing"), away.length + cut.length > 0);
  keyed(byId("order-items"), items, keyOf, createItem, drawItem);
}

// ---------------------------------------------------------------- start

/** The order that the address names. */
function asked() {
  const match = /^#order=(.+)$/.exec(location.hash);
  try {
    return match ? decodeURIComponent(match[1]) : "";
  } catch {
    return "";
  }
}

function open() {
  const wanted = asked();
  if (wanted === "" || (dialog.open && wanted === id)) return;
  [id, line] = [wanted, null];
  show(byId("order-problem"), false);
  drawTimeline();
  if (!dialog.open) dialog.showModal();
  refresh();
}

/** `again` fetches and draws the page anew. */
export function startTimeline(again) {
  refresh = again;
  wireDialog(dialog);
  dialog.addEventListener("close", () => {
    history.replaceState(history.state, "", location.pathname + location.search);
  });
  byId("order-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = byId("order-field").value.trim();
    if (wanted !== "") location.hash = `order=${encodeURIComponent(wanted)}`;
  });
  addEventListener("hashchange", () => {
    if (asked() !== "") open();
    else if (dialog.open) dialog.close();
  });
  open();
}
