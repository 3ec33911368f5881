// "Your bids": what this browser bid in one auction, and taking a bid back while that is
// allowed. Knows the bids' storage and one auction; what they amount to is said elsewhere.

import { problemText } from "./api.js";
import { retractableUntil } from "./auction-state.js";
import { moneyText } from "./auction-words.js";
import { fetchBid, forgetBid, ownBids, rememberBid, retractBid } from "./bids.js";
import { h, keyed, setAttr, setText, show } from "./dom.js";
import { exactMoment, timeLeft } from "./format.js";
import { lang, t } from "./i18n.js";
import { confirm, notice } from "./page.js";

/** How many bids are asked for again when the page connects. */
const REFRESH_MAX = 5;

export class OwnBids {
  #id;
  #section;
  #list;
  #onChange;

  constructor(id, { section, list, onChange }) {
    this.#id = id;
    this.#section = section;
    this.#list = list;
    this.#onChange = onChange;
    // Another tab of this browser may have bid.
    addEventListener("storage", () => onChange());
  }

  get bids() {
    return ownBids(this.#id);
  }

  /** The numbers of bids that were taken back, perhaps from another device. */
  hear({ retracted }) {
    for (const bid of this.bids) {
      if (retracted.includes(bid.no)) rememberBid({ ...bid, status: "retracted" });
    }
  }

  /** A store that was replaced knows nothing of these bids; they are then nobody's. */
  async refresh() {
    await Promise.all(
      this.bids.slice(0, REFRESH_MAX).map((bid) =>
        fetchBid(bid).catch((problem) => {
          if (problem.status !== 404) throw problem;
          forgetBid(bid);
        }),
      ),
    );
    this.#onChange();
  }

  /** Whether a bid's last moment to be taken back is still to come, so that the page counts on. */
  draw(auction, now) {
    const bids = this.bids;
    show(this.#section, bids.length > 0);
    let counting = false;
    keyed(this.#list, bids, (bid) => bid.id, () => this.#create(), (row, bid) => {
      counting = this.#update(row, bid, auction, now) || counting;
    });
    return counting;
  }

  #create() {
    const row = h(
      "li",
      { class: "order" },
      h("span", { class: "chip" }),
      h("div", { class: "order-words" }, h("span", { class: "order-name" }), h("span", { class: "order-facts muted" })),
      h("button", { type: "button", class: "button quiet small", "data-testid": "retract" }),
    );
    row.querySelector("button").addEventListener("click", () => this.#press(row));
    return row;
  }

  #update(row, bid, auction, now) {
    row.bid = bid;
    row.auction = auction;
    const [chip, words, button] = row.children;
    const retracted = bid.status === "retracted";
    const until = retractableUntil(auction, bid);
    const open = until !== null && until > now;
    setText(chip, t(retracted ? "bids.retracted" : "own.taken"));
    setAttr(chip, "data-status", retracted ? null : "accepted");
    setText(words.firstChild, summary(auction, bid));
    const facts = [t("own.number", { no: bid.no }), bid.bidderId, exactMoment(bid.timestamp, lang())];
    if (open) facts.push(t("own.until", { time: timeLeft(until - now, lang()) }));
    setText(words.lastChild, facts.join(" · "));
    show(button, open);
    setText(button, t("own.retract"));
    setAttr(button, "aria-label", t("own.retractLabel", { summary: summary(auction, bid) }));
    return open;
  }

  async #press(row) {
    const { bid, auction } = row;
    const button = row.querySelector("button");
    if (button.ariaDisabled === "true") return;
    const sure = await confirm({
      title: t("retract.title"),
      text: t("retract.text", { summary: summary(auction, bid) }),
      yes: t("own.retract"),
      no: t("retract.no"),
      danger: true,
    });
    if (!sure) return;
    // Not `disabled`: the button keeps the focus while it waits.
    setAttr(button, "aria-disabled", "true");
    try {
      await retractBid(bid);
      notice(t("retract.done"));
    } catch (problem) {
      notice(problemText(problem), "bad");
    } finally {
      setAttr(button, "aria-disabled", null);
      this.#onChange();
    }
  }
}

function summary(auction, bid) {
  const amount = moneyText(auction, bid.amount);
  if (!(bid.maximum > bid.amount)) return amount;
  return t("own.upTo", { amount, maximum: moneyText(auction, bid.maximum) });
}
