//! `[webhooks]`: how endpoints are called.

use effects::webhooks::{DISABLE_AFTER_MS, RETRIES_S, Schedule};
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Longer than the longest wait between two attempts that anyone needs: a week.
const WAIT_S_MAX: u32 = 7 * 24 * 3_600;
const RETRIES_MAX: usize = 30;
/// All waits together, which are up to a tenth longer: the queue keeps a message for 14 days.
const ALL_S_MAX: u64 = 1_000_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    /// How long an endpoint may take to answer, in milliseconds: 1 to 60,000.
    pub timeout_ms: u64,
    /// The waits after the first, the second ... failed attempt, in seconds: at most 30, each 0 to
    /// 604,800, and 1,000,000 together. After the last one a delivery has failed.
    pub retries_s: Vec<u32>,
    /// An endpoint that only failed for so long is disabled, in seconds: 1 to 2,592,000.
    pub disable_after_s: u32,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            timeout_ms: 15_000,
            retries_s: RETRIES_S.to_vec(),
            disable_after_s: u32::try_from(DISABLE_AFTER_MS / 1_000).expect("five days"),
        }
    }
}

impl Webhooks {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let refuse = |name: &str, what: String| Err(ConfigError::new(name, what));
        if !(1..=60_000).contains(&self.timeout_ms) {
            let what = format!("must be 1 to 60000, is {}", self.timeout_ms);
            return refuse("webhooks.timeout_ms", what);
        }
        if self.retries_s.len() > RETRIES_MAX {
            let what = format!(
                "must have at most {RETRIES_MAX} waits, has {}",
                self.retries_s.len()
            );
            return refuse("webhooks.retries_s", what);
        }
        if let Some(wait_s) = self.retries_s.iter().find(|wait_s| **wait_s > WAIT_S_MAX) {
            let what = format!("each wait must be 0 to {WAIT_S_MAX}, one is {wait_s}");
            return refuse("webhooks.retries_s", what);
        }
        let all_s: u64 = self.retries_s.iter().copied().map(u64::from).sum();
        if all_s > ALL_S_MAX {
            let what = format!(
                "must be at most {ALL_S_MAX} together (a message is kept for 14 days), are {all_s}"
            );
            return refuse("webhooks.retries_s", what);
        }
        if !(1..=2_592_000).contains(&self.disable_after_s) {
            let what = format!("must be 1 to 2592000, is {}", self.disable_after_s);
            return refuse("webhooks.disable_after_s", what);
        }
        Ok(())
    }

    pub fn schedule(&self) -> Schedule {
        Schedule::new(self.retries_s.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_schedule_outlives_its_message() {
        for (retries_s, is_taken) in [
            (RETRIES_S.to_vec(), true),
            (vec![1_000_000 / 30; 30], true),
            (vec![WAIT_S_MAX; 30], false),
            (vec![WAIT_S_MAX, 400_000], false),
            (vec![1; 31], false),
            (vec![WAIT_S_MAX + 1], false),
        ] {
            let settings = Webhooks {
                retries_s: retries_s.clone(),
                ..Webhooks::default()
            };
            assert_eq!(settings.check().is_ok(), is_taken, "{retries_s:?}");
        }
    }
}
