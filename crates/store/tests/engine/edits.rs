//! Many who change the same thing at once, some of them through another engine: each changes what
//! it means and nothing else.

use engine::ports::Queue;
use engine::{Command, FilterPart, PolicyEdit, Refusal, Reply, SubscriptionChange, TopicSettings};
use messaging::QueueSettings;
use messaging::topic::{self, FilterScope, Protocol};
use store::memory::Shared;
use tokio::task::JoinSet;

use crate::rig::{Place, Rig, runtime, within};

/// A policy has room for no more.
const STATEMENTS_MAX: usize = 20;

fn two() -> [Rig; 2] {
    let one = Rig::new(Place::Shared(Shared::default()));
    let other = one.beside();
    // They meet at the store.
    for rig in [&one, &other] {
        rig.steering
            .decide_for(std::time::Duration::from_micros(200));
    }
    [one, other]
}

/// At once, by turns through the one and the other; how each ended, in its order.
async fn at_once(rigs: &[Rig; 2], commands: Vec<Command>) -> Vec<Option<Refusal>> {
    let mut asked = JoinSet::new();
    for (number, command) in commands.into_iter().enumerate() {
        let engine = rigs[number % 2].engine().clone();
        asked.spawn(async move {
            let decided = within(engine.decide(command)).await.unwrap();
            (number, decided.err())
        });
    }
    let mut ended = asked.join_all().await;
    ended.sort_by_key(|(number, _)| *number);
    ended.into_iter().map(|(_, refusal)| refusal).collect()
}

fn edit(label: &str, is_new: bool) -> Box<PolicyEdit> {
    Box::new(PolicyEdit {
        label: label.to_owned(),
        statement: is_new.then(|| format!(r#"{{"Sid":"{label}","Effect":"Allow"}}"#)),
        otherwise: r#"{"Statement":[]}"#.to_owned(),
    })
}

fn labels(kind: &str, count: usize) -> Vec<String> {
    let numbers = 0..count;
    numbers
        .map(|number| format!("{kind}-{number:02}"))
        .collect()
}

fn stored(rig: &Rig) -> Queue {
    rig.reader().queue("q", 0).unwrap().unwrap().queue
}

fn policy_of_queue(rig: &Rig) -> Option<String> {
    stored(rig).more.policy.clone()
}

fn policy_of_topic(rig: &Rig) -> Option<String> {
    let topic = rig.reader().topic("t").unwrap().unwrap();
    topic.attributes.get("Policy").cloned()
}

async fn made(rig: &Rig) {
    rig.done(Command::CreateQueue {
        name: "q".to_owned(),
        owner: None,
        settings: Box::default(),
        tags: [].into(),
    })
    .await;
    rig.done(Command::CreateTopic {
        name: "t".to_owned(),
        owner: None,
        settings: Box::default(),
        tags: [].into(),
    })
    .await;
}

/// The labels of a policy.
fn left(policy: Option<String>) -> Vec<String> {
    let policy: serde_json::Value = serde_json::from_str(&policy.unwrap()).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    let mut labels: Vec<String> = statements
        .map(|statement| statement["Sid"].as_str().unwrap().to_owned())
        .collect();
    labels.sort();
    labels
}

#[test]
fn statements_that_come_and_go_at_once_take_nothing_of_each_other() {
    let of_queue = |edit| Command::EditQueuePolicy {
        queue: "q".to_owned(),
        edit,
    };
    let of_topic = |edit| Command::EditTopicPolicy {
        topic: "t".to_owned(),
        edit,
    };
    type Kind = (fn(Box<PolicyEdit>) -> Command, fn(&Rig) -> Option<String>);
    let kinds: [Kind; 2] = [(of_queue, policy_of_queue), (of_topic, policy_of_topic)];
    for (command, policy) in kinds {
        runtime().block_on(async {
            let rigs = two();
            made(&rigs[0]).await;
            let (old, new) = (labels("a", 10), labels("b", 10));
            let add = |label: &String| command(edit(label, true));
            let remove = |label: &String| command(edit(label, false));
            // Each through both: one of the two is told that it is there.
            let twice = old.iter().flat_map(|label| [add(label), add(label)]);
            let refusals = at_once(&rigs, twice.collect()).await;
            let taken = refusals.iter().flatten().map(Refusal::code);
            assert_eq!(taken.collect::<Vec<_>>(), ["policy_label_taken"; 10]);
            assert_eq!(left(policy(&rigs[1])), old);
            let both = new.iter().zip(&old);
            let both = both.flat_map(|(new, old)| [add(new), remove(old)]);
            let refusals = at_once(&rigs, both.collect()).await;
            assert!(refusals.iter().all(Option::is_none), "{refusals:?}");
            assert_eq!(left(policy(&rigs[1])), new);
            // So many come in as there is room for.
            let more = labels("c", STATEMENTS_MAX);
            let refusals = at_once(&rigs, more.iter().map(add).collect()).await;
            let refused = refusals.iter().flatten().map(Refusal::code);
            assert_eq!(refused.collect::<Vec<_>>(), ["policy_too_large"; 10]);
            assert_eq!(left(policy(&rigs[0])).len(), STATEMENTS_MAX);
            let refusals = at_once(&rigs, old.iter().map(remove).collect()).await;
            let refused = refusals.iter().flatten().map(Refusal::code);
            assert_eq!(refused.collect::<Vec<_>>(), ["policy_label_unknown"; 10]);
        });
    }
}

#[test]
fn a_queue_without_statements_has_no_policy_and_a_topic_has_an_empty_one() {
    runtime().block_on(async {
        for place in Place::both() {
            let mut rig = Rig::new(place);
            made(&rig).await;
            for label in ["a", "b"] {
                for is_new in [true, false] {
                    let queue = "q".to_owned();
                    let change = edit(label, is_new);
                    rig.clock.advance(1_000);
                    rig.done(Command::EditQueuePolicy {
                        queue,
                        edit: change.clone(),
                    })
                    .await;
                    let topic = "t".to_owned();
                    rig.done(Command::EditTopicPolicy {
                        topic,
                        edit: change,
                    })
                    .await;
                    rig.restart().await;
                    assert_eq!(policy_of_queue(&rig).is_some(), is_new);
                    let of_queue = stored(&rig);
                    assert_eq!(of_queue.modified_at, rig.engine().now());
                    let policy = policy_of_topic(&rig).unwrap();
                    assert_eq!(policy.contains("Sid"), is_new, "{policy}");
                }
            }
            for command in [
                Command::EditQueuePolicy {
                    queue: "none".to_owned(),
                    edit: edit("a", true),
                },
                Command::EditTopicPolicy {
                    topic: "none".to_owned(),
                    edit: edit("a", true),
                },
            ] {
                let code = rig.refused(command).await.code();
                assert!(["queue_not_found", "topic_not_found"].contains(&code));
            }
        }
    });
}

#[test]
fn attributes_and_tags_that_are_set_at_once_are_all_there() {
    runtime().block_on(async {
        let rigs = two();
        made(&rigs[0]).await;
        let none = QueueSettings::default;
        let settings = [
            QueueSettings {
                delay_s: Some(7),
                ..none()
            },
            QueueSettings {
                retention_s: Some(777),
                ..none()
            },
            QueueSettings {
                visibility_timeout_s: Some(77),
                ..none()
            },
        ];
        let set = settings.map(|settings| Command::SetQueue {
            queue: "q".to_owned(),
            settings: Box::new(settings),
        });
        let names = ["DisplayName", "KmsMasterKeyId", "SignatureVersion"];
        let topic = names.map(|name| Command::SetTopic {
            topic: "t".to_owned(),
            settings: Box::new(TopicSettings {
                attributes: [(name.to_owned(), "1".to_owned())].into(),
                ..TopicSettings::default()
            }),
        });
        let tags = labels("tag", 20);
        let of_queue = tags.iter().map(|tag| Command::TagQueue {
            queue: "q".to_owned(),
            tags: [(tag.clone(), String::new())].into(),
            untag: Vec::new(),
        });
        let of_topic = tags.iter().map(|tag| Command::TagTopic {
            topic: "t".to_owned(),
            tags: [(tag.clone(), String::new())].into(),
            untag: Vec::new(),
        });
        let policies = [
            Command::EditQueuePolicy {
                queue: "q".to_owned(),
                edit: edit("a", true),
            },
            Command::EditTopicPolicy {
                topic: "t".to_owned(),
                edit: edit("a", true),
            },
        ];
        let all = set.into_iter().chain(topic).chain(of_queue).chain(of_topic);
        let refusals = at_once(&rigs, all.chain(policies).collect()).await;
        assert!(refusals.iter().all(Option::is_none), "{refusals:?}");
        let queue = stored(&rigs[0]);
        let config = &queue.config;
        assert_eq!(
            (
                config.delay_s,
                config.retention_s,
                config.visibility_timeout_s
            ),
            (7, 777, 77)
        );
        assert!(queue.more.policy.is_some());
        assert!(queue.more.tags.keys().eq(&tags));
        let topic = rigs[1].reader().topic("t").unwrap().unwrap();
        assert!(topic.tags.keys().eq(&tags));
        let attributes: Vec<&str> = topic.attributes.keys().map(String::as_str).collect();
        assert_eq!(
            attributes,
            [
                "DisplayName",
                "KmsMasterKeyId",
                "Policy",
                "SignatureVersion"
            ]
        );
    });
}

/// The id of a new subscription of the queue to the topic.
async fn subscribed(rig: &Rig) -> String {
    made(rig).await;
    let subscription = topic::Subscription {
        id: String::new(),
        protocol: Protocol::Queue,
        endpoint: "q".to_owned(),
        raw: false,
        filter: None,
        redrive: None,
        confirmed: false,
    };
    let command = Command::Subscribe {
        topic: "t".to_owned(),
        owner: None,
        subscription: Box::new(subscription),
        attributes: [].into(),
    };
    match rig.done(command).await {
        Reply::Subscription { subscription, .. } => subscription.subscription.id,
        other => panic!("{other:?}"),
    }
}

/// As a client sets the one or the other.
fn half(id: &str, part: FilterPart) -> Command {
    let mut change = SubscriptionChange::default();
    if let FilterPart::Scope(scope) = &part {
        let kept = ("FilterPolicyScope".to_owned(), scope.name().to_owned());
        change.attributes = [kept].into();
    }
    change.filter_part = Some(part);
    Command::SetSubscription {
        id: id.to_owned(),
        change: Box::new(change),
    }
}

fn filter(rig: &Rig, id: &str) -> Option<(String, FilterScope)> {
    let found = rig.reader().subscription(id).unwrap().unwrap();
    let filter = found.subscription.filter?;
    Some((filter.text().to_owned(), filter.scope()))
}

#[test]
fn a_filter_policy_and_its_scope_that_are_set_at_once_are_both_there() {
    runtime().block_on(async {
        let rigs = two();
        let id = subscribed(&rigs[0]).await;
        let scopes = [FilterScope::MessageBody, FilterScope::MessageAttributes];
        for round in 0..20 {
            let (text, scope) = (format!(r#"{{"kind":["{round}"]}}"#), scopes[round % 2]);
            let mut halves = vec![
                half(&id, FilterPart::Policy(text.clone())),
                half(&id, FilterPart::Scope(scope)),
            ];
            if round % 4 > 1 {
                halves.reverse();
            }
            let refusals = at_once(&rigs, halves).await;
            assert!(refusals.iter().all(Option::is_none), "{refusals:?}");
            assert_eq!(filter(&rigs[0], &id), Some((text, scope)), "round {round}");
        }
    });
}

#[test]
fn a_filter_policy_keeps_the_scope_that_came_before_it() {
    const NESTED: &str = r#"{"a":{"b":["c"]}}"#;
    runtime().block_on(async {
        for place in Place::both() {
            let mut rig = Rig::new(place);
            let id = subscribed(&rig).await;
            let policy = |text: &str| half(&id, FilterPart::Policy(text.to_owned()));
            let scope = |scope| half(&id, FilterPart::Scope(scope));
            // What nests cannot be looked for among attributes.
            assert_eq!(rig.refused(policy(NESTED)).await.code(), "topic_refusal");
            rig.done(scope(FilterScope::MessageBody)).await;
            assert_eq!(filter(&rig, &id), None);
            rig.done(policy(NESTED)).await;
            let nested = Some((NESTED.to_owned(), FilterScope::MessageBody));
            assert_eq!(filter(&rig, &id), nested);
            let refusal = rig.refused(scope(FilterScope::MessageAttributes)).await;
            assert_eq!(refusal.code(), "topic_refusal");
            rig.restart().await;
            assert_eq!(filter(&rig, &id), nested);
            rig.done(policy("{}")).await;
            rig.done(scope(FilterScope::MessageAttributes)).await;
            let any = Some(("{}".to_owned(), FilterScope::MessageAttributes));
            assert_eq!(filter(&rig, &id), any);
        }
    });
}
