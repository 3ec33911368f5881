//! The envelopes of what the shop itself tells: the topics that are fed from the log.
//!
//! Wrapped, and signed, is only what somebody wants wrapped. Whether anybody does is remembered
//! from one entry to the next, until a subscription changes; the engine says when that was old.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use commerce::Millis;
use engine::Envelope;
use engine::ports::{Envelopes, StoreError};
use messaging::topic::{Protocol, Publication};

use super::envelopes::{Origin, signature_version};
use super::{publish, topic_arn};
use crate::state::App;

/// For what another process changes.
const FRESH_MS: Millis = 500;

pub struct LogEnvelopes {
    app: App,
    known: Mutex<HashMap<String, Known>>,
}

struct Known {
    version: u64,
    at: Millis,
    /// None when everybody wants the bare text.
    origin: Option<Origin>,
}

impl LogEnvelopes {
    pub fn new(app: App) -> Self {
        Self {
            app,
            known: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, topic: &str) -> Result<Option<Origin>, StoreError> {
        let reader = self.app.engine.reader();
        let Some(found) = reader.topic(topic)? else {
            return Ok(None);
        };
        if !publish::wraps(&*reader, topic)? {
            return Ok(None);
        }
        Ok(Some(Origin {
            topic_arn: topic_arn(&self.app.config.aws, found.owner.as_deref(), topic),
            base_url: self.app.sns.base_url.clone(),
            timestamp_ms: 0,
            version: signature_version(&found),
        }))
    }
}

impl Envelopes for LogEnvelopes {
    fn forget(&self) {
        self.lock().clear();
    }

    fn wrap(
        &self,
        topic: &str,
        id: &str,
        at: Millis,
        publication: &Publication,
    ) -> Vec<(Protocol, Envelope)> {
        let (version, now) = (self.app.sns.subscriptions_version(), self.app.engine.now());
        let mut known = self.lock();
        let is_fresh = |known: &Known| known.version == version && now - known.at < FRESH_MS;
        if !known.get(topic).is_some_and(is_fresh) {
            let origin = match self.look(topic) {
                Ok(origin) => origin,
                Err(error) => {
                    tracing::warn!(%error, topic, "subscribers get the bare text");
                    return Vec::new();
                }
            };
            let now_known = Known {
                version,
                at: now,
                origin,
            };
            known.insert(topic.to_owned(), now_known);
        }
        let Some(origin) = known.get_mut(topic).and_then(|known| known.origin.as_mut()) else {
            return Vec::new();
        };
        origin.timestamp_ms = at;
        // The relay is a task like others: its thread must not be kept from them.
        let sign = || origin.envelopes(&self.app.sns.signing, id, publication);
        tokio::task::block_in_place(sign).unwrap_or_else(|error| {
            tracing::error!(%error, topic, "subscribers get the bare text");
            Vec::new()
        })
    }
}
