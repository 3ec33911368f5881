// The work as an HTTP function: POST { "input": 1 } is answered with 2, at once, and with
// 400 when it is anything else. Whoever calls has to wait, and to call again when it fails.

import http from "node:http";

import { plusOne } from "./work.mjs";

const BODY_BYTES_MAX = 1_024;

const server = http.createServer((request, response) => {
  if (request.method !== "POST") return answer(response, 405, { error: "POST a number" });
  const chunks = [];
  let length = 0;
  request.on("data", (chunk) => {
    length += chunk.length;
    if (length <= BODY_BYTES_MAX) chunks.push(chunk);
  });
  request.on("end", () => {
    if (length > BODY_BYTES_MAX) return answer(response, 400, { error: "that is too long" });
    try {
      answer(response, 200, plusOne(Buffer.concat(chunks).toString("utf8")));
    } catch (error) {
      answer(response, 400, { error: error.message });
    }
  });
});

function answer(response, status, value) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
process.on("SIGTERM", () => server.close());
