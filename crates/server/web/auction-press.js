// What becomes of a press: sent until it is answered, and said in one sentence. What always
// holds: one attempt at a time; a press that came a moment before the server's own opening, or
// before a dutch price had fallen there, is made again when the moment has come.

import { problemText } from "./api.js";
import { fallenTo, isDutch } from "./auction-state.js";
import { moneyText, refusalText } from "./auction-words.js";
import { forgetAttempt, isRepeatable, markStopped, newAttempt, placeBid } from "./bids.js";
import { clock } from "./clock.js";
import { byId, h, hook, keyed, setAttr, setText } from "./dom.js";
import { exactMoment, moment } from "./format.js";
import { lang, t } from "./i18n.js";
import { pause } from "./live.js";

const SLOW_AFTER_MS = 3_000;
// Our clock may be a moment early; up to here the page waits and sends again.
const EARLY_MAX_MS = 3_000;
const EARLY_REPEATS_MAX = 3;

export class Press {
  #auctionOf;
  #onChange;
  #onTaken;
  #onRefused;
  #onAnswer;
  #sending = null;
  #attempt = null;
  /** `{kind, text(), actions?, attempt?, bid?}`; the text is asked for again in another language. */
  #said = null;

  constructor({ auctionOf, onChange, onTaken, onRefused, onAnswer }) {
    this.#auctionOf = auctionOf;
    this.#onChange = onChange;
    this.#onTaken = onTaken;
    this.#onRefused = onRefused;
    this.#onAnswer = onAnswer;
  }

  get busy() {
    return this.#sending !== null;
  }

  say(said) {
    this.#said = said;
    this.#onChange();
  }

  /** Takes back what was said of a bid that was retracted. */
  forgetRetracted(bids) {
    const about = bids.find((bid) => bid.id === this.#said?.bid);
    if (about?.status === "retracted") this.#said = null;
  }

  /** Takes back what was said, if it was of this kind. */
  forget(kind) {
    if (this.#said?.kind === kind) this.say(null);
  }

  /** An attempt that was stopped, or is from long ago, is shown and not sent without a press. */
  leave(attempt) {
    const repeatable = isRepeatable(attempt);
    this.say({
      kind: "bad",
      attempt,
      text: () =>
        t(repeatable ? "said.unanswered" : "said.lost", {
          amount: this.#money(attempt.amount),
          when: moment(new Date(attempt.at).toISOString(), lang()),
        }),
      actions: repeatable ? ["again", "forget"] : ["forget"],
    });
  }

  async send(wanted, repeats = 0) {
    const attempt = wanted.stopped ? markStopped(wanted, false) : wanted;
    this.#attempt = attempt;
    this.#sending = new AbortController();
    const { signal } = this.#sending;
    this.say({ kind: "wait", text: () => t("said.sending") });
    const slow = setTimeout(() => {
      this.say({ kind: "wait", text: () => t("said.slow"), actions: ["stop"] });
    }, SLOW_AFTER_MS);
    const onWaiting = (problem) => {
      clearTimeout(slow);
      this.say({ kind: "wait", text: () => `${problemText(problem)} ${t("said.retry")}`, actions: ["stop"] });
    };
    try {
      const bid = await placeBid(attempt, { onWaiting, signal });
      if (bid === null) this.leave(attempt);
      else this.#taken(bid, attempt);
    } catch (problem) {
      clearTimeout(slow);
      if (await this.#comesInAMoment(problem, attempt, signal, repeats)) {
        return this.send(newAttempt(attempt), repeats + 1);
      }
      this.#refused(problem);
    } finally {
      clearTimeout(slow);
    }
    this.#sending = null;
    this.#onAnswer();
    this.#onChange();
    return undefined;
  }

  #taken(bid, attempt) {
    const params = () => ({
      amount: this.#money(bid.amount),
      maximum: this.#money(bid.maximum ?? bid.amount),
      when: exactMoment(bid.timestamp, lang()),
    });
    const key = attempt.buyNow ? "bought" : bid.status === "outbid" ? "outbid" : attempt.maximum ? "maximum" : "taken";
    this.say({ kind: key === "outbid" ? "bad" : "good", bid: bid.id, text: () => t(`said.${key}`, params()) });
    this.#onTaken(bid);
  }

  #refused(problem) {
    const auction = this.#auctionOf();
    const now = clock.now();
    this.#onRefused(problem);
    this.say({ kind: "bad", text: () => refusalText(problem, auction, now) });
  }

  async #comesInAMoment(problem, attempt, signal, repeats) {
    const auction = this.#auctionOf();
    if (auction === null || repeats >= EARLY_REPEATS_MAX) return false;
    const due = dueAt(problem, attempt, auction);
    if (due === null) return false;
    const early = due - clock.now();
    if (!(early < EARLY_MAX_MS)) return false;
    await pause(Math.max(50, early), signal);
    return !signal.aborted;
  }

  #money(minor) {
    const auction = this.#auctionOf();
    return auction === null ? "" : moneyText(auction, minor);
  }

  #act(name) {
    const { attempt } = this.#said ?? {};
    if (name === "stop" && this.busy) {
      // Stored before anything else: the page may be closed the next moment.
      markStopped(this.#attempt, true);
      this.#sending.abort();
    }
    if (name === "again") this.send(attempt);
    if (name === "forget") {
      forgetAttempt(attempt);
      this.say(null);
    }
  }

  draw() {
    const root = hook("bid-said");
    setAttr(root, "data-kind", this.#said?.kind ?? "none");
    setText(byId("said-text"), this.#said?.text() ?? "");
    keyed(
      byId("said-actions"),
      this.#said?.actions ?? [],
      (name) => name,
      (name) =>
        h("button", {
          type: "button",
          class: `button small ${name === "again" ? "" : "quiet"}`,
          "data-testid": `bid-${name}`,
          onclick: () => this.#act(name),
        }),
      (button, name) => setText(button, t(`verdict.${name}`)),
    );
  }
}

/** When what was refused as too early is right, in milliseconds; null for every other refusal. */
function dueAt(problem, attempt, auction) {
  if (problem.code === "auction_not_open") return Date.parse(problem.body.startTime);
  if (problem.code === "bid_too_low" && isDutch(auction)) return fallenTo(auction, attempt.amount);
  return null;
}
