// What a product's numbers mean to somebody who wants one. Pure: a product and a time in,
// words out. Shop and product page say the same because both ask here.

import { count, countdown, moment } from "./format.js";
import { lang, t } from "./i18n.js";

const DAY_MS = 86_400_000;

/** `opens | available | restocking | sold_out`, in the order in which they matter. */
export function stockState(product, now) {
  if (product.opensAt && Date.parse(product.opensAt) > now) return "opens";
  if (product.available > 0) return "available";
  return product.replenishment ? "restocking" : "sold_out";
}

export function opensText(product, now) {
  const left = Date.parse(product.opensAt) - now;
  return left < DAY_MS
    ? t("stock.opensIn", { time: countdown(left) })
    : t("stock.opensAt", { when: moment(product.opensAt, lang()) });
}

export function stockText(product, now) {
  switch (stockState(product, now)) {
    case "opens":
      return opensText(product, now);
    case "available":
      return t("stock.available", { count: count(product.available, lang()) });
    case "restocking":
      return t("stock.restocking");
    default:
      return t("stock.soldOut");
  }
}

/** Who is waiting, in words; empty where nobody waits and nobody could. */
export function lineText(product) {
  if (product.waiting > 0) {
    return t("stock.waiting", { n: product.waiting, count: count(product.waiting, lang()) });
  }
  const couldWait = product.whenSoldOut === "wait" && product.available <= 0;
  return couldWait ? t("stock.noneWaiting") : "";
}

export function limitText(product) {
  if (!product?.purchaseLimit) return "";
  return t("stock.limit", { count: count(product.purchaseLimit, lang()) });
}

/** What pressing the button would do now: `closed | buy | join | anyway`. */
export function buyMode(product, quantity, now) {
  if (stockState(product, now) === "opens") return "closed";
  if (product.whenSoldOut === "wait") {
    return product.waiting > 0 || product.available < quantity ? "join" : "buy";
  }
  return product.available > 0 ? "buy" : "anyway";
}
