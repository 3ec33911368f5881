// The two forms of operations: goods that arrived, and a new product. What always holds: a
// refusal is shown beside the field it names, and what was typed stays until it is accepted,
// so pressing again after a broken connection repeats the same reference and counts once.

import { paths, problemText, request } from "./api.js";
import { byId, h, keyed, setAttr, setText } from "./dom.js";
import { count, exponent, money, parseMoney } from "./format.js";
import { lang, t } from "./i18n.js";
import { notice } from "./page.js";

export class FieldError extends Error {
  constructor(field, text) {
    super(text);
    this.field = field;
    this.text = text;
  }
}

/** A dialog that closes by its button and by a press beside it. */
export function wireDialog(dialog) {
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}

/** Wires a form: `submit(values)` throws a `FieldError` or a problem, or says what was done. */
export function wireForm(form, submit, onDone) {
  let busy = false;
  form.addEventListener("input", (event) => mark(form, event.target.name, ""));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    clear(form);
    if (markMissing(form)) return;
    busy = true;
    const button = form.querySelector("[type=submit]");
    setAttr(button, "aria-disabled", "true");
    try {
      const said = await submit(Object.fromEntries(new FormData(form)));
      form.reset();
      notice(said);
      onDone();
    } catch (problem) {
      blame(form, problem);
    } finally {
      busy = false;
      setAttr(button, "aria-disabled", null);
    }
  });
}

/** Marks every required field that is empty, so that they are all filled in one go. */
function markMissing(form) {
  const missing = [...form.elements].filter((input) => input.required && input.value.trim() === "");
  for (const input of missing) mark(form, input.name, t("error.missing_field"));
  missing[0]?.focus();
  return missing.length > 0;
}

function blame(form, problem) {
  const text = problem.text ?? problemText(problem);
  const input = problem.field ? form.elements.namedItem(problem.field) : null;
  mark(form, input ? problem.field : "", text);
  const more = input?.closest("details");
  if (more) more.open = true;
  input?.focus();
}

function mark(form, field, text) {
  const place = form.querySelector(`[data-field="${CSS.escape(field)}"]`);
  if (place) setText(place, text);
  const input = field ? form.elements.namedItem(field) : null;
  if (input) setAttr(input, "aria-invalid", text ? "true" : null);
}

function clear(form) {
  for (const place of form.querySelectorAll("[data-field]")) mark(form, place.dataset.field, "");
}

export function text(values, field) {
  const value = values[field].trim();
  if (value === "") throw new FieldError(field, t("error.missing_field"));
  return value;
}

export function integer(values, field) {
  const value = text(values, field);
  if (!/^\d{1,15}$/.test(value)) throw new FieldError(field, t("error.number"));
  return Number(value);
}

export const given = (values, field) => values[field].trim() !== "";

function readProduct(values) {
  const currency = text(values, "currency").toUpperCase();
  const typed = text(values, "price");
  const price = parseMoney(typed, currency);
  if (price === null) {
    const example = money(exponent(currency) > 0 ? 1250 : 19900, currency, lang());
    throw new FieldError("price", t("error.money", { example }));
  }
  const product = {
    sku: text(values, "sku"),
    name: text(values, "name"),
    price,
    currency,
    stock: integer(values, "stock"),
    whenSoldOut: values.whenSoldOut,
  };
  if (given(values, "purchaseLimit")) product.purchaseLimit = integer(values, "purchaseLimit");
  if (given(values, "opensAt")) product.opensAt = new Date(values.opensAt).toISOString();
  if (given(values, "adManager")) product.adManager = values.adManager.trim();
  if (["reorder.point", "reorder.quantity", "reorder.factory"].some((one) => given(values, one))) {
    product.reorder = {
      point: integer(values, "reorder.point"),
      quantity: integer(values, "reorder.quantity"),
      factory: text(values, "reorder.factory"),
    };
  }
  return product;
}

async function bookIn(values) {
  const sku = text(values, "sku");
  const quantity = integer(values, "quantity");
  const reference = text(values, "reference");
  const answer = await request("POST", paths.receipts(sku), { body: { quantity, reference } }).catch(
    (problem) => {
      // The product is part of the path, so its absence names no field; here it has one.
      if (problem.code === "product_not_found") problem.field = "sku";
      throw problem;
    },
  );
  if (answer.repeated) return t("receipt.repeated");
  const said = { n: answer.granted, count: count(answer.granted, lang()), quantity: count(quantity, lang()) };
  return t(answer.granted > 0 ? "receipt.done" : "receipt.doneAlone", said);
}

async function create(values) {
  const product = await request("POST", "/products", { body: readProduct(values) });
  return t("create.done", { name: product.name });
}

export function startForms(onDone) {
  for (const [dialog, form, submit] of [
    [byId("receipt-dialog"), byId("receipt-form"), bookIn],
    [byId("product-dialog"), byId("product-form"), create],
  ]) {
    wireDialog(dialog);
    wireForm(form, submit, () => {
      dialog.close();
      onDone();
    });
  }
  byId("open-receipt").addEventListener("click", () => openReceipt());
  byId("open-product").addEventListener("click", openProduct);
}

export function openReceipt(sku) {
  const form = byId("receipt-form");
  if (sku !== undefined) form.elements.sku.value = sku;
  byId("receipt-dialog").showModal();
  if (sku !== undefined) form.elements.quantity.focus();
}

export function openProduct() {
  byId("product-dialog").showModal();
}

/** What the receipt form offers to complete. */
export function offerSkus(products) {
  keyed(byId("skus"), products, ({ sku }) => sku, ({ sku }) => h("option", { value: sku }), (node, { name }) => {
    setAttr(node, "label", name);
  });
}
