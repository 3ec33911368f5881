// A real server (or factory) with a data directory of its own.
//
// What always holds: it listens on a port of 127.0.0.1 that the system chose, it is
// ended by its process id and by nothing else, and a server that was stopped in good
// order must have left a store that `firstcome audit` finds clean. Nothing here knows
// how the server works inside; it reads the ready file and speaks HTTP.

import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { until } from "./wait.mjs";

const READY_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 20_000;
const AUDIT_LIMIT_MS = 60_000;

/** Where logs and screenshots go; not under version control. */
export const OUT = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "out");

const BINARY = process.env.FIRSTCOME_BIN;
if (!BINARY) {
  throw new Error("FIRSTCOME_BIN names no binary; `cargo xtask test` sets it");
}

/** Every program that is running now, and every folder, so that none outlives the suite. */
const running = new Set();
const folders = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => process.exit(1));
}

let logs = 0;

export class Server {
  /**
   * @param {object} [options]
   * @param {boolean} [options.demo] with the demonstration's catalogue
   * @param {Record<string, string>} [options.env] settings, `FIRSTCOME_*`
   * @param {"serve" | "factory"} [options.command]
   * @param {string} [options.config] its settings file
   * @param {string[]} [options.under] a program that starts it and watches, with its arguments
   */
  static async start({ demo = true, env = {}, command = "serve", config, under } = {}) {
    const server = new Server(demo, env, command, config);
    server.under = under;
    await server.restart();
    return server;
  }

  constructor(demo, env, command, config) {
    this.demo = demo;
    this.config = config;
    this.env = env;
    this.command = command;
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), `firstcome-${command}-`));
    folders.add(this.folder);
    this.data = path.join(this.folder, "data");
    fs.mkdirSync(path.join(OUT, "logs"), { recursive: true });
    logs += 1;
    const suite = path.basename(process.argv[1] ?? "suite").split(".")[0];
    this.log = path.join(OUT, "logs", `${suite}-${String(logs).padStart(2, "0")}-${command}.log`);
    fs.writeFileSync(this.log, "");
    /** Kept over restarts, so that callers and browsers find it again. */
    this.port = 0;
    this.awsPort = 0;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Where AWS SDKs connect. */
  get aws() {
    if (this.awsPort === 0) throw new Error(`the ready file names no "aws" address, see ${this.log}`);
    return `http://127.0.0.1:${this.awsPort}`;
  }

  get pid() {
    return this.child.pid;
  }

  /** Starts it, for the first time or again, on the port it had before. */
  async restart() {
    const readyFile = path.join(this.folder, "ready.json");
    fs.rmSync(readyFile, { force: true });
    const args = [this.command, "--listen", `127.0.0.1:${this.port}`, "--data", this.data];
    args.push("--ready-file", readyFile);
    if (this.command === "serve") args.push("--aws-listen", `127.0.0.1:${this.awsPort}`);
    if (this.config) args.push("--config", this.config);
    if (this.demo && this.command === "serve") args.push("--demo");
    this.child = launch(args, this.env, this.log, this.under);
    const ready = await until(
      "the server is ready",
      () => {
        if (ended(this.child)) throw new Error(`it ended at its start, see ${this.log}`);
        return readJson(readyFile);
      },
      READY_LIMIT_MS,
    );
    this.port = Number(new URL(ready.http).port);
    if (ready.aws) this.awsPort = Number(new URL(ready.aws).port);
  }

  /** The end that nobody can prepare for. */
  async kill() {
    if (ended(this.child)) return;
    const gone = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await gone;
  }

  /** Stops it in good order; what it leaves behind must be clean. What the audit says of a shop. */
  async stop() {
    let audit;
    if (!ended(this.child)) {
      const gone = once(this.child, "exit");
      this.child.kill("SIGTERM");
      const late = setTimeout(() => this.child.kill("SIGKILL"), STOP_LIMIT_MS);
      const [code, signal] = await gone;
      clearTimeout(late);
      if (code !== 0) throw new Error(`it ended with ${code ?? signal}, see ${this.log}`);
    }
    if (fs.readFileSync(this.log, "utf8").includes("panicked at")) {
      throw new Error(`it panicked, see ${this.log}`);
    }
    if (this.command === "serve") {
      audit = await this.audit();
      if (audit.code !== 0) throw new Error(`audit ended with ${audit.code}:\n${audit.text}`);
    }
    fs.rmSync(this.folder, { recursive: true, force: true });
    return audit?.text;
  }

  /** `firstcome audit` on the store of a server that is not running. */
  audit() {
    return this.prove(["--data", this.data]);
  }

  /** `firstcome audit --certificate`, which needs no server. */
  verify(certificate) {
    const file = path.join(this.folder, "certificate.json");
    fs.writeFileSync(file, certificate);
    return this.prove(["--certificate", file]);
  }

  async prove(args) {
    const log = path.join(this.folder, "audit.log");
    fs.writeFileSync(log, "");
    const child = launch(["audit", ...args], this.env, log);
    const late = setTimeout(() => child.kill("SIGKILL"), AUDIT_LIMIT_MS);
    const [code] = await once(child, "exit");
    clearTimeout(late);
    return { code, text: fs.readFileSync(log, "utf8") };
  }
}

function launch(args, env, log, under = []) {
  const [program, ...rest] = [...under, BINARY, ...args];
  const out = fs.openSync(log, "a");
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("FIRSTCOME_"));
  const child = spawn(program, rest, {
    stdio: ["ignore", out, out],
    env: { ...Object.fromEntries(inherited), RUST_BACKTRACE: "1", ...env },
  });
  fs.closeSync(out);
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

function ended(child) {
  return child.exitCode !== null || child.signalCode !== null;
}

/** The document in a file, or nothing while it is missing or half-written. */
function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}
