//! Auctions and queues: bids that somebody sends over SQS to `bids.fifo`, and what happened to
//! auctions, through the topic `auctions`.

use serde_json::{Value, json};

use super::{after_ms, auction, becomes, bid_body, bids, delete, id, open, own, with, without};
use crate::aws::client::{Client, Wire};
use crate::aws::xml::Node;
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

const QUEUE: &str = "bids.fifo";
const DEAD_LETTERS: &str = "bids-dlq.fifo";

/// Whoever sends bids over SQS.
pub(super) struct Sender {
    pub(super) sqs: Client,
    pub(super) url: String,
}

impl Sender {
    pub(super) async fn new(shop: &Shop) -> Self {
        let sqs = Client::new(shop, Wire::Json);
        let found = sqs.ok("GetQueueUrl", json!({"QueueName": QUEUE})).await;
        let url = found["QueueUrl"].as_str().unwrap().to_owned();
        Self { sqs, url }
    }

    async fn send(&self, group: &str, body: &str) {
        let message = json!({
            "QueueUrl": self.url, "MessageBody": body, "MessageGroupId": group,
        });
        self.sqs.ok("SendMessage", message).await;
    }

    /// As it is meant to be: in the group of its auction.
    pub(super) async fn send_bid(&self, body: &Value) {
        let group = body["auctionId"].as_str().unwrap();
        self.send(group, &body.to_string()).await;
    }

    /// All in one request, in this order.
    async fn send_bids(&self, of: &Value, bodies: impl IntoIterator<Item = Value>) {
        let entries: Vec<Value> = bodies
            .into_iter()
            .enumerate()
            .map(|(at, body)| {
                json!({
                    "Id": format!("entry-{at}"), "MessageBody": body.to_string(),
                    "MessageGroupId": id(of),
                })
            })
            .collect();
        let count = entries.len();
        let batch = json!({"QueueUrl": self.url, "Entries": entries});
        let sent = self.sqs.ok("SendMessageBatch", batch).await;
        assert_eq!(sent["Successful"].as_array().unwrap().len(), count);
    }
}

/// A message goes in the commit of its verdict, so what was sent has been decided by then.
pub(super) async fn all_decided(shop: &Shop) {
    eventually("no bid waits", async || {
        let path = format!("/ops/queues/{QUEUE}");
        let queue = shop.get(&path).await.expect(200);
        (queue["total"] == 0).then_some(())
    })
    .await;
}

pub(super) async fn dead_letters(shop: &Shop) -> Vec<Value> {
    let path = format!("/ops/queues/{DEAD_LETTERS}/messages");
    let page = shop.get(&path).await.expect(200);
    page["messages"].as_array().unwrap().clone()
}

pub(super) async fn amounts(shop: &Shop, of: &Value) -> Vec<i64> {
    let bids = bids(shop, of).await.into_iter();
    bids.map(|bid| bid["bidAmount"].as_i64().unwrap()).collect()
}

/// Why bids on this auction were refused, oldest first.
pub(super) async fn refusals(shop: &Shop, of: &Value) -> Vec<String> {
    let path = format!("/auctions/{}/certificate", id(of));
    let certificate = shop.get(&path).await.expect(200);
    let entries = certificate["entries"].as_array().unwrap().iter();
    let refused = entries.filter(|entry| entry["kind"] == "bid.refused");
    refused
        .map(|entry| {
            let data: Value = serde_json::from_str(entry["data"].as_str().unwrap()).unwrap();
            data["reason"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn a_bid_sent_over_sqs_is_decided() {
    let shop = Shop::start(Settings::new()).await;
    let sender = Sender::new(&shop).await;
    let guitar = open(&shop, json!({})).await;
    sender
        .send_bid(&bid_body(&guitar, "ada@example.com", 200))
        .await;
    all_decided(&shop).await;
    let all = bids(&shop, &guitar).await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["no"], 1);
    assert_eq!(all[0]["auctionId"], guitar["id"]);
    assert_eq!(all[0]["bidAmount"], 200);
    assert_eq!(all[0]["status"], "leading");
    let masked = all[0]["bidderId"].as_str().unwrap();
    assert!(masked.starts_with("bidder-"), "{masked}");

    let before = auction(&shop, &guitar).await;
    assert_eq!(before["currentHighestBid"], 200);
    assert_eq!(before["highestBidder"], masked);
    sender
        .send_bid(&bid_body(&guitar, "bob@example.com", 150))
        .await;
    all_decided(&shop).await;
    assert_eq!(refusals(&shop, &guitar).await, ["too_low"]);
    let after = auction(&shop, &guitar).await;
    for (name, value) in before.as_object().unwrap() {
        // A verdict is an entry, and time goes on.
        if !["lastEvent", "serverTime", "timeLeftMs"].contains(&name.as_str()) {
            assert_eq!(after[name], *value, "{name}");
        }
    }
    assert_eq!(bids(&shop, &guitar).await, all);

    // Up to 500, so that 300 is outbid at once.
    let carl = bid_body(&guitar, "carl@example.com", 250);
    sender.send_bid(&with(&carl, "maximum", json!(500))).await;
    sender
        .send_bid(&bid_body(&guitar, "bob@example.com", 300))
        .await;
    all_decided(&shop).await;
    let statuses: Vec<Value> = bids(&shop, &guitar)
        .await
        .into_iter()
        .map(|bid| bid["status"].clone())
        .collect();
    assert_eq!(statuses, ["outbid", "leading", "outbid"]);
    assert_eq!(auction(&shop, &guitar).await["currentPrice"], 301);
    assert_eq!(dead_letters(&shop).await, [] as [Value; 0]);
}

#[tokio::test]
async fn bids_of_one_group_keep_their_order() {
    const BATCHES: i64 = 5;
    const EACH: i64 = 10;
    let shop = Shop::start(Settings::new()).await;
    let sender = Sender::new(&shop).await;
    let guitar = open(&shop, json!({})).await;
    let drum = open(&shop, json!({})).await;
    for batch in 0..BATCHES {
        for of in [&guitar, &drum] {
            let bodies = (0..EACH).map(|n| {
                let no = batch * EACH + n;
                bid_body(of, &format!("user{no}@example.com"), 101 + no)
            });
            sender.send_bids(of, bodies).await;
        }
    }
    all_decided(&shop).await;
    for of in [&guitar, &drum] {
        // Each is higher than the one before, so one that overtook another would refuse it.
        let expected: Vec<i64> = (0..BATCHES * EACH).rev().map(|no| 101 + no).collect();
        assert_eq!(amounts(&shop, of).await, expected);
        assert_eq!(refusals(&shop, of).await, [] as [String; 0]);
    }
    assert_eq!(dead_letters(&shop).await, [] as [Value; 0]);
}

/// The same id but for its last character: it looks right, and nothing has it.
fn mistyped(id: &str) -> String {
    let (rest, last) = id.split_at(id.len() - 1);
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}

#[tokio::test]
async fn what_cannot_be_decided_is_a_dead_letter_and_the_auction_goes_on() {
    let shop = Shop::start(Settings::new()).await;
    let sender = Sender::new(&shop).await;
    let guitar = open(&shop, json!({"currency": "USD"})).await;
    let drum = open(&shop, json!({"currency": "USD"})).await;
    let cancelled = open(&shop, json!({"currency": "USD"})).await;
    delete(&shop, &format!("/auctions/{}", id(&cancelled)))
        .await
        .expect(200);

    let group = id(&guitar);
    let ada = bid_body(&guitar, "ada@example.com", 200);
    let unknown = mistyped(group);
    let dead = [
        (group, "ada: 200".to_owned(), "the message is not a bid: "),
        (
            group,
            without(&ada, "bidderId").to_string(),
            "the message is not a bid: ",
        ),
        (
            group,
            with(&ada, "bidAmount", json!(-1)).to_string(),
            "field `bidAmount` must be 0 to ",
        ),
        (
            group,
            json!([group, "ada@example.com", 200, null, null]).to_string(),
            "the message is not a bid: it is not an object",
        ),
        (
            group,
            with(&ada, "bidAmount", json!("ada: 200")).to_string(),
            "the message is not a bid: field `bidAmount`: invalid type at line 1 column ",
        ),
        (
            group,
            with(&ada, "bidAmount", json!(200.0)).to_string(),
            "the message is not a bid: field `bidAmount`: invalid type at line 1 column ",
        ),
        (
            group,
            with(&ada, "maximum", json!(-1)).to_string(),
            "field `maximum` must be 0 to ",
        ),
        (
            group,
            with(&ada, "bidAmount", json!(i64::MAX)).to_string(),
            "field `bidAmount` must be 0 to ",
        ),
        (
            group,
            with(&ada, "bidAmount", json!(1_u64 << 63)).to_string(),
            "the message is not a bid: field `bidAmount`: ",
        ),
        (
            group,
            with(&ada, "maximum", json!(1_u64 << 63)).to_string(),
            "the message is not a bid: field `maximum`: ",
        ),
        (
            group,
            ada.to_string().replace(":200", ":1e400"),
            "the message is not a bid: field `bidAmount`: ",
        ),
        (
            group,
            ada.to_string().replace(":200", ":NaN"),
            "the message is not a bid: field `bidAmount`: ",
        ),
        (
            group,
            ada.to_string().replace(":200", ":200,\"bidAmount\":300"),
            "the message is not a bid: ",
        ),
        (
            group,
            with(&ada, "bidAmount", Value::Null).to_string(),
            "the message is not a bid: field `bidAmount`: ",
        ),
        (
            group,
            with(&ada, "bidderId", json!("")).to_string(),
            "field `bidderId` ",
        ),
        (
            group,
            with(&ada, "bidderId", json!("a".repeat(255))).to_string(),
            "field `bidderId` ",
        ),
        (
            group,
            ada.to_string().replace("ada@", "\\ud800@"),
            "the message is not a bid: field `bidderId`: ",
        ),
        (
            group,
            with(&ada, "currency", json!("EURO")).to_string(),
            "field `currency` ",
        ),
        (
            group,
            format!("\u{feff}{ada}"),
            "the message is not a bid: ",
        ),
        (
            group,
            r#"{"placed":999999}"#.to_owned(),
            "the bid was refused: bid_not_found",
        ),
        (
            group,
            bid_body(&drum, "ada@example.com", 200).to_string(),
            "field `auctionId` is not the message group",
        ),
        (
            "guitars",
            ada.to_string(),
            "the message group is not the id of an auction",
        ),
        (
            &unknown,
            with(&ada, "auctionId", json!(unknown)).to_string(),
            "the bid was refused: auction_not_found",
        ),
        (
            id(&cancelled),
            bid_body(&cancelled, "ada@example.com", 200).to_string(),
            "the bid was refused: cancelled",
        ),
    ];
    for (group, body, _) in &dead {
        sender.send(group, body).await;
    }
    sender.send_bid(&with(&ada, "currency", json!("EUR"))).await;
    sender.send_bid(&with(&ada, "maximum", json!(199))).await;
    // What is not known is passed over, whatever it is.
    let deep = ["[".repeat(10_000), "]".repeat(10_000)].concat();
    let odd = with(&ada, "placed", json!(1)).to_string();
    sender
        .send(group, &odd.replace('}', &format!(",\"deep\":{deep}}}")))
        .await;
    all_decided(&shop).await;

    assert_eq!(amounts(&shop, &guitar).await, [200], "behind all of them");
    assert_eq!(
        refusals(&shop, &guitar).await,
        ["wrong_currency", "maximum_below_bid"],
        "verdicts"
    );
    for untouched in [&drum, &cancelled] {
        assert_eq!(amounts(&shop, untouched).await, [] as [i64; 0]);
        assert_eq!(refusals(&shop, untouched).await, [] as [String; 0]);
    }
    let letters = dead_letters(&shop).await;
    assert_eq!(letters.len(), dead.len(), "{letters:?}");
    for (group, body, reason) in &dead {
        let letter = letters
            .iter()
            .find(|letter| letter["groupId"] == *group && letter["body"] == *body)
            .unwrap_or_else(|| panic!("{body} is not among {letters:?}"));
        let said = letter["reason"].as_str().unwrap();
        assert!(said.starts_with(reason), "{body}: {said}");
        assert_eq!(letter["sourceQueue"], QUEUE);
        assert_eq!(letter["receiveCount"], 1, "at once: {body}");
    }
    // Over HTTP as well.
    let next = bid_body(&guitar, "bob@example.com", 300);
    assert_eq!(shop.post("/bids", &next).await.expect(201)["no"], 2);
}

/// A call of SNS, whose parameters need no escapes in a form.
async fn call_sns(shop: &Shop, action: &str, parameters: &[(&str, &str)]) -> Node {
    let pairs = parameters
        .iter()
        .map(|(name, value)| format!("&{name}={value}"));
    let body = format!(
        "Action={action}&Version=2010-03-31{}",
        pairs.collect::<String>()
    );
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let mut connection = Client::new(shop, Wire::Query).connect().await;
    let answer = connection.send("POST", "/", &headers, Some(&body)).await;
    let answer = answer.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let document = Node::parse(&answer.body);
    let root = document.child(&format!("{action}Response")).unwrap();
    root.child(&format!("{action}Result")).unwrap().clone()
}

/// The URL of a queue that gets what is published to the topic of auctions, as it is.
async fn subscribed(shop: &Shop, sqs: &Client) -> String {
    let created = call_sns(shop, "CreateTopic", &[("Name", "auctions")]).await;
    let topic = created.text("TopicArn").unwrap();
    let url = sqs.queue("news", json!({})).await;
    let endpoint = sqs.arn(&url).await;
    let parameters = [
        ("TopicArn", topic),
        ("Protocol", "sqs"),
        ("Endpoint", &endpoint),
        ("Attributes.entry.1.key", "RawMessageDelivery"),
        ("Attributes.entry.1.value", "true"),
    ];
    call_sns(shop, "Subscribe", &parameters).await;
    url
}

/// What was published, up to the first of this type.
async fn published_until(sqs: &Client, url: &str, last: &str) -> Vec<Value> {
    let mut published: Vec<Value> = Vec::new();
    while published.iter().all(|message| message["type"] != last) {
        let received = sqs.receive(url, json!({"WaitTimeSeconds": 10})).await;
        assert!(!received.is_empty(), "no {last} after {published:?}");
        for message in &received {
            let body: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
            let kind = &message["MessageAttributes"]["type"]["StringValue"];
            assert_eq!(body["type"], *kind, "filters see it");
            published.push(body);
            sqs.delete(url, message).await;
        }
    }
    published
}

/// The one message of this type about this auction.
#[track_caller]
fn only<'a>(published: &'a [Value], of: &Value, kind: &str) -> &'a Value {
    let mut found = published
        .iter()
        .filter(|message| message["type"] == kind && message["data"]["auction"] == of["id"]);
    let first = found.next();
    let first = first.unwrap_or_else(|| panic!("no {kind} among {published:?}"));
    assert!(found.next().is_none(), "{kind} twice: {published:?}");
    first
}

#[tokio::test]
async fn an_auction_that_ends_closes_by_itself_and_the_topic_tells_once() {
    const SOON_MS: i64 = 500;
    let shop = Shop::start(Settings::new()).await;
    let sender = Sender::new(&shop).await;
    let url = subscribed(&shop, &sender.sqs).await;
    let times = json!({"endTime": after_ms(&shop, 2_000).await, "closingSoonMs": SOON_MS});
    let guitar = open(&shop, times.clone()).await;
    let later = with(&times, "startTime", json!(after_ms(&shop, 500).await));
    let drum = open(&shop, later).await;
    assert_eq!(drum["status"], "scheduled");
    sender
        .send_bid(&bid_body(&guitar, "ada@example.com", 200))
        .await;
    let closed = becomes(&shop, &guitar, "closed").await;
    assert_eq!(closed["currentHighestBid"], 200);
    assert_eq!(closed["winners"][0]["price"], 200);
    assert_eq!(closed["endTime"], times["endTime"]);
    becomes(&shop, &drum, "unsold").await;

    // What is published in order after all that: when it is there, nothing else is to come.
    let last = open(&shop, json!({})).await;
    delete(&shop, &format!("/auctions/{}", id(&last)))
        .await
        .expect(200);
    let published = published_until(&sender.sqs, &url, "auction.cancelled").await;
    for of in [&guitar, &drum] {
        let line = [
            "auction.created",
            "auction.opened",
            "auction.closing_soon",
            "auction.closed",
        ];
        let line = line.map(|kind| only(&published, of, kind));
        assert!(line.is_sorted_by_key(|message| message["seq"].as_u64()));
        let [_, _, soon, closed] = line;
        let ends_at = closed["data"]["endsAt"].as_i64().unwrap();
        assert!(closed["at"].as_i64().unwrap() >= ends_at);
        assert_eq!(soon["data"]["endsAt"], ends_at);
        let soon_at = soon["at"].as_i64().unwrap();
        assert!((ends_at - SOON_MS..ends_at).contains(&soon_at), "{soon}");
        assert_eq!(closed["data"]["reason"], "end_time");
    }
    let sold = &only(&published, &guitar, "auction.closed")["data"];
    assert_eq!(sold["status"], "closed");
    assert_eq!(sold["price"], 200);
    assert_eq!(sold["winners"][0]["bidder"], closed["winners"][0]["bidder"]);
    let unsold = &only(&published, &drum, "auction.closed")["data"];
    assert_eq!(unsold["status"], "unsold");
    assert_eq!(unsold["unsoldReason"], "no_bids");
    // Three of the last one; single bids are not among them.
    assert_eq!(published.len(), 11, "{published:?}");
    assert!(!json!(published).to_string().contains("@example.com"));
}

#[tokio::test]
async fn what_was_held_when_the_server_was_killed_delays_no_later_verdict() {
    let mut shop = Shop::start(Settings::new()).await;
    let sender = Sender::new(&shop).await;
    let guitar = open(&shop, json!({})).await;
    // As a worker that dies with it would: for longer than this test waits for anything.
    let held = async {
        let hold = json!({"VisibilityTimeout": 3_600, "WaitTimeSeconds": 1});
        while sender
            .sqs
            .receive(&sender.url, hold.clone())
            .await
            .is_empty()
        {}
    };
    let bidding = async {
        for amount in 101.. {
            let body = bid_body(&guitar, "ada@example.com", amount);
            shop.post("/bid", &body).await.expect(202);
        }
    };
    tokio::select! {
        () = held => {}
        () = bidding => {}
    }
    shop.kill();
    shop.restart().await;
    eventually("nothing is held any more", async || {
        let queue = shop.get(&format!("/ops/queues/{QUEUE}")).await.expect(200);
        (queue["inFlight"] == 0).then_some(())
    })
    .await;
    let body = bid_body(&guitar, "bob@example.com", 1_000_000);
    let last = shop.post("/bid", &body).await.expect(202);
    eventually("the verdict follows", async || {
        (own(&shop, &last).await["status"] == "leading").then_some(())
    })
    .await;
    all_decided(&shop).await;
}
