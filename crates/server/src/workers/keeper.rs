//! The timer: finds what time alone makes due, and proposes it.
//!
//! A factory that took a request and never delivered fails it; a product that may ask again
//! asks again; a line that owes a verdict gets it. Everything is found in the store, so nothing
//! is lost with a process.

use std::time::Duration;

use commerce::{FailReason, ReplenishmentStatus, Sku};
use engine::{Command, EngineError, ReplenishmentChange};

use crate::state::App;

pub(super) const NAME: &str = "keeper";

/// How often it looks.
const EVERY: Duration = Duration::from_millis(500);
/// Rows looked at in one round; the rest has its turn in the next. A product that is well in stock is
/// among them as long as it has a reorder point.
const ROWS: usize = 1_000;

pub(super) async fn run(app: App) {
    let mut seen = None;
    loop {
        app.workers.beat(NAME, app.engine.now());
        tokio::select! {
            () = app.cancel.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = round(&app, &mut seen).await {
            tracing::debug!(%error, "a round was put off");
        }
    }
}

/// `seen` is the last product of the round before; none when all of them had their turn.
async fn round(app: &App, seen: &mut Option<Sku>) -> Result<(), EngineError> {
    let now = app.engine.now();
    let after = seen.clone();
    let (open, unsettled) = app
        .engine
        .read_own(move |reader| {
            Ok((
                reader.open_replenishments(ROWS)?,
                reader.unsettled_products(after.as_ref(), ROWS)?,
            ))
        })
        .await?;
    let last = unsettled.last().filter(|_| unsettled.len() == ROWS);
    let last = last.map(|product| product.sku.clone());
    let settings = &app.config.factory;
    let overdue_ms = i64::try_from(settings.overdue_s).expect("a bounded setting") * 1_000;
    let ask_again_ms = i64::try_from(settings.ask_again_s).expect("a bounded setting") * 1_000;
    for replenishment in open {
        if now - replenishment.since() < overdue_ms {
            continue;
        }
        let detail = match replenishment.status {
            ReplenishmentStatus::InProduction => "the factory has not delivered in time",
            _ => "the request did not reach the factory in time",
        };
        let command = Command::Replenishment {
            id: replenishment.id(),
            sku: replenishment.sku.clone(),
            change: ReplenishmentChange::Failed {
                reason: FailReason::Overdue,
                detail: detail.to_owned(),
                retry_at: now + ask_again_ms,
            },
        };
        // Refused when it was closed in this moment.
        let _ = app.engine.decide(command).await?;
    }
    for product in unsettled {
        let owed = product.wants_replenishment(now).is_some()
            || (product.waiting > 0
                && (product.stock.available() > 0
                    || product.when_sold_out == commerce::WhenSoldOut::Reject));
        if owed {
            let command = Command::Settle {
                sku: product.sku.clone(),
            };
            let _ = app.engine.decide(command).await?;
        }
    }
    *seen = last;
    Ok(())
}
