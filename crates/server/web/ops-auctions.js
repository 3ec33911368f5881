// Auctions on the operations page: the table, and one of them in a dialog that its address opens
// (`#auction=auc_...`): how it stands, who won by name, and what an operator decides. What always
// holds: nothing that cannot be undone happens without a question.

import { paths, problemText, request } from "./api.js";
import { isOver, received } from "./auction-state.js";
import { bidsText, formatText, moneyText, priceWords, reserveText, shownStatus, statusText, timeText, timeWords, unsoldText } from "./auction-words.js";
import { clock } from "./clock.js";
import { byId, h, keyed, setAttr, setText, show } from "./dom.js";
import { count, exactMoment } from "./format.js";
import { lang, t } from "./i18n.js";
import { localTime } from "./ops-auction-form.js";
import { wireDialog, wireForm } from "./ops-forms.js";
import { confirm, notice } from "./page.js";

const PAGE_SIZE = 50;
const DAY_MS = 86_400_000;

const dialog = byId("auction-dialog");

/** The auction as it was last seen, null until then and when there is none of this id. */
let auction = null;
let winners = [];
let id = "";
let pagesWanted = 1;
let refresh = () => {};

// ---------------------------------------------------------------- the table

export const auctionLink = (of) => `#auction=${encodeURIComponent(of)}`;

export const auctionColumns = [
  {
    label: "col.auction",
    kind: "main",
    build: (cell) => cell.append(h("a", { class: "cell-main" }), h("span", { class: "cell-sub muted" })),
    draw(cell, one) {
      setText(cell.firstChild, one.product);
      setAttr(cell.firstChild, "href", auctionLink(one.id));
      setText(cell.lastChild, formatText(one));
    },
  },
  {
    label: "col.status",
    build: (cell) => cell.append(h("span", { class: "chip" })),
    draw(cell, one) {
      setText(cell.firstChild, statusText(one, clock.now()));
      setAttr(cell.firstChild, "data-status", shownStatus(one, clock.now()));
    },
  },
  {
    label: "col.price",
    kind: "number strong",
    draw: (cell, one) => setText(cell, priceWords(one, clock.now()).text),
  },
  {
    label: "col.bids",
    kind: "number",
    draw(cell, one) {
      setText(cell, count(one.bidCount, lang()));
      setAttr(cell, "data-zero", one.bidCount === 0);
    },
  },
  {
    label: "col.end",
    kind: "number",
    draw(cell, one) {
      setText(cell, timeText(one, clock.now()));
      setAttr(cell, "title", exactMoment(one.endTime, lang()));
    },
  },
];

const RANK = { open: 0, scheduled: 1 };
const rank = (one) => RANK[one.status] ?? 2;

/** Open ones on top, the soonest end first; then those to come, then the newest that ended. */
function inOrder(auctions) {
  const time = (one) => Date.parse(rank(one) === 1 ? one.startTime : one.endTime);
  const byTime = (a, b) => (rank(a) === 2 ? time(b) - time(a) : time(a) - time(b));
  return auctions.toSorted((a, b) => rank(a) - rank(b) || byTime(a, b));
}

export async function fetchAuctions() {
  const auctions = [];
  let next;
  for (let page = 0; page < pagesWanted; page += 1) {
    const query = new URLSearchParams({ limit: PAGE_SIZE, ...(next ? { after: next } : {}) });
    const answer = await request("GET", `/auctions?${query}`);
    auctions.push(...answer.auctions.map(received));
    next = answer.next;
    if (!next) break;
  }
  await fetchShown();
  show(byId("auctions-more"), Boolean(next));
  return inOrder(auctions);
}

/** What the dialog shows, fetched; nothing while it is closed. */
async function fetchShown() {
  if (!dialog.open) return;
  const of = id;
  try {
    const seen = received(await request("GET", paths.auction(of)));
    const result = isOver(seen) ? await request("GET", paths.result(of)) : { winners: [] };
    if (of !== id) return;
    [auction, winners] = [seen, result.winners];
    show(byId("auction-problem"), false);
  } catch (problem) {
    if (problem.undecided || of !== id) throw problem;
    auction = null;
    setText(byId("auction-problem"), problemText(problem));
    show(byId("auction-problem"), true);
  }
}

// ---------------------------------------------------------------- the dialog

/** The auction that the address names. */
function named() {
  const match = /^#auction=(.+)$/.exec(location.hash);
  try {
    return match ? decodeURIComponent(match[1]) : "";
  } catch {
    return "";
  }
}

function open() {
  const asked = named();
  if (asked === "" || (dialog.open && asked === id)) return;
  [id, auction, winners] = [asked, null, []];
  byId("second-form").reset();
  drawAuction();
  if (!dialog.open) dialog.showModal();
  refresh();
}

export function drawAuction() {
  setText(byId("auction-title"), auction?.product ?? id);
  show(byId("auction-content"), auction !== null);
  show(byId("auction-chip"), auction !== null);
  if (auction === null) return setText(byId("auction-about"), "");
  const now = clock.now();
  const over = isOver(auction);
  setText(byId("auction-chip"), statusText(auction, now));
  setAttr(byId("auction-chip"), "data-status", shownStatus(auction, now));
  setText(byId("auction-about"), [formatText(auction), auction.id].join(" · "));
  drawTiles(now);
  setAttr(byId("auction-page"), "href", paths.auctionPage(id));
  setAttr(byId("auction-certificate"), "href", paths.certificate(id));
  show(byId("auction-cancel"), !over);
  show(byId("auction-result"), over && auction.status !== "cancelled");
  if (over) drawWinners();
}

function drawTiles(now) {
  const price = priceWords(auction, now);
  const time = timeWords(auction, now);
  const tiles = [
    ["price", price.label, price.text, reserveText(auction)],
    ["bids", t("col.bids"), count(auction.bidCount, lang()), ""],
    ["time", time.label, time.text, time.note],
    ["extensions", t("auctionOps.extensions"), count(auction.extensions ?? 0, lang()), ""],
  ];
  keyed(
    byId("auction-tiles"),
    tiles,
    ([key]) => key,
    () => h("div", { class: "tile" }, h("dt"), h("dd"), h("dd", { class: "tile-note muted" })),
    (node, [, ...texts]) => texts.forEach((said, n) => setText(node.children[n], said)),
  );
}

function drawWinners() {
  keyed(
    byId("winners"),
    winners,
    (winner) => winner.bidderId,
    createWinner,
    (row, winner) => {
      row.winner = winner;
      const [chip, words, ...buttons] = row.children;
      setText(chip, t(`award.${winner.status}`));
      setAttr(chip, "data-status", { won: "pending", settled: "accepted", offered: "pending" }[winner.status]);
      setText(words.firstChild, `${winner.bidderId} · ${moneyText(auction, winner.price)}`);
      setText(words.lastChild, [winner.bidder, t("own.number", { no: winner.no })].join(" · "));
      buttons.forEach((button, n) => {
        const key = ["auctionOps.settle", "auctionOps.forfeit"][n];
        show(button, winner.status === "won");
        setText(button, t(key));
        setAttr(button, "aria-label", t(`${key}For`, { name: winner.bidderId }));
      });
    },
  );
  const none = winners.length === 0;
  show(byId("winners-none"), none);
  setText(byId("winners-none"), none ? unsoldText(auction) : "");
  const live = winners.filter((winner) => ["won", "settled"].includes(winner.status));
  const runs = winners.some((winner) => winner.status === "offered" && Date.parse(winner.until) > clock.now());
  show(byId("second-part"), !runs && live.length < auction.lots && auction.bidCount > winners.length);
  const until = byId("second-form").elements.until;
  if (until.value === "") until.value = localTime(clock.now() + DAY_MS);
}

function createWinner() {
  const row = h(
    "li",
    { class: "winner" },
    h("span", { class: "chip" }),
    h("div", { class: "winner-words" }, h("span", { class: "cell-main" }), h("span", { class: "cell-sub muted" })),
    h("button", { type: "button", class: "button small", "data-testid": "settle", onclick: () => settle(row.winner) }),
    h("button", { type: "button", class: "button quiet small danger", "data-testid": "forfeit", onclick: () => forfeit(row.winner) }),
  );
  return row;
}

// ---------------------------------------------------------------- acting

async function act(task, said) {
  try {
    await task();
    notice(said);
  } catch (problem) {
    notice(problemText(problem), "bad");
  }
  refresh();
}

const post = (path, body) => request("POST", path, { body });

async function settle({ bidderId, price }) {
  const params = { name: bidderId, price: moneyText(auction, price) };
  const sure = await confirm({
    title: t("auctionOps.settleTitle", params),
    text: t("auctionOps.settleText", params),
    yes: t("auctionOps.settle"),
    no: t("form.close"),
  });
  if (sure) await act(() => post(paths.settle(id), { bidderId }), t("auctionOps.settled", params));
}

async function forfeit({ bidderId, price }) {
  const params = { name: bidderId, price: moneyText(auction, price) };
  const sure = await confirm({
    title: t("auctionOps.forfeitTitle", params),
    text: t("auctionOps.forfeitText", params),
    yes: t("auctionOps.forfeit"),
    no: t("form.close"),
    danger: true,
  });
  if (sure) await act(() => post(paths.forfeit(id), { bidderId }), t("auctionOps.forfeited", params));
}

async function cancel() {
  const params = { name: auction.product, bids: bidsText(auction) };
  const sure = await confirm({
    title: t("auctionOps.cancelTitle", params),
    text: t("auctionOps.cancelText", params),
    yes: t("auctionOps.cancel"),
    no: t("auctionOps.keep"),
    danger: true,
  });
  if (sure) await act(() => request("DELETE", paths.auction(id)), t("auctionOps.cancelled", params));
}

async function offer({ until }) {
  await post(paths.secondChance(id), { until: new Date(until).toISOString() });
  return t("auctionOps.offered");
}

/** `again` fetches and draws the page anew. */
export function startAuctions(again) {
  refresh = again;
  wireDialog(dialog);
  wireForm(byId("second-form"), offer, again);
  byId("auction-cancel").addEventListener("click", cancel);
  byId("auctions-more").addEventListener("click", () => {
    pagesWanted += 1;
    again();
  });
  dialog.addEventListener("close", () => {
    history.replaceState(history.state, "", location.pathname + location.search);
  });
  addEventListener("hashchange", () => (named() === "" ? dialog.close() : open()));
  open();
}
