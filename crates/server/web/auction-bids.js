// The bids of an auction, newest first, as they come. What always holds: a bid is in the list
// once, by its number, whether it was fetched or heard; only as many are kept as somebody asked
// to see; who leads is said of the newest bid of whoever leads now; new bids are taken in at most
// once a second, without moving what somebody looks at.

import { paths, request } from "./api.js";
import { isOver } from "./auction-state.js";
import { moneyText } from "./auction-words.js";
import { h, keyed, setAttr, setText, show } from "./dom.js";
import { count, time } from "./format.js";
import { lang, t } from "./i18n.js";

const PAGE_SIZE = 20;
const TAKE_IN_EVERY_MS = 1_000;

export class BidList {
  #id;
  #nodes;
  #rows = new Map();
  #wanted = PAGE_SIZE;
  #onDue;
  /** The rows as they were last taken in, when that was, and the timer of the next time. */
  #shown = [];
  #takenInAt = -Infinity;
  #timer = null;
  #inSight = true;

  /** `nodes` are `{list, empty, more}`; `onDue` is called when more is to be drawn. */
  constructor(id, nodes, onDue) {
    this.#id = id;
    this.#nodes = nodes;
    this.#onDue = onDue;
  }

  async fetchNewest() {
    const { bids } = await this.#fetch({ limit: PAGE_SIZE });
    this.#learnNewest(bids);
  }

  async fetchMore() {
    const { bids } = await this.#fetch({ limit: PAGE_SIZE, before: this.#oldest() });
    this.#wanted += PAGE_SIZE;
    this.#learn(bids);
    // Somebody waits for these.
    this.#takenInAt = -Infinity;
  }

  #fetch(query) {
    return request("GET", `${paths.auctionBids(this.#id)}?${new URLSearchParams(query)}`);
  }

  #learnNewest(bids) {
    const oldest = bids.at(-1)?.no ?? 0;
    const newestKnown = Math.max(0, ...this.#rows.keys());
    // What lies between is not known: older rows would look like its neighbours.
    if (oldest > newestKnown + 1) this.#rows.clear();
    this.#learn(bids);
  }

  #learn(bids) {
    for (const bid of bids) this.#rows.set(bid.no, bid);
    this.#trim();
  }

  /** The newest bids since what was heard before, newest first, and the numbers of those taken back. */
  hear({ bids, retracted }) {
    this.#learnNewest(bids);
    for (const no of retracted) {
      const row = this.#rows.get(no);
      if (row) row.status = "retracted";
    }
  }

  #trim() {
    const numbers = [...this.#rows.keys()].sort((a, b) => b - a);
    for (const no of numbers.slice(this.#wanted)) this.#rows.delete(no);
  }

  #oldest() {
    return Math.min(...this.#rows.keys());
  }

  /** New rows wait until the last ones have been there for a second. */
  #takeIn() {
    const rows = [...this.#rows.values()].sort((a, b) => b.no - a.no);
    const isNews = rows.length !== this.#shown.length || rows[0]?.no !== this.#shown[0]?.no;
    const wait = this.#takenInAt + TAKE_IN_EVERY_MS - performance.now();
    if (isNews && wait > 0) {
      this.#timer ??= setTimeout(() => {
        this.#timer = null;
        this.#onDue();
      }, wait);
      return rows;
    }
    if (isNews) {
      this.#takenInAt = performance.now();
      this.#inSight = this.#nodes.list.getBoundingClientRect().top >= 0;
    }
    this.#shown = rows;
    return rows;
  }

  /**
   * By place while the top of the list is in sight: each row then stays where it is and says
   * something else. By number for whoever has scrolled into it: the browser keeps in place what
   * is below the new rows.
   */
  #keyOf() {
    if (!this.#inSight) return (row) => `no ${row.no}`;
    const places = new Map(this.#shown.map((row, place) => [row, place]));
    return (row) => `place ${places.get(row)}`;
  }

  /** `own` are this browser's bids. */
  draw(auction, own) {
    const rows = this.#takeIn();
    const first = firstInFront(auction, rows);
    const ownByNo = new Map(own.map((bid) => [bid.no, bid]));
    const names = new Set(own.map((bid) => bid.bidderName));
    keyed(this.#nodes.list, this.#shown, this.#keyOf(), createRow, (node, row) => {
      const mine = names.has(row.bidderId);
      const retracted = row.status === "retracted";
      const status = retracted ? "retracted" : first.has(row.no) ? (isOver(auction) ? "won" : "leading") : "";
      setAttr(node, "data-mine", mine);
      setAttr(node, "data-status", status);
      const [no, name, facts, amount, chip] = node.children;
      setText(no, count(row.no, lang()));
      setText(name, row.bidderId);
      setText(facts.firstChild, time(row.timestamp, lang()));
      setText(facts.lastChild, mine ? t("bids.you") : "");
      setText(chip, status === "" ? "" : t(`bids.${status}`));
      setAttr(chip, "data-status", { leading: "accepted", won: "accepted" }[status]);
      const known = row.bidAmount ?? ownByNo.get(row.no)?.amount;
      setText(amount, known === undefined ? t("bids.hidden") : moneyText(auction, known));
    });
    show(this.#nodes.empty, rows.length === 0);
    show(this.#nodes.more, rows.length > 0 && this.#oldest() > 1);
  }
}

/** The newest standing bid of each who leads, or who won. */
function firstInFront(auction, rows) {
  const ahead = ["won", "settled"];
  const names = isOver(auction)
    ? auction.winners.filter((winner) => ahead.includes(winner.status)).map((winner) => winner.bidder)
    : auction.leaders;
  const left = new Set(names);
  const first = new Set();
  for (const row of rows) {
    if (row.status !== "retracted" && left.delete(row.bidderId)) first.add(row.no);
  }
  return first;
}

function createRow() {
  return h(
    "li",
    { class: "bid-row" },
    h("span", { class: "bid-no muted" }),
    h("span", { class: "bid-name" }),
    h("span", { class: "bid-facts muted" }, h("span"), " ", h("span", { class: "bid-you" })),
    h("span", { class: "bid-amount" }),
    h("span", { class: "chip" }),
  );
}
