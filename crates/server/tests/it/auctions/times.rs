//! In time or too late: an auction that ends while nobody is there, and bids that the worker comes
//! to after the end.

use std::cell::Cell;

use commerce::auction::certificate::verify;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::queue::{Sender, all_decided, amounts, dead_letters, refusals};
use super::{after_ms, auction, becomes, bid, bid_body, bids, id, name, open, own, taken};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

/// When the auctions end. What has to happen before may take longer on a busy machine: then once
/// more, with more time.
const ENDS_AFTER_MS: [i64; 3] = [2_500, 15_000, 60_000];

fn moment(of: &Value, member: &str) -> Timestamp {
    of[member].as_str().unwrap().parse().unwrap()
}

fn is_over(auction: &Value) -> bool {
    Timestamp::now() >= moment(auction, "endTime")
}

async fn ends(auction: &Value) {
    let what = format!("{} has come", auction["endTime"]);
    eventually(&what, async || is_over(auction).then_some(())).await;
}

/// A bid in each way there is, each higher than the one before, and the server is gone at once. The
/// auction, unless it was over by then, and the second bid.
async fn bid_and_kill(shop: &mut Shop, ms: i64) -> Option<(Value, Value)> {
    let sender = Sender::new(shop).await;
    let guitar = open(shop, json!({"endTime": after_ms(shop, ms).await})).await;
    taken(shop, &guitar, "ada@example.com", 200).await;
    let body = bid_body(&guitar, "bob@example.com", 300);
    let bob = shop.post("/bid", &body).await.expect(202);
    sender
        .send_bid(&bid_body(&guitar, "carl@example.com", 400))
        .await;
    shop.kill();
    (!is_over(&guitar)).then_some((guitar, bob))
}

#[tokio::test]
async fn an_auction_that_ends_while_the_server_is_down_closes_by_itself_after_the_start() {
    let mut shop = Shop::start(Settings::new()).await;
    let mut found = None;
    for ms in ENDS_AFTER_MS {
        found = bid_and_kill(&mut shop, ms).await;
        if found.is_some() {
            break;
        }
        shop.restart().await;
    }
    let (guitar, bob) = found.expect("a minute is enough for three bids");
    ends(&guitar).await;
    shop.restart().await;
    // Nobody asks for it: what is read changes nothing.
    let closed = becomes(&shop, &guitar, "closed").await;
    assert_eq!(closed["endTime"], guitar["endTime"]);
    assert!(moment(&closed, "closedAt") >= moment(&guitar, "endTime"));
    assert_eq!(amounts(&shop, &guitar).await, [400, 300, 200]);
    let all = bids(&shop, &guitar).await;
    let winner = json!({"bidder": all[0]["bidderId"], "price": 400, "status": "won"});
    assert_eq!(closed["winners"], json!([winner]));
    assert_eq!(all[0]["status"], "winning");
    assert_eq!(all[1]["bidderId"], name(&bob));
    assert_eq!(own(&shop, &bob).await["status"], "lost");

    // Too late on every way.
    let late = bid(&shop, &guitar, "dora@example.com", 900).await;
    assert_eq!(late.problem(409, "auction_closed")["currentPrice"], 400);
    let body = bid_body(&guitar, "dora@example.com", 900);
    let late = shop.post("/bid", &body).await;
    late.problem(409, "auction_closed");
    let sender = Sender::new(&shop).await;
    sender.send_bid(&body).await;
    all_decided(&shop).await;
    let letters = dead_letters(&shop).await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0]["reason"], "the bid was refused: closed");
    assert_eq!(auction(&shop, &guitar).await["winners"], closed["winners"]);

    let path = format!("/auctions/{}/certificate", id(&guitar));
    let certificate = shop.get(&path).await;
    let proof = verify(certificate.body.as_bytes()).unwrap();
    assert!(proof.is_final && proof.opened, "{proof:?}");
    assert_eq!((proof.bids, proof.undecided), (3, 0));
    let [won] = &proof.winners[..] else {
        panic!("{proof:?}");
    };
    assert_eq!((won.no, won.price.minor()), (3, 400));
    let log = certificate.expect(200);
    let last = log["entries"].as_array().unwrap().last().unwrap();
    assert_eq!(last["kind"], "auction.closed", "behind every verdict");
}

/// Receives one message of this auction as a worker that then does nothing; whatever is behind it in
/// its group waits.
async fn hold(sender: &Sender, of: &Value) -> Value {
    let is_held = Cell::new(false);
    let held = async {
        let hold =
            json!({"MaxNumberOfMessages": 1, "VisibilityTimeout": 3_600, "WaitTimeSeconds": 1});
        loop {
            let received = sender.sqs.receive(&sender.url, hold.clone()).await;
            if let Some(first) = received.first() {
                is_held.set(true);
                return first.clone();
            }
        }
    };
    // The last of them is answered, too: one that is cut off may come behind what is sent next.
    let bidding = async {
        let mut amounts = 101..;
        while !is_held.get() {
            let bid = bid_body(of, "ada@example.com", amounts.next().unwrap());
            sender.send_bid(&bid).await;
        }
    };
    tokio::join!(held, bidding).0
}

async fn let_go(sender: &Sender, message: &Value) {
    let change = json!({
        "QueueUrl": sender.url, "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0,
    });
    sender.sqs.ok("ChangeMessageVisibility", change).await;
}

#[tokio::test]
async fn a_bid_sent_over_sqs_before_the_end_counts_whenever_it_is_decided_and_a_later_one_never() {
    const HIGH: i64 = 1_000_000;
    let shop = Shop::start(Settings::new()).await;
    let sender = Sender::new(&shop).await;
    let mut found = None;
    for ms in ENDS_AFTER_MS {
        let guitar = open(&shop, json!({"endTime": after_ms(&shop, ms).await})).await;
        let held = hold(&sender, &guitar).await;
        sender
            .send_bid(&bid_body(&guitar, "bob@example.com", HIGH))
            .await;
        if !is_over(&guitar) {
            found = Some((guitar, held));
            break;
        }
        let_go(&sender, &held).await;
        all_decided(&shop).await;
    }
    let (guitar, held) = found.expect("a minute is enough to receive a message");
    ends(&guitar).await;
    let before = dead_letters(&shop).await.len();
    sender
        .send_bid(&bid_body(&guitar, "eve@example.com", 2 * HIGH))
        .await;
    let late = bid(&shop, &guitar, "dora@example.com", 3 * HIGH).await;
    late.problem(409, "auction_closed");
    // It waits for those that were in time.
    let waits = auction(&shop, &guitar).await;
    assert_eq!(
        (&waits["status"], &waits["timeLeftMs"]),
        (&json!("open"), &json!(0))
    );
    let_go(&sender, &held).await;
    let closed = becomes(&shop, &guitar, "closed").await;
    let all = bids(&shop, &guitar).await;
    let winner = json!({"bidder": all[0]["bidderId"], "price": HIGH, "status": "won"});
    assert_eq!(closed["winners"], json!([winner]));
    assert_eq!(all[0]["bidAmount"], HIGH);
    // Its verdict came after the end.
    assert!(moment(&all[0], "timestamp") >= moment(&guitar, "endTime"));
    // The other one is refused if it is looked at before the close, and set aside after it.
    all_decided(&shop).await;
    let mut told = refusals(&shop, &guitar).await;
    for letter in dead_letters(&shop).await.split_off(before) {
        told.push(letter["reason"].as_str().unwrap().to_owned());
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(["late", "the bid was refused: closed"].contains(&told[0].as_str()));
}
