//! The clock of the auctions: opens, tells that the end is near, closes, each as a command
//! through the sequencer. After a start it finds what fell due while nobody was there.

use std::collections::BTreeSet;
use std::time::Duration;

use commerce::AuctionId;
use commerce::auction::{AuctionRefusal, AuctionStatus};
use engine::auction::BIDS_QUEUE;
use engine::{Command, EngineError, Refusal};
use futures_util::future::join_all;

use crate::state::App;

pub(super) const NAME: &str = "auctioneer";

/// How long it sleeps at most: an auction that is made meanwhile may be due before all others.
const EVERY: Duration = Duration::from_millis(250);
/// What is still due waits for bids that are being decided.
const AGAIN: Duration = Duration::from_millis(20);
/// After an outage of the engine.
const PAUSE: Duration = Duration::from_millis(200);
/// Auctions read at a time after a start.
const CATCH_UP_PAGE: usize = 500;
/// Auctions that one round has decided, side by side, so that they share commits.
const ROUND_MAX: usize = 1_000;
/// The same when many of them cannot be closed yet.
const ROUND_LIMIT: usize = 4_000;

pub(super) async fn run(app: App) {
    catch_up(&app).await;
    // Those that cannot be closed yet stand first: more are looked at, so that they hold up nobody.
    let mut most = ROUND_MAX;
    loop {
        app.workers.beat(NAME, app.engine.now());
        let sleep = match round(&app, &mut most).await {
            Ok(sleep) => sleep,
            Err(EngineError::Stopping) => return,
            Err(error) => {
                tracing::debug!(%error, worker = NAME, "a round was put off");
                PAUSE
            }
        };
        tokio::select! {
            () = app.cancel.cancelled() => return,
            () = tokio::time::sleep(sleep) => {}
        }
    }
}

/// Bids that were admitted before the start and have no verdict get it now, and what a worker that
/// is gone has received of the queue goes: it would hold back until its time-out what comes next of
/// the same auction.
async fn catch_up(app: &App) {
    let mut before = None;
    while !app.cancel.is_cancelled() {
        let page = app.engine.read_own(move |reader| {
            let open = Some(AuctionStatus::Open);
            reader.auctions(open, before, CATCH_UP_PAGE)
        });
        let page = match page.await {
            Ok(page) => page,
            Err(error) => {
                // Then they wait for the time-out, or for the next bid.
                tracing::warn!(%error, worker = NAME, "bids that wait were not looked for");
                return;
            }
        };
        before = page.last().map(|stored| stored.auction.seq);
        for stored in page.iter().filter(|stored| stored.waiting > 0) {
            decide_waiting(app, stored.id()).await;
        }
        if page.len() < CATCH_UP_PAGE {
            break;
        }
    }
    for group in held(app).await {
        if let Ok(auction) = AuctionId::parse(&group) {
            decide_waiting(app, auction).await;
        }
    }
}

/// The groups of the queue of which something was received and is not done with.
async fn held(app: &App) -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    if let Err(error) = look_for_held(app, &mut held).await {
        tracing::warn!(%error, worker = NAME, "messages that are held were not looked for");
    }
    held
}

async fn look_for_held(app: &App, held: &mut BTreeSet<String>) -> Result<(), EngineError> {
    let now = app.engine.now();
    let depth = app.engine.read(move |reader| reader.queue(BIDS_QUEUE, now));
    let mut left = depth.await?.map_or(0, |depth| depth.in_flight);
    let mut after = 0;
    while left > 0 && !app.cancel.is_cancelled() {
        let page = app
            .engine
            .read(move |reader| reader.messages(BIDS_QUEUE, after, CATCH_UP_PAGE));
        let page = page.await?;
        for message in page.iter().filter(|message| message.is_in_flight(now)) {
            left = left.saturating_sub(1);
            held.extend(message.group.clone());
        }
        match page.last() {
            Some(last) => after = last.seq,
            None => return Ok(()),
        }
    }
    Ok(())
}

async fn decide_waiting(app: &App, auction: AuctionId) {
    loop {
        let command = Command::DecideBids {
            auction,
            queue: BIDS_QUEUE.to_owned(),
            messages: Vec::new(),
        };
        match app.engine.decide(command).await {
            // As many as one command decides have their verdicts.
            Ok(Err(Refusal::BidsWaiting)) if !app.cancel.is_cancelled() => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, worker = NAME, "bids that wait were left for later");
                return;
            }
        }
    }
}

/// Everything that is due now; how long to sleep afterwards.
async fn round(app: &App, most: &mut usize) -> Result<Duration, EngineError> {
    let now = app.engine.log_time();
    let limit = *most;
    let due = app
        .engine
        .read_own(move |reader| reader.due_auctions(now, limit))
        .await?;
    let is_full = due.len() == limit;
    let begun = due.len();
    let done: Vec<Step> = join_all(due.into_iter().map(|auction| decide(app, auction)))
        .await
        .into_iter()
        .collect::<Result<_, _>>()?;
    let put_off = done.iter().filter(|step| **step != Step::Done).count();
    *most = if is_full && put_off > 0 {
        (limit * 2).min(ROUND_LIMIT)
    } else {
        ROUND_MAX
    };
    if done.contains(&Step::More) {
        return Ok(Duration::ZERO);
    }
    if put_off > 0 {
        return Ok(if put_off == begun { EVERY } else { AGAIN });
    }
    if is_full {
        return Ok(Duration::ZERO);
    }
    let next = app
        .engine
        .read_own(move |reader| reader.next_due_auction(now))
        .await?;
    let until = next.map_or(EVERY, |at| {
        Duration::from_millis(u64::try_from(at - app.engine.log_time()).unwrap_or(0))
    });
    Ok(until.min(EVERY))
}

/// What became of an auction that was due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing is left to do for now.
    Done,
    /// A part of what stands before its close was done: the rest can be done at once.
    More,
    /// It waits for somebody else.
    PutOff,
}

async fn decide(app: &App, auction: AuctionId) -> Result<Step, EngineError> {
    match app.engine.decide(Command::AuctionDue { auction }).await {
        Ok(Ok(_)) => Ok(Step::Done),
        Ok(Err(Refusal::BidsWaiting)) => Ok(Step::More),
        Ok(Err(Refusal::Auction(AuctionRefusal::BidsUndecided { .. }))) => Ok(Step::PutOff),
        // Bought, taken or cancelled since it was found.
        Ok(Err(Refusal::Auction(AuctionRefusal::Closed { .. } | AuctionRefusal::Cancelled))) => {
            Ok(Step::Done)
        }
        Ok(Err(refusal)) => {
            tracing::error!(%auction, code = refusal.code(), "an auction that is due was refused");
            Ok(Step::PutOff)
        }
        Err(EngineError::Overloaded) => Ok(Step::PutOff),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
