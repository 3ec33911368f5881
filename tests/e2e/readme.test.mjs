// The README's sale, typed as it stands there: its commands run in their order, against a fresh
// demonstration, and answer what stands below them. Only the port, ids, times and hashes are of one run.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { Server } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

const README = new URL("../../README.md", import.meta.url);
const COMMAND_LIMIT_MS = 30_000;

/** `{command, output}` of every console block of the section. */
function commands() {
  const [, section] = fs.readFileSync(README, "utf8").split(/^## A sale in five lines$/m);
  const blocks = section.split(/^## /m)[0].matchAll(/^```console\n\$ (.+)\n([^]*?)^```$/gm);
  return [...blocks].map(([, command, output]) => ({ command, output }));
}

/** What is the same in every run. When a parcel comes, and how far it is, is not. */
function lasting(text) {
  return text
    .replaceAll(/"parcel":(null|\{[^}]*\})/g, '"parcel":"..."')
    .replaceAll(/\b(ord|auc)_[0-9a-z]+/g, "$1_...")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "...")
    .replaceAll(/\b[0-9a-f]{64}\b/g, "...")
    .replaceAll(/"seq":\d+/g, '"seq":0')
    .replaceAll(/^id: \d+$/gm, "id: 0")
    .replaceAll(/^\d+ entries/gm, "0 entries")
    .trim();
}

let server;
let listening;
before(async () => {
  server = await Server.start();
});
after(async () => {
  listening?.kill();
  await server?.stop();
});

test("the five lines, and the proof", async () => {
  const all = commands();
  const lines = all.filter(({ command }) => command.startsWith("curl "));
  assert.equal(lines.length, 5);
  // The order that the README goes on with is another one in each run.
  const [written] = lines[1].output.match(/ord_[0-9a-z]+/);
  let own;
  const typed = (command) =>
    command.replace("localhost:3000", `127.0.0.1:${server.port}`).replaceAll(written, own);
  const run = async (command) => {
    const { stdout } = await promisify(execFile)("sh", ["-c", typed(command)], { timeout: COMMAND_LIMIT_MS });
    return stdout;
  };
  const [ada, bob, stream, receipt, verdict] = lines;
  assert.equal(lasting(await run(ada.command)), lasting(ada.output));
  const waiting = await run(bob.command);
  assert.equal(lasting(waiting), lasting(bob.output));
  own = JSON.parse(waiting).id;

  let heard = "";
  listening = spawn("sh", ["-c", `exec ${typed(stream.command)}`], { stdio: ["ignore", "pipe", "ignore"] });
  listening.stdout.on("data", (chunk) => {
    heard += chunk;
  });
  const events = () => heard.split("\n\n").slice(0, -1);
  // The lines before the first event are a part of their own.
  await until("the order as it stands", () => events().length >= 2);
  assert.equal(lasting(await run(receipt.command)), lasting(receipt.output));
  await until("the goods and the parcel", () => events().length >= 4);
  assert.equal(lasting(events().slice(0, 4).join("\n\n")), lasting(stream.output));
  assert.match(events()[3], /"parcel":\{"trackingId":"trk_/);
  assert.equal(lasting(await run(verdict.command)), lasting(verdict.output));

  const [proof, ...others] = all.filter((one) => !lines.includes(one));
  assert.deepEqual([proof.command, others], ["cargo run --release -- audit", []]);
  // It is built already, and its store is not where the README's is.
  const audit = await server.audit();
  assert.equal(audit.code, 0);
  assert.equal(lasting(audit.text), lasting(proof.output));
});
