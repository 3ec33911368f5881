// The page of the hand-made system (an e-mail, a button, the live answer) as its users have it in a
// browser: it loads its client from where a Socket.IO server has it, and stands beside the server under
// one origin, as behind any reverse proxy.

import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import net from "node:net";
import { after, before, describe, test } from "node:test";

import { launch, markWindow, openContext, openPage } from "./lib/browser.mjs";
import { createProduct, get, request } from "./lib/http.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Buy</title><link rel="icon" href="data:,"></head>
<body>
<form id="form"><input type="email" id="email" required> <button id="buy">Buy</button></form>
<p id="answer"></p>
<p id="live"></p>
<script src="/socket.io/socket.io.js"></script>
<script>
  const socket = io();
  const say = (id, text) => { document.getElementById(id).textContent = text; };
  document.getElementById("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const email = document.getElementById("email").value;
    socket.on(email + "-send", (text) => say("live", text));
    const response = await fetch("/buy", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ email }),
    });
    say("answer", (await response.json()).message);
  });
</script>
</body>
</html>`;

/** The page at /, and everything else from the server behind it. */
async function reverseProxy(server) {
  const front = http.createServer((incoming, outgoing) => {
    if (incoming.url === "/") {
      outgoing.setHeader("content-type", "text/html; charset=utf-8");
      outgoing.end(PAGE);
      return;
    }
    const { method, headers } = incoming;
    const onward = http.request(server.url + incoming.url, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  });
  const sockets = new Set();
  front.on("upgrade", (incoming, socket, head) => {
    const onward = net.connect(server.port, "127.0.0.1", () => {
      const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
      for (let n = 0; n < incoming.rawHeaders.length; n += 2) {
        lines.push(`${incoming.rawHeaders[n]}: ${incoming.rawHeaders[n + 1]}`);
      }
      onward.write(`${lines.join("\r\n")}\r\n\r\n`);
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    for (const one of [socket, onward]) {
      sockets.add(one);
      one.on("error", () => {});
      one.on("close", () => {
        sockets.delete(one);
        (one === socket ? onward : socket).destroy();
      });
    }
  });
  await new Promise((resolve) => front.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${front.address().port}`,
    close() {
      for (const socket of sockets) socket.destroy();
      front.closeAllConnections();
      return new Promise((resolve) => front.close(resolve));
    },
  };
}

describe("the hand-made system's page", () => {
  let server;
  let proxy;
  let browser;
  before(async () => {
    server = await Server.start({ env: { FIRSTCOME_BUY__SKU: "BUY-1" } });
    await createProduct(server, "BUY-1", { stock: 1 });
    proxy = await reverseProxy(server);
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await proxy?.close();
    await server?.stop();
  });

  test("two windows: an answer at once, then the text that says accepted or sold out", async () => {
    const windows = [];
    for (const who of ["ada", "bob"]) {
      const page = await openPage(await openContext(browser), `${proxy.url}/`);
      await page.waitForFunction(() => socket.connected);
      await page.locator("#email").fill(`${who}@example.com`);
      windows.push({ page, same: await markWindow(page) });
    }
    await Promise.all(windows.map(({ page }) => page.locator("#buy").click()));
    const shown = (page, id) => page.locator(id).innerText();
    for (const { page } of windows) {
      await until("the answer", async () => (await shown(page, "#answer")) !== "");
      await until("the verdict", async () => (await shown(page, "#live")) !== "");
    }
    const verdicts = await Promise.all(windows.map(({ page }) => shown(page, "#live")));
    assert.deepEqual(verdicts.toSorted(), ["accepted", "sold out"]);
    for (const { page, same } of windows) {
      await same();
      assert.deepEqual(page.errors, []);
    }
    const product = await get(server, "/products/BUY-1");
    assert.deepEqual([product.allocated, product.lastPlace], [1, 2]);
  });

  test("a window that has both connections has its verdict from the better one", async () => {
    const page = await openPage(await openContext(browser), `${proxy.url}/`);
    await page.waitForFunction(() => socket.io.engine?.transport.name === "websocket");
    await page.locator("#email").fill("cleo@example.com");
    await page.locator("#buy").click();
    await until("the verdict", async () => (await page.locator("#live").innerText()) === "sold out");
  });

  test("the client is npm's, byte for byte, and asked for again only when it has changed", async () => {
    const package_ = createRequire(import.meta.url).resolve("socket.io-client/package.json");
    const client = fs.readFileSync(package_.replace("package.json", "dist/socket.io.min.js"), "utf8");
    for (const name of ["socket.io.js", "socket.io.min.js"]) {
      const answer = await request("GET", `${server.url}/socket.io/${name}`);
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["content-type"], "text/javascript; charset=utf-8");
      assert.ok(answer.text === client, `${name} is another one`);
      const headers = { "if-none-match": answer.headers.etag };
      assert.equal((await request("GET", `${server.url}/socket.io/${name}`, { headers })).status, 304);
    }
  });
});
