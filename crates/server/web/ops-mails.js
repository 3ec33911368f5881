// E-mails on the operations page: what was written to whom, what became of it, and one of them
// in a dialog that its address opens (`#mail=ads-7-pause`). What always holds: an e-mail's HTML
// is shown in a frame that runs nothing and asks nobody.

import { paths, problemText, request } from "./api.js";
import { byId, h, keyed, setAttr, setText, show } from "./dom.js";
import { count, exactMoment, moment } from "./format.js";
import { has, lang, t } from "./i18n.js";
import { wireDialog } from "./ops-forms.js";
import { setOptional } from "./ops-tables.js";

const PAGE_SIZE = 20;
const CHIPS = { pending: "pending", sent: "accepted", failed: "rejected", withdrawn: "cancelled" };

const dialog = byId("mail-dialog");

/** The e-mail as it was last seen, null until then and when there is none of this id. */
let mail = null;
let id = "";
let pagesWanted = 1;
let refresh = () => {};

const named = (prefix, name) => (has(`${prefix}.${name}`) ? t(`${prefix}.${name}`) : name);
const statusText = (one) => named("mail.status", one.status);
const kindText = (one) => named("mail.kind", one.kind);

// ---------------------------------------------------------------- the table

export const mailColumns = [
  {
    label: "col.mail",
    kind: "main",
    build: (cell) => cell.append(h("a", { class: "cell-main" }), h("span", { class: "cell-sub muted" })),
    draw(cell, one) {
      setText(cell.firstChild, one.subject);
      setAttr(cell.firstChild, "lang", one.language);
      setAttr(cell.firstChild, "href", `#mail=${encodeURIComponent(one.id)}`);
      setText(cell.lastChild, kindText(one));
    },
  },
  { label: "col.to", draw: (cell, one) => setText(cell, one.to) },
  {
    label: "col.status",
    build: (cell) => cell.append(h("span", { class: "chip" })),
    draw(cell, one) {
      setText(cell.firstChild, statusText(one));
      setAttr(cell.firstChild, "data-status", CHIPS[one.status]);
    },
  },
  { label: "col.written", draw: (cell, one) => setText(cell, moment(one.createdAt, lang())) },
  { label: "col.reason", kind: "wide", draw: (cell, one) => setOptional(cell, one.lastError) },
];

export async function fetchMails() {
  const mails = [];
  let next;
  let transport;
  for (let page = 0; page < pagesWanted; page += 1) {
    const query = new URLSearchParams({ limit: PAGE_SIZE, ...(next ? { before: next } : {}) });
    const answer = await request("GET", `/ops/mails?${query}`);
    mails.push(...answer.mails);
    ({ next, transport } = answer);
    if (!next) break;
  }
  await fetchShown();
  show(byId("mails-more"), Boolean(next));
  return { mails, transport };
}

/** What the dialog shows, fetched; nothing while it is closed. */
async function fetchShown() {
  if (!dialog.open) return;
  const of = id;
  try {
    const seen = await request("GET", paths.mail(of));
    if (of !== id) return;
    mail = seen;
    show(byId("mail-problem"), false);
  } catch (problem) {
    if (problem.undecided || of !== id) throw problem;
    mail = null;
    setText(byId("mail-problem"), problemText(problem));
    show(byId("mail-problem"), true);
  }
}

// ---------------------------------------------------------------- the dialog

/** The e-mail that the address names. */
function asked() {
  const match = /^#mail=(.+)$/.exec(location.hash);
  try {
    return match ? decodeURIComponent(match[1]) : "";
  } catch {
    return "";
  }
}

function open() {
  const wanted = asked();
  if (wanted === "" || (dialog.open && wanted === id)) return;
  [id, mail] = [wanted, null];
  drawMail();
  if (!dialog.open) dialog.showModal();
  refresh();
}

export function drawMail() {
  setText(byId("mail-title"), mail?.subject ?? id);
  show(byId("mail-content"), mail !== null);
  show(byId("mail-chip"), mail !== null);
  if (mail === null) return;
  setText(byId("mail-chip"), statusText(mail));
  setAttr(byId("mail-chip"), "data-status", CHIPS[mail.status]);
  const facts = [
    ["col.to", mail.to],
    ["mail.why", kindText(mail)],
    ["col.written", exactMoment(mail.createdAt, lang())],
    ["mail.sent", mail.sentAt && exactMoment(mail.sentAt, lang())],
    ["mail.attempts", count(mail.attempts, lang())],
    ["mail.error", mail.lastError],
    ["message.id", mail.id],
  ].filter(([, value]) => value);
  keyed(
    byId("mail-facts"),
    facts,
    ([key]) => key,
    () => h("div", {}, h("dt", { class: "muted" }), h("dd")),
    (node, [key, value]) => {
      setText(node.children[0], t(key));
      setText(node.children[1], value);
    },
  );
  const frame = byId("mail-frame");
  setAttr(frame, "src", `${paths.mail(mail.id)}/html`);
  setAttr(frame, "title", mail.subject);
  setText(byId("mail-text"), mail.text);
  setAttr(byId("mail-text"), "lang", mail.language);
}

/** `again` fetches and draws the page anew. */
export function startMails(again) {
  refresh = again;
  wireDialog(dialog);
  dialog.addEventListener("close", () => {
    byId("mail-frame").removeAttribute("src");
    history.replaceState(history.state, "", location.pathname + location.search);
  });
  byId("mails-more").addEventListener("click", () => {
    pagesWanted += 1;
    again();
  });
  addEventListener("hashchange", () => (asked() === "" ? dialog.close() : open()));
  open();
}
