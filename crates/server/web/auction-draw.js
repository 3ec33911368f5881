// The parts of an auction's page that only show: the two big numbers, who leads several lots,
// the terms, and what is read out. What always holds: nothing is read out more often than
// somebody can listen.

import { incrementAt, isDutch, isEnglish, isOver, nextFall, phase, priceAt, scheduledPrice } from "./auction-state.js";
import {
  bidsText,
  formatText,
  moneyText,
  priceWords,
  reserveText,
  shownStatus,
  statusText,
  timeWords,
} from "./auction-words.js";
import { byId, h, hook, keyed, setAttr, setText, show } from "./dom.js";
import { count, duration, exactMoment, timeLeft } from "./format.js";
import { lang, t } from "./i18n.js";

const LEADERS_SHOWN = 10;
const SAY_EVERY_MS = 5_000;
const LAST_MINUTE_MS = 60_000;

/** Price, time, and the line under each. */
export function drawFigures(auction, now, extended) {
  setText(byId("name"), auction.product);
  const status = hook("auction-status");
  setText(status, statusText(auction, now));
  setAttr(status, "data-status", shownStatus(auction, now));
  setText(byId("format"), formatText(auction));
  const price = priceWords(auction, now);
  setText(byId("price-label"), price.label);
  setText(hook("price"), price.text);
  setAttr(hook("price"), "data-minor", auction.currentPrice);
  const notes = isDutch(auction) && phase(auction, now) === "open" ? [fallText(auction, now)] : [bidsText(auction), reserveText(auction)];
  setText(byId("price-note"), notes.filter(Boolean).join(" · ") || "\u00a0");
  const time = timeWords(auction, now);
  setText(byId("time-label"), time.label);
  setText(hook("time-left"), time.text);
  setAttr(hook("time-left"), "data-over", isOver(auction));
  setAttr(hook("time-left"), "data-last-minute", isLastMinute(auction, now));
  setText(byId("time-note"), time.note || "\u00a0");
  // Only seen: what is read out says it in words.
  const chip = hook("extended");
  const open = phase(auction, now) === "open";
  chip.classList.toggle("shown", auction.extensions > 0 && open);
  setAttr(chip, "data-now", extended && open);
  setText(chip, t("auction.extended", { n: auction.extensions, count: count(auction.extensions, lang()) }));
}

const isLastMinute = (auction, now) =>
  phase(auction, now) === "open" && Date.parse(auction.endTime) - now <= LAST_MINUTE_MS;

function fallText(auction, now) {
  const next = nextFall(auction, now);
  if (next === null) return t("auction.dutch.floor");
  const step = moneyText(auction, scheduledPrice(auction, now) - scheduledPrice(auction, next));
  return t("auction.dutch.next", { step, time: timeLeft(next - now, lang()) });
}

/** Who leads which of several lots; nothing where there is one. */
export function drawLeaders(auction, own) {
  const several = auction.lots > 1 && isEnglish(auction);
  show(byId("leaders-part"), several);
  if (!several) return;
  const over = isOver(auction);
  const names = over ? auction.winners.map((winner) => winner.bidder) : auction.leaders;
  setText(byId("leaders-title"), t(over ? "leaders.won" : "leaders.heading"));
  keyed(
    byId("leaders"),
    names.slice(0, LEADERS_SHOWN),
    (name) => name,
    (name) => h("li", {}, h("span", {}, name), h("span", { class: "bid-you" })),
    (node, name) => {
      const mine = own?.names.has(name) ?? false;
      setAttr(node, "data-mine", mine);
      setText(node.lastChild, mine ? t("bids.you") : "");
    },
  );
  const more = names.length - LEADERS_SHOWN;
  const free = over ? 0 : auction.lots - names.length;
  const said = [
    more > 0 ? t("leaders.more", { count: count(more, lang()) }) : "",
    free > 0 ? t("leaders.free", { n: free, count: count(free, lang()) }) : "",
  ];
  setText(byId("leaders-note"), said.filter(Boolean).join(" · ") || "\u00a0");
}

/** The terms, and how a price comes about: what was fixed when the auction was made. */
export function drawAbout(auction) {
  show(byId("bids-hint"), isEnglish(auction));
  const price = (minor) => (minor === null || minor === undefined ? "" : moneyText(auction, minor));
  const rows = [
    ["starting", price(auction.startingPrice)],
    ["increment", isEnglish(auction) ? price(incrementAt(auction.increment, auction.currentPrice ?? 0)) : ""],
    ["dutch", isDutch(auction) ? dutchText(auction) : ""],
    ["softClose", auction.softClose ? softCloseText(auction.softClose) : ""],
    ["announced", auction.extensions > 0 ? exactMoment(auction.announcedEndTime, lang()) : ""],
    ["retraction", isDutch(auction) ? "" : retractionText(auction.retraction)],
    ["seller", auction.seller],
  ].filter(([, text]) => text);
  keyed(
    byId("about"),
    rows,
    ([key]) => key,
    () => h("div", {}, h("dt", { class: "muted" }), h("dd")),
    (node, [key, text]) => {
      setText(node.firstChild, t(`about.${key}`));
      setText(node.lastChild, text);
    },
  );
}

function dutchText(auction) {
  const { step, everyMs, floor } = auction.dutch;
  return t("about.dutch.text", {
    step: moneyText(auction, step),
    every: duration(everyMs, lang()),
    floor: moneyText(auction, floor),
  });
}

const softCloseText = ({ windowMs, extendMs, hardEnd }) =>
  t("about.softClose.text", {
    window: duration(windowMs, lang()),
    extend: duration(extendMs, lang()),
    end: exactMoment(hardEnd, lang()),
  });

function retractionText(rule) {
  if (!rule) return t("about.retraction.none");
  const params = { within: duration(rule.withinMs, lang()), before: duration(rule.beforeEndMs, lang()) };
  return t(rule.beforeEndMs > 0 ? "about.retraction.text" : "about.retraction.always", params);
}

/** What is read out while the page is open: price, end and reserve, as they move. */
export class Spoken {
  #node;
  #at = -Infinity;
  #timer = null;
  /** What was last read out, and what is so now. */
  #said = null;
  #now = null;

  constructor(node) {
    this.#node = node;
  }

  hear(auction, now) {
    this.#now = { auction, phase: phase(auction, now), price: priceAt(auction, now), lastMinute: isLastMinute(auction, now) };
    this.#said ??= this.#now;
    if (this.#timer !== null || news(this.#said, this.#now) === "") return;
    const wait = Math.max(0, this.#at + SAY_EVERY_MS - performance.now());
    this.#timer = setTimeout(() => this.#say(), wait);
  }

  #say() {
    this.#timer = null;
    this.#at = performance.now();
    const text = news(this.#said, this.#now);
    this.#said = this.#now;
    setText(this.#node, text);
  }
}

/** In one breath what changed; where one stands, and the result, are read out by their panel. */
function news(before, after) {
  const { auction } = after;
  const opened = before.phase === "scheduled" && after.phase === "open";
  const moved = after.phase === "open" && (after.price !== before.price || auction.bidCount !== before.auction.bidCount);
  return [
    opened ? t("spoken.opened") : "",
    auction.extensions > before.auction.extensions ? t("spoken.extended", { when: exactMoment(auction.endTime, lang()) }) : "",
    moved && after.price !== null ? t("spoken.price", { price: moneyText(auction, after.price) }) : "",
    moved ? bidsText(auction) : "",
    auction.reserveMet && !before.auction.reserveMet ? t("auction.reserve.met") : "",
    after.lastMinute && !before.lastMinute ? t("spoken.lastMinute") : "",
  ].filter(Boolean).join(". ");
}
