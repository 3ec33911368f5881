use proptest::prelude::*;

use super::*;

#[test]
fn defaults_are_amazons_and_valid() {
    let config = QueueConfig::default();
    assert_eq!(config.validate(), Ok(()));
    assert_eq!(serde_json::from_str::<QueueConfig>("{}").unwrap(), config);
    assert_eq!(
        (
            config.visibility_timeout_s,
            config.delay_s,
            config.retention_s,
            config.message_bytes_max,
            config.receive_wait_s
        ),
        (30, 0, 345_600, 1_048_576, 0)
    );
}

#[test]
fn each_attribute_has_its_bounds() {
    type Set = fn(&mut QueueConfig, u32);
    let rows: [(&str, Set, u32, u32); 5] = [
        (
            "VisibilityTimeout",
            |c, v| c.visibility_timeout_s = v,
            0,
            43_200,
        ),
        ("DelaySeconds", |c, v| c.delay_s = v, 0, 900),
        (
            "MessageRetentionPeriod",
            |c, v| c.retention_s = v,
            60,
            1_209_600,
        ),
        (
            "MaximumMessageSize",
            |c, v| c.message_bytes_max = v,
            1024,
            1_048_576,
        ),
        (
            "ReceiveMessageWaitTimeSeconds",
            |c, v| c.receive_wait_s = v,
            0,
            20,
        ),
    ];
    for (name, set, min, max) in rows {
        let check = |value| {
            let mut config = QueueConfig::default();
            set(&mut config, value);
            config.validate()
        };
        let refused = Err(Refusal::InvalidAttributeValue { name });
        assert_eq!(check(min), Ok(()), "{name}");
        assert_eq!(check(max), Ok(()), "{name}");
        assert_eq!(check(max + 1), refused, "{name}");
        if let Some(below) = min.checked_sub(1) {
            assert_eq!(check(below), refused, "{name}");
        }
    }
}

#[test]
fn redrive_policy_has_bounds_and_a_queue_of_the_same_kind() {
    for (config, queue, count, valid) in [
        (standard(), "dead", 1, true),
        (standard(), "dead", 1000, true),
        (standard(), "dead", 0, false),
        (standard(), "dead", 1001, false),
        (standard(), "", 1, false),
        (standard(), "dead.fifo", 1, false),
        (fifo(), "dead.fifo", 1, true),
        (fifo(), "dead", 1, false),
    ] {
        let config = QueueConfig {
            redrive: Some(RedrivePolicy {
                dead_letter_queue: queue.to_owned(),
                max_receive_count: count,
            }),
            ..config
        };
        assert_eq!(config.validate().is_ok(), valid, "{queue} {count}");
        if !valid {
            assert_eq!(
                config.validate().unwrap_err().field(),
                Some("RedrivePolicy")
            );
        }
    }
}

#[test]
fn high_throughput_needs_the_scope_of_the_group() {
    for (scope, valid) in [
        (DeduplicationScope::Queue, false),
        (DeduplicationScope::MessageGroup, true),
    ] {
        let config = QueueConfig {
            fifo: Some(FifoConfig {
                throughput_limit: ThroughputLimit::PerMessageGroupId,
                deduplication_scope: scope,
                ..FifoConfig::default()
            }),
            ..QueueConfig::default()
        };
        assert_eq!(config.validate().is_ok(), valid, "{scope:?}");
    }
}

#[test]
fn redrive_allow_policy() {
    let by_queue =
        |count: usize| RedriveAllow::ByQueue((0..count).map(|number| number.to_string()).collect());
    assert!(RedriveAllow::AllowAll.permits("any"));
    assert!(!RedriveAllow::DenyAll.permits("any"));
    assert!(by_queue(2).permits("1"));
    assert!(!by_queue(2).permits("2"));
    assert!(by_queue(0).validate().is_err());
    assert!(by_queue(10).validate().is_ok());
    assert!(by_queue(11).validate().is_err());
}

#[test]
fn queue_names() {
    for (name, valid) in [
        ("orders", true),
        ("Orders_2-x", true),
        ("orders.fifo", true),
        (&"x".repeat(80), true),
        (&"x".repeat(81), false),
        (&format!("{}.fifo", "x".repeat(75)), true),
        (&format!("{}.fifo", "x".repeat(76)), false),
        ("", false),
        (".fifo", false),
        ("or.ders", false),
        ("orders.fifo.fifo", false),
        ("주문", false),
        ("a b", false),
    ] {
        assert_eq!(QueueName::new(name).is_ok(), valid, "{name}");
    }
    let name = QueueName::new("orders.fifo").unwrap();
    assert!(name.is_fifo());
    assert!(name.validate_kind(true).is_ok());
    assert!(name.validate_kind(false).is_err());
    assert!(
        QueueName::new("orders")
            .unwrap()
            .validate_kind(true)
            .is_err()
    );
    assert!(serde_json::from_str::<QueueName>("\"or ders\"").is_err());
}

#[test]
fn batches() {
    let ids = |ids: &[&str]| batch::validate_ids(ids.iter().copied());
    let many: Vec<String> = (0..11).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(ids(&["a", "B-_9"]), Ok(()));
    assert_eq!(ids(&many[..10]), Ok(()));
    assert_eq!(ids(&[]), Err(Refusal::EmptyBatchRequest));
    assert_eq!(
        ids(&many),
        Err(Refusal::TooManyEntriesInBatchRequest { entries: 11 })
    );
    assert_eq!(
        ids(&["a", "b", "a"]),
        Err(Refusal::BatchEntryIdsNotDistinct { id: "a".to_owned() })
    );
    let long = "x".repeat(81);
    for id in ["", "a.b", "é", &long] {
        assert_eq!(ids(&[id]), Err(Refusal::InvalidBatchEntryId), "{id}");
    }
    assert_eq!(ids(&[&long[..80]]), Ok(()));
}

#[test]
fn a_batch_is_at_most_one_mebibyte_together() {
    let half = text(&"x".repeat(524_288));
    let mut other = half.clone();
    let check = |sends: &[Send]| batch::validate_sends(&standard(), sends.iter());
    assert_eq!(check(&[half.clone(), other.clone()]), Ok(()));
    other
        .attributes
        .insert("n".to_owned(), Attribute::string("v"));
    assert_eq!(
        check(&[half, other]),
        Err(Refusal::BatchRequestTooLong { bytes: 1_048_584 })
    );
}

#[test]
fn a_fifo_batch_with_one_message_without_a_group_is_refused_as_a_whole() {
    let sends = [grouped("g", "1"), text("no group")];
    let refusal = batch::validate_sends(&fifo(), sends.iter()).unwrap_err();
    assert!(matches!(
        refusal,
        Refusal::InvalidParameterValue {
            field: "MessageGroupId",
            ..
        }
    ));
    assert_eq!(batch::validate_sends(&standard(), sends.iter()), Ok(()));
}

#[test]
fn rubbish_is_not_a_receipt_handle() {
    let valid = ReceiptHandle {
        queue_id: 7,
        seq: 8,
        receipt: 9,
    }
    .encode();
    assert_eq!(valid, "AQAAAAcAAAAAAAAACAAAAAAAAAAJ");
    let other_version = format!("Ag{}", &valid[2..]);
    let bad_character = valid.replacen('A', "+", 1);
    for text in [
        "",
        "x",
        "rubbish",
        &valid[..27],
        &format!("{valid}A"),
        &other_version,
        &bad_character,
    ] {
        assert_eq!(
            ReceiptHandle::decode(text),
            Err(Refusal::ReceiptHandleIsInvalid),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn receipt_handles_survive_the_round_trip(queue_id: u32, seq: u64, receipt: u64) {
        let handle = ReceiptHandle { queue_id, seq, receipt };
        prop_assert_eq!(ReceiptHandle::decode(&handle.encode()), Ok(handle));
    }

    #[test]
    fn any_text_either_decodes_to_itself_or_is_refused(text in "[A-Za-z0-9_-]{28}|.*") {
        if let Ok(handle) = ReceiptHandle::decode(&text) {
            prop_assert_eq!(handle.encode(), text);
        }
    }

    #[test]
    fn base64url_survives_the_round_trip(bytes: Vec<u8>) {
        let text = crate::base64url::encode(&bytes);
        prop_assert_eq!(crate::base64url::decode(&text), Some(bytes));
    }

    #[test]
    fn base64url_has_one_spelling(text in "[A-Za-z0-9_-]{0,9}") {
        if let Some(bytes) = crate::base64url::decode(&text) {
            prop_assert_eq!(crate::base64url::encode(&bytes), text);
        }
    }
}
