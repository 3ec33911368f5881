//! Webhooks out: who wants which events, and what became of each delivery.
//!
//! - `rules`: what matches, when it is tried again, when an endpoint gets no more. Pure.
//! - `endpoints`: whom to tell, and the secrets that calls are signed with.
//! - `deliveries`: one row for an event and an endpoint, with every attempt.
//! - `lost`: rows whose message is gone.
//!
//! What always holds: an event makes one delivery for each endpoint that was enabled and wanted
//! it when the event was told, however often its message comes; only a replay makes another, and
//! with the same id for the receiver. A delivery that is pending is never cleared away. A secret
//! is in no `Debug`, in no error and in no event.
//!
//! It deliberately does not know how a call is made or signed, and has no clock.

mod deliveries;
mod endpoints;
mod lost;
mod rows;
mod rules;
#[cfg(test)]
mod tests;

pub use deliveries::{
    Attempt, Attempted, Delivery, DeliveryStatus, Due, Event, HISTORY_MAX, Noted, PENDING_MAX,
    Queued,
};
pub use endpoints::{
    Change, DisabledReason, ENDPOINTS_MAX, Endpoint, NewEndpoint, OLD_SECRETS_MAX, Refused,
    StoredSecret,
};
pub use rules::{
    DISABLE_AFTER_MS, EventTypes, RETRIES_S, Schedule, TYPE_BYTES_MAX, TYPES_MAX, TypeError,
    disabled_by,
};

use crate::database::{Database, Effects};

pub(crate) use deliveries::tell;

/// What follows events for those who asked to be called. Cheap to clone.
#[derive(Clone)]
pub struct Webhooks {
    database: Database,
}

impl Webhooks {
    pub fn new(effects: &Effects) -> Self {
        Self {
            database: effects.0.clone(),
        }
    }
}

/// Part of the schema of `effects.db`.
pub(crate) const SCHEMA: &str = "
CREATE TABLE webhook_endpoints (
  n             INTEGER PRIMARY KEY AUTOINCREMENT,
  id            TEXT    NOT NULL UNIQUE,  -- whk_...
  url           TEXT    NOT NULL,
  types         TEXT    NOT NULL,         -- 'order.*,stock.received'
  description   TEXT    NOT NULL,
  disabled      TEXT,                     -- why; NULL is enabled
  disabled_at   INTEGER,
  failing_since INTEGER,                  -- the first failure since the last success
  pending       INTEGER NOT NULL,         -- its deliveries that are pending
  created_at    INTEGER NOT NULL          -- times are milliseconds since 1970
) STRICT;
CREATE TABLE webhook_secrets (
  endpoint INTEGER NOT NULL REFERENCES webhook_endpoints (n) ON DELETE CASCADE,
  n        INTEGER NOT NULL,              -- a newer one has a larger number
  secret   TEXT    NOT NULL,              -- whsec_...
  ends_at  INTEGER,                       -- NULL is the current one
  PRIMARY KEY (endpoint, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE webhook_deliveries (
  n          INTEGER PRIMARY KEY AUTOINCREMENT,
  endpoint   INTEGER NOT NULL REFERENCES webhook_endpoints (n) ON DELETE CASCADE,
  event      TEXT    NOT NULL,            -- the webhook-id
  replay     INTEGER NOT NULL,            -- 0, or the number of the replay
  type       TEXT    NOT NULL,
  order_seq  INTEGER,
  body       TEXT    NOT NULL,
  status     TEXT    NOT NULL,            -- pending, delivered, failed
  attempts   INTEGER NOT NULL,
  next_at    INTEGER,                     -- of one that is pending: not before that
  queued     INTEGER NOT NULL,            -- its message was sent
  created_at INTEGER NOT NULL,
  ended_at   INTEGER,
  UNIQUE (endpoint, event, replay)
) STRICT;
CREATE INDEX webhook_deliveries_unqueued ON webhook_deliveries (n) WHERE queued = 0;
CREATE INDEX webhook_deliveries_shown ON webhook_deliveries (endpoint, n);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (endpoint, n)
  WHERE status <> 'pending';
CREATE INDEX webhook_deliveries_order ON webhook_deliveries (order_seq)
  WHERE order_seq IS NOT NULL;
CREATE TABLE webhook_attempts (
  delivery INTEGER NOT NULL REFERENCES webhook_deliveries (n) ON DELETE CASCADE,
  n        INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  status   INTEGER,                       -- the answer's, if there was one
  error    TEXT,
  ms       INTEGER NOT NULL,
  PRIMARY KEY (delivery, n)
) STRICT, WITHOUT ROWID;
";
