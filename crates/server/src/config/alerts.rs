//! `[alerts]`: when operations hears of something, and where.

use commerce::Email;
use effects::alerts::Limits;
use serde::{Deserialize, Serialize};

use super::ConfigError;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alerts {
    /// Who gets an e-mail for each alert, and one when it is over; nobody when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// How often it is looked, in milliseconds: 100 to 60,000.
    pub every_ms: u64,
    /// A consumer with work does none for so long, in seconds: 0 (never) to 86,400.
    pub stands_still_s: u32,
    /// The head of a line waits for so long, in seconds: 0 (never) to 2,592,000.
    pub line_waits_s: u32,
    /// A cause must be gone for so long before its alert is resolved, in seconds: 0 to 86,400.
    pub resolve_after_s: u32,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            email: None,
            every_ms: 5_000,
            stands_still_s: 60,
            line_waits_s: 3_600,
            resolve_after_s: 30,
        }
    }
}

impl Alerts {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let bound = |name: &str, value: u64, low: u64, high: u64| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            let what = format!("must be {low} to {high}, is {value}");
            Err(ConfigError::new(&format!("alerts.{name}"), what))
        };
        bound("every_ms", self.every_ms, 100, 60_000)?;
        bound("stands_still_s", self.stands_still_s.into(), 0, 86_400)?;
        bound("line_waits_s", self.line_waits_s.into(), 0, 2_592_000)?;
        bound("resolve_after_s", self.resolve_after_s.into(), 0, 86_400)?;
        if let Some(email) = &self.email {
            // The address itself is not repeated.
            Email::new(email)
                .map_err(|error| ConfigError::new("alerts.email", error.to_string()))?;
        }
        Ok(())
    }

    pub fn limits(&self) -> Limits {
        let ms = |seconds: u32| i64::from(seconds) * 1_000;
        Limits {
            stands_still_ms: ms(self.stands_still_s),
            line_waits_ms: ms(self.line_waits_s),
            resolve_after_ms: ms(self.resolve_after_s),
        }
    }
}
