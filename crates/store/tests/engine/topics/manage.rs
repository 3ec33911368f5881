//! Topics and subscriptions are made, changed, confirmed and taken away.

use std::collections::BTreeMap;

use engine::{Limits, Refusal, SubscriptionChange};

use super::*;

#[test]
fn a_topic_is_made_once() {
    on_both(async |rig| {
        let made = topic(rig, "t").await;
        assert_eq!(made.tags["team"], "donuts");
        assert_eq!(topic(rig, "t").await, made);
        let with = |name: &str, value: &str| TopicSettings {
            attributes: [(name.to_owned(), value.to_owned())].into(),
            ..TopicSettings::default()
        };
        let refusal = rig.refused(create("t", with("DisplayName", "x"))).await;
        let other = "Attributes";
        assert_eq!(refusal, Refusal::TopicExists { attribute: other });
        // The kind is in the name.
        for (name, settings) in [
            ("u.fifo", TopicSettings::default()),
            ("u", fifo_topic()),
            ("no spaces", TopicSettings::default()),
            (
                "u",
                TopicSettings {
                    content_based_deduplication: Some(true),
                    ..TopicSettings::default()
                },
            ),
        ] {
            let refusal = rig.refused(create(name, settings)).await;
            assert_eq!(refusal.code(), "topic_refusal", "{name}");
        }

        let set = |settings| Command::SetTopic {
            topic: "t".to_owned(),
            settings: Box::new(settings),
        };
        rig.done(set(with("DisplayName", "News"))).await;
        rig.done(set(with("Policy", "{}"))).await;
        rig.done(set(with("Policy", ""))).await;
        assert_eq!(rig.refused(set(fifo_topic())).await.code(), "topic_refusal");
        let tag = |add: &[(&str, &str)], untag: &[&str]| Command::TagTopic {
            topic: "t".to_owned(),
            tags: add
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            untag: untag.iter().map(|key| (*key).to_owned()).collect(),
        };
        rig.done(tag(&[("a", "1"), ("b", "2")], &["team", "never"]))
            .await;
        let many: Vec<String> = (0..49).map(|number| number.to_string()).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "")).collect();
        assert_eq!(rig.refused(tag(&many, &[])).await.code(), "too_many");
        rig.restart().await;
        let stored = rig.reader().topic("t").unwrap().unwrap();
        let expected: BTreeMap<String, String> =
            [("DisplayName".to_owned(), "News".to_owned())].into();
        assert_eq!(stored.attributes, expected);
        assert_eq!(stored.tags.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(stored.id, made.id);
    });
}

#[test]
fn an_endpoint_is_subscribed_once() {
    on_both(async |rig| {
        queues(rig, &["q", "other"]).await;
        topic(rig, "t").await;
        let first = subscribed(rig, "t", raw("q")).await;
        assert!(first.subscription.confirmed);
        assert_eq!(first.token, None);
        let again = rig.done(subscribe("t", raw("q"))).await;
        let Reply::Subscription {
            subscription,
            repeated: true,
        } = again
        else {
            panic!("{again:?}");
        };
        assert_eq!(*subscription, first);
        let wrapped = to(Protocol::Queue, "q");
        let refusal = rig.refused(subscribe("t", wrapped.clone())).await;
        assert_eq!(refusal, Refusal::SubscriptionExists);
        // Without attributes it is only asked whether it is subscribed.
        let asks = Command::Subscribe {
            topic: "t".to_owned(),
            owner: None,
            subscription: Box::new(wrapped),
            attributes: BTreeMap::new(),
        };
        let answer = rig.done(asks).await;
        assert!(matches!(answer, Reply::Subscription { repeated: true, .. }));

        let id = first.subscription.id.clone();
        let change = |change| Command::SetSubscription {
            id: id.clone(),
            change: Box::new(change),
        };
        let policy = r#"{"kind": ["good"]}"#;
        rig.done(change(SubscriptionChange {
            raw: Some(false),
            filter: Some(wants(policy)),
            attributes: [("FilterPolicy".to_owned(), policy.to_owned())].into(),
            ..SubscriptionChange::default()
        }))
        .await;
        let unfit = SubscriptionChange {
            redrive: Some(Some("dead.fifo".to_owned())),
            ..SubscriptionChange::default()
        };
        assert_eq!(rig.refused(change(unfit)).await.code(), "topic_refusal");
        rig.restart().await;
        rig.done(publishing("t", vec![news("a", "bad"), news("b", "good")]))
            .await;
        assert_eq!(bodies(rig, "q"), [format!("<b for {id}>")]);
        rig.done(change(SubscriptionChange {
            filter: Some(None),
            attributes: [("FilterPolicy".to_owned(), String::new())].into(),
            ..SubscriptionChange::default()
        }))
        .await;
        let stored = rig.reader().subscription(&id).unwrap().unwrap();
        assert!(!stored.attributes.contains_key("FilterPolicy"));
        rig.done(publishing("t", vec![news("c", "bad")])).await;
        assert_eq!(bodies(rig, "q").len(), 2);

        // After it has left it is another one.
        rig.done(Command::Unsubscribe { id: id.clone() }).await;
        let second = subscribed(rig, "t", raw("q")).await;
        assert_ne!(second.subscription.id, id);
        // Everybody leaves with the topic.
        subscribed(rig, "t", raw("other")).await;
        for _ in 0..2 {
            let topic = "t".to_owned();
            rig.done(Command::DeleteTopic { topic }).await;
        }
        let refusal = rig.refused(publishing("t", vec![news("d", "bad")])).await;
        assert_eq!(refusal.code(), "topic_not_found");
        assert_eq!(rig.reader().subscriptions(None, None, 10).unwrap(), []);
        topic(rig, "t").await;
        rig.done(publishing("t", vec![news("d", "bad")])).await;
        assert_eq!(bodies(rig, "other"), [""; 0]);
    });
}

#[test]
fn whoever_is_asked_to_confirm_has_two_days() {
    const TWO_DAYS: i64 = 2 * 24 * 60 * 60 * 1_000;
    on_both(async |rig| {
        topic(rig, "t").await;
        topic(rig, "u").await;
        let web = subscribed(rig, "t", to(Protocol::Https, "https://example.com/")).await;
        let token = web.token.clone().unwrap();
        let id = web.subscription.id.clone();
        assert!(!web.subscription.confirmed);
        assert!(token.starts_with(&id.replace('-', "")));
        let confirm = |topic: &str, id: &str, token: &str| Command::ConfirmSubscription {
            topic: topic.to_owned(),
            id: id.to_owned(),
            token: token.to_owned(),
            attributes: [].into(),
        };
        for command in [
            confirm("t", &id, &token[1..]),
            confirm("t", &id, ""),
            confirm("u", &id, &token),
            confirm("t", "none", &token),
        ] {
            assert_eq!(rig.refused(command).await, Refusal::TokenInvalid);
        }
        rig.clock.advance(TWO_DAYS - 1);
        rig.restart().await;
        for repeats in [false, true] {
            let answer = rig.done(confirm("t", &id, &token)).await;
            let Reply::Subscription {
                subscription,
                repeated,
            } = answer
            else {
                panic!("{answer:?}");
            };
            assert_eq!(repeated, repeats);
            assert!(subscription.subscription.confirmed);
        }
        rig.clock.advance(1);
        let late = rig.refused(confirm("t", &id, &token)).await;
        assert_eq!(late, Refusal::TokenInvalid);
    });
}

#[test]
fn whoever_did_not_confirm_in_time_may_be_asked_again() {
    const TWO_DAYS: i64 = 2 * 24 * 60 * 60 * 1_000;
    on_both(async |rig| {
        topic(rig, "t").await;
        let web = || to(Protocol::Https, "https://example.com/");
        let first = subscribed(rig, "t", web()).await;
        rig.clock.advance(TWO_DAYS - 1);
        // The same letter once more.
        let again = rig.done(subscribe("t", web())).await;
        let Reply::Subscription {
            subscription,
            repeated: true,
        } = again
        else {
            panic!("{again:?}");
        };
        assert_eq!(subscription.token, first.token);
        rig.clock.advance(1);
        let second = subscribed(rig, "t", web()).await;
        assert_ne!(second.token, first.token);
        let confirm = |asked: &Subscription| Command::ConfirmSubscription {
            topic: "t".to_owned(),
            id: asked.subscription.id.clone(),
            token: asked.token.clone().unwrap(),
            attributes: [].into(),
        };
        let late = rig.refused(confirm(&first)).await;
        assert_eq!(late, Refusal::TokenInvalid);
        rig.done(confirm(&second)).await;
        rig.restart().await;
        let all = rig.reader().subscriptions(None, None, 10).unwrap();
        let ids = all.iter().map(|found| &found.subscription.id);
        assert_eq!(ids.collect::<Vec<_>>(), [&second.subscription.id]);
        // One that has confirmed stays what it is.
        rig.clock.advance(TWO_DAYS);
        let known = rig.done(subscribe("t", web())).await;
        assert!(matches!(known, Reply::Subscription { repeated: true, .. }));
    });
}

#[test]
fn there_are_so_many_topics_and_subscriptions_and_no_more() {
    runtime().block_on(async {
        for place in Place::both() {
            let limits = Limits {
                topics_max: 2,
                subscriptions_max: 2,
                ..Limits::default()
            };
            let rig = Rig::with_limits(place, limits);
            queues(&rig, &["a", "b", "c"]).await;
            topic(&rig, "t").await;
            topic(&rig, "u").await;
            let third = rig.refused(create("v", TopicSettings::default())).await;
            let too_many = |what| Refusal::TooMany { what, limit: 2 };
            assert_eq!(third, too_many("topics"));
            let answers = rig
                .batch(vec![
                    subscribe("t", raw("a")),
                    subscribe("u", raw("b")),
                    subscribe("t", raw("c")),
                ])
                .await;
            let last = answers[2].as_ref().unwrap().as_ref().unwrap_err();
            assert_eq!(*last, too_many("subscriptions"));
            // What goes makes room.
            let topic_gone = "u".to_owned();
            rig.done(Command::DeleteTopic { topic: topic_gone }).await;
            subscribed(&rig, "t", raw("c")).await;
            topic(&rig, "v").await;
        }
    });
}

#[test]
fn how_it_was_confirmed_is_kept_with_the_confirmation() {
    on_both(async |rig| {
        topic(rig, "t").await;
        let web = subscribed(rig, "t", to(Protocol::Https, "https://example.com/")).await;
        let confirm = |attributes: &[(&str, &str)], token: &str| Command::ConfirmSubscription {
            topic: "t".to_owned(),
            id: web.subscription.id.clone(),
            token: token.to_owned(),
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let token = web.token.as_deref().unwrap();
        rig.refused(confirm(&[("by", "nobody")], "other")).await;
        // Whoever confirms once more does not take back how it was done before.
        for attributes in [&[("by", "its owner")][..], &[]] {
            rig.done(confirm(attributes, token)).await;
            rig.restart().await;
            let id = &web.subscription.id;
            let stored = rig.reader().subscription(id).unwrap().unwrap();
            assert!(stored.subscription.confirmed);
            assert_eq!(stored.attributes["by"], "its owner");
        }
    });
}
