// What every page does the same way: language and its switch, the connection's state, the
// confirmation dialog, the short notice, title and icon of the tab. Knows no resource.

import { clock } from "./clock.js";
import { byId, h, hook, setAttr, setText } from "./dom.js";
import { lang, onLanguage, startLanguage, switchLanguage, t, translate } from "./i18n.js";

// A reconnection that takes no longer than this is nobody's concern.
const RECONNECTING_AFTER_MS = 900;
const NOTICE_MS = 6_000;

/** Starts a page; `render` draws everything that depends on the language. */
export function startPage(render) {
  startLanguage();
  const apply = () => {
    document.documentElement.lang = lang();
    translate(document);
    drawSwitch();
    drawConnection();
    render();
  };
  hook("lang-switch").addEventListener("click", () => switchLanguage(lang() === "en" ? "ko" : "en"));
  onLanguage(apply);
  apply();
  document.documentElement.removeAttribute("data-loading");
}

function drawSwitch() {
  const button = hook("lang-switch");
  const other = lang() === "en" ? "ko" : "en";
  button.lang = other;
  setText(button, t("language.own", {}, other));
}

let connection = "connecting";
let connectionTimer;

/** Shows the state of what the page lives on: `connecting`, `live`, `reconnecting`, `stopped`. */
export function setConnection(state) {
  clearTimeout(connectionTimer);
  const change = () => {
    connection = state;
    drawConnection();
  };
  if (state === "reconnecting" && connection === "live") {
    connectionTimer = setTimeout(change, RECONNECTING_AFTER_MS);
  } else {
    change();
  }
}

function drawConnection() {
  const node = hook("connection");
  if (!node) return;
  setAttr(node, "data-state", connection);
  setText(node.querySelector(".connection-text"), t(`connection.${connection}`));
}

/**
 * Calls `draw` at once and every second of the server's clock while it returns true. A
 * countdown turns when a whole number of seconds is left, so `phase` is its target.
 */
export function eachSecond(draw, phase = () => 0) {
  const tick = () => {
    if (draw()) setTimeout(tick, modulo(phase() - clock.now(), 1000) + 2);
  };
  tick();
}

const modulo = (a, n) => ((a % n) + n) % n;

/** At most one call of `draw` per frame, however many events ask for it. */
export function perFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    // A hidden tab draws no frames, but its title and its verdict must change all the same.
    const next = document.visibilityState === "visible" ? requestAnimationFrame : setTimeout;
    next(() => {
      asked = false;
      draw();
    });
  };
}

/** Asks before something that cannot be undone. Resolves to whether it was confirmed. */
export function confirm({ title, text, yes, no, danger = false }) {
  return new Promise((resolve) => {
    const close = (value) => () => dialog.close(value);
    const dialog = h(
      "dialog",
      { class: "dialog", "data-testid": "confirm-dialog", "aria-labelledby": "confirm-title" },
      h("h2", { id: "confirm-title" }, title),
      h("p", {}, text),
      h(
        "div",
        { class: "dialog-actions" },
        h("button", { type: "button", class: "button quiet", onclick: close("no"), autofocus: true, "data-testid": "confirm-no" }, no),
        h("button", { type: "button", class: danger ? "button bad" : "button", onclick: close("yes"), "data-testid": "confirm-yes" }, yes),
      ),
    );
    const origin = document.activeElement;
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close("no"));
    dialog.addEventListener("close", () => {
      dialog.remove();
      origin?.focus?.();
      // What asked may be gone meanwhile.
      if (!origin?.isConnected) byId("main").focus({ preventScroll: true });
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

let noticeTimer;

/** A short message at the foot of the page, read out politely. */
export function notice(text, kind = "good") {
  const node = byId("notice");
  setText(node, text);
  setAttr(node, "data-kind", kind);
  node.classList.add("shown");
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => node.classList.remove("shown"), NOTICE_MS);
}

const ICONS = {
  idle: ["%230b7a55", "M10 8h9v4h-5v3h4v4h-4v6h-4z"],
  accepted: ["%230b7a55", "M7 17l3-3 4 4 8-9 3 3-11 12z"],
  pending: ["%23a86a00", "M14 7h4v8l5 5-3 3-6-6z"],
  sold_out: ["%235a5f5c", "M7 14h18v4H7z"],
  cancelled: ["%235a5f5c", "M7 14h18v4H7z"],
  rejected: ["%235a5f5c", "M7 14h18v4H7z"],
  error: ["%23b3261e", "M14 6h4v12h-4zM14 21h4v4h-4z"],
};

/** Title and icon of the tab, so that a verdict is seen from another one. */
export function setTab(title, icon = "idle") {
  if (document.title !== title) document.title = title;
  const [colour, shape] = ICONS[icon] ?? ICONS.idle;
  const href =
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>" +
    `<rect width='32' height='32' rx='8' fill='${colour}'/><path d='${shape}' fill='white'/></svg>`;
  setAttr(byId("tab-icon"), "href", href);
}
