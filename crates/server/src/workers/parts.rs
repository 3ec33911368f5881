//! What consumers are made of that need no engine: they run in the shop's process, or in one of
//! their own whose queues are behind SQS.

use std::sync::Arc;

use effects::Effects;
use engine::ports::Clock;
use outgoing::AllowedHosts;

use super::consumer::Consumer;
use super::drill::Drill;
use crate::config::Config;

/// A consumer takes of it what it needs.
#[derive(Clone)]
pub struct ConsumerParts {
    /// `effects.db` of this process.
    pub effects: Effects,
    pub clock: Arc<dyn Clock>,
    pub config: Arc<Config>,
    /// Who may be called.
    pub allowed: AllowedHosts,
}

/// Those who follow what the shop does, each with a queue of its own. One that needs the engine
/// belongs in `consumers_of_the_engine`.
#[must_use]
pub fn consumers(parts: &ConsumerParts) -> Vec<Arc<dyn Consumer>> {
    let mut all: Vec<Arc<dyn Consumer>> = Vec::new();
    if let Some(settings) = &parts.config.drill {
        all.push(Arc::new(Drill::new(settings.clone())));
    }
    all
}
