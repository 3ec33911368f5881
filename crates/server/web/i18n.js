// Which language, and the text in it. What always holds: both dictionaries have the same
// keys with the same placeholders (a test proves it), so no page checks for a missing text.
// Importing this touches neither page nor storage, so that it runs in tests as well.

import { en } from "./en.js";
import { enAuctions } from "./en-auctions.js";
import { enFollow } from "./en-follow.js";
import { ko } from "./ko.js";
import { koAuctions } from "./ko-auctions.js";
import { koFollow } from "./ko-follow.js";

export const DICTIONARIES = {
  en: { ...en, ...enAuctions, ...enFollow },
  ko: { ...ko, ...koAuctions, ...koFollow },
};
export const LANGUAGES = Object.keys(DICTIONARIES);
const STORAGE_KEY = "firstcome.lang";

let current = "en";
const listeners = new Set();

/** An address that names a language wins, then what was chosen before, then the browser's. */
export function chooseLanguage({ query, chosen = [], browser = [] }) {
  const wanted = [query, ...chosen, ...browser];
  for (const tag of wanted) {
    const primary = String(tag ?? "").toLowerCase().split("-")[0];
    if (LANGUAGES.includes(primary)) return primary;
  }
  return "en";
}

export function lang() {
  return current;
}

export function onLanguage(listener) {
  listeners.add(listener);
}

/** For tests and start; a person's choice goes through `switchLanguage`. */
export function useLanguage(next) {
  current = next;
}

/** The text of `key`. `{name}` is replaced; a text of two forms is chosen by `params.n`. */
export function t(key, params = {}, language = current) {
  const entry = DICTIONARIES[language][key];
  if (entry === undefined) return key;
  const text =
    typeof entry === "string"
      ? entry
      : (entry[new Intl.PluralRules(language).select(params.n ?? 0)] ?? entry.other);
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(params[name] ?? whole));
}

export function has(key) {
  return Object.hasOwn(DICTIONARIES.en, key);
}

/** Fills every `data-i18n` (text) and `data-i18n-attr="attribute:key;..."` below `root`. */
export function translate(root) {
  for (const node of root.querySelectorAll("[data-i18n]")) node.textContent = t(node.dataset.i18n);
  for (const node of root.querySelectorAll("[data-i18n-attr]")) {
    for (const pair of node.dataset.i18nAttr.split(";")) {
      const [attribute, key] = pair.split(":");
      node.setAttribute(attribute, t(key));
    }
  }
}

/**
 * Reads the choice at start. `?lang=` lasts for the tab, so that following a link keeps it
 * while somebody else's link does not change the language of every later visit.
 */
export function startLanguage() {
  const query = new URLSearchParams(location.search).get("lang");
  const named = chooseLanguage({ query }) === String(query).toLowerCase().split("-")[0];
  if (named) store(() => sessionStorage.setItem(STORAGE_KEY, query));
  useLanguage(
    chooseLanguage({
      query,
      chosen: [
        store(() => sessionStorage.getItem(STORAGE_KEY)),
        store(() => localStorage.getItem(STORAGE_KEY)),
      ],
      browser: navigator.languages,
    }),
  );
}

export function switchLanguage(next) {
  useLanguage(next);
  store(() => localStorage.setItem(STORAGE_KEY, next));
  store(() => sessionStorage.removeItem(STORAGE_KEY));
  const url = new URL(location.href);
  if (url.searchParams.has("lang")) {
    url.searchParams.delete("lang");
    history.replaceState(history.state, "", url);
  }
  for (const listener of listeners) listener();
}

// Storage throws where a browser forbids it; the choice then lasts for the page.
function store(use) {
  try {
    return use();
  } catch {
    return null;
  }
}
