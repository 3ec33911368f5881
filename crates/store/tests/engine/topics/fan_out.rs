//! Publications and their copies.

use std::collections::BTreeMap;

use engine::ports::{DELIVERIES_QUEUE, Delivery, DeliveryKind};
use engine::{Data, Kind};
use messaging::Send;

use super::*;

#[test]
fn everybody_who_wants_it_gets_a_copy() {
    on_both(async |rig| {
        queues(rig, &["raw", "wrapped", "picky", "none", DELIVERIES_QUEUE]).await;
        topic(rig, "t").await;
        subscribed(rig, "t", raw("raw")).await;
        let wrapped = subscribed(rig, "t", to(Protocol::Queue, "wrapped")).await;
        let mut picky = raw("picky");
        picky.filter = wants(r#"{"kind": ["good"]}"#);
        subscribed(rig, "t", picky).await;
        let mut picky = raw("none");
        picky.filter = wants(r#"{"kind": [{"exists": false}]}"#);
        subscribed(rig, "t", picky).await;
        let mut web = to(Protocol::Https, "https://example.com/");
        web.raw = true;
        let web = subscribed(rig, "t", web).await;
        let mut other = to(Protocol::Http, "http://example.com/");
        other.raw = true;
        subscribed(rig, "t", other).await;
        // Only one of the two has confirmed.
        rig.done(Command::ConfirmSubscription {
            topic: "t".to_owned(),
            id: web.subscription.id.clone(),
            token: web.token.clone().unwrap(),
            attributes: [].into(),
        })
        .await;

        let mut special = news("special", "good");
        let for_queues = ("sqs".to_owned(), "for queues".to_owned());
        special.publication.by_protocol = [for_queues].into();
        special.publication.subject = Some("Subject".to_owned());
        let answer = rig
            .decide(publishing("t", vec![news("first", "bad"), special]))
            .await;
        assert_eq!(
            published(&answer),
            [
                ("publication of first".to_owned(), None, 3),
                ("publication of special".to_owned(), None, 4)
            ]
        );
        let id = &wrapped.subscription.id;
        assert_eq!(bodies(rig, "raw"), ["first", "for queues"]);
        assert_eq!(
            bodies(rig, "wrapped"),
            [format!("<first for {id}>"), format!("<special for {id}>")]
        );
        assert_eq!(bodies(rig, "picky"), ["for queues"]);
        assert_eq!(bodies(rig, "none"), [""; 0]);
        let raw = &messages(rig, "raw")[0];
        assert_eq!(raw.attributes["kind"], Attribute::string("bad"));
        assert!(messages(rig, "wrapped")[0].attributes.is_empty());
        let delivery: Delivery = serde_json::from_str(&bodies(rig, DELIVERIES_QUEUE)[1]).unwrap();
        assert_eq!(
            delivery,
            Delivery {
                subscription: web.subscription.id,
                topic: "t".to_owned(),
                message_id: "publication of special".to_owned(),
                kind: DeliveryKind::Notification,
                raw: true,
                message: "special".to_owned(),
                subject: Some("Subject".to_owned()),
                attributes: [("kind".to_owned(), Attribute::string("good"))].into(),
            }
        );
        assert_eq!(rig.reader().last_seq().unwrap(), 0, "nothing went wrong");
    });
}

/// From, to, and why, of every dead letter that operations heard of.
fn dead_letters(rig: &Rig) -> Vec<(String, Option<String>, String)> {
    let log = rig.reader().entries(0, 100).unwrap();
    log.iter()
        .map(|entry| {
            assert_eq!(entry.kind, Kind::MessageDeadLettered);
            let data: Data<'_> = entry.data();
            (
                data.queue.unwrap().into_owned(),
                data.dead_letter_queue.map(std::borrow::Cow::into_owned),
                data.reason.unwrap().into_owned(),
            )
        })
        .collect()
}

#[test]
fn what_cannot_be_delivered_goes_to_the_dead_letter_queue_of_the_subscription() {
    on_both(async |rig| {
        queues(rig, &["gone", "gone.fifo", "fine", "dead", "dead.fifo"]).await;
        topic(rig, "t").await;
        topic(rig, "t.fifo").await;
        let with_letters = |queue: &str, dead: &str| messaging::topic::Subscription {
            redrive: Some(dead.to_owned()),
            ..raw(queue)
        };
        subscribed(rig, "t", with_letters("gone", "dead")).await;
        subscribed(rig, "t", raw("fine")).await;
        subscribed(rig, "t.fifo", with_letters("gone.fifo", "dead.fifo")).await;
        subscribed(rig, "t.fifo", raw("fine")).await;
        for queue in ["gone", "gone.fifo"] {
            let queue = queue.to_owned();
            rig.done(Command::DeleteQueue { queue }).await;
        }
        let answer = rig.decide(publishing("t", vec![news("a", "good")])).await;
        assert_eq!(published(&answer)[0].2, 2);
        rig.done(publishing("t.fifo", vec![in_group("b", "g", "once")]))
            .await;
        assert_eq!(bodies(rig, "fine"), ["a", "b"]);
        assert_eq!(bodies(rig, "dead"), ["a"]);
        let dead = &messages(rig, "dead.fifo")[0];
        assert_eq!(dead.body, "b");
        assert_eq!(dead.group.as_deref(), Some("g"));
        assert_eq!(dead.deduplication.as_deref(), Some("once"));
        let gone = |queue: &str| format!("queue {queue} does not exist");
        let letter = |topic: &str, dead: Option<&str>, reason: String| {
            (topic.to_owned(), dead.map(str::to_owned), reason)
        };
        assert_eq!(
            dead_letters(rig),
            [
                letter("t", Some("dead"), gone("gone")),
                letter("t.fifo", Some("dead.fifo"), gone("gone.fifo"))
            ]
        );

        // What no queue takes as it is.
        let mut many = news("many", "good");
        for number in 0..11 {
            let name = format!("attribute-{number}");
            many.publication
                .attributes
                .insert(name, Attribute::string("value"));
        }
        for _ in 0..2 {
            let answer = rig.decide(publishing("t", vec![many.clone()])).await;
            assert_eq!(published(&answer)[0].2, 2);
            // The second time, the dead-letter queue is gone as well.
            let queue = "dead".to_owned();
            if let [_, dead] = messages(rig, "dead").as_slice() {
                assert!(dead.body.starts_with("<many for "), "{}", dead.body);
                assert!(dead.attributes.is_empty(), "they are in the envelope");
            }
            let _ = rig.decide(Command::DeleteQueue { queue }).await;
        }
        assert_eq!(bodies(rig, "fine"), ["a", "b"]);
        // Whoever publishes does not know that somebody needs the envelope.
        many.envelopes.clear();
        let answer = rig.decide(publishing("t", vec![many])).await;
        let Ok(Ok(Reply::Batch(refused))) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(refused[0].as_ref().unwrap_err().code(), "envelope_missing");
        let too_many = || "more attributes than a queue takes".to_owned();
        assert_eq!(
            dead_letters(rig)[2..],
            [
                letter("t", Some("dead"), too_many()),
                letter("t", None, too_many()),
                letter("t", None, too_many()),
                letter("t", None, too_many())
            ]
        );
    });
}

#[test]
fn a_fifo_topic_numbers_what_it_takes_and_drops_repetitions() {
    on_both(async |rig| {
        queues(rig, &["q.fifo", "standard"]).await;
        topic(rig, "t.fifo").await;
        subscribed(rig, "t.fifo", raw("q.fifo")).await;
        subscribed(rig, "t.fifo", raw("standard")).await;
        let publish = async |rig: &Rig, publishes| {
            let answer = rig.decide(publishing("t.fifo", publishes)).await;
            published(&answer)
        };
        let id = |text: &str| format!("publication of {text}");
        // A repetition within one request, and in later ones.
        let answers = publish(
            rig,
            vec![
                in_group("a", "g", "1"),
                in_group("b", "g", "2"),
                in_group("a again", "h", "1"),
            ],
        )
        .await;
        assert_eq!(
            answers,
            [
                (id("a"), Some(1), 2),
                (id("b"), Some(2), 2),
                (id("a"), Some(1), 0)
            ]
        );
        rig.clock.advance(299_999);
        rig.restart().await;
        let answers = publish(
            rig,
            vec![in_group("late", "g", "2"), in_group("c", "g", "3")],
        )
        .await;
        assert_eq!(answers, [(id("b"), Some(2), 0), (id("c"), Some(3), 2)]);
        rig.clock.advance(1);
        let answers = publish(rig, vec![in_group("a anew", "g", "1")]).await;
        assert_eq!(answers, [(id("a anew"), Some(4), 2)]);
        let expected = ["a", "b", "c", "a anew"];
        assert_eq!(bodies(rig, "q.fifo"), expected);
        assert_eq!(bodies(rig, "standard"), expected);
        let copy = &messages(rig, "q.fifo")[2];
        assert_eq!(copy.group.as_deref(), Some("g"));
        assert_eq!(copy.deduplication.as_deref(), Some("3"));

        // Around each copy: which one it is, and whose.
        queues(rig, &["wrapped"]).await;
        let wrapped = to(Protocol::Queue, "wrapped");
        let whose = subscribed(rig, "t.fifo", wrapped).await.subscription.id;
        let mut around = news("d", "good");
        around.publication.group = Some("g".to_owned());
        around.publication.deduplication = Some("4".to_owned());
        let answers = publish(rig, vec![around]).await;
        assert_eq!(answers, [(id("d"), Some(5), 3)]);
        let number = messaging::sequence_number(5);
        assert_eq!(bodies(rig, "wrapped"), [format!("<d {number}for {whose}>")]);
        // Nobody gets one without, who wants one around it.
        let refusal = rig
            .decide(publishing("t.fifo", vec![in_group("e", "g", "5")]))
            .await;
        let Ok(Ok(Reply::Batch(refused))) = refusal else {
            panic!("{refusal:?}");
        };
        assert_eq!(refused[0].as_ref().unwrap_err().code(), "envelope_missing");
        rig.done(Command::Unsubscribe { id: whose }).await;

        // What somebody has sent to the queue itself is a repetition there.
        rig.done(Command::SendMessage {
            queue: "q.fifo".to_owned(),
            send: Box::new(Send {
                body: "sent".to_owned(),
                group: Some("g".to_owned()),
                deduplication: Some("9".to_owned()),
                ..Send::default()
            }),
        })
        .await;
        let answers = publish(rig, vec![in_group("published", "g", "9")]).await;
        assert_eq!(answers[0].2, 2);
        assert_eq!(bodies(rig, "q.fifo").last().unwrap(), "sent");
        assert_eq!(bodies(rig, "standard").last().unwrap(), "published");
        // In order for each group, like everything in such a queue.
        let received = rig.done(crate::rig::receive_for("q.fifo", 10, None)).await;
        let Reply::Messages { messages, .. } = received else {
            panic!("{received:?}");
        };
        let bodies = messages.iter().map(|message| message.body.as_str());
        assert_eq!(
            bodies.collect::<Vec<_>>(),
            ["a", "b", "c", "a anew", "d", "sent"]
        );
    });
}

#[test]
fn dead_letters_of_a_subscription_are_not_for_whoever_takes_the_name_of_their_queue() {
    on_both(async |rig| {
        queues(rig, &["own"]).await;
        topic(rig, "t").await;
        let mut gone = raw("gone");
        gone.redrive = Some("letters".to_owned());
        let gone = subscribed(rig, "t", gone).await.subscription.id;
        rig.clock.advance(1);
        let take = |owner: &str| Command::CreateQueue {
            name: "letters".to_owned(),
            owner: Some(owner.to_owned()),
            settings: Box::default(),
            tags: BTreeMap::new(),
        };
        let bury = || Command::Bury {
            subscription: gone.clone(),
            send: Box::new(Send {
                body: "not taken".to_owned(),
                ..Send::default()
            }),
        };
        assert_eq!(rig.refused(bury()).await.code(), "queue_not_found");
        rig.done(take("111111111111")).await;
        rig.done(publishing("t", vec![news("a", "good")])).await;
        assert_eq!(rig.refused(bury()).await.code(), "no_dead_letter_queue");
        assert_eq!(bodies(rig, "letters"), [""; 0]);
        // One of its own may come later.
        rig.done(Command::DeleteQueue {
            queue: "letters".to_owned(),
        })
        .await;
        queues(rig, &["letters"]).await;
        rig.done(publishing("t", vec![news("b", "good")])).await;
        rig.done(bury()).await;
        assert_eq!(bodies(rig, "letters"), ["b", "not taken"]);
    });
}

#[test]
fn of_a_batch_each_publication_is_taken_or_refused_for_itself() {
    on_both(async |rig| {
        queues(rig, &["q"]).await;
        topic(rig, "t").await;
        subscribed(rig, "t", raw("q")).await;
        let answer = rig
            .decide(publishing(
                "t",
                vec![
                    news("a", "good"),
                    news("", "good"),
                    in_group("no such thing here", "g", "1"),
                    news("d", "good"),
                ],
            ))
            .await;
        let Ok(Ok(Reply::Batch(answers))) = answer else {
            panic!("{answer:?}");
        };
        let codes = answers.iter().map(|answer| match answer {
            Ok(Reply::Published { deliveries: 1, .. }) => "published",
            Err(refusal) => refusal.code(),
            other => panic!("{other:?}"),
        });
        let refused = "topic_refusal";
        assert_eq!(
            codes.collect::<Vec<_>>(),
            ["published", refused, refused, "published"]
        );
        assert_eq!(bodies(rig, "q"), ["a", "d"]);
    });
}

#[test]
fn commands_of_one_batch_see_each_other() {
    on_both(async |rig| {
        queues(rig, &["q", "gone"]).await;
        topic(rig, "t").await;
        let leaves = subscribed(rig, "t", raw("gone")).await.subscription.id;
        let answers = rig
            .batch(vec![
                publishing("t", vec![news("before", "good")]),
                subscribe("t", raw("q")),
                publishing("t", vec![news("both", "good")]),
                Command::Unsubscribe { id: leaves.clone() },
                publishing("t", vec![news("after", "good")]),
                Command::Unsubscribe { id: leaves },
                crate::rig::receive_for("q", 10, None),
            ])
            .await;
        assert_eq!(published(&answers[0])[0].2, 1);
        assert_eq!(published(&answers[2])[0].2, 2);
        assert_eq!(published(&answers[4])[0].2, 1);
        let refusal = answers[5].as_ref().unwrap().as_ref().unwrap_err();
        assert_eq!(refusal.code(), "subscription_not_found");
        // What is published can be received in the same batch.
        let Ok(Ok(Reply::Messages { messages, .. })) = &answers[6] else {
            panic!("{:?}", answers[6]);
        };
        assert_eq!(messages.len(), 2);
        assert_eq!(bodies(rig, "gone"), ["before", "both"]);
        assert_eq!(bodies(rig, "q"), ["both", "after"]);
    });
}
