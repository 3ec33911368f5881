//! Operations alerts: one for each cause, with how often, and when it was over.
//!
//! - `rules`: from what was observed to causes, and from causes and open alerts to what changes.
//!   Pure.
//! - `store`: the alerts, and who was told.
//!
//! What always holds: a cause (a rule and its subject) has one open alert at most; an alert is
//! told once when it is opened and once when it is resolved, in this order. The events for
//! webhooks are made in the transaction that changes the alert; that an e-mail was handed on is
//! noted afterwards, and its id lets the receiver of a repeat recognise it.

mod rules;
mod store;
#[cfg(test)]
mod tests;

pub use rules::{
    Alert, Backlog, Limits, Line, Memory, Observation, Rule, Sighting, Transition, sightings,
    transitions,
};
pub use store::{Alerts, RECENT_MAX, Telling};

/// Part of the schema of `effects.db`.
pub(crate) const SCHEMA: &str = "
CREATE TABLE alerts (
  n             INTEGER PRIMARY KEY AUTOINCREMENT,
  rule          TEXT    NOT NULL,
  subject       TEXT    NOT NULL,
  count         INTEGER NOT NULL,
  opened_at     INTEGER NOT NULL,         -- times are milliseconds since 1970
  last_at       INTEGER NOT NULL,         -- when its cause was last seen
  resolved_at   INTEGER,
  opened_told   INTEGER NOT NULL,         -- an e-mail was handed on, or nobody wanted one
  resolved_told INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX alerts_open ON alerts (rule, subject) WHERE resolved_at IS NULL;
CREATE INDEX alerts_untold ON alerts (n)
  WHERE opened_told = 0 OR (resolved_told = 0 AND resolved_at IS NOT NULL);
";
