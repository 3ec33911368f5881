//! What must not be written is refused by its field's name.

use super::*;

#[test]
fn a_control_character_in_a_header_is_refused_by_the_fields_name() {
    for bad in [
        "a\r\nBcc: x@example.com",
        "a\nb",
        "a\rb",
        "a\0b",
        "a\u{7f}b",
        "a\u{85}b",
        "a\u{2028}b",
    ] {
        let check = |message: Message, field: &str| {
            let invalid = message.compose().unwrap_err();
            assert_eq!(invalid.field, field, "{bad:?}");
            assert!(!invalid.to_string().contains("Bcc"), "{invalid}");
        };
        let address = format!("kim@example.com{bad}");
        check(
            Message {
                subject: bad.to_owned(),
                ..message()
            },
            "subject",
        );
        check(
            Message {
                id: bad.to_owned(),
                ..message()
            },
            "id",
        );
        check(
            Message {
                from: Party::named(bad, "shop@example.com"),
                ..message()
            },
            "from.name",
        );
        check(
            Message {
                from: Party::new(&*address),
                ..message()
            },
            "from",
        );
        check(
            Message {
                to: Party::named(bad, "kim@example.com"),
                ..message()
            },
            "to.name",
        );
        check(
            Message {
                to: Party::new(&*address),
                ..message()
            },
            "to",
        );
        check(
            Message {
                reply_to: Some(Party::named(bad, "kim@example.com")),
                ..message()
            },
            "reply_to.name",
        );
        check(
            Message {
                reply_to: Some(Party::new(&*address)),
                ..message()
            },
            "reply_to",
        );
        let fine = ("X-A".to_owned(), "a".to_owned());
        check(
            Message {
                headers: vec![fine.clone(), ("X-B".to_owned(), bad.to_owned())],
                ..message()
            },
            "headers[1]",
        );
        check(
            Message {
                headers: vec![fine, (bad.to_owned(), "b".to_owned())],
                ..message()
            },
            "headers[1]",
        );
    }
}

#[test]
fn what_is_out_of_bounds_is_refused_by_the_fields_name() {
    let check = |message: Message, field: &str| {
        assert_eq!(message.compose().unwrap_err().field, field);
    };
    let long_id = "a".repeat(ID_BYTES_MAX + 1);
    for id in ["", ".a", "a.", "a..b", "a/b", "가", long_id.as_str()] {
        check(
            Message {
                id: id.to_owned(),
                ..message()
            },
            "id",
        );
    }
    check(
        Message {
            subject: "a".repeat(SUBJECT_CHARACTERS_MAX + 1),
            ..message()
        },
        "subject",
    );
    check(
        Message {
            text: "a".repeat(TEXT_BYTES_MAX + 1),
            ..message()
        },
        "text",
    );
    check(
        Message {
            html: Some("a".repeat(HTML_BYTES_MAX + 1)),
            ..message()
        },
        "html",
    );
    check(
        Message {
            to: Party::named("a".repeat(NAME_CHARACTERS_MAX + 1), "kim@example.com"),
            ..message()
        },
        "to.name",
    );
    let header = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    check(
        Message {
            headers: header("X-A", &"a".repeat(HEADER_CHARACTERS_MAX + 1)),
            ..message()
        },
        "headers[0]",
    );
    check(
        Message {
            headers: vec![("X-A".to_owned(), "a".to_owned()); HEADERS_MAX + 1],
            ..message()
        },
        "headers",
    );
    for name in [
        "BCC",
        "To",
        "content-type",
        "Resent-To",
        "X-Mail-Id",
        "",
        "X A",
        "X:",
        "가",
    ] {
        check(
            Message {
                headers: header(name, "a"),
                ..message()
            },
            "headers[0]",
        );
    }
    check(
        Message {
            at: -1,
            ..message()
        },
        "at",
    );
    check(
        Message {
            at: i64::MAX,
            ..message()
        },
        "at",
    );
    check(
        Message {
            to: Party::new("kim"),
            ..message()
        },
        "to",
    );
}
