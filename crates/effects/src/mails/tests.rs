use super::*;
use crate::Effects;

const LEASE_MS: Millis = 1_000;

fn mail(id: &str, event: u64) -> NewMail {
    NewMail {
        id: id.to_owned(),
        kind: "ads.pause",
        recipient: "ads@example.com".to_owned(),
        lang: "en",
        order_seq: Some(7),
        event,
        after: None,
        subject: "Hello".to_owned(),
        text: "one".to_owned(),
        html: "<p>one</p>".to_owned(),
        created_at: 1,
    }
}

fn opened() -> (tempfile::TempDir, Effects) {
    let directory = tempfile::tempdir().unwrap();
    let effects = Effects::new(&directory.path().join("effects.db"));
    (directory, effects)
}

async fn run<T: Send + 'static>(
    effects: &Effects,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
) -> T {
    effects.0.write(work).await.unwrap()
}

fn interrupted(may_be_taken: bool) -> Ended {
    Ended::Interrupted {
        reason: "timeout".to_owned(),
        may_be_taken,
    }
}

#[tokio::test]
async fn the_same_id_is_written_once_and_found_by_event_order_and_page() {
    let (_directory, effects) = opened();
    run(&effects, |transaction| {
        assert!(add(transaction, &mail("a", 1))?);
        assert!(!add(transaction, &mail("a", 2))?);
        assert!(add(transaction, &mail("b", 1))?);
        assert_eq!(of_event(transaction, 1)?, ["a", "b"]);
        assert_eq!(of_event(transaction, 2)?, Vec::<String>::new());
        let orders = of_order(transaction, 7, 100)?;
        assert_eq!(orders.len(), 2);
        assert_eq!(of_order(transaction, 8, 100)?, []);
        let first = page(transaction, None, 1)?;
        assert!(first.more);
        assert_eq!(first.mails[0].new.id, "b");
        let second = page(transaction, Some(first.mails[0].no), 1)?;
        assert!(!second.more);
        assert_eq!(second.mails[0].new.id, "a");
        assert!(!format!("{second:?} {:?}", mail("a", 1)).contains("ads@"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn one_at_a_time_hands_it_over_and_a_dead_one_is_followed_after_the_lease() {
    let (_directory, effects) = opened();
    run(&effects, |transaction| {
        add(transaction, &mail("a", 1))?;
        let Claim::Ours(ours) = claim(transaction, "a", 10, LEASE_MS)? else {
            panic!("it is free");
        };
        assert_eq!((ours.attempts, ours.new.subject.as_str()), (1, "Hello"));
        let until = 10 + LEASE_MS;
        assert_eq!(
            claim(transaction, "a", 11, LEASE_MS)?,
            Claim::Busy { until }
        );
        assert!(!take_back(transaction, "a")?, "somebody hands it over");
        let Claim::Ours(again) = claim(transaction, "a", until, LEASE_MS)? else {
            panic!("the lease has passed");
        };
        assert_eq!(again.attempts, 2);
        // The first attempt may have succeeded, whatever the second one says.
        settle(transaction, "a", &interrupted(false), until)?;
        assert!(!take_back(transaction, "a")?);
        claim(transaction, "a", until, LEASE_MS)?;
        settle(transaction, "a", &Ended::Sent, until)?;
        assert_eq!(claim(transaction, "a", until, LEASE_MS)?, Claim::Over);
        assert_eq!(get(transaction, "a")?.unwrap().sent_at, Some(until));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_certainly_nobody_has_can_be_taken_back() {
    let (_directory, effects) = opened();
    run(&effects, |transaction| {
        for (id, ended, expected) in [
            ("untouched", None, true),
            ("down", Some(interrupted(false)), true),
            ("cut", Some(interrupted(true)), false),
            ("sent", Some(Ended::Sent), false),
            (
                "refused",
                Some(Ended::Failed {
                    reason: "550".to_owned(),
                }),
                true,
            ),
        ] {
            add(transaction, &mail(id, 1))?;
            if let Some(ended) = ended {
                claim(transaction, id, 1, LEASE_MS)?;
                settle(transaction, id, &ended, 2)?;
            }
            assert_eq!(take_back(transaction, id)?, expected, "{id}");
            if expected {
                assert_eq!(claim(transaction, id, 9, LEASE_MS)?, Claim::Over, "{id}");
            }
        }
        assert!(!take_back(transaction, "never written")?);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_follower_waits_for_the_one_before_it() {
    let (_directory, effects) = opened();
    run(&effects, |transaction| {
        add(transaction, &mail("a", 1))?;
        let follower = NewMail {
            after: Some("a".to_owned()),
            ..mail("b", 2)
        };
        add(transaction, &follower)?;
        assert_eq!(claim(transaction, "b", 1, LEASE_MS)?, Claim::Behind);
        claim(transaction, "a", 1, LEASE_MS)?;
        assert_eq!(claim(transaction, "b", 1, LEASE_MS)?, Claim::Behind);
        settle(transaction, "a", &Ended::Sent, 2)?;
        assert!(matches!(
            claim(transaction, "b", 3, LEASE_MS)?,
            Claim::Ours(_)
        ));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn one_that_was_sent_again_by_hand_begins_anew() {
    let (_directory, effects) = opened();
    run(&effects, |transaction| {
        add(transaction, &mail("a", 1))?;
        let deferred = Ended::Deferred {
            reason: "451".to_owned(),
            may_be_taken: false,
        };
        for n in 1..3 {
            claim(transaction, "a", n, LEASE_MS)?;
            settle(transaction, "a", &deferred, n)?;
            assert_eq!(i64::from(get(transaction, "a")?.unwrap().deferrals), n);
        }
        claim(transaction, "a", 3, LEASE_MS)?;
        let failed = Ended::Failed {
            reason: "550 no".to_owned(),
        };
        settle(transaction, "a", &failed, 3)?;
        let kept = get(transaction, "a")?.unwrap();
        assert_eq!(kept.status, Status::Failed);
        assert_eq!(kept.last_error.as_deref(), Some("550 no"));
        let Claim::Ours(again) = claim(transaction, "a", 4, LEASE_MS)? else {
            panic!("it may be tried again");
        };
        assert_eq!((again.status, again.deferrals), (Status::Pending, 0));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn old_ones_are_forgotten_though_they_never_went_but_not_while_they_are_handed_over() {
    let (_directory, effects) = opened();
    run(&effects, |transaction| {
        let later = |id: &str, after: Millis| NewMail {
            created_at: 1 + KEPT_MS + after,
            ..mail(id, 2)
        };
        // Their messages were purged, or died with the process that had claimed them.
        let stuck = ["a", "b", "c", "d", "e"];
        for id in stuck {
            add(transaction, &mail(id, 1))?;
        }
        claim(transaction, "a", 1, LEASE_MS)?;
        for id in ["sent", "again"] {
            add(transaction, &mail(id, 1))?;
        }
        claim(transaction, "sent", 1, LEASE_MS)?;
        settle(transaction, "sent", &Ended::Sent, 1)?;
        // Its message was sent again by hand just now.
        claim(transaction, "again", KEPT_MS, LEASE_MS)?;
        add(transaction, &later("not yet", 0))?;
        for id in stuck {
            assert!(get(transaction, id)?.is_some(), "{id}");
        }
        for id in ["one", "two", "three"] {
            add(transaction, &later(id, 1))?;
        }
        for id in stuck.into_iter().chain(["sent"]) {
            assert_eq!(get(transaction, id)?, None, "{id}");
        }
        assert!(get(transaction, "again")?.is_some());
        Ok(())
    })
    .await;
}
