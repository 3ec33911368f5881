// The reader of /openapi.json: operations by path, what they take, what they answer, and a
// command to try each. Knows the format of the document, nothing of this server's routes.

import { request } from "./api.js";
import { byId, h, setText, show } from "./dom.js";
import { count } from "./format.js";
import { has, lang, t } from "./i18n.js";
import { setTab, startPage } from "./page.js";
import { example, fields, limits, typeName } from "./schema.js";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];

const search = byId("search");
let description = null;
let failure = null;
let drawnIn = null;
/** `{id, method, path, operation, text, article, entry}` in the document's order. */
let operations = [];

const words = { array: (items) => t("docs.array", { items }) };

// ---------------------------------------------------------------- reading

function readOperations() {
  return Object.entries(description.paths ?? {}).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => {
      const operation = item[method];
      const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])];
      return {
        id: operation.operationId ?? `${method}-${path.replaceAll(/\W+/g, "-")}`,
        method,
        path,
        operation: { ...operation, parameters: parameters.map(deref) },
      };
    }),
  );
}

function deref(node) {
  if (!node?.$ref) return node;
  return node.$ref.replace(/^#\//, "").split("/").reduce((at, key) => at?.[key], description) ?? {};
}

function haystack({ method, path, operation }) {
  const bodies = [operation.requestBody, ...Object.values(operation.responses ?? {})]
    .map(deref)
    .flatMap((one) => Object.values(one?.content ?? {}))
    .flatMap((media) => fields(description, media.schema, words))
    .map((field) => `${field.path} ${field.description}`);
  const answers = Object.entries(operation.responses ?? {}).map(
    ([code, answer]) => `${code} ${deref(answer).description ?? ""}`,
  );
  const parameters = operation.parameters.map((one) => `${one.name} ${one.description ?? ""}`);
  return [method, path, operation.summary, operation.description, ...(operation.tags ?? []),
    ...parameters, ...answers, ...bodies].join("\n").toLowerCase();
}

// ---------------------------------------------------------------- drawing

/** The few marks that route comments use: paragraphs, lists, `code`, **strong**, links. */
function prose(text) {
  return String(text ?? "")
    .split(/\n{2,}/)
    .filter((block) => block.trim() !== "")
    .map((block) => {
      const lines = block.split("\n");
      if (lines.every((line) => /^\s*[-*] /.test(line))) {
        return h("ul", { class: "bullets", lang: "en" }, lines.map((line) => h("li", {}, inline(line.replace(/^\s*[-*] /, "")))));
      }
      return h("p", { lang: "en" }, inline(block.replaceAll("\n", " ")));
    });
}

function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\(https?:[^)\s]+\))/).map((part) => {
    if (part.startsWith("`") && part.length > 1) return h("code", {}, part.slice(1, -1));
    if (part.startsWith("**") && part.length > 4) return h("strong", {}, part.slice(2, -2));
    const link = /^\[([^\]]+)\]\((https?:[^)\s]+)\)$/.exec(part);
    return link ? h("a", { href: link[2], rel: "noreferrer" }, link[1]) : part;
  });
}

function fieldRow({ path, place, type, required, description: about, limits: bounds, fallback, deprecated }) {
  return h(
    "li",
    { class: "doc-field" },
    h(
      "div",
      { class: "doc-field-name" },
      h("code", {}, path),
      required ? h("span", { class: "chip" }, t("docs.required")) : null,
      deprecated ? h("span", { class: "chip" }, t("docs.deprecated")) : null,
    ),
    h(
      "div",
      {},
      h(
        "p",
        { class: "muted doc-type" },
        [place, type, ...bounds, fallback === undefined || fallback === null ? null : t("docs.default", { value: JSON.stringify(fallback) })]
          .filter(Boolean)
          .join(" · "),
      ),
      prose(about),
    ),
  );
}

function drawParameters(parameters) {
  if (parameters.length === 0) return null;
  const rows = parameters.map((one) =>
    fieldRow({
      path: one.name,
      place: has(`docs.in.${one.in}`) ? t(`docs.in.${one.in}`) : one.in,
      type: typeName(description, one.schema, words),
      required: one.required,
      description: one.description ?? one.schema?.description,
      limits: limits(description, one.schema),
      fallback: one.schema?.default,
      deprecated: one.deprecated,
    }));
  return part("docs.parameters", h("ul", { class: "doc-fields" }, rows));
}

const part = (key, ...nodes) => h("section", { class: "doc-part" }, h("h4", {}, t(key)), ...nodes);

function drawContent(content, open) {
  return Object.entries(content ?? {}).map(([type, media]) => {
    const rows = fields(description, media.schema, words).map(fieldRow);
    const shown = example(description, media);
    const kind = [type, media.schema ? typeName(description, media.schema, words) : ""].filter(Boolean);
    return h(
      "details",
      { class: "doc-content", open },
      h("summary", {}, h("span", { class: "muted" }, kind.join(" · "))),
      rows.length > 0 ? h("ul", { class: "doc-fields" }, rows) : null,
      shown === undefined ? null : code(t("docs.example"), text(shown)),
    );
  });
}

const text = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

function code(label, value) {
  const copy = async () => {
    await navigator.clipboard.writeText(value);
    setText(button, t("docs.copied"));
    setTimeout(() => setText(button, t("docs.copy")), 1500);
  };
  const button = h("button", { type: "button", class: "button quiet small", onclick: copy }, t("docs.copy"));
  // The clipboard exists on secure origins only.
  show(button, navigator.clipboard !== undefined);
  return h(
    "figure",
    { class: "doc-code" },
    h("figcaption", {}, h("span", { class: "muted" }, label), button),
    h("pre", { tabindex: "0" }, value),
  );
}

function drawAnswers(responses) {
  const answers = Object.entries(responses ?? {});
  if (answers.length === 0) return null;
  return part(
    "docs.answers",
    h("ul", { class: "doc-answers" }, answers.map(([status, reference]) => {
      const answer = deref(reference);
      const headers = Object.entries(answer.headers ?? {}).map(([path, header]) =>
        fieldRow({
          path,
          place: t("docs.in.header"),
          type: typeName(description, deref(header).schema, words),
          required: false,
          description: deref(header).description,
          limits: [],
        }));
      return h(
        "li",
        { class: "doc-answer" },
        h("span", { class: "doc-status", "data-class": status[0] }, status),
        h(
          "div",
          {},
          prose(answer.description),
          headers.length > 0 ? h("ul", { class: "doc-fields" }, headers) : null,
          drawContent(answer.content, false),
        ),
      );
    })),
  );
}

/** A command that does it, with the example as its body. */
function command({ method, path, operation }) {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) => {
    const parameter = operation.parameters.find((one) => one.name === name && one.in === "path");
    return parameter?.example ?? parameter?.schema?.example ?? name.toUpperCase();
  });
  const lines = [`curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}'${location.origin}${filled}'`];
  const streamed = Object.values(operation.responses ?? {}).some((one) => deref(one).content?.["text/event-stream"]);
  if (streamed) lines[0] = lines[0].replace("curl ", "curl -N ");
  if (operation.parameters.some((one) => one.name.toLowerCase() === "idempotency-key")) {
    lines.push("-H 'Idempotency-Key: order-1'");
  }
  const media = deref(operation.requestBody)?.content?.["application/json"];
  const body = media && example(description, media);
  if (body !== undefined) {
    lines.push("-H 'Content-Type: application/json'");
    lines.push(`-d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`);
  }
  return lines.join(" \\\n  ");
}

/** A route's comment is a sentence, its heading is not. */
const titleOf = ({ id, operation }) => (operation.summary ?? id).replace(/\.$/, "");

function drawOperation(one) {
  const { id, method, operation } = one;
  const body = deref(operation.requestBody);
  return h(
    "article",
    { class: "doc", id },
    h(
      "h3",
      {},
      h("span", { class: "method", "data-method": method }, method.toUpperCase()),
      h("a", { href: `#${id}`, class: "doc-summary", lang: "en" }, titleOf(one)),
      operation.deprecated ? h("span", { class: "chip" }, t("docs.deprecated")) : null,
    ),
    h("div", { class: "prose" }, prose(operation.description)),
    drawParameters(operation.parameters),
    body ? part("docs.body", h("div", { class: "prose" }, prose(body.description)), drawContent(body.content, true)) : null,
    drawAnswers(operation.responses),
    code(t("docs.command"), command(one)),
  );
}

/** Everything again: only at start and when the language changes. */
function build() {
  operations = readOperations();
  const groups = Map.groupBy
    ? Map.groupBy(operations, (one) => one.path)
    : operations.reduce((map, one) => map.set(one.path, [...(map.get(one.path) ?? []), one]), new Map());
  const index = [];
  const bodies = [];
  for (const [path, members] of groups) {
    const entries = members.map((one) => {
      one.text = haystack(one);
      one.article = drawOperation(one);
      one.entry = h(
        "li",
        {},
        h(
          "a",
          { href: `#${one.id}` },
          h("span", { class: "method", "data-method": one.method }, one.method.toUpperCase()),
          h("span", { lang: "en" }, titleOf(one)),
        ),
      );
      return one.entry;
    });
    index.push(h("div", { class: "index-group" }, h("p", {}, path), h("ul", {}, entries)));
    bodies.push(
      h("section", { class: "doc-group" }, h("h2", {}, h("code", {}, path)), members.map((one) => one.article)),
    );
  }
  byId("index").replaceChildren(...index);
  byId("operations").replaceChildren(...bodies);
  byId("about").replaceChildren(...prose(description.info?.description));
  setText(byId("version"), description.info?.version ?? "");
}

function filter() {
  const wanted = search.value.trim().toLowerCase().split(/\s+/);
  let found = 0;
  for (const one of operations) {
    const matches = wanted.every((word) => one.text.includes(word));
    show(one.article, matches);
    show(one.entry, matches);
    found += Number(matches);
  }
  for (const group of document.querySelectorAll(".doc-group, .index-group")) {
    show(group, group.querySelector("article:not([hidden]), li:not([hidden])") !== null);
  }
  setText(byId("found"), t("docs.found", { n: found, count: count(found, lang()) }));
}

function draw() {
  setTab(t("docs.title"));
  show(byId("failed"), failure !== null);
  if (failure) setText(byId("failed"), t("docs.failed", { detail: failure.message }));
  if (!description) return;
  if (drawnIn !== lang()) {
    drawnIn = lang();
    build();
  }
  filter();
}

search.addEventListener("input", filter);
search.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  search.value = "";
  search.blur();
  filter();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, select, textarea")) return;
  event.preventDefault();
  search.focus();
});

startPage(draw);
try {
  description = await request("GET", "/openapi.json");
} catch (problem) {
  failure = problem;
}
draw();
// The browser looked for the anchor before there was one.
if (location.hash) byId(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
