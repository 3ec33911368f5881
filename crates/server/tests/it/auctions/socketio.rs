//! Socket.IO rooms of auctions and bids, over the long-polling transport (Engine.IO v4,
//! Socket.IO v5 protocol): packets are texts, divided by the record separator.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{bid_body, id, name, open, own, taken};
use crate::harness::client::{Answer, Connection};
use crate::harness::{Settings, Shop};

const PATH: &str = "/socket.io/?EIO=4&transport=polling";
const SEPARATOR: char = '\u{1e}';

struct Socket<'a> {
    shop: &'a Shop,
    polls: Connection,
    path: String,
    ready: VecDeque<String>,
    asked: u32,
}

impl<'a> Socket<'a> {
    async fn open(shop: &'a Shop) -> Self {
        let mut polls = shop.connect().await;
        let hello = polls.send("GET", PATH, &[], None).await.unwrap();
        let hello: Value = serde_json::from_str(&hello.body[1..]).unwrap();
        let path = format!("{PATH}&sid={}", hello["sid"].as_str().unwrap());
        let mut socket = Self {
            shop,
            polls,
            path,
            ready: VecDeque::new(),
            asked: 0,
        };
        socket.send("40").await;
        assert!(socket.packet().await.starts_with("40"));
        socket
    }

    async fn send(&self, packet: &str) {
        let mut connection = self.shop.connect().await;
        let text = [("content-type", "text/plain")];
        let answer: Answer = connection
            .send("POST", &self.path, &text, Some(packet))
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// The next packet but for pings, which are answered.
    async fn packet(&mut self) -> String {
        loop {
            match self.ready.pop_front() {
                Some(ping) if ping == "2" => self.send("3").await,
                Some(packet) => return packet,
                None => {
                    let polled = self.polls.send("GET", &self.path, &[], None).await.unwrap();
                    assert_eq!(polled.status, 200, "{}", polled.body);
                    let packets = polled.body.split(SEPARATOR).map(str::to_owned);
                    self.ready.extend(packets);
                }
            }
        }
    }

    /// Asks and waits for the acknowledgement; events that come before it are kept.
    async fn ask(&mut self, arguments: Value) -> Value {
        let number = self.asked;
        self.asked += 1;
        self.send(&format!("42{number}{arguments}")).await;
        let acknowledged = format!("43{number}");
        let mut early = VecDeque::new();
        loop {
            let packet = self.packet().await;
            if let Some(answer) = packet.strip_prefix(&acknowledged) {
                early.append(&mut self.ready);
                self.ready = early;
                let answer: Value = serde_json::from_str(answer).unwrap();
                return answer[0].clone();
            }
            early.push_back(packet);
        }
    }

    async fn event(&mut self) -> (String, Value) {
        let packet = self.packet().await;
        let event: Value = serde_json::from_str(packet.strip_prefix("42").unwrap()).unwrap();
        (event[0].as_str().unwrap().to_owned(), event[1].clone())
    }
}

#[tokio::test]
async fn an_auction_s_room_tells_its_events_and_resumes() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    let room = format!("auctions/{}", id(&guitar));
    let mut socket = Socket::open(&shop).await;
    let entered = socket.ask(json!(["subscribe", room])).await;
    assert_eq!(entered["ok"], true, "{entered}");
    assert_eq!(entered["room"], room);
    let ada = taken(&shop, &guitar, "ada", 100).await;
    let (kind, data) = socket.event().await;
    assert_eq!(kind, "bid.accepted");
    assert_eq!(data["bidder"], name(&ada));
    let mut stream = shop
        .events(&format!(
            "/auctions/{}/events?since={}",
            id(&guitar),
            entered["seq"]
        ))
        .await;
    assert_eq!(stream.next().await.unwrap().data, data, "as in the stream");

    // Away for a while, and back with the last sequence that was seen.
    let left = socket.ask(json!(["unsubscribe", room])).await;
    assert_eq!(left["ok"], true);
    taken(&shop, &guitar, "bob", 200).await;
    taken(&shop, &guitar, "ada", 300).await;
    let mut socket = Socket::open(&shop).await;
    let since = json!({"since": data["seq"]});
    let back = socket.ask(json!(["subscribe", room, since])).await;
    assert_eq!(back["ok"], true);
    for price in [200, 300] {
        let (kind, data) = socket.event().await;
        assert_eq!(
            (kind.as_str(), &data["price"]),
            ("bid.accepted", &json!(price))
        );
    }
    // Who only looks is told how it stands, in a room beside that one.
    let looks = format!("{room}/latest");
    let entered = socket.ask(json!(["subscribe", looks])).await;
    assert_eq!(
        (&entered["ok"], &entered["room"]),
        (&json!(true), &json!(looks))
    );
    let mut stream = shop
        .events(&format!("/auctions/{}/events?latest=true", id(&guitar)))
        .await;
    for price in [300, 400] {
        let (kind, data) = loop {
            let (kind, data) = socket.event().await;
            if kind == "auction" {
                break (kind, data);
            }
            assert_eq!(
                (kind.as_str(), &data["price"]),
                ("bid.accepted", &json!(price))
            );
        };
        assert_eq!(
            (kind.as_str(), &data["currentPrice"]),
            ("auction", &json!(price))
        );
        let event = stream.next().await.unwrap();
        for member in ["seq", "leaders", "bids", "bidCount", "endTime"] {
            assert_eq!(event.data[member], data[member], "as in the stream");
        }
        if price == 300 {
            taken(&shop, &guitar, "bob", 400).await;
        }
    }
    for (room, code) in [
        ("orders/ord_1/latest", "not_found"),
        ("bids/bid_1/latest", "not_found"),
        ("auctions/auc_1/latest", "auction_not_found"),
        ("auctions/auc_1", "auction_not_found"),
        (
            "auctions/auc_00000000000000000000000000",
            "auction_not_found",
        ),
        ("bids/1", "bid_not_found"),
        ("bids/bid_00000000000000000000000000", "bid_not_found"),
        ("lots/1", "not_found"),
    ] {
        let refused = socket.ask(json!(["subscribe", room])).await;
        assert_eq!(
            (&refused["ok"], &refused["code"]),
            (&json!(false), &json!(code))
        );
    }
}

#[tokio::test]
async fn a_bid_s_room_tells_its_bidder_and_nobody_else() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    let body = bid_body(&guitar, "ada", 100);
    let ada = shop.post("/bid", &body).await.expect(202);
    super::decided(&shop, &ada).await;
    let mut socket = Socket::open(&shop).await;
    let room = format!("bids/{}", id(&ada));
    let entered = socket.ask(json!(["subscribe", room])).await;
    assert_eq!(entered["ok"], true, "{entered}");
    let (kind, data) = socket.event().await;
    assert_eq!((kind.as_str(), &data["status"]), ("bid", &json!("leading")));
    assert_eq!(data["id"], ada["id"]);
    let bob = taken(&shop, &guitar, "bob", 200).await;
    taken(&shop, &guitar, "carl", 300).await;
    let (kind, data) = socket.event().await;
    assert_eq!(kind, "bid.accepted");
    assert_eq!(data["outbid"], json!([name(&ada)]));
    assert_eq!(data["bidder"], name(&bob));
    assert_eq!(own(&shop, &ada).await["status"], "outbid");
    taken(&shop, &guitar, "ada", 400).await;
    taken(&shop, &guitar, "bob", 500).await;
    let (_, data) = socket.event().await;
    assert_eq!(data["price"], 500, "carl's bid was none of ada's concern");
}

#[tokio::test]
async fn wrong_options_of_a_subscription_are_refused_and_no_room_is_joined() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    let room = format!("auctions/{}", id(&guitar));
    let mut socket = Socket::open(&shop).await;
    for (options, field) in [
        (json!({"since": 1.0}), json!("since")),
        (json!({"since": -1}), json!("since")),
        (json!({"since": "-1"}), json!("since")),
        (json!({"since": ""}), json!("since")),
        (json!({"since": true}), json!("since")),
        (json!({"foo": 1}), json!("foo")),
        (json!({"since": 0, "foo": 1}), json!("foo")),
        (json!([0]), Value::Null),
        (json!("0"), Value::Null),
    ] {
        let refused = socket.ask(json!(["subscribe", room, options])).await;
        assert_eq!(refused["ok"], false, "{options}: {refused}");
        assert_eq!(refused["code"], "invalid_parameter");
        assert_eq!(refused["field"], field, "{options}");
        let left = socket.ask(json!(["unsubscribe", room])).await;
        assert_eq!(left["ok"], false, "{options}: it is in no room");
    }
    for arguments in [json!([]), json!([1]), json!([room, {}, 1])] {
        let mut packet = vec![json!("subscribe")];
        packet.extend(arguments.as_array().unwrap().iter().cloned());
        let refused = socket.ask(Value::from(packet)).await;
        assert_eq!(refused["code"], "invalid_parameter", "{arguments}");
    }
    for options in [json!({"since": 0}), json!({"since": "0"})] {
        let mut socket = Socket::open(&shop).await;
        let entered = socket.ask(json!(["subscribe", room, options])).await;
        assert_eq!(entered["ok"], true, "{options}: {entered}");
        assert_eq!(socket.event().await.0, "auction.created", "{options}");
    }
    for options in [json!({}), Value::Null, json!({"since": null})] {
        let entered = socket.ask(json!(["subscribe", room, options])).await;
        assert_eq!(entered["ok"], true, "{options}: {entered}");
    }
}
