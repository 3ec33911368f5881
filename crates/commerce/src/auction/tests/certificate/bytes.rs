//! The file itself: any byte of it, any order of its parts, anything that is none.

use proptest::prelude::*;

use super::generate::auction;
use super::lines::{Lines, print};
use super::recorder::{Recorder, Way};
use super::*;

/// A deferred bid, a sealed reserve, a refusal and a winner.
fn small() -> Lines {
    let mut terms = terms();
    terms.reserve_price = Some(money(20));
    let mut recorder = Recorder::new(terms);
    recorder.now = 1_000;
    recorder.bid("a", 10, Some(30), Way::Deferred);
    recorder.decide_next();
    recorder.bid("b", 11, None, Way::Direct);
    recorder.close();
    recorder.lines
}

fn check_flip(certificate: &str, at: usize, mask: u8) {
    let mut bytes = certificate.as_bytes().to_vec();
    bytes[at] ^= mask;
    assert!(verify(&bytes).is_err(), "byte {at}");
}

#[test]
fn no_byte_of_a_certificate_can_be_another() {
    // An escape too, which might have been spelled in other ways.
    let certificate = small().certificate().replace("Lamp", "\\u004camp");
    assert_eq!(verify(certificate.as_bytes()), small().verify());
    for at in 0..certificate.len() {
        for bit in 0..8 {
            check_flip(&certificate, at, 1 << bit);
        }
        // From one letter to any other takes more than a bit.
        check_flip(&certificate, at, 0x1f);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nor_of_any_other(
        recorder in auction(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 16),
    ) {
        let certificate = recorder.lines.certificate();
        for (at, mask) in flips {
            check_flip(&certificate, at.index(certificate.len()), mask);
        }
    }

    #[test]
    fn entries_moved_dropped_or_doubled_are_found(
        recorder in auction(),
        from: prop::sample::Index,
        to: prop::sample::Index,
        way in 0..3,
    ) {
        let lines = &recorder.lines;
        let is_final = lines.is_closed();
        let mut entries = lines.entries(is_final);
        let (from, to) = (from.index(entries.len()), to.index(entries.len()));
        let entry = match way {
            0 => entries.remove(from),
            1 => entries[from].clone(),
            _ => {
                // A certificate without its newest entries is one of an earlier moment.
                prop_assume!(from + 1 < entries.len());
                let dropped = entries.remove(from);
                let next = entries[from].seq;
                let text = print(&lines.auction, is_final, &entries);
                return named(&text, next, &dropped.seq.to_string());
            }
        };
        prop_assume!(way == 1 || from != to);
        entries.insert(to, entry);
        let text = print(&lines.auction, is_final, &entries);
        let violations = verify(text.as_bytes()).unwrap_err();
        let links = violations.told.iter().filter(|violation| violation.seq.is_some());
        prop_assert!(links.count() > 0, "{}", violations);
    }

    #[test]
    fn nothing_makes_the_verifier_panic(
        recorder in auction(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4),
        rubbish: Vec<u8>,
    ) {
        let mut certificate = recorder.lines.certificate().into_bytes();
        for (from, to) in cuts {
            let (a, b) = (from.index(certificate.len()), to.index(certificate.len()));
            let piece = certificate[a.min(b)..a.max(b)].to_vec();
            certificate.splice(b..b, piece);
        }
        let _ = verify(&certificate);
        prop_assert!(verify(&rubbish).is_err());
    }
}

/// The entry after the dropped one is named, for its link and for its pointer.
fn named(certificate: &str, seq: u64, dropped: &str) -> Result<(), TestCaseError> {
    let violations = verify(certificate.as_bytes()).unwrap_err();
    let of_next: Vec<_> = violations
        .told
        .iter()
        .filter(|v| v.seq == Some(seq))
        .collect();
    let has = |text: &str| {
        of_next
            .iter()
            .any(|violation| violation.what.contains(text))
    };
    prop_assert!(has("hash is not that"), "{}", violations);
    prop_assert!(has(&format!("prev is {dropped}")), "{}", violations);
    Ok(())
}

/// As older servers wrote it.
fn without_head(certificate: &str) -> String {
    let from = certificate.find(r#""head":"#).unwrap();
    let to = certificate.find(r#""entries":"#).unwrap();
    format!("{}{}", &certificate[..from], &certificate[to..])
}

#[test]
fn a_certificate_that_names_no_head_says_so() {
    let lines = small();
    let named = lines.verify().unwrap();
    assert!(named.head_named);
    let old = without_head(&lines.certificate());
    let right = Verified {
        head_named: false,
        ..named
    };
    assert_eq!(verify(old.as_bytes()), Ok(right.clone()));
    // What it cannot prove: the sequence of its newest entry.
    let newest = format!(r#"{{"seq":{},"#, right.head_seq);
    let moved = old.replacen(&newest, r#"{"seq":999,"#, 1);
    let head_seq = 999;
    assert_eq!(verify(moved.as_bytes()), Ok(Verified { head_seq, ..right }));
}

#[test]
fn the_head_is_the_newest_entry() {
    let mut lines = small();
    let whole = lines.certificate();
    let end = whole.find(r#""entries":"#).unwrap();
    // A certificate of an earlier moment under the head of a later one.
    lines.all.pop();
    let shorter = lines.certificate();
    let from = shorter.find(r#""entries":"#).unwrap();
    let forged = format!("{}{}", &whole[..end], &shorter[from..]);
    let violations = verify(forged.as_bytes()).unwrap_err().to_string();
    assert!(violations.contains("head.seq is"), "{violations}");
    assert!(violations.contains("head.hash is not"), "{violations}");
    // Wherever it stands, and once.
    let after = |text: &str| {
        let head = &text[text.find(r#""head":"#).unwrap()..text.find(r#","entries":"#).unwrap()];
        format!("{},{head}}}", without_head(text).strip_suffix('}').unwrap())
    };
    assert_eq!(verify(after(&whole).as_bytes()), verify(whole.as_bytes()));
    assert!(verify(after(&shorter).as_bytes()).is_ok());
    let twice = whole.replacen(r#""head":"#, r#""head":{"seq":1,"hash":""},"head":"#, 1);
    let violations = verify(twice.as_bytes()).unwrap_err().to_string();
    assert!(violations.contains("`head` is there twice"), "{violations}");
}

#[test]
fn white_space_between_the_parts_is_free() {
    let lines = small();
    let compact = lines.certificate();
    let spaced = compact
        .replace(r#","prev":"#, "  ,\n\t\"prev\" : ")
        .replace(r#""entries":["#, "\"entries\":\r\n[ ");
    assert_ne!(spaced, compact);
    assert_eq!(verify(spaced.as_bytes()), lines.verify());
}

#[test]
fn what_is_no_certificate_is_told() {
    let right = small().certificate();
    let auction = r#""auction":"auc_00000000071111111111111111""#;
    let cut = &right[..right.len() - 1];
    let escaped = right.replace("Lamp", "\\u004Camp");
    assert_ne!(escaped, right);
    let table: [(String, &str); 14] = [
        (String::new(), "EOF"),
        ("[]".into(), "a certificate"),
        ("{}".into(), "missing field `format`"),
        (
            r#"{"format":"firstcome.certificate.v2"}"#.into(),
            "format is not known",
        ),
        (
            right.replace("v1\",", "v1\",\"more\":1,"),
            "unknown field `more`",
        ),
        (
            right.replace("\"prev\":", "\"more\":1,\"prev\":"),
            "unknown field `more`",
        ),
        (
            right.replace("\"final\":true,", "\"final\":true,\"final\":true,"),
            "twice",
        ),
        (
            right.replace("\"at\":", "\"at\":1,\"at\":"),
            "duplicate field `at`",
        ),
        (right.replace("\"at\":1000", "\"at\":1e3"), "invalid type"),
        (
            right.replace("\"entries\":", "\"entries\":[],\"entries\":"),
            "twice",
        ),
        (format!(r#"{{"entries":[],{auction}}}"#), "before `auction`"),
        (cut.into(), "EOF"),
        (format!("{right}]"), "trailing"),
        (escaped, "escape"),
    ];
    for (text, what) in table {
        let violations = verify(text.as_bytes()).unwrap_err();
        let told = violations.told.iter();
        let mut of_file = told.filter(|violation| violation.seq.is_none());
        assert!(
            of_file.any(|v| v.what.contains(what)),
            "{what}: {violations}\n{text}"
        );
    }
    let empty = print("auc_00000000071111111111111111", false, &[]);
    let violations = verify(empty.as_bytes()).unwrap_err();
    assert_eq!(violations.told[0].what, "has no entries");
    let none = verify(b"\xff").unwrap_err();
    assert!(none.told[0].what.contains("utf-8"), "{none}");
}

#[test]
fn only_so_many_violations_are_told_and_each_is_short() {
    let mut lines = small();
    for at in 0..300 {
        let mut line = lines.all[0].clone();
        line.seq = 1_000 + at;
        line.data["surprise"] = "\u{e9}".repeat(1_000).into();
        line.data["terms"] = "\u{e9}".repeat(1_000).into();
        lines.all.push(line);
    }
    let violations = lines.verify().unwrap_err();
    assert_eq!(
        violations.told.len(),
        super::super::super::certificate::TOLD_MAX
    );
    assert!(violations.total >= 300, "{}", violations.total);
    assert!(violations.told.iter().all(|v| v.what.len() < 320));
}
