use commerce::Millis;
use proptest::prelude::*;

use super::*;
use crate::Effects;

const HOUR: Millis = 3_600_000;

fn types(entries: &[&str]) -> EventTypes {
    EventTypes::new(entries.iter().copied()).unwrap()
}

#[test]
fn types_match_exactly_by_family_or_all() {
    let check = |entries: &[&str], kind: &str, expected: bool| {
        assert_eq!(types(entries).want(kind), expected, "{entries:?} {kind}");
    };
    check(&["*"], "order.accepted", true);
    check(&["order.*"], "order.accepted", true);
    check(&["order.*"], "orders.accepted", false);
    check(&["order.accepted"], "order.accepted", true);
    check(&["order.accepted"], "order.accepted_twice", false);
    check(&["stock.*", "order.cancelled"], "order.cancelled", true);
    check(&["stock.*", "order.cancelled"], "order.accepted", false);
}

#[test]
fn what_is_no_type_is_refused_with_its_name() {
    for wrong in [
        "",
        ".",
        "order.",
        ".accepted",
        "Order.accepted",
        "order*",
        "*.accepted",
        "order.**",
        "order accepted",
        "**",
        "order.*.x",
    ] {
        assert_eq!(
            EventTypes::new([wrong]),
            Err(TypeError::Invalid(wrong.to_owned())),
            "{wrong}"
        );
    }
    assert_eq!(EventTypes::new([""; 0]), Err(TypeError::Count(0)));
    let many = (0..=TYPES_MAX).map(|n| format!("order.t{n}"));
    assert_eq!(EventTypes::new(many), Err(TypeError::Count(TYPES_MAX + 1)));
}

#[test]
fn a_topic_is_heard_when_something_in_it_may_be_wanted() {
    let check = |entries: &[&str], expected: bool| {
        assert_eq!(
            types(entries).want_any(&["order."]),
            expected,
            "{entries:?}"
        );
    };
    check(&["*"], true);
    check(&["order.*"], true);
    check(&["order.accepted"], true);
    check(&["stock.*", "auction.closed"], false);
}

fn name() -> impl Strategy<Value = String> {
    proptest::collection::vec("[a-c]{1,2}", 1..4).prop_map(|parts| parts.join("."))
}

proptest! {
    /// Against the plain reading of the rule, part by part.
    #[test]
    fn matching_is_what_the_rule_says(entry in name(), family in any::<bool>(), kind in name()) {
        let pattern = if family { format!("{entry}.*") } else { entry.clone() };
        let (entry, kind_parts): (Vec<&str>, Vec<&str>) =
            (entry.split('.').collect(), kind.split('.').collect());
        let expected = if family {
            kind_parts.len() > entry.len() && kind_parts[..entry.len()] == entry[..]
        } else {
            kind_parts == entry
        };
        prop_assert_eq!(types(&[&pattern]).want(&kind), expected);
    }

    #[test]
    fn a_wait_is_never_shorter_and_at_most_a_tenth_longer(seed in any::<u64>()) {
        let schedule = Schedule::default();
        let mut total = 0;
        for (at, wait_s) in RETRIES_S.iter().enumerate() {
            let attempts = u32::try_from(at + 1).unwrap();
            let wait = schedule.wait_ms(attempts, seed).unwrap();
            let least = Millis::from(*wait_s) * 1_000;
            prop_assert!((least..=least * 11 / 10).contains(&wait));
            total += wait;
        }
        prop_assert!(total > 72 * HOUR && total < 96 * HOUR);
        prop_assert_eq!(schedule.wait_ms(0, seed), None);
        prop_assert_eq!(schedule.wait_ms(10, seed), None, "ten attempts there are");
    }

    #[test]
    fn an_endpoint_is_disabled_when_it_is_gone_or_failed_for_five_days(
        status in proptest::option::of(100..600_u16),
        failed_for in 0..10 * 24 * HOUR,
    ) {
        let expected = if status == Some(410) {
            Some(DisabledReason::Gone)
        } else if failed_for >= DISABLE_AFTER_MS {
            Some(DisabledReason::Failing)
        } else {
            None
        };
        let found = disabled_by(status, 1_000, 1_000 + failed_for, DISABLE_AFTER_MS);
        prop_assert_eq!(found, expected);
    }
}

struct Rig {
    _directory: tempfile::TempDir,
    webhooks: Webhooks,
}

impl Rig {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let effects = Effects::new(&directory.path().join("effects.db"));
        Self {
            webhooks: Webhooks::new(&effects),
            _directory: directory,
        }
    }

    async fn endpoint(&self, id: &str, entries: &[&str]) {
        let new = NewEndpoint {
            id: id.to_owned(),
            url: "https://shop.example/hook".to_owned(),
            types: types(entries),
            description: String::new(),
            secret: StoredSecret(format!("whsec_{id}")),
            disabled: false,
        };
        self.webhooks.create(new, 0).await.unwrap().unwrap();
    }

    async fn get(&self, id: &str) -> Endpoint {
        self.webhooks
            .endpoint(id.to_owned(), 0)
            .await
            .unwrap()
            .unwrap()
    }

    async fn tell(&self, seq: u64) -> Vec<Queued> {
        self.webhooks.tell(vec![event(seq)], 10).await.unwrap()
    }

    async fn attempt(&self, n: i64, at: Millis, status: u16) -> Noted {
        self.put_off(n, at, status, None).await
    }

    async fn put_off(&self, n: i64, at: Millis, status: u16, until: Option<Millis>) -> Noted {
        let error = (!(200..300).contains(&status)).then(|| format!("answered {status}"));
        let attempted = Attempted {
            at,
            ms: 0,
            status: Some(status),
            error,
            not_before: until,
        };
        self.webhooks
            .note(n, attempted, Schedule::default(), DISABLE_AFTER_MS, 0)
            .await
            .unwrap()
    }
}

fn event(seq: u64) -> Event {
    Event {
        id: format!("evt_{seq}"),
        kind: "order.accepted".to_owned(),
        order_seq: Some(7),
        body: "{}".to_owned(),
    }
}

#[tokio::test]
async fn an_event_makes_one_delivery_for_each_endpoint_that_wants_it() {
    let rig = Rig::new();
    rig.endpoint("whk_a", &["order.*"]).await;
    rig.endpoint("whk_b", &["*"]).await;
    rig.endpoint("whk_c", &["stock.*"]).await;
    let queued = rig.tell(1).await;
    let told: Vec<&str> = queued.iter().map(|one| one.endpoint.as_str()).collect();
    assert_eq!(told, ["whk_a", "whk_b"]);
    // A crash before the messages were sent: the same ones are named again.
    assert_eq!(rig.tell(1).await, queued);
    assert_eq!(rig.webhooks.unqueued(100, 10).await.unwrap(), queued);
    assert_eq!(
        rig.webhooks.unqueued(10, 10).await.unwrap(),
        [],
        "too young"
    );
    let numbers = queued.iter().map(|one| one.n).collect();
    rig.webhooks.mark_queued(numbers).await.unwrap();
    assert_eq!(rig.tell(1).await, [], "its messages were sent");
    assert_eq!(rig.webhooks.unqueued(100, 10).await.unwrap(), []);
    assert_eq!(rig.webhooks.of_order(7, 10).await.unwrap().len(), 2);
    assert_eq!(rig.get("whk_a").await.pending, 1);
}

#[tokio::test]
async fn a_delivery_is_tried_until_it_is_taken_and_every_attempt_is_seen() {
    let rig = Rig::new();
    rig.endpoint("whk_a", &["*"]).await;
    let n = rig.tell(1).await[0].n;
    assert_eq!(rig.attempt(n, 1_000, 500).await, Noted::Retry { at: 6_000 });
    assert_eq!(rig.get("whk_a").await.failing_since, Some(1_000));
    assert_eq!(rig.attempt(n, 6_000, 204).await, Noted::Delivered);
    // A second copy of its message came to the same end.
    assert_eq!(rig.attempt(n, 6_001, 500).await, Noted::Delivered);
    let endpoint = rig.get("whk_a").await;
    assert_eq!((endpoint.pending, endpoint.failing_since), (0, None));
    let seen = &rig
        .webhooks
        .deliveries("whk_a".into(), None, 10)
        .await
        .unwrap()[0];
    assert_eq!(seen.status, DeliveryStatus::Delivered);
    let statuses: Vec<_> = seen.attempts.iter().map(|one| one.status).collect();
    assert_eq!(statuses, [Some(500), Some(204), Some(500)]);
}

#[tokio::test]
async fn after_the_last_attempt_it_has_failed_and_may_be_sent_again_by_hand() {
    let rig = Rig::new();
    rig.endpoint("whk_a", &["*"]).await;
    let n = rig.tell(1).await[0].n;
    let mut at = 0;
    for _ in 0..RETRIES_S.len() {
        match rig.attempt(n, at, 503).await {
            Noted::Retry { at: next } => at = next,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(rig.attempt(n, at, 503).await, Noted::Failed);
    assert_eq!(rig.get("whk_a").await.pending, 0);
    // Its message was moved back out of the dead-letter queue.
    assert_eq!(rig.attempt(n, at + 1, 503).await, Noted::Failed);
    assert_eq!(rig.attempt(n, at + 2, 200).await, Noted::Delivered);
    assert_eq!(rig.get("whk_a").await.pending, 0);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_gets_no_more_until_it_is_enabled() {
    let rig = Rig::new();
    rig.endpoint("whk_a", &["*"]).await;
    let n = rig.tell(1).await[0].n;
    let noted = rig.attempt(n, 1_000, 410).await;
    assert_eq!(noted, Noted::Disabled(DisabledReason::Gone));
    assert_eq!(
        rig.get("whk_a").await.disabled,
        Some((DisabledReason::Gone, 1_000))
    );
    assert_eq!(rig.tell(2).await, []);
    let replayed = rig
        .webhooks
        .replay("whk_a".into(), vec![event(1)], true, 2_000);
    assert_eq!(replayed.await.unwrap(), Err(Refused::Disabled));
    let enable = Change {
        enabled: Some(true),
        ..Change::default()
    };
    let changed = rig.webhooks.change("whk_a".into(), enable, 3_000).await;
    let changed = changed.unwrap().unwrap();
    assert_eq!((changed.disabled, changed.failing_since), (None, None));
    assert_eq!(rig.tell(3).await.len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_only_failed_for_five_days_is_disabled() {
    let rig = Rig::new();
    rig.endpoint("whk_a", &["*"]).await;
    let (first, second) = (rig.tell(1).await[0].n, rig.tell(2).await[0].n);
    rig.attempt(first, 0, 500).await;
    let noted = rig.attempt(second, DISABLE_AFTER_MS - 1, 500).await;
    assert!(matches!(noted, Noted::Retry { .. }), "{noted:?}");
    let noted = rig.attempt(second, DISABLE_AFTER_MS, 500).await;
    assert_eq!(noted, Noted::Disabled(DisabledReason::Failing));
    // What waited is given up when its message comes.
    rig.webhooks.give_up(first, DISABLE_AFTER_MS).await.unwrap();
    assert_eq!(rig.get("whk_a").await.pending, 0);
}

#[tokio::test]
async fn a_replay_makes_another_delivery_with_the_same_id() {
    let rig = Rig::new();
    rig.endpoint("whk_a", &["order.*"]).await;
    rig.tell(1).await;
    let other = Event {
        kind: "stock.received".to_owned(),
        ..event(2)
    };
    for replay in [1, 2] {
        let events = vec![event(1), other.clone()];
        let queued = rig.webhooks.replay("whk_a".into(), events, true, 20).await;
        assert_eq!(queued.unwrap().unwrap().len(), 1, "only what it wants");
        let newest = rig.webhooks.deliveries("whk_a".into(), None, 1).await;
        let newest = newest.unwrap().remove(0);
        assert_eq!((newest.event.as_str(), newest.replay), ("evt_1", replay));
    }
    assert_eq!(rig.get("whk_a").await.pending, 3);
}

#[tokio::test]
async fn secrets_that_are_replaced_sign_beside_the_new_one_until_they_end() {
    let rig = Rig::new();
    rig.endpoint("whk_a", &["*"]).await;
    let n = rig.tell(1).await[0].n;
    let rotate = async |name: &str, old_ends_at, now| {
        let secret = StoredSecret(format!("whsec_{name}"));
        rig.webhooks
            .rotate("whk_a".into(), secret, old_ends_at, now)
            .await
            .unwrap()
    };
    let signing = async |now| -> Vec<String> {
        let due = rig.webhooks.due(n, now).await.unwrap().unwrap();
        due.secrets.into_iter().map(|secret| secret.0).collect()
    };
    rotate("b", 100, 10).await.unwrap();
    assert_eq!(signing(99).await, ["whsec_b", "whsec_whk_a"]);
    assert_eq!(signing(100).await, ["whsec_b"]);
    rotate("c", 200, 20).await.unwrap();
    rotate("d", 300, 30).await.unwrap();
    assert_eq!(signing(40).await.len(), 4);
    let refused = rotate("e", 400, 40).await;
    assert_eq!(refused, Err(Refused::TooManySecrets { first_ends_at: 100 }));
    // Leaked: the new one alone, at once.
    rotate("f", 40, 40).await.unwrap();
    assert_eq!(signing(40).await, ["whsec_f"]);
    let shown = rig.webhooks.secret("whk_a".into()).await.unwrap().unwrap();
    assert_eq!(shown.0, "whsec_f");
    assert!(!format!("{shown:?}").contains("whsec"));
}

#[tokio::test]
async fn history_is_cleared_past_its_bounds_and_what_is_pending_stays() {
    let rig = Rig::new();
    rig.endpoint("whk_a", &["*"]).await;
    let kept = rig.tell(0).await[0].n;
    let events = (1..=1_010).map(event).collect();
    let queued = rig.webhooks.tell(events, 10).await.unwrap();
    for one in &queued {
        rig.attempt(one.n, 20, 200).await;
    }
    assert_eq!(rig.webhooks.clear(20).await.unwrap(), 10);
    assert_eq!(rig.webhooks.clear(20).await.unwrap(), 0);
    let month = 31 * 24 * HOUR;
    assert_eq!(rig.webhooks.clear(month).await.unwrap(), 1_000);
    let left = rig
        .webhooks
        .deliveries("whk_a".into(), None, 10)
        .await
        .unwrap();
    assert_eq!(left.iter().map(|one| one.n).collect::<Vec<_>>(), [kept]);
}

#[tokio::test]
async fn an_endpoint_goes_with_all_that_is_known_of_it() {
    let rig = Rig::new();
    rig.endpoint("whk_a", &["*"]).await;
    let n = rig.tell(1).await[0].n;
    rig.attempt(n, 1, 500).await;
    assert!(rig.webhooks.delete("whk_a".into()).await.unwrap());
    assert!(!rig.webhooks.delete("whk_a".into()).await.unwrap());
    assert!(rig.webhooks.due(n, 1).await.unwrap().is_none());
    assert_eq!(rig.attempt(n, 2, 200).await, Noted::Gone);
}

#[tokio::test]
async fn a_receiver_may_put_a_call_off_and_not_pull_it_forward() {
    let rig = Rig::new();
    rig.endpoint("whk_a", &["*"]).await;
    let n = rig.tell(1).await[0].n;
    let schedule = Schedule::default();
    let usual = 1_000 + schedule.wait_ms(1, 0).unwrap();
    let noted = rig.put_off(n, 1_000, 503, Some(usual + 7_000)).await;
    assert_eq!(noted, Noted::Retry { at: usual + 7_000 });
    let usual = 100_000 + schedule.wait_ms(2, 0).unwrap();
    let noted = rig.put_off(n, 100_000, 429, Some(100_001)).await;
    assert_eq!(noted, Noted::Retry { at: usual });
    let due = rig.webhooks.due(n, 100_000).await.unwrap().unwrap();
    assert_eq!(due.delivery.next_at, Some(usual));
}
