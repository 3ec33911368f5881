//! The alerts, and who was told.

use commerce::Millis;
use rusqlite::types::Type;
use rusqlite::{OptionalExtension as _, Params, Row, Transaction, params};
use serde_json::json;

use super::{Alert, Rule, Sighting, Transition};
use crate::database::{Database, Effects};
use crate::webhooks::{self, Event};
use crate::{DatabaseError, is_first};

/// Alerts that are over and still shown.
pub const RECENT_MAX: u32 = 100;
/// How long they are kept.
const KEPT_MS: Millis = 90 * 24 * 60 * 60 * 1_000;
/// Tellings at a time.
const TELLINGS_MAX: u32 = 100;
const COLUMNS: &str = "n, rule, subject, count, opened_at, last_at, resolved_at";
/// In the inbox: what webhooks were told of an alert.
const CONSUMER: &str = "alerts";

/// Cheap to clone.
#[derive(Clone)]
pub struct Alerts {
    database: Database,
}

/// An e-mail that is to be handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    pub alert: Alert,
    /// False: it is opened.
    pub resolved: bool,
}

impl Telling {
    /// The same for the same telling: a receiver that has it does nothing.
    pub fn id(&self) -> String {
        telling_id(self.alert.n, self.resolved)
    }
}

fn telling_id(n: i64, resolved: bool) -> String {
    let what = if resolved { "resolved" } else { "opened" };
    format!("alert_{n}_{what}")
}

impl Alerts {
    pub fn new(effects: &Effects) -> Self {
        Self {
            database: effects.0.clone(),
        }
    }

    /// # Errors
    /// When the database fails.
    pub async fn open(&self) -> Result<Vec<Alert>, DatabaseError> {
        self.database
            .read(|transaction| select(transaction, "resolved_at IS NULL ORDER BY n", []))
            .await
    }

    /// Those that are over, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recent(&self, limit: u32) -> Result<Vec<Alert>, DatabaseError> {
        self.database
            .read(move |transaction| {
                select(
                    transaction,
                    "resolved_at IS NOT NULL ORDER BY n DESC LIMIT ?1",
                    [limit.min(RECENT_MAX)],
                )
            })
            .await
    }

    /// Makes these changes, and tells webhooks of them: all of it or nothing. A change that
    /// another process has made is none. `mailed`: somebody wants an e-mail.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn apply(
        &self,
        changes: Vec<Transition>,
        mailed: bool,
        now: Millis,
    ) -> Result<(), DatabaseError> {
        self.database
            .write(move |transaction| {
                for change in &changes {
                    apply(transaction, change, mailed, now)?;
                }
                transaction
                    .execute("DELETE FROM alerts WHERE resolved_at < ?1", [now - KEPT_MS])
                    .map(drop)
            })
            .await
    }

    /// What was not handed on yet, in the order in which it happened to each alert.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn untold(&self) -> Result<Vec<Telling>, DatabaseError> {
        self.database.read(untold).await
    }

    /// It was handed on.
    ///
    /// # Errors
    /// When the database fails: it is handed on again, with the same id.
    pub async fn mark_told(&self, telling: &Telling) -> Result<(), DatabaseError> {
        let (n, resolved) = (telling.alert.n, telling.resolved);
        self.database
            .write(move |transaction| {
                let column = if resolved {
                    "resolved_told"
                } else {
                    "opened_told"
                };
                transaction
                    .execute(&format!("UPDATE alerts SET {column} = 1 WHERE n = ?1"), [n])
                    .map(drop)
            })
            .await
    }
}

fn read_alert(row: &Row<'_>) -> rusqlite::Result<Alert> {
    let rule: String = row.get(1)?;
    Ok(Alert {
        n: row.get(0)?,
        rule: Rule::parse(&rule)
            .ok_or_else(|| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, rule.into()))?,
        subject: row.get(2)?,
        count: row.get(3)?,
        opened_at: row.get(4)?,
        last_at: row.get(5)?,
        resolved_at: row.get(6)?,
    })
}

fn select(
    transaction: &Transaction<'_>,
    condition: &str,
    values: impl Params,
) -> rusqlite::Result<Vec<Alert>> {
    transaction
        .prepare_cached(&format!("SELECT {COLUMNS} FROM alerts WHERE {condition}"))?
        .query_map(values, read_alert)?
        .collect()
}

fn apply(
    transaction: &Transaction<'_>,
    change: &Transition,
    mailed: bool,
    now: Millis,
) -> rusqlite::Result<()> {
    match change {
        Transition::Open(sighting) => open(transaction, sighting, mailed, now),
        Transition::Seen { n, count } => transaction
            .prepare_cached(
                "UPDATE alerts SET count = max(count, ?2), last_at = max(last_at, ?3)
                 WHERE n = ?1 AND resolved_at IS NULL",
            )?
            .execute(params![n, count, now])
            .map(drop),
        Transition::Resolve { n } => resolve(transaction, *n, mailed, now),
    }
}

fn open(
    transaction: &Transaction<'_>,
    sighting: &Sighting,
    mailed: bool,
    now: Millis,
) -> rusqlite::Result<()> {
    let added = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO alerts
               (rule, subject, count, opened_at, last_at, opened_told, resolved_told)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5, 0)",
        )?
        .execute(params![
            sighting.rule.as_str(),
            sighting.subject,
            sighting.count,
            now,
            !mailed
        ])?;
    if added == 0 {
        return Ok(());
    }
    tell_webhooks(transaction, transaction.last_insert_rowid(), false, now)
}

fn resolve(
    transaction: &Transaction<'_>,
    n: i64,
    mailed: bool,
    now: Millis,
) -> rusqlite::Result<()> {
    let resolved = transaction
        .prepare_cached(
            "UPDATE alerts SET resolved_at = ?2, resolved_told = ?3
             WHERE n = ?1 AND resolved_at IS NULL",
        )?
        .execute(params![n, now, !mailed])?;
    if resolved == 0 {
        return Ok(());
    }
    tell_webhooks(transaction, n, true, now)
}

fn tell_webhooks(
    transaction: &Transaction<'_>,
    n: i64,
    resolved: bool,
    now: Millis,
) -> rusqlite::Result<()> {
    let id = telling_id(n, resolved);
    // Two processes may look at once: the second finds nothing to change, and this noted.
    if !is_first(transaction, CONSUMER, &id, now)? {
        return Ok(());
    }
    let found = transaction
        .prepare_cached(&format!("SELECT {COLUMNS} FROM alerts WHERE n = ?1"))?
        .query_row([n], read_alert)
        .optional()?;
    let Some(alert) = found else {
        return Ok(());
    };
    let kind = if resolved {
        "alert.resolved"
    } else {
        "alert.opened"
    };
    let body = json!({
        "type": kind,
        "at": now,
        "data": {
            "alert": alert.n,
            "rule": alert.rule.as_str(),
            "subject": alert.subject,
            "count": alert.count,
            "openedAt": alert.opened_at,
            "resolvedAt": alert.resolved_at,
        },
    });
    let event = Event {
        id: format!("evt_{id}"),
        kind: kind.to_owned(),
        order_seq: None,
        body: body.to_string(),
    };
    webhooks::tell(transaction, &event, now)
}

fn untold(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<Telling>> {
    transaction
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, opened_told, resolved_told FROM alerts
             WHERE opened_told = 0 OR (resolved_told = 0 AND resolved_at IS NOT NULL)
             ORDER BY n LIMIT ?1"
        ))?
        .query_map([TELLINGS_MAX], |row| {
            let alert = read_alert(row)?;
            let (opened_told, resolved_told): (bool, bool) = (row.get(7)?, row.get(8)?);
            let opened = (!opened_told).then(|| Telling {
                alert: alert.clone(),
                resolved: false,
            });
            let is_over = alert.resolved_at.is_some();
            let resolved = (is_over && !resolved_told).then_some(Telling {
                alert,
                resolved: true,
            });
            Ok([opened, resolved])
        })?
        .map(|pair| pair.map(|pair| pair.into_iter().flatten()))
        .collect::<rusqlite::Result<Vec<_>>>()
        .map(|pairs| pairs.into_iter().flatten().collect())
}
