//! Moments and lengths of time as a person reads them.

use std::time::Duration;

use commerce::Millis;
use jiff::Timestamp;
use jiff::tz::Offset;

use super::{Language, Reader};

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const DAY_S: u64 = 24 * HOUR_S;

/// `21 November 2026, 18:00 (UTC)`, `2026년 11월 22일 03:00 (UTC+9)`.
pub(super) fn moment(at: Millis, reader: Reader) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
    let offset = reader
        .utc_offset_min
        .checked_mul(60)
        .filter(|seconds| seconds.abs() < 86_400)
        .and_then(|seconds| Offset::from_seconds(seconds).ok())
        .unwrap_or(Offset::UTC);
    let there = offset.to_datetime(at);
    let when = match reader.language {
        Language::English => there.strftime("%-d %B %Y, %H:%M"),
        Language::Korean => there.strftime("%Y년 %-m월 %-d일 %H:%M"),
    };
    format!("{when} ({})", zone(offset.seconds() / 60))
}

fn zone(offset_min: i32) -> String {
    let (hours, minutes) = (offset_min.abs() / 60, offset_min.abs() % 60);
    let sign = if offset_min < 0 { '-' } else { '+' };
    match (hours, minutes) {
        (0, 0) => "UTC".to_owned(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

/// At the precision that an estimate deserves, as the pages say it: minutes up to 20, then in
/// steps of five, then hours, then days.
pub(super) fn roughly(time: Duration, language: Language) -> String {
    let seconds = time.as_secs();
    if seconds < MINUTE_S {
        return language.choose("under a minute", "1분 이내").to_owned();
    }
    let minutes = seconds.div_ceil(MINUTE_S);
    let (number, english, korean) = if minutes <= 20 {
        (minutes, "minute", "분")
    } else if minutes < 90 {
        ((minutes + 2) / 5 * 5, "minute", "분")
    } else if minutes < 48 * 60 {
        ((minutes + 30) / 60, "hour", "시간")
    } else {
        ((seconds + DAY_S / 2) / DAY_S, "day", "일")
    };
    match language {
        Language::English if number == 1 => format!("about 1 {english}"),
        Language::English => format!("about {number} {english}s"),
        Language::Korean => format!("약 {number}{korean}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_given_in_the_readers_time() {
        let check = |at: Millis, language: Language, utc_offset_min: i32, expected: &str| {
            let reader = Reader {
                language,
                utc_offset_min,
            };
            assert_eq!(moment(at, reader), expected);
        };
        let at = 1_795_370_400_000;
        check(at, Language::English, 0, "22 November 2026, 18:00 (UTC)");
        check(at, Language::Korean, 540, "2026년 11월 23일 03:00 (UTC+9)");
        check(
            at,
            Language::English,
            -210,
            "22 November 2026, 14:30 (UTC-3:30)",
        );
        check(
            at,
            Language::English,
            i32::MAX,
            "22 November 2026, 18:00 (UTC)",
        );
        check(
            i64::MAX,
            Language::English,
            0,
            "1 January 1970, 00:00 (UTC)",
        );
    }

    #[test]
    fn estimates_do_not_say_more_than_they_know() {
        let check = |seconds: u64, english: &str, korean: &str| {
            let time = Duration::from_secs(seconds);
            assert_eq!(roughly(time, Language::English), english);
            assert_eq!(roughly(time, Language::Korean), korean);
        };
        check(59, "under a minute", "1분 이내");
        check(60, "about 1 minute", "약 1분");
        check(61, "about 2 minutes", "약 2분");
        check(20 * MINUTE_S, "about 20 minutes", "약 20분");
        check(23 * MINUTE_S, "about 25 minutes", "약 25분");
        check(90 * MINUTE_S, "about 2 hours", "약 2시간");
        check(47 * HOUR_S, "about 47 hours", "약 47시간");
        check(3 * DAY_S, "about 3 days", "약 3일");
    }
}
