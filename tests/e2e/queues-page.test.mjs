// The queues of the operations page, as an operator uses them: numbers that change while he
// looks, messages that are seen and not received, sent, redriven at a pace, and deleted; with
// the keyboard alone, on a telephone, in two languages.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import { assertAccessible, assertFits, byId, connected, launch, openContext, openPage } from "./lib/browser.mjs";
import { get, request } from "./lib/http.mjs";
import { OUT, Server } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

const QUEUES = `[
  {name="jobs", attributes={RedrivePolicy={deadLetterTargetArn="jobs-dlq", maxReceiveCount=1}}},
  {name="jobs-dlq"},
  {name="other"},
  {name="mileage.fifo"}
]`.replaceAll("\n", " ");

describe("queues on the operations page", () => {
  let server;
  let browser;
  const contexts = [];
  const pages = [];
  before(async () => {
    server = await Server.start({ env: { FIRSTCOME_QUEUES: QUEUES } });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  async function open(address, options) {
    const context = await openContext(browser, options);
    contexts.push(context);
    const page = await openPage(context, server.url + address);
    pages.push(page);
    await connected(page);
    return page;
  }

  /** A test whose pages are closed after it and must not have complained. */
  const pageTest = (name, body) =>
    test(name, async () => {
      try {
        await body();
        assert.deepEqual(pages.flatMap((page) => page.errors), []);
      } catch (error) {
        for (const [n, page] of pages.filter((one) => !one.isClosed()).entries()) {
          const file = `failed-${name.replaceAll(/[^a-z]+/gi, "-").slice(0, 60)}-${n}.png`;
          await page.screenshot({ path: path.join(OUT, file) }).catch(() => {});
        }
        throw error;
      } finally {
        for (const context of contexts.splice(0)) await context.close();
        pages.length = 0;
      }
    });

  async function post(at, body = {}) {
    const answer = await request("POST", `${server.url}/ops/queues/${at}`, { body });
    assert.ok(answer.status < 300, answer.text);
    return answer.json;
  }

  const queue = (name) => get(server, `/ops/queues/${name}`);
  const send = (name, body, more = {}) => post(`${name}/messages`, { body, ...more });

  /** Leaves nothing in a queue: what a test before this one left is not this one's concern. */
  async function drain(name) {
    for (;;) {
      const { messages } = await post(`${name}/receive`, { max: 10, delete: true });
      if (messages.length === 0) return;
    }
  }

  /** So many messages that were received once and are dead by the second look. */
  async function deadLetters(count) {
    for (const name of ["jobs", "jobs-dlq"]) await drain(name);
    for (let n = 0; n < count; n += 1) await send("jobs", JSON.stringify({ job: n }));
    await until("they are dead", async () => {
      await post("jobs/receive", { max: 10, visibilityTimeoutSeconds: 0 });
      return (await queue("jobs")).visible === 0;
    });
    assert.equal((await queue("jobs-dlq")).visible, count);
  }

  const dialog = (page) => byId(page, "queue-dialog");
  const tile = (page, n) => byId(page, "queue-numbers").locator("dd").nth(n).textContent();
  const tiles = async (page) => Promise.all([0, 1, 2].map((n) => tile(page, n)));

  pageTest("a queue opens from the list, its numbers follow what happens, and looking receives nothing", async () => {
    const page = await open("/ops");
    await byId(page, "ops-queues").getByRole("link", { name: "jobs", exact: true }).click();
    await dialog(page).waitFor();
    assert.match(page.url(), /#queue=jobs$/);
    await until("it is empty", async () => (await tiles(page)).join() === "0,0,0");
    assert.equal(await tile(page, 3), "–", "nothing is old");
    await send("jobs", '{"parcel":7}', { attributes: { kind: "express" } });
    await send("jobs", "later", { delaySeconds: 900 });
    await until("both are counted", async () => (await tiles(page)).join() === "1,0,1");
    await until("the flow is shown", async () => (await tile(page, 4)) === "2");
    const age = async () => Number((await tile(page, 3)).match(/^(\d+) sec$/)?.[1]);
    const first_s = await until("an age is shown", async () => (await age()) >= 1 && (await age()));
    await until("the oldest grows older", async () => (await age()) > first_s);
    const shown_s = await age();
    const { oldestAgeSeconds } = await queue("jobs");
    assert.ok(shown_s <= oldestAgeSeconds, "it is not older than the server says");
    const first = byId(page, "queue-messages").locator("li").first();
    await first.locator("summary").click();
    const text = await first.innerText();
    assert.match(text, /"parcel": 7/);
    assert.match(text, /kind \(String\)\s+express/);
    // What is open stays open over a refresh.
    await send("jobs", "another");
    await until("a refresh has come", async () => (await tile(page, 0)) === "2");
    assert.ok(await first.locator("details").evaluate((node) => node.open));
    assert.equal((await queue("jobs")).sinceStart.received, 0);
    await drain("jobs");
    await until("they are gone from the page", async () => (await tiles(page)).join() === "0,0,1");
    await page.keyboard.press("Escape");
    await dialog(page).waitFor({ state: "hidden" });
    assert.doesNotMatch(page.url(), /#queue/);
  });

  pageTest("a message is sent by hand, with the keyboard alone", async () => {
    const page = await open("/ops#queue=other");
    await byId(page, "send-form").waitFor({ state: "attached" });
    await page.locator("#queue-send > summary").focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await page.keyboard.type("{}");
    await page.keyboard.press("Tab");
    await page.keyboard.type("kind");
    await page.locator('[data-testid="send-submit"]').focus();
    await page.keyboard.press("Enter");
    await page.getByText("“kind” is not name=value.").waitFor();
    assert.equal((await queue("other")).total, 0, "what was typed wrong is not sent");
    await page.locator("#s-attributes").fill("kind=express\nweight:Number=2.5");
    await page.locator('[data-testid="send-submit"]').click();
    const message = await until("it is there", async () =>
      (await get(server, "/ops/queues/other/messages")).messages[0]);
    assert.equal(message.body, "{}");
    assert.deepEqual(message.attributes, { kind: "express", weight: "2.5" });
    assert.deepEqual(message.attributeTypes, { kind: "String", weight: "Number" });
    await byId(page, "queue-messages").locator("li").first().waitFor();
    await drain("other");
  });

  pageTest("a FIFO queue asks for its message group", async () => {
    const page = await open("/ops#queue=mileage.fifo");
    await page.locator("#queue-send > summary").click();
    await page.locator("#s-body").fill("points");
    assert.equal(await page.locator("#s-delay").isVisible(), false, "it has no delay for a message");
    page.networkMayFail = true;
    await page.locator('[data-testid="send-submit"]').click();
    await page.getByText("A FIFO queue needs a message group.").waitFor();
    await page.locator("#s-group").fill("a");
    await page.locator("#s-deduplication").fill("1");
    await page.locator('[data-testid="send-submit"]').click();
    await until("it is there", async () => (await queue("mileage.fifo")).total === 1);
  });

  pageTest("a long body is cut, and shown whole when it is asked for", async () => {
    const body = JSON.stringify({ text: `${"long ".repeat(2_000)}end of it` });
    await send("other", body);
    const page = await open("/ops#queue=other");
    const message = byId(page, "queue-messages").locator("li").first();
    await message.locator("summary").click();
    const label = `the beginning of ${body.length.toLocaleString("en")} bytes`;
    await message.getByText(label).waitFor();
    assert.doesNotMatch(await message.innerText(), /end of it/);
    await message.getByRole("button", { name: "Show all of it" }).click();
    await message.getByText("end of it").waitFor();
    // And it stays so when the page fetches again.
    const before = await tile(page, 4);
    await send("other", "another");
    await until("a refresh has come", async () => (await tile(page, 4)) !== before);
    assert.match(await message.innerText(), /end of it/);
    await drain("other");
  });

  pageTest("dead letters go back at a pace that is seen, and can be stopped", async () => {
    await deadLetters(24);
    const page = await open("/ops");
    await byId(page, "redrive-all").first().click();
    await dialog(page).waitFor();
    await until("the rate can be typed", () =>
      page.evaluate(() => document.activeElement.id === "m-rate"));
    await page.getByText("24 messages go back to where they came from (jobs)").waitFor();
    await page.locator("#m-rate").fill("501");
    page.networkMayFail = true;
    await byId(page, "move-start").click();
    await page.getByText("Please enter a whole number from 1 to 500.").waitFor();
    await page.locator("#m-rate").fill("4");
    await byId(page, "move-start").click();
    const bar = byId(page, "queue-move").locator("progress");
    await bar.waitFor();
    const at = () => bar.evaluate((node) => node.value);
    const early = await at();
    await until("the bar moves", async () => (await at()) > early);
    assert.equal(await bar.evaluate((node) => node.max), 24);
    await page.screenshot({ path: path.join(OUT, "queue-redrive.png") });
    await byId(page, "move-cancel").click();
    await bar.waitFor({ state: "hidden" });
    const { moves } = await queue("jobs-dlq");
    assert.equal(moves[0].status, "cancelled");
    assert.ok(moves[0].moved > 0 && moves[0].moved < 24, JSON.stringify(moves[0]));
    // The rest without a rate.
    await until("it may be started again", () => byId(page, "move-start").isEnabled());
    await byId(page, "move-start").click();
    await until("all are back", async () => (await queue("jobs")).visible === 24);
  });

  pageTest("a purge asks first, and says how many", async () => {
    for (let n = 0; n < 3; n += 1) await send("other", `${n}`);
    const page = await open("/ops#queue=other");
    await until("they are seen", async () => (await tile(page, 0)) === "3");
    await byId(page, "purge").click();
    await page.getByText("Delete all 3 messages in other?").waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "confirm-no");
    await page.keyboard.press("Escape");
    await byId(page, "confirm-dialog").waitFor({ state: "detached" });
    assert.equal((await queue("other")).total, 3, "nothing was deleted");
    assert.ok(await dialog(page).isVisible(), "the queue stays open");
    await byId(page, "purge").click();
    await byId(page, "confirm-yes").click();
    await until("it is empty", async () => (await queue("other")).total === 0);
    await page.getByText("No messages").waitFor();
    page.networkMayFail = true;
    await byId(page, "purge").click();
    await byId(page, "confirm-yes").click();
    await page.getByText("It was purged less than a minute ago.").waitFor();
  });

  pageTest("a queue that is not there is said to be so", async () => {
    const page = await open("/ops");
    page.networkMayFail = true;
    await page.evaluate(() => {
      location.hash = "#queue=nope";
    });
    await page.getByText("There is no such queue.").waitFor();
    await page.goBack();
    await dialog(page).waitFor({ state: "hidden" });
  });

  pageTest("fits, reads and can be used by everybody", async () => {
    fs.mkdirSync(OUT, { recursive: true });
    await deadLetters(2);
    for (const colorScheme of ["light", "dark"]) {
      for (const language of ["en", "ko"]) {
        for (const width of [1280, 390]) {
          const viewport = { width, height: width === 390 ? 844 : 900 };
          const page = await open(`/ops?lang=${language}#queue=jobs-dlq`, { colorScheme, viewport });
          await byId(page, "queue-messages").locator("li").first().waitFor();
          for (const part of await dialog(page).locator("details > summary").all()) await part.click();
          const what = `queue-${width}-${colorScheme}-${language}`;
          await assertFits(page, what);
          const inside = await dialog(page).evaluate((node) => [node.scrollWidth, node.clientWidth]);
          assert.ok(inside[0] <= inside[1], `${what}: ${inside}`);
          await page.screenshot({ path: path.join(OUT, `${what}.png`) });
          await assertAccessible(page, what);
          assert.doesNotMatch(await page.locator("body").innerText(), /undefined|NaN|\[object/, what);
          await page.close();
        }
      }
    }
  });
});
