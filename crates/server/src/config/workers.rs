//! `[workers]`: where consumers find their queues in a process of their own; `[drill]`: a
//! consumer that only takes time, to try things with.

use serde::{Deserialize, Serialize};

use super::{Config, ConfigError, Secret};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workers {
    /// The endpoint of the queues, for `roles = "workers"`: the shop's `aws_listen`, or Amazon's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqs: Option<String>,
    /// What requests are signed for.
    pub region: String,
    /// With `secret`: requests are signed with it. Without, they are not signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

impl Default for Workers {
    fn default() -> Self {
        Self {
            sqs: None,
            region: "us-east-1".to_owned(),
            access_key: None,
            secret: None,
        }
    }
}

/// The consumer `drill`; there is none unless this is set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drill {
    /// How long it takes for each batch, in milliseconds: 0 to 3,600,000.
    pub work_ms: u64,
    /// Its queue is `drill.fifo` in place of `drill`.
    pub fifo: bool,
    /// Messages handed over at a time: 1 to 100.
    pub batch_max: usize,
    /// Batches side by side: 1 to 1,024 each.
    pub floor: usize,
    pub ceiling: usize,
    /// The visibility timeout, in seconds: 1 to 43,200.
    pub timeout_s: u64,
    /// How long a batch may take, in milliseconds: 1 to 3,600,000.
    pub work_max_ms: u64,
    /// The wait after the first failure, in milliseconds: 1 to 900,000.
    pub retry_ms: u64,
    /// Tries before a message is a dead letter: 1 to 1,000.
    pub receives_max: u32,
}

impl Default for Drill {
    fn default() -> Self {
        Self {
            work_ms: 50,
            fifo: false,
            batch_max: 1,
            floor: 1,
            ceiling: 8,
            timeout_s: 30,
            work_max_ms: 300_000,
            retry_ms: 1_000,
            receives_max: 10,
        }
    }
}

pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let workers = &config.workers;
    if let Some(url) = &workers.sqs {
        let parsed = reqwest::Url::parse(url);
        let is_http = parsed.is_ok_and(|url| {
            ["http", "https"].contains(&url.scheme()) && url.username().is_empty()
        });
        if !is_http {
            return Err(ConfigError::new(
                "workers.sqs",
                "must be a URL that begins with http:// or https://",
            ));
        }
    }
    match (&workers.access_key, &workers.secret) {
        (Some(_), Some(_)) | (None, None) => {}
        (Some(_), None) => return Err(ConfigError::new("workers.secret", "belongs to the key")),
        (None, Some(_)) => {
            return Err(ConfigError::new(
                "workers.access_key",
                "belongs to the secret",
            ));
        }
    }
    if !super::is_region(&workers.region) {
        return Err(ConfigError::new(
            "workers.region",
            "must be small letters, digits and hyphens",
        ));
    }
    config.drill.as_ref().map_or(Ok(()), check_drill)
}

fn check_drill(drill: &Drill) -> Result<(), ConfigError> {
    for (name, value, low, high) in [
        ("work_ms", drill.work_ms, 0, 3_600_000),
        ("batch_max", drill.batch_max as u64, 1, 100),
        ("floor", drill.floor as u64, 1, 1_024),
        ("ceiling", drill.ceiling as u64, drill.floor as u64, 1_024),
        ("timeout_s", drill.timeout_s, 1, 43_200),
        ("work_max_ms", drill.work_max_ms, 1, 3_600_000),
        ("retry_ms", drill.retry_ms, 1, 900_000),
        ("receives_max", u64::from(drill.receives_max), 1, 1_000),
    ] {
        if !(low..=high).contains(&value) {
            return Err(ConfigError::new(
                &format!("drill.{name}"),
                format!("must be {low} to {high}, is {value}"),
            ));
        }
    }
    Ok(())
}
