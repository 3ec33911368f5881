// What follows orders, on the operations page: one order's story that grows while it is open, and
// the consumers with their charts, paused and resumed; with the keyboard alone, on a desk and on a
// telephone, in two languages, light and dark.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import { assertAccessible, assertFits, byId, connected, launch, openContext, openPage } from "./lib/browser.mjs";
import { createProduct, get, request } from "./lib/http.mjs";
import { OUT, Server } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

const ADA = "ada@example.com";
const WORDS = {
  en: { consumers: "Consumers", accepted: "Order accepted", given: "Points given", returned: "Returned", pause: "Pause" },
  ko: { consumers: "컨슈머", accepted: "구매 확정", given: "포인트 적립", returned: "반송", pause: "일시 정지" },
};

describe("what follows orders, on the operations page", () => {
  let server;
  let browser;
  let order;
  const contexts = [];
  before(async () => {
    const env = { FIRSTCOME_MAIL__VERDICTS: "true", FIRSTCOME_VIP__UNITS: "2" };
    server = await Server.start({ env });
    browser = await launch();
    await createProduct(server, "F-1", { stock: 50 });
    order = await place();
    await until("the order's parcel, points and e-mail are there", async () => (await story(order)).items.length >= 6);
  });
  after(async () => {
    for (const context of contexts) await context.close();
    await browser?.close();
    await server?.stop();
  });

  async function place() {
    const body = { sku: "F-1", quantity: 2, customer: ADA };
    const answer = await request("POST", `${server.url}/orders`, { body });
    assert.equal(answer.json.status, "accepted", answer.text);
    return answer.json;
  }

  const story = ({ id }) => get(server, `/ops/orders/${id}/timeline`);

  async function open(address, options) {
    const context = await openContext(browser, options);
    contexts.push(context);
    const page = await openPage(context, server.url + address);
    await connected(page);
    return page;
  }

  const shot = (page, name) => page.screenshot({ path: path.join(OUT, `follow-${name}.png`) });

  test("an order's story is found with the keyboard and grows while it is open", async () => {
    const page = await open("/ops?lang=en");
    const field = page.getByRole("textbox", { name: "Order", exact: true });
    await field.focus();
    const { order: seen } = await story(order);
    await field.fill(String(seen.seq));
    await page.keyboard.press("Enter");
    const dialog = byId(page, "order-dialog");
    const items = byId(page, "order-items").locator("li");
    await items.first().waitFor();
    assert.equal(await items.count(), (await story(order)).items.length);
    assert.match(await items.first().textContent(), /Sale.*Order accepted/);
    assert.doesNotMatch(await dialog.textContent(), new RegExp(ADA));

    const before = await items.count();
    const cancelled = await request("DELETE", `${server.url}/orders/${order.id}`);
    assert.equal(cancelled.status, 200);
    await dialog.getByText("Points taken back").waitFor();
    await dialog.getByText("Returned", { exact: true }).waitFor();
    assert.ok((await items.count()) > before);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    assert.equal(new URL(page.url()).hash, "");
    assert.deepEqual(page.errors, []);
  });

  test("an order that is not there is said to be none", async () => {
    const page = await open("/ops?lang=en#order=ord_x");
    const problem = byId(page, "order-dialog").getByRole("alert");
    await problem.waitFor();
    assert.notEqual((await problem.textContent()).trim(), "");
    const mine = page.errors.filter((error) => !/status of 404/.test(error));
    assert.deepEqual(mine, []);
  });

  test("a consumer is paused and resumed, and its charts say their numbers", async () => {
    const page = await open("/ops?lang=en");
    const row = byId(page, "ops-consumers").locator("tbody tr").filter({ hasText: "mileage" }).first();
    await row.getByRole("button", { name: "Pause mileage" }).press("Enter");
    await row.getByText("Paused", { exact: true }).waitFor();
    const waiting = await place();
    await row.getByRole("button", { name: "Resume mileage" }).press("Enter");
    await row.getByText("Running", { exact: true }).waitFor();
    await until("its points were given", async () =>
      (await story(waiting)).items.some((item) => item.what === "mileage.given"));
    const chart = row.getByRole("img").first();
    const drawn = async () => {
      const label = await chart.getAttribute("aria-label");
      const line = await chart.locator(".chart-rate").getAttribute("d");
      return /^mileage, last .*handled a second now/.test(label) && line.includes("L");
    };
    await until("the chart has a line", drawn, 20_000);
    const { consumers } = await get(server, "/ops/consumers");
    assert.equal(await byId(page, "ops-consumers").locator("tbody tr").count(), consumers.length);
    assert.deepEqual(page.errors, []);
  });

  for (const lang of ["en", "ko"]) {
    for (const colorScheme of ["light", "dark"]) {
      for (const [device, viewport] of [["desk", { width: 1280, height: 900 }], ["phone", { width: 390, height: 844 }]]) {
        test(`everything fits and is accessible: ${lang}, ${colorScheme}, ${device}`, async () => {
          const name = `${lang}-${colorScheme}-${device}`;
          fs.mkdirSync(OUT, { recursive: true });
          const page = await open(`/ops?lang=${lang}`, { viewport, colorScheme });
          const words = WORDS[lang];
          const heading = page.getByRole("heading", { name: words.consumers, exact: true });
          await heading.scrollIntoViewIfNeeded();
          await byId(page, "ops-consumers").locator("tbody tr").first().waitFor();
          await assertFits(page, "consumers");
          await assertAccessible(page, "consumers");
          await heading.evaluate((node) => node.scrollIntoView({ block: "start" }));
          await shot(page, `consumers-${name}`);
          await page.evaluate((id) => (location.hash = `order=${id}`), order.id);
          const list = byId(page, "order-items");
          for (const text of [words.accepted, words.given]) await list.getByText(text, { exact: true }).first().waitFor();
          await assertFits(page, "the story");
          await assertAccessible(page, "the story");
          await shot(page, `story-${name}`);
          assert.deepEqual(page.errors, []);
        });
      }
    }
  }
});
