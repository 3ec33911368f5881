// The parcel of an order as steps. Pure up to `drawParcel`. A step says by its shape and its
// words whether it is done, now or to come; the part that is read out holds one sentence only.

import { byId, h, hook, keyed, setAttr, setText, show } from "./dom.js";
import { moment } from "./format.js";
import { lang, t } from "./i18n.js";

const STEPS = ["created", "packed", "in_transit", "delivered"];
const RANK = { created: 0, packed: 1, in_transit: 2, delivered: 3, returned: 4 };

/** Whether anything may still be heard of the order's parcel. */
export function parcelMoves({ status, parcel }) {
  if (status === "accepted") return !(RANK[parcel?.status] >= RANK.delivered);
  return status === "cancelled" && Boolean(parcel) && RANK[parcel.status] < RANK.delivered;
}

/** An answer that is older than what is known, or says nothing of it, turns nothing back. */
export function newerParcel(known, told) {
  if (!told) return known;
  return known && RANK[known.status] > RANK[told.status] ? known : told;
}

/**
 * What is shown of an order's parcel, or null. An accepted order has its steps at once, before
 * its parcel is known, so that nothing moves when it is.
 */
export function describeParcel(order) {
  const parcel = order?.parcel ?? null;
  if (order?.status !== "accepted" && !(order?.status === "cancelled" && parcel)) return null;
  const status = parcel?.status ?? "none";
  const names = status === "returned" ? ["created", "returned"] : STEPS;
  const now = names.indexOf(status);
  return {
    status,
    text: t(`parcel.text.${status}`),
    facts: parcel
      ? t("parcel.facts", { id: parcel.trackingId, when: moment(parcel.changedAt, lang()) })
      : "",
    steps: names.map((name, at) => ({
      name,
      label: t(`parcel.${name}`),
      state: at < now || (at === now && RANK[name] >= RANK.delivered) ? "done" : at === now ? "now" : "next",
      isCurrent: at === now,
    })),
  };
}

const ICONS = { done: "M7 12.5l3.5 3.5L17 9", now: "M12 12h.01", next: "", back: "M15 8l-5 4 5 4" };

function drawStep(node, step) {
  setAttr(node, "data-step", step.name);
  setAttr(node, "data-state", step.state);
  setAttr(node, "aria-current", step.isCurrent ? "step" : null);
  const icon = step.name === "returned" ? "back" : step.state;
  setAttr(node.querySelector("path"), "d", ICONS[icon]);
  setText(node.querySelector(".parcel-label"), step.label);
  setText(node.querySelector(".visually-hidden"), t(`parcel.state.${step.state}`));
}

/** Draws the parcel of the order that is shown. */
export function drawParcel(order) {
  const view = describeParcel(order);
  const root = hook("parcel");
  show(root, view !== null);
  if (!view) return;
  setAttr(root, "data-status", view.status);
  setText(hook("parcel-status"), view.text);
  setText(byId("parcel-facts"), view.facts || "\u00a0");
  keyed(
    byId("parcel-steps"),
    view.steps,
    (step) => step.name,
    () =>
      h(
        "li",
        { class: "parcel-step" },
        h("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, h("circle", { cx: 12, cy: 12, r: 10 }), h("path", {})),
        h("span", { class: "parcel-label" }),
        h("span", { class: "visually-hidden" }),
      ),
    drawStep,
  );
}
