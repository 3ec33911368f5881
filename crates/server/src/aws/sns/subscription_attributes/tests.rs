use messaging::topic::{self, TopicName};

use super::*;

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:dead";

fn one(name: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), value.to_owned())])
}

fn subscription(protocol: Protocol, endpoint: &str) -> Subscription {
    Subscription {
        topic: "t".to_owned(),
        subscription: topic::Subscription {
            id: "i".to_owned(),
            protocol,
            endpoint: endpoint.to_owned(),
            raw: false,
            filter: None,
            redrive: None,
            confirmed: true,
        },
        owner: None,
        token: None,
        attributes: BTreeMap::new(),
        created_at: 0,
    }
}

#[test]
fn what_is_wrong_is_said_as_amazon_says_it() {
    for (name, value, reason) in [
        ("Nonsense", "", "AttributeName"),
        ("ReplayPolicy", "{}", "AttributeName"),
        (
            RAW,
            "wrongvalue",
            "RawMessageDelivery: Invalid value [wrongvalue]. Must be true or false.",
        ),
        (
            RAW,
            "",
            "RawMessageDelivery: Invalid value []. Must be true or false.",
        ),
        (
            SCOPE,
            "Body",
            "FilterPolicyScope: Invalid value [Body]. Please use either MessageBody or \
             MessageAttributes",
        ),
        (
            REDRIVE,
            r#"{"deadLetterTargetArn":"x"}"#,
            "RedrivePolicy: deadLetterTargetArn is an invalid arn",
        ),
        (
            DELIVERY,
            "{}",
            "Delivery policy is only supported for HTTP/S",
        ),
    ] {
        let at_subscribe = read_all(Protocol::Queue, one(name, value)).unwrap_err();
        assert_eq!(at_subscribe, invalid(format!("{AT_SUBSCRIBE}{reason}")));
        let known = subscription(Protocol::Queue, "q");
        let later = read_one(&known, name.to_owned(), value.to_owned()).unwrap_err();
        assert_eq!(later, invalid(reason));
    }
    let error = read_all(Protocol::Queue, one(FILTER, "x")).unwrap_err();
    let expected =
        "Invalid parameter: Attributes Reason: FilterPolicy: failed to parse JSON. expected";
    assert!(error.message.starts_with(expected), "{error}");
}

#[test]
fn a_dead_letter_queue_is_called_by_its_name() {
    let text = format!(r#"{{"deadLetterTargetArn":"{QUEUE}"}}"#);
    let change = read_all(Protocol::Queue, one(REDRIVE, &text)).unwrap();
    assert_eq!(change.redrive, Some(Some("dead".to_owned())));
    assert_eq!(change.attributes, one(REDRIVE, &text));
    let gone = read_all(Protocol::Queue, one(REDRIVE, "")).unwrap();
    assert_eq!(gone.redrive, Some(None));
}

#[test]
fn a_policy_and_its_scope_come_together_or_as_halves() {
    const NESTED: &str = r#"{"a":{"b":["c"]}}"#;
    let known = subscription(Protocol::Queue, "q");
    let sent = |name: &str, value: &str| {
        let change = read_one(&known, name.to_owned(), value.to_owned());
        change.unwrap()
    };
    // What becomes of it, the engine says.
    let policy = sent(FILTER, NESTED);
    assert!(matches!(policy.filter_part, Some(FilterPart::Policy(text)) if text == NESTED));
    assert_eq!(policy.filter, None);
    let scope = sent(SCOPE, "MessageBody");
    let part = scope.filter_part;
    assert!(matches!(
        part,
        Some(FilterPart::Scope(FilterScope::MessageBody))
    ));
    assert_eq!(scope.attributes, one(SCOPE, "MessageBody"));
    assert_eq!(sent(FILTER, "").filter, Some(None));

    let both = BTreeMap::from([
        (FILTER.to_owned(), NESTED.to_owned()),
        (SCOPE.to_owned(), "MessageBody".to_owned()),
    ]);
    let change = read_all(Protocol::Queue, both).unwrap();
    assert!(change.filter.flatten().is_some());
    assert!(change.filter_part.is_none());
    // What nests cannot be looked for among attributes.
    assert!(read_all(Protocol::Queue, one(FILTER, NESTED)).is_err());
}

#[test]
fn only_what_was_sent_can_differ() {
    let mut known = subscription(Protocol::Http, "http://h/");
    known.subscription.raw = true;
    known.subscription.filter = FilterPolicy::parse("{}", FilterScope::MessageBody).ok();
    let policy = read_all(Protocol::Http, one(DELIVERY, "{}")).unwrap();
    known.attributes = policy.attributes;
    let scoped = [(SCOPE, "MessageBody"), (FILTER, "{}")];
    for (sent, expected) in [
        (vec![], false),
        (vec![(RAW, "true")], false),
        (vec![(RAW, "false")], true),
        (scoped.to_vec(), false),
        (vec![(FILTER, "{}")], true),
        (vec![(FILTER, "")], true),
        (vec![(REDRIVE, "")], false),
        (vec![(DELIVERY, "{ }")], false),
        (vec![(DELIVERY, r#"{"guaranteed":true}"#)], true),
    ] {
        let named = sent
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let change = read_all(Protocol::Http, named.collect()).unwrap();
        assert_eq!(differs(&change, &known), expected, "{sent:?}");
    }
}

fn context() -> Context {
    Context {
        account: "111111111111".to_owned(),
        region: "us-east-1".to_owned(),
        base_url: "http://h".to_owned(),
        default_account: "000000000000".to_owned(),
        is_anonymous: false,
    }
}

#[test]
fn a_subscription_is_shown_as_amazon_shows_it() {
    let topic = Topic {
        id: 1,
        topic: topic::Topic {
            name: TopicName::new("t").unwrap(),
            fifo: None,
        },
        owner: None,
        attributes: BTreeMap::new(),
        tags: BTreeMap::new(),
        next_seq: 1,
        created_at: 0,
    };
    let shown = |found: &Subscription| {
        write(
            &context(),
            found,
            &topic,
            TOPIC,
            names_of(found.subscription.id.as_str()),
        )
    };
    let queue = shown(&subscription(Protocol::Queue, "q"));
    let expected = [
        (AUTHENTICATED, "true"),
        ("Endpoint", "arn:aws:sqs:us-east-1:000000000000:q"),
        ("Owner", "000000000000"),
        ("PendingConfirmation", "false"),
        ("Protocol", "sqs"),
        (RAW, "false"),
        ("SubscriptionArn", "arn:aws:sns:us-east-1:000000000000:t:i"),
        ("SubscriptionPrincipal", "arn:aws:iam::000000000000:root"),
        ("TopicArn", TOPIC),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(queue, BTreeMap::from(expected));

    let mut http = subscription(Protocol::Http, "http://h/");
    http.subscription.confirmed = false;
    http.subscription.filter = FilterPolicy::parse("{}", FilterScope::MessageBody).ok();
    let http = shown(&http);
    assert_eq!(http[AUTHENTICATED], "false");
    assert_eq!(http["PendingConfirmation"], "true");
    assert_eq!(http[FILTER], "{}");
    assert_eq!(http[SCOPE], "MessageBody");
    assert!(http["EffectiveDeliveryPolicy"].contains("healthyRetryPolicy"));
}

fn names_of(id: &str) -> String {
    format!("{TOPIC}:{id}")
}
