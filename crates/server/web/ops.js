// Operations: what is in stock, auctioned, on order, in the queues, dead, and being
// decided. Fetches
// everything every two seconds while somebody looks, draws it, and owns filter and keys.

import { problemText, request } from "./api.js";
import { byId, h, keyed, setAttr, setText, show } from "./dom.js";
import { age, count } from "./format.js";
import { lang, t } from "./i18n.js";
import { poll } from "./live.js";
import { drawAlerts, fetchAlerts, openAlerts } from "./ops-alerts.js";
import { openAuctionForm, startAuctionForm } from "./ops-auction-form.js";
import { auctionColumns, drawAuction, fetchAuctions, startAuctions } from "./ops-auctions.js";
import { drawConsumers, fetchConsumers, startConsumers } from "./ops-consumers.js";
import { drawMail, fetchMails, mailColumns, startMails } from "./ops-mails.js";
import { drawDeadLetters, fetchDeadLetters } from "./ops-dead.js";
import { Feed } from "./ops-feed.js";
import { offerSkus, openProduct, openReceipt, startForms } from "./ops-forms.js";
import { productColumns, queueColumns, replenishmentColumns, sampleQueues, Table } from "./ops-tables.js";
import { drawTimeline, fetchTimeline, startTimeline } from "./ops-timeline.js";
import { draw as drawQueue, fetchQueue, startQueue } from "./ops-queue.js";
import { setConnection, setTab, startPage } from "./page.js";

const REFRESH_MS = 2_000;
const PAGE_SIZE = 100;
const REPLENISHMENTS_SHOWN = 50;

const filter = byId("filter");
const tables = {
  products: new Table(byId("products"), productColumns(openReceipt), (one) => one.sku),
  auctions: new Table(byId("auctions"), auctionColumns, (one) => one.id),
  queues: new Table(byId("queues"), queueColumns, (one) => one.name),
  mails: new Table(byId("mails"), mailColumns, (one) => one.id),
  replenishments: new Table(byId("replenishments"), replenishmentColumns, (one) => one.id),
};
const feed = new Feed(matches);

/** Null until the first answer, so that "nothing" is never claimed before it is known. */
let state = null;
let pagesWanted = 1;

function matches(...texts) {
  const wanted = filter.value.trim().toLowerCase();
  return wanted === "" || texts.some((text) => String(text ?? "").toLowerCase().includes(wanted));
}

// ---------------------------------------------------------------- fetching

async function fetchProducts() {
  const products = [];
  let next;
  for (let page = 0; page < pagesWanted; page += 1) {
    const query = new URLSearchParams({ limit: PAGE_SIZE, ...(next ? { after: next } : {}) });
    const answer = await request("GET", `/products?${query}`);
    products.push(...answer.products);
    next = answer.next;
    if (!next) break;
  }
  return { products, next };
}

async function refresh() {
  const [page, auctions, { replenishments }, { queues }, summary, alerts, mails, consumers] = await Promise.all([
    fetchProducts(),
    fetchAuctions(),
    request("GET", `/replenishments?limit=${REPLENISHMENTS_SHOWN}`),
    request("GET", "/ops/queues"),
    request("GET", "/ops/summary"),
    fetchAlerts(),
    fetchMails(),
    fetchConsumers(),
    fetchTimeline(),
  ]);
  const [dead] = await Promise.all([fetchDeadLetters(queues), fetchQueue(queues)]);
  sampleQueues(queues);
  const first = state === null;
  state = { ...page, auctions, replenishments: openFirst(page.products, replenishments), queues, summary, alerts, mails, consumers, dead };
  if (first) feed.start(summary.lastSeq);
  draw();
}

/** Open ones on top, and those that are older than the newest page, from their products. */
function openFirst(products, listed) {
  const known = new Set(listed.map((one) => one.id));
  const older = products
    .map((product) => product.replenishment && { ...product.replenishment, sku: product.sku })
    .filter((one) => one && !known.has(one.id));
  const isOpen = (one) => ["requested", "in_production"].includes(one.status);
  const all = [...listed, ...older];
  return [...all.filter(isOpen), ...all.filter((one) => !isOpen(one))];
}

// ---------------------------------------------------------------- drawing

function draw() {
  const open = openAlerts(state?.alerts);
  const title = open > 0 ? `(${count(open, lang())}) ${t("ops.title")}` : t("ops.title");
  setTab(title, open > 0 || state?.summary.deadLetters > 0 ? "error" : "idle");
  feed.draw();
  if (state === null) return;
  setAttr(byId("main"), "data-unknown", null);
  const empty = t(filter.value.trim() ? "ops.noneFiltered" : "ops.none");
  drawAlerts(state.alerts, matches);
  drawConsumers(state.consumers, matches);
  tables.products.draw(state.products.filter((one) => matches(one.sku, one.name)), empty);
  tables.auctions.draw(state.auctions.filter((one) => matches(one.product, one.id, one.status)), empty);
  tables.queues.draw(state.queues.filter((one) => matches(one.name)), empty);
  tables.replenishments.draw(
    state.replenishments.filter((one) => matches(one.sku, one.factory, one.id, one.reason)),
    empty,
  );
  const mails = state.mails.mails.filter((one) => matches(one.subject, one.to, one.kind, one.id, one.status));
  tables.mails.draw(mails, filter.value.trim() ? empty : t("ops.noMails"));
  setText(byId("mails-transport"), t(`mails.${state.mails.transport}`));
  const dead = state.dead.filter(({ queue, messages }) =>
    matches(queue.name, ...messages.flatMap((one) => [one.reason, one.body, one.id])));
  const noDead = state.dead.length > 0 ? t("ops.noneFiltered") : t("ops.noDead");
  drawDeadLetters(dead, noDead, refreshing.now);
  show(byId("more"), state.next !== undefined);
  offerSkus(state.products);
  drawSummary(state.summary);
  drawQueue();
  drawAuction();
  drawMail();
  drawTimeline();
}

function drawSummary(summary) {
  const tiles = [
    { key: "sum.products", value: count(summary.products, lang()) },
    { key: "sum.waiting", value: count(summary.waiting, lang()) },
    { key: "sum.openReplenishments", value: count(summary.openReplenishments, lang()) },
    { key: "sum.deadLetters", value: count(summary.deadLetters, lang()), bad: summary.deadLetters > 0 },
    {
      key: "sum.sequencer",
      value: count(summary.sequencer.depth, lang()),
      note: t("sum.of", { capacity: count(summary.sequencer.capacity, lang()) }),
    },
    { key: "sum.listeners", value: count(summary.listeners, lang()) },
    { key: "sum.uptime", value: age(summary.uptimeSeconds, lang()), note: summary.version },
  ];
  keyed(
    byId("summary"),
    tiles,
    (tile) => tile.key,
    () => h("div", { class: "tile" }, h("dt"), h("dd"), h("dd", { class: "tile-note muted" })),
    (node, tile) => {
      setText(node.children[0], t(tile.key));
      setText(node.children[1], tile.value);
      setText(node.children[2], tile.note ?? "");
      setAttr(node, "data-bad", tile.bad);
    },
  );
}

// ---------------------------------------------------------------- keys

const keys = {
  "/": () => filter.focus(),
  p: () => feed.toggle(),
  g: () => openReceipt(),
  n: openProduct,
  a: openAuctionForm,
  "?": () => byId("keys-dialog").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.target === filter && event.key === "Escape") {
    filter.value = "";
    filter.blur();
    draw();
    return;
  }
  const typing = event.target.closest?.("input, select, textarea, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const act = keys[event.key] ?? keys[byCode[event.code]];
  if (!act) return;
  event.preventDefault();
  act();
});

// With a Korean keyboard active the letter keys give Hangul; their position does not change.
const byCode = { KeyP: "p", KeyG: "g", KeyN: "n", KeyA: "a" };

filter.addEventListener("input", draw);
byId("open-keys").addEventListener("click", keys["?"]);
byId("keys-dialog").querySelector("[data-close]").addEventListener("click", () => {
  byId("keys-dialog").close();
});
byId("more").addEventListener("click", () => {
  pagesWanted += 1;
  refreshing.now();
});

// ---------------------------------------------------------------- start

const refreshing = poll(refresh, REFRESH_MS, {
  onState(connection, problem) {
    setConnection(connection);
    const refused = problem && !problem.undecided;
    show(byId("problem"), Boolean(refused));
    if (refused) setText(byId("problem"), problemText(problem));
  },
});
startForms(refreshing.now);
startAuctionForm(refreshing.now);
startQueue(refreshing.now);
startAuctions(refreshing.now);
startMails(refreshing.now);
startConsumers(refreshing.now);
startTimeline(refreshing.now);
startPage(draw);
