// The examples do what their READMEs say, with seconds made shorter. The Python half of
// queue-basics is in test_aws_examples.py.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import * as snsSdk from "@aws-sdk/client-sns";

import { KEYS, REGION, startAws, unique } from "./lib/aws.mjs";
import { Example } from "./lib/example.mjs";
import { until } from "./lib/wait.mjs";

let aws;
before(async () => {
  aws = await startAws();
});
after(() => aws?.stop());

const post = async (url, body) => {
  const answer = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  return { status: answer.status, json: await answer.json() };
};

describe("examples", { concurrency: true }, () => {
  describe("queue-basics", { concurrency: true }, () => {
    const basics = (env) =>
      new Example("queue-basics", aws.endpoint, { QUEUE: unique("numbers"), ...env });

    test("the function answers what it can, and 400 to the rest", async () => {
      const example = basics({ PORT: "0" });
      example.assertPinned();
      const started = example.start("function.mjs");
      const url = await example.listening(started);
      assert.deepEqual(await post(url, { input: 1 }), { status: 200, json: 2 });
      assert.deepEqual(await post(url, { input: -1 }), { status: 200, json: 0 });
      for (const body of [
        { input: "apple" },
        { input: 1.5 },
        { input: 2 ** 53 },
        {},
        [1],
        null,
        7,
        { input: 1, more: 2 },
        { input: null },
        "x".repeat(2_000),
      ]) {
        const { status, json } = await post(url, body);
        assert.equal(status, 400, JSON.stringify(body));
        assert.ok(json.error);
      }
      assert.equal((await fetch(url)).status, 405);
      await example.stop(started);
    });

    test("the queue carries the same work; what cannot be done is a dead letter", async () => {
      const example = basics({ TIME_SCALE: "0.1" });
      const inputs = ["1", "2", "3", "-4", "apple", "5", "6", "7", "8", "9", "10", "11"];
      assert.deepEqual(await example.run("producer.mjs", ...inputs), ["sent 12"]);
      const lines = await example.run("consumer.mjs", "--idle", "15");
      // On a machine that is busy one may be delivered twice; none may be left out.
      const done = lines
        .filter((line) => line.startsWith("done"))
        .map((line) => line.split(" (")[0]);
      const expected = inputs
        .filter((input) => input !== "apple")
        .map((input) => `done {"input":${input}} -> ${Number(input) + 1}`);
      assert.deepEqual(new Set(done), new Set(expected));
      assert.equal(lines.filter((line) => line.startsWith("failed apple")).length, 3);
      const letters = await example.run("dead-letters.mjs");
      assert.deepEqual(letters, [`apple from ${example.env.QUEUE}`, "dead letters: 1"]);
    });

    test("work longer than the visibility timeout is done again and again, until it is extended", async () => {
      const example = basics({ TIME_SCALE: "0.2" });
      await example.run("producer.mjs", "7");
      const slow = ["consumer.mjs", "--work", "15", "--idle"];
      const lines = await example.run(...slow, "15");
      for (const delivery of [1, 2, 3]) {
        assert.ok(lines.includes(`received {"input":7} (delivery ${delivery})`), lines.join("\n"));
        assert.ok(lines.includes(`done {"input":7} -> 8 (delivery ${delivery})`), lines.join("\n"));
      }
      assert.equal(lines.length, 6, lines.join("\n"));
      const letters = await example.run("dead-letters.mjs");
      assert.deepEqual(letters, [`{"input":7} from ${example.env.QUEUE}`, "dead letters: 1"]);
      assert.deepEqual(await example.run("dead-letters.mjs", "--redrive"), ["moved 1: COMPLETED"]);
      assert.deepEqual(await example.run(...slow, "5", "--extend"), [
        'received {"input":7} (delivery 1)',
        'done {"input":7} -> 8 (delivery 1)',
      ]);
      assert.deepEqual(await example.run("dead-letters.mjs"), ["dead letters: 0"]);
    });

    test("a consumer that is told to end does so while it waits", async () => {
      const example = basics();
      await example.run("producer.mjs", "1");
      const started = example.start("consumer.mjs");
      await until("it works", () => started.lines.some((line) => line.startsWith("done")));
      await example.stop(started);
    });
  });

  describe("purchases", () => {
    test("each purchase has its points and its parcel, once", async () => {
      const topic = unique("purchases");
      const example = new Example("purchases", aws.endpoint, {
        PORT: "0",
        TOPIC: topic,
        VISIBILITY_TIMEOUT_S: "1",
      });
      example.assertPinned();
      const kept = (name) => {
        const file = path.join(example.programs, `${name}.jsonl`);
        if (!fs.existsSync(file)) return [];
        return fs
          .readFileSync(file, "utf8")
          .split("\n")
          .filter(Boolean)
          .map((line) => JSON.parse(line));
      };
      const publisher = example.start("publisher.mjs");
      const url = `${await example.listening(publisher)}/purchase`;
      let mileage = example.start("mileage.mjs");
      const tracking = example.start("tracking.mjs");
      await Promise.all([example.listening(mileage), example.listening(tracking)]);

      const username = "ada@example.com";
      const prices = [1999, 49, 0, 100, 149, 9_007_199_254_740_991];
      for (const [i, price] of prices.entries()) {
        const { status, json } = await post(url, { id: `p-${i}`, username, price });
        assert.equal(status, 202);
        assert.deepEqual(json, { id: `p-${i}`, username, price, trackingId: `trk-p-${i}` });
      }
      for (const wrong of [{ username, price: -1 }, { username, price: 1.5 }, { price: 1 }, null]) {
        assert.equal((await post(url, wrong)).status, 400, JSON.stringify(wrong));
      }
      await until("all are handled", () =>
        [kept("mileage"), kept("tracking")].every((lines) => lines.length === prices.length),
      );
      const byId = kept("mileage").sort((a, b) => a.id.localeCompare(b.id));
      // 2 % and rounded down, also where a floating-point number would not be exact.
      assert.deepEqual(
        byId.map((line) => line.points),
        [39, 0, 0, 2, 2, 180_143_985_094_819],
      );

      // The same purchase again, by the shop and after a restart, is one purchase.
      await example.stop(mileage);
      mileage = example.start("mileage.mjs");
      await post(url, { id: "p-0", username, price: 1999 });
      await until("it is known", () =>
        [mileage, tracking].every(({ lines }) => lines.includes("again p-0")),
      );
      assert.equal(kept("mileage").length, prices.length);

      // What is no purchase becomes a dead letter of both.
      const credentials = KEYS;
      const sns = new snsSdk.SNSClient({ region: REGION, credentials, endpoint: aws.endpoint });
      const { TopicArn } = await sns.send(new snsSdk.CreateTopicCommand({ Name: topic }));
      await sns.send(new snsSdk.PublishCommand({ TopicArn, Message: "no purchase" }));
      const failures = ({ lines }) => lines.filter((line) => line.startsWith("failed")).length;
      await until("both gave up", () => failures(mileage) === 3 && failures(tracking) === 3);
      await post(url, { id: "p-last", username, price: 50 });
      await until("they go on", () =>
        [mileage, tracking].every(({ lines }) => lines.includes("done p-last")),
      );
      const trackings = kept("tracking")
        .map((line) => line.trackingId)
        .sort();
      assert.deepEqual(
        trackings,
        [...prices.keys(), "last"].map((i) => `trk-p-${i}`),
      );
      for (const program of [publisher, mileage, tracking]) await example.stop(program);
    });
  });
});
