// Records what the server answers Amazon's clients, for the tests of crates/wire.
//
//   FIRSTCOME_BIN=$PWD/target/debug/firstcome node tests/e2e/record-answers.mjs FOLDER SUITE [COMMAND...]
//
// It starts a server, stands between it and a suite that asks FIRSTCOME_AWS_ENDPOINT, and when
// the suite has passed writes one answer of each kind: of an action, and of each error of it, the
// one with the most in it. FOLDER is that of the client; a suite is a name below, or a COMMAND of
// your own follows `own`, with the endpoint as its last argument. `--requests` first: the request
// goes beside each answer, byte for byte, since its signature is verified.
//
// In answers, names, ids, times and whatever else differs from run to run is replaced.

import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { Server } from "./lib/server.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const GOLDEN = path.join(HERE, "../../crates/wire/tests/golden");
const VENV = path.join(HERE, "../../target/venv/bin/python");
const SUITES = {
  v2: ["node", "--test", path.join(HERE, "aws-v2.test.mjs")],
  v3: ["node", "--test", path.join(HERE, "aws-v3.test.mjs")],
  consumer: ["node", "--test", path.join(HERE, "aws-consumer.test.mjs")],
  celery: [VENV, "-m", "pytest", "-q", path.join(HERE, "test_aws_celery.py")],
  boto3: [VENV, "-m", "pytest", "-q"].concat(
    ["", "_groups", "_topics"].map((part) => path.join(HERE, `test_aws_boto3${part}.py`)),
  ),
};
// Whole bodies of a mebibyte show no more than short ones.
const BYTES_MAX = 6_000;

const args = process.argv.slice(2);
const withRequests = args[0] === "--requests" && args.shift() !== undefined;
/** Only what this client sends, if the suite runs several; a part of its user agent. */
const agent = args[0]?.startsWith("--agent=") ? args.shift().slice(8) : "";
const [folder, suite, ...own] = args;
const command = suite === "own" ? own : SUITES[suite];
if (!folder || !command) throw new Error("usage: record-answers.mjs [--requests] [--agent=PART] FOLDER SUITE");

const server = await Server.start();
const target = new URL(server.aws);
const seen = new Map();
const proxy = http.createServer(forward);
proxy.listen(0, "127.0.0.1");
await once(proxy, "listening");
const endpoint = `http://127.0.0.1:${proxy.address().port}`;
const child = spawn(command[0], [...command.slice(1), ...(suite === "own" ? [endpoint] : [])], {
  env: { ...process.env, FIRSTCOME_AWS_ENDPOINT: endpoint },
  stdio: ["ignore", "inherit", "inherit"],
});
const [code] = await once(child, "exit");
proxy.closeAllConnections();
proxy.close();
await server.stop();
if (code !== 0) throw new Error(`the suite failed with ${code}; nothing is written`);
for (const [name, { request, answer }] of seen) {
  write(path.join("answers", folder, `${name}.http`), answer);
  if (withRequests) write(path.join(folder, `${name}.http`), request);
}
console.log(`${seen.size} answers in ${path.join(GOLDEN, "answers", folder)}`);

function write(file, bytes) {
  fs.mkdirSync(path.dirname(path.join(GOLDEN, file)), { recursive: true });
  fs.writeFileSync(path.join(GOLDEN, file), bytes);
}

async function forward(incoming, outgoing) {
  const body = await whole(incoming);
  const { method, url } = incoming;
  const asked = http.request({
    host: target.hostname,
    port: target.port,
    method,
    path: url,
    headers: fields(incoming),
    setHost: false,
  });
  outgoing.on("close", () => outgoing.writableFinished || asked.destroy());
  asked.on("error", () => outgoing.destroy());
  asked.on("response", async (response) => {
    const answered = await whole(response);
    keep(incoming, body, response, answered);
    outgoing.writeHead(response.statusCode, fields(response));
    outgoing.end(answered);
  });
  asked.end(body);
}

/** As they were sent: a list of names and values, whose order and letters are kept. */
function fields({ rawHeaders }) {
  return rawHeaders;
}

async function whole(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function keep(incoming, body, response, answered) {
  const asks = String(incoming.headers["user-agent"] ?? "");
  const action = actionOf(incoming, body);
  if (!action || !asks.includes(agent) || body.length + answered.length > BYTES_MAX) return;
  const text = answered.toString();
  const isJson = String(response.headers["content-type"]).includes("json");
  const error = response.statusCode === 200 ? "" : `-${errorOf(response, text)}`;
  const isEmpty = text === "{}" || (!isJson && /Result(\/>|><\/)/.test(text));
  const name = `${action}${error}${action.includes("Receive") && isEmpty ? "-nothing" : ""}`;
  const answer = Buffer.from(head(response) + normal(text));
  const request = Buffer.from(requestHead(incoming));
  const found = { request: Buffer.concat([request, body]), answer, kinds: kinds(text, isJson) };
  const known = seen.get(name);
  if (!known || better(found, known)) seen.set(name, found);
}

function better(one, other) {
  if (one.kinds !== other.kinds) return one.kinds > other.kinds;
  if (one.answer.length !== other.answer.length) return one.answer.length < other.answer.length;
  return Buffer.compare(one.answer, other.answer) < 0;
}

/** How many different members an answer has. */
function kinds(text, isJson) {
  return new Set(text.match(isJson ? /"\w+":/g : /<\w+/g) ?? []).size;
}

function actionOf({ headers, url }, body) {
  const json = headers["x-amz-target"];
  if (json) return `sqs-${json.split(".")[1]}`;
  const form = new URLSearchParams(body.length ? body.toString() : url.split("?")[1]);
  if (!form.get("Action")) return undefined;
  return `${form.get("Version") === "2010-03-31" ? "sns" : "sqs"}-${form.get("Action")}`;
}

function errorOf(response, text) {
  const code =
    response.headers["x-amzn-query-error"]?.split(";")[0] ?? /<Code>([^<]*)/.exec(text)?.[1];
  return code.split(".").at(-1);
}

/** What the codecs decide of a head. */
function head(response) {
  const lines = [`HTTP/1.1 ${response.statusCode}`];
  for (const name of ["content-type", "x-amzn-query-error", "x-amzn-requestid"]) {
    if (response.headers[name]) lines.push(`${name}: ${normal(response.headers[name])}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function requestHead({ method, url, rawHeaders }) {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name, value] = rawHeaders.slice(i, i + 2);
    // The rest of it tells of the machine, and is not signed.
    const isAgent = name.toLowerCase() === "user-agent";
    lines.push(`${name}: ${isAgent ? value.split(" ")[0] : value}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function normal(text) {
  const token = (name) => [new RegExp(`("${name}":"|<${name}>)[^"<]+`, "g"), `$1${name}-1`];
  return [
    [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "00000000-0000-4000-8000-000000000000"],
    [/\b(?:[0-9a-f]{8}|[0-9a-f]{10})-(?=[a-z]+(?![0-9a-f]))/g, "golden-"],
    [/(rust-[a-z]+)-\d{19}/g, "$1-1"],
    [/127\.0\.0\.1:\d+/g, "127.0.0.1:9324"],
    [/\b1[78]\d{11}\b/g, "1795000000000"],
    [/\b1[78]\d{8}\b/g, "1795000000"],
    [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "2026-11-18T11:06:40.000Z"],
    [/\b\d{20}\b/g, "00000000000000000001"],
    [/(\\"Signature\\" : \\"|&quot;Signature&quot; : &quot;)[A-Za-z0-9+/=]+/g, "$1c2lnbmF0dXJl"],
    token("ReceiptHandle"),
    token("TaskHandle"),
    token("NextToken"),
  ].reduce((normalized, [pattern, by]) => normalized.replace(pattern, by), text);
}
