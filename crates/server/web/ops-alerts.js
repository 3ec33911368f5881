// Alerts on the operations page: what is open, and what was over lately. What always holds:
// whether something is open is said in words and in the tab's title, not by colour alone, and
// "none" is never claimed while the server cannot say.

import { request } from "./api.js";
import { byId, setAttr, setText } from "./dom.js";
import { count, moment } from "./format.js";
import { has, lang, t } from "./i18n.js";
import { setOptional, Table } from "./ops-tables.js";

const RECENT_SHOWN = 10;

const cause = (alert) => {
  const key = `alert.rule.${alert.rule}`;
  return has(key) ? t(key) : alert.rule;
};

const columns = [
  { label: "col.alert", kind: "main", draw: (cell, alert) => setText(cell, cause(alert)) },
  { label: "col.subject", kind: "wide", draw: (cell, alert) => setText(cell, alert.subject) },
  { label: "col.count", kind: "number", draw: (cell, alert) => setText(cell, count(alert.count, lang())) },
  { label: "col.since", draw: (cell, alert) => setText(cell, moment(alert.openedAt, lang())) },
  {
    label: "col.resolved",
    draw: (cell, alert) => setOptional(cell, alert.resolvedAt && moment(alert.resolvedAt, lang())),
  },
];

let table;

/** Null while the server cannot say. */
export async function fetchAlerts() {
  try {
    return await request("GET", "/ops/alerts");
  } catch {
    return null;
  }
}

/** How many are open, for the tab. */
export const openAlerts = (alerts) => alerts?.open.length ?? 0;

export function drawAlerts(alerts, matches) {
  table ??= new Table(byId("alerts"), columns, (alert) => alert.id);
  const open = openAlerts(alerts);
  const status = byId("alerts-status");
  const params = { n: open, count: count(open, lang()) };
  setText(status, alerts === null ? t("alert.unknown") : t(open > 0 ? "alert.open" : "alert.none", params));
  setAttr(status, "data-bad", open > 0);
  const rows = alerts === null ? [] : [...alerts.open, ...alerts.recent.slice(0, RECENT_SHOWN)];
  const shown = rows.filter((alert) => matches(alert.subject, alert.rule, cause(alert)));
  table.draw(shown, rows.length > 0 ? t("ops.noneFiltered") : "");
}
