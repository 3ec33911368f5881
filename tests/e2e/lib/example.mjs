// The programs of a folder in examples/, run as its README says, with the packages of this
// folder: a copy of them stands beside these packages, and nothing is written in examples/.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { KEYS, REGION } from "./aws.mjs";
import { until } from "./wait.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const EXAMPLES = path.join(HERE, "..", "..", "..", "examples");
const PACKAGES = path.join(HERE, "..");
const WORK_LIMIT_MS = 30_000;

const running = new Set();
const folders = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
});

export class Example {
  /** @param {Record<string, string>} env what the README lets a user set */
  constructor(name, endpoint, env = {}) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), "firstcome-example-"));
    folders.add(this.folder);
    this.programs = path.join(this.folder, name);
    fs.cpSync(path.join(EXAMPLES, name), this.programs, {
      recursive: true,
      filter: (source) => path.basename(source) !== "node_modules",
    });
    fs.symlinkSync(path.join(PACKAGES, "node_modules"), path.join(this.folder, "node_modules"));
    const inherited = Object.entries(process.env).filter(
      ([key]) => !/^(AWS_|FIRSTCOME_)/.test(key),
    );
    this.env = {
      ...Object.fromEntries(inherited),
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
      ...env,
    };
  }

  /** Its dependencies are the ones that are installed here, so that both are renewed at once. */
  assertPinned() {
    const read = (folder) => JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
    const ours = read(PACKAGES).devDependencies;
    for (const [name, version] of Object.entries(read(this.programs).dependencies)) {
      assert.equal(version, ours[name], name);
    }
  }

  /** Starts a program; `lines` is what it has printed. */
  start(program, ...args) {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: this.programs,
      env: this.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    const started = { child, lines: [], errors: "", exit: once(child, "exit") };
    let rest = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      const pieces = (rest + text).split("\n");
      rest = pieces.pop();
      started.lines.push(...pieces);
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      started.errors += text;
    });
    child.once("exit", () => running.delete(child));
    return started;
  }

  /** Runs a program to its end, which must be a good one; answers with its lines. */
  async run(program, ...args) {
    const started = this.start(program, ...args);
    const late = setTimeout(() => started.child.kill("SIGKILL"), WORK_LIMIT_MS);
    const [code] = await once(started.child, "close");
    clearTimeout(late);
    assert.equal(code, 0, `${program}: ${started.errors}${started.lines.join("\n")}`);
    return started.lines;
  }

  /** The address at the end of a line that begins with `listening`. */
  async listening(started) {
    const line = await until("it listens", () => {
      assert.equal(started.child.exitCode, null, started.errors);
      return started.lines.find((text) => text.startsWith("listening"));
    });
    return line.split(" ").at(-1);
  }

  /** Asks a program to end; it does so in good order. */
  async stop(started) {
    started.child.kill("SIGTERM");
    const [code, signal] = await started.exit;
    assert.equal(code, 0, `ended with ${code ?? signal}: ${started.errors}`);
  }
}
