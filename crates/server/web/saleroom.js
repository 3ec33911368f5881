// The list of auctions, kept current by asking again every two seconds while somebody looks: one
// stream for each auction would use up the six connections that a browser gives a host, and the
// overall event stream belongs to operations. The clocks on the cards run in between.

import { paths, request } from "./api.js";
import { art } from "./art.js";
import { Listing } from "./auction-listing.js";
import { isOver, ownStanding, received, standingKind } from "./auction-state.js";
import { bidsText, formatText, priceWords, reserveText, shownStatus, statusText, timeText, unsoldText } from "./auction-words.js";
import { ownBids } from "./bids.js";
import { clock } from "./clock.js";
import { byId, h, keyed, setAttr, setText, show } from "./dom.js";
import { t } from "./i18n.js";
import { poll } from "./live.js";
import { eachSecond, setConnection, setTab, startPage } from "./page.js";

const REFRESH_MS = 2_000;
// What has ended hardly changes.
const REFRESH_ENDED_MS = 10_000;
const PAGE_SIZE = 30;

const STATUSES = {
  open: ["open"],
  scheduled: ["scheduled"],
  ended: ["closed", "settled", "unsold", "cancelled"],
};

const asked = new URLSearchParams(location.search).get("show");
const shown = Object.hasOwn(STATUSES, asked) ? asked : "open";

const listing = new Listing(STATUSES[shown], {
  async fetchPage(status, after) {
    const query = new URLSearchParams({ status, limit: PAGE_SIZE, ...(after ? { after } : {}) });
    const askedAt = Date.now();
    const { auctions, next } = await request("GET", `/auctions?${query}`);
    return { auctions: auctions.map((auction) => received(auction, { askedAt })), next };
  },
  async fetchOne(id) {
    const askedAt = Date.now();
    return received(await request("GET", paths.auction(id)), { askedAt });
  },
});

const inView = new Set();
const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) inView.add(target.dataset.id);
      else inView.delete(target.dataset.id);
    }
  },
  { rootMargin: "200px" },
);

let loaded = false;

async function refresh() {
  await listing.refresh(inView);
  loaded = true;
  draw();
  keepCounting();
}

// ---------------------------------------------------------------- drawing

function draw() {
  setTab(t("auctions.title"));
  for (const link of byId("tabs").children) {
    setAttr(link, "aria-current", link.dataset.show === shown ? "page" : null);
  }
  const { auctions } = listing;
  setText(byId("empty"), t(`auctions.empty.${shown}`));
  show(byId("empty"), loaded && auctions.length === 0);
  show(byId("more"), listing.hasMore);
  const own = byAuction(ownBids());
  keyed(byId("cards"), auctions, (auction) => auction.id, createCard, (card, auction) => {
    card.auction = auction;
    card.own = ownStanding(auction, own.get(auction.id) ?? []);
    updateCard(card);
  });
}

function createCard({ id, product }) {
  const card = h(
    "li",
    { class: "card auction-card", "data-testid": `auction-card-${id}`, "data-id": id },
    h("div", { class: "card-art" }, art(product)),
    h("h2", { class: "card-name" }, h("a", { href: paths.auctionPage(id) })),
    h("p", { class: "card-standing" }, h("span", { class: "chip", "data-testid": "standing" })),
    h("p", { class: "card-price" }, h("span", { class: "card-label muted" }), h("span", { class: "card-amount", "data-testid": "price" })),
    h("p", { class: "card-time", "data-testid": "time-left" }),
    h("p", { class: "card-note muted" }),
  );
  seen.observe(card);
  return card;
}

const BADGES = {
  leading: "accepted",
  won: "accepted",
  paid: "accepted",
  outbid: "failed",
  offered: "pending",
  in: "pending",
};

function updateCard(card) {
  const { auction, own } = card;
  const now = clock.now();
  setText(card.querySelector("a"), auction.product);
  setAttr(card, "data-state", shownStatus(auction, now));
  const price = priceWords(auction, now);
  setText(card.querySelector(".card-label"), price.label);
  setText(card.querySelector(".card-amount"), price.text);
  const over = isOver(auction);
  const unsold = over && auction.status === "unsold";
  setText(card.querySelector(".card-time"), over ? statusText(auction, now) : timeText(auction, now));
  const notes = [
    over ? timeText(auction, now) : "",
    bidsText(auction),
    unsold ? unsoldText(auction) : reserveText(auction),
    auction.format === "english" && auction.lots === 1 ? "" : formatText(auction),
  ];
  setText(card.querySelector(".card-note"), notes.filter(Boolean).join(" · "));
  const kind = own === null ? null : standingKind(auction, own, now);
  const badge = card.querySelector(".chip");
  setText(badge, kind === null ? "" : t(`badge.${kind}`));
  setAttr(badge, "data-status", BADGES[kind]);
}

let counting = false;

function keepCounting() {
  if (counting) return;
  counting = true;
  eachSecond(() => {
    const running = [...byId("cards").children].filter((card) => !isOver(card.auction));
    for (const card of running) updateCard(card);
    counting = running.length > 0;
    return counting;
  });
}

function byAuction(bids) {
  const groups = new Map();
  for (const bid of bids) groups.set(bid.auctionId, [...(groups.get(bid.auctionId) ?? []), bid]);
  return groups;
}

// ---------------------------------------------------------------- start

byId("more").addEventListener("click", async () => {
  byId("more").disabled = true;
  try {
    await listing.more();
    draw();
    keepCounting();
  } catch (problem) {
    setConnection("reconnecting", problem);
  } finally {
    byId("more").disabled = false;
  }
});

addEventListener("storage", draw);
startPage(draw);
poll(refresh, shown === "ended" ? REFRESH_ENDED_MS : REFRESH_MS, { onState: setConnection });
