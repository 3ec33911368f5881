// Socket.IO v4 with the ordinary client, as an existing page would use it: rooms with
// acknowledgement, resuming after a lost connection, and the answers by e-mail of the
// hand-made system that this server replaces.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { io } from "socket.io-client";

import { createProduct, order, receive, request } from "./lib/http.mjs";
import { Server } from "./lib/server.mjs";
import { inParallel, until } from "./lib/wait.mjs";

const ACK_LIMIT_MS = 5_000;

describe("socket.io", { concurrency: true }, () => {
  let server;
  const sockets = [];
  before(async () => {
    server = await Server.start({ env: { FIRSTCOME_BUY__SKU: "BUY-1" } });
  });
  after(async () => {
    for (const socket of sockets) socket.disconnect();
    await server.stop();
  });

  /** A connected client that remembers every event it hears. */
  async function client(options = {}) {
    const socket = io(server.url, { reconnectionDelay: 50, forceNew: true, ...options });
    sockets.push(socket);
    socket.heard = [];
    socket.onAny((type, data) => socket.heard.push({ type, data }));
    await until("connected", () => socket.connected);
    return socket;
  }

  const ask = (socket, ...args) => socket.timeout(ACK_LIMIT_MS).emitWithAck(...args);
  const orders = (socket) => socket.heard.filter((e) => e.type === "order").map((e) => e.data);

  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    test(`an order's room brings its verdict over ${transports.join(", then ")}`, async () => {
      const sku = `IO-${transports.join("-")}`;
      await createProduct(server, sku, { whenSoldOut: "wait" });
      const placed = await order(server, sku, "room@example.com");
      assert.equal(placed.status, 202);
      const socket = await client({ transports });
      const room = `orders/${placed.json.id}`;
      const ack = await ask(socket, "subscribe", room, {});
      assert.equal(ack.ok, true, JSON.stringify(ack));
      assert.equal(ack.room, room);
      assert.equal(typeof ack.seq, "number");
      await receive(server, sku, 1, "goods");
      const verdict = await until("the verdict", () =>
        orders(socket).find((o) => o.status === "accepted"),
      );
      assert.equal(verdict.id, placed.json.id);
      assert.equal(verdict.place, 1);
    });
  }

  test("a product's room brings every order of that product, in order, and no other's", async () => {
    await createProduct(server, "IO-P", { stock: 30 });
    await createProduct(server, "IO-Q", { stock: 30 });
    const socket = await client();
    // The options may be left out.
    const ack = await ask(socket, "subscribe", "products/IO-P");
    assert.equal(ack.ok, true, JSON.stringify(ack));
    const customers = Array.from({ length: 40 }, (_, i) => `io-p-${i}@example.com`);
    await inParallel(8, customers, async (customer) => {
      await order(server, "IO-P", customer);
      await order(server, "IO-Q", customer);
    });
    const heard = await until("all orders", () => {
      const found = socket.heard.filter((e) => /^order\.(accepted|sold_out)$/.test(e.type));
      return found.length >= 40 && found;
    });
    assert.deepEqual(heard.map((e) => e.data.place), customers.map((_, i) => i + 1));
    assert.equal(heard.filter((e) => e.type === "order.accepted").length, 30);
    assert.ok(heard.every((e) => e.data.sku === "IO-P" && e.data.type === e.type));
    assert.ok(heard.every((e) => e.data.seq > ack.seq));
  });

  test("an auction's room brings bids, who was outbid, each extension, the reserve, and the close with its result", async () => {
    // Time enough for two bids, each of which moves the end.
    const now = Date.now();
    const at = (ms) => new Date(now + ms).toISOString();
    const auction = await request("POST", `${server.url}/auctions`, {
      body: {
        product: "Guitar",
        startingPrice: 100,
        currency: "EUR",
        increment: 10,
        reservePrice: 300,
        endTime: at(9_000),
        softClose: { windowMs: 60_000, extendMs: 9_500, hardEnd: at(11_000) },
      },
    });
    assert.equal(auction.status, 201, auction.text);
    const { id, endTime } = auction.json;
    const room = `auctions/${id}`;
    const [bidder, stranger] = [await client(), await client()];
    for (const socket of [bidder, stranger]) {
      const ack = await ask(socket, "subscribe", room);
      assert.equal(ack.ok, true, JSON.stringify(ack));
    }
    const place = async (bidderId, bidAmount) => {
      const body = { auctionId: id, bidderId, bidAmount };
      const answer = await request("POST", `${server.url}/bids`, { body });
      assert.equal(answer.status, 201, answer.text);
      return answer.json;
    };
    const ada = await place("ada@example.com", 200);
    assert.equal((await ask(bidder, "subscribe", `bids/${ada.id}`)).ok, true);
    const bob = await place("bob@example.com", 400);
    // Names that other tests listen for are told to every socket.
    const told = (socket) => socket.heard.map((e) => e.data).filter((data) => data?.auction === id);
    const heard = await until("the close", () => {
      const closed = stranger.heard.some((e) => e.type === "auction.closed");
      return closed && told(stranger);
    }, 30_000);
    const [first, second, ...rest] = heard.filter((data) => data.type !== "auction.closing_soon");
    assert.deepEqual(rest.map((data) => data.type), ["auction.closed"]);
    for (const data of [first, second]) {
      assert.equal(data.type, "bid.accepted");
      assert.equal(data.auction, id);
      assert.equal(data.extended, true);
    }
    assert.deepEqual([first.bidder, first.price, first.reserveMet], [ada.bidderName, 200, undefined]);
    assert.ok(first.endsAt > Date.parse(endTime), "the end is moved");
    assert.ok(second.endsAt > first.endsAt, "and again");
    assert.deepEqual([second.bidder, second.price, second.reserveMet], [bob.bidderName, 400, true]);
    assert.deepEqual(second.outbid, [ada.bidderName]);
    const [closed] = rest;
    assert.deepEqual(
      [closed.status, closed.reason, closed.price, closed.endsAt],
      ["closed", "end_time", 400, second.endsAt],
    );
    assert.deepEqual(closed.winners, [{ bidder: bob.bidderName, no: 2, price: 400 }]);
    // The room of the bid tells its bidder of two of them too: outbid, and the result.
    const both = [...heard, second, closed].map((data) => data.seq).sort((a, b) => a - b);
    const seqs = () => told(bidder).map((data) => data.seq);
    await until("the bidder hears it too", () => seqs().length >= both.length);
    assert.deepEqual(seqs().sort((a, b) => a - b), both);
    const own = bidder.heard.find((e) => e.type === "bid");
    assert.equal(own.data.id, ada.id);
    assert.ok(stranger.heard.every((e) => e.type !== "bid"), "a bid's id is its bidder's alone");
  });

  test("a lost connection is resumed with since: what was missed comes, nothing twice", async () => {
    await createProduct(server, "IO-R", { stock: 1000 });
    const socket = await client({ transports: ["websocket"] });
    let seq;
    let connections = 0;
    const places = [];
    socket.on("order.accepted", (data) => {
      places.push(data.place);
      seq = data.seq;
    });
    const subscribe = async () => {
      const ack = await ask(socket, "subscribe", "products/IO-R", { since: seq });
      assert.equal(ack.ok, true, JSON.stringify(ack));
      // From the first acknowledgement on, what was heard last is where to resume.
      seq ??= ack.seq;
      connections += 1;
    };
    await subscribe();
    socket.on("connect", subscribe);

    let placed = 0;
    const sell = async (count) => {
      const customers = Array.from({ length: count }, () => `io-r-${placed++}@example.com`);
      await inParallel(8, customers, (customer) => order(server, "IO-R", customer));
    };
    for (let round = 1; round <= 5; round += 1) {
      const selling = sell(20);
      // The network goes away in the middle of it, without a good-bye.
      socket.io.engine.close();
      await selling;
      await sell(5);
      await until("subscribed again", () => connections === round + 1);
    }
    await until("everything", () => places.length >= placed);
    assert.deepEqual(places, Array.from({ length: placed }, (_, i) => i + 1));
  });

  test("an order's verdict that fell while the client was away is there after resuming", async () => {
    await createProduct(server, "IO-V", { whenSoldOut: "wait" });
    const placed = await order(server, "IO-V", "away@example.com");
    const room = `orders/${placed.json.id}`;
    const first = await client();
    const ack = await ask(first, "subscribe", room, {});
    first.disconnect();
    await receive(server, "IO-V", 1, "goods");
    const second = await client();
    assert.equal((await ask(second, "subscribe", room, { since: ack.seq })).ok, true);
    await until("accepted", () => orders(second).some((o) => o.status === "accepted"));
  });

  test("a room that cannot be joined is refused with a code", async () => {
    await createProduct(server, "IO-B", { stock: 1 });
    const placed = await order(server, "IO-B", "bad@example.com");
    const id = placed.json.id;
    const wrong = id.slice(0, -1) + (id.at(-1) === "0" ? "1" : "0");
    const socket = await client();
    const rooms = [
      [`orders/${wrong}`, "order_not_found"],
      ["orders/ord_1", "order_not_found"],
      ["orders/", "order_not_found"],
      ["products/NO-SUCH", "product_not_found"],
      ["products/", undefined],
      ["", undefined],
      ["everything", undefined],
      ["events", undefined],
      ["customers/bad@example.com", undefined],
      [`products/${"x".repeat(10_000)}`, undefined],
      [17, undefined],
      [null, undefined],
      [{ room: "products/IO-B" }, undefined],
    ];
    for (const [room, code] of rooms) {
      const name = JSON.stringify(room)?.slice(0, 60);
      const ack = await ask(socket, "subscribe", room, {});
      assert.equal(ack.ok, false, `${name}: ${JSON.stringify(ack)}`);
      assert.equal(typeof ack.code, "string", name);
      assert.equal(typeof ack.detail, "string", name);
      if (code) assert.equal(ack.code, code, name);
    }
    for (const options of [{ since: "abc" }, { since: -1 }, { since: 1.5 }, 7, "x"]) {
      const ack = await ask(socket, "subscribe", "products/IO-B", options);
      assert.equal(typeof ack.ok, "boolean", JSON.stringify(options));
    }
    // Without an acknowledgement there is nobody to tell; the connection stays.
    socket.emit("subscribe");
    socket.emit("subscribe", "nowhere");
    socket.emit("no-such-event", { a: 1 });
    assert.equal((await ask(socket, "subscribe", "products/IO-B", {})).ok, true);
  });

  test("unsubscribe leaves the room", async () => {
    await createProduct(server, "IO-U", { stock: 9 });
    const [leaver, stayer] = [await client(), await client()];
    for (const socket of [leaver, stayer]) await ask(socket, "subscribe", "products/IO-U", {});
    await order(server, "IO-U", "one@example.com");
    const heard = (socket) => socket.heard.filter((e) => e.data?.sku === "IO-U").length;
    await until("both heard it", () => heard(leaver) === 1 && heard(stayer) === 1);
    const ack = await ask(leaver, "unsubscribe", "products/IO-U");
    assert.equal(ack.ok, true, JSON.stringify(ack));
    await order(server, "IO-U", "two@example.com");
    await until("one heard it", () => heard(stayer) === 2);
    // What was sent on the same connection later has overtaken nothing.
    await ask(leaver, "subscribe", "products/IO-B", {}).catch(() => {});
    assert.equal(heard(leaver), 1);
  });

  test("the hand-made system's client: /buy answers at once, the e-mail's event tells", async () => {
    await createProduct(server, "BUY-1", { stock: 5 });
    const buyers = Array.from({ length: 40 }, (_, i) => `buyer${i}@example.com`);
    const heard = new Map(buyers.map((email) => [email, []]));
    // Each buyer's page has its own connection and listens to its own name.
    await inParallel(10, buyers, async (email) => {
      const socket = await client({ transports: ["websocket"] });
      socket.on(`${email}-send`, (text) => heard.get(email).push(text));
    });
    const answers = await inParallel(20, buyers, (email) =>
      request("POST", `${server.url}/buy`, { body: { email } }),
    );
    for (const answer of answers) {
      assert.equal(answer.status, 202, answer.text);
      assert.equal(typeof answer.json.message, "string");
      assert.ok(answer.json.message.length > 0);
      assert.match(answer.json.order.id, /^ord_/);
    }
    await until("every buyer heard", () => [...heard.values()].every((texts) => texts.length > 0));
    let accepted = 0;
    for (const [index, email] of buyers.entries()) {
      const { json } = await request("GET", `${server.url}/orders/${answers[index].json.order.id}`);
      const expected = { accepted: "accepted", sold_out: "sold out" }[json.status];
      assert.deepEqual(heard.get(email), [expected], email);
      accepted += json.status === "accepted" ? 1 : 0;
    }
    assert.equal(accepted, 5);
  });

  test("a rush: each of many sockets hears each of many verdicts once", async () => {
    await createProduct(server, "BUY-RUSH", { stock: 300 });
    const sockets = await inParallel(10, Array.from({ length: 60 }), () =>
      client({ transports: ["websocket"] }),
    );
    const buyers = Array.from({ length: 1_000 }, (_, i) => `rush${i}@example.com`);
    await inParallel(64, buyers, async (email) => {
      const answer = await request("POST", `${server.url}/buy`, { body: { email, sku: "BUY-RUSH" } });
      assert.equal(answer.status, 202, answer.text);
    });
    const names = buyers.map((email) => `${email}-send`).toSorted();
    const rush = (socket) => socket.heard.filter((event) => event.type.startsWith("rush"));
    await until("each socket heard", () => sockets.every((socket) => rush(socket).length >= 1_000), 60_000);
    for (const socket of sockets) {
      const heard = rush(socket);
      assert.deepEqual(heard.map((event) => event.type).toSorted(), names);
      assert.equal(heard.filter((event) => event.data === "accepted").length, 300);
      assert.equal(heard.filter((event) => event.data === "sold out").length, 700);
    }
  });

  test("/buy speaks the buyer's language", async () => {
    await createProduct(server, "BUY-KO", { stock: 5 });
    const buy = (language) =>
      request("POST", `${server.url}/buy`, {
        body: { email: `${language}@example.com`, sku: "BUY-KO" },
        headers: { "accept-language": language },
      });
    assert.match((await buy("ko-KR,ko;q=0.9,en;q=0.5")).json.message, /[가-힣]/);
    assert.match((await buy("en-US,en;q=0.9")).json.message, /^[\x20-\x7e]+$/);
    assert.match((await buy("xx")).json.message, /^[\x20-\x7e]+$/);
  });
});

describe("without the setting", () => {
  test("nobody hears of another's e-mail", async () => {
    const server = await Server.start({ env: { FIRSTCOME_REALTIME__EMAIL_SEND: "false" } });
    await createProduct(server, "BUY-OFF", { stock: 1 });
    const socket = io(server.url, { forceNew: true });
    try {
      const heard = [];
      socket.onAny((type) => heard.push(type));
      await until("connected", () => socket.connected);
      await socket.timeout(ACK_LIMIT_MS).emitWithAck("subscribe", "products/BUY-OFF", {});
      const body = { email: "quiet@example.com", sku: "BUY-OFF" };
      const answer = await request("POST", `${server.url}/buy`, { body });
      assert.equal(answer.status, 202, answer.text);
      await until("the product's event", () => heard.includes("order.accepted"));
      assert.equal((await order(server, "BUY-OFF", "x@example.com")).status, 409);
      await until("the next event", () => heard.includes("order.sold_out"));
      assert.ok(!heard.some((type) => type.endsWith("-send")), heard.join());
    } finally {
      socket.disconnect();
      await server.stop();
    }
  });
});
