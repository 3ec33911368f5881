// The form that makes an auction, in every format. What always holds: a field that the chosen
// format does not know is neither shown nor sent; a refusal stands beside the field it names.

import { request } from "./api.js";
import { clock } from "./clock.js";
import { byId, show } from "./dom.js";
import { exponent, money, parseMoney } from "./format.js";
import { lang, t } from "./i18n.js";
import { FieldError, given, integer, text, wireDialog, wireForm } from "./ops-forms.js";
import { newKey } from "./storage.js";

const HOUR_MS = 3_600_000;
const ROUND_MS = 300_000;

const dialog = byId("auction-form-dialog");
const form = byId("auction-form");

/** A moment as a `datetime-local` field holds it: this device's time zone, to the second. */
export function localTime(ms) {
  const zone = new Date(ms).getTimezoneOffset() * 60_000;
  return new Date(ms - zone).toISOString().slice(0, 19);
}

const iso = (local) => new Date(local).toISOString();

function price(values, field, currency) {
  const minor = parseMoney(text(values, field), currency);
  if (minor !== null) return minor;
  const example = money(exponent(currency) > 0 ? 1250 : 19900, currency, lang());
  throw new FieldError(field, t("error.money", { example }));
}

/** One amount, or `from: step` at rising prices, separated by semicolons. */
function readIncrement(values, currency) {
  const typed = values.increment.trim();
  if (!typed.includes(":")) return price(values, "increment", currency);
  return typed.split(";").filter((band) => band.trim() !== "").map((band) => {
    const [from, step, ...more] = band.split(":").map((part) => parseMoney(part, currency));
    if (from === null || step === null || step === undefined || more.length > 0) {
      throw new FieldError("increment", t("auctionForm.incrementWrong", { band: band.trim() }));
    }
    return { from, step };
  });
}

const milliseconds = (values, field, unitMs) => integer(values, field) * unitMs;

function readAuction(values) {
  const currency = text(values, "currency").toUpperCase();
  const auction = {
    product: text(values, "product"),
    format: values.format,
    currency,
    startingPrice: price(values, "startingPrice", currency),
    endTime: iso(text(values, "endTime")),
  };
  if (given(values, "startTime")) auction.startTime = iso(values.startTime);
  if (given(values, "seller")) auction.seller = values.seller.trim();
  if (given(values, "closingSoonMs")) auction.closingSoonMs = milliseconds(values, "closingSoonMs", 1_000);
  if (auction.format === "dutch") auction.dutch = readDutch(values, currency);
  else if (given(values, "reservePrice")) auction.reservePrice = price(values, "reservePrice", currency);
  if (auction.format === "english") readEnglish(auction, values, currency);
  if (values.retraction === "rule") {
    auction.retraction = {
      withinMs: milliseconds(values, "retraction.withinMs", 60_000),
      beforeEndMs: milliseconds(values, "retraction.beforeEndMs", 60_000),
    };
  }
  return auction;
}

const readDutch = (values, currency) => ({
  step: price(values, "dutch.step", currency),
  everyMs: milliseconds(values, "dutch.everyMs", 1_000),
  floor: price(values, "dutch.floor", currency),
});

function readEnglish(auction, values, currency) {
  if (given(values, "increment")) auction.increment = readIncrement(values, currency);
  if (given(values, "lots")) auction.lots = integer(values, "lots");
  if (given(values, "buyNowPrice")) auction.buyNowPrice = price(values, "buyNowPrice", currency);
  if (values.softClose !== "on") return;
  const latest = given(values, "softClose.hardEnd") ? values["softClose.hardEnd"] : Date.parse(auction.endTime) + HOUR_MS;
  auction.softClose = {
    windowMs: milliseconds(values, "softClose.windowMs", 1_000),
    extendMs: milliseconds(values, "softClose.extendMs", 1_000),
    hardEnd: iso(latest),
  };
}

/** What was sent and not answered yet: sent again as it is, it makes no second auction. */
let attempt = { sent: "", key: "" };

async function create(values) {
  const body = readAuction(values);
  const sent = JSON.stringify(body);
  if (attempt.sent !== sent) attempt = { sent, key: newKey() };
  const made = await request("POST", "/auctions", { headers: { "idempotency-key": attempt.key }, body });
  // Another one just like it is meant to be another one.
  attempt = { sent: "", key: "" };
  return t("auctionForm.done", { name: made.product });
}

/** Shows what the chosen format and rules know. */
function adapt() {
  const { format, retraction, softClose } = form.elements;
  for (const field of form.querySelectorAll("[data-formats]")) {
    show(field, field.dataset.formats.split(" ").includes(format.value));
  }
  for (const field of form.querySelectorAll("[data-soft-close]")) show(field, softClose.checked);
  for (const field of form.querySelectorAll("[data-retraction]")) show(field, retraction.value === "rule");
}

export function openAuctionForm() {
  const end = form.elements.endTime;
  // An hour from now, at a moment that people name.
  if (end.value === "") end.value = localTime(Math.ceil((clock.now() + HOUR_MS) / ROUND_MS) * ROUND_MS);
  adapt();
  dialog.showModal();
}

export function startAuctionForm(onDone) {
  wireDialog(dialog);
  wireForm(form, create, () => {
    dialog.close();
    onDone();
  });
  form.addEventListener("change", adapt);
  byId("open-auction").addEventListener("click", openAuctionForm);
}
