//! Publications with more copies than one commit takes.

use std::collections::BTreeMap;

use engine::ports::{FAN_OUT_QUEUE, FAN_OUT_STEP, FanOut};
use engine::{Limits, Relay};
use proptest::prelude::*;

use super::*;
use crate::rig::{Fail, cases};

/// With room for so many bytes of copies in one commit.
fn small(fan_out_bytes: u64) -> Limits {
    Limits {
        fan_out_bytes,
        ..Limits::default()
    }
}

fn on_both_with(limits: &Limits, check: impl AsyncFn(&mut Rig)) {
    runtime().block_on(async {
        for place in Place::both() {
            let mut rig = Rig::with_limits(place, limits.clone());
            check(&mut rig).await;
            rig.audit_clean();
        }
    });
}

/// What waits for its next step.
fn waiting(rig: &Rig) -> Vec<(u64, FanOut)> {
    let messages = messages(rig, FAN_OUT_QUEUE).into_iter();
    messages
        .map(|message| (message.seq, serde_json::from_str(&message.body).unwrap()))
        .collect()
}

fn step((seq, fan_out): &(u64, FanOut)) -> Command {
    Command::FanOutStep {
        seq: *seq,
        fan_out: Box::new(fan_out.clone()),
    }
}

/// One step, as a worker proposes it; the copies that it made.
async fn go_on(rig: &Rig) -> u64 {
    match rig.done(step(&waiting(rig)[0])).await {
        Reply::Count(copies) => copies,
        other => panic!("{other:?}"),
    }
}

/// Step after step, until nothing waits any more.
async fn finish(rig: &Rig) {
    // Far more than any of these publications can need.
    for _ in 0..1_000 {
        if waiting(rig).is_empty() {
            return;
        }
        go_on(rig).await;
    }
    panic!("it never ends: {:?}", waiting(rig));
}

#[test]
fn each_subscriber_gets_one_copy_however_often_a_step_is_proposed() {
    // Two of this publication, which weighs 15 bytes with its attribute.
    on_both_with(&small(30), async |rig| {
        let names = ["a", "b", "c", "d", "picky"];
        queues(rig, &names).await;
        queues(rig, &[FAN_OUT_QUEUE]).await;
        topic(rig, "t").await;
        for name in &names[..3] {
            subscribed(rig, "t", raw(name)).await;
        }
        let wrapped = to(Protocol::Queue, "d");
        let wrapped = subscribed(rig, "t", wrapped).await.subscription.id;
        let mut picky = raw("picky");
        picky.filter = wants(r#"{"kind": ["bad"]}"#);
        subscribed(rig, "t", picky).await;

        let answer = rig.decide(publishing("t", vec![news("news", "g")])).await;
        assert_eq!(
            published(&answer),
            [("publication of news".to_owned(), None, 0)]
        );
        for name in names {
            assert_eq!(bodies(rig, name), [""; 0], "{name} hears it in a step");
        }
        // Who comes now did not subscribe to this.
        rig.clock.advance(1);
        queues(rig, &["late"]).await;
        subscribed(rig, "t", raw("late")).await;

        let (mut steps, mut copies) = (0, 0);
        while let Some(next) = waiting(rig).first() {
            assert_eq!(waiting(rig).len(), 1);
            assert!(steps < 10, "it never ends");
            let made = go_on(rig).await;
            assert!(made <= 2, "{made} copies");
            rig.restart().await;
            let Reply::Count(again) = rig.done(step(next)).await else {
                panic!("a step is answered with a number");
            };
            assert_eq!(again, 0, "it was taken");
            steps += 1;
            copies += made;
        }
        assert_eq!(copies, 4);
        // Two copies at a time; who wants none may stand behind the last of them.
        assert!((2..=3).contains(&steps), "{steps}");
        for name in &names[..3] {
            assert_eq!(bodies(rig, name), ["news"], "{name}");
        }
        assert_eq!(bodies(rig, "d"), [format!("<news for {wrapped}>")]);
        assert_eq!(bodies(rig, "picky"), [""; 0]);
        assert_eq!(bodies(rig, "late"), [""; 0]);
    });
}

#[test]
fn what_fits_is_made_at_once_and_what_does_not_waits() {
    on_both_with(&small(22), async |rig| {
        queues(rig, &["a", "b", FAN_OUT_QUEUE]).await;
        topic(rig, "t").await;
        subscribed(rig, "t", raw("a")).await;
        // For one alone it is a message as any other.
        let large = publish(&"x".repeat(100));
        let answer = rig.decide(publishing("t", vec![large.clone()])).await;
        assert_eq!(published(&answer)[0].2, 1);
        subscribed(rig, "t", raw("b")).await;
        let three = ["1", "2", "3"].map(|text| news(text, "g1234"));
        let answer = rig.decide(publishing("t", three.into())).await;
        let made: Vec<u64> = published(&answer).iter().map(|one| one.2).collect();
        // 1 and the attribute of 15 bytes.
        assert_eq!(made, [0, 0, 0]);
        let three = ["12345", "67890", "large"].map(publish);
        let answer = rig.decide(publishing("t", three.into())).await;
        let made: Vec<u64> = published(&answer).iter().map(|one| one.2).collect();
        assert_eq!(made, [2, 2, 0], "of one command together");
        let answer = rig.decide(publishing("t", vec![publish("12345")])).await;
        assert_eq!(published(&answer)[0].2, 2, "each command for itself");
        finish(rig).await;
        for queue in ["a", "b"] {
            let mut heard = bodies(rig, queue);
            heard.sort_unstable();
            heard.retain(|body| body.len() < 100);
            let expected = ["1", "12345", "12345", "2", "3", "67890", "large"];
            assert_eq!(heard, expected);
        }
    });
}

#[test]
fn a_step_finds_what_became_of_its_subscribers() {
    on_both_with(&small(1), async |rig| {
        queues(rig, &["a", "gone", "left", "dead", FAN_OUT_QUEUE]).await;
        topic(rig, "t").await;
        let mut with_letters = raw("gone");
        with_letters.redrive = Some("dead".to_owned());
        subscribed(rig, "t", with_letters).await;
        subscribed(rig, "t", raw("a")).await;
        let left = subscribed(rig, "t", raw("left")).await.subscription.id;
        rig.done(publishing("t", vec![news("one", "g")])).await;
        rig.done(Command::Unsubscribe { id: left }).await;
        let queue = "gone".to_owned();
        rig.done(Command::DeleteQueue { queue }).await;
        finish(rig).await;
        assert_eq!(bodies(rig, "a"), ["one"]);
        assert_eq!(bodies(rig, "left"), [""; 0]);
        assert_eq!(bodies(rig, "dead"), ["one"]);
        assert_eq!(
            rig.reader().last_seq().unwrap(),
            1,
            "operations hear of the dead letter"
        );

        // And of the topic.
        rig.done(publishing("t", vec![news("two", "g")])).await;
        let topic = "t".to_owned();
        rig.done(Command::DeleteTopic { topic }).await;
        assert_eq!(go_on(rig).await, 0);
        assert!(waiting(rig).is_empty());
        assert_eq!(bodies(rig, "a"), ["one"]);
    });
}

#[test]
fn a_fifo_topic_keeps_its_order_and_has_few_subscribers() {
    on_both_with(&small(1), async |rig| {
        queues(rig, &["a.fifo", "b.fifo", FAN_OUT_QUEUE]).await;
        topic(rig, "t.fifo").await;
        subscribed(rig, "t.fifo", raw("a.fifo")).await;
        subscribed(rig, "t.fifo", raw("b.fifo")).await;
        for (id, text) in [("1", "first"), ("2", "second")] {
            let answer = rig
                .decide(publishing("t.fifo", vec![in_group(text, "g", id)]))
                .await;
            assert_eq!(published(&answer)[0].2, 2, "never in steps");
        }
        assert_eq!(bodies(rig, "b.fifo"), ["first", "second"]);
        for number in 2..100 {
            let queue = format!("not-there-{number}.fifo");
            subscribed(rig, "t.fifo", raw(&queue)).await;
        }
        let refusal = rig
            .refused(subscribe("t.fifo", raw("one-too-many.fifo")))
            .await;
        assert_eq!(refusal.code(), "too_many");
        // Who is there already is answered as before.
        let again = rig.done(subscribe("t.fifo", raw("a.fifo"))).await;
        assert!(matches!(again, Reply::Subscription { repeated: true, .. }));
    });
}

#[test]
fn very_many_are_served_in_steps_however_little_is_published() {
    on_both_with(&Limits::default(), async |rig| {
        let names: Vec<String> = (0..=FAN_OUT_STEP).map(|n| format!("q{n}")).collect();
        topic(rig, "t").await;
        let specs = names.iter().map(String::as_str).chain([FAN_OUT_QUEUE]);
        rig.done(Command::EnsureQueues {
            queues: specs
                .map(|name| queue_spec(name, QueueConfig::default()))
                .collect(),
            subscriptions: names
                .iter()
                .map(|name| ("t", name.as_str()).into())
                .collect(),
        })
        .await;
        let answer = rig.decide(publishing("t", vec![news("one", "g")])).await;
        assert_eq!(published(&answer)[0].2, 0);
        assert_eq!(go_on(rig).await, FAN_OUT_STEP as u64);
        assert_eq!(go_on(rig).await, 1);
        assert!(waiting(rig).is_empty());
        for name in &names {
            assert_eq!(messages(rig, name).len(), 1, "{name}");
        }
        // One less, in the batch of those who publish: they are few enough now.
        let id = {
            let all = rig.reader().subscriptions(Some("t"), None, 1).unwrap();
            all[0].subscription.id.clone()
        };
        let answers = rig
            .batch(vec![
                publishing("t", vec![news("two", "g")]),
                Command::Unsubscribe { id },
                publishing("t", vec![news("three", "g")]),
            ])
            .await;
        assert_eq!(published(&answers[0])[0].2, 0);
        assert_eq!(published(&answers[2])[0].2, FAN_OUT_STEP as u64);
        finish(rig).await;
        let counts = names.iter().map(|name| messages(rig, name).len());
        let counts: Vec<usize> = counts.collect();
        // The one who left has neither: its step found it gone.
        assert_eq!(
            counts.iter().filter(|count| **count == 3).count(),
            FAN_OUT_STEP
        );
        assert_eq!(counts.iter().filter(|count| **count == 1).count(), 1);
        assert_eq!(rig.reader().last_seq().unwrap(), 0, "nothing went wrong");
    });
}

#[test]
fn who_wants_none_of_it_neither_ends_the_steps_nor_costs_one() {
    // One copy each; a filter on the body has to read it.
    on_both_with(&small(15), async |rig| {
        queues(rig, &["a", "b", FAN_OUT_QUEUE]).await;
        topic(rig, "t").await;
        let refuses = |number: usize, scope, policy| {
            let mut picky = raw(&format!("not-there-{number}"));
            picky.filter = Some(FilterPolicy::parse(policy, scope).unwrap());
            picky
        };
        for number in 0..8 {
            let by_name = refuses(
                number,
                FilterScope::MessageAttributes,
                r#"{"kind": ["no"]}"#,
            );
            subscribed(rig, "t", by_name).await;
        }
        for name in ["a", "b"] {
            subscribed(rig, "t", raw(name)).await;
        }
        let steps_of = async |rig: &Rig| {
            rig.done(publishing("t", vec![news("{\"\"", "g")])).await;
            let mut steps = 0;
            while !waiting(rig).is_empty() {
                go_on(rig).await;
                steps += 1;
                assert!(steps < 100, "it never ends");
            }
            steps
        };
        let steps: usize = steps_of(rig).await;
        assert!((2..=3).contains(&steps), "{steps} for two copies");
        for number in 8..16 {
            let by_body = refuses(number, FilterScope::MessageBody, r#"{"kind": ["no"]}"#);
            subscribed(rig, "t", by_body).await;
        }
        let steps = steps_of(rig).await;
        assert!((10..=11).contains(&steps), "{steps} for ten that read it");
        for name in ["a", "b"] {
            assert_eq!(bodies(rig, name).len(), 2, "{name}");
        }
    });
}

#[test]
fn the_log_tells_many_things_at_once_and_a_large_one_in_steps() {
    on_both_with(&small(30), async |rig| {
        queues(rig, &["a", "b", "dead", FAN_OUT_QUEUE]).await;
        topic(rig, "stock").await;
        subscribed(rig, "stock", raw("a")).await;
        let mut gone = raw("gone");
        gone.redrive = Some("dead".to_owned());
        subscribed(rig, "stock", gone).await;
        let texts = [
            "first",
            "second",
            "third",
            "fourth",
            "a very large one, of 31 bytes...",
        ];
        let told = texts.map(|text| ("stock", publish(text)));
        rig.done(Command::Relay {
            which: Relay::Shop,
            from: 0,
            to: 0,
            publications: told.into(),
            is_bare_fine: true,
        })
        .await;
        assert_eq!(bodies(rig, "a"), texts[..4]);
        assert_eq!(waiting(rig).len(), 1);
        finish(rig).await;
        assert_eq!(bodies(rig, "a"), texts);
        assert_eq!(bodies(rig, "dead"), texts);
        assert_eq!(
            rig.reader().last_seq().unwrap(),
            0,
            "the log does not tell of itself"
        );
    });
}

/// What happens to a topic with four queues.
#[derive(Debug, Clone)]
enum Act {
    Subscribe(u8),
    Unsubscribe(u8),
    /// So many publications of this length in one command.
    Publish(u8, u8),
    /// The next step of one of those that wait.
    Step(u8),
    /// The same, and the commit goes wrong.
    Break(u8, Fail),
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let fail = prop_oneof![
        Just(Fail::CommitLost),
        Just(Fail::CommitKept),
        Just(Fail::SyncFailed)
    ];
    let act = prop_oneof![
        3 => (0u8..4).prop_map(Act::Subscribe),
        1 => (0u8..4).prop_map(Act::Unsubscribe),
        3 => (1u8..4, 1u8..30).prop_map(|(count, length)| Act::Publish(count, length)),
        6 => any::<u8>().prop_map(Act::Step),
        1 => (any::<u8>(), fail).prop_map(|(which, fail)| Act::Break(which, fail)),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 1..50)
}

/// What a queue that hears the topic must have in the end, and what it may have.
#[derive(Default)]
struct Heard {
    subscription: Option<String>,
    must: Vec<String>,
    may: Vec<String>,
}

/// A publication reaches whoever subscribed before it, stays until it is all handed on, and gets
/// it once. Who leaves in between may have it or not.
async fn each_gets_it_once(place: Place, acts: &[Act]) {
    let mut rig = Rig::with_limits(place, small(60));
    let names: Vec<String> = (0..4).map(|queue| format!("q{queue}")).collect();
    queues(&rig, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    queues(&rig, &[FAN_OUT_QUEUE]).await;
    topic(&rig, "t").await;
    let mut heard: Vec<Heard> = names.iter().map(|_| Heard::default()).collect();
    for (number, act) in acts.iter().enumerate() {
        rig.clock.advance(1);
        let mut waits = waiting(&rig);
        let mut at = |which: u8| {
            let some = !waits.is_empty();
            some.then(|| waits.swap_remove(usize::from(which) % waits.len()))
        };
        match act {
            Act::Subscribe(queue) => {
                let of = &mut heard[usize::from(*queue)];
                if of.subscription.is_none() {
                    let asked = raw(&names[usize::from(*queue)]);
                    let id = subscribed(&rig, "t", asked).await.subscription.id;
                    of.subscription = Some(id);
                }
            }
            Act::Unsubscribe(queue) => {
                let of = &mut heard[usize::from(*queue)];
                if let Some(id) = of.subscription.take() {
                    rig.done(Command::Unsubscribe { id }).await;
                    let may = std::mem::take(&mut of.must);
                    of.may.extend(may);
                }
            }
            Act::Publish(count, length) => {
                let length = usize::from(*length);
                let texts: Vec<String> = (0..*count)
                    .map(|one| format!("{number}.{one} {}", "x".repeat(length)))
                    .collect();
                let publishes = texts.iter().map(|text| publish(text)).collect();
                rig.done(publishing("t", publishes)).await;
                for of in heard.iter_mut().filter(|of| of.subscription.is_some()) {
                    of.must.extend(texts.iter().cloned());
                }
            }
            Act::Step(which) => {
                if let Some(next) = at(*which) {
                    rig.done(step(&next)).await;
                }
            }
            Act::Break(which, fail) => {
                if let Some(next) = at(*which) {
                    rig.steering.fail_next(*fail);
                    let _ = rig.decide(step(&next)).await;
                    rig.steering.forgive();
                    rig.stop_and_start().await;
                }
            }
            Act::Restart => rig.restart().await,
        }
    }
    finish(&rig).await;
    for (name, of) in names.iter().zip(&heard) {
        let mut left: BTreeMap<String, usize> = BTreeMap::new();
        for body in bodies(&rig, name) {
            *left.entry(body).or_default() += 1;
        }
        assert!(left.values().all(|count| *count == 1), "{name}: {left:?}");
        for must in &of.must {
            assert!(left.remove(must).is_some(), "{name} lacks {must}: {acts:?}");
        }
        for body in left.keys() {
            assert!(of.may.contains(body), "{name} has {body}: {acts:?}");
        }
    }
    rig.audit_clean();
}

proptest! {
    #![proptest_config(cases(150))]
    #[test]
    fn whoever_subscribed_gets_it_once_in_memory(acts in acts()) {
        runtime().block_on(each_gets_it_once(Place::memory(), &acts));
    }
}

proptest! {
    #![proptest_config(cases(15))]
    #[test]
    fn whoever_subscribed_gets_it_once_on_disk(acts in acts()) {
        runtime().block_on(each_gets_it_once(Place::disk(), &acts));
    }
}
