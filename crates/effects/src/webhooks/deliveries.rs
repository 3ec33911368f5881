//! One row for an event and an endpoint: pending until it was taken, or was given up.
//!
//! ```text
//! tell, replay ──> pending, unqueued ──message sent──> pending, queued
//!                                                        │  an attempt, noted
//!                         2xx ──> delivered <────────────┤
//!   the last one, or the endpoint is disabled ──> failed <┘──> pending, next_at
//! ```
//! The message is sent after the row is durable, and what has none after a while is found by a
//! look at the rows: a crash in between loses nothing, and a message too many changes nothing.

use commerce::Millis;
use rusqlite::{Transaction, params};

use super::endpoints::disable;
use super::{
    DisabledReason, Endpoint, Refused, Schedule, StoredSecret, Webhooks, disabled_by, rows,
};
use crate::{DatabaseError, is_first};

/// Deliveries of one endpoint that are kept after their end.
pub const HISTORY_MAX: i64 = 1_000;
/// How long they are kept.
const HISTORY_MS: Millis = 30 * 24 * 60 * 60 * 1_000;
/// Deliveries that may wait for one endpoint; with more it is disabled, and an operator replays
/// what it missed from the log.
pub const PENDING_MAX: i64 = 500_000;
/// Rows cleared away at a time.
const CLEARED_MAX: i64 = 5_000;
/// The most of an error's text that is kept, in characters.
const ERROR_CHARS_MAX: usize = 300;
/// The inbox of events that were told.
const CONSUMER: &str = "webhooks";

/// What endpoints are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The `webhook-id`: the same id is the same event.
    pub id: String,
    /// `order.accepted`
    pub kind: String,
    /// The order that it is about.
    pub order_seq: Option<i64>,
    pub body: String,
}

/// A delivery whose message is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    pub n: i64,
    /// The endpoint's id.
    pub endpoint: String,
    /// The event's id.
    pub event: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    Pending,
    Delivered,
    Failed,
}

impl DeliveryStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Failed]
            .into_iter()
            .find(|known| known.as_str() == text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub n: i64,
    /// The endpoint's id.
    pub endpoint: String,
    pub event: String,
    /// 0, or the number of the replay.
    pub replay: i64,
    pub kind: String,
    pub order_seq: Option<i64>,
    pub body: String,
    pub status: DeliveryStatus,
    pub attempts_made: u32,
    /// Of one that is pending: not before that.
    pub next_at: Option<Millis>,
    pub created_at: Millis,
    pub ended_at: Option<Millis>,
    /// Where they were asked for.
    pub attempts: Vec<Attempt>,
}

/// One call, noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub n: u32,
    pub at: Millis,
    /// The answer's, if there was one.
    pub status: Option<u16>,
    pub error: Option<String>,
    pub ms: i64,
}

/// What one call came to.
#[derive(Debug, Clone)]
pub struct Attempted {
    pub at: Millis,
    pub ms: i64,
    pub status: Option<u16>,
    /// None is success.
    pub error: Option<String>,
    /// The receiver asks not to be called again before.
    pub not_before: Option<Millis>,
}

/// What is needed to make an attempt.
#[derive(Debug, Clone)]
pub struct Due {
    pub delivery: Delivery,
    pub endpoint: Endpoint,
    /// The current one first.
    pub secrets: Vec<StoredSecret>,
}

/// What follows from an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noted {
    /// The endpoint was deleted meanwhile.
    Gone,
    Delivered,
    /// Not before that.
    Retry {
        at: Millis,
    },
    /// That was the last attempt.
    Failed,
    /// The endpoint gets no more.
    Disabled(DisabledReason),
}

impl Webhooks {
    /// Makes the deliveries of these events, each once; those whose messages were not noted as
    /// sent.
    ///
    /// # Errors
    /// When the database fails: then there are none.
    pub async fn tell(
        &self,
        events: Vec<Event>,
        now: Millis,
    ) -> Result<Vec<Queued>, DatabaseError> {
        self.database
            .write(move |transaction| {
                let mut queued = Vec::new();
                let mut endpoints = rows::endpoints(transaction, now)?;
                for event in &events {
                    tell_to(transaction, &mut endpoints, event, now)?;
                    queued.extend(unqueued_of(transaction, &event.id)?);
                }
                Ok(queued)
            })
            .await
    }

    /// The same events again for one endpoint: all of them, or those that it wants. Their ids
    /// stay: a receiver that has them does nothing.
    ///
    /// # Errors
    /// When the database fails: then there are none.
    pub async fn replay(
        &self,
        id: String,
        events: Vec<Event>,
        only_wanted: bool,
        now: Millis,
    ) -> Result<Result<Vec<Queued>, Refused>, DatabaseError> {
        self.database
            .write(move |transaction| replay(transaction, &id, &events, only_wanted, now))
            .await
    }

    /// Their messages were sent.
    ///
    /// # Errors
    /// When the database fails: they are sent again.
    pub async fn mark_queued(&self, deliveries: Vec<i64>) -> Result<(), DatabaseError> {
        self.database
            .write(move |transaction| {
                let mut mark = transaction
                    .prepare_cached("UPDATE webhook_deliveries SET queued = 1 WHERE n = ?1")?;
                for n in &deliveries {
                    mark.execute([n])?;
                }
                Ok(())
            })
            .await
    }

    /// Deliveries made before then whose messages were not noted as sent, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unqueued(&self, before: Millis, limit: u32) -> Result<Vec<Queued>, DatabaseError> {
        self.database
            .read(move |transaction| {
                transaction
                    .prepare_cached(
                        "SELECT d.n, e.id, d.event FROM webhook_deliveries d
                         JOIN webhook_endpoints e ON e.n = d.endpoint
                         WHERE d.queued = 0 AND d.created_at < ?1 ORDER BY d.n LIMIT ?2",
                    )?
                    .query_map(params![before, limit], read_queued)?
                    .collect()
            })
            .await
    }

    /// Those of alerts: who changed an alert sends their messages at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unqueued_alerts(&self, limit: u32) -> Result<Vec<Queued>, DatabaseError> {
        self.database
            .read(move |transaction| {
                transaction
                    .prepare_cached(
                        "SELECT d.n, e.id, d.event FROM webhook_deliveries d
                         JOIN webhook_endpoints e ON e.n = d.endpoint
                         WHERE d.queued = 0 AND d.type LIKE 'alert.%' ORDER BY d.n LIMIT ?1",
                    )?
                    .query_map([limit], read_queued)?
                    .collect()
            })
            .await
    }

    /// None when it is gone, with its endpoint or as history.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due(&self, n: i64, now: Millis) -> Result<Option<Due>, DatabaseError> {
        self.database
            .read(move |transaction| due(transaction, n, now))
            .await
    }

    /// # Errors
    /// When the database fails: the attempt is not known then, and will be made again.
    pub async fn note(
        &self,
        n: i64,
        attempted: Attempted,
        schedule: Schedule,
        disable_after_ms: Millis,
        seed: u64,
    ) -> Result<Noted, DatabaseError> {
        self.database
            .write(move |transaction| {
                note(
                    transaction,
                    n,
                    &attempted,
                    &schedule,
                    disable_after_ms,
                    seed,
                )
            })
            .await
    }

    /// It will not be attempted: its endpoint is disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_up(&self, n: i64, now: Millis) -> Result<(), DatabaseError> {
        self.database
            .write(move |transaction| end(transaction, n, DeliveryStatus::Failed, now))
            .await
    }

    /// Deliveries of one endpoint with their attempts, newest first, before the given number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deliveries(
        &self,
        id: String,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Delivery>, DatabaseError> {
        let before = before.unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.database
            .read(move |transaction| {
                let found = rows::deliveries(
                    transaction,
                    "d.endpoint = (SELECT n FROM webhook_endpoints WHERE id = ?1)
                     AND d.n < ?2 ORDER BY d.n DESC LIMIT ?3",
                    params![id, before, limit],
                )?;
                with_attempts(transaction, found)
            })
            .await
    }

    /// What endpoints were told of one order, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of_order(
        &self,
        order_seq: i64,
        limit: u32,
    ) -> Result<Vec<Delivery>, DatabaseError> {
        self.database
            .read(move |transaction| {
                let found = rows::deliveries(
                    transaction,
                    "d.order_seq = ?1 ORDER BY d.n LIMIT ?2",
                    params![order_seq, limit],
                )?;
                with_attempts(transaction, found)
            })
            .await
    }

    /// Clears away history past its bounds, some of it; how much.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clear(&self, now: Millis) -> Result<usize, DatabaseError> {
        self.database
            .write(move |transaction| clear(transaction, now))
            .await
    }
}

fn read_queued(row: &rusqlite::Row<'_>) -> rusqlite::Result<Queued> {
    Ok(Queued {
        n: row.get(0)?,
        endpoint: row.get(1)?,
        event: row.get(2)?,
    })
}

fn with_attempts(
    transaction: &Transaction<'_>,
    mut found: Vec<Delivery>,
) -> rusqlite::Result<Vec<Delivery>> {
    for delivery in &mut found {
        delivery.attempts = rows::attempts(transaction, delivery.n)?;
    }
    Ok(found)
}

/// Makes an event's deliveries, once. Commits with whatever else the transaction does.
pub(crate) fn tell(
    transaction: &Transaction<'_>,
    event: &Event,
    now: Millis,
) -> rusqlite::Result<()> {
    let mut endpoints = rows::endpoints(transaction, now)?;
    tell_to(transaction, &mut endpoints, event, now)
}

/// `endpoints` are all there are, as this transaction sees them.
fn tell_to(
    transaction: &Transaction<'_>,
    endpoints: &mut [Endpoint],
    event: &Event,
    now: Millis,
) -> rusqlite::Result<()> {
    if !is_first(transaction, CONSUMER, &event.id, now)? {
        return Ok(());
    }
    for endpoint in endpoints {
        if endpoint.disabled.is_some() || !endpoint.types.want(&event.kind) {
            continue;
        }
        insert(transaction, endpoint.n, event, 0, now)?;
        endpoint.pending += 1;
        if endpoint.pending > PENDING_MAX {
            disable(transaction, endpoint.n, DisabledReason::TooFarBehind, now)?;
            endpoint.disabled = Some((DisabledReason::TooFarBehind, now));
        }
    }
    Ok(())
}

fn insert(
    transaction: &Transaction<'_>,
    endpoint: i64,
    event: &Event,
    replay: i64,
    now: Millis,
) -> rusqlite::Result<i64> {
    let added = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO webhook_deliveries (endpoint, event, replay, type, order_seq,
               body, status, attempts, next_at, queued, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', 0, ?7, 0, ?7)",
        )?
        .execute(params![
            endpoint,
            event.id,
            replay,
            event.kind,
            event.order_seq,
            event.body,
            now
        ])?;
    let n = transaction.last_insert_rowid();
    if added > 0 {
        transaction
            .prepare_cached("UPDATE webhook_endpoints SET pending = pending + 1 WHERE n = ?1")?
            .execute([endpoint])?;
    }
    Ok(n)
}

fn unqueued_of(transaction: &Transaction<'_>, event: &str) -> rusqlite::Result<Vec<Queued>> {
    transaction
        .prepare_cached(
            "SELECT d.n, e.id, d.event FROM webhook_endpoints e JOIN webhook_deliveries d
               ON d.endpoint = e.n AND d.event = ?1
             WHERE d.queued = 0 ORDER BY d.n",
        )?
        .query_map([event], read_queued)?
        .collect()
}

fn replay(
    transaction: &Transaction<'_>,
    id: &str,
    events: &[Event],
    only_wanted: bool,
    now: Millis,
) -> rusqlite::Result<Result<Vec<Queued>, Refused>> {
    let Some(endpoint) = rows::endpoint(transaction, "id = ?1", [id], now)? else {
        return Ok(Err(Refused::NotFound));
    };
    if endpoint.disabled.is_some() {
        return Ok(Err(Refused::Disabled));
    }
    let wanted = events
        .iter()
        .filter(|event| !only_wanted || endpoint.types.want(&event.kind));
    let room = PENDING_MAX - endpoint.pending;
    if i64::try_from(wanted.clone().count()).unwrap_or(i64::MAX) > room {
        return Ok(Err(Refused::TooFarBehind));
    }
    let newest: i64 = transaction.query_row(
        "SELECT coalesce(max(replay), 0) FROM webhook_deliveries WHERE endpoint = ?1",
        [endpoint.n],
        |row| row.get(0),
    )?;
    let mut queued = Vec::new();
    for event in wanted {
        queued.push(Queued {
            n: insert(transaction, endpoint.n, event, newest + 1, now)?,
            endpoint: endpoint.id.clone(),
            event: event.id.clone(),
        });
    }
    Ok(Ok(queued))
}

fn due(transaction: &Transaction<'_>, n: i64, now: Millis) -> rusqlite::Result<Option<Due>> {
    let Some(delivery) = rows::deliveries(transaction, "d.n = ?1", [n])?.pop() else {
        return Ok(None);
    };
    let condition = "id = ?1";
    let Some(endpoint) = rows::endpoint(transaction, condition, [&delivery.endpoint], now)? else {
        return Ok(None);
    };
    let secrets = rows::secrets(transaction, endpoint.n, now)?;
    Ok(Some(Due {
        delivery,
        endpoint,
        secrets,
    }))
}

/// Ends it, if it has not ended; what had failed may be delivered after all.
fn end(
    transaction: &Transaction<'_>,
    n: i64,
    status: DeliveryStatus,
    now: Millis,
) -> rusqlite::Result<()> {
    let was_pending = transaction
        .prepare_cached(
            "UPDATE webhook_endpoints SET pending = pending - 1 WHERE n =
               (SELECT endpoint FROM webhook_deliveries WHERE n = ?1 AND status = 'pending')",
        )?
        .execute([n])?;
    if was_pending > 0 || status == DeliveryStatus::Delivered {
        transaction
            .prepare_cached(
                "UPDATE webhook_deliveries SET status = ?2, next_at = NULL, queued = 1,
                   ended_at = ?3 WHERE n = ?1 AND status <> 'delivered'",
            )?
            .execute(params![n, status.as_str(), now])?;
    }
    Ok(())
}

fn note(
    transaction: &Transaction<'_>,
    n: i64,
    attempted: &Attempted,
    schedule: &Schedule,
    disable_after_ms: Millis,
    seed: u64,
) -> rusqlite::Result<Noted> {
    let now = attempted.at + attempted.ms;
    let Some(Due {
        delivery, endpoint, ..
    }) = due(transaction, n, now)?
    else {
        return Ok(Noted::Gone);
    };
    let made = delivery.attempts_made + 1;
    add_attempt(transaction, n, made, attempted)?;
    if attempted.error.is_none() {
        end(transaction, n, DeliveryStatus::Delivered, now)?;
        transaction
            .prepare_cached("UPDATE webhook_endpoints SET failing_since = NULL WHERE n = ?1")?
            .execute([endpoint.n])?;
        return Ok(Noted::Delivered);
    }
    if delivery.status == DeliveryStatus::Delivered {
        return Ok(Noted::Delivered);
    }
    let failing_since = endpoint.failing_since.unwrap_or(attempted.at);
    transaction
        .prepare_cached("UPDATE webhook_endpoints SET failing_since = ?2 WHERE n = ?1")?
        .execute(params![endpoint.n, failing_since])?;
    let disabled = disabled_by(attempted.status, failing_since, now, disable_after_ms);
    if let Some(reason) = disabled.filter(|_| endpoint.disabled.is_none()) {
        disable(transaction, endpoint.n, reason, now)?;
        end(transaction, n, DeliveryStatus::Failed, now)?;
        return Ok(Noted::Disabled(reason));
    }
    let Some(wait_ms) = schedule.wait_ms(made, seed) else {
        end(transaction, n, DeliveryStatus::Failed, now)?;
        return Ok(Noted::Failed);
    };
    let at = (now + wait_ms).max(attempted.not_before.unwrap_or(now));
    transaction
        .prepare_cached("UPDATE webhook_deliveries SET next_at = ?2 WHERE n = ?1")?
        .execute(params![n, at])?;
    Ok(Noted::Retry { at })
}

fn add_attempt(
    transaction: &Transaction<'_>,
    delivery: i64,
    made: u32,
    attempted: &Attempted,
) -> rusqlite::Result<()> {
    let error = attempted.error.as_ref();
    let error: Option<String> = error.map(|text| text.chars().take(ERROR_CHARS_MAX).collect());
    transaction
        .prepare_cached(
            "INSERT INTO webhook_attempts (delivery, n, at, status, error, ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            delivery,
            made,
            attempted.at,
            attempted.status,
            error,
            attempted.ms
        ])?;
    transaction
        .prepare_cached("UPDATE webhook_deliveries SET attempts = ?2 WHERE n = ?1")?
        .execute(params![delivery, made])
        .map(drop)
}

fn clear(transaction: &Transaction<'_>, now: Millis) -> rusqlite::Result<usize> {
    let endpoints: Vec<i64> = transaction
        .prepare_cached("SELECT n FROM webhook_endpoints")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut cleared = 0;
    for endpoint in endpoints {
        // The newest ended one that is not kept: everything up to it goes, the oldest first.
        cleared += transaction
            .prepare_cached(
                "DELETE FROM webhook_deliveries WHERE n IN (
                   SELECT n FROM webhook_deliveries
                   WHERE endpoint = ?1 AND status <> 'pending' AND n <= (
                     SELECT n FROM webhook_deliveries WHERE endpoint = ?1 AND status <> 'pending'
                     ORDER BY n DESC LIMIT 1 OFFSET ?2)
                   ORDER BY n LIMIT ?3)",
            )?
            .execute(params![endpoint, HISTORY_MAX, CLEARED_MAX])?;
        cleared += transaction
            .prepare_cached(
                "DELETE FROM webhook_deliveries WHERE n IN (
                   SELECT n FROM webhook_deliveries
                   WHERE endpoint = ?1 AND status <> 'pending'
                   ORDER BY n LIMIT ?3) AND ended_at < ?2",
            )?
            .execute(params![endpoint, now - HISTORY_MS, CLEARED_MAX])?;
    }
    Ok(cleared)
}
