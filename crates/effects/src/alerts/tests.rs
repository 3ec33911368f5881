use std::collections::BTreeSet;

use commerce::Millis;
use proptest::prelude::*;

use super::*;
use crate::Effects;
use crate::webhooks::{EventTypes, NewEndpoint, StoredSecret, Webhooks};

const LIMITS: Limits = Limits {
    stands_still_ms: 60_000,
    line_waits_ms: 3_600_000,
    resolve_after_ms: 30_000,
};

fn causes(seen: &Observation, memory: &mut Memory) -> Vec<(Rule, String, i64)> {
    sightings(&LIMITS, seen, memory)
        .into_iter()
        .map(|one| (one.rule, one.subject, one.count))
        .collect()
}

#[test]
fn a_consumer_stands_still_when_it_has_work_and_does_none() {
    let mut memory = Memory::default();
    let mut look = |at: Millis, visible, handled| {
        let seen = Observation {
            at,
            consumers: vec![Backlog {
                queue: "emails".to_owned(),
                visible,
                handled,
            }],
            ..Observation::default()
        };
        causes(&seen, &mut memory).len()
    };
    assert_eq!(look(0, 5, 1), 0);
    assert_eq!(look(59_999, 5, 1), 0);
    assert_eq!(look(60_000, 5, 1), 1);
    assert_eq!(look(60_001, 5, 2), 0, "it did something");
    assert_eq!(look(120_000, 0, 2), 0, "nothing to do");
    assert_eq!(look(130_000, 1, 2), 0, "just now");
    assert_eq!(look(190_000, 1, 2), 1);
}

#[test]
fn a_consumer_that_waits_for_a_neighbour_stands_still_though_it_holds_its_messages() {
    let look = |at: Millis| {
        let seen = Observation {
            at,
            waiting: vec![("emails".to_owned(), 0, 1_000)],
            ..Observation::default()
        };
        causes(&seen, &mut Memory::default())
    };
    assert_eq!(look(60_999), []);
    let expected = (Rule::ConsumerStandsStill, "emails".to_owned(), 1);
    assert_eq!(look(61_000), [expected]);
}

#[test]
fn each_rule_sees_its_cause() {
    let mut seen = Observation {
        at: 10_000_000,
        dead_letters: vec![("a-dlq".to_owned(), 3), ("b-dlq".to_owned(), 0)],
        factories: vec![("FF-1".to_owned(), 2)],
        lines: vec![
            Line {
                sku: "LONG".to_owned(),
                head_since: 6_400_000,
                waiting: 9,
            },
            Line {
                sku: "SHORT".to_owned(),
                head_since: 6_400_001,
                waiting: 9,
            },
        ],
        endpoints: vec!["whk_1".to_owned()],
        newer: vec![("customers.db".to_owned(), 4)],
        gone: vec!["firstcome.db".to_owned()],
        ..Observation::default()
    };
    let expected = vec![
        (Rule::DeadLetters, "a-dlq".to_owned(), 3),
        (Rule::FactoryFails, "FF-1".to_owned(), 2),
        (Rule::LineWaits, "LONG".to_owned(), 9),
        (Rule::WebhookDisabled, "whk_1".to_owned(), 1),
        (Rule::StoreIsOlder, "customers.db".to_owned(), 4),
        (Rule::StoreFileGone, "firstcome.db".to_owned(), 1),
    ];
    assert_eq!(causes(&seen, &mut Memory::default()), expected);
    seen = Observation::default();
    assert_eq!(causes(&seen, &mut Memory::default()), []);
}

#[test]
fn what_nobody_looked_for_is_not_over() {
    let open = [Alert {
        n: 1,
        rule: Rule::DeadLetters,
        subject: "q".to_owned(),
        count: 1,
        opened_at: 0,
        last_at: 0,
        resolved_at: None,
    }];
    let hour = 3_600_000;
    assert_eq!(transitions(&LIMITS, hour, hour - 29_999, &open, &[]), []);
    assert_eq!(
        transitions(&LIMITS, hour, hour - 30_000, &open, &[]),
        [Transition::Resolve { n: 1 }]
    );
}

struct Rig {
    _directory: tempfile::TempDir,
    alerts: Alerts,
    webhooks: Webhooks,
}

impl Rig {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let effects = Effects::new(&directory.path().join("effects.db"));
        let rig = Self {
            alerts: Alerts::new(&effects),
            webhooks: Webhooks::new(&effects),
            _directory: directory,
        };
        let endpoint = NewEndpoint {
            id: "whk_a".to_owned(),
            url: "https://ops.example/".to_owned(),
            types: EventTypes::new(["alert.*"]).unwrap(),
            description: String::new(),
            secret: StoredSecret("whsec_x".to_owned()),
            disabled: false,
        };
        rig.webhooks.create(endpoint, 0).await.unwrap().unwrap();
        rig
    }

    async fn look(&self, at: Millis, seen: &[Sighting]) {
        let open = self.alerts.open().await.unwrap();
        let changes = transitions(&LIMITS, at, 0, &open, seen);
        self.alerts.apply(changes, true, at).await.unwrap();
    }

    /// Hands on what is untold; with a crash the note is lost.
    async fn tell(&self, sent: &mut Vec<String>, crash: bool) {
        for telling in self.alerts.untold().await.unwrap() {
            sent.push(telling.id());
            if crash {
                return;
            }
            self.alerts.mark_told(&telling).await.unwrap();
        }
    }

    async fn hooks(&self) -> Vec<String> {
        let told = self.webhooks.deliveries("whk_a".into(), None, 1_000).await;
        let mut told: Vec<_> = told.unwrap().into_iter().map(|one| one.event).collect();
        told.reverse();
        told
    }
}

fn sighting(subject: &str, count: i64) -> Sighting {
    Sighting {
        rule: Rule::DeadLetters,
        subject: subject.to_owned(),
        count,
    }
}

#[tokio::test]
async fn an_alert_is_opened_counted_and_resolved_and_each_is_told_once() {
    let rig = Rig::new().await;
    let mut sent = Vec::new();
    rig.look(0, &[sighting("q", 1)]).await;
    rig.look(5_000, &[sighting("q", 4)]).await;
    rig.tell(&mut sent, true).await;
    rig.tell(&mut sent, false).await;
    rig.tell(&mut sent, false).await;
    rig.look(10_000, &[]).await;
    assert_eq!(
        rig.alerts.open().await.unwrap().len(),
        1,
        "it may come back"
    );
    rig.look(35_000, &[]).await;
    rig.tell(&mut sent, false).await;
    rig.tell(&mut sent, false).await;
    // The first was sent again after the crash, with the same id.
    assert_eq!(
        sent,
        ["alert_1_opened", "alert_1_opened", "alert_1_resolved"]
    );
    assert_eq!(
        rig.hooks().await,
        ["evt_alert_1_opened", "evt_alert_1_resolved"]
    );
    let recent = rig.alerts.recent(10).await.unwrap();
    assert_eq!((recent[0].count, recent[0].resolved_at), (4, Some(35_000)));
}

#[tokio::test]
async fn two_processes_that_look_at_once_open_one_alert() {
    let rig = Rig::new().await;
    let open = transitions(&LIMITS, 0, 0, &[], &[sighting("q", 1)]);
    for _ in 0..2 {
        rig.alerts.apply(open.clone(), true, 0).await.unwrap();
    }
    assert_eq!(rig.alerts.open().await.unwrap().len(), 1);
    let resolve = vec![Transition::Resolve { n: 1 }];
    for _ in 0..2 {
        rig.alerts.apply(resolve.clone(), true, 9).await.unwrap();
    }
    assert_eq!(rig.hooks().await.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is seen when: never two open alerts of one cause, and every alert is told as
    /// opened before it is told as resolved, once each by webhook.
    #[test]
    fn alerts_keep_their_promises(
        looks in proptest::collection::vec(
            (1..40_000_i64, proptest::collection::vec((0..3_usize, 1..9_i64), 0..4), any::<bool>()),
            1..25,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let rig = Rig::new().await;
            let (mut at, mut sent) = (0, Vec::new());
            for (pause, seen, crash) in looks {
                at += pause;
                let seen: Vec<Sighting> = seen
                    .into_iter()
                    .map(|(subject, count)| sighting(["a", "b", "c"][subject], count))
                    .collect();
                rig.look(at, &seen).await;
                rig.tell(&mut sent, crash).await;
                let open = rig.alerts.open().await.unwrap();
                let causes: BTreeSet<_> = open.iter().map(|one| &one.subject).collect();
                assert_eq!(causes.len(), open.len(), "two of one cause");
                for one in &seen {
                    assert!(causes.contains(&one.subject), "{one:?} has no alert");
                }
            }
            rig.look(at + 60_000, &[]).await;
            rig.tell(&mut sent, false).await;
            assert!(rig.alerts.open().await.unwrap().is_empty());
            let over = rig.alerts.recent(100).await.unwrap();
            let hooks = rig.hooks().await;
            assert_eq!(hooks.len(), 2 * over.len());
            for alert in over {
                let ids = [
                    format!("alert_{}_opened", alert.n),
                    format!("alert_{}_resolved", alert.n),
                ];
                let position = |id: &String| sent.iter().position(|one| one == id).unwrap();
                assert!(position(&ids[0]) < position(&ids[1]));
                for id in ids {
                    let told = hooks.iter().filter(|one| **one == format!("evt_{id}"));
                    assert_eq!(told.count(), 1, "{id}");
                }
            }
        });
    }
}
