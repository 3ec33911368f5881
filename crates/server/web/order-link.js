// The order that an e-mail links to, `#order=<id>`: behind the hash, so that it stands in no
// server's log. Whoever has the link has the order, as in the browser that placed it. What always
// holds: an answer takes the id out of the address, an outage leaves it for the next try, and an
// order that is not there changes nothing. Knows no panel; a page says what to do with the order.

import { decoded, paths } from "./api.js";
import { t } from "./i18n.js";
import { fetchOrder } from "./orders.js";
import { notice } from "./page.js";

let asking = false;

/** Asks for the order in the address, if one is named there, and hands it to `found`. */
export async function takeLinkedOrder(sku, found) {
  const [, written] = /^#order=(.+)$/.exec(location.hash) ?? [];
  if (written === undefined || asking) return;
  asking = true;
  try {
    const order = await fetchOrder(paths.order(decoded(written) ?? written));
    leaveAddress();
    if (order.sku === sku) found(order);
    else notice(t("error.order_not_found"), "bad");
  } catch (problem) {
    if (problem.undecided) return;
    leaveAddress();
    notice(t("error.order_not_found"), "bad");
  } finally {
    asking = false;
  }
}

function leaveAddress() {
  history.replaceState(history.state, "", location.pathname + location.search);
}
