//! Whom to tell, and the secrets that calls to them are signed with.

use std::fmt;

use commerce::Millis;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::rows;
use super::{EventTypes, Webhooks};
use crate::DatabaseError;

/// Endpoints of one shop.
pub const ENDPOINTS_MAX: usize = 200;
/// Secrets beside the current one that calls may be signed with, while a receiver changes over.
pub const OLD_SECRETS_MAX: usize = 3;

/// `whsec_...`, as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSecret(pub String);

/// Secrets are not for logs.
impl fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredSecret(..)")
    }
}

/// Why an endpoint gets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisabledReason {
    /// An operator said so.
    Operator,
    /// It answered 410.
    Gone,
    /// It only failed, for days.
    Failing,
    /// More deliveries wait for it than are kept.
    TooFarBehind,
}

impl DisabledReason {
    pub const ALL: [Self; 4] = [
        Self::Operator,
        Self::Gone,
        Self::Failing,
        Self::TooFarBehind,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Gone => "gone",
            Self::Failing => "failing",
            Self::TooFarBehind => "too_far_behind",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// Whether operations must hear of it: it was nobody's decision here.
    pub const fn is_failure(self) -> bool {
        match self {
            Self::Operator => false,
            Self::Gone | Self::Failing | Self::TooFarBehind => true,
        }
    }
}

/// One endpoint, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Larger for one that was made later.
    pub n: i64,
    /// `whk_...`
    pub id: String,
    pub url: String,
    pub types: EventTypes,
    pub description: String,
    /// Why and since when it gets nothing, if so.
    pub disabled: Option<(DisabledReason, Millis)>,
    pub failing_since: Option<Millis>,
    pub pending: i64,
    pub created_at: Millis,
    /// When the secrets end that are being replaced, newest first.
    pub old_secrets_end_at: Vec<Millis>,
}

#[derive(Debug, Clone)]
pub struct NewEndpoint {
    pub id: String,
    pub url: String,
    pub types: EventTypes,
    pub description: String,
    pub secret: StoredSecret,
    pub disabled: bool,
}

/// What of an endpoint is to be changed.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub url: Option<String>,
    pub types: Option<EventTypes>,
    pub description: Option<String>,
    pub enabled: Option<bool>,
}

/// Why nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    NotFound,
    /// [`ENDPOINTS_MAX`] there are.
    TooManyEndpoints,
    /// [`OLD_SECRETS_MAX`] are being replaced; the first ends then.
    TooManySecrets {
        first_ends_at: Millis,
    },
    /// The endpoint gets nothing: enable it first.
    Disabled,
    /// More would wait for it than is kept.
    TooFarBehind,
}

impl Webhooks {
    /// # Errors
    /// When the database fails.
    pub async fn create(
        &self,
        new: NewEndpoint,
        now: Millis,
    ) -> Result<Result<Endpoint, Refused>, DatabaseError> {
        self.database
            .write(move |transaction| create(transaction, &new, now))
            .await
    }

    /// In the order in which they were made: never more than [`ENDPOINTS_MAX`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn endpoints(&self, now: Millis) -> Result<Vec<Endpoint>, DatabaseError> {
        self.database
            .read(move |transaction| rows::endpoints(transaction, now))
            .await
    }

    /// # Errors
    /// When the database fails.
    pub async fn endpoint(
        &self,
        id: String,
        now: Millis,
    ) -> Result<Option<Endpoint>, DatabaseError> {
        self.database
            .read(move |transaction| find(transaction, &id, now))
            .await
    }

    /// To enable one again is to begin anew: what it failed before no longer counts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change(
        &self,
        id: String,
        change: Change,
        now: Millis,
    ) -> Result<Result<Endpoint, Refused>, DatabaseError> {
        self.database
            .write(move |transaction| alter(transaction, &id, &change, now))
            .await
    }

    /// It goes with everything that is known of it. False when there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete(&self, id: String) -> Result<bool, DatabaseError> {
        self.database
            .write(move |transaction| {
                transaction.execute("DELETE FROM webhook_endpoints WHERE id = ?1", [&id])
            })
            .await
            .map(|gone| gone > 0)
    }

    /// The current secret, and when those before it end, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn secret(&self, id: String) -> Result<Option<StoredSecret>, DatabaseError> {
        self.database
            .read(move |transaction| {
                transaction
                    .query_row(
                        "SELECT secret FROM webhook_secrets
                         WHERE endpoint = (SELECT n FROM webhook_endpoints WHERE id = ?1)
                           AND ends_at IS NULL",
                        [&id],
                        |row| row.get(0).map(StoredSecret),
                    )
                    .optional()
            })
            .await
    }

    /// The new secret is the current one from now on; calls are signed with the one before as
    /// well until `old_ends_at`. When that is over already, the new one is alone at once: every
    /// older one ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotate(
        &self,
        id: String,
        secret: StoredSecret,
        old_ends_at: Millis,
        now: Millis,
    ) -> Result<Result<Endpoint, Refused>, DatabaseError> {
        self.database
            .write(move |transaction| rotate(transaction, &id, &secret, old_ends_at, now))
            .await
    }
}

fn find(
    transaction: &Transaction<'_>,
    id: &str,
    now: Millis,
) -> rusqlite::Result<Option<Endpoint>> {
    rows::endpoint(transaction, "id = ?1", [id], now)
}

fn create(
    transaction: &Transaction<'_>,
    new: &NewEndpoint,
    now: Millis,
) -> rusqlite::Result<Result<Endpoint, Refused>> {
    let count: i64 =
        transaction.query_row("SELECT count(*) FROM webhook_endpoints", [], |row| {
            row.get(0)
        })?;
    if usize::try_from(count).unwrap_or(usize::MAX) >= ENDPOINTS_MAX {
        return Ok(Err(Refused::TooManyEndpoints));
    }
    let disabled = new.disabled.then(|| DisabledReason::Operator.as_str());
    transaction.execute(
        "INSERT INTO webhook_endpoints
           (id, url, types, description, disabled, disabled_at, pending, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)",
        params![
            new.id,
            new.url,
            new.types.to_string(),
            new.description,
            disabled,
            disabled.map(|_| now),
            now
        ],
    )?;
    let n = transaction.last_insert_rowid();
    transaction.execute(
        "INSERT INTO webhook_secrets (endpoint, n, secret) VALUES (?1, 1, ?2)",
        params![n, new.secret.0],
    )?;
    Ok(find(transaction, &new.id, now)?.ok_or(Refused::NotFound))
}

fn alter(
    transaction: &Transaction<'_>,
    id: &str,
    change: &Change,
    now: Millis,
) -> rusqlite::Result<Result<Endpoint, Refused>> {
    let Some(endpoint) = find(transaction, id, now)? else {
        return Ok(Err(Refused::NotFound));
    };
    transaction.execute(
        "UPDATE webhook_endpoints SET url = coalesce(?2, url), types = coalesce(?3, types),
           description = coalesce(?4, description) WHERE n = ?1",
        params![
            endpoint.n,
            change.url,
            change.types.as_ref().map(ToString::to_string),
            change.description
        ],
    )?;
    match change.enabled {
        Some(true) if endpoint.disabled.is_some() => enable(transaction, endpoint.n)?,
        // Whoever switches it off takes it over: it is no failure any more.
        Some(false) => disable(transaction, endpoint.n, DisabledReason::Operator, now)?,
        Some(true) | None => {}
    }
    Ok(find(transaction, id, now)?.ok_or(Refused::NotFound))
}

fn enable(transaction: &Transaction<'_>, n: i64) -> rusqlite::Result<()> {
    transaction
        .execute(
            "UPDATE webhook_endpoints
             SET disabled = NULL, disabled_at = NULL, failing_since = NULL WHERE n = ?1",
            [n],
        )
        .map(drop)
}

pub(super) fn disable(
    transaction: &Transaction<'_>,
    n: i64,
    reason: DisabledReason,
    now: Millis,
) -> rusqlite::Result<()> {
    transaction
        .execute(
            "UPDATE webhook_endpoints
             SET disabled = ?2, disabled_at = coalesce(disabled_at, ?3) WHERE n = ?1",
            params![n, reason.as_str(), now],
        )
        .map(drop)
}

fn rotate(
    transaction: &Transaction<'_>,
    id: &str,
    secret: &StoredSecret,
    old_ends_at: Millis,
    now: Millis,
) -> rusqlite::Result<Result<Endpoint, Refused>> {
    let Some(endpoint) = find(transaction, id, now)? else {
        return Ok(Err(Refused::NotFound));
    };
    let n = endpoint.n;
    if old_ends_at > now {
        if endpoint.old_secrets_end_at.len() >= OLD_SECRETS_MAX {
            let first_ends_at = endpoint.old_secrets_end_at.iter().min().copied();
            return Ok(Err(Refused::TooManySecrets {
                first_ends_at: first_ends_at.unwrap_or(now),
            }));
        }
        transaction.execute(
            "DELETE FROM webhook_secrets WHERE endpoint = ?1 AND ends_at <= ?2",
            params![n, now],
        )?;
        transaction.execute(
            "UPDATE webhook_secrets SET ends_at = ?2 WHERE endpoint = ?1 AND ends_at IS NULL",
            params![n, old_ends_at],
        )?;
    }
    let newest: i64 = transaction.query_row(
        "SELECT max(n) FROM webhook_secrets WHERE endpoint = ?1",
        [n],
        |row| row.get(0),
    )?;
    if old_ends_at <= now {
        transaction.execute("DELETE FROM webhook_secrets WHERE endpoint = ?1", [n])?;
    }
    transaction.execute(
        "INSERT INTO webhook_secrets (endpoint, n, secret) VALUES (?1, ?2, ?3)",
        params![n, newest + 1, secret.0],
    )?;
    Ok(find(transaction, id, now)?.ok_or(Refused::NotFound))
}
