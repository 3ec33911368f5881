// What is known of an auction. Pure: an auction, one's own bids and a time in, words and numbers
// out. The rules of price and victory are the server's; here are only those that tell the least
// valid bid.

const OVER = new Set(["closed", "settled", "unsold", "cancelled"]);

export const isOver = (auction) => OVER.has(auction.status);
export const isSealed = (auction) => auction.format.startsWith("sealed");
export const isDutch = (auction) => auction.format === "dutch";
/** Somebody else may outbid, and a maximum bids by itself. */
export const isEnglish = (auction) => auction.format === "english";

/** `scheduled | open | ending | over`; time decides, because who opens and closes may be late. */
export function phase(auction, now) {
  if (isOver(auction)) return "over";
  if (auction.status === "scheduled" && Date.parse(auction.startTime) > now) return "scheduled";
  return Date.parse(auction.endTime) > now ? "open" : "ending";
}

/**
 * An auction as the server gave it, with what it leaves out. `askedAt` is when it was asked for,
 * `newestNo` the highest number of a bid that it is known to reflect.
 */
export const received = (answer, { askedAt = -Infinity, newestNo = 0 } = {}) => ({
  ...answer,
  leaders: answer.leaders ?? [],
  winners: answer.winners ?? [],
  askedAt,
  newestNo,
});

/** An auction as an event of its stream gave it, after what was known `before`. */
export const heard = (event, before) =>
  received(event, { askedAt: before.askedAt, newestNo: Math.max(before.newestNo, ...event.bids.map((bid) => bid.no)) });

/**
 * Whether the auction, as it is known, reflects a bid. The answer to a bid and the auction come
 * separately: between them the answer knows more. Numbers alone do not tell, because a bid that
 * was taken back keeps its number and is not counted.
 */
const reflects = (auction, bid) =>
  isOver(auction) ||
  bid.answeredAt === undefined ||
  bid.answeredAt <= auction.askedAt ||
  bid.no <= Math.max(auction.bidCount, auction.newestNo);

// ---------------------------------------------------------------- prices

/** The step at a price; `increment` is one number, or `{from, step}` at rising prices. */
export function incrementAt(increment, price) {
  if (typeof increment === "number") return increment;
  return increment.findLast((band) => band.from <= price).step;
}

const above = (auction, price) => price + incrementAt(auction.increment, price);

/** How many times a dutch price has fallen, were there no floor. */
const fallsBy = (auction, now) =>
  Math.max(0, Math.floor((now - Date.parse(auction.startTime)) / auction.dutch.everyMs));

/** The price that the schedule of a dutch auction gives a moment. */
export function scheduledPrice(auction, now) {
  const { step, floor } = auction.dutch;
  return Math.max(auction.startingPrice - step * fallsBy(auction, now), floor);
}

/** When a dutch price falls next, in milliseconds; null once it is at its floor. */
export function nextFall(auction, now) {
  if (scheduledPrice(auction, now) <= auction.dutch.floor) return null;
  return Date.parse(auction.startTime) + (fallsBy(auction, now) + 1) * auction.dutch.everyMs;
}

/** When a dutch price has fallen to `price`. */
export function fallenTo(auction, price) {
  const falls = Math.ceil((auction.startingPrice - price) / auction.dutch.step);
  return Date.parse(auction.startTime) + Math.max(0, falls) * auction.dutch.everyMs;
}

/** The present price; null while it is hidden. */
export function priceAt(auction, now) {
  if (isDutch(auction) && !isOver(auction) && auction.bidCount === 0) {
    return scheduledPrice(auction, Math.min(now, Date.parse(auction.endTime)));
  }
  return auction.currentPrice ?? null;
}

/** What somebody who leads stands at: bidding that or less can only raise the own maximum. */
export const standsAt = (auction, own) => Math.max(auction.currentPrice, own.amount);

/** The least bid that is not too low. `own` is what `ownStanding` says, null for anybody. */
export function leastBid(auction, own, now) {
  // Less than one's own would be taken and count for nothing.
  if (isSealed(auction)) return own === null ? auction.startingPrice : own.maximum + 1;
  if (isDutch(auction)) return scheduledPrice(auction, now);
  if (own?.leads) return above(auction, standsAt(auction, own));
  if (auction.leaders.length >= auction.lots) return above(auction, auction.currentPrice);
  return auction.startingPrice;
}

// ---------------------------------------------------------------- one's own

/**
 * What this browser's bids amount to, null when none of them stands: the highest amount and
 * maximum, whether they lead, and the award they won.
 */
export function ownStanding(auction, bids) {
  const standing = bids.filter((bid) => bid.status !== "retracted");
  if (standing.length === 0) return null;
  const names = new Set(standing.map((bid) => bid.bidderName));
  const top = (values) => Math.max(...values);
  const ahead = standing.filter((bid) => !reflects(auction, bid));
  const bought = ahead.find((bid) => bid.status === "winning");
  return {
    names,
    leads: auction.leaders.some((name) => names.has(name)) || ahead.some((bid) => bid.status === "leading"),
    amount: top(standing.map((bid) => bid.amount)),
    maximum: top(standing.map((bid) => bid.maximum ?? bid.amount)),
    award: auction.winners.find((winner) => names.has(winner.bidder)) ?? (bought ? boughtAward(bought) : null),
  };
}

/** What a bid came to that ended its auction, until the auction itself says so. */
const boughtAward = ({ bidderName, amount, price }) => ({ bidder: bidderName, price: price ?? amount, status: "won" });

/**
 * Where somebody stands: `scheduled | watching | leading | outbid | in | deciding`, and after
 * the end `won | paid | forfeited | offered | expired | lost | sold | unsold | void | cancelled`; and
 * `answering` when it has ended and the answer to one's own bid has not come (`asking`).
 */
export function standingKind(auction, own, now, asking = false) {
  if (isOver(auction)) return asking ? "answering" : outcomeKind(auction, own, now);
  if (own?.award?.status === "won") return "won";
  switch (phase(auction, now)) {
    case "scheduled":
      return "scheduled";
    case "open":
      if (own === null) return "watching";
      if (isSealed(auction)) return "in";
      if (own.leads) return "leading";
      // Whoever takes a falling price ends the auction; nobody is over anybody.
      return isDutch(auction) ? "watching" : "outbid";
    default:
      return "deciding";
  }
}

function outcomeKind(auction, own, now) {
  if (auction.status === "cancelled") return own === null ? "cancelled" : "void";
  const award = own?.award;
  if (award?.status === "won") return "won";
  if (award?.status === "settled") return "paid";
  if (award?.status === "forfeited") return "forfeited";
  if (award?.status === "expired") return "expired";
  if (award?.status === "offered") return Date.parse(award.until) <= now ? "expired" : "offered";
  if (auction.status === "unsold") return "unsold";
  return own === null ? "sold" : "lost";
}

/** Until when a bid may be taken back, in milliseconds; null when it cannot be. */
export function retractableUntil(auction, bid) {
  const rule = auction.retraction;
  if (!rule || isOver(auction) || bid.status === "retracted") return null;
  const within = Date.parse(bid.timestamp) + rule.withinMs;
  return Math.min(within, Date.parse(auction.endTime) - rule.beforeEndMs);
}
