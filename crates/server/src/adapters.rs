//! The wall clock and the operating system's random bits: the only places that ask for them.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use commerce::Millis;
use engine::ports::{Clock, Ids};

/// The system's clock. A clock before 1970 reads as 1970.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock adapter that everything else is handed"
    )]
    fn now(&self) -> Millis {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
    }
}

/// Random bits for ids and tokens: a seed from the operating system at the start, and for each
/// batch a keyed hash of it over a counter that never repeats.
pub struct OsIds {
    seed: [u8; 32],
    drawn: AtomicU64,
}

impl OsIds {
    /// # Errors
    /// When the operating system has no random bits to give.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self {
            seed,
            drawn: AtomicU64::new(0),
        })
    }
}

impl Ids for OsIds {
    fn entropy(&self) -> [u8; 32] {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        *blake3::keyed_hash(&self.seed, &drawn.to_le_bytes()).as_bytes()
    }
}

/// A moment as clients read it: RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub Millis);

impl Time {
    fn print(self, out: &mut impl jiff::fmt::Write) {
        const PRINTER: jiff::fmt::temporal::DateTimePrinter =
            jiff::fmt::temporal::DateTimePrinter::new().precision(Some(3));
        let at = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX);
        PRINTER
            .print_timestamp(&at, out)
            .expect("there is room for what is written");
    }

    /// Shows it to someone, from where it is on the stack.
    pub fn with_text<T>(self, look: impl FnOnce(&str) -> T) -> T {
        let text = self.text();
        look(std::str::from_utf8(&text.bytes[..text.length]).expect("jiff writes ASCII"))
    }

    fn text(self) -> TimeText {
        let slot = usize::from(self.0.to_le_bytes()[0]) % LATE;
        let (last, text) = LAST.with(|texts| texts[slot].get());
        if last == self.0 && text.length > 0 {
            return text;
        }
        let mut text = TimeText {
            bytes: [0; 40],
            length: 0,
        };
        self.print(&mut text);
        LAST.with(|texts| texts[slot].set((self.0, text)));
        text
    }
}

/// How many of the last moments are kept as texts.
const LATE: usize = 8;

thread_local! {
    /// The last ones that were written: what is answered at about one time has few of them.
    static LAST: [Cell<(Millis, TimeText)>; LATE] = const {
        [const { Cell::new((Millis::MIN, TimeText { bytes: [0; 40], length: 0 })) }; LATE]
    };
}

/// On the stack: every answer carries two of them.
#[derive(Clone, Copy)]
struct TimeText {
    bytes: [u8; 40],
    length: usize,
}

impl jiff::fmt::Write for TimeText {
    fn write_str(&mut self, text: &str) -> Result<(), jiff::Error> {
        let end = self.length + text.len();
        self.bytes[self.length..end].copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

/// RFC 3339 in UTC with milliseconds.
pub fn rfc3339(at: Millis) -> String {
    let mut text = String::with_capacity(24);
    Time(at).print(&mut text);
    text
}

/// What a time in a request must be. The last moment is jiff's: the last that any time zone can
/// show within the year 9999.
pub const RFC3339_RULE: &str =
    "must be an RFC 3339 time such as 2026-12-01T09:00:00Z, at the latest 9999-12-30T22:00:00Z";

/// Reads an RFC 3339 time up to 9999-12-30T22:00:00.999Z.
///
/// # Errors
/// When it is not one, or a later one: see [`RFC3339_RULE`].
pub fn parse_rfc3339(text: &str) -> Result<Millis, jiff::Error> {
    // What RFC 9557 puts behind it may name another zone than the offset, and would be passed over.
    if text.contains('[') {
        return Err(jiff::Error::from_args(format_args!("it names a zone")));
    }
    text.parse::<jiff::Timestamp>()
        .map(jiff::Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_of_a_second() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            serde_json::to_string(&Time(1_764_000_000_120)).unwrap(),
            "\"2025-11-24T16:00:00.120Z\""
        );
        assert_eq!(
            serde_json::to_string(&Time(Millis::MIN)).unwrap(),
            serde_json::to_string(&Time(Millis::MAX)).unwrap(),
            "a moment that no calendar has is shown as the last one"
        );
        assert_eq!(rfc3339(1_764_000_000_120), "2025-11-24T16:00:00.120Z");
        assert_eq!(
            parse_rfc3339("2025-11-24T16:00:00.120Z").unwrap(),
            1_764_000_000_120
        );
        assert_eq!(
            parse_rfc3339("2025-11-24T17:00:00+01:00").unwrap(),
            1_764_000_000_000
        );
        for zoned in [
            "2025-11-24T17:00:00+01:00[Europe/Paris]",
            "2025-11-24T17:00:00+01:00[Asia/Seoul]",
            "2025-11-24T16:00:00Z[u-ca=hebrew]",
        ] {
            parse_rfc3339(zoned).unwrap_err();
        }
    }

    #[test]
    fn no_two_draws_are_alike() {
        let ids = OsIds::new().unwrap();
        assert_ne!(ids.entropy(), ids.entropy());
        assert_ne!(
            OsIds::new().unwrap().entropy(),
            OsIds::new().unwrap().entropy()
        );
    }
}
