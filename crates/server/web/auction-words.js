// What an auction's numbers mean in words. Pure: an auction and a time in, words out. The list
// and the page of one auction say the same because both ask here.

import { problemText } from "./api.js";
import { isDutch, isEnglish, isOver, isSealed, phase, priceAt, scheduledPrice } from "./auction-state.js";
import { count, exactMoment, money, moment, timeLeft } from "./format.js";
import { has, lang, t } from "./i18n.js";

const isSold = (auction) => auction.status === "closed" || auction.status === "settled";

export const moneyText = (auction, minor) => money(minor, auction.currency, lang());

/** `scheduled | open | ending | sold | unsold | cancelled`, for a word and a colour. */
export function shownStatus(auction, now) {
  if (!isOver(auction)) return phase(auction, now);
  return isSold(auction) ? "sold" : auction.status;
}

export const statusText = (auction, now) => t(`auction.status.${shownStatus(auction, now)}`);

export function formatText(auction) {
  const name = t(`auction.format.${auction.format}`);
  const lots = t("auction.lots", { n: auction.lots, count: count(auction.lots, lang()) });
  return auction.lots > 1 ? `${name} · ${lots}` : name;
}

/** The big number and what it is. */
export function priceWords(auction, now) {
  const price = priceAt(auction, now);
  if (isSold(auction)) return { label: t("auction.price.sold"), text: moneyText(auction, price ?? 0) };
  if (isOver(auction)) return { label: t("auction.price.last"), text: price === null ? "–" : moneyText(auction, price) };
  if (isDutch(auction)) return { label: t("auction.price.now"), text: moneyText(auction, price) };
  const starting = isSealed(auction) || auction.bidCount === 0;
  return {
    label: t(starting ? "auction.price.starting" : "auction.price.current"),
    text: moneyText(auction, starting ? auction.startingPrice : price),
  };
}

export const bidsText = (auction) =>
  auction.bidCount === 0
    ? t("auction.noBids")
    : t("auction.bids", { n: auction.bidCount, count: count(auction.bidCount, lang()) });

/** Whether the reserve is met; empty where there is none, or where it is not shown. */
export function reserveText(auction) {
  if (auction.reserveMet === null || auction.reserveMet === undefined) return "";
  return t(auction.reserveMet ? "auction.reserve.met" : "auction.reserve.open");
}

/** The clock of an auction: what it counts to, what is left, and when that is. */
export function timeWords(auction, now) {
  const at = phase(auction, now);
  const end = exactMoment(auction.endTime, lang());
  if (at === "scheduled") {
    const left = timeLeft(Date.parse(auction.startTime) - now, lang());
    return { label: t("auction.time.opens"), text: left, note: exactMoment(auction.startTime, lang()) };
  }
  if (at === "open") {
    const note = t("auction.time.ends", { when: end });
    return { label: t("auction.time.left"), text: timeLeft(Date.parse(auction.endTime) - now, lang()), note };
  }
  if (at === "ending") return { label: t("auction.time.left"), text: timeLeft(0, lang()), note: t("auction.time.deciding") };
  const closed = auction.closedAt ?? auction.endTime;
  return { label: t("auction.time.ended"), text: moment(closed, lang()), note: "" };
}

/** One line for a card or a row: what is left, or what came of it. */
export function timeText(auction, now) {
  const words = timeWords(auction, now);
  if (isOver(auction)) return t("auction.line.ended", { when: words.text });
  if (phase(auction, now) === "ending") return words.note;
  return t(phase(auction, now) === "scheduled" ? "auction.line.opens" : "auction.line.left", { time: words.text });
}

export function unsoldText(auction) {
  return auction.unsoldReason ? t(`auction.unsold.${auction.unsoldReason}`) : "";
}

/** How an auction goes on at a price, in a sentence: the increment, or what a format does. */
export function rulesText(auction) {
  if (isSealed(auction)) return t(`auction.rules.${auction.format}`);
  if (isDutch(auction)) return t("auction.rules.dutch");
  if (auction.lots > 1) return t("auction.rules.lots", { count: count(auction.lots, lang()) });
  return t("auction.rules.english");
}

/** Why a bid was refused, and what the least one is now. */
export function refusalText(problem, auction, now) {
  const { body } = problem;
  const key = `refused.${problem.code}`;
  if (!has(key)) return problemText(problem);
  const price = body.currentPrice ?? (isDutch(auction) ? scheduledPrice(auction, now) : null);
  const said = t(key, {
    price: price === null || price === undefined ? "" : moneyText(auction, price),
    when: exactMoment(body.startTime ?? auction.startTime, lang()),
  });
  const hasPrice = price !== null && price !== undefined && isEnglish(auction) && problem.code === "bid_too_low";
  const least = body.leastValidBid;
  return [
    said,
    hasPrice ? t("refused.price", { price: moneyText(auction, price) }) : "",
    typeof least === "number" ? t("refused.least", { least: moneyText(auction, least) }) : "",
  ].filter(Boolean).join(" ");
}
