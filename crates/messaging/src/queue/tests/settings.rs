//! Attributes as they are sent: what a new queue has, what setting changes, what creating a
//! queue again compares, and tags.

use std::collections::BTreeMap;

use super::*;

fn none() -> QueueSettings {
    QueueSettings::default()
}

fn redrive_to(queue: &str) -> Option<Option<RedrivePolicy>> {
    Some(Some(RedrivePolicy {
        dead_letter_queue: queue.to_owned(),
        max_receive_count: 3,
    }))
}

fn encryption(name: &str, value: &str) -> BTreeMap<String, String> {
    [(name.to_owned(), value.to_owned())].into()
}

/// One setting after the other, each of which differs from what a new queue has, with the name
/// of its attribute.
fn each(is_fifo: bool) -> Vec<(&'static str, QueueSettings)> {
    let mut rows = vec![
        (
            "VisibilityTimeout",
            QueueSettings {
                visibility_timeout_s: Some(0),
                ..none()
            },
        ),
        (
            "DelaySeconds",
            QueueSettings {
                delay_s: Some(900),
                ..none()
            },
        ),
        (
            "MessageRetentionPeriod",
            QueueSettings {
                retention_s: Some(60),
                ..none()
            },
        ),
        (
            "MaximumMessageSize",
            QueueSettings {
                message_bytes_max: Some(1_024),
                ..none()
            },
        ),
        (
            "ReceiveMessageWaitTimeSeconds",
            QueueSettings {
                receive_wait_s: Some(20),
                ..none()
            },
        ),
        (
            "RedrivePolicy",
            QueueSettings {
                redrive: redrive_to(if is_fifo { "dead.fifo" } else { "dead" }),
                ..none()
            },
        ),
        (
            "RedriveAllowPolicy",
            QueueSettings {
                redrive_allow: Some(Some(RedriveAllow::DenyAll)),
                ..none()
            },
        ),
        (
            "Policy",
            QueueSettings {
                policy: Some(Some("{}".to_owned())),
                ..none()
            },
        ),
        (
            "KmsMasterKeyId",
            QueueSettings {
                encryption: encryption("KmsMasterKeyId", "alias/aws/sqs"),
                ..none()
            },
        ),
    ];
    if is_fifo {
        let group = Some(DeduplicationScope::MessageGroup);
        rows.push((
            "ContentBasedDeduplication",
            QueueSettings {
                content_based_deduplication: Some(true),
                ..none()
            },
        ));
        rows.push((
            "DeduplicationScope",
            QueueSettings {
                deduplication_scope: group,
                ..none()
            },
        ));
        rows.push((
            // The scope is what differs first.
            "DeduplicationScope",
            QueueSettings {
                deduplication_scope: group,
                throughput_limit: Some(ThroughputLimit::PerMessageGroupId),
                ..none()
            },
        ));
    }
    rows
}

#[test]
fn a_new_queue_has_what_was_sent_and_the_defaults() {
    assert_eq!(none().create(false), Ok((standard(), QueueMore::default())));
    assert_eq!(none().create(true), Ok((fifo(), QueueMore::default())));
    for is_fifo in [false, true] {
        let plain = none().create(is_fifo).unwrap();
        for (name, settings) in each(is_fifo) {
            let made = settings.clone().create(is_fifo).unwrap();
            assert_ne!(made, plain, "{name}");
            assert_eq!(settings.difference(&made.0, &made.1), None, "{name}");
            // Sent to a queue that is as it was made first.
            assert_eq!(settings.difference(&plain.0, &plain.1), Some(name));
            // What was not sent is not compared.
            assert_eq!(none().difference(&made.0, &made.1), None, "{name}");
        }
    }
}

#[test]
fn setting_leaves_alone_what_was_not_sent() {
    for is_fifo in [false, true] {
        let rows = each(is_fifo);
        for (first, settings) in &rows {
            for (second, others) in &rows {
                let (config, more) = settings.clone().create(is_fifo).unwrap();
                let (config, more) = others.clone().apply(&config, &more).unwrap();
                assert_eq!(
                    settings.difference(&config, &more),
                    None,
                    "{first}, {second}"
                );
                assert_eq!(others.difference(&config, &more), None, "{first}, {second}");
            }
            let made = settings.clone().create(is_fifo).unwrap();
            assert_eq!(none().apply(&made.0, &made.1), Ok(made), "{first}");
        }
    }
}

#[test]
fn an_empty_value_takes_an_attribute_away() {
    let full = QueueSettings {
        redrive: redrive_to("dead"),
        redrive_allow: Some(Some(RedriveAllow::AllowAll)),
        policy: Some(Some("{}".to_owned())),
        encryption: encryption("KmsMasterKeyId", "key"),
        ..none()
    };
    let (config, more) = full.create(false).unwrap();
    let empty = QueueSettings {
        redrive: Some(None),
        redrive_allow: Some(None),
        policy: Some(None),
        encryption: encryption("KmsMasterKeyId", ""),
        ..none()
    };
    assert_eq!(empty.difference(&config, &more), Some("RedrivePolicy"));
    let (config, more) = empty.clone().apply(&config, &more).unwrap();
    assert_eq!((&config, &more), (&standard(), &QueueMore::default()));
    // What is not there is as good as empty.
    assert_eq!(empty.difference(&config, &more), None);
}

#[test]
fn the_kind_of_a_queue_is_its_name_and_stays() {
    let kind = |fifo: bool| QueueSettings {
        fifo: Some(fifo),
        ..none()
    };
    let value = Refusal::InvalidAttributeValue { name: "FifoQueue" };
    let unknown = Refusal::InvalidAttributeName { name: "FifoQueue" };
    for (sent, is_fifo, expected) in [
        (true, true, None),
        (false, true, Some(value.clone())),
        // A standard queue does not have the attribute at all.
        (true, false, Some(unknown.clone())),
        (false, false, Some(unknown.clone())),
    ] {
        let made = kind(sent).create(is_fifo);
        assert_eq!(made.err(), expected, "{sent} for {is_fifo}");
    }
    for (sent, config, expected) in [
        (true, fifo(), None),
        (false, fifo(), Some(value)),
        (true, standard(), Some(unknown.clone())),
        (false, standard(), Some(unknown)),
    ] {
        let set = kind(sent).apply(&config, &QueueMore::default());
        assert_eq!(set.err(), expected, "{sent} for {config:?}");
        let difference = kind(sent).difference(&config, &QueueMore::default());
        assert_eq!(difference.is_some(), sent != config.is_fifo());
    }
}

#[test]
fn attributes_of_the_other_kind_and_values_out_of_bounds_are_refused() {
    let unknown = |name| Some(Refusal::InvalidAttributeName { name });
    let invalid = |name| Some(Refusal::InvalidAttributeValue { name });
    let by_queue = |count: usize| {
        let queues = (0..count).map(|number| number.to_string());
        Some(Some(RedriveAllow::ByQueue(queues.collect())))
    };
    let rows: [(QueueSettings, bool, Option<Refusal>); 9] = [
        (
            QueueSettings {
                content_based_deduplication: Some(false),
                ..none()
            },
            false,
            unknown("ContentBasedDeduplication"),
        ),
        (
            QueueSettings {
                deduplication_scope: Some(DeduplicationScope::Queue),
                ..none()
            },
            false,
            unknown("DeduplicationScope"),
        ),
        (
            QueueSettings {
                throughput_limit: Some(ThroughputLimit::PerQueue),
                ..none()
            },
            false,
            unknown("FifoThroughputLimit"),
        ),
        (
            QueueSettings {
                throughput_limit: Some(ThroughputLimit::PerMessageGroupId),
                ..none()
            },
            true,
            invalid("FifoThroughputLimit"),
        ),
        (
            QueueSettings {
                visibility_timeout_s: Some(43_201),
                ..none()
            },
            false,
            invalid("VisibilityTimeout"),
        ),
        (
            QueueSettings {
                redrive_allow: by_queue(11),
                ..none()
            },
            false,
            invalid("RedriveAllowPolicy"),
        ),
        (
            QueueSettings {
                redrive_allow: by_queue(0),
                ..none()
            },
            false,
            invalid("RedriveAllowPolicy"),
        ),
        (
            QueueSettings {
                redrive_allow: by_queue(10),
                ..none()
            },
            false,
            None,
        ),
        (
            QueueSettings {
                delay_s: Some(900),
                ..none()
            },
            true,
            None,
        ),
    ];
    for (settings, is_fifo, expected) in rows {
        let made = settings.clone().create(is_fifo);
        assert_eq!(made.err(), expected, "{settings:?}");
        let config = if is_fifo { fifo() } else { standard() };
        let set = settings.clone().apply(&config, &QueueMore::default());
        assert_eq!(set.err(), expected, "{settings:?}");
    }
    let wrong = QueueSettings {
        redrive: redrive_to("dead.fifo"),
        ..none()
    };
    let refusal = wrong.create(false).unwrap_err();
    assert_eq!(refusal.field(), Some("RedrivePolicy"));
}

#[test]
fn tags_are_added_replaced_and_bounded() {
    let tags = |keys: std::ops::Range<usize>, value: &str| -> BTreeMap<String, String> {
        keys.map(|key| (key.to_string(), value.to_owned()))
            .collect()
    };
    let mut more = QueueMore::default();
    more.tag(tags(0..50, "a")).unwrap();
    // Those that are there do not count again.
    more.tag(tags(10..20, "b")).unwrap();
    assert_eq!(more.tags.len(), TAGS_MAX);
    assert_eq!(
        (more.tags["9"].as_str(), more.tags["10"].as_str()),
        ("a", "b")
    );
    let before = more.clone();
    assert!(more.tag(tags(49..51, "c")).is_err());
    assert_eq!(more, before, "all or nothing");

    // Characters count, not bytes.
    let long = |length: usize| "é".repeat(length);
    for (key, value, is_valid) in [
        (long(128), long(256), true),
        (long(1), String::new(), true),
        (String::new(), long(1), false),
        (long(129), long(1), false),
        (long(1), long(257), false),
    ] {
        let tagged = QueueMore::default().tag([(key, value)].into());
        assert_eq!(tagged.is_ok(), is_valid);
    }
}

#[test]
fn what_is_stored_without_a_field_is_read() {
    assert_eq!(
        serde_json::from_str::<QueueMore>("{}").unwrap(),
        QueueMore::default()
    );
    assert_eq!(serde_json::to_string(&QueueMore::default()).unwrap(), "{}");
    let mut full = QueueMore {
        owner: Some("000000000000".to_owned()),
        redrive_allow: Some(RedriveAllow::ByQueue(vec!["a".to_owned()])),
        policy: Some("{}".to_owned()),
        encryption: encryption("KmsMasterKeyId", "key"),
        tags: BTreeMap::new(),
    };
    full.tag([("\u{1F369}".to_owned(), String::new())].into())
        .unwrap();
    let text = serde_json::to_string(&full).unwrap();
    assert_eq!(serde_json::from_str::<QueueMore>(&text).unwrap(), full);
}
