//! Tells the sale's log what became of parcels, so that feed, streams and topics have it.
//!
//! Found by a periodic look at what is untold; a nudge only makes it sooner. Told first and
//! marked afterwards: who dies in between tells it again, which says nothing new.

use std::time::Duration;

use commerce::OrderId;
use effects::parcels::Untold;
use engine::{Command, EngineError, PARCEL_NOTES_MAX, ParcelNote, Reply};

use crate::state::App;

const NAME: &str = "parcel-teller";
const EVERY: Duration = Duration::from_millis(500);

pub(super) async fn run(app: App) {
    let mut is_away = false;
    loop {
        app.workers.beat(NAME, app.engine.now());
        tokio::select! {
            () = app.cancel.cancelled() => return,
            () = app.parcel_news.notified() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
        match round(&app).await {
            Ok(()) => is_away = false,
            Err(EngineError::Stopping) => return,
            // It is all there still, and one line says so.
            Err(error) if !is_away => {
                is_away = true;
                tracing::warn!(%error, "what became of parcels is told later");
            }
            Err(_) => {}
        }
    }
}

/// Until nothing is untold, or the server stops.
async fn round(app: &App) -> Result<(), EngineError> {
    while !app.cancel.is_cancelled() {
        let untold = app.effects.untold_parcels(PARCEL_NOTES_MAX).await;
        let untold = untold.map_err(away)?;
        if untold.is_empty() {
            return Ok(());
        }
        let ids = untold.iter().map(|change| change.id).collect();
        tell(app, untold).await?;
        app.effects.parcels_told(ids).await.map_err(away)?;
    }
    Ok(())
}

fn away(error: effects::DatabaseError) -> EngineError {
    EngineError::Store(error.to_string().into())
}

async fn tell(app: &App, untold: Vec<Untold>) -> Result<(), EngineError> {
    // A message that somebody else put into the queue may name an order that is none.
    let notes: Vec<ParcelNote> = untold
        .into_iter()
        .filter_map(|change| {
            Some(ParcelNote {
                order: OrderId::parse(&change.order_id).ok()?,
                tracking_id: change.tracking_id,
                status: change.status.as_str(),
                is_new: change.is_first,
            })
        })
        .collect();
    if notes.is_empty() {
        return Ok(());
    }
    let told = app
        .engine
        .behind()
        .decide(Command::TellParcels { notes })
        .await?;
    if let Ok(Reply::Batch(told)) = told {
        let refused = told.iter().filter(|one| one.is_err()).count();
        if refused > 0 {
            tracing::warn!(refused, "parcels are of orders that are not there");
        }
    }
    Ok(())
}
