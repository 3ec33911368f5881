// The answer to an order, big. Pure up to `drawVerdict`: `describe` turns what is known into
// words, so that the words can be tested without a page. The part that is read out holds
// title and text only; the numbers beside it may change every second in silence.

import { problemText } from "./api.js";
import { byId, h, hook, keyed, setAttr, setText, show } from "./dom.js";
import { count, moment } from "./format.js";
import { lang, t } from "./i18n.js";
import { estimateText, orderSummary } from "./order-list.js";
import { isRepeatable } from "./orders.js";

/**
 * `shown` is one of
 * `{kind: "none"}`, `{kind: "sending", slow?, problem?}`, `{kind: "order", order, available?}`,
 * `{kind: "error", problem, marked?}`, `{kind: "unanswered", attempt}`. The order that one has
 * stays, and `refused` beside it is what became of another one: an order or an error as above.
 */
export function describe(shown) {
  switch (shown.kind) {
    case "sending":
      return describeSending(shown);
    case "order":
      return describeOrder(shown);
    case "error":
      return {
        status: "error",
        title: t("verdict.error.title"),
        text: shown.marked ? t("verdict.error.field") : problemText(shown.problem),
      };
    case "unanswered":
      return describeUnanswered(shown.attempt);
    default:
      return { status: "none", title: t("verdict.none.title"), text: t("verdict.none.text") };
  }
}

function describeSending({ slow, problem }) {
  if (problem) {
    return {
      status: "sending",
      title: t("verdict.retry.title"),
      text: `${problemText(problem)} ${t("verdict.retry.text")}`,
      actions: ["stop"],
    };
  }
  return {
    status: "sending",
    title: t("verdict.sending.title"),
    text: t(slow ? "verdict.slow.text" : "verdict.sending.text"),
    actions: slow ? ["stop"] : [],
  };
}

function describeUnanswered(attempt) {
  const params = {
    quantity: count(attempt.quantity, lang()),
    when: moment(new Date(attempt.at).toISOString(), lang()),
  };
  const repeatable = isRepeatable(attempt);
  return {
    status: "error",
    title: t("verdict.unanswered.title"),
    text: t(repeatable ? "verdict.unanswered.text" : "verdict.lost.text", params),
    actions: repeatable ? ["again", "forget"] : ["forget"],
  };
}

function describeOrder({ order, available }) {
  const summary = orderSummary(order);
  const place = count(order.place, lang());
  switch (order.status) {
    case "accepted":
      return { status: "accepted", title: t("verdict.accepted.title"), text: summary, place };
    case "pending":
      return {
        status: "pending",
        // The numbers beside it change in silence; the place never does.
        title: t("verdict.pending.title", { place }),
        text: t("verdict.pending.text", { summary }),
        place,
        ahead: count(order.ahead ?? 0, lang()),
        estimate: estimateText(order),
      };
    case "sold_out": {
      const some = available > 0;
      const text = t(some ? "verdict.sold_out.some" : "verdict.sold_out.text", { n: available });
      return { status: "sold_out", title: t("verdict.sold_out.title"), text, place };
    }
    case "cancelled":
      return {
        status: "cancelled",
        title: t("verdict.cancelled.title"),
        // Who never had a verdict had nothing that could go to somebody else.
        text: t(order.decidedAt ? "verdict.cancelled.text" : "verdict.cancelled.waited", { summary }),
        place,
      };
    case "unknown":
      return { status: "error", title: t("verdict.error.title"), text: t("error.order_not_found") };
    default: {
      const form = order.status === "expired" ? "expired" : "rejected";
      return {
        status: "rejected",
        title: t(`verdict.${form}.title`),
        text: t(`verdict.${form}.text`),
        place,
      };
    }
  }
}

/** Why another order was not taken, below the one that was; empty without such a refusal. */
export function describeRefusal(refused) {
  if (!refused) return "";
  const reason = refused.kind === "error" ? problemText(refused.problem) : describe(refused).text;
  return t("verdict.another.refused", { reason });
}

const ICONS = {
  none: "M8 16h.01M16 16h.01M24 16h.01",
  sending: "M16 6a10 10 0 1 1-10 10",
  accepted: "M7 17l6 6L25 10",
  pending: "M16 9v8l5 3M16 4a12 12 0 1 0 .01 0",
  sold_out: "M8 16h16",
  cancelled: "M8 16h16",
  rejected: "M10 10l12 12M22 10L10 22",
  error: "M16 8v10M16 23.5v.01",
};

/** Draws the answer; returns its status for the tab's title and icon. */
export function drawVerdict(shown, onAction) {
  const view = describe(shown);
  const root = hook("verdict");
  setAttr(root, "data-status", view.status);
  setText(byId("verdict-title"), view.title);
  setText(byId("verdict-text"), view.text);
  setText(hook("verdict-refusal"), describeRefusal(shown.refused));
  for (const fact of ["place", "ahead", "estimate"]) {
    show(byId(`fact-${fact}`), view[fact] !== undefined);
    setText(hook(fact), view[fact] ?? "");
  }
  show(byId("verdict-facts"), view.place !== undefined);
  keyed(byId("verdict-icon"), [view.status], (status) => status, (status) =>
    h("svg", { viewBox: "0 0 32 32" }, h("path", { d: ICONS[status] })));
  const actions = byId("verdict-actions");
  const focused = actions.contains(document.activeElement) ? document.activeElement : null;
  keyed(
    actions,
    view.actions ?? [],
    (name) => name,
    (name) =>
      h("button", {
        type: "button",
        class: `button small ${name === "again" ? "" : "quiet"}`,
        "data-testid": `verdict-${name}`,
        onclick: () => onAction(name),
      }),
    (button, name) => setText(button, t(`verdict.${name}`)),
  );
  // The button that was pressed is gone; what it led to is where the keyboard goes on.
  if (focused && !focused.isConnected) byId("verdict-title").focus();
  return view.status;
}
