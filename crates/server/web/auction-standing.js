// Where this browser stands in an auction, big. Pure up to `drawStanding`: `describe` turns what
// is known into words, so that the words can be tested without a page. The part that is read
// out holds title and text only; the numbers beside it may change every second in silence.

import { isEnglish, standingKind } from "./auction-state.js";
import { moneyText, rulesText, unsoldText } from "./auction-words.js";
import { byId, h, hook, keyed, setAttr, setText, show } from "./dom.js";
import { exactMoment, time, timeLeft } from "./format.js";
import { lang, t } from "./i18n.js";

/** Tone of the panel and icon of the tab, by `standingKind`. */
const TONES = {
  scheduled: "none",
  watching: "none",
  leading: "accepted",
  outbid: "error",
  in: "pending",
  deciding: "sending",
  answering: "sending",
  won: "accepted",
  paid: "accepted",
  offered: "pending",
  expired: "sold_out",
  forfeited: "sold_out",
  lost: "sold_out",
  sold: "sold_out",
  unsold: "sold_out",
  void: "cancelled",
  cancelled: "cancelled",
};

/**
 * `{kind, tone, title, text, facts: [[key, text]], actions}`; `asking` is whether a bid of one's own
 * is on its way.
 */
export function describe(auction, own, now, asking = false) {
  const kind = standingKind(auction, own, now, asking);
  const several = auction.lots > 1 && ["leading", "outbid"].includes(kind);
  const award = own?.award;
  const price = award?.price ?? auction.currentPrice;
  const params = {
    price: price === null || price === undefined ? "" : moneyText(auction, price),
    when: exactMoment(["offered", "expired"].includes(kind) ? (award.until ?? auction.endTime) : auction.startTime, lang()),
  };
  const text = {
    watching: () => rulesText(auction),
    unsold: () => unsoldText(auction),
  }[kind] ?? (() => t(`standing.${kind}.text${several ? ".lots" : ""}`, params));
  return {
    kind,
    tone: TONES[kind],
    title: t(`standing.${kind}.title${several ? ".lots" : ""}`),
    text: text(),
    facts: facts(auction, own, kind, now),
    actions: kind === "offered" ? ["accept", "decline"] : [],
  };
}

function facts(auction, own, kind, now) {
  if (own === null) return [];
  const highest = moneyText(auction, own.maximum);
  switch (kind) {
    case "leading":
      return own.maximum > auction.currentPrice
        ? [["pay", moneyText(auction, auction.currentPrice)], ["maximum", highest]]
        : [["pay", moneyText(auction, auction.currentPrice)]];
    case "outbid":
    case "lost":
      return [[isEnglish(auction) && own.maximum > own.amount ? "maximum" : "bid", highest]];
    case "in":
      return [["bid", highest]];
    case "offered":
      return own.award.until ? [["left", timeLeft(Date.parse(own.award.until) - now, lang())]] : [];
    default:
      return [];
  }
}

const ICONS = {
  none: "M8 16h.01M16 16h.01M24 16h.01",
  sending: "M16 6a10 10 0 1 1-10 10",
  accepted: "M7 17l6 6L25 10",
  pending: "M16 9v8l5 3M16 4a12 12 0 1 0 .01 0",
  sold_out: "M8 16h16",
  cancelled: "M8 16h16",
  error: "M16 8v10M16 23.5v.01",
};

const staleText = ({ at, stopped }) =>
  t(stopped ? "standing.staleStopped" : "standing.stale", { time: time(new Date(at).toISOString(), lang()) });

/** Draws where this browser stands; returns what it drew. `stale` is `{at, stopped}`, or null. */
export function drawStanding(auction, own, now, { asking, stale, onAction }) {
  const known = describe(auction, own, now, asking);
  // Not green, nor red: how it stands by now is not known here.
  const view = stale === null ? known : { ...known, tone: stale.stopped ? "cancelled" : "sending" };
  const root = hook("standing");
  setAttr(root, "data-standing", view.kind);
  setAttr(root, "data-status", view.tone);
  setText(byId("standing-title"), view.title);
  setText(byId("standing-text"), view.text);
  setAttr(root, "data-stale", stale !== null);
  setText(byId("standing-stale"), stale === null ? "" : staleText(stale));
  keyed(
    byId("standing-facts"),
    view.facts,
    ([key]) => key,
    ([key]) => h("div", {}, h("dt"), h("dd", { "data-testid": `own-${key}` })),
    (node, [key, text]) => {
      setText(node.firstChild, t(`standing.fact.${key}`));
      setText(node.lastChild, text);
    },
  );
  show(byId("standing-facts"), view.facts.length > 0);
  keyed(byId("standing-icon"), [view.tone], (tone) => tone, (tone) =>
    h("svg", { viewBox: "0 0 32 32" }, h("path", { d: ICONS[tone] })));
  keyed(
    byId("standing-actions"),
    view.actions,
    (name) => name,
    (name) =>
      h("button", {
        type: "button",
        class: name === "accept" ? "button" : "button quiet",
        "data-testid": `offer-${name}`,
        onclick: () => onAction(name),
      }),
    (button, name) => setText(button, t(`offer.${name}`)),
  );
  return view;
}
