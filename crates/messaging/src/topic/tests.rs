use std::collections::BTreeMap;

use super::*;
use crate::queue::{Attribute, DedupEntry, Deduplication, DeduplicationScope};

fn topic() -> Topic {
    Topic {
        name: TopicName::new("stock").unwrap(),
        fifo: None,
    }
}

fn fifo_topic() -> Topic {
    Topic {
        name: TopicName::new("stock.fifo").unwrap(),
        fifo: Some(TopicFifo::default()),
    }
}

fn subscription(protocol: Protocol, endpoint: &str) -> Subscription {
    Subscription {
        id: endpoint.to_owned(),
        protocol,
        endpoint: endpoint.to_owned(),
        raw: false,
        filter: None,
        redrive: None,
        confirmed: true,
    }
}

fn publication(message: &str) -> Publication {
    Publication {
        message: message.to_owned(),
        ..Publication::default()
    }
}

fn many_attributes(count: usize) -> BTreeMap<String, Attribute> {
    (0..count)
        .map(|number| (number.to_string(), Attribute::string("v")))
        .collect()
}

#[test]
fn everyone_who_is_confirmed_and_wants_it_gets_it() {
    let filtered = |endpoint: &str, scope, policy: &str| Subscription {
        filter: Some(FilterPolicy::parse(policy, scope).unwrap()),
        ..subscription(Protocol::Queue, endpoint)
    };
    let subscriptions = [
        subscription(Protocol::Queue, "all"),
        filtered(
            "by-attribute",
            FilterScope::MessageAttributes,
            r#"{"kind": ["out"]}"#,
        ),
        filtered("by-body", FilterScope::MessageBody, r#"{"sku": ["donut"]}"#),
        filtered(
            "other-kind",
            FilterScope::MessageAttributes,
            r#"{"kind": ["in"]}"#,
        ),
        filtered("other-sku", FilterScope::MessageBody, r#"{"sku": ["bun"]}"#),
        Subscription {
            confirmed: false,
            ..subscription(Protocol::Http, "http://unconfirmed")
        },
        subscription(Protocol::Email, "ads@example.com"),
    ];
    let publication = Publication {
        attributes: [("kind".to_owned(), Attribute::string("out"))].into(),
        by_protocol: [("email".to_owned(), "Donuts are out.".to_owned())].into(),
        ..publication(r#"{"sku": "donut"}"#)
    };
    let routed: Vec<(&str, &str)> = route(&topic(), &subscriptions, &publication)
        .iter()
        .map(|delivery| (delivery.subscription.endpoint.as_str(), delivery.message))
        .collect();
    let body = publication.message.as_str();
    assert_eq!(
        routed,
        [
            ("all", body),
            ("by-attribute", body),
            ("by-body", body),
            ("ads@example.com", "Donuts are out."),
        ]
    );
}

#[test]
fn raw_delivery_to_a_queue_takes_ten_attributes() {
    let raw = Subscription {
        raw: true,
        ..subscription(Protocol::Queue, "raw")
    };
    let subscriptions = [
        raw,
        subscription(Protocol::Queue, "wrapped"),
        Subscription {
            raw: true,
            ..subscription(Protocol::Https, "https://raw.example")
        },
    ];
    for (count, expected) in [(10, None), (11, Some(Undeliverable::TooManyAttributes))] {
        let publication = Publication {
            attributes: many_attributes(count),
            ..publication("x")
        };
        assert_eq!(validate_publication(&topic(), &publication), Ok(()));
        let routed = route(&topic(), &subscriptions, &publication);
        let outcomes: Vec<_> = routed
            .iter()
            .map(|delivery| delivery.undeliverable)
            .collect();
        assert_eq!(outcomes, [expected, None, None], "{count}");
    }
}

#[test]
fn a_fifo_queue_cannot_be_fed_by_a_standard_topic() {
    let subscriptions = [subscription(Protocol::Queue, "q.fifo")];
    let publication = publication("x");
    let standard = topic();
    let routed = route(&standard, &subscriptions, &publication);
    assert_eq!(
        routed[0].undeliverable,
        Some(Undeliverable::FifoQueueOfStandardTopic)
    );
    let routed = route(&fifo_topic(), &subscriptions, &publication);
    assert_eq!(routed[0].undeliverable, None);
}

#[test]
fn subscriptions_are_checked() {
    use Protocol::{Email, EmailJson, Http, Https, Queue};
    for (topic, protocol, endpoint, field) in [
        (topic(), Queue, "orders", None),
        (topic(), Queue, "", Some("Endpoint")),
        (topic(), Queue, "orders.fifo", Some("Endpoint")),
        (fifo_topic(), Queue, "orders.fifo", None),
        (fifo_topic(), Queue, "orders", None),
        (topic(), Http, "http://shop.example/hook", None),
        (topic(), Http, "https://shop.example", Some("Endpoint")),
        (topic(), Https, "https://shop.example", None),
        (topic(), Https, "https://", Some("Endpoint")),
        (topic(), Https, "https:///path", Some("Endpoint")),
        (topic(), Https, "https://a b", Some("Endpoint")),
        (
            fifo_topic(),
            Https,
            "https://shop.example",
            Some("Protocol"),
        ),
        (topic(), Email, "ads@example.com", None),
        (topic(), EmailJson, "ads@", Some("Endpoint")),
        (topic(), Email, "ads", Some("Endpoint")),
    ] {
        let refusal = subscription(protocol, endpoint).validate(&topic).err();
        assert_eq!(
            refusal.map(|refusal| refusal.field()),
            field,
            "{protocol:?} {endpoint}"
        );
    }
    let raw_mail = Subscription {
        raw: true,
        ..subscription(Email, "ads@example.com")
    };
    assert_eq!(
        raw_mail.validate(&topic()).unwrap_err().to_string(),
        "Invalid parameter: Attributes Reason: Delivery protocol [email] does not support raw \
         message delivery."
    );
}

#[test]
fn the_dead_letter_queue_of_a_subscription_is_of_its_kind() {
    for (topic, endpoint, redrive, valid) in [
        (topic(), "q", "dead", true),
        (topic(), "q", "dead.fifo", false),
        (topic(), "q", "", false),
        (fifo_topic(), "q.fifo", "dead.fifo", true),
        (fifo_topic(), "q.fifo", "dead", false),
        (fifo_topic(), "q", "dead", true),
    ] {
        let subscription = Subscription {
            redrive: Some(redrive.to_owned()),
            ..subscription(Protocol::Queue, endpoint)
        };
        assert_eq!(
            subscription.validate(&topic).is_ok(),
            valid,
            "{endpoint} {redrive}"
        );
    }
}

#[test]
fn protocols_have_their_names() {
    for name in ["sqs", "http", "https", "email", "email-json"] {
        assert_eq!(Protocol::from_name(name).unwrap().name(), name);
    }
    assert!(Protocol::from_name("sms").is_err());
    assert!(Protocol::Email.needs_confirmation());
    assert!(!Protocol::Queue.needs_confirmation());
}

#[test]
fn topic_names() {
    for (name, valid) in [
        ("Stock_1-a", true),
        ("stock.fifo", true),
        (&"x".repeat(256), true),
        (&"x".repeat(257), false),
        ("", false),
        (".fifo", false),
        ("a.b", false),
    ] {
        assert_eq!(TopicName::new(name).is_ok(), valid, "{name}");
    }
    assert_eq!(fifo_topic().validate(), Ok(()));
    assert!(
        Topic {
            fifo: None,
            ..fifo_topic()
        }
        .validate()
        .is_err()
    );
    assert!(
        Topic {
            name: topic().name,
            ..fifo_topic()
        }
        .validate()
        .is_err()
    );
}

#[test]
fn publications_are_checked() {
    let field = |topic: &Topic, publication: Publication| {
        validate_publication(topic, &publication)
            .err()
            .map(|refusal| refusal.field())
    };
    let some = |text: &str| Some(text.to_owned());
    let subject = |text: &str| Publication {
        subject: some(text),
        ..publication("x")
    };
    let of_group = |group: &str, id: Option<&str>| Publication {
        group: some(group),
        deduplication: id.map(str::to_owned),
        ..publication("x")
    };
    for (publication, expected) in [
        (publication("x"), None),
        (publication(""), Some("Message")),
        (publication("\u{0}"), Some("Message")),
        (publication(&"x".repeat(262_144)), None),
        (publication(&"x".repeat(262_145)), Some("Message")),
        (subject(&"é".repeat(99)), None),
        (subject(&"é".repeat(100)), Some("Subject")),
        (subject("two\nlines"), Some("Subject")),
        (subject(""), Some("Subject")),
        // For fair queues behind the topic.
        (of_group("tenant", None), None),
        (of_group("ten ant", None), Some("MessageGroupId")),
        (of_group("g", Some("d")), Some("MessageDeduplicationId")),
        (
            Publication {
                attributes: many_attributes(101),
                ..publication("x")
            },
            Some("MessageAttributes"),
        ),
    ] {
        assert_eq!(field(&topic(), publication), expected);
    }
    for (publication, expected) in [
        (of_group("g", Some("d")), None),
        (of_group("g", Some("")), Some("MessageDeduplicationId")),
        (of_group("g", None), Some("MessageDeduplicationId")),
        (publication("x"), Some("MessageGroupId")),
    ] {
        assert_eq!(field(&fifo_topic(), publication), expected);
    }
}

#[test]
fn fifo_topics_deduplicate_as_fifo_queues_do() {
    let publication = Publication {
        group: Some("g".to_owned()),
        ..publication("x")
    };
    let topic = |deduplication_scope| Topic {
        fifo: Some(TopicFifo {
            content_based_deduplication: true,
            deduplication_scope,
        }),
        ..fifo_topic()
    };
    for (scope, duplicate_in_other_group) in [
        (DeduplicationScope::Queue, true),
        (DeduplicationScope::MessageGroup, false),
    ] {
        let topic = topic(scope);
        let hits = [DedupEntry {
            key: deduplication_key(&topic, &publication).unwrap(),
            message_id: "first".to_owned(),
            seq: 4,
            sent_at_ms: 1000,
        }];
        let duplicate = Deduplication::Duplicate {
            message_id: "first".to_owned(),
            seq: 4,
        };
        let at = |now_ms| deduplicate(&topic, &publication, &hits, now_ms);
        assert_eq!(at(300_999), duplicate);
        assert_eq!(at(301_000), Deduplication::Unique);
        let other_group = Publication {
            group: Some("h".to_owned()),
            ..publication.clone()
        };
        let in_other_group = deduplicate(&topic, &other_group, &hits, 1001);
        assert_eq!(in_other_group == duplicate, duplicate_in_other_group);
    }
    assert_eq!(deduplication_key(&self::topic(), &publication), None);
}
