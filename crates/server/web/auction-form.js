// The form of one auction: what would be bid, what is wrong with it, and what became of it.
// What always holds: one press makes one attempt and no second one runs beside it; an amount
// that moved under the finger is not sent, unless somebody said up to how much it may; who leads
// bids over the own bid only by an amount that was typed for it, or after a question; what
// somebody typed stays until it is taken or until the server said that it is too low.

import { isDutch, isEnglish, isSealed, leastBid, phase, standsAt } from "./auction-state.js";
import { moneyText, timeWords } from "./auction-words.js";
import { bidder } from "./bids.js";
import { byId, hook, setAttr, setText, show } from "./dom.js";
import { amount as amountText, currencySign, exponent, money, parseMoney } from "./format.js";
import { QUIET_MS, ignoreHeldEnter } from "./gesture.js";
import { lang, t } from "./i18n.js";

const BIDDER_BYTES_MAX = 254;
// A press within this time after the amount moved by itself was meant for the one before.
const SETTLE_MS = 400;

const form = byId("bid");
const inputs = {
  bidAmount: hook("bid-amount"),
  maximum: hook("bid-maximum"),
  bidderId: hook("bid-bidder"),
};
const button = hook("bid-button");

/** Field name to text; drawn again in another language by asking the function again. */
const errors = new Map();
/** Whether the amount is somebody's own; otherwise it follows the least valid bid. */
let typed = false;
let prefilled = null;
let movedAt = -Infinity;
let answeredAt = -Infinity;
let offeredBuyNow = false;

/** What is to be known: `{auction, own, now, busy}`. */
let state = null;

// ---------------------------------------------------------------- drawing

/** Draws the form as things stand. */
export function drawForm(known) {
  state = known;
  const { auction, own, now, busy } = known;
  const least = leastBid(auction, own, now);
  prefill(auction, own, least);
  show(byId("amount-field"), !isDutch(auction));
  show(byId("maximum-field"), isEnglish(auction));
  setText(byId("unit"), currencySign(auction.currency, lang()));
  setText(byId("maximum-unit"), currencySign(auction.currency, lang()));
  setText(byId("amount-label"), t("bid.amount", { currency: auction.currency }));
  setText(byId("maximum-label"), t("bid.maximum", { currency: auction.currency }));
  const leads = own?.leads && isEnglish(auction);
  setText(byId("amount-hint"), leastText(auction, own, least));
  setText(byId("maximum-hint"), maximumText(auction) || t(leads ? "bid.raiseHint" : "bid.maximumHint"));
  drawButton(auction, own, now, busy);
  drawBuyNow(auction, now, busy);
  for (const [field, input] of Object.entries(inputs)) {
    const text = errors.get(field)?.() ?? "";
    setText(form.querySelector(`.field-error[data-field="${field}"]`), text);
    setAttr(input, "aria-invalid", text ? "true" : null);
  }
}

function leastText(auction, own, least) {
  if (own !== null && isSealed(auction)) return t("bid.leastSealed", { amount: moneyText(auction, own.maximum) });
  return t(own?.leads && isEnglish(auction) ? "bid.leastOwn" : "bid.least", { least: moneyText(auction, least) });
}

/** What the maximum is read as, before it is sent: a wrong decimal mark is seen there. */
function maximumText(auction) {
  const maximum = givesMaximum(auction) ? parse(inputs.maximum.value, auction) : null;
  return maximum === null ? "" : t("bid.maximumRead", { maximum: moneyText(auction, maximum) });
}

function prefill(auction, own, least) {
  if (typed || least === prefilled) return;
  const input = inputs.bidAmount;
  const selected = document.activeElement === input && input.selectionEnd - input.selectionStart > 0;
  // A second sealed bid is somebody's own idea.
  const given = isSealed(auction) && own !== null;
  input.value = given ? "" : amountText(least, auction.currency, lang());
  if (selected) input.select();
  // The first amount was not there before, so nobody can have meant another one.
  if (prefilled !== null) {
    movedAt = performance.now();
    setAttr(button, "data-moved", true);
    setTimeout(() => setAttr(button, "data-moved", !settled()), SETTLE_MS + 10);
  }
  prefilled = least;
}

const settled = () => performance.now() - movedAt >= SETTLE_MS;
const resting = () => performance.now() - answeredAt < QUIET_MS;

/** After an answer: what is pressed next was not yet meant for it, unless something was typed. */
export function rest() {
  answeredAt = performance.now();
  setAttr(button, "data-resting", true);
  setTimeout(() => setAttr(button, "data-resting", resting()), QUIET_MS + 10);
}

function wake() {
  answeredAt = -Infinity;
  setAttr(button, "data-resting", null);
}

function drawButton(auction, own, now, busy) {
  const { label, total, mode } = buttonWords(auction, own, now);
  const closed = mode === "closed";
  // `aria-disabled` and not `disabled`: the button keeps the focus while it waits.
  setAttr(button, "aria-disabled", closed || busy ? "true" : null);
  setAttr(button, "aria-busy", busy ? "true" : null);
  setAttr(button, "data-mode", busy ? "sending" : mode);
  setText(byId("bid-label"), busy ? t("buy.sending") : label);
  setText(byId("bid-total"), busy ? "" : total);
}

function buttonWords(auction, own, now) {
  const at = phase(auction, now);
  if (at === "scheduled") {
    const { label, text } = timeWords(auction, now);
    return { label, total: text, mode: "closed" };
  }
  if (at !== "open") return { label: t("bid.closed"), total: "", mode: "closed" };
  const total = (minor) => (minor === null ? "" : moneyText(auction, minor));
  if (isDutch(auction)) {
    return { label: t("bid.take"), total: total(leastBid(auction, own, now)), mode: "bid" };
  }
  const amount = parse(inputs.bidAmount.value, auction);
  const maximum = parse(inputs.maximum.value, auction);
  if (isRaise(auction, own, amount, maximum)) {
    return { label: t("bid.raise"), total: total(maximum), mode: "bid" };
  }
  if (own?.leads) return { label: t("bid.bid"), total: total(amount), mode: "anyway" };
  return { label: t(own !== null ? "bid.again" : "bid.bid"), total: total(amount), mode: "bid" };
}

function drawBuyNow(auction, now, busy) {
  const price = auction.buyNowPrice ?? null;
  const open = price !== null && phase(auction, now) === "open";
  // Its room stays when it has gone, so that nothing below moves under a finger.
  offeredBuyNow ||= open;
  show(byId("buy-now"), offeredBuyNow);
  const press = hook("buy-now-button");
  show(press, open);
  setAttr(press, "aria-disabled", busy ? "true" : null);
  if (open) setText(press, t("buyNow.press", { price: moneyText(auction, price) }));
  setText(byId("buy-now-gone"), open ? "" : t("buyNow.gone"));
}

// ---------------------------------------------------------------- reading

/** Minor units, null for what is none; signs and full-width digits are read as well. */
function parse(text, auction) {
  const sign = currencySign(auction.currency, lang()).normalize("NFKC");
  const plain = text.normalize("NFKC").replace(sign, "").replace(auction.currency, "");
  return parseMoney(plain, auction.currency);
}

/** A leader who gives only a higher maximum moves no price. */
function isRaise(auction, own, amount, maximum) {
  if (!isEnglish(auction) || !own?.leads || maximum === null) return false;
  return maximum > own.maximum && (!typed || (amount !== null && amount <= standsAt(auction, own)));
}

/** `{amount, maximum?, bidderId}`, or null with the fields marked. */
export function readForm() {
  errors.clear();
  const bidderId = readBidder();
  const wanted = isDutch(state.auction)
    ? { amount: leastBid(state.auction, state.own, state.now) }
    : readAmounts();
  if (errors.size === 0) return { bidderId, ...wanted };
  focusError();
  return null;
}

/** For taking the lot at its price no amount is asked for. */
export function readBidderOnly() {
  errors.clear();
  const bidderId = readBidder();
  if (errors.size === 0) return bidderId;
  focusError();
  return null;
}

function readBidder() {
  const name = inputs.bidderId.value.trim();
  const bytes = new TextEncoder().encode(name).length;
  if (name === "") errors.set("bidderId", () => t("error.missing_field.bidderId"));
  else if (/[\s\p{Cc}]/u.test(name) || bytes > BIDDER_BYTES_MAX) {
    errors.set("bidderId", () => t("error.invalid_field.bidderId"));
  }
  return name;
}

function readAmounts() {
  const { auction, own, now } = state;
  const amount = parse(inputs.bidAmount.value, auction);
  const maximum = givesMaximum(auction) ? parse(inputs.maximum.value, auction) : null;
  if (givesMaximum(auction) && maximum === null) errors.set("maximum", () => moneyError(auction));
  if (isRaise(auction, own, amount, maximum)) return { amount: standsAt(auction, own), maximum };
  const least = leastBid(auction, own, now);
  if (amount === null) errors.set("bidAmount", () => moneyError(auction));
  else if (amount < least) errors.set("bidAmount", () => leastText(auction, own, least));
  else if (maximum !== null && maximum < amount) errors.set("maximum", () => t("bid.maximumLow"));
  return maximum === null ? { amount } : { amount, maximum };
}

const givesMaximum = (auction) => isEnglish(auction) && inputs.maximum.value.trim() !== "";

function moneyError(auction) {
  const example = exponent(auction.currency) > 0 ? 1250 : 19900;
  return t("error.money", { example: money(example, auction.currency, lang()) });
}

// ---------------------------------------------------------------- acting on it

/** Whether the amount may be sent: not when it moved by itself a moment ago, but for up to a maximum. */
export const mayPress = () => typed || givesMaximum(state.auction) || isDutch(state.auction) || settled();

/** Whether a press is none: while nothing can be bid, while one is under way, right after one. */
export function isClosed() {
  return button.getAttribute("aria-disabled") === "true" || resting();
}

/** Whether `wanted` is over the bid that leads already, without anybody having typed it. */
export function isOverOwn({ amount, maximum = null }) {
  const { auction, own } = state;
  return isEnglish(auction) && Boolean(own?.leads) && !typed && !isRaise(auction, own, amount, maximum);
}

/** Shows what the server said of a field, where there is such a field. */
export function markField(field, say) {
  if (!Object.hasOwn(inputs, field)) return;
  errors.set(field, say);
  focusError();
}

function focusError() {
  inputs[Object.keys(inputs).find((field) => errors.has(field))].focus();
}

/** After an answer: the amount follows the least valid bid again. */
export function startOver({ keepMaximum = false } = {}) {
  typed = false;
  prefilled = null;
  if (!keepMaximum) inputs.maximum.value = "";
}

/** `onChange` draws the page anew. */
export function startForm(onChange) {
  inputs.bidderId.value = bidder.get();
  for (const [field, input] of Object.entries(inputs)) {
    input.addEventListener("input", () => {
      errors.delete(field);
      wake();
      // An emptied field follows the least valid bid again once it is left.
      if (field === "bidAmount") typed = true;
      onChange();
    });
  }
  ignoreHeldEnter(form);
  inputs.bidAmount.addEventListener("blur", () => {
    if (inputs.bidAmount.value.trim() === "") startOver({ keepMaximum: true });
    onChange();
  });
}
