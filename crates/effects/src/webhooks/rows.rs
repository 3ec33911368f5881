//! Rows to values.

use commerce::Millis;
use rusqlite::types::Type;
use rusqlite::{Params, Row, Transaction, params};

use super::{
    Attempt, Delivery, DeliveryStatus, DisabledReason, Endpoint, EventTypes, StoredSecret,
};

const ENDPOINT: &str = "SELECT n, id, url, types, description, disabled, disabled_at,
  failing_since, pending, created_at FROM webhook_endpoints";
const DELIVERY: &str = "SELECT d.n, e.id, d.event, d.replay, d.type, d.order_seq, d.body,
  d.status, d.attempts, d.next_at, d.created_at, d.ended_at
  FROM webhook_deliveries d JOIN webhook_endpoints e ON e.n = d.endpoint";

/// What another version has written and this one cannot read.
fn unreadable(column: usize, what: impl Into<String>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, what.into().into())
}

fn read_endpoint(row: &Row<'_>) -> rusqlite::Result<Endpoint> {
    let types: String = row.get(3)?;
    let reason: Option<String> = row.get(5)?;
    let reason = reason
        .map(|text| DisabledReason::parse(&text).ok_or_else(|| unreadable(5, text)))
        .transpose()?;
    let disabled_at: Option<Millis> = row.get(6)?;
    Ok(Endpoint {
        n: row.get(0)?,
        id: row.get(1)?,
        url: row.get(2)?,
        types: EventTypes::new(types.split(','))
            .map_err(|error| unreadable(3, error.to_string()))?,
        description: row.get(4)?,
        disabled: reason.map(|reason| (reason, disabled_at.unwrap_or_default())),
        failing_since: row.get(7)?,
        pending: row.get(8)?,
        created_at: row.get(9)?,
        old_secrets_end_at: Vec::new(),
    })
}

fn with_secrets(
    transaction: &Transaction<'_>,
    mut endpoint: Endpoint,
    now: Millis,
) -> rusqlite::Result<Endpoint> {
    endpoint.old_secrets_end_at = transaction
        .prepare_cached(
            "SELECT ends_at FROM webhook_secrets
             WHERE endpoint = ?1 AND ends_at > ?2 ORDER BY n DESC",
        )?
        .query_map(params![endpoint.n, now], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(endpoint)
}

pub(super) fn endpoint(
    transaction: &Transaction<'_>,
    condition: &str,
    values: impl Params,
    now: Millis,
) -> rusqlite::Result<Option<Endpoint>> {
    let mut found = transaction
        .prepare_cached(&format!("{ENDPOINT} WHERE {condition}"))?
        .query_map(values, read_endpoint)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    found
        .pop()
        .map(|endpoint| with_secrets(transaction, endpoint, now))
        .transpose()
}

pub(super) fn endpoints(
    transaction: &Transaction<'_>,
    now: Millis,
) -> rusqlite::Result<Vec<Endpoint>> {
    let found: Vec<Endpoint> = transaction
        .prepare_cached(&format!("{ENDPOINT} ORDER BY n"))?
        .query_map([], read_endpoint)?
        .collect::<rusqlite::Result<_>>()?;
    found
        .into_iter()
        .map(|endpoint| with_secrets(transaction, endpoint, now))
        .collect()
}

/// Those that calls are signed with, the current one first.
pub(super) fn secrets(
    transaction: &Transaction<'_>,
    endpoint: i64,
    now: Millis,
) -> rusqlite::Result<Vec<StoredSecret>> {
    transaction
        .prepare_cached(
            "SELECT secret FROM webhook_secrets
             WHERE endpoint = ?1 AND (ends_at IS NULL OR ends_at > ?2) ORDER BY n DESC",
        )?
        .query_map(params![endpoint, now], |row| row.get(0).map(StoredSecret))?
        .collect()
}

fn read_delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let status: String = row.get(7)?;
    Ok(Delivery {
        n: row.get(0)?,
        endpoint: row.get(1)?,
        event: row.get(2)?,
        replay: row.get(3)?,
        kind: row.get(4)?,
        order_seq: row.get(5)?,
        body: row.get(6)?,
        status: DeliveryStatus::parse(&status).ok_or_else(|| unreadable(7, status))?,
        attempts_made: row.get(8)?,
        next_at: row.get(9)?,
        created_at: row.get(10)?,
        ended_at: row.get(11)?,
        attempts: Vec::new(),
    })
}

pub(super) fn deliveries(
    transaction: &Transaction<'_>,
    condition: &str,
    values: impl Params,
) -> rusqlite::Result<Vec<Delivery>> {
    transaction
        .prepare_cached(&format!("{DELIVERY} WHERE {condition}"))?
        .query_map(values, read_delivery)?
        .collect()
}

pub(super) fn attempts(
    transaction: &Transaction<'_>,
    delivery: i64,
) -> rusqlite::Result<Vec<Attempt>> {
    transaction
        .prepare_cached(
            "SELECT n, at, status, error, ms FROM webhook_attempts WHERE delivery = ?1 ORDER BY n",
        )?
        .query_map([delivery], |row| {
            Ok(Attempt {
                n: row.get(0)?,
                at: row.get(1)?,
                status: row.get(2)?,
                error: row.get(3)?,
                ms: row.get(4)?,
            })
        })?
        .collect()
}
