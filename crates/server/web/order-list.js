// "Your orders": the list with live status, cancelling and removing. Knows orders and their
// storage, not where their news come from: a page hands in what it heard by `learn`.

import { paths, problemText } from "./api.js";
import { byId, h, keyed, setAttr, setText, show } from "./dom.js";
import { count, moment, money, roughly } from "./format.js";
import { lang, t } from "./i18n.js";
import {
  cancelOrder,
  fetchOrder,
  forgetOrder,
  isCancellable,
  isFinal,
  listOrders,
  rememberOrder,
} from "./orders.js";
import { confirm, notice } from "./page.js";
import { newerParcel } from "./parcel.js";

/** How many orders are asked for again when a page is shown. */
const REFRESH_MAX = 10;

export function orderSummary(order) {
  return t("verdict.summary", {
    name: order.name ?? order.sku,
    quantity: count(order.quantity, lang()),
    total: money(order.unitPrice * order.quantity, order.currency, lang()),
  });
}

export function estimateText(order) {
  if (order.estimateSeconds === undefined) return t("verdict.estimateUnknown");
  const time = roughly(order.estimateSeconds, lang());
  return time === null ? t("verdict.estimateUnder") : t("verdict.estimateAbout", { time });
}

// An answer that was on its way while a newer one overtook it must not turn a verdict back.
const RANK = { pending: 0, accepted: 1, sold_out: 1, rejected: 1, expired: 1, cancelled: 2 };

export class OrderList {
  #section;
  #list;
  #sku;
  #onChange;

  constructor({ section, list, sku, onChange }) {
    this.#section = section;
    this.#list = list;
    this.#sku = sku;
    this.#onChange = onChange;
    // Another tab of this browser may have heard something first.
    addEventListener("storage", () => this.draw());
  }

  get orders() {
    return listOrders(this.#sku);
  }

  /** Takes in what the server said about an order; returns what is now known. */
  learn(order, name) {
    const known = listOrders(order.sku).find((one) => one.id === order.id);
    if (known && RANK[known.status] > RANK[order.status]) return known;
    const kept = rememberOrder({ ...order, parcel: newerParcel(known?.parcel, order.parcel) }, name);
    this.#onChange?.(kept);
    this.draw();
    return kept;
  }

  async refresh(order) {
    try {
      return this.learn(await fetchOrder(paths.order(order.id)));
    } catch (problem) {
      if (problem.code === "order_not_found") this.lose(order);
      else throw problem;
    }
    return null;
  }

  /** An answer may come before the product's name is known; a list of skus would help nobody. */
  nameProduct(name) {
    for (const order of this.orders) if (order.name !== name) rememberOrder(order, name);
  }

  /** The store was replaced under the shop: say so and leave the removal to the person. */
  lose(order) {
    rememberOrder({ ...order, status: "unknown" });
    this.#onChange?.({ ...order, status: "unknown" });
    this.draw();
  }

  /** Asks again for those that may have changed while nobody looked. */
  async refreshRecent({ only = isCancellable } = {}) {
    const asked = this.orders.filter(only).slice(0, REFRESH_MAX);
    await Promise.all(asked.map((order) => this.refresh(order)));
  }

  draw() {
    const orders = this.orders;
    show(this.#section, orders.length > 0);
    keyed(this.#list, orders, (order) => order.id, () => this.#create(), (row, order) => {
      this.#update(row, order);
    });
  }

  #create() {
    const row = h(
      "li",
      { class: "order" },
      h("span", { class: "chip" }),
      h(
        "div",
        { class: "order-words" },
        h("a", { class: "order-name" }),
        h("span", { class: "order-facts muted" }),
      ),
      h("button", { type: "button", class: "button quiet small" }),
    );
    row.querySelector("button").addEventListener("click", () => this.#press(row));
    return row;
  }

  #update(row, order) {
    row.order = order;
    const [chip, words, button] = row.children;
    setAttr(row, "data-status", order.status);
    setAttr(chip, "data-status", order.status);
    setText(chip, t(`orders.${order.status}`));
    setText(words.firstChild, orderSummary(order));
    setAttr(words.firstChild, "href", paths.productPage(order.sku));
    const facts = [t("orders.place", { place: count(order.place, lang()) })];
    if (order.status === "pending") {
      facts.push(t("orders.ahead", { count: count(order.ahead ?? 0, lang()) }));
      if (order.estimateSeconds !== undefined) facts.push(estimateText(order));
    }
    if (order.parcel) facts.push(t(`parcel.${order.parcel.status}`));
    facts.push(moment(order.placedAt, lang()));
    setText(words.lastChild, facts.join(" · "));
    const cancellable = isCancellable(order);
    const key = cancellable ? "orders.cancel" : "orders.forget";
    setText(button, t(key));
    setAttr(button, "aria-label", t(`${key}Label`, { summary: orderSummary(order) }));
    setAttr(button, "data-testid", cancellable ? "cancel-order" : "forget-order");
  }

  async #press(row) {
    const order = row.order;
    const button = row.querySelector("button");
    if (button.getAttribute("aria-disabled") === "true") return;
    if (!isCancellable(order)) {
      const hadFocus = row.contains(document.activeElement);
      const near = row.nextElementSibling ?? row.previousElementSibling;
      forgetOrder(order);
      this.draw();
      if (hadFocus) (near?.querySelector("button") ?? byId("main")).focus();
      return;
    }
    const sure = await confirm({
      title: t("cancel.title"),
      text: isFinal(order)
        ? t("cancel.text", { summary: orderSummary(order) })
        : t("cancel.waiting", { summary: orderSummary(order), place: count(order.place, lang()) }),
      yes: t("cancel.yes"),
      no: t("cancel.no"),
    });
    if (!sure) return;
    // Not `disabled`, which would take the focus away from it.
    setAttr(button, "aria-disabled", "true");
    try {
      this.learn(await cancelOrder(paths.order(order.id)));
    } catch (problem) {
      notice(problemText(problem), "bad");
      if (problem.code === "order_not_found") this.lose(order);
      else if (!problem.undecided) await this.refresh(order).catch(() => {});
    } finally {
      setAttr(button, "aria-disabled", null);
    }
  }
}

