//! What matches, when a failed attempt is made again, and when an endpoint gets no more. Pure.

use std::fmt;

use commerce::Millis;

/// Entries of one endpoint's list.
pub const TYPES_MAX: usize = 50;
/// The longest entry, in bytes.
pub const TYPE_BYTES_MAX: usize = 64;

/// The waits between attempts in seconds, as the Standard Webhooks specification advises: at
/// once, then 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h. Three days and some hours.
pub const RETRIES_S: [u32; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// An endpoint that only failed for so long gets no more: five days.
pub const DISABLE_AFTER_MS: Millis = 5 * 24 * 60 * 60 * 1_000;

/// A wait is up to so many hundredths longer, so that what failed together does not come again
/// together.
const JITTER_PERCENT: u64 = 10;

/// The types of event that an endpoint wants: `order.accepted`, `order.*` or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTypes(Vec<String>);

/// Why something is not a list of types.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    #[error("must have 1 to {TYPES_MAX} entries, has {0}")]
    Count(usize),
    #[error(
        "`{0}` is no type: small letters, digits, `_` and `.`, at most {TYPE_BYTES_MAX} bytes, \
         and `*` alone or after the last full stop"
    )]
    Invalid(String),
}

impl EventTypes {
    /// # Errors
    /// Names the entry that is none.
    pub fn new(entries: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, TypeError> {
        let mut list: Vec<String> = Vec::new();
        for entry in entries {
            let entry = entry.into();
            if !is_pattern(&entry) {
                return Err(TypeError::Invalid(entry.chars().take(80).collect()));
            }
            if !list.contains(&entry) {
                list.push(entry);
            }
        }
        if (1..=TYPES_MAX).contains(&list.len()) {
            Ok(Self(list))
        } else {
            Err(TypeError::Count(list.len()))
        }
    }

    /// Whether it wants events of this type.
    pub fn want(&self, kind: &str) -> bool {
        self.0.iter().any(|entry| match entry.strip_suffix('*') {
            Some(family) => kind.starts_with(family),
            None => entry == kind,
        })
    }

    /// Whether it may want an event whose type begins with these families, such as `order.`.
    pub fn want_any(&self, families: &[&str]) -> bool {
        self.0.iter().any(|entry| {
            let entry = entry.strip_suffix('*').unwrap_or(entry);
            families
                .iter()
                .any(|family| entry.starts_with(family) || family.starts_with(entry))
        })
    }

    pub fn entries(&self) -> &[String] {
        &self.0
    }
}

/// As it is stored.
impl fmt::Display for EventTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

fn is_pattern(entry: &str) -> bool {
    if entry.len() > TYPE_BYTES_MAX {
        return false;
    }
    if entry == "*" {
        return true;
    }
    let name = entry.strip_suffix(".*").unwrap_or(entry);
    name.split('.').all(|part| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    })
}

/// The waits between attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Vec<u32>);

impl Default for Schedule {
    fn default() -> Self {
        Self(RETRIES_S.to_vec())
    }
}

impl Schedule {
    /// Seconds after the first, the second ... failed attempt; with none there is one attempt.
    pub fn new(retries_s: impl Into<Vec<u32>>) -> Self {
        Self(retries_s.into())
    }

    /// How long to wait after so many failed attempts, in milliseconds; none when that was the
    /// last one. The same seed gives the same wait.
    pub fn wait_ms(&self, attempts: u32, seed: u64) -> Option<Millis> {
        let at = usize::try_from(attempts).ok()?.checked_sub(1)?;
        let wait_ms = u64::from(*self.0.get(at)?) * 1_000;
        let longest = wait_ms * JITTER_PERCENT / 100;
        let jitter = if longest == 0 {
            0
        } else {
            seed % (longest + 1)
        };
        Millis::try_from(wait_ms + jitter).ok()
    }

    pub fn attempts_max(&self) -> usize {
        self.0.len() + 1
    }
}

/// Why an endpoint is disabled after an attempt failed like this, if it is.
pub fn disabled_by(
    status: Option<u16>,
    failing_since: Millis,
    now: Millis,
    disable_after_ms: Millis,
) -> Option<super::DisabledReason> {
    // 410 Gone: the receiver asks for no more (Standard Webhooks, "Operational considerations").
    if status == Some(410) {
        Some(super::DisabledReason::Gone)
    } else if now - failing_since >= disable_after_ms {
        Some(super::DisabledReason::Failing)
    } else {
        None
    }
}
