//! Random publications to random subscribers, with crashes: each commit arrives everywhere, or
//! nowhere.

use proptest::prelude::*;

use super::*;
use crate::rig::{Fail, cases};

/// Who subscribes: the queue, and the kinds it wants; all of them without a filter.
type Wanted = (u8, Option<Vec<u8>>);

/// Publications of one commit, each of a kind, and how the commit goes wrong.
type Round = (Vec<u8>, Option<Fail>);

async fn everything_arrives_or_nothing(place: Place, wanted: &[Wanted], rounds: &[Round]) {
    let mut rig = Rig::new(place);
    let names: Vec<String> = (0..4).map(|queue| format!("q{queue}")).collect();
    queues(&rig, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    topic(&rig, "t").await;
    for (queue, kinds) in wanted {
        let kinds = kinds.as_ref().map(|kinds| {
            let kinds: Vec<String> = kinds.iter().map(|kind| format!("\"{kind}\"")).collect();
            format!("{{\"kind\": [{}]}}", kinds.join(", "))
        });
        let mut asked = raw(&names[usize::from(*queue)]);
        asked.filter = kinds.and_then(|text| wants(&text));
        // The same queue twice is refused or answered; the first one counts.
        let _ = rig.decide(subscribe("t", asked)).await;
    }
    let mut expected: Vec<Vec<String>> = vec![Vec::new(); names.len()];
    for (number, (kinds, fail)) in rounds.iter().enumerate() {
        let texts = kinds.iter().enumerate();
        let publishes: Vec<Publish> = texts
            .map(|(at, kind)| news(&format!("{number}.{at}"), &kind.to_string()))
            .collect();
        if let Some(fail) = fail {
            rig.steering.fail_next(*fail);
        }
        let _ = rig.decide(publishing("t", publishes)).await;
        // Nobody wanted any of it: then nothing was written.
        let is_written = rig.steering.forgive() || *fail != Some(Fail::CommitLost);
        if fail.is_some() {
            rig.stop_and_start().await;
        }
        if !is_written {
            continue;
        }
        for (queue, expected) in expected.iter_mut().enumerate() {
            let Some((_, wants)) = wanted.iter().find(|(of, _)| usize::from(*of) == queue) else {
                continue;
            };
            for (at, kind) in kinds.iter().enumerate() {
                if wants.as_ref().is_none_or(|wants| wants.contains(kind)) {
                    expected.push(format!("{number}.{at}"));
                }
            }
        }
    }
    for (queue, expected) in names.iter().zip(&expected) {
        assert_eq!(bodies(&rig, queue), *expected, "{queue} of {wanted:?}");
    }
    rig.restart().await;
    rig.audit_clean();
}

fn workload() -> impl Strategy<Value = (Vec<Wanted>, Vec<Round>)> {
    let kinds = || prop::collection::vec(0u8..4, 1..4);
    let fail = prop_oneof![
        Just(Fail::CommitLost),
        Just(Fail::CommitKept),
        Just(Fail::SyncFailed)
    ];
    let wanted = (0u8..4, prop::option::weighted(0.7, kinds()));
    let round = (kinds(), prop::option::weighted(0.2, fail));
    (
        prop::collection::vec(wanted, 0..6),
        prop::collection::vec(round, 1..10),
    )
}

proptest! {
    #![proptest_config(cases(60))]
    #[test]
    fn a_publication_reaches_all_or_none_in_memory((wanted, rounds) in workload()) {
        runtime().block_on(everything_arrives_or_nothing(Place::memory(), &wanted, &rounds));
    }
}

proptest! {
    #![proptest_config(cases(12))]
    #[test]
    fn a_publication_reaches_all_or_none_on_disk((wanted, rounds) in workload()) {
        runtime().block_on(everything_arrives_or_nothing(Place::disk(), &wanted, &rounds));
    }
}
