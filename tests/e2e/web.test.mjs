// The parts of the web pages that need no browser: texts, numbers, the clock, the event
// stream, schemas. Needs no server either; `node --test web.test.mjs` runs it alone.

import assert from "node:assert/strict";
import fs from "node:fs";
import { describe, test } from "node:test";

import { Problem, problemText } from "../../crates/server/web/api.js";
import { highest, linePath, markPath, scale, stepPath, timeWindow } from "../../crates/server/web/chart.js";
import { ServerClock } from "../../crates/server/web/clock.js";
import * as format from "../../crates/server/web/format.js";
import { Gesture } from "../../crates/server/web/gesture.js";
import { chooseLanguage, DICTIONARIES, t, useLanguage } from "../../crates/server/web/i18n.js";
import { backoffMs, EventParser } from "../../crates/server/web/live.js";
import { bodyLabelText, pretty, readAttributes } from "../../crates/server/web/ops-message.js";
import { describeParcel, newerParcel, parcelMoves } from "../../crates/server/web/parcel.js";
import { example, fields, typeName } from "../../crates/server/web/schema.js";
import { buyMode, stockState } from "../../crates/server/web/stock.js";
import { describe as describeVerdict, describeRefusal } from "../../crates/server/web/verdict.js";

const WEB = new URL("../../crates/server/web/", import.meta.url);
const files = fs.readdirSync(WEB);
// What others wrote, as they published it, is read by no test here.
const ours = files.filter((name) => !name.endsWith(".min.js"));
const source = (name) => fs.readFileSync(new URL(name, WEB), "utf8");

describe("texts", () => {
  const { en, ko } = DICTIONARIES;
  const forms = (entry) => (typeof entry === "string" ? [entry] : Object.values(entry));
  const placeholders = (text) => [...new Set(text.match(/\{\w+\}/g))].sort();

  test("both languages have the same keys", () => {
    assert.deepEqual(Object.keys(ko).sort(), Object.keys(en).sort());
  });

  test("and the same placeholders in every form", () => {
    for (const key of Object.keys(en)) {
      const wanted = new Set(forms(en[key]).map((text) => placeholders(text).join()));
      assert.equal(wanted.size, 1, `${key}: its English forms differ`);
      for (const text of forms(ko[key])) assert.ok(wanted.has(placeholders(text).join()), key);
    }
  });

  test("no Korean text was forgotten in English", () => {
    const same = Object.keys(en).filter((key) => en[key] === ko[key] && /[a-z]{4}/.test(String(en[key])));
    assert.deepEqual(same.filter((key) => !["shop.title", "docs.title", "tab.none"].includes(key)), []);
  });

  test("every key that a page names exists", () => {
    for (const name of ours) {
      const text = source(name);
      const named = [
        ...text.matchAll(/data-i18n="([^"]+)"/g),
        ...text.matchAll(/data-i18n-attr="[\w-]+:(\w+\.[^";]+)/g),
        ...text.matchAll(/\bt\(\s*"([^"]+)"/g),
        ...text.matchAll(/label: "(col\.[^"]+)"/g),
      ].map((match) => match[1]);
      for (const key of named) assert.ok(key in en, `${name} names ${key}`);
    }
  });

  test("a number decides the form", () => {
    assert.equal(t("dead.count", { n: 1, count: "1" }, "en"), "1 message");
    assert.equal(t("dead.count", { n: 0, count: "0" }, "en"), "0 messages");
    assert.equal(t("dead.count", { n: 1, count: "1" }, "ko"), "메시지 1건");
  });

  test("the language: the address, then the choice, then the browser, then English", () => {
    const check = (asked, expected) => assert.equal(chooseLanguage(asked), expected);
    check({ query: "ko", chosen: ["en"], browser: ["en-US"] }, "ko");
    check({ query: "xx", chosen: [null, "ko"], browser: ["en-US"] }, "ko");
    check({ query: null, chosen: [null, null], browser: ["fr-FR", "ko-KR", "en"] }, "ko");
    check({ query: null, browser: ["fr-FR"] }, "en");
  });

  test("a problem is said by code and field, by code, or as the server said it", () => {
    const say = (body) => problemText(new Problem(422, body));
    useLanguage("ko");
    assert.equal(say({ code: "invalid_field", field: "customer" }), DICTIONARIES.ko["error.invalid_field.customer"]);
    assert.equal(say({ code: "purchase_limit", limit: 2, bought: 1 }), "1인당 2개까지 구매하실 수 있어요. 이미 1개를 주문하셨어요.");
    assert.equal(say({ code: "brand_new", detail: "as it is" }), "as it is");
    useLanguage("en");
  });
});

describe("files", () => {
  test("the security policy holds: nothing inline, nothing from elsewhere", () => {
    for (const name of files.filter((file) => file.endsWith(".html"))) {
      const html = source(name);
      assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)/, name);
      assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=/, name);
      for (const [, address] of html.matchAll(/\b(?:src|href)="([^"]+)"/g)) {
        assert.match(address, /^(\/(?!\/)|#|data:image)/, `${name}: ${address}`);
      }
    }
  });

  test("every asset that is named exists, and what a module imports is loaded ahead", () => {
    for (const name of files.filter((file) => file.endsWith(".html"))) {
      const named = [...source(name).matchAll(/\/assets\/([\w.-]+)/g)].map((match) => match[1]);
      // A page that says that there is none runs nothing.
      const entry = /<script type="module" src="\/assets\/([^"]+)"/.exec(source(name))?.[1];
      const needed = new Set();
      const visit = (file) => {
        if (needed.has(file)) return;
        needed.add(file);
        for (const [, next] of source(file).matchAll(/from "\.\/([^"]+)"/g)) visit(next);
      };
      if (entry) visit(entry);
      for (const file of named) assert.ok(files.includes(file), `${name} names ${file}`);
      const modules = named.filter((file) => file.endsWith(".js"));
      assert.deepEqual(modules.toSorted(), [...needed].toSorted(), name);
    }
  });
});

describe("format", () => {
  const table = (name, act, rows) =>
    test(name, () => {
      for (const [input, expected] of rows) assert.equal(act(...input), expected, String(input));
    });

  table("money is made of minor units", format.money, [
    [[19900, "KRW", "ko"], "₩19,900"],
    [[450, "EUR", "en"], "€4.50"],
    [[28900, "JPY", "en"], "¥28,900"],
    [[1234, "KWD", "en"], "KWD\u00a01.234"],
    [[5, "USD", "en"], "$0.05"],
    [[0, "EUR", "en"], "€0.00"],
    [[999_999_999_999_999, "USD", "en"], "$9,999,999,999,999.99"],
    [[450, "nonsense", "en"], "4.50 nonsense"],
    [[123_456, "HUF", "en"], "HUF\u00a01,234.56"],
    [[123_456, "IQD", "ko"], "IQD\u00a0123.456"],
    [[123_456, "CLF", "en"], "CLF\u00a012.3456"],
    [[123_456, "UGX", "en"], "UGX\u00a0123,456"],
  ]);
  table("and read back without rounding", format.parseMoney, [
    [["4.35", "EUR"], 435],
    [["4.3", "EUR"], 430],
    [["1,234.5", "EUR"], 123_450],
    [["19,900", "KRW"], 19_900],
    [["1.005", "KWD"], 1005],
    [["19900.5", "KRW"], null],
    [["4.355", "EUR"], null],
    [["-1", "EUR"], null],
    [["", "EUR"], null],
    [["1e3", "EUR"], null],
    [["99999999999999999", "EUR"], null],
    [["1,234", "EUR"], 123_400],
    [["1,234,567.89", "EUR"], 123_456_789],
    [["4,50", "EUR"], 450],
    [["4,5", "EUR"], 450],
    [["1234,56", "EUR"], 123_456],
    [["1,234", "KWD"], 1_234_000],
    [["0,123", "KWD"], 123],
    [["1,2,3", "EUR"], null],
    [["1,,234", "EUR"], null],
    [["12,34,567", "EUR"], null],
    [["1,23,456", "EUR"], null],
    [["1,2345", "EUR"], null],
    [["0,123", "EUR"], null],
    [["4,50.5", "EUR"], null],
    [["1.234,56", "EUR"], null],
    [["4,50", "KRW"], null],
    [["1234,567", "KRW"], null],
  ]);
  test("every currency has the decimal places that it has in an e-mail", () => {
    const rust = fs.readFileSync(new URL("../../mail/src/texts/money.rs", WEB), "utf8");
    const [body] = /match currency\.as_str\(\) \{[^}]*\}/.exec(rust);
    const inMails = new Map();
    for (const [, codes, digits] of body.matchAll(/((?:"[A-Z]{3}"[\s|]*)+)=> (\d)/g)) {
      for (const [, code] of codes.matchAll(/"([A-Z]{3})"/g)) inMails.set(code, Number(digits));
    }
    assert.ok(inMails.size > 20, "the table of the mails was read");
    for (const code of [...Intl.supportedValuesOf("currency"), ...inMails.keys()]) {
      assert.equal(format.exponent(code), inMails.get(code) ?? 2, code);
    }
  });
  table("a countdown shows 00:00 only when the moment has come", format.countdown, [
    [[133_000], "02:13"],
    [[1], "00:01"],
    [[0], "00:00"],
    [[-5], "00:00"],
    [[3_600_000], "1:00:00"],
    [[86_399_001], "24:00:00"],
  ]);
  table("an estimate is as exact as it deserves", format.roughly, [
    [[59, "en"], null],
    [[61, "en"], "2 minutes"],
    [[1260, "en"], "20 minutes"],
    [[2400, "en"], "40 minutes"],
    [[2400, "ko"], "40분"],
    [[7200, "en"], "2 hours"],
    [[400_000, "en"], "5 days"],
  ]);
});

describe("a gesture", () => {
  test("presses that follow an answer or each other closely are one", () => {
    const gesture = new Gesture();
    assert.ok(gesture.isNew(0));
    gesture.answered(5);
    assert.ok(!gesture.isNew(350));
    // A hand that goes on pressing has not decided anew.
    assert.ok(!gesture.isNew(900));
    assert.ok(gesture.isNew(1_601));
    gesture.answered(5_000);
    assert.ok(gesture.isNew(5_701));
  });
});

describe("the server's clock", () => {
  /** A device whose clock is wrong by hours, on a network that takes 30 ms each way. */
  function device(serverStart) {
    let local = 5_000;
    const clock = new ServerClock(() => local, () => 42);
    return {
      clock,
      real: () => serverStart + local,
      pass: (ms) => (local += ms),
      ask() {
        const sentAt = local;
        local += 30;
        const date = new Date(Math.floor((serverStart + local) / 1000) * 1000).toUTCString();
        local += 30;
        clock.observeDate(date, sentAt, local);
      },
    };
  }

  test("believes the device until something is known", () => {
    assert.equal(new ServerClock(() => 1000, () => 42).now(), 42);
  });

  test("the truth is always possible, and questions at the turn of the second sharpen it", () => {
    for (const start of [1_700_000_000_000, 1_700_000_000_333, 1_700_000_000_999]) {
      const one = device(start);
      one.ask();
      assert.ok(Math.abs(one.clock.now() - one.real()) <= 530);
      for (let n = 0; n < 6; n += 1) {
        one.pass(1000 - (one.clock.now() % 1000));
        one.ask();
      }
      assert.ok(one.clock.uncertainty <= 130, String(one.clock.uncertainty));
      assert.ok(Math.abs(one.clock.now() - one.real()) <= 65);
    }
  });

  test("an event bounds it from below", () => {
    const one = device(1_700_000_000_000);
    one.ask();
    one.clock.observeEvent(new Date(one.real() - 3).toISOString());
    assert.ok(one.clock.now() >= one.real() - 3);
  });

  test("after a sleep that stopped the local clock only the newest answer counts", () => {
    let local = 0;
    const clock = new ServerClock(() => local, () => 0);
    clock.observeDate(new Date(1_700_000_000_000).toUTCString(), 0, 10);
    local = 20;
    clock.observeDate(new Date(1_700_000_600_000).toUTCString(), 10, 20);
    assert.ok(clock.now() >= 1_700_000_600_000);
    clock.observeDate("not a date", 20, 20);
    assert.ok(clock.now() >= 1_700_000_600_000);
  });
});

describe("the event stream", () => {
  const TEXT = [
    ": listening\nretry: 1000\n\n",
    "id: 7\nevent: order.accepted\ndata: {\"a\":1}\n\n",
    "data: one\r\ndata: two\r\n\r\n",
    "event: reset\ndata\n\n",
    "id: 9\n\n",
  ].join("");
  const EVENTS = [
    { type: "order.accepted", data: '{"a":1}', id: "7" },
    { type: "message", data: "one\ntwo", id: "7" },
    { type: "reset", data: "", id: "7" },
  ];

  test("is the same however the network cuts it", () => {
    for (let size = 1; size <= TEXT.length; size += 1) {
      const parser = new EventParser();
      const events = [];
      for (let at = 0; at < TEXT.length; at += size) events.push(...parser.push(TEXT.slice(at, at + size)));
      assert.deepEqual(events, EVENTS, `pieces of ${size}`);
      assert.equal(parser.lastId, "9");
    }
  });

  test("waits grow to a bound and are spread", () => {
    assert.equal(backoffMs(1, () => 1), 500);
    assert.equal(backoffMs(3, () => 0), 1000);
    assert.equal(backoffMs(50, () => 1), 15_000);
  });
});

describe("what a product's numbers mean", () => {
  const NOW = 1_000_000;
  const product = (changes) => ({ available: 0, waiting: 0, whenSoldOut: "reject", ...changes });
  const opensAt = new Date(NOW + 1).toISOString();

  test("its state and its button", () => {
    for (const [changes, state, mode] of [
      [{ available: 3 }, "available", "buy"],
      [{ available: 3, opensAt }, "opens", "closed"],
      [{ available: 3, opensAt: new Date(NOW).toISOString() }, "available", "buy"],
      [{}, "sold_out", "anyway"],
      [{ replenishment: { status: "requested" } }, "restocking", "anyway"],
      [{ whenSoldOut: "wait" }, "sold_out", "join"],
      [{ whenSoldOut: "wait", available: 1 }, "available", "join"],
      [{ whenSoldOut: "wait", available: 2 }, "available", "buy"],
      [{ whenSoldOut: "wait", available: 2, waiting: 1 }, "available", "join"],
    ]) {
      assert.equal(stockState(product(changes), NOW), state, JSON.stringify(changes));
      assert.equal(buyMode(product(changes), 2, NOW), mode, JSON.stringify(changes));
    }
  });
});

describe("the parcel", () => {
  const order = (status, parcel) => ({
    status,
    parcel: parcel && { trackingId: "trk_1", status: parcel, changedAt: "2026-11-21T09:00:00Z" },
  });
  const steps = (of) => describeParcel(of)?.steps.map((step) => step.state).join(" ") ?? null;

  test("an accepted order has its steps, before and after its parcel is known", () => {
    for (const [status, expected] of [
      [undefined, "next next next next"],
      ["created", "now next next next"],
      ["packed", "done now next next"],
      ["in_transit", "done done now next"],
      ["delivered", "done done done done"],
      ["returned", "done done"],
    ]) {
      assert.equal(steps(order("accepted", status)), expected, status);
    }
  });

  test("other orders have none, but a cancelled one whose parcel was there", () => {
    for (const status of ["pending", "sold_out", "rejected", "expired", "unknown", "cancelled"]) {
      assert.equal(describeParcel(order(status)), null, status);
    }
    assert.equal(steps(order("cancelled", "returned")), "done done");
    assert.equal(describeParcel(undefined), null);
  });

  test("every text exists in both languages", () => {
    for (const language of ["en", "ko"]) {
      useLanguage(language);
      for (const status of [undefined, "created", "packed", "in_transit", "delivered", "returned"]) {
        const view = describeParcel(order("accepted", status));
        assert.doesNotMatch(JSON.stringify(view), /undefined|\{id|parcel\./);
      }
    }
    useLanguage("en");
  });

  test("an older answer turns nothing back", () => {
    const at = (status) => ({ status });
    assert.deepEqual(newerParcel(at("delivered"), at("packed")), at("delivered"));
    assert.deepEqual(newerParcel(at("packed"), at("returned")), at("returned"));
    assert.deepEqual(newerParcel(at("packed"), undefined), at("packed"));
    assert.deepEqual(newerParcel(at("packed"), null), at("packed"));
    assert.deepEqual(newerParcel(undefined, at("created")), at("created"));
  });

  test("it is listened to as long as something may come", () => {
    for (const [status, parcel, moves] of [
      ["accepted", undefined, true],
      ["accepted", "in_transit", true],
      ["accepted", "delivered", false],
      ["cancelled", undefined, false],
      ["cancelled", "in_transit", true],
      ["cancelled", "returned", false],
      ["sold_out", undefined, false],
    ]) {
      assert.equal(parcelMoves(order(status, parcel)), moves, `${status} ${parcel}`);
    }
  });
});

describe("the verdict", () => {
  const order = (changes) => ({
    id: "ord_1", sku: "A", name: "Donut", quantity: 2, unitPrice: 450, currency: "EUR", place: 17,
    status: "accepted", ...changes,
  });
  const say = (changes, more = {}) => describeVerdict({ kind: "order", order: order(changes), ...more });

  test("every status of an order has an answer in both languages", () => {
    for (const language of ["en", "ko"]) {
      useLanguage(language);
      for (const [status, shown] of [
        ["accepted", "accepted"],
        ["pending", "pending"],
        ["sold_out", "sold_out"],
        ["rejected", "rejected"],
        ["expired", "rejected"],
        ["cancelled", "cancelled"],
        ["unknown", "error"],
      ]) {
        const view = say({ status });
        assert.equal(view.status, shown);
        assert.doesNotMatch(`${view.title} ${view.text}`, /undefined|\{|verdict\./);
      }
    }
    useLanguage("en");
  });

  test("a waiting order says place, those ahead and how long", () => {
    const view = say({ status: "pending", ahead: 4, estimateSeconds: 2400 });
    assert.deepEqual([view.place, view.ahead, view.estimate], ["17", "4", "about 40 minutes"]);
    assert.equal(say({ status: "pending", ahead: 4 }).estimate, "not known yet");
  });

  test("who left the line had nothing for the next one", () => {
    const decidedAt = "2026-11-20T23:09:23.374Z";
    assert.match(say({ status: "cancelled", decidedAt }).text, /next in line, or back on sale/);
    assert.match(say({ status: "cancelled" }).text, /left the line; nothing was bought/);
  });

  test("a refusal of another order gives its reason", () => {
    const body = { code: "purchase_limit", limit: 1, bought: 1 };
    const refused = { kind: "error", problem: new Problem(409, body), marked: true };
    assert.equal(describeRefusal(refused), "Your other order was not taken. Only 1 per customer; you already have 1.");
    assert.match(describeRefusal({ kind: "order", order: order({ status: "sold_out" }) }), /Everything was gone/);
    assert.equal(describeRefusal(undefined), "");
  });

  test("too few left is not the same as none left", () => {
    assert.match(say({ status: "sold_out" }, { available: 1 }).text, /Only 1 was left/);
    assert.match(say({ status: "sold_out" }, { available: 0 }).text, /Everything was gone/);
    assert.match(say({ status: "sold_out" }).text, /Everything was gone/);
  });
});

describe("messages", () => {
  test("attributes are read line by line", () => {
    for (const [text, expected] of [
      ["", { attributes: {} }],
      ["a=b", { attributes: { a: "b" } }],
      [" a = b=c\r\n\nd=", { attributes: { a: " b=c", d: "" } }],
      ["n:Number=7", { attributes: { n: { type: "Number", value: "7" } } }],
      ["n : Number.int = 7", { attributes: { n: { type: "Number.int", value: " 7" } } }],
      ["a=1\nb", { wrong: "b" }],
      ["=b", { wrong: "=b" }],
      [":Number=1", { wrong: ":Number=1" }],
    ]) {
      assert.deepEqual(readAttributes(text), expected, text);
    }
  });

  test("JSON is laid out, what is cut is not, and says so", () => {
    useLanguage("en");
    assert.equal(pretty('{"a":1}'), '{\n  "a": 1\n}');
    assert.equal(pretty('{"a":'), '{"a":');
    assert.equal(bodyLabelText({ bodyBytes: 5 }), "Body");
    assert.equal(bodyLabelText({ bodyBytes: 5000, cut: true }), "Body · the beginning of 5,000 bytes");
  });
});

describe("schemas", () => {
  const api = {
    components: {
      schemas: {
        Node: {
          type: "object",
          required: ["name"],
          properties: {
            name: { type: "string", minLength: 1, maxLength: 64 },
            next: { oneOf: [{ type: "null" }, { $ref: "#/components/schemas/Node" }] },
            tags: { type: ["array", "null"], items: { type: "string" } },
          },
        },
      },
    },
  };
  const node = { $ref: "#/components/schemas/Node" };
  const words = { array: (items) => `list of ${items}` };

  test("one that contains itself ends", () => {
    assert.deepEqual(fields(api, node, words).map((one) => [one.path, one.type, one.required]), [
      ["name", "string", true],
      ["next", "Node", false],
      ["tags", "list of string", false],
    ]);
    assert.deepEqual(example(api, { schema: node }), { name: "text", next: null, tags: ["text"] });
  });

  test("a list is named by its items", () => {
    assert.equal(typeName(api, { type: "array", items: node }, words), "list of Node");
  });
});

describe("charts", () => {
  const box = scale({ from: 0, to: 100, top: 10, width: 200, height: 24 });
  const samples = (...values) => values.map((value, n) => ({ at: n * 50, value }));

  test("a line goes from the first sample to the last, the highest on top", () => {
    assert.equal(linePath(samples(0, 10, 5), box), "M0 22L100 2L200 12");
    assert.equal(highest(samples(0, 10, undefined, 5)), 10);
  });

  test("what is not known is a gap, and a lonely sample is still seen", () => {
    assert.equal(linePath(samples(5, undefined, 10), box), "M0 12h1M200 2h1");
    assert.equal(stepPath(samples(undefined, 5), box), "M100 12h1");
    assert.equal(linePath(samples(undefined), box), "");
    assert.equal(linePath([], box), "");
  });

  test("steps hold a value until the next one", () => {
    assert.equal(stepPath(samples(1, 4, 4), box), "M0 20H100V14H200V14");
  });

  test("each failure is a mark on the ground, and no failure is none", () => {
    assert.equal(markPath(samples(0, 3, 0), box, 5), "M95 22h10l-5 -9z");
    assert.equal(markPath(samples(0, undefined, 0), box), "");
  });

  test("values above the scale stay in the box, and an empty one divides by nothing", () => {
    assert.equal(linePath(samples(50), box), "M0 2h1");
    const empty = scale({ from: 7, to: 7, top: 0, width: 10, height: 10 });
    assert.equal(linePath([{ at: 7, value: 0 }], empty), "M0 8h1");
  });

  test("five minutes are shown at least, one hour at most", () => {
    const minutes = (n) => n * 60_000;
    assert.deepEqual(timeWindow(minutes(99), minutes(100)), { from: minutes(95), to: minutes(100) });
    assert.deepEqual(timeWindow(minutes(80), minutes(100)), { from: minutes(80), to: minutes(100) });
    assert.deepEqual(timeWindow(0, minutes(100)), { from: minutes(40), to: minutes(100) });
  });
});
