//! Looks after the rows: those whose message was not sent, or is gone, and those that are too old.

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
/// History is cleared away, and lost messages are looked for, in every twelfth round.
const CLEAR_EVERY: u32 = 12;
/// A row whose time has come is left to its message for so long.
const OVERDUE_MS: Millis = 10 * 60_000;
/// Rows in one such round that get a new message: they are due at once, all of them.
const LOST_MAX: u64 = 500;

pub(in crate::workers) async fn run(app: App) {
    let webhooks = Webhooks::new(&app.effects);
    let mut rounds: u32 = 0;
    let mut lost = Lost::default();
    loop {
        app.workers.beat(NAME, app.engine.now());
        let clears = rounds.is_multiple_of(CLEAR_EVERY);
        if let Err(error) = round(&app, &webhooks, clears, &mut lost).await {
            tracing::warn!(error, "webhooks: a round was put off");
        }
        rounds = rounds.wrapping_add(1);
        tokio::select! {
            () = app.cancel.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Messages that were missing at the last look. Rows and messages are not counted in the same
/// moment, so only what is missing twice is.
#[derive(Default)]
struct Lost(u64);

impl Lost {
    async fn look(&mut self, app: &App, webhooks: &Webhooks, now: Millis) -> Result<(), String> {
        let read = app
            .engine
            .read_own(move |reader| reader.queue(super::CALLER_QUEUE, now));
        let Some(depth) = read.await.map_err(|error| error.to_string())? else {
            return Ok(());
        };
        let messages = depth.visible + depth.in_flight + depth.delayed;
        let rows = webhooks.with_message().await.map_err(|e| e.to_string())?;
        let missing = rows.saturating_sub(messages);
        let lost = missing.min(std::mem::replace(&mut self.0, missing));
        if lost == 0 {
            return Ok(());
        }
        let found = webhooks.unqueue(now - OVERDUE_MS, lost.min(LOST_MAX)).await;
        let found = found.map_err(|error| error.to_string())?;
        if found > 0 {
            tracing::warn!(
                found,
                missing,
                "webhooks: messages are gone, and are sent again"
            );
        }
        Ok(())
    }
}

async fn round(
    app: &App,
    webhooks: &Webhooks,
    clears: bool,
    lost: &mut Lost,
) -> Result<(), String> {
    let now = app.engine.now();
    let heard = super::heard(&app.engine).await;
    let heard = heard.map_err(|error| error.to_string())?;
    let endpoints = webhooks.endpoints(now).await.map_err(|e| e.to_string())?;
    super::listen(&app.engine, &heard, &endpoints, false)
        .await
        .map_err(|error| error.to_string())?;
    if endpoints.is_empty() {
        return Ok(());
    }
    if clears {
        lost.look(app, webhooks, now).await?;
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

#[cfg(test)]
mod tests {
    use effects::webhooks::{Event, EventTypes, NewEndpoint, StoredSecret};
    use engine::{Command, QueueSpec};
    use messaging::QueueConfig;

    use super::*;
    use crate::workers::testing::app::app;
    use crate::workers::testing::shop::Shop;
    use crate::workers::webhooks::{CALLER_QUEUE, TELLER_QUEUE, send};

    #[tokio::test(start_paused = true)]
    async fn deliveries_whose_messages_were_purged_get_new_ones_and_only_those() {
        let shop = Shop::open(|_| {});
        let queue = |name: &str| QueueSpec {
            name: name.to_owned(),
            config: QueueConfig::default(),
        };
        shop.done(Command::EnsureQueues {
            queues: vec![queue(CALLER_QUEUE), queue(TELLER_QUEUE)],
            subscriptions: Vec::new(),
        })
        .await;
        let app = app(&shop, &[]);
        let webhooks = Webhooks::new(&shop.parts.effects);
        let new = NewEndpoint {
            id: "whk_a".to_owned(),
            url: "https://erp.example/".to_owned(),
            types: EventTypes::new(["*"]).unwrap(),
            description: String::new(),
            secret: StoredSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()),
            disabled: false,
        };
        webhooks.create(new, shop.now()).await.unwrap().unwrap();
        let event = |n: u64| Event {
            id: format!("evt_{n}"),
            kind: "order.accepted".to_owned(),
            order_seq: None,
            body: "{}".to_owned(),
        };
        let tell = async |events: Vec<Event>| {
            let queued = webhooks.tell(events, shop.now()).await.unwrap();
            send(&app.engine, &webhooks, queued).await.unwrap();
        };
        let mut lost = Lost::default();
        let mut rounds = async || {
            for _ in 0..3 {
                round(&app, &webhooks, true, &mut lost).await.unwrap();
            }
            let reader = shop.engine.reader();
            reader
                .queue(CALLER_QUEUE, shop.now())
                .unwrap()
                .unwrap()
                .visible
        };
        tell((0..7).map(event).collect()).await;
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!(rounds().await, 7, "a long line is no loss");
        let purge = Command::PurgeQueue {
            queue: CALLER_QUEUE.to_owned(),
        };
        shop.done(purge).await;
        tell((7..10).map(event).collect()).await;
        assert_eq!(rounds().await, 10);
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!(rounds().await, 10, "once");
        let reader = shop.engine.reader();
        let messages = reader.messages(CALLER_QUEUE, 0, 100).unwrap();
        let mut bodies: Vec<_> = messages.iter().map(|one| one.body.to_string()).collect();
        bodies.sort();
        bodies.dedup();
        assert_eq!(bodies.len(), 10, "each delivery has one");
    }
}
