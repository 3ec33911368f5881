//! Random auctions of every format, in batches, with crashes: every answer against what was asked
//! for and what was answered before, and after every batch the whole log, read again from its
//! beginning (see [`lines`]).
//!
//! In the end the doors close: whatever was admitted has its verdict, every auction is over, and
//! the queue is empty.

use std::collections::HashMap;
use std::time::Duration;

use engine::{EngineError, KeyHash};
use proptest::prelude::*;

use super::chances::acts;
use super::steps::{Act, Asked, Sent, World};
use super::*;
use crate::rig::{Answer, Fail, cases};

const RETENTION_MS: Millis = 15_000;

fn limits() -> Limits {
    Limits {
        key_retention: Duration::from_millis(RETENTION_MS.unsigned_abs()),
        ..Limits::default()
    }
}

/// The first entry that a key made, its body, and when that was.
type Keys = HashMap<KeyHash, (u64, BodyHash, Millis)>;

/// Keys that are known at this moment, by the log.
fn live_keys(rig: &Rig) -> Keys {
    let since = rig.engine().now() - RETENTION_MS;
    let mut keys = Keys::new();
    for entry in rig.reader().entries(0, usize::MAX >> 1).unwrap() {
        if let Some(buyer) = &entry.buyer
            && let Some(key) = buyer.key
            && entry.at >= since
        {
            let twice = keys.insert(key, (entry.seq, buyer.body, entry.at));
            assert_eq!(twice, None, "one bid a key");
        }
    }
    keys
}

/// What was answered to a bid, and what it means for its key.
fn check_bid(
    rig: &Rig,
    sent: &Sent,
    keys: &mut Keys,
    asked: &PlaceBid,
    answer: &Result<Reply, Refusal>,
) {
    let known = asked.key.and_then(|key| keys.get(&key).copied());
    match answer {
        Ok(Reply::Bid { bid, replay: true }) => {
            let (seq, body, _) = known.expect("there was none before");
            assert_eq!((bid.id.seq, asked.body), (seq, body));
        }
        Ok(Reply::Bid { bid, replay: false }) => {
            assert_eq!(known, None, "it was there before");
            if let Some(key) = asked.key {
                keys.insert(key, (bid.id.seq, asked.body, bid.admitted_at));
            }
            check_new_bid(rig, sent, asked, bid);
        }
        Err(Refusal::KeyReused) => {
            let (_, body, _) = known.expect("there was none before");
            assert_ne!(body, asked.body);
        }
        Err(refusal) => {
            assert_eq!(known, None, "it was there before: {refusal:?}");
            check_refusal(rig, asked, refusal);
        }
        Ok(other) => panic!("{other:?}"),
    }
    // What was told of it is what is stored, unless more has become of it since. A verdict of the
    // same commit stands in the bid's own place.
    if let Ok(Reply::Bid { bid, .. }) = answer {
        let stored = now(rig, bid.id);
        if (stored.last_seq, stored.status) == (bid.last_seq, bid.status) {
            assert_eq!(stored, **bid);
        }
        assert_eq!(
            (stored.id, stored.key, stored.body),
            (bid.id, bid.key, bid.body)
        );
    }
}

fn check_new_bid(rig: &Rig, sent: &Sent, asked: &PlaceBid, bid: &BidRecord) {
    assert_eq!(
        (bid.auction, bid.key, bid.body),
        (asked.auction, asked.key, asked.body)
    );
    assert_eq!(&*bid.bidder, asked.bidder.as_str());
    if let Offer::Amount {
        amount, maximum, ..
    } = asked.offer
    {
        assert_eq!(
            (bid.amount, bid.maximum),
            (amount, maximum.unwrap_or(amount))
        );
    }
    assert_eq!(bid.buy_now, matches!(asked.offer, Offer::BuyNow));
    let admitted_at = match &asked.message {
        Some(message) => sent[&message.handle.seq],
        None => rig.engine().now(),
    };
    assert_eq!(bid.admitted_at, admitted_at);
    match bid.status {
        BidStatus::Pending => assert!(asked.defer),
        BidStatus::Accepted => assert!(!asked.defer && bid.reason.is_none()),
        BidStatus::Refused => {
            let too_low = bid.reason.as_deref() == Some("too_low");
            assert!(!asked.defer && (too_low || asked.message.is_some()));
        }
    }
}

/// What is refused at the door is refused for something.
fn check_refusal(rig: &Rig, asked: &PlaceBid, refusal: &Refusal) {
    let auction = stored(rig, asked.auction).auction;
    let (at, code) = (rig.engine().now(), refusal.code());
    let over = auction.closed_at.is_some();
    let cancelled = auction.status == AuctionStatus::Cancelled;
    let fits = match (code, &asked.message) {
        // It was worked on before, or somebody else has the message.
        ("bid_not_found" | "queue_refusal", Some(_)) => true,
        ("closed", _) => over,
        ("cancelled", _) => cancelled,
        ("not_open_yet", None) => at < auction.terms.starts_at,
        ("late", None) => at >= auction.terms.ends_at,
        ("own_lot", None) => asked.bidder == auction.seller,
        // Of a message only once the auction is over: before that it gets a verdict.
        ("no_maximum", message) => {
            auction.terms.format != Format::English && (message.is_none() || over || cancelled)
        }
        ("maximum_below_bid", message) => message.is_none() || over || cancelled,
        ("no_buy_now", None) => matches!(asked.offer, Offer::BuyNow),
        _ => false,
    };
    assert!(fits, "{refusal:?} to {asked:?} of {auction:?}");
}

/// What anything but a bid may be refused for.
fn check_other(name: &str, answer: &Result<Reply, Refusal>) {
    let Err(refusal) = answer else {
        return;
    };
    let over = ["closed", "cancelled"].as_slice();
    let expected: [&[&str]; 2] = match name {
        "retract_bid" => [
            over,
            &[
                "late",
                "bid_not_found",
                "no_such_bid",
                "no_retraction",
                "already_retracted",
                "retraction_too_late",
            ],
        ],
        "cancel_auction" => [over, &["late"]],
        "auction_due" => [over, &["bids_undecided"]],
        "after_close" => [
            &["not_closed", "not_a_winner", "nothing_left", "nobody_left"],
            &[
                "offer_runs",
                "offer_ends_in_past",
                "no_offer",
                "offer_expired",
            ],
        ],
        "dead_letter" => [&["queue_refusal"], &[]],
        _ => [&[], &[]],
    };
    let code = refusal.code();
    assert!(expected.concat().contains(&code), "{name}: {refusal:?}");
}

/// A test under way.
struct Run {
    rig: Rig,
    world: World,
    /// Entries of the log up to here have been looked at.
    seen: u64,
}

impl Run {
    async fn new(place: Place) -> Self {
        let rig = Rig::with_limits(place, limits());
        with_queues(&rig).await;
        Self {
            rig,
            world: World::default(),
            seen: 0,
        }
    }

    /// Has these decided in one batch; `fail` is how its commit goes wrong.
    async fn batch(&mut self, asked: Vec<Asked>, fail: Option<Fail>) {
        let mut keys = live_keys(&self.rig);
        if let Some(fail) = fail {
            self.rig.steering.fail_next(fail);
        }
        let mut notes = Vec::new();
        let mut commands = Vec::new();
        for (command, bid) in asked {
            notes.push((command.name(), bid));
            commands.push(command);
        }
        let answers = self.rig.batch(commands).await;
        if fail.is_some() && !self.rig.steering.forgive() {
            for answer in answers {
                assert!(matches!(answer, Err(EngineError::Store(_))), "{answer:?}");
            }
            self.rig.stop_and_start().await;
        } else {
            for ((name, bid), answer) in notes.iter().zip(&answers) {
                let answer = decided(answer);
                match bid {
                    Some(bid) => {
                        check_bid(&self.rig, &self.world.sent, &mut keys, bid, answer);
                        self.bury(bid, answer);
                    }
                    None => check_other(name, answer),
                }
            }
        }
        self.check();
    }

    /// A message whose bid nobody will ever decide.
    fn bury(&mut self, bid: &PlaceBid, answer: &Result<Reply, Refusal>) {
        if let (Some(message), Err(Refusal::Auction(_))) = (&bid.message, answer) {
            self.world.dead.push(message.handle);
        }
    }

    /// The whole log, and the queue at the moment of a close.
    fn check(&mut self) {
        lines::check(&*self.rig.reader());
        let log = self.rig.reader().entries(self.seen, usize::MAX >> 1);
        for entry in log.unwrap() {
            self.seen = entry.seq;
            if entry.kind != Kind::AuctionClosed {
                continue;
            }
            let data = entry.auction_data();
            if data.reason.as_deref() != Some("end_time") {
                continue;
            }
            for message in queue(&self.rig) {
                let mine = message.group.as_deref() == Some(&*data.auction);
                let in_time = message.sent_at_ms < data.ends_at.unwrap();
                assert!(!(mine && in_time), "closed before {message:?}");
            }
        }
        self.world.learn(&self.rig);
    }

    async fn receive(&mut self) -> usize {
        let messages = received(&self.rig).await;
        let count = messages.len();
        let sent = messages.iter().map(|(message, _)| message);
        let sent = sent.map(|message| (message.seq, message.sent_at_ms));
        self.world.sent.extend(sent);
        self.world.hand.extend(messages);
        count
    }

    /// What the clock's worker asks for.
    async fn clock(&mut self) -> usize {
        let at = self.rig.engine().now();
        let auctions = self.rig.reader().due_auctions(at, 1_000).unwrap();
        let count = auctions.len();
        let asked = auctions.into_iter().map(|auction| (due(auction), None));
        self.batch(asked.collect(), None).await;
        count
    }

    async fn act(&mut self, act: &Act) {
        match act {
            Act::Wait(ms) => self.rig.clock.advance(*ms),
            Act::Near(ms) => {
                let at = self.rig.engine().now();
                let next = self.rig.reader().next_due_auction(at).unwrap();
                let left = next.map_or(0, |next| next - at + ms);
                self.rig.clock.advance(left.max(0));
            }
            Act::Restart => {
                self.rig.restart().await;
                self.check();
            }
            Act::Receive => {
                self.receive().await;
            }
            Act::Clock => {
                self.clock().await;
            }
            Act::Batch(steps) => {
                let asked = self.world.commands(&self.rig, steps);
                self.batch(asked, None).await;
            }
            Act::Crash(fail, steps) => {
                let asked = self.world.commands(&self.rig, steps);
                self.batch(asked, Some(*fail)).await;
            }
        }
    }

    /// The server was down for long, and comes again.
    async fn close_the_doors(&mut self) {
        self.world.hand.clear();
        self.rig.clock.advance(120_000);
        self.rig.restart().await;
        let mut rounds = 0;
        loop {
            let due = self.clock().await;
            let received = self.receive().await;
            let mut asked = self.world.commands(&self.rig, &[]);
            for auction in self.world.auctions.clone() {
                self.world.work(auction, &mut asked);
            }
            let work = asked.len();
            self.batch(asked, None).await;
            if due + received + work == 0 {
                break;
            }
            rounds += 1;
            assert!(rounds < 100, "there is no end to it");
        }
        assert_eq!(queue(&self.rig), []);
        naive::check(&*self.rig.reader());
        for id in &self.world.auctions {
            let stored = stored(&self.rig, *id);
            assert!(stored.auction.closed_at.is_some() && stored.waiting == 0);
        }
        self.rig.audit_clean();
    }
}

fn decided(answer: &Answer) -> &Result<Reply, Refusal> {
    answer.as_ref().expect("the store is well")
}

async fn run(place: Place, acts: &[Act]) -> Rig {
    let mut run = Run::new(place).await;
    for act in acts {
        run.act(act).await;
    }
    run.close_the_doors().await;
    run.rig.restart().await;
    run.check();
    run.rig
}

proptest! {
    #![proptest_config(cases(400))]
    #[test]
    fn auctions_go_by_the_rules_in_memory(acts in acts(60)) {
        runtime().block_on(run(Place::memory(), &acts));
    }
}

proptest! {
    #![proptest_config(cases(20))]
    #[test]
    fn auctions_go_by_the_rules_on_disk_and_leave_the_same_log(acts in acts(60)) {
        runtime().block_on(async {
            let disk = run(Place::disk(), &acts).await;
            let memory = run(Place::memory(), &acts).await;
            let log = |rig: &Rig| rig.reader().entries(0, usize::MAX >> 1).unwrap();
            assert_eq!(log(&disk), log(&memory));
            let stored = |rig: &Rig| rig.reader().auctions(None, None, usize::MAX).unwrap();
            assert_eq!(stored(&disk), stored(&memory));
        });
    }
}
