// The HTTP contract as a client writes it, on kept-alive connections of a bounded number.

import assert from "node:assert/strict";
import http from "node:http";

const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
const REQUEST_LIMIT_MS = 30_000;

/** One exchange: `{status, headers, json}`; fails when the connection does. */
export function request(method, url, { body, headers = {} } = {}) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  if (text !== undefined) headers = { "content-type": "application/json", ...headers };
  return new Promise((resolve, reject) => {
    const sent = http.request(url, { method, headers, agent, timeout: REQUEST_LIMIT_MS });
    sent.on("timeout", () => sent.destroy(new Error(`no answer: ${method} ${url}`)));
    sent.on("error", reject);
    sent.on("response", (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("aborted", () => reject(new Error("the answer was cut off")));
      answer.on("end", () => {
        const received = Buffer.concat(chunks).toString("utf8");
        const isJson = /json/.test(answer.headers["content-type"] ?? "");
        try {
          const json = isJson ? JSON.parse(received) : undefined;
          resolve({ status: answer.statusCode, headers: answer.headers, json, text: received });
        } catch (error) {
          reject(error);
        }
      });
    });
    sent.end(text);
  });
}

/** A GET that must succeed. */
export async function get(server, path) {
  const answer = await request("GET", server.url + path);
  assert.equal(answer.status, 200, `GET ${path}: ${answer.text}`);
  return answer.json;
}

/** A product of 1 EUR with what the test needs. */
export async function createProduct(server, sku, fields = {}) {
  const body = { sku, name: `Test ${sku}`, price: 100, currency: "EUR", stock: 0, ...fields };
  const answer = await request("POST", `${server.url}/products`, { body });
  assert.equal(answer.status, 201, answer.text);
  return answer.json;
}

/** An order; the verdict is for the caller to look at. */
export function order(server, sku, customer, { quantity, headers } = {}) {
  return request("POST", `${server.url}/orders`, { body: { sku, customer, quantity }, headers });
}

/** Goods arrive. */
export async function receive(server, sku, quantity, reference) {
  const body = { quantity, reference };
  const answer = await request("POST", `${server.url}/products/${sku}/receipts`, { body });
  assert.equal(answer.status, 201, answer.text);
  return answer.json;
}
