//! What is written reads back with a parser that shares nothing with the writer.

use mail_parser::{HeaderForm, MessageParser, MimeHeaders, PartType};
use proptest::prelude::*;

use super::*;

mod capture;
mod refusals;

fn message() -> Message {
    Message {
        id: "ads-7.pause".to_owned(),
        from: Party::named("Firstcome", "shop@example.com"),
        to: Party::new("kim@example.com"),
        reply_to: None,
        subject: "Hello".to_owned(),
        text: "one\ntwo".to_owned(),
        html: None,
        headers: Vec::new(),
        at: 1_764_000_000_120,
    }
}

/// A header that the parser does not know, as free text.
fn decoded(parsed: &mail_parser::Message<'_>, name: &'static str) -> Option<String> {
    let values = parsed.header_as(name, HeaderForm::Text);
    Some(values.first()?.as_text()?.to_owned())
}

fn unix(text: &str) -> String {
    text.replace("\r\n", "\n")
}

#[test]
fn a_plain_message_has_the_form_of_the_standard() {
    let mail = message().compose().unwrap();
    assert_eq!(
        std::str::from_utf8(mail.bytes()).unwrap(),
        "From: Firstcome <shop@example.com>\r\n\
         To: kim@example.com\r\n\
         Date: Mon, 24 Nov 2025 16:00:00 +0000\r\n\
         Message-ID: <ads-7.pause@example.com>\r\n\
         Subject: Hello\r\n\
         X-Mail-Id: ads-7.pause\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 7bit\r\n\
         \r\n\
         one\r\ntwo\r\n"
    );
    assert_eq!(
        (mail.id(), mail.from(), mail.to()),
        ("ads-7.pause", "shop@example.com", "kim@example.com")
    );
}

#[test]
fn text_and_html_are_alternatives_and_other_letters_survive() {
    let mail = Message {
        from: Party::named("먼저 오신 분께", "shop@한국.kr"),
        to: Party::named("김 \"철수\", 님", "kim@example.com"),
        reply_to: Some(Party::new("help@example.com")),
        subject: "한정판 재입고 안내: 먼저 오신 분께 먼저 드려요, 서두르지 않으셔도 돼요 🎉"
            .to_owned(),
        text: "안녕하세요.\n.\n..\n\n끝 \n".to_owned(),
        html: Some("<p>안녕하세요.</p>\n<p>끝</p>\n".to_owned()),
        headers: vec![
            ("Auto-Submitted".to_owned(), "auto-generated".to_owned()),
            ("X-Shop".to_owned(), "상점".to_owned()),
        ],
        ..message()
    }
    .compose()
    .unwrap();
    assert!(mail.bytes().is_ascii());
    let text = std::str::from_utf8(mail.bytes()).unwrap();
    assert!(text.split("\r\n").all(|line| line.len() <= 78), "{text}");

    let parsed = MessageParser::default().parse(mail.bytes()).unwrap();
    let party = |address: Option<&mail_parser::Address<'_>>| {
        let first = address.unwrap().first().unwrap();
        (
            first.name().map(str::to_owned),
            first.address().unwrap().to_owned(),
        )
    };
    assert_eq!(
        party(parsed.from()),
        (
            Some("먼저 오신 분께".to_owned()),
            "shop@xn--3e0b707e.kr".to_owned()
        )
    );
    assert_eq!(
        party(parsed.to()),
        (
            Some("김 \"철수\", 님".to_owned()),
            "kim@example.com".to_owned()
        )
    );
    assert_eq!(
        party(parsed.reply_to()),
        (None, "help@example.com".to_owned())
    );
    assert_eq!(
        parsed.subject(),
        Some("한정판 재입고 안내: 먼저 오신 분께 먼저 드려요, 서두르지 않으셔도 돼요 🎉")
    );
    assert_eq!(parsed.message_id(), Some("ads-7.pause@xn--3e0b707e.kr"));
    assert_eq!(parsed.date().unwrap().to_timestamp(), 1_764_000_000);
    assert_eq!(
        parsed.header("Auto-Submitted").unwrap().as_text(),
        Some("auto-generated")
    );
    assert_eq!(decoded(&parsed, "X-Shop").as_deref(), Some("상점"));

    let root = parsed.root_part();
    let PartType::Multipart(parts) = &root.body else {
        panic!("not a multipart");
    };
    assert_eq!(root.content_type().unwrap().subtype(), Some("alternative"));
    let kinds: Vec<Option<&str>> = parts
        .iter()
        .map(|part| {
            parsed
                .part(*part)
                .unwrap()
                .content_type()
                .unwrap()
                .subtype()
        })
        .collect();
    // The best comes last (RFC 2046, 5.1.4).
    assert_eq!(kinds, [Some("plain"), Some("html")]);
    assert_eq!(
        unix(&parsed.body_text(0).unwrap()).trim_end(),
        "안녕하세요.\n.\n..\n\n끝"
    );
    assert_eq!(
        unix(&parsed.body_html(0).unwrap()).trim_end(),
        "<p>안녕하세요.</p>\n<p>끝</p>"
    );
}

#[test]
fn at_the_bounds_no_line_is_longer_than_the_standard_allows() {
    let mail = Message {
        id: "a".repeat(ID_BYTES_MAX),
        from: Party::named("n".repeat(NAME_CHARACTERS_MAX), "shop@example.com"),
        subject: "s".repeat(SUBJECT_CHARACTERS_MAX),
        text: "t".repeat(TEXT_BYTES_MAX),
        html: Some("가".repeat(HTML_BYTES_MAX / 3)),
        headers: vec![("X".repeat(76), "v".repeat(HEADER_CHARACTERS_MAX))],
        ..message()
    }
    .compose()
    .unwrap();
    let longest = mail.bytes().split(|b| *b == b'\n').map(<[u8]>::len).max();
    assert!(longest.unwrap() <= 999, "{longest:?}");
    let parsed = MessageParser::default().parse(mail.bytes()).unwrap();
    assert_eq!(parsed.subject().unwrap().len(), SUBJECT_CHARACTERS_MAX);
    assert_eq!(
        parsed.body_text(0).unwrap().trim_end().len(),
        TEXT_BYTES_MAX
    );
}

#[test]
fn what_looks_encoded_already_is_not_decoded() {
    let trick = "=?utf-8?b?QmNjOiB4QGV4YW1wbGUuY29t?= and more";
    let mail = Message {
        from: Party::named(trick, "shop@example.com"),
        subject: trick.to_owned(),
        headers: vec![("X-A".to_owned(), trick.to_owned())],
        ..message()
    }
    .compose()
    .unwrap();
    let parsed = MessageParser::default().parse(mail.bytes()).unwrap();
    assert_eq!(parsed.subject(), Some(trick));
    let from = parsed.from().unwrap().first().unwrap();
    assert_eq!(
        (from.name(), from.address()),
        (Some(trick), Some("shop@example.com"))
    );
    assert_eq!(decoded(&parsed, "X-A").as_deref(), Some(trick));
}

/// Found by the property below: the builder's own encoding loses the space.
#[test]
fn two_spaces_between_words_in_other_letters_are_not_lost() {
    const LONG: &str =
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX";
    let subject = "가  나 ®  b 다";
    let mail = Message {
        from: Party::named(subject, "shop@example.com"),
        subject: subject.to_owned(),
        headers: vec![(LONG.to_owned(), subject.repeat(9))],
        ..message()
    }
    .compose()
    .unwrap();
    let parsed = MessageParser::default().parse(mail.bytes()).unwrap();
    assert_eq!(parsed.subject(), Some(subject));
    let from = parsed.from().unwrap().first().unwrap();
    assert_eq!(from.name(), Some(subject));
    assert_eq!(decoded(&parsed, LONG), Some(subject.repeat(9)));
}

#[test]
fn what_is_a_control_character_in_a_text_travels_encoded() {
    let text = "a\0b\u{1b}[31m\u{7f}";
    let mail = Message {
        text: text.to_owned(),
        ..message()
    }
    .compose()
    .unwrap();
    let is_plain = |b: &u8| matches!(b, b'\r' | b'\n' | b' '..=b'~');
    assert!(mail.bytes().iter().all(is_plain));
    let parsed = MessageParser::default().parse(mail.bytes()).unwrap();
    assert_eq!(parsed.body_text(0).as_deref(), Some(text));
}

#[test]
fn the_same_message_has_the_same_bytes() {
    let message = Message {
        html: Some("<p>a</p>".to_owned()),
        ..message()
    };
    let first = message.compose().unwrap();
    assert_eq!(first, message.compose().unwrap());
    let other = Message {
        id: "other".to_owned(),
        ..message
    };
    assert_ne!(first.bytes(), other.compose().unwrap().bytes());
}

#[test]
fn what_is_logged_tells_no_address_and_no_text() {
    let message = Message {
        to: Party::named("Kim", "kim@example.com"),
        ..message()
    };
    let mail = message.compose().unwrap();
    let shown = format!("{message:?} {mail:?} {:?}", message.to);
    let hash = hashed("kim@example.com").to_string();
    assert!(shown.contains(&hash));
    for word in ["kim@", "Kim", "Hello", "one"] {
        assert!(!shown.contains(word), "{shown}");
    }
}

proptest! {
    #[test]
    fn whatever_is_composed_reads_back(
        subject in "\\PC{0,120}",
        name in "\\PC{0,40}",
        text in "(\\PC|[\t\n\r\u{1}\u{1b}.=]){0,300}",
        html in prop::option::of("(\\PC|[\n<>&.=-]){0,300}"),
    ) {
        let message = Message {
            from: Party::named(&*name, "shop@example.com"),
            subject: subject.clone(),
            text: text.clone(),
            html: html.clone(),
            ..message()
        };
        let mail = match message.compose() {
            Ok(mail) => mail,
            // What is not a control character may still end a line.
            Err(invalid) => {
                prop_assert_eq!(invalid.reason, "must not contain control characters");
                return Ok(());
            }
        };
        let head_end = mail.bytes().windows(4).position(|end| end == b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&mail.bytes()[..head_end]).unwrap();
        let mut names: Vec<&str> = head
            .split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']))
            .map(|line| line.split(':').next().unwrap())
            .collect();
        names.retain(|name| *name != "Content-Transfer-Encoding");
        prop_assert_eq!(
            names,
            ["From", "To", "Date", "Message-ID", "Subject", "X-Mail-Id", "MIME-Version", "Content-Type"]
        );
        let parsed = MessageParser::default().parse(mail.bytes()).unwrap();
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(words(parsed.subject().unwrap_or_default()), words(&subject));
        let from = parsed.from().unwrap().first().unwrap();
        prop_assert_eq!(from.address(), Some("shop@example.com"));
        prop_assert_eq!(words(from.name().unwrap_or_default()), words(&name));
        let lines = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n").trim_end_matches('\n').to_owned();
        prop_assert_eq!(lines(&parsed.body_text(0).unwrap()), lines(&text));
        if let Some(html) = html {
            prop_assert_eq!(lines(&parsed.body_html(0).unwrap()), lines(&html));
        }
    }
}
