//! Auctions through the engine: bids taken at once, later, and out of the queue; what the clock
//! does; what is refused; and all of it at random.

mod chances;
mod damage;
mod due;
mod keys;
mod lines;
mod naive;
mod queued;
mod random;
mod redriven;
mod refusals;
mod steps;
mod withdrawals;

use commerce::auction::{AuctionStatus, Bidder, Format, Increment, RetractionRule, Terms};
use commerce::{AuctionId, BidId, Currency, Millis, Money, Name};
use engine::auction::{BIDS_DEAD_LETTER_QUEUE, BIDS_QUEUE, BidRecord, BidStatus, StoredAuction};
use engine::{
    BidMessage, BodyHash, Command, CreateAuction, Kind, Limits, Offer, PlaceBid, Refusal, Reply,
};
use messaging::{FifoConfig, Message, QueueConfig, ReceiptHandle, RedrivePolicy, Send};

use crate::rig::{Place, Rig, START, queue_spec, receive_for, runtime};

/// So often a message of the queue of bids is received before it is a dead letter.
const RECEIVES_MAX: u32 = 100;
/// When an auction of [`terms`] ends.
const END: Millis = START + 60_000;

fn money(minor: i64) -> Money {
    Money::new(minor).unwrap()
}

fn who(name: &str) -> Bidder {
    Bidder::new(name).unwrap()
}

/// One lot from now on for a minute, from 1.00 in steps of 0.10; whatever is bid can be taken back
/// for ten seconds.
fn terms() -> Terms {
    Terms {
        format: Format::English,
        currency: Currency::new("EUR").unwrap(),
        starting_price: money(100),
        increment: Increment::Fixed(money(10)),
        lots: 1,
        reserve_price: None,
        buy_now_price: None,
        starts_at: START,
        ends_at: END,
        soft_close: None,
        retraction: Some(RetractionRule {
            within_ms: 10_000,
            before_end_ms: 0,
        }),
    }
}

fn create(terms: Terms) -> CreateAuction {
    CreateAuction {
        product: Name::new("A teapot").unwrap(),
        seller: who("seller"),
        terms,
        closing_soon_ms: 0,
        key: None,
        body: BodyHash(0),
    }
}

fn made(reply: Reply) -> StoredAuction {
    match reply {
        Reply::Auction(stored)
        | Reply::Made {
            auction: stored, ..
        } => *stored,
        other => panic!("{other:?}"),
    }
}

async fn put_up(rig: &Rig, terms: Terms) -> AuctionId {
    let command = Command::CreateAuction(Box::new(create(terms)));
    made(rig.done(command).await).id()
}

/// At once, and without a key.
fn bid(auction: AuctionId, bidder: &str, amount: i64) -> PlaceBid {
    PlaceBid {
        auction,
        bidder: who(bidder),
        offer: Offer::Amount {
            amount: money(amount),
            maximum: None,
            currency: None,
        },
        key: None,
        body: BodyHash(1),
        defer: false,
        message: None,
    }
}

fn up_to(maximum: i64, bid: PlaceBid) -> PlaceBid {
    let Offer::Amount { amount, .. } = bid.offer else {
        panic!("{bid:?}");
    };
    PlaceBid {
        offer: Offer::Amount {
            amount,
            maximum: Some(money(maximum)),
            currency: None,
        },
        ..bid
    }
}

fn deferred(bid: PlaceBid) -> PlaceBid {
    PlaceBid { defer: true, ..bid }
}

fn buy_now(auction: AuctionId, bidder: &str) -> PlaceBid {
    PlaceBid {
        offer: Offer::BuyNow,
        ..bid(auction, bidder, 1)
    }
}

fn place(bid: PlaceBid) -> Command {
    Command::PlaceBid(Box::new(bid))
}

fn due(auction: AuctionId) -> Command {
    Command::AuctionDue { auction }
}

fn record(reply: Reply) -> BidRecord {
    match reply {
        Reply::Bid { bid, replay: false } => *bid,
        other => panic!("{other:?}"),
    }
}

async fn placed(rig: &Rig, bid: PlaceBid) -> BidRecord {
    record(rig.done(place(bid)).await)
}

fn stored(rig: &Rig, auction: AuctionId) -> StoredAuction {
    rig.reader().auction(auction.seq).unwrap().unwrap()
}

fn status(rig: &Rig, auction: AuctionId) -> AuctionStatus {
    stored(rig, auction).auction.status
}

fn now(rig: &Rig, bid: BidId) -> BidRecord {
    rig.reader().bid(bid.seq).unwrap().unwrap()
}

/// Who has won, and what they pay.
fn winners(rig: &Rig, auction: AuctionId) -> Vec<(String, i64)> {
    let awards = stored(rig, auction).auction.awards;
    let live = awards.iter().filter(|award| award.is_live());
    live.map(|award| (award.bidder.as_str().to_owned(), award.price.minor()))
        .collect()
}

/// What has happened to an auction, in order.
fn kinds(rig: &Rig, auction: AuctionId) -> Vec<Kind> {
    let log = rig.reader().entries(0, usize::MAX >> 1).unwrap();
    let line = log
        .iter()
        .filter(|entry| entry.line.auction() == Some(auction.seq));
    line.map(|entry| entry.kind).collect()
}

/// The queue of bids and where its dead letters go, as the server makes them.
async fn with_queues(rig: &Rig) {
    let fifo = || QueueConfig {
        fifo: Some(FifoConfig::default()),
        ..QueueConfig::default()
    };
    let bids = QueueConfig {
        redrive: Some(RedrivePolicy {
            dead_letter_queue: BIDS_DEAD_LETTER_QUEUE.to_owned(),
            max_receive_count: RECEIVES_MAX,
        }),
        ..fifo()
    };
    rig.done(Command::EnsureQueues {
        queues: vec![
            queue_spec(BIDS_DEAD_LETTER_QUEUE, fifo()),
            queue_spec(BIDS_QUEUE, bids),
        ],
        subscriptions: Vec::new(),
    })
    .await;
}

/// A message with a bid of somebody who has the queue and not the API.
fn send_bid(auction: AuctionId, id: &str) -> Command {
    send_body(auction, &format!(r#"{{"offer":"{id}"}}"#))
}

/// The same body again is another message only after the time of deduplication.
fn send_body(auction: AuctionId, body: &str) -> Command {
    Command::SendMessage {
        queue: BIDS_QUEUE.to_owned(),
        send: Box::new(Send {
            body: body.to_owned(),
            group: Some(auction.to_string()),
            deduplication: Some(blake3::hash(body.as_bytes()).to_hex().to_string()),
            ..Send::default()
        }),
    }
}

/// What the worker gets: each message with its handle.
async fn received(rig: &Rig) -> Vec<(Message, ReceiptHandle)> {
    match rig.done(receive_for(BIDS_QUEUE, 10, Some(5))).await {
        Reply::Messages { queue_id, messages } => {
            let with_handle = messages.into_iter().map(|message| {
                let handle = ReceiptHandle {
                    queue_id,
                    seq: message.seq,
                    receipt: message.receipt.unwrap(),
                };
                (message, handle)
            });
            with_handle.collect()
        }
        other => panic!("{other:?}"),
    }
}

/// The verdicts that these messages ask for.
fn decide(auction: AuctionId, messages: &[(Message, ReceiptHandle)]) -> Command {
    let messages = messages.iter().map(|(message, handle)| {
        let reference: serde_json::Value = serde_json::from_str(&message.body).unwrap();
        (reference["placed"].as_u64().unwrap(), *handle)
    });
    Command::DecideBids {
        auction,
        queue: BIDS_QUEUE.to_owned(),
        messages: messages.collect(),
    }
}

/// As the worker places it; the body says which message it was.
fn from_message(bid: PlaceBid, handle: ReceiptHandle) -> PlaceBid {
    PlaceBid {
        body: BodyHash(lines::MESSAGE_BODY + handle.seq),
        message: Some(BidMessage {
            queue: BIDS_QUEUE.to_owned(),
            handle,
        }),
        ..bid
    }
}

/// Messages that lie in the queue of bids, whoever has them.
fn queue(rig: &Rig) -> Vec<Message> {
    rig.reader().messages(BIDS_QUEUE, 0, 100_000).unwrap()
}

/// On both stores, with the queues; in the end everything is as the rules say.
fn on_both(check: impl AsyncFn(&mut Rig)) {
    on_both_with(Limits::default(), check);
}

fn on_both_with(limits: Limits, check: impl AsyncFn(&mut Rig)) {
    runtime().block_on(async {
        for place in Place::both() {
            let mut rig = Rig::with_limits(place, limits.clone());
            with_queues(&rig).await;
            check(&mut rig).await;
            lines::check(&*rig.reader());
            rig.audit_clean();
            rig.restart().await;
            lines::check(&*rig.reader());
        }
    });
}
