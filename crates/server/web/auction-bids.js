// The bids of an auction, newest first, as they come. What always holds: a bid is in the list
// once, by its number, whether it was fetched or heard; only as many are kept as somebody asked
// to see; who leads is said of the newest bid of whoever leads now.

import { paths, request } from "./api.js";
import { isOver } from "./auction-state.js";
import { moneyText } from "./auction-words.js";
import { h, keyed, setAttr, setText, show } from "./dom.js";
import { count, time } from "./format.js";
import { lang, t } from "./i18n.js";

const PAGE_SIZE = 20;

export class BidList {
  #id;
  #nodes;
  #rows = new Map();
  #wanted = PAGE_SIZE;

  /** `nodes` are `{list, empty, more}`. */
  constructor(id, nodes) {
    this.#id = id;
    this.#nodes = nodes;
  }

  async fetchNewest() {
    const { bids } = await this.#fetch({ limit: PAGE_SIZE });
    this.#learnNewest(bids);
  }

  async fetchMore() {
    const { bids } = await this.#fetch({ limit: PAGE_SIZE, before: this.#oldest() });
    this.#wanted += PAGE_SIZE;
    this.#learn(bids);
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

  /** `own` are this browser's bids. */
  draw(auction, own) {
    const rows = [...this.#rows.values()].sort((a, b) => b.no - a.no);
    const first = firstInFront(auction, rows);
    const ownByNo = new Map(own.map((bid) => [bid.no, bid]));
    const names = new Set(own.map((bid) => bid.bidderName));
    keyed(this.#nodes.list, rows, (row) => row.no, createRow, (node, row) => {
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
