//! The `Prefer` header (RFC 7240): `respond-async` and `wait=N`. Preferences that are not known
//! are ignored, as the RFC wants it.

use std::fmt;

/// The longest wait that is honoured, in seconds.
const WAIT_MAX: u64 = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prefer {
    pub respond_async: bool,
    /// Seconds, 0 to 60.
    pub wait_s: Option<u64>,
}

/// `wait` has a value that is not a number of seconds in range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreferError;

impl fmt::Display for PreferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wait must be 0 to {WAIT_MAX} seconds")
    }
}

impl std::error::Error for PreferError {}

impl Prefer {
    /// Reads one header value. The first of two equal preferences counts.
    pub fn parse(value: &str) -> Result<Self, PreferError> {
        let mut prefer = Self::default();
        for preference in value.split(',') {
            let word = preference.split(';').next().unwrap_or("").trim();
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name.trim(), value.trim().trim_matches('"')),
                None => (word, ""),
            };
            // It is defined without a value; an empty one is none (RFC 7240, 2 and 4.1).
            if name.eq_ignore_ascii_case("respond-async") && value.is_empty() {
                prefer.respond_async = true;
            } else if name.eq_ignore_ascii_case("wait") && prefer.wait_s.is_none() {
                let seconds: u64 = value.parse().map_err(|_| PreferError)?;
                if seconds > WAIT_MAX {
                    return Err(PreferError);
                }
                prefer.wait_s = Some(seconds);
            }
        }
        Ok(prefer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_as_the_rfc_writes_them() {
        let prefer = |respond_async, wait_s| {
            Ok(Prefer {
                respond_async,
                wait_s,
            })
        };
        for (value, expected) in [
            ("", prefer(false, None)),
            ("respond-async", prefer(true, None)),
            ("Respond-Async, wait=10", prefer(true, Some(10))),
            ("wait=0", prefer(false, Some(0))),
            (
                "handling=lenient; x=1, wait = \"5\"",
                prefer(false, Some(5)),
            ),
            ("wait=5, wait=9", prefer(false, Some(5))),
            ("wait", Err(PreferError)),
            ("wait=61", Err(PreferError)),
            ("wait=-1", Err(PreferError)),
            ("return=minimal", prefer(false, None)),
            ("respond-async=\"\"", prefer(true, None)),
            ("respond-async; x=1", prefer(true, None)),
            ("respond-async=false", prefer(false, None)),
            ("respond-async=true, wait=3", prefer(false, Some(3))),
        ] {
            assert_eq!(Prefer::parse(value), expected, "{value}");
        }
    }
}
