// The hand-made way to sell limited stock, to compare with: Express takes the request, Bull
// queues it in Redis, one worker in the same process decides in order, the stock is a variable.
//
// The original answers "in the queue" at once and pushes the verdict over a socket. Here the
// answer waits for the verdict, so that the load generator counts decisions, not intake; what
// carries the verdict back is a map in memory, which costs less than a socket would.
//
// node server.js --listen 127.0.0.1:0 --redis PORT --ready-file PATH

"use strict";

const fs = require("node:fs");
const Bull = require("bull");
const express = require("express");

const option = (name) => process.argv[process.argv.indexOf(name) + 1];
const [host, port] = option("--listen").split(":");

const STOCK = 1_000_000_000;
let sold = 0;
const waiting = new Map();

const queue = new Bull("orders", {
  redis: { host: "127.0.0.1", port: Number(option("--redis")) },
  defaultJobOptions: { removeOnComplete: true },
});

queue.process(1, async (job) => {
  const status = sold < STOCK ? "accepted" : "sold_out";
  if (status === "accepted") sold += 1;
  return { place: sold, status, customer: job.data.customer };
});

// Bull says so once Redis has the result, which is when the verdict is durable.
queue.on("completed", (job, verdict) => {
  const answer = waiting.get(job.data.ticket);
  waiting.delete(job.data.ticket);
  answer?.status(201).json(verdict);
});

let tickets = 0;
const app = express();
app.disable("etag");
app.use(express.json());
app.post("/buy", async (request, response) => {
  tickets += 1;
  const ticket = tickets;
  waiting.set(ticket, response);
  await queue.add({ ticket, customer: request.body.customer });
});
app.get("/sold", (request, response) => response.json({ sold }));

queue.isReady().then(() => {
  const server = app.listen(Number(port), host, () => {
    const ready = { http: `http://${host}:${server.address().port}` };
    fs.writeFileSync(option("--ready-file"), JSON.stringify(ready));
  });
});
