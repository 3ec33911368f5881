use super::*;

fn refused(config: &QueueConfig, send: Send) -> Refusal {
    accept(config, send, 1, "id".to_owned(), NOW).unwrap_err()
}

fn field_of(config: &QueueConfig, send: Send) -> Option<&'static str> {
    accept(config, send, 1, "id".to_owned(), NOW)
        .err()
        .and_then(|refusal| refusal.field())
}

#[test]
fn accepted_messages_have_what_was_sent() {
    let send = Send {
        attributes: [("a".to_owned(), Attribute::number("1.50"))].into(),
        trace_header: Some("Root=1".to_owned()),
        sender: Some("AIDA".to_owned()),
        group: Some("tenant".to_owned()),
        delay_s: Some(900),
        ..text("hello")
    };
    let message = accept(&standard(), send.clone(), 5, "id".to_owned(), NOW).unwrap();
    assert_eq!(
        message,
        Message {
            seq: 5,
            id: "id".to_owned(),
            body: send.body,
            attributes: send.attributes,
            trace_header: send.trace_header,
            sender: send.sender,
            group: send.group,
            sent_at_ms: NOW,
            visible_at_ms: NOW + 900_000,
            ..Message::default()
        }
    );
    assert_eq!(message.state(NOW), MessageState::Delayed);
    assert_eq!(message.state(NOW + 900_000), MessageState::Visible);
}

#[test]
fn an_empty_body_is_a_missing_one() {
    assert_eq!(
        refused(&standard(), text("")).to_string(),
        "The request must contain the parameter MessageBody."
    );
}

#[test]
fn body_characters() {
    for (body, valid) in [
        ("\t\n\r ~\u{7f}\u{85}", true),
        ("\u{d7ff}\u{e000}\u{fffd}\u{10000}\u{10ffff}", true),
        ("\u{0}", false),
        ("a\u{8}", false),
        ("\u{b}", false),
        ("\u{1f}", false),
        ("\u{fffe}", false),
        ("\u{ffff}", false),
    ] {
        let accepted = accept(&standard(), text(body), 1, "id".to_owned(), NOW);
        assert_eq!(accepted.is_ok(), valid, "{body:?}");
        if !valid {
            assert_eq!(accepted, Err(Refusal::InvalidMessageContents));
        }
    }
}

#[test]
fn size_is_body_names_types_and_values() {
    let config = QueueConfig {
        message_bytes_max: 1024,
        ..standard()
    };
    // 4 + 6 + 5 bytes of attribute.
    let sized = |body: usize| Send {
        attributes: [("name".to_owned(), Attribute::string("value"))].into(),
        // Does not count.
        trace_header: Some("x".repeat(1000)),
        ..text(&"x".repeat(body))
    };
    assert_eq!(sized(1009).bytes(), 1024);
    assert!(accept(&config, sized(1009), 1, String::new(), NOW).is_ok());
    assert_eq!(
        refused(&config, sized(1010)).to_string(),
        "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."
    );
    // Bytes count, not characters.
    assert!(accept(&config, text(&"é".repeat(512)), 1, String::new(), NOW).is_ok());
    assert!(accept(&config, text(&"é".repeat(513)), 1, String::new(), NOW).is_err());
}

#[test]
fn delays() {
    let delayed = QueueConfig {
        delay_s: 7,
        ..standard()
    };
    let delayed_fifo = QueueConfig {
        delay_s: 7,
        ..fifo()
    };
    for (config, delay_s, expected_s) in [
        (&standard(), None, Some(0)),
        (&standard(), Some(900), Some(900)),
        (&standard(), Some(901), None),
        (&delayed, None, Some(7)),
        (&delayed, Some(0), Some(0)),
        (&delayed, Some(3), Some(3)),
        (&delayed_fifo, None, Some(7)),
        (&delayed_fifo, Some(0), Some(7)),
        (&delayed_fifo, Some(3), None),
    ] {
        let send = if config.is_fifo() {
            grouped("g", "d")
        } else {
            text("x")
        };
        let send = Send { delay_s, ..send };
        let accepted = accept(config, send, 1, String::new(), NOW);
        match expected_s {
            Some(expected_s) => {
                assert_eq!(accepted.unwrap().visible_at_ms, NOW + expected_s * 1000)
            }
            None => assert_eq!(
                accepted.unwrap_err().field(),
                Some("DelaySeconds"),
                "{delay_s:?}"
            ),
        }
    }
    let too_long = Send {
        delay_s: Some(901),
        ..text("x")
    };
    assert_eq!(
        refused(&standard(), too_long).to_string(),
        "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and \
         <= 900."
    );
}

#[test]
fn group_and_deduplication_ids() {
    let every_sign: String = ('!'..='~').collect();
    let long = "x".repeat(129);
    for (id, valid) in [
        ("a", true),
        (every_sign.as_str(), true),
        (&long[..128], true),
        (&long, false),
        ("", false),
        ("a b", false),
        ("é", false),
        ("a\n", false),
    ] {
        let as_group = field_of(&fifo(), grouped(id, "d"));
        let as_deduplication = field_of(&fifo(), grouped("g", id));
        let as_tenant = field_of(
            &standard(),
            Send {
                group: Some(id.to_owned()),
                ..text("x")
            },
        );
        if valid {
            assert_eq!(
                (as_group, as_deduplication, as_tenant),
                (None, None, None),
                "{id}"
            );
        } else {
            assert_eq!(
                (as_group, as_deduplication, as_tenant),
                (
                    Some("MessageGroupId"),
                    Some("MessageDeduplicationId"),
                    Some("MessageGroupId")
                ),
                "{id}"
            );
        }
    }
}

#[test]
fn fifo_needs_a_group_and_something_to_compare() {
    let no_group = Send {
        group: None,
        ..grouped("g", "d")
    };
    assert_eq!(
        refused(&fifo(), no_group),
        Refusal::MissingParameter {
            field: "MessageGroupId"
        }
    );
    let no_id = Send {
        deduplication: None,
        ..grouped("g", "d")
    };
    assert!(matches!(
        refused(&fifo(), no_id),
        Refusal::InvalidParameterValue {
            field: "MessageDeduplicationId",
            ..
        }
    ));
    let on_standard = Send {
        deduplication: Some("d".to_owned()),
        ..text("x")
    };
    assert_eq!(
        field_of(&standard(), on_standard),
        Some("MessageDeduplicationId")
    );
}

fn attribute_refusal(name: &str, attribute: Attribute) -> Option<Refusal> {
    let send = Send {
        attributes: [(name.to_owned(), attribute)].into(),
        ..text("x")
    };
    accept(&standard(), send, 1, String::new(), NOW).err()
}

#[test]
fn attribute_names() {
    let long = "n".repeat(257);
    for (name, valid) in [
        ("a", true),
        ("a.b-c_9", true),
        ("aws", true),
        ("awsome.x", true),
        (&long[..256], true),
        (&long, false),
        ("", false),
        (".a", false),
        ("a.", false),
        ("a..b", false),
        ("a b", false),
        ("é", false),
        ("AWS.x", false),
        ("aws.x", false),
        ("Amazon.x", false),
        ("AMAZON.x", false),
    ] {
        let refusal = attribute_refusal(name, Attribute::string("v"));
        assert_eq!(refusal.is_none(), valid, "{name}");
        if let Some(refusal) = refusal {
            assert_eq!(refusal.field(), Some("MessageAttributes"));
        }
    }
}

#[test]
fn attribute_types_and_values() {
    let typed = |data_type: &str, value: AttributeValue| Attribute {
        data_type: data_type.to_owned(),
        value,
    };
    let as_text = |text: &str| AttributeValue::Text(text.to_owned());
    let as_bytes = |bytes: &[u8]| AttributeValue::Binary(bytes.to_vec());
    for (data_type, value, valid) in [
        ("String", as_text("v"), true),
        ("String.label", as_text("v"), true),
        ("String.a.b", as_text("v"), true),
        ("Number.int", as_text("1"), true),
        ("Binary.gif", as_bytes(&[0, 255]), true),
        ("", as_text("v"), false),
        ("String.", as_text("v"), false),
        ("string", as_text("v"), false),
        ("Strings", as_text("v"), false),
        ("Object", as_text("v"), false),
        ("String.a b", as_text("v"), false),
        ("String", as_text(""), false),
        ("Number", as_text(""), false),
        ("Binary", as_bytes(&[]), false),
        ("String", as_bytes(b"v"), false),
        ("Number", as_bytes(b"1"), false),
        ("Binary", as_text("v"), false),
        ("String", as_text("\u{0}"), false),
        ("Number", as_text("one"), false),
    ] {
        let attribute = typed(data_type, value);
        assert_eq!(
            attribute_refusal("a", attribute.clone()).is_none(),
            valid,
            "{attribute:?}"
        );
    }
    assert_eq!(typed("Number.int", as_text("1")).base_type(), "Number");
}

#[test]
fn numbers() {
    let digits = "1".repeat(39);
    for (number, valid) in [
        ("0", true),
        ("000.000", true),
        ("-1.5", true),
        ("+.5", true),
        ("5.", true),
        ("1e126", true),
        ("1e127", false),
        ("1E-128", true),
        ("1e-129", false),
        ("0.01e-126", true),
        ("100e124", true),
        ("100e125", false),
        (&digits[..38], true),
        (&digits, false),
        (&format!("00{}00", &digits[..38]), true),
        (".", false),
        ("-", false),
        ("1e", false),
        ("1e1.5", false),
        ("e5", false),
        ("1 ", false),
        ("0x10", false),
        ("NaN", false),
        ("inf", false),
        ("1.2.3", false),
        ("--1", false),
        ("١", false),
    ] {
        assert_eq!(
            attribute_refusal("n", Attribute::number(number)).is_none(),
            valid,
            "{number}"
        );
    }
}

#[test]
fn ten_attributes_at_most() {
    let send = |count: usize| Send {
        attributes: (0..count)
            .map(|number| (number.to_string(), Attribute::string("v")))
            .collect(),
        ..text("x")
    };
    assert_eq!(field_of(&standard(), send(10)), None);
    assert_eq!(
        refused(&standard(), send(11)).to_string(),
        "Number of message attributes [11] exceeds the allowed maximum [10]."
    );
}

#[test]
fn trace_headers_are_bounded() {
    for (length, valid) in [(0, false), (1, true), (1024, true), (1025, false)] {
        let send = Send {
            trace_header: Some("x".repeat(length)),
            ..text("x")
        };
        let expected = (!valid).then_some("AWSTraceHeader");
        assert_eq!(field_of(&standard(), send), expected, "{length}");
    }
}

#[test]
fn stored_messages_are_read_back_and_old_ones_too() {
    let message = Message {
        attributes: [
            ("s".to_owned(), Attribute::string("é")),
            ("b".to_owned(), Attribute::binary([0, 1, 255])),
        ]
        .into(),
        receipt: Some(u64::MAX),
        received_at_ms: Some(NOW),
        dead: Some(DeadLetter {
            source_queue: "q".to_owned(),
            reason: None,
            receive_count: 3,
            at_ms: NOW,
        }),
        ..stored(&fifo(), 1)
    };
    let json = serde_json::to_string(&message).unwrap();
    assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message);

    let old = r#"{"seq":1,"id":"i","body":"b","sent_at_ms":5,"visible_at_ms":5,"receive_count":0}"#;
    let message: Message = serde_json::from_str(old).unwrap();
    assert_eq!((message.seq, message.received_at_ms), (1, None));
    let binary = r#"{"data_type":"Binary","value":{"binary":"AAH_"}}"#;
    assert_eq!(
        serde_json::from_str::<Attribute>(binary).unwrap(),
        Attribute::binary([0, 1, 255])
    );
}
