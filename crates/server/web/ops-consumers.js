// Consumers on the operations page: what each does now and did in the last hour, paused and
// resumed. What always holds: the server keeps the hour and this page asks only for what is new
// of it; what a chart shows is said in numbers beside it; lines differ by their dashes and
// failures by their shape, not by colour alone.

import { paths, problemText, request } from "./api.js";
import { highest, linePath, markPath, scale, stepPath, timeWindow } from "./chart.js";
import { h, byId, setAttr, setText } from "./dom.js";
import { age, count, moment } from "./format.js";
import { lang, t } from "./i18n.js";
import { notice } from "./page.js";
import { queueLink, Table } from "./ops-tables.js";

const HOUR_MS = 60 * 60_000;
const BOX = { width: 180, height: 30 };
const CHIPS = { running: "accepted", waiting: "pending", paused: "cancelled", stopped: "cancelled" };

/** By name, the oldest sample first. */
const series = new Map();
let next = 0;
let refresh = () => {};
let table;

// ---------------------------------------------------------------- fetching

/** Null while this process cannot say. */
export async function fetchConsumers() {
  try {
    const [{ consumers }, history] = await Promise.all([
      request("GET", "/ops/consumers"),
      request("GET", `/ops/consumers/history?after=${next}`),
    ]);
    keep(history);
    return consumers;
  } catch (problem) {
    if (problem.undecided) return null;
    throw problem;
  }
}

function keep(history) {
  next = history.next;
  for (const { name, samples } of history.consumers) {
    const newer = samples.map((sample) => ({ ...sample, time: Date.parse(sample.at) }));
    const kept = [...(series.get(name) ?? []), ...newer];
    series.set(name, kept.filter((sample) => sample.time > next - HOUR_MS));
  }
}

// ---------------------------------------------------------------- charts

const drawn = (name) =>
  h("svg", { class: "chart", viewBox: `0 0 ${BOX.width} ${BOX.height}`, preserveAspectRatio: "none", role: "img" },
    ...name.map((kind) => h("path", { class: `chart-${kind}`, d: "" })));

function buildCharts(cell) {
  cell.append(
    h("div", { class: "charts" },
      h("figure", {}, drawn(["backlog", "rate"]), h("figcaption", { class: "muted" })),
      h("figure", {}, drawn(["ceiling", "concurrency", "failures"]), h("figcaption", { class: "muted" }))),
  );
}

const rateText = (rate) => new Intl.NumberFormat(lang(), { maximumFractionDigits: 1 }).format(rate);

function drawCharts(cell, one) {
  const samples = series.get(one.name) ?? [];
  const [flow, work] = cell.firstChild.children;
  const of = (pick) => samples.map((sample) => ({ at: sample.time, value: pick(sample) }));
  const backlog = of((s) => (s.visible === undefined ? undefined : s.visible + s.inFlight));
  const rate = of((s) => s.ratePerSecond);
  const busy = of((s) => s.concurrency);
  const failures = of((s) => s.failed);
  const window = timeWindow(samples[0]?.time ?? next, samples.at(-1)?.time ?? next);
  const box = (top) => scale({ ...window, ...BOX, top });
  const [tops, failed] = [[highest(backlog), highest(rate), highest(busy)], sum(failures)];
  const since = age((window.to - window.from) / 1000, lang());

  // The two lines have scales of their own: what is compared is their course.
  setAttr(flow.querySelector(".chart-backlog"), "d", linePath(backlog, box(tops[0])));
  setAttr(flow.querySelector(".chart-rate"), "d", linePath(rate, box(tops[1])));
  const flowNumbers = { backlog: count(tops[0], lang()), rate: rateText(tops[1]) };
  setText(flow.lastChild, t("chart.flow", flowNumbers));
  setAttr(flow.firstChild, "aria-label", t("chart.flowLabel", {
    name: one.name, since, ...flowNumbers,
    now: count(backlog.findLast((s) => s.value !== undefined)?.value ?? 0, lang()),
    rateNow: rateText(rate.at(-1)?.value ?? 0),
  }));

  const up = box(Math.max(one.ceiling, tops[2]));
  const ends = [window.from, window.to].map((at) => ({ at, value: one.ceiling }));
  setAttr(work.querySelector(".chart-ceiling"), "d", linePath(ends, up));
  setAttr(work.querySelector(".chart-concurrency"), "d", stepPath(busy, up));
  setAttr(work.querySelector(".chart-failures"), "d", markPath(failures, up));
  const workNumbers = { most: count(tops[2], lang()), failed: count(failed, lang()), n: failed };
  setText(work.lastChild, t("chart.work", workNumbers));
  setAttr(work.firstChild, "aria-label", t("chart.workLabel", {
    name: one.name, since, ...workNumbers,
    now: count(one.concurrency, lang()), ceiling: count(one.ceiling, lang()),
  }));
}

const sum = (samples) => samples.reduce((all, { value }) => all + value, 0);

// ---------------------------------------------------------------- the table

const twoLines = (cell) =>
  cell.append(h("span", { class: "cell-main" }), h("span", { class: "cell-sub muted" }));

const depth = (one) => one.backlog && one.backlog.visible + one.backlog.inFlight;

function setNumber(cell, value, text) {
  setText(cell, text ?? (value === undefined ? "–" : count(value, lang())));
  setAttr(cell, "data-zero", !value);
}

async function press(one) {
  const does = one.state === "paused" ? "resume" : "pause";
  try {
    await request("POST", paths.consumer(one.name, does));
    notice(t(`consumer.${does}d`, { name: one.name }));
  } catch (problem) {
    notice(problemText(problem), "bad");
  }
  refresh();
}

const columns = [
  {
    label: "col.consumer",
    kind: "main",
    build: (cell) => cell.append(h("span", { class: "cell-main" }), h("a", { class: "cell-sub muted" })),
    draw(cell, one) {
      setText(cell.firstChild, one.name);
      setText(cell.lastChild, one.queue);
      setAttr(cell.lastChild, "href", queueLink(one.queue));
    },
  },
  {
    label: "col.state",
    kind: "state",
    build: (cell) => cell.append(h("span", { class: "chip" }), h("span", { class: "cell-sub muted" })),
    draw(cell, one) {
      setText(cell.firstChild, t(`consumer.state.${one.state}`));
      setAttr(cell.firstChild, "data-status", CHIPS[one.state]);
      setText(cell.lastChild, one.reason ?? "");
    },
  },
  { label: "col.backlog", kind: "number strong", draw: (cell, one) => setNumber(cell, depth(one)) },
  {
    label: "col.oldest",
    kind: "number",
    draw(cell, one) {
      const seconds = depth(one) ? one.backlog.oldestAgeSeconds : undefined;
      setNumber(cell, seconds, seconds === undefined ? "–" : age(seconds, lang()));
    },
  },
  { label: "col.rateMinute", kind: "number", draw: (cell, one) => setNumber(cell, one.ratePerMinute) },
  {
    label: "col.concurrency",
    kind: "number",
    build: twoLines,
    draw(cell, one) {
      setText(cell.firstChild, count(one.concurrency, lang()));
      setText(cell.lastChild, t("consumer.bounds", { floor: one.floor, ceiling: one.ceiling }));
    },
  },
  {
    label: "col.failures",
    kind: "wide",
    build: twoLines,
    draw(cell, one) {
      const last = one.lastFailure;
      setText(cell.firstChild, count(one.failed, lang()));
      setText(cell.lastChild, last ? `${moment(last.at, lang())} · ${last.reason}` : "");
      setAttr(cell, "data-none", one.failed === 0 && !last);
    },
  },
  { label: "col.hour", kind: "trend", build: buildCharts, draw: drawCharts },
  {
    label: "col.actions",
    kind: "actions",
    build(cell, item) {
      const onclick = () => press(item());
      cell.append(h("button", { type: "button", class: "button quiet small", onclick }));
    },
    draw(cell, one) {
      const does = one.state === "paused" ? "resume" : "pause";
      setText(cell.firstChild, t(`ops.${does}`));
      setAttr(cell.firstChild, "aria-label", t(`consumer.${does}`, { name: one.name }));
    },
  },
];

export function drawConsumers(consumers, matches) {
  table ??= new Table(byId("consumers"), columns, (one) => one.name);
  const shown = (consumers ?? []).filter((one) =>
    matches(one.name, one.queue, one.state, one.reason, one.lastFailure?.reason));
  const none = consumers?.length > 0 ? "ops.noneFiltered" : "consumer.none";
  table.draw(shown, t(consumers === null ? "alert.unknown" : none));
}

/** `again` fetches and draws the page anew. */
export function startConsumers(again) {
  refresh = again;
}
