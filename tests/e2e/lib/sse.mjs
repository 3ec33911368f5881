// A listener to server-sent events that can be cut off anywhere, in the middle of an
// event too. It dispatches what the standard says: an event counts when its blank line
// has arrived, an incomplete one is thrown away.

import http from "node:http";

import { until } from "./wait.mjs";

export class Listener {
  /**
   * @param {string} url
   * @param {object} [options]
   * @param {string} [options.lastEventId] where to resume
   * @param {number} [options.cutAfterBytes] the connection dies after so many bytes of body
   */
  constructor(url, { lastEventId, cutAfterBytes = Infinity } = {}) {
    this.events = [];
    this.comments = 0;
    this.lastEventId = lastEventId;
    this.closed = false;
    this.left = cutAfterBytes;
    this.buffer = "";
    const headers = { accept: "text/event-stream" };
    if (lastEventId !== undefined) headers["last-event-id"] = lastEventId;
    this.sent = http.get(url, { headers, agent: false });
    /** Resolves with the status when the stream is open. */
    this.opened = new Promise((resolve, reject) => {
      this.sent.on("error", (error) => {
        this.closed = true;
        reject(error);
      });
      this.sent.on("response", (answer) => {
        this.type = answer.headers["content-type"];
        answer.on("data", (chunk) => this.#read(chunk));
        answer.on("error", () => {});
        answer.on("close", () => {
          this.closed = true;
        });
        resolve(answer.statusCode);
      });
    });
    this.opened.catch(() => {});
  }

  /** Waits until an event satisfies the condition and answers with it. */
  event(what, condition, limitMs) {
    return until(what, () => this.events.find(condition), limitMs);
  }

  close() {
    this.closed = true;
    this.sent.destroy();
  }

  #read(chunk) {
    if (this.closed) return;
    const part = chunk.subarray(0, this.left);
    this.left -= part.length;
    // Event data of these tests is ASCII, so a character is never cut in two.
    this.buffer += part.toString("latin1");
    for (;;) {
      const end = this.buffer.indexOf("\n\n");
      if (end < 0) break;
      this.#dispatch(this.buffer.slice(0, end));
      this.buffer = this.buffer.slice(end + 2);
    }
    if (this.left <= 0) this.close();
  }

  #dispatch(block) {
    const event = { type: "message", data: [] };
    for (const line of block.split("\n")) {
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "") this.comments += 1;
      if (field === "id") event.id = value;
      if (field === "event") event.type = value;
      if (field === "data") event.data.push(value);
    }
    if (event.id !== undefined) this.lastEventId = event.id;
    if (event.data.length === 0) return;
    this.events.push({ ...event, data: JSON.parse(event.data.join("\n")) });
  }
}
