//! Looks after the rows: those whose message was not sent, and those that are too old.

use std::time::Duration;

use commerce::Millis;
use effects::webhooks::Webhooks;

use crate::state::App;

const NAME: &str = "webhook-keeper";
const EVERY: Duration = Duration::from_secs(5);
/// A row without a message is left to whoever made it for so long.
const LEFT_MS: Millis = 5_000;
/// Messages sent in one round; the rest has its turn in the next.
const SENT_MAX: u32 = 5_000;
/// History is cleared away in every twelfth round.
const CLEAR_EVERY: u32 = 12;

pub(in crate::workers) async fn run(app: App) {
    let webhooks = Webhooks::new(&app.effects);
    let mut rounds: u32 = 0;
    loop {
        app.workers.beat(NAME, app.engine.now());
        if let Err(error) = round(&app, &webhooks, rounds.is_multiple_of(CLEAR_EVERY)).await {
            tracing::warn!(error, "webhooks: a round was put off");
        }
        rounds = rounds.wrapping_add(1);
        tokio::select! {
            () = app.cancel.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn round(app: &App, webhooks: &Webhooks, clears: bool) -> Result<(), String> {
    let now = app.engine.now();
    let endpoints = webhooks.endpoints(now).await.map_err(|e| e.to_string())?;
    super::listen(&app.engine, &endpoints)
        .await
        .map_err(|error| error.to_string())?;
    if endpoints.is_empty() {
        return Ok(());
    }
    let left = webhooks.unqueued(now - LEFT_MS, SENT_MAX).await;
    let left = left.map_err(|error| error.to_string())?;
    if !left.is_empty() {
        super::send(&app.engine, webhooks, left).await?;
    }
    if clears {
        webhooks
            .clear(now)
            .await
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}
