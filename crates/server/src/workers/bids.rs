//! Decides the bids that came through the queue `bids.fifo`, one message group an auction.
//!
//! ```text
//! the message                     what happens
//! {"placed": n}                   the bid was admitted by `POST /bid`: its verdict, and all that
//!                                 wait before it
//! {"auctionId", "bidderId",       a bid that somebody sent over SQS: admitted when it was sent,
//!  "bidAmount", "maximum"?}       decided now
//! cannot be read, no such auction dead at once, with the reason
//! or bid, the auction is over
//! ```
//! A verdict and the end of its message are one commit, so a worker that dies loses nothing and
//! repeats nothing. The messages of one auction are worked on in their order, those of several
//! side by side.

use std::time::Duration;

use commerce::auction::Bidder;
use commerce::{AuctionId, Currency, Money};
use engine::auction::{BIDS_QUEUE, bid_of_message};
use engine::{BidMessage, BodyHash, Command, EngineError, Offer, PlaceBid, Refusal, Reply};
use futures_util::future::join_all;
use messaging::{Message, ReceiptHandle};
use serde::Deserialize;

use super::events::unquoted;
use super::runtime;
use crate::state::App;
use crate::traces::{Item, System, processing};

pub(super) const NAME: &str = "bids";

/// Loops side by side: while one waits for a commit another receives.
pub(super) const LOOPS: usize = 4;
/// When the engine has too much to do.
const PAUSE: Duration = Duration::from_millis(200);
/// So often it is asked again before a message is given back: each receive counts, and after a few
/// a bid that was in time would be set aside.
const TRIES: u32 = 50;
/// When what could not be done now is tried again, in seconds.
const AGAIN_S: u32 = 1;

/// A message that brings a bid.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Letter {
    auction_id: String,
    bidder_id: String,
    bid_amount: i64,
    maximum: Option<i64>,
    currency: Option<String>,
}

/// What is to be done with one message.
enum Task {
    Decide(u64),
    Place(Box<PlaceBid>),
    /// Never, and why.
    Dead(String),
}

pub(super) async fn run(app: App) {
    let next = || runtime::next(&app, NAME, BIDS_QUEUE, runtime::BATCH);
    while let Some((queue_id, messages)) = next().await {
        let groups = messages.chunk_by(|one, next| one.group == next.group);
        join_all(groups.map(|group| work(&app, queue_id, group))).await;
    }
}

/// The messages of one auction, as part of the traces that they come with, if anybody watches.
async fn work(app: &App, queue_id: u32, group: &[Message]) {
    let items = group.iter().map(Item::from);
    let Some(mut traced) = processing(NAME, BIDS_QUEUE, System::Own, items) else {
        work_all(app, queue_id, group).await;
        return;
    };
    let left = traced.within(work_all(app, queue_id, group)).await;
    let done = group.len() - left;
    for at in 0..group.len() {
        let outcome = if at < done { "done" } else { "later" };
        traced.end(at, outcome, at >= done);
    }
}

/// In their order. What cannot be done now, and all behind it, comes again: how many those are.
async fn work_all(app: &App, queue_id: u32, group: &[Message]) -> usize {
    let mut rest = group;
    let mut tries = 0;
    while !rest.is_empty() {
        match work_first(app, queue_id, rest).await {
            Ok(done) => {
                rest = &rest[done..];
                tries = 0;
            }
            Err(EngineError::Overloaded) if tries < TRIES && !app.cancel.is_cancelled() => {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => {
                tracing::warn!(%error, worker = NAME, "bids were left for later");
                put_off(app, queue_id, rest).await;
                return rest.len();
            }
        }
    }
    0
}

/// Does what comes first; how many messages that were.
async fn work_first(app: &App, queue_id: u32, group: &[Message]) -> Result<usize, EngineError> {
    let Some(auction) = auction_of(&group[0]) else {
        let reason = "the message group is not the id of an auction".to_owned();
        return bury(app, queue_id, &group[0], reason).await;
    };
    match task(auction, queue_id, &group[0]) {
        Task::Dead(reason) => bury(app, queue_id, &group[0], reason).await,
        Task::Place(bid) => place(app, queue_id, &group[0], *bid).await,
        Task::Decide(first) => {
            // What follows and asks for the same shares the commit.
            let mut bids = vec![(first, handle(queue_id, &group[0]))];
            for message in &group[1..] {
                let Task::Decide(bid) = task(auction, queue_id, message) else {
                    break;
                };
                bids.push((bid, handle(queue_id, message)));
            }
            let count = bids.len();
            match decide(app, auction, bids).await? {
                Ok(_) => Ok(count),
                Err(Refusal::AuctionNotFound | Refusal::BidNotFound) if count > 1 => {
                    // One of them names a bid that is not there; which one is soon known.
                    decide_first(app, auction, first, queue_id, &group[0]).await
                }
                Err(refusal) => refused(app, queue_id, &group[0], &refusal).await,
            }
        }
    }
}

async fn decide_first(
    app: &App,
    auction: AuctionId,
    bid: u64,
    queue_id: u32,
    message: &Message,
) -> Result<usize, EngineError> {
    let bids = vec![(bid, handle(queue_id, message))];
    match decide(app, auction, bids).await? {
        Ok(_) => Ok(1),
        Err(refusal) => refused(app, queue_id, message, &refusal).await,
    }
}

async fn decide(
    app: &App,
    auction: AuctionId,
    messages: Vec<(u64, ReceiptHandle)>,
) -> Result<Result<Reply, Refusal>, EngineError> {
    let command = Command::DecideBids {
        auction,
        queue: BIDS_QUEUE.to_owned(),
        messages,
    };
    app.engine.decide(command).await
}

async fn place(
    app: &App,
    queue_id: u32,
    message: &Message,
    bid: PlaceBid,
) -> Result<usize, EngineError> {
    match app.engine.decide(Command::PlaceBid(Box::new(bid))).await? {
        // Too low is a verdict too.
        Ok(_) => Ok(1),
        // It was decided before; or somebody else has the message, and theirs is the work.
        Err(Refusal::BidNotFound | Refusal::Queue(_)) => Ok(1),
        Err(refusal) => refused(app, queue_id, message, &refusal).await,
    }
}

/// What a message cannot be decided for: later, or never.
async fn refused(
    app: &App,
    queue_id: u32,
    message: &Message,
    refusal: &Refusal,
) -> Result<usize, EngineError> {
    match refusal {
        Refusal::BidsWaiting => Err(EngineError::Overloaded),
        refusal => {
            let reason = format!("the bid was refused: {}", refusal.code());
            bury(app, queue_id, message, reason).await
        }
    }
}

/// To the dead letters, with the reason; the auction goes on.
async fn bury(
    app: &App,
    queue_id: u32,
    message: &Message,
    reason: String,
) -> Result<usize, EngineError> {
    let command = Command::DeadLetter {
        queue: BIDS_QUEUE.to_owned(),
        handle: handle(queue_id, message),
        reason,
    };
    match app.engine.decide(command).await? {
        Ok(_) | Err(Refusal::Queue(_)) => Ok(1),
        Err(refusal) => Err(runtime::refused(&refusal)),
    }
}

/// A group is held until its messages can be received again: not for long.
async fn put_off(app: &App, queue_id: u32, messages: &[Message]) {
    let changes = messages
        .iter()
        .map(|message| (handle(queue_id, message), AGAIN_S))
        .collect();
    let command = Command::ChangeVisibilities {
        queue: BIDS_QUEUE.to_owned(),
        changes,
    };
    if let Err(error) = app.engine.decide(command).await {
        // Then they come again when their time-out has passed.
        tracing::debug!(%error, worker = NAME, "messages could not be put off");
    }
}

fn handle(queue_id: u32, message: &Message) -> ReceiptHandle {
    ReceiptHandle {
        queue_id,
        seq: message.seq,
        receipt: message.receipt.unwrap_or(0),
    }
}

fn auction_of(message: &Message) -> Option<AuctionId> {
    AuctionId::parse(message.group.as_deref()?).ok()
}

fn task(auction: AuctionId, queue_id: u32, message: &Message) -> Task {
    if let Some(placed) = bid_of_message(&message.body) {
        return Task::Decide(placed);
    }
    let letter = match letter(&message.body) {
        Ok(letter) => letter,
        Err(reason) => return Task::Dead(format!("the message is not a bid: {reason}")),
    };
    // The close waits for what is in the auction's group, and for nothing else.
    if AuctionId::parse(&letter.auction_id) != Ok(auction) {
        return Task::Dead("field `auctionId` is not the message group".to_owned());
    }
    match offer(&letter) {
        Ok((bidder, offer)) => Task::Place(Box::new(PlaceBid {
            auction,
            bidder,
            offer,
            key: None,
            body: BodyHash(0),
            defer: false,
            message: Some(BidMessage {
                queue: BIDS_QUEUE.to_owned(),
                handle: handle(queue_id, message),
            }),
        })),
        Err(reason) => Task::Dead(reason),
    }
}

/// What is wrong with it otherwise, and with which field.
fn letter(body: &str) -> Result<Letter, String> {
    // Serde reads an array as the fields in their order, which nobody can have meant.
    if body.trim_start().starts_with('[') {
        return Err("it is not an object".to_owned());
    }
    let mut json = serde_json::Deserializer::from_str(body);
    let letter = serde_path_to_error::deserialize(&mut json);
    let letter = letter.map_err(|error| {
        let path = error.path().to_string();
        let what = unquoted(error.inner());
        match path.as_str() {
            "." | "?" => what,
            field => format!("field `{field}`: {what}"),
        }
    })?;
    json.end().map_err(|error| unquoted(&error))?;
    Ok(letter)
}

fn offer(letter: &Letter) -> Result<(Bidder, Offer), String> {
    let money =
        |field: &str, minor: i64| Money::new(minor).map_err(|why| format!("field `{field}` {why}"));
    let bidder =
        Bidder::folded(&letter.bidder_id).map_err(|why| format!("field `bidderId` {why}"))?;
    let amount = money("bidAmount", letter.bid_amount)?;
    let maximum = letter
        .maximum
        .map(|minor| money("maximum", minor))
        .transpose()?;
    let currency = letter
        .currency
        .as_deref()
        .map(|text| Currency::new(text).map_err(|why| format!("field `currency` {why}")))
        .transpose()?;
    Ok((
        bidder,
        Offer::Amount {
            amount,
            maximum,
            currency,
        },
    ))
}
