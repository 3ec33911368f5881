// Chromium, and pages that are watched: what a page writes to its console as an error,
// and what it throws, is a defect unless the test said that it would come.

import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const WAIT_LIMIT_MS = 15_000;
const AXE = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export function launch() {
  const executablePath = process.env.CHROMIUM_BIN;
  assert.ok(executablePath, "CHROMIUM_BIN names no browser; `cargo xtask test` sets it");
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/** A browser of its own: no storage, no cookies of others. */
export async function openContext(browser, options = {}) {
  const context = await browser.newContext({
    locale: "en-US",
    reducedMotion: "reduce",
    viewport: { width: 1280, height: 900 },
    ...options,
  });
  context.setDefaultTimeout(WAIT_LIMIT_MS);
  return context;
}

/** A window on an address; `errors` gathers what it complains about. */
export async function openPage(context, url) {
  const page = await context.newPage();
  page.errors = [];
  page.networkMayFail = false;
  page.on("pageerror", (error) => page.errors.push(`thrown: ${error.stack}`));
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    const text = `${message.text()} (${message.location().url})`;
    // The browser notes every refused request; a 409 is how the shop says "sold out".
    if (/status of 409/.test(text) && /\/orders/.test(text)) return;
    if (page.networkMayFail && /Failed to load resource|net::ERR_/.test(text)) return;
    page.errors.push(text);
  });
  await page.goto(url);
  return page;
}

export const byId = (page, name) => page.locator(`[data-testid="${name}"]`);

/** The verdict's section once it has one of the statuses. */
export async function verdict(page, ...statuses) {
  const selector = statuses.map((s) => `[data-testid="verdict"][data-status="${s}"]`).join(", ");
  await page.locator(selector).waitFor();
  return byId(page, "verdict").getAttribute("data-status");
}

export async function connected(page) {
  await page.locator('[data-testid="connection"][data-state="live"]').waitFor();
}

export async function buy(page, email, quantity) {
  await byId(page, "buy-email").fill(email);
  if (quantity !== undefined) await byId(page, "buy-quantity").fill(String(quantity));
  await byId(page, "buy-button").click();
}

/** Leaves a mark that no reload survives; the answer tells whether it is still there. */
export async function markWindow(page) {
  await page.evaluate(() => {
    window.markOfTheTest = true;
  });
  return async () => {
    assert.equal(await page.evaluate(() => window.markOfTheTest), true, "the page was reloaded");
  };
}

/** Waits until the text of a hook is a number that satisfies the condition. */
export async function number(page, name, condition) {
  const deadline = Date.now() + WAIT_LIMIT_MS;
  for (;;) {
    const text = await byId(page, name).first().textContent();
    const digits = text.replaceAll(/[^0-9]/g, "");
    if (digits !== "" && condition(Number(digits))) return Number(digits);
    assert.ok(Date.now() < deadline, `${name} is "${text}"`);
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
}

/** The cells of one row of a table, by the names of their columns; its first cell has this line. */
export async function row(table, name) {
  const rows = await table.locator("tbody tr").evaluateAll((all) =>
    all.map((one) =>
      Object.fromEntries([...one.children].map((cell) => [cell.dataset.label, cell.innerText.trim()])),
    ),
  );
  return rows.find((cells) => Object.values(cells)[0].split("\n").includes(name));
}

/** How light the page's ground is, from 0 to 255. */
export function groundOf(page) {
  return page.evaluate(() => {
    const grounds = [document.body, document.documentElement].map((one) => getComputedStyle(one).backgroundColor);
    const seen = grounds.find((colour) => !/rgba\(.*, 0\)|transparent/.test(colour));
    const [r, g, b] = seen.match(/[\d.]+/g).map(Number);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  });
}

export async function assertFits(page, what) {
  const { content, window } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth,
    window: document.documentElement.clientWidth,
  }));
  // A telephone makes the window as wide as what does not fit.
  const width = Math.min(window, page.viewportSize().width);
  assert.ok(content <= width, `${what}: ${content} px in a window of ${width} px`);
}

/** No barrier that axe calls serious or worse. */
export async function assertAccessible(page, what) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, { resultTypes: ["violations"] }),
  );
  const grave = violations
    .filter((v) => ["serious", "critical"].includes(v.impact))
    .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary}`));
  assert.deepEqual(grave, [], what);
}
