// One auction: its price, its clock, its bids and one's own part in it, live. What always holds:
// the page shows how the auction stood after some entry of the server's log, and never goes back
// behind it; pressing makes one attempt, and an attempt keeps its key until its answer is known
// (bids.js).

import { decoded, paths, problemText, request } from "./api.js";
import { art } from "./art.js";
import { BidList } from "./auction-bids.js";
import { drawAbout, drawFigures, drawLeaders, Spoken } from "./auction-draw.js";
import {
  drawForm,
  isClosed,
  isOverOwn,
  markField,
  mayPress,
  readBidderOnly,
  readForm,
  rest,
  startForm,
  startOver,
} from "./auction-form.js";
import { Press } from "./auction-press.js";
import { drawStanding } from "./auction-standing.js";
import { heard, isOver, leastBid, ownStanding, phase, received, standingKind } from "./auction-state.js";
import { moneyText, refusalText } from "./auction-words.js";
import { attemptsIn, bidder, isFresh, isRepeatable, newAttempt, takeInBid } from "./bids.js";
import { clock } from "./clock.js";
import { byId, hook, setAttr, show } from "./dom.js";
import { lang, t } from "./i18n.js";
import { follow } from "./live.js";
import { OwnBids } from "./own-bids.js";
import { confirm, eachSecond, notice, perFrame, setConnection, setTab, startPage } from "./page.js";
import { sharpener } from "./sharpen.js";

// Past the end, or past the start, without a word: the page asks itself.
const OVERDUE_MS = 2_500;
const EXTENSION_SHOWN_MS = 8_000;
// A reconnection that takes no longer than this is nobody's concern.
const AWAY_AFTER_MS = 900;

// Null for what no address of an auction can be.
const id = decoded(location.pathname.split("/")[2] ?? "");

let auction = null;
let missing = id === null;
/** Since when the server is away, `{at, stopped}`; null while it is not. */
let away = null;
let sawItRun = false;
let extendedAt = -Infinity;

const spoken = new Spoken(byId("spoken"));
const bids = new BidList(id, { list: byId("bids"), empty: byId("bids-none"), more: byId("bids-more") }, () => redraw());
const own = new OwnBids(id, { section: byId("own"), list: byId("own-list"), onChange: () => redraw() });
const press = new Press({
  auctionOf: () => auction,
  onChange: () => redraw(),
  onTaken() {
    startOver();
    fetchAuction().catch(() => {});
  },
  onRefused: refused,
  onAnswer: rest,
});

// ---------------------------------------------------------------- drawing

function draw() {
  takeIn();
  keepFocus(drawAll);
}

function drawAll() {
  show(byId("missing"), missing);
  show(byId("auction"), !missing);
  if (missing || auction === null) {
    show(byId("own"), false);
    setTab(t(missing ? "tab.auction.missing" : "tab.auction.loading"));
    return;
  }
  const now = clock.now();
  const mine = own.bids;
  const standing = ownStanding(auction, mine);
  drawFigures(auction, now, performance.now() - extendedAt < EXTENSION_SHOWN_MS);
  drawLeaders(auction, standing);
  drawAbout(auction);
  const stale = isSettled(auction, standing, now) ? null : away;
  const view = drawStanding(auction, standing, now, { asking: press.busy, stale, onAction: answerOffer });
  // A page that finds an auction over has no form; one that sees it end keeps its room.
  sawItRun ||= !isOver(auction);
  show(byId("bid"), sawItRun);
  drawForm({ auction, own: standing, now, busy: press.busy });
  press.forgetRetracted(mine);
  press.draw();
  bids.draw(auction, mine);
  own.draw(auction, now);
  spoken.hear(auction, now);
  const tab = t(`tab.auction.${stale === null ? view.kind : "stale"}`, { name: auction.product });
  setTab(tab, view.tone === "sending" || view.tone === "none" ? "idle" : view.tone);
  if (!counting && !isSettled(auction, standing, now)) keepCounting();
}

/** Whether nothing turns by time alone any more: it is over, and no offer runs. */
const isSettled = (known, standing, now) => isOver(known) && standingKind(known, standing, now) !== "offered";

/** What had the focus may be gone after drawing; the panel that says why gets it then. */
function keepFocus(change) {
  const focused = document.activeElement;
  const inOwn = byId("own").contains(focused);
  change();
  if (focused === null || focused === document.body || focused.checkVisibility({ visibilityProperty: true })) return;
  const next = [inOwn ? byId("own-title") : null, byId("standing-title"), byId("missing").firstElementChild];
  next.find((node) => node?.checkVisibility())?.focus();
}

const redraw = perFrame(draw);

let counting = false;
let askedAt = -Infinity;
const sharpenClock = sharpener(fetchAuction, () => auction !== null && !isOver(auction));

/** The clock of the auction, and what is overdue at its turns. */
function keepCounting() {
  if (counting) return;
  counting = true;
  eachSecond(
    () => {
      const standing = auction === null ? null : ownStanding(auction, own.bids);
      counting = auction !== null && !missing && !isSettled(auction, standing, clock.now());
      redraw();
      if (counting && !isOver(auction)) {
        sharpenClock();
        askIfOverdue();
      }
      return counting;
    },
    () => Date.parse(turn()),
  );
}

/** What the page counts to. */
function turn() {
  if (auction === null) return 0;
  if (isOver(auction)) return ownStanding(auction, own.bids)?.award?.until ?? auction.endTime;
  return phase(auction, clock.now()) === "scheduled" ? auction.startTime : auction.endTime;
}

function askIfOverdue() {
  const due = auction.status === "scheduled" ? auction.startTime : auction.endTime;
  const late = clock.now() - Date.parse(due);
  if (late < OVERDUE_MS || performance.now() - askedAt < OVERDUE_MS) return;
  askedAt = performance.now() + Math.random() * 1_000;
  fetchAuction().catch(() => {});
}

// ---------------------------------------------------------------- live

async function fetchAuction() {
  try {
    const askedAt = Date.now();
    const answer = received(await request("GET", paths.auction(id)), { askedAt, newestNo: auction?.newestNo });
    // An answer that was overtaken by what was heard knows less than the page does.
    if (auction === null || answer.lastEvent >= auction.lastEvent) learn(answer);
    else learn({ ...auction, askedAt });
    setArt(auction.product);
    missing = false;
  } catch (problem) {
    if (problem.code !== "auction_not_found") throw problem;
    missing = true;
  }
  redraw();
  keepCounting();
}

/** How the auction stands now, and what has become news or old by that. */
function learn(now) {
  const before = auction;
  auction = now;
  if (before === null) return;
  if (now.extensions > before.extensions) noteExtension();
  // "Your bid was taken" is no longer the news.
  if (ownStanding(before, own.bids)?.leads && !ownStanding(now, own.bids)?.leads) press.forget("good");
  // What was sealed is shown now, and the status of every bid has changed.
  if (isOver(now) && !isOver(before)) setTimeout(() => fetchEverything().catch(() => {}), Math.random() * 1_500);
}

/** One's own bids change by events alone, so that they are asked for once a connection only. */
async function fetchEverything({ polling = false } = {}) {
  await fetchAuction();
  if (missing) return;
  await Promise.all([bids.fetchNewest(), polling ? null : own.refresh()]);
  redraw();
}

let awayTimer;
let lastHeardAt;

/** How the stream stands; the panel says from when its word is, unless that is soon over. */
function noteConnection(state, problem) {
  setConnection(state);
  if (state === "connecting") return;
  if (problem?.code === "auction_not_found") missing = true;
  if (state === "live") {
    clearTimeout(awayTimer);
    awayTimer = undefined;
    away = null;
  } else {
    lastHeardAt = awayTimer === undefined ? clock.now() : lastHeardAt;
    clearTimeout(awayTimer);
    const noteAway = () => {
      away = { at: lastHeardAt, stopped: state === "stopped" };
      redraw();
    };
    awayTimer = setTimeout(noteAway, away === null ? AWAY_AFTER_MS : 0);
  }
  redraw();
}

/** What the next frame takes in. */
let waiting = [];

function hear(type, event) {
  if (type === "reset") fetchEverything().catch(() => {});
  else if (type === "auction" && event !== null) waiting.push(event);
  redraw();
}

function takeIn() {
  if (auction === null || waiting.length === 0) return;
  const events = waiting;
  waiting = [];
  for (const event of events) {
    bids.hear(event);
    own.hear(event);
    if (event.lastEvent > auction.lastEvent) learn(heard(event, auction));
  }
}

function noteExtension() {
  extendedAt = performance.now();
  setTimeout(redraw, EXTENSION_SHOWN_MS + 50);
}

// ---------------------------------------------------------------- bidding

byId("bid").addEventListener("submit", (event) => {
  event.preventDefault();
  if (auction === null || isClosed()) return;
  if (mayPress()) {
    const wanted = readForm();
    if (wanted) bidUnlessByAccident({ auctionId: id, ...wanted });
  } else {
    const least = leastBid(auction, ownStanding(auction, own.bids), clock.now());
    press.say({ kind: "bad", text: () => t("bid.moved", { least: moneyText(auction, least) }) });
  }
  draw();
});

async function bidUnlessByAccident(wanted) {
  if (isOverOwn(wanted)) {
    const amount = moneyText(auction, wanted.amount);
    const sure = await confirm({
      title: t("overOwn.title"),
      text: t("overOwn.text", { amount }),
      yes: t("overOwn.yes", { amount }),
      no: t("overOwn.no"),
    });
    if (!sure || press.busy) return;
  }
  bid(wanted);
}

function bid(wanted) {
  bidder.set(wanted.bidderId);
  // The same bid once more, after an attempt without an answer, is that attempt.
  const same = (attempt) =>
    ["bidderId", "amount", "maximum", "buyNow"].every((field) => attempt[field] === wanted[field]);
  const open = attemptsIn(id).find((attempt) => same(attempt) && isRepeatable(attempt));
  press.send(open ?? newAttempt(wanted));
}

hook("buy-now-button").addEventListener("click", async () => {
  if (auction === null || press.busy) return;
  const bidderId = readBidderOnly();
  draw();
  if (bidderId === null) return;
  const amount = auction.buyNowPrice;
  const sure = await confirm({
    title: t("buyNow.title", { name: auction.product }),
    text: t("buyNow.text", { price: moneyText(auction, amount) }),
    yes: t("buyNow.yes"),
    no: t("buyNow.no"),
  });
  if (sure) bid({ auctionId: id, bidderId, amount, buyNow: true });
});

/** A refusal stands at its field; a bid too low is replaced by the least valid one instead. */
function refused(problem) {
  fetchAuction().catch(() => {});
  if (problem.code === "bid_too_low") {
    startOver({ keepMaximum: true });
    return;
  }
  markField(problem.field, () => refusalText(problem, auction, clock.now()));
}

async function answerOffer(name) {
  const standing = ownStanding(auction, own.bids);
  const offered = own.bids.find((one) => one.bidderName === standing?.award?.bidder && one.status !== "retracted");
  if (!offered) return;
  try {
    await request("POST", paths.offer(offered.id), { body: { accept: name === "accept" } });
    notice(t(name === "accept" ? "offer.accepted" : "offer.declined"));
  } catch (problem) {
    notice(problemText(problem), "bad");
  }
  fetchAuction().catch(() => {});
}

// ---------------------------------------------------------------- start

function setArt(product) {
  if (byId("art").firstChild === null) byId("art").append(art(product));
}

byId("bids-more").addEventListener("click", async () => {
  byId("bids-more").disabled = true;
  await bids.fetchMore().catch((problem) => notice(problemText(problem), "bad"));
  byId("bids-more").disabled = false;
  draw();
});
document.addEventListener("visibilitychange", () => redraw());
setAttr(byId("certificate"), "href", paths.certificate(id));
startForm(() => auction !== null && draw());
startPage(draw);
if (id !== null) {
  follow(paths.auctionEvents(id), {
    // Who has bid wants to be told in another tab as well.
    whileHidden: () => own.bids.length > 0 && auction !== null && !isOver(auction),
    onEvent: hear,
    onOpen: fetchEverything,
    onState: noteConnection,
  });
  fetchAuction().catch(() => {});
  takeInBid(id).then(redraw, () => {});
} else {
  setConnection("stopped");
}

const [unanswered] = attemptsIn(id);
if (unanswered) {
  if (isFresh(unanswered)) press.send(unanswered);
  else press.leave(unanswered);
}
