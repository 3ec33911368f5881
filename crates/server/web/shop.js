// The shop: every product as a card, kept current by asking again every two seconds while
// somebody looks. One stream per product would use up the six connections that a browser
// gives a host, and the overall event stream belongs to operations.

import { paths, request } from "./api.js";
import { art } from "./art.js";
import { clock } from "./clock.js";
import { byId, h, keyed, setAttr, setText, show } from "./dom.js";
import { money } from "./format.js";
import { lang, t } from "./i18n.js";
import { poll } from "./live.js";
import { OrderList } from "./order-list.js";
import { eachSecond, setConnection, setTab, startPage } from "./page.js";
import { limitText, lineText, stockState, stockText } from "./stock.js";

const REFRESH_MS = 2_000;
const ORDERS_REFRESH_MS = 5_000;
const PAGE_SIZE = 60;

/** One entry per fetched page: `{after, products, next}`. */
const pages = [{ after: undefined, products: [], next: undefined }];
const inView = new Set();
let loaded = false;

const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) inView.add(target.dataset.sku);
      else inView.delete(target.dataset.sku);
    }
  },
  { rootMargin: "200px" },
);

const orders = new OrderList({ section: byId("orders"), list: byId("order-list") });

async function fetchPage(page) {
  const query = new URLSearchParams({ limit: PAGE_SIZE });
  if (page.after) query.set("after", page.after);
  const answer = await request("GET", `/products?${query}`);
  page.products = answer.products;
  page.next = answer.next;
}

/** Only pages of which something is on the screen; the first also notices new products. */
async function refresh() {
  const wanted = pages.filter(
    (page, n) => n === 0 || page.products.some((product) => inView.has(product.sku)),
  );
  await Promise.all(wanted.map(fetchPage));
  loaded = true;
  draw();
  keepCounting();
}

function draw() {
  setTab(t("shop.title"));
  const products = new Map();
  for (const page of pages) for (const product of page.products) products.set(product.sku, product);
  show(byId("empty"), loaded && products.size === 0);
  show(byId("more"), pages.at(-1).next !== undefined);
  keyed(byId("cards"), [...products.values()], (product) => product.sku, createCard, updateCard);
  orders.draw();
}

function createCard({ sku }) {
  const card = h(
    "li",
    { class: "card", "data-testid": `product-card-${sku}`, "data-sku": sku },
    h("div", { class: "card-art" }, art(sku)),
    h("h2", { class: "card-name" }, h("a", { href: paths.productPage(sku) })),
    h("p", { class: "card-price" }),
    h("p", { class: "card-stock", "data-testid": "available" }),
    h("p", { class: "card-note muted" }),
  );
  seen.observe(card);
  return card;
}

function updateCard(card, product) {
  card.product = product;
  setText(card.querySelector("a"), product.name);
  setText(card.querySelector(".card-price"), money(product.price, product.currency, lang()));
  const note = [lineText(product), limitText(product)].filter(Boolean).join(" · ");
  setText(card.querySelector(".card-note"), note || "\u00a0");
  updateStock(card, product);
}

function updateStock(card, product) {
  const now = clock.now();
  const stock = card.querySelector(".card-stock");
  setText(stock, stockText(product, now));
  setAttr(stock, "data-available", product.available);
  setAttr(card, "data-state", stockState(product, now));
}

let counting = false;

function keepCounting() {
  if (counting) return;
  counting = true;
  eachSecond(() => {
    // A card that opens at this second is drawn once more, as open.
    const closed = [...byId("cards").children].filter((card) => card.dataset.state === "opens");
    for (const card of closed) updateStock(card, card.product);
    counting = closed.length > 0;
    return counting;
  });
}

byId("more").addEventListener("click", async () => {
  const page = { after: pages.at(-1).next, products: [], next: undefined };
  byId("more").disabled = true;
  try {
    await fetchPage(page);
    pages.push(page);
    draw();
    keepCounting();
  } catch (problem) {
    setConnection("reconnecting", problem);
  } finally {
    byId("more").disabled = false;
  }
});

startPage(draw);
poll(refresh, REFRESH_MS, { onState: setConnection });
orders.refreshRecent().catch(() => {});
poll(
  () => orders.refreshRecent({ only: (order) => order.status === "pending" }),
  ORDERS_REFRESH_MS,
);
