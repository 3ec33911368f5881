// What changes while a page is open: server-sent events and polling. What always holds: a
// stream resumes after the last event it delivered, a silent connection counts as broken,
// and all tabs together leave connections free for requests. Knows nothing of what the
// events mean.
//
// A stream is read with fetch and not with EventSource for three reasons: the server's
// comment lines are visible, so a connection that died without a word is noticed; an error
// answer can be read; and a stream can be resumed after it was closed on purpose.

import { Problem, problemFrom } from "./api.js";
import { clock } from "./clock.js";
import { onWake } from "./wake.js";

// Browsers allow six HTTP/1.1 connections to one host, over all tabs. Two stay free for
// requests; a stream that finds no slot polls instead.
const STREAMS_MAX = 4;
// The server sends a comment every 15 seconds; two of them missing is a dead connection.
const SILENCE_MAX_MS = 35_000;
const POLL_WITHOUT_SLOT_MS = 3_000;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 15_000;

/** Delay before attempt `n` (from 1), spread so that listeners do not return in step. */
export function backoffMs(n, random = Math.random) {
  const full = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (n - 1));
  return full * (0.5 + random() / 2);
}

/** A wait that ends early when the tab is shown again, the network returns, or it is cut. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const events = new AbortController();
    const done = () => {
      clearTimeout(timer);
      events.abort();
      resolve();
    };
    const timer = setTimeout(done, ms);
    const shown = () => document.visibilityState === "visible" && done();
    addEventListener("online", done, { signal: events.signal });
    document.addEventListener("visibilitychange", shown, { signal: events.signal });
    signal?.addEventListener("abort", done, { signal: events.signal });
    if (signal?.aborted) done();
  });
}

/** The event stream format (HTML standard, 9.2.6) for text that arrives in pieces. */
export class EventParser {
  #rest = "";
  #data = [];
  #type = "";
  lastId;

  push(text) {
    const events = [];
    const buffer = this.#rest + text;
    const lines = buffer.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      const event = this.#line(line);
      if (event) events.push(event);
    }
    return events;
  }

  #line(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#type = value;
    if (field === "data") this.#data.push(value);
    if (field === "id") this.lastId = value;
    return null;
  }

  #dispatch() {
    const data = this.#data.join("\n");
    const type = this.#type || "message";
    const empty = this.#data.length === 0;
    this.#data = [];
    this.#type = "";
    return empty ? null : { type, data, id: this.lastId };
  }
}

/**
 * Follows a stream until `close()`.
 * - `onEvent(type, data)` for each event, data parsed
 * - `onOpen({polling})` each time the stream stands, and on every poll when it had to fall back; when
 *   it fails, the stream is opened again
 * - `onState("connecting" | "live" | "reconnecting" | "stopped", problem?)`
 * - `whileHidden: false` closes the stream while the tab is hidden and resumes it after; a
 *   function is asked each time
 * A device that wakes opens its stream anew at once: the old connection may be dead in silence.
 */
export function follow(path, { onEvent, onOpen, onState, since, whileHidden = true }) {
  const closing = new AbortController();
  const mayRun = () =>
    document.visibilityState === "visible" ||
    (typeof whileHidden === "function" ? whileHidden() : whileHidden);
  let lastId = since;
  let failures = 0;

  const run = async () => {
    onState?.("connecting");
    while (!closing.signal.aborted) {
      if (!mayRun()) await untilVisible(closing.signal);
      const release = await takeSlot();
      try {
        if (closing.signal.aborted) return;
        if (!release) {
          await onOpen?.({ polling: true });
          onState?.("live");
          await pause(POLL_WITHOUT_SLOT_MS, closing.signal);
          continue;
        }
        await readStream();
      } catch (problem) {
        if (closing.signal.aborted) return;
        if (problem instanceof Problem && !problem.undecided) {
          onState?.("stopped", problem);
          return;
        }
        failures += 1;
        onState?.("reconnecting", problem);
      } finally {
        release?.();
      }
      if (closing.signal.aborted) return;
      if (!mayRun()) continue;
      await pause(backoffMs(Math.max(1, failures)), closing.signal);
    }
  };

  const readStream = async () => {
    const cut = new AbortController();
    const cutNow = () => cut.abort();
    const hidden = () => !mayRun() && cutNow();
    closing.signal.addEventListener("abort", cutNow, { signal: cut.signal });
    document.addEventListener("visibilitychange", hidden, { signal: cut.signal });
    onWake(cutNow, cut.signal);
    let watchdog = setTimeout(cutNow, SILENCE_MAX_MS);
    try {
      const sentAt = clock.local();
      const response = await fetch(path, {
        cache: "no-store",
        headers: {
          accept: "text/event-stream",
          ...(lastId === undefined ? {} : { "last-event-id": String(lastId) }),
        },
        signal: cut.signal,
      });
      clock.observeDate(response.headers.get("date"), sentAt, clock.local());
      if (!response.ok) throw problemFrom(response, await response.text());
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const parser = new EventParser();
      // Nothing is read until the page has fetched its state: what the stream holds back
      // meanwhile is applied on top of it, in order.
      await onOpen?.({ polling: false });
      failures = 0;
      onState?.("live");
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the stream ended");
        clearTimeout(watchdog);
        watchdog = setTimeout(cutNow, SILENCE_MAX_MS);
        for (const event of parser.push(value)) {
          lastId = event.id ?? lastId;
          deliver(event);
        }
      }
    } finally {
      clearTimeout(watchdog);
      cut.abort();
    }
  };

  const deliver = ({ type, data }) => {
    let parsed = null;
    try {
      parsed = JSON.parse(data);
    } catch {
      // `reset` may carry nothing worth parsing; its type says it all.
    }
    if (parsed?.at) clock.observeEvent(parsed.at);
    onEvent(type, parsed);
  };

  run();
  return { close: () => closing.abort() };
}

/** Takes one of the slots that all tabs share, or null when none is free. */
async function takeSlot() {
  // Locks exist on secure origins only; elsewhere a page streams without counting.
  if (!navigator.locks) return () => {};
  for (let n = 0; n < STREAMS_MAX; n += 1) {
    const release = await new Promise((resolve) => {
      navigator.locks
        .request(`firstcome.stream.${n}`, { ifAvailable: true }, (lock) => {
          if (!lock) return resolve(null);
          return new Promise((free) => resolve(free));
        })
        .catch(() => resolve(() => {}));
    });
    if (release) return release;
  }
  return null;
}

function untilVisible(signal) {
  if (document.visibilityState === "visible") return Promise.resolve();
  return new Promise((resolve) => {
    const shown = () => document.visibilityState === "visible" && resolve();
    document.addEventListener("visibilitychange", shown, { signal });
    signal.addEventListener("abort", resolve);
  });
}

/**
 * Runs `task` every `everyMs` while the tab is visible, once at a time, at once when it is
 * shown again, and with growing delays while it fails.
 */
export function poll(task, everyMs, { onState } = {}) {
  let failures = 0;
  let again = new AbortController();
  onWake(() => again.abort());
  const run = async () => {
    onState?.("connecting");
    for (;;) {
      await untilVisible(new AbortController().signal);
      again = new AbortController();
      let delay = everyMs * (0.95 + Math.random() / 10);
      try {
        await task();
        failures = 0;
        onState?.("live");
      } catch (problem) {
        failures += 1;
        onState?.("reconnecting", problem);
        delay = Math.max(problem?.retryAfterMs ?? 0, everyMs, backoffMs(failures));
      }
      await pause(delay, again.signal);
    }
  };
  run();
  return { now: () => again.abort() };
}
