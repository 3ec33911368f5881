// Elements built and kept up to date by hand. What always holds: text goes in as text, never
// as markup, and a node that need not change is not touched, so that focus, selection and
// open details survive every refresh. Knows nothing of shops.

const SVG_NAMES = new Set(["svg", "g", "path", "circle", "rect", "line", "polyline", "ellipse"]);
const SVG = "http://www.w3.org/2000/svg";
const lists = new WeakMap();

export const byId = (id) => document.getElementById(id);
export const hook = (name, root = document) => root.querySelector(`[data-testid="${name}"]`);

/** `h("button", {class: "quiet", onclick, "data-testid": "x"}, "text", node)` */
export function h(name, props = {}, ...children) {
  const node = SVG_NAMES.has(name)
    ? document.createElementNS(SVG, name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

export function setText(node, text) {
  const value = String(text);
  if (node.textContent !== value) node.textContent = value;
}

export function setAttr(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else {
    const text = value === true ? "" : String(value);
    if (node.getAttribute(name) !== text) node.setAttribute(name, text);
  }
}

export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/** Makes `parent` hold one node per item, in order; `create` once per key, `update` always. */
export function keyed(parent, items, keyOf, create, update = () => {}) {
  const old = lists.get(parent) ?? new Map();
  const next = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const node = old.get(key) ?? create(item);
    next.set(key, node);
    update(node, item);
  }
  // Those that left go first: otherwise each that stays would be moved past them, and a
  // moved node loses the focus.
  for (const [key, node] of old) if (!next.has(key)) node.remove();
  let cursor = parent.firstChild;
  for (const node of next.values()) {
    if (node === cursor) cursor = cursor.nextSibling;
    else parent.insertBefore(node, cursor);
  }
  lists.set(parent, next);
}
