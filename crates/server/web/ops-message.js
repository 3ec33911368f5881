// What a message's body looks like, wherever one is shown, and how attributes are typed.

import { count } from "./format.js";
import { lang, t } from "./i18n.js";

/** JSON laid out, anything else as it is; so is JSON that was cut. */
export function pretty(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

/** The heading of a body: a long one is cut and says so. */
export function bodyLabelText(message) {
  const all = count(message.bodyBytes, lang());
  return message.cut ? `${t("dead.body")} · ${t("message.cut", { all })}` : t("dead.body");
}

/** `NAME=VALUE` or `NAME:TYPE=VALUE` on each line: `{attributes}`, or `{wrong}`, the first other line. */
export function readAttributes(text) {
  const attributes = {};
  for (const line of text.split(/\r?\n/).filter((one) => one.trim() !== "")) {
    const match = /^\s*([^=:]+?)\s*(?::\s*([^=]+?)\s*)?=(.*)$/.exec(line);
    if (!match) return { wrong: line.trim() };
    const [, name, type, value] = match;
    attributes[name] = type === undefined ? value : { type, value };
  }
  return { attributes };
}
