//! Events to deliveries: a row for each endpoint that wants the event, then their messages.

use std::time::Duration;

use effects::webhooks::{Event, Webhooks};
use engine::Engine;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::TELLER_QUEUE;
use crate::traces;
use crate::workers::consumer::{Consumer, Delivery, Outcome, Pace};
use crate::workers::events::unquoted;

/// How long a database or an engine that is away is left alone.
const PAUSE: Duration = Duration::from_secs(2);

pub(in crate::workers) struct Teller {
    pub(in crate::workers) engine: Engine,
    pub(in crate::workers) webhooks: Webhooks,
}

/// What of a message must be known here; the rest goes out as it is.
#[derive(Deserialize)]
struct Told {
    r#type: String,
    seq: u64,
    order: Option<OrderSeq>,
}

#[derive(Deserialize)]
struct OrderSeq {
    seq: i64,
}

/// A message of a topic as endpoints are told it. Its id is made of its place in the log: the
/// same whenever it is told.
///
/// # Errors
/// Says why it is not one.
pub fn event(body: String) -> Result<Event, String> {
    let told: Told = serde_json::from_str(&body)
        .map_err(|error| format!("the message is not an event: {}", unquoted(&error)))?;
    Ok(Event {
        id: format!("evt_{}", told.seq),
        kind: told.r#type,
        order_seq: told.order.map(|order| order.seq),
        body,
    })
}

impl Consumer for Teller {
    fn name(&self) -> &'static str {
        "webhooks"
    }

    fn queue(&self) -> &'static str {
        TELLER_QUEUE
    }

    fn pace(&self) -> Pace {
        Pace {
            ceiling: 2,
            ..Pace::default()
        }
    }

    fn handle<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Vec<Outcome>> {
        self.tell(batch).boxed()
    }
}

impl Teller {
    async fn tell(&self, batch: &[Delivery]) -> Vec<Outcome> {
        let parsed: Vec<Result<Event, String>> = batch
            .iter()
            .map(|message| event(message.body.clone()))
            .collect();
        let events: Vec<Event> = parsed.iter().filter_map(|one| one.clone().ok()).collect();
        let carried = batch.iter().zip(&parsed).filter_map(|(message, event)| {
            let event = event.as_ref().ok()?;
            let attributes = traces::carried_from(&message.id);
            (!attributes.is_empty()).then(|| (event.id.clone(), attributes))
        });
        let told = self.tell_all(events, &carried.collect()).await;
        parsed
            .into_iter()
            .map(|one| match (one, &told) {
                (Err(reason), _) => Outcome::never(reason),
                (Ok(_), Ok(())) => Outcome::Done,
                (Ok(_), Err(reason)) => Outcome::Wait {
                    after: PAUSE,
                    reason: reason.clone(),
                },
            })
            .collect()
    }

    async fn tell_all(&self, events: Vec<Event>, carried: &super::Told) -> Result<(), String> {
        if events.is_empty() {
            return Ok(());
        }
        let told = self.webhooks.tell(events, self.engine.now());
        let queued = traces::effect("note deliveries", told)
            .await
            .map_err(|error| error.to_string())?;
        if queued.is_empty() {
            return Ok(());
        }
        super::send_told(&self.engine, &self.webhooks, queued, carried).await
    }
}
