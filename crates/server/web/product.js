// One product: live stock, the form, the answer. What always holds: pressing Buy makes one
// attempt, however long the gesture is (gesture.js); an attempt keeps its key until its answer
// is known (orders.js), and the button cannot start a second one meanwhile; an order that one has
// is not hidden behind the refusal of another.

import { decoded, paths, problemText, request } from "./api.js";
import { art } from "./art.js";
import { clock } from "./clock.js";
import { byId, hook, setAttr, setText, show } from "./dom.js";
import { count, money } from "./format.js";
import { Gesture, ignoreHeldEnter } from "./gesture.js";
import { lang, t } from "./i18n.js";
import { follow, pause } from "./live.js";
import { takeLinkedOrder } from "./order-link.js";
import { OrderList } from "./order-list.js";
import {
  attemptsFor,
  email,
  forgetAttempt,
  isCancellable,
  isFinal,
  isFresh,
  isRepeatable,
  newAttempt,
  placeOrder,
  stopAttempt,
} from "./orders.js";
import { eachSecond, perFrame, setConnection, setTab, startPage } from "./page.js";
import { drawParcel, parcelMoves } from "./parcel.js";
import { sharpener } from "./sharpen.js";
import { buyMode, limitText, lineText, opensText, stockState, stockText } from "./stock.js";
import { drawVerdict } from "./verdict.js";

const QUANTITY_MAX = 1_000_000;
const EMAIL_BYTES_MAX = 254;
const SLOW_AFTER_MS = 3_000;
// An answer younger than this is shown big again after a reload; an order that holds something is
// always.
const VERDICT_SHOWN_MS = 3_600_000;
// Whoever has an order here decides on a second one, and the button says so.
const BUY_MORE = { buy: "more", join: "joinMore" };
// Our clock may open the button a moment early; up to here the page waits and sends again.
const EARLY_MAX_MS = 3_000;
const EARLY_REPEATS_MAX = 3;

const written = location.pathname.split("/")[2] ?? "";
// Broken escapes name no product; asked for as they stand, the answer says so.
const sku = decoded(written) ?? written;
const form = byId("buy");
const emailInput = hook("buy-email");
const quantityInput = hook("buy-quantity");

let product = null;
let missing = false;
let shown = { kind: "none" };
let sending = null;
/** Field name to text; drawn again in another language by asking the function again. */
const fieldErrors = new Map();
const gesture = new Gesture();
const streams = new Map();

const orders = new OrderList({
  section: byId("orders"),
  list: byId("order-list"),
  sku,
  onChange(order) {
    if (shown.kind === "order" && shown.order.id === order.id) {
      // Once this order has news, the refusal of another is old.
      const refused = order.status === shown.order.status ? shown.refused : undefined;
      shown = { ...shown, order, refused };
    }
    redraw();
  },
});

// ---------------------------------------------------------------- drawing

function draw() {
  show(byId("missing"), missing);
  show(byId("product"), !missing);
  drawProduct();
  drawForm();
  const status = drawVerdict(shown, act);
  drawParcel(shown.order);
  unwatchSettled();
  const name = product?.name ?? sku;
  const ahead = count(shown.order?.ahead ?? 0, lang());
  setTab(t(`tab.${status}`, { name, ahead }), status);
  orders.draw();
}

const redraw = perFrame(draw);

function drawProduct() {
  if (!product) return;
  const now = clock.now();
  const state = stockState(product, now);
  setText(byId("name"), product.name);
  setText(byId("price"), money(product.price, product.currency, lang()));
  const number = hook("available");
  const counted = state === "available" || (state === "opens" && product.available > 0);
  setText(number, count(product.available, lang()));
  // Where there is nothing to count the words say it; the number stays for those who listen.
  number.classList.toggle("visually-hidden", !counted);
  setText(byId("stock-label"), counted ? t("stock.availableLabel") : stockText(product, now));
  setAttr(number, "data-available", product.available);
  setAttr(number.closest(".stock"), "data-state", counted ? "available" : state);
  const opens = state === "opens" && counted ? opensText(product, now) : "";
  setText(byId("stock-note"), [opens, lineText(product)].filter(Boolean).join(" · ") || "\u00a0");
}

const quantityMax = () => Math.min(product?.purchaseLimit ?? QUANTITY_MAX, QUANTITY_MAX);

function drawForm() {
  const typed = Number(quantityInput.value);
  const isValid = Number.isInteger(typed) && typed >= 1 && typed <= quantityMax();
  const quantity = isValid ? typed : 1;
  const mode = product ? buyMode(product, quantity, clock.now()) : "buy";
  const words = BUY_MORE[mode] && orders.orders.some(isCancellable) ? BUY_MORE[mode] : mode;
  const closed = mode === "closed";
  const button = hook("buy-button");
  // `aria-disabled` and not `disabled`: the button keeps the focus while it waits.
  setAttr(button, "aria-disabled", closed || sending !== null || !product ? "true" : null);
  setAttr(button, "aria-busy", sending !== null ? "true" : null);
  setAttr(button, "data-mode", sending ? "sending" : mode);
  const label = sending ? t("buy.sending") : closed ? opensText(product, clock.now()) : t(`buy.${words}`);
  setText(byId("buy-label"), label);
  const total = product && !closed && !sending && isValid;
  setText(byId("buy-total"), total ? money(product.price * quantity, product.currency, lang()) : "");
  setAttr(quantityInput, "max", quantityMax());
  setText(byId("quantity-hint"), limitText(product));
  setAttr(byId("fewer"), "disabled", typed <= 1);
  setAttr(byId("another"), "disabled", typed >= quantityMax());
  for (const [field, input] of [["customer", emailInput], ["quantity", quantityInput]]) {
    const text = fieldErrors.get(field)?.() ?? "";
    setText(form.querySelector(`.field-error[data-field="${field}"]`), text);
    setAttr(input, "aria-invalid", text ? "true" : null);
  }
}

// ---------------------------------------------------------------- buying

/** What the form holds, or null with the fields marked. */
function readForm() {
  fieldErrors.clear();
  const customer = emailInput.value.trim();
  const quantity = Number(quantityInput.value);
  const bytes = new TextEncoder().encode(customer).length;
  if (customer === "") {
    fieldErrors.set("customer", () => t("error.missing_field.customer"));
  } else if (!/^[^\s@]+@[^\s@]+$/.test(customer) || bytes > EMAIL_BYTES_MAX) {
    fieldErrors.set("customer", () => t("error.invalid_field.customer"));
  }
  if (!Number.isInteger(quantity) || quantity < 1 || quantity > quantityMax()) {
    fieldErrors.set("quantity", () => t("error.quantity.range", { max: count(quantityMax(), lang()) }));
  }
  if (fieldErrors.size === 0) return { sku, customer, quantity };
  focusError();
  return null;
}

function focusError() {
  (fieldErrors.has("customer") ? emailInput : quantityInput).focus();
}

ignoreHeldEnter(form);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (hook("buy-button").getAttribute("aria-disabled") === "true") return;
  if (!gesture.isNew(event.timeStamp)) return;
  const wanted = readForm();
  if (wanted) {
    email.set(wanted.customer);
    // The same order once more, after an attempt without an answer, is that attempt.
    const open = attemptsFor(sku).find(
      (attempt) =>
        attempt.customer === wanted.customer &&
        attempt.quantity === wanted.quantity &&
        isRepeatable(attempt),
    );
    send(open ?? newAttempt(wanted));
  }
  draw();
});

async function send(attempt, repeats = 0) {
  const stop = new AbortController();
  const { signal } = stop;
  sending = { attempt, stop };
  shown = { kind: "sending" };
  const slow = setTimeout(() => {
    if (shown.kind === "sending") shown = { ...shown, slow: true };
    redraw();
  }, SLOW_AFTER_MS);
  draw();
  hook("verdict").scrollIntoView({ block: "nearest" });
  try {
    const answer = await placeOrder(attempt, {
      nameOf: () => product?.name,
      signal,
      onWaiting(problem) {
        shown = { kind: "sending", problem };
        redraw();
      },
    });
    if (answer === null) {
      shown = { kind: "unanswered", attempt };
    } else {
      tell({ kind: "order", ...answer }, isCancellable(answer.order));
      watch(answer.order);
    }
  } catch (problem) {
    if (await opensInAMoment(problem, signal, repeats)) {
      clearTimeout(slow);
      return send(newAttempt(attempt), repeats + 1);
    }
    refuse(problem);
  } finally {
    clearTimeout(slow);
  }
  sending = null;
  gesture.answered();
  draw();
  return undefined;
}

/** The newest order of this product that still holds a place or goods. */
const liveOrder = () => orders.orders.find((order) => !isFinal(order)) ?? orders.orders.find(isCancellable);

/** What is shown while there is nothing newer to say. */
function rest() {
  const order = liveOrder();
  return order ? { kind: "order", order } : { kind: "none" };
}

/** Shows an answer; one that brought nothing stands below the order that one has. */
function tell(answer, isGood) {
  const held = isGood ? { kind: "none" } : rest();
  shown = held.kind === "order" ? { ...held, refused: answer } : answer;
}

async function opensInAMoment(problem, signal, repeats) {
  if (problem.code !== "not_open_yet") return false;
  const opensAt = problem.body.opensAt;
  if (opensAt && product) product.opensAt = opensAt;
  const early = Date.parse(opensAt) - clock.now();
  if (!(early < EARLY_MAX_MS) || repeats >= EARLY_REPEATS_MAX) return false;
  await pause(Math.max(50, early), signal);
  return !signal.aborted;
}

function refuse(problem) {
  const marked = ["customer", "quantity"].includes(problem.field);
  if (marked) {
    fieldErrors.set(problem.field, () => problemText(problem));
    focusError();
  }
  tell({ kind: "error", problem, marked }, false);
}

function act(name) {
  if (name === "stop" && sending) {
    stopAttempt(sending.attempt);
    sending.stop.abort();
  }
  // It appears where "stop" was: a double click there must not send what it stopped.
  if (name === "again" && gesture.isNew(performance.now())) send(shown.attempt);
  if (name === "forget") {
    forgetAttempt(shown.attempt);
    shown = rest();
    draw();
  }
}

// ---------------------------------------------------------------- live

async function fetchProduct() {
  try {
    product = await request("GET", paths.product(sku));
    missing = false;
    recall();
    orders.nameProduct(product.name);
  } catch (problem) {
    if (problem.code !== "product_not_found") throw problem;
    missing = true;
  }
  redraw();
  keepCounting();
}

let recalled = false;

/** Without an order that lives, the last verdict; the answer has told how long ago it was. */
function recall() {
  if (recalled) return;
  recalled = true;
  const [last] = orders.orders.filter((order) => order.status !== "unknown");
  if (shown.kind !== "none" || last === undefined) return;
  if (clock.now() - Date.parse(last.placedAt) < VERDICT_SHOWN_MS) shown = { kind: "order", order: last };
}

let counting = false;
// Nobody should be half a second late at the opening.
const sharpenClock = sharpener(fetchProduct, () => counting);

/** The countdown, and at its end the opening itself. */
function keepCounting() {
  if (counting) return;
  counting = true;
  eachSecond(
    () => {
      counting = product !== null && stockState(product, clock.now()) === "opens";
      redraw();
      if (counting) sharpenClock();
      return counting;
    },
    () => Date.parse(product?.opensAt ?? 0),
  );
}

function hear(type, data) {
  if (data?.stock && product) {
    Object.assign(product, data.stock);
    redraw();
  }
  // These change what only the whole product tells: name, price, the open replenishment.
  if (type === "reset" || type.startsWith("product.") || type.startsWith("replenishment.")) {
    fetchProduct().catch(() => {});
  }
}

/** An order without its verdict, and the one that is shown while its parcel moves. */
function isWatched(order) {
  return !isFinal(order) || (shown.order?.id === order.id && parcelMoves(order));
}

function watch(order) {
  if (!isWatched(order) || streams.has(order.id)) {
    redraw();
    return;
  }
  const stream = follow(paths.orderEvents(order.id), {
    onEvent(type, data) {
      if (type === "order") orders.learn(data, product?.name);
      if (type === "reset") orders.refresh(order).catch(() => {});
    },
    onOpen: ({ polling }) => (polling ? orders.refresh(order) : null),
    onState(state, problem) {
      if (state === "stopped" && problem.code === "order_not_found") orders.lose(order);
    },
  });
  streams.set(order.id, stream);
}

/** What an e-mail of another device links to is an order of this browser, too. */
function takeLink() {
  return takeLinkedOrder(sku, (linked) => {
    const order = orders.learn(linked, product?.name);
    if (sending === null) shown = { kind: "order", order };
    watch(order);
    redraw();
  });
}

function unwatchSettled() {
  const known = new Map(orders.orders.map((order) => [order.id, order]));
  for (const [id, stream] of streams) {
    if (known.has(id) && isWatched(known.get(id))) continue;
    stream.close();
    streams.delete(id);
  }
}

// ---------------------------------------------------------------- start

for (const [id, step] of [["fewer", -1], ["another", 1]]) {
  byId(id).addEventListener("click", () => {
    const next = (Number(quantityInput.value) || 0) + step;
    quantityInput.value = Math.min(quantityMax(), Math.max(1, next));
    fieldErrors.delete("quantity");
    draw();
  });
}
quantityInput.addEventListener("input", () => {
  fieldErrors.delete("quantity");
  draw();
});
emailInput.addEventListener("input", () => {
  fieldErrors.delete("customer");
  draw();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") orders.refreshRecent().catch(() => {});
});

emailInput.value = email.get();
byId("art").append(art(sku));

shown = rest();

startPage(draw);
follow(paths.productEvents(sku), {
  whileHidden: false,
  onEvent: hear,
  onOpen() {
    takeLink();
    return fetchProduct();
  },
  onState: setConnection,
});
addEventListener("hashchange", takeLink);
fetchProduct().catch(() => {});
for (const order of orders.orders) watch(order);
orders.refreshRecent({ only: (order) => order.status === "accepted" }).catch(() => {});

const [unanswered] = attemptsFor(sku);
if (unanswered) {
  // What somebody stopped is theirs to send again.
  if (isFresh(unanswered) && !unanswered.stopped) send(unanswered);
  else {
    shown = { kind: "unanswered", attempt: unanswered };
    draw();
  }
}
