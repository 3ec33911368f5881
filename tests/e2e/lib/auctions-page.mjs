// Auctions as the browser suites need them: made and bid in over the API, and looked at in a
// page. The pages of a test are closed after it and must not have complained.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";

import { byId, connected, openContext, openPage } from "./browser.mjs";
import { request } from "./http.mjs";
import { OUT } from "./server.mjs";
import { until } from "./wait.mjs";

export const inMs = (ms) => new Date(Date.now() + ms).toISOString();

const HOUR_MS = 3_600_000;
/** The step of every auction here that says nothing else. */
export const STEP = 100;

/** An auction that is open for an hour, in won, with what the test needs. */
export async function createAuction(server, product, fields = {}) {
  const body = { product, startingPrice: 1000, currency: "KRW", endTime: inMs(HOUR_MS), ...fields };
  if ((body.format ?? "english") === "english") body.increment ??= STEP;
  const answer = await request("POST", `${server.url}/auctions`, { body });
  assert.equal(answer.status, 201, answer.text);
  return answer.json;
}

/** A bid by somebody who has no window; the answer is for the caller to look at. */
export function bid(server, auction, bidderId, bidAmount, more = {}) {
  return request("POST", `${server.url}/bids`, { body: { auctionId: auction.id, bidderId, bidAmount, ...more } });
}

/** Such a bid, which must be taken. */
export async function take(server, auction, bidderId, bidAmount, more) {
  const answer = await bid(server, auction, bidderId, bidAmount, more);
  assert.equal(answer.status, 201, answer.text);
  return answer.json;
}

export const addressOf = (auction) => `/saleroom/${auction.id}`;

/** Windows of one test at a time. `server()` is asked late: it starts after the tests are named. */
export function windows(server, browser) {
  const contexts = [];
  const pages = [];

  const context = async (options) => {
    const made = await openContext(browser(), options);
    contexts.push(made);
    return made;
  };

  const openIn = async (where, address) => {
    const page = await openPage(where, server().url + address);
    pages.push(page);
    await connected(page);
    return page;
  };

  return {
    context,
    openIn,
    open: async (address, options) => openIn(await context(options), address),
    /** A test whose pages are closed after it. */
    pageTest: (name, body) =>
      test(name, async () => {
        try {
          await body();
          assert.deepEqual(pages.flatMap((page) => page.errors), []);
        } catch (error) {
          for (const [n, page] of pages.filter((one) => !one.isClosed()).entries()) {
            const file = `failed-${name.replaceAll(/[^a-z]+/gi, "-").slice(0, 60)}-${n}.png`;
            await page.screenshot({ path: path.join(OUT, file), fullPage: true }).catch(() => {});
          }
          throw error;
        } finally {
          for (const made of contexts.splice(0)) await made.close();
          pages.length = 0;
        }
      }),
  };
}

/** Waits until this browser stands so. */
export async function standing(page, kind) {
  await page.locator(`[data-testid="standing"][data-standing="${kind}"]`).waitFor();
}

/** Fills in who bids and what, as far as it is given. */
export async function fillBid(page, { bidder, amount, maximum }) {
  if (bidder !== undefined) await byId(page, "bid-bidder").fill(bidder);
  if (amount !== undefined) await byId(page, "bid-amount").fill(String(amount));
  if (maximum !== undefined) await byId(page, "bid-maximum").fill(String(maximum));
}

/** Presses once the amount has stood still. */
export async function press(page) {
  await page.locator('[data-testid="bid-button"]:not([data-moved]):not([data-resting]):not([aria-disabled])').click();
}

/** What the last press came to, once that is known: `good` or `bad`, and the sentence. */
export async function said(page, kind) {
  await page.locator(`[data-testid="bid-said"][data-kind="${kind}"]`).waitFor();
  return (await byId(page, "bid-said").innerText()).trim();
}

export async function placeBid(page, what) {
  await fillBid(page, what);
  await press(page);
}

/** Waits until a hook says something. */
export function says(page, name, pattern) {
  return until(`${name} says ${pattern}`, async () => pattern.test(await byId(page, name).first().innerText()));
}

/** The milliseconds that a countdown of an hour at most shows. */
export async function shownMs(page) {
  const text = await byId(page, "time-left").innerText();
  const parts = text.split(":").map(Number);
  assert.ok(parts.length >= 2 && parts.every(Number.isFinite), text);
  return parts.reduce((sum, part) => sum * 60 + part, 0) * 1000;
}
