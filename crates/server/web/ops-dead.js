// Dead letters: every queue that holds some, with reason and body, and the way back. What
// always holds: nothing is redriven without a question that says how many.

import { paths, problemText, request } from "./api.js";
import { byId, h, keyed, setAttr, setText, show } from "./dom.js";
import { count, moment } from "./format.js";
import { lang, t } from "./i18n.js";
import { confirm, notice } from "./page.js";
import { askRedrive } from "./ops-queue.js";
import { movedText, reasonText } from "./ops-tables.js";
import { bodyLabelText, pretty } from "./ops-message.js";

const SHOWN_MAX = 20;
const QUEUES_MAX = 10;

const total = (queue) => queue.visible + queue.inFlight + queue.delayed;

/** The dead-letter queues that hold something, each with its first messages. */
export async function fetchDeadLetters(queues) {
  const held = queues
    .filter((queue) => queue.deadLetterSourceQueues.length > 0 && total(queue) > 0)
    .slice(0, QUEUES_MAX);
  return Promise.all(
    held.map(async (queue) => {
      const answer = await request("GET", `${paths.messages(queue.name)}?limit=${SHOWN_MAX}`);
      return { queue, messages: answer.messages };
    }),
  );
}

export function drawDeadLetters(groups, emptyText, onDone) {
  const root = byId("dead");
  setAttr(root, "data-empty", groups.length === 0);
  const items = groups.length > 0 ? groups : [null];
  keyed(
    root,
    items,
    (group) => group?.queue.name ?? "",
    (group) => (group ? createGroup(onDone) : h("p", { class: "table-empty muted" })),
    (node, group) => (group ? updateGroup(node, group, onDone) : setText(node, emptyText)),
  );
}

function createGroup(onDone) {
  const node = h(
    "div",
    { class: "dead-group" },
    h(
      "div",
      { class: "dead-head" },
      h("h3", {}),
      h("span", { class: "muted" }),
      h("button", {
        type: "button",
        class: "button quiet small",
        "data-testid": "redrive-all",
        onclick: () => askRedrive(node.group.queue.name),
      }),
    ),
    h("ul", { class: "dead-list" }),
    h("p", { class: "muted dead-more" }),
  );
  return node;
}

function updateGroup(node, group, onDone) {
  node.group = group;
  const [head, list, more] = node.children;
  const all = total(group.queue);
  setText(head.children[0], group.queue.name);
  const { moving } = group.queue;
  setText(head.children[1], moving ? movedText(moving) : t("dead.count", { n: all, count: count(all, lang()) }));
  setText(head.children[2], t(moving ? "move.look" : "redrive.all"));
  keyed(
    list,
    group.messages,
    (message) => message.id,
    () => createMessage(node, onDone),
    updateMessage,
  );
  show(more, group.messages.length < all);
  setText(
    more,
    t("dead.shown", { shown: count(group.messages.length, lang()), total: count(all, lang()) }),
  );
}

function createMessage(groupNode, onDone) {
  const node = h(
    "li",
    { class: "dead" },
    h(
      "details",
      {},
      h(
        "summary",
        {},
        h("span", { class: "dead-reason" }),
        h("span", { class: "dead-facts muted" }),
      ),
      h("p", { class: "dead-label muted" }),
      h("pre", { tabindex: "0" }),
      h("p", { class: "dead-label muted" }),
      h("pre", { tabindex: "0" }),
    ),
    h("button", {
      type: "button",
      class: "button quiet small",
      "data-testid": "redrive",
      onclick: () => redrive(groupNode.group, node.message, onDone),
    }),
  );
  return node;
}

function updateMessage(node, message) {
  node.message = message;
  const [details, button] = node.children;
  const [summary, bodyLabel, body, attributesLabel, attributes] = details.children;
  setText(summary.children[0], reasonText(message.reason) || t("dead.noReason"));
  setText(
    summary.children[1],
    [
      message.id,
      t("dead.received", { n: message.receiveCount, count: count(message.receiveCount, lang()) }),
      moment(message.sentAt, lang()),
    ].join(" · "),
  );
  setText(bodyLabel, bodyLabelText(message));
  setText(body, pretty(message.body));
  const named = Object.keys(message.attributes ?? {}).length > 0;
  show(attributesLabel, named);
  show(attributes, named);
  setText(attributesLabel, t("dead.attributes"));
  if (named) setText(attributes, JSON.stringify(message.attributes, null, 2));
  setText(button, t("redrive.one"));
  setAttr(button, "aria-label", `${t("redrive.one")}: ${message.id}`);
}

export async function redrive({ queue }, message, onDone) {
  const params = { n: 1, count: count(1, lang()) };
  const sources = queue.deadLetterSourceQueues.join(", ");
  const sure = await confirm({
    title: t("redrive.titleOne"),
    text: t(sources ? "redrive.text" : "redrive.textUnknown", { queue: queue.name, sources }),
    yes: t("redrive.yes", params),
    no: t("redrive.no"),
  });
  if (!sure) return;
  try {
    const { moved } = await request("POST", paths.redrive(queue.name), {
      body: { messageId: message.id },
    });
    notice(t("redrive.done", { n: moved, count: count(moved, lang()) }));
  } catch (problem) {
    notice(problemText(problem), "bad");
  }
  onDone();
}
