// Nothing is answered before it is on the disk, as the kernel sees it: strace notes the server's system
// calls, and for each order the write of its bytes to the log, a sync of the log that begins after it
// and succeeds, and the answer must come in this order. What it cannot show: that the disk does what it
// is asked.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import { createProduct, order } from "./lib/http.mjs";
import { OUT, Server } from "./lib/server.mjs";
import { inParallel, until } from "./lib/wait.mjs";

const ALONE = 200;
const TOGETHER = 200;
const CONNECTIONS = 16;
const TRACE = path.join(OUT, "synced.strace");
const SYNCS = /^(fdatasync|fsync)\(/;
const LOG_FILE = /^\w+\(\d+<[^>]*\/firstcome\.db-wal>/;
const TO_A_CLIENT = /^(write|writev|sendto|sendmsg)\(\d+<TCP:\[/;

/**
 * `{began, ended, text}` of each call, in lines of the trace. A call that others come between stands in
 * two lines:
 *
 *     17 fdatasync(19</d/firstcome.db-wal> <unfinished ...>
 *     17 <... fdatasync resumed>) = 0
 */
function calls(trace) {
  const done = [];
  const open = new Map();
  for (const [at, line] of trace.split("\n").entries()) {
    const [, thread, text] = line.match(/^(\d+)\s+(.*)$/) ?? [];
    if (text === undefined) continue;
    const resumed = text.match(/^<\.\.\. \w+ resumed>(.*)$/);
    if (text.endsWith("<unfinished ...>")) {
      open.set(thread, { began: at, text: text.slice(0, -"<unfinished ...>".length) });
    } else if (resumed) {
      const begun = open.get(thread);
      if (begun) done.push({ ...begun, ended: at, text: begun.text + resumed[1] });
      open.delete(thread);
    } else {
      done.push({ began: at, ended: at, text });
    }
  }
  return done;
}

describe("the disk is asked before anybody is answered", () => {
  let server;
  before(async () => {
    fs.mkdirSync(OUT, { recursive: true });
    fs.rmSync(TRACE, { force: true });
    // Beside it and not above it, so that the server is ended as ever. Whole pages, so that names are found.
    const under = ["strace", "-D", "-f", "-yy", "-s", "4096", "-o", TRACE];
    under.push("-e", "trace=fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg");
    server = await Server.start({ demo: false, under });
    await createProduct(server, "SYNC-1", { stock: ALONE + TOGETHER });
  });
  after(() => server?.stop());

  test(`${ALONE} orders one after the other, ${TOGETHER} over ${CONNECTIONS} connections`, async () => {
    const place = async (customer) => {
      const answer = await order(server, "SYNC-1", customer);
      assert.equal(answer.status, 201, answer.text);
    };
    const alone = Array.from({ length: ALONE }, (_, n) => `alone-${n}@example.com`);
    const together = Array.from({ length: TOGETHER }, (_, n) => `together-${n}@example.com`);
    await inParallel(1, alone, place);
    await inParallel(CONNECTIONS, together, place);
    // strace writes down what has happened a moment later. The product's answer is one, too.
    const { seen, answers } = await until("the trace is whole", () => {
      const seen = calls(fs.readFileSync(TRACE, "latin1"));
      const answers = seen.filter(({ text }) => TO_A_CLIENT.test(text) && text.includes("HTTP/1.1 201"));
      return answers.length > ALONE + TOGETHER && { seen, answers };
    }, 60_000);
    const syncs = seen.filter(({ text }) => SYNCS.test(text) && LOG_FILE.test(text) && / = 0$/.test(text));
    const writes = seen.filter(({ text }) => text.startsWith("pwrite64(") && LOG_FILE.test(text));
    for (const customer of [...alone, ...together]) {
      const written = writes.find(({ text }) => text.includes(customer));
      const answered = answers.find(({ text }) => text.includes(customer));
      assert.ok(written && answered, `${customer}: written ${!!written}, answered ${!!answered}`);
      const synced = syncs.find(({ began }) => began > written.ended);
      assert.ok(synced && synced.ended < answered.began, `${customer} was answered before the log was synced`);
    }
    fs.rmSync(TRACE);
  });
});
