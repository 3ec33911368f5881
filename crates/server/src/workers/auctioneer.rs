//! The clock of the auctions: opens, tells that the end is near, closes, each as a command
//! through the sequencer. After a start it finds what fell due while nobody was there.

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

/// Bids that were admitted before the start and have no verdict get it now: the messages that
/// would ask for it may be held, until their time-out, by a worker that is gone.
async fn catch_up(app: &App) {
    let mut before = None;
    while !app.cancel.is_cancelled() {
        let page = app.engine.read(move |reader| {
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
            let command = Command::DecideBids {
                auction: stored.id(),
                queue: BIDS_QUEUE.to_owned(),
                messages: Vec::new(),
            };
            if let Err(error) = app.engine.decide(command).await {
                tracing::warn!(%error, worker = NAME, "bids that wait were left for later");
            }
        }
        if page.len() < CATCH_UP_PAGE {
            return;
        }
    }
}

/// Everything that is due now; how long to sleep afterwards.
async fn round(app: &App, most: &mut usize) -> Result<Duration, EngineError> {
    let now = app.engine.log_time();
    let limit = *most;
    let due = app
        .engine
        .read(move |reader| reader.due_auctions(now, limit))
        .await?;
    let is_full = due.len() == limit;
    let begun = due.len();
    let done: Vec<bool> = join_all(due.into_iter().map(|auction| decide(app, auction)))
        .await
        .into_iter()
        .collect::<Result<_, _>>()?;
    let put_off = done.iter().filter(|done| !**done).count();
    *most = if is_full && put_off > 0 {
        (limit * 2).min(ROUND_LIMIT)
    } else {
        ROUND_MAX
    };
    if put_off > 0 {
        return Ok(if put_off == begun { EVERY } else { AGAIN });
    }
    if is_full {
        return Ok(Duration::ZERO);
    }
    let next = app
        .engine
        .read(move |reader| reader.next_due_auction(now))
        .await?;
    let until = next.map_or(EVERY, |at| {
        Duration::from_millis(u64::try_from(at - app.engine.log_time()).unwrap_or(0))
    });
    Ok(until.min(EVERY))
}

/// Whether nothing is left to do for now.
async fn decide(app: &App, auction: AuctionId) -> Result<bool, EngineError> {
    match app.engine.decide(Command::AuctionDue { auction }).await {
        Ok(Ok(_)) => Ok(true),
        Ok(Err(Refusal::Auction(AuctionRefusal::BidsUndecided { .. }) | Refusal::BidsWaiting)) => {
            Ok(false)
        }
        // Bought, taken or cancelled since it was found.
        Ok(Err(Refusal::Auction(AuctionRefusal::Closed { .. } | AuctionRefusal::Cancelled))) => {
            Ok(true)
        }
        Ok(Err(refusal)) => {
            tracing::error!(%auction, code = refusal.code(), "an auction that is due was refused");
            Ok(false)
        }
        Err(EngineError::Overloaded) => Ok(false),
        Err(error) => Err(error),
    }
}
