//! Which of the shop's own consumers run here.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumers {
    /// Names of consumers that somebody else takes the place of: their queues are there and
    /// fill, and nobody here empties them.
    pub off: Vec<String>,
}
