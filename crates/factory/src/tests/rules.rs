//! The parts that need no server: when to retry, what a failure changes, ids, the thread.

use std::time::Duration;

use bytes::Bytes;
use outgoing::{CallError, Response};
use rusqlite::Connection;

use crate::clock::from_ms;
use crate::config::OpenError;
use crate::job::{Failing, Failure, Goods, Job, JobId, Order, Status};
use crate::producer::progress;
use crate::retry::{Outcome, RETRY_AFTER_MAX, judge, wait};
use crate::thread::{StoreError, Worker};
use crate::{Config, Factory};

#[test]
fn waits_double_within_their_bounds() {
    #[track_caller]
    fn check(kind: Failure, times: u32, expected_ms: std::ops::RangeInclusive<u64>) {
        let wait =
            |random| u64::try_from(wait(Failing { kind, times }, random).as_millis()).unwrap();
        let (low, high) = expected_ms.clone().into_inner();
        assert_eq!(
            (wait(0), wait(u32::try_from(high - low).unwrap())),
            (low, high)
        );
        for random in (0..u32::MAX).step_by(99_999_989) {
            assert!(expected_ms.contains(&wait(random)));
        }
    }
    check(Failure::Temporary, 1, 200..=400);
    check(Failure::Temporary, 2, 400..=800);
    check(Failure::Temporary, 3, 800..=1_600);
    check(Failure::Temporary, 7, 12_800..=25_600);
    check(Failure::Temporary, 8, 15_000..=30_000);
    check(Failure::Temporary, u32::MAX, 15_000..=30_000);
    check(Failure::Refused, 1, 5_000..=10_000);
    check(Failure::Refused, 2, 10_000..=20_000);
    check(Failure::Refused, 6, 150_000..=300_000);
    check(Failure::Refused, u32::MAX, 150_000..=300_000);
}

#[test]
fn answers_are_judged_by_their_status() {
    for (status, expected) in [
        (200, None),
        (202, None),
        (299, None),
        (302, Some(Failure::Refused)),
        (400, Some(Failure::Refused)),
        (401, Some(Failure::Refused)),
        (404, Some(Failure::Refused)),
        (408, Some(Failure::Temporary)),
        (409, Some(Failure::Refused)),
        (425, Some(Failure::Temporary)),
        (429, Some(Failure::Temporary)),
        (500, Some(Failure::Temporary)),
        (503, Some(Failure::Temporary)),
        (599, Some(Failure::Temporary)),
    ] {
        let outcome = judge(Ok(Response {
            status,
            body: Bytes::new(),
            truncated: false,
            retry_after: Some(outgoing::RetryAfter::Wait(Duration::from_secs(100_000))),
        }));
        match (outcome, expected) {
            (Outcome::Taken { status: taken }, None) => assert_eq!(taken, status),
            (
                Outcome::Failed {
                    kind,
                    retry_after,
                    status: given,
                    ..
                },
                Some(expected),
            ) => {
                assert_eq!((kind, given), (expected, Some(status)));
                assert_eq!(retry_after, RETRY_AFTER_MAX);
            }
            (outcome, expected) => panic!("{status}: {outcome:?}, not {expected:?}"),
        }
    }
    let host = || "shop.example.com".to_owned();
    for (error, expected) in [
        (CallError::Refused { host: host() }, Failure::Temporary),
        (CallError::Timeout { host: host() }, Failure::Temporary),
        (CallError::NotAllowed { host: host() }, Failure::Refused),
    ] {
        let outcome = judge(Err(error));
        assert!(
            matches!(outcome, Outcome::Failed { kind, .. } if kind == expected),
            "{outcome:?}"
        );
    }
}

fn job(failing: Option<Failing>) -> Job {
    Job {
        id: JobId(1),
        order: Order {
            goods: Goods {
                message_group_id: "g".into(),
                message_attribute_product_id: "p".into(),
                message_attribute_product_cnt: 1,
                message_attribute_factory_id: "f".into(),
                message_attribute_requester: "r".into(),
            },
            callback: "http://localhost/a?token=s3cret".into(),
        },
        status: Status::Produced,
        accepted_at: from_ms(0),
        due_at: from_ms(1_000),
        produced_at: Some(from_ms(1_000)),
        finished_at: None,
        next_at: Some(from_ms(1_000)),
        attempts: 0,
        failing,
        last_status: None,
        last_error: None,
    }
}

#[test]
fn a_failure_is_tried_again_until_the_time_is_up() {
    let give_up = Duration::from_secs(100); // after production, so at 101,000
    let failing = |kind, times| Some(Failing { kind, times });
    let (temporary, refused) = (Failure::Temporary, Failure::Refused);
    for (before, kind, now_ms, retry_after_s, run, next_ms) in [
        (
            None,
            temporary,
            1_000,
            0,
            failing(temporary, 1),
            Some(1_200),
        ),
        (
            failing(temporary, 1),
            temporary,
            1_000,
            0,
            failing(temporary, 2),
            Some(1_400),
        ),
        // Another kind of failure begins its own waits.
        (
            failing(temporary, 20),
            refused,
            1_000,
            0,
            failing(refused, 1),
            Some(6_000),
        ),
        (
            failing(refused, 20),
            temporary,
            1_000,
            0,
            failing(temporary, 1),
            Some(1_200),
        ),
        (
            None,
            temporary,
            1_000,
            7,
            failing(temporary, 1),
            Some(8_000),
        ),
        // The last try is when the time is up, and only then is it over.
        (
            failing(temporary, 20),
            temporary,
            100_999,
            0,
            failing(temporary, 21),
            Some(101_000),
        ),
        (
            failing(temporary, 21),
            temporary,
            101_000,
            0,
            failing(temporary, 22),
            None,
        ),
        (None, temporary, 999_000, 0, failing(temporary, 1), None),
    ] {
        let outcome = Outcome::Failed {
            kind,
            status: Some(500),
            error: "no".into(),
            retry_after: Duration::from_secs(retry_after_s),
        };
        let now = from_ms(now_ms);
        let progress = progress(&job(before), outcome, now, give_up, 0);
        assert_eq!(progress.failing, run);
        assert_eq!(progress.next_at, next_ms.map(from_ms));
        assert_eq!(progress.finished_at, next_ms.is_none().then_some(now));
        let status = if next_ms.is_some() {
            Status::Produced
        } else {
            Status::Abandoned
        };
        assert_eq!(progress.status, status);
    }
    let taken = Outcome::Taken { status: 200 };
    let progress = progress(
        &job(failing(temporary, 3)),
        taken,
        from_ms(999_000),
        give_up,
        0,
    );
    assert_eq!(
        (progress.status, progress.next_at),
        (Status::Delivered, None)
    );
    assert_eq!(progress.finished_at, Some(from_ms(999_000)));
}

#[test]
fn an_id_is_read_as_it_is_written() {
    for number in [0, 1, 9_999_999_999_999_999] {
        assert_eq!(
            JobId::parse(&JobId(number).to_string()),
            Some(JobId(number))
        );
    }
    for text in [
        "",
        "job_",
        "job_1",
        "1",
        "JOB_0000000000000001",
        "job_00000000000000 1",
        "job_+000000000000001",
    ] {
        assert_eq!(JobId::parse(text), None, "{text}");
    }
}

#[test]
fn an_order_is_shown_without_its_token() {
    let shown = format!("{:?}", job(None).order);
    assert!(
        shown.contains("http://localhost/a") && !shown.contains("s3cret"),
        "{shown}"
    );
}

#[test]
fn a_setting_that_makes_no_sense_is_refused_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let base = || Config::new(directory.path());
    let long = Duration::from_secs(367 * 24 * 60 * 60);
    let mut no_time = base();
    no_time.timeouts.total = Duration::ZERO;
    for (config, expected) in [
        (
            Config {
                lead_time: long,
                ..base()
            },
            "lead_time",
        ),
        (
            Config {
                callback_give_up: long,
                ..base()
            },
            "callback_give_up",
        ),
        (
            Config {
                jobs_open_max: 0,
                ..base()
            },
            "jobs_open_max",
        ),
        (
            Config {
                jobs_open_max: 1_000_001,
                ..base()
            },
            "jobs_open_max",
        ),
        (no_time, "timeouts"),
    ] {
        match Factory::open(config) {
            Err(OpenError::Setting { name, .. }) => assert_eq!(name, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn a_file_of_a_later_version_or_of_nonsense_is_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("factory.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA user_version = 2").unwrap();
    drop(connection);
    let opened = Factory::open(Config::new(directory.path()));
    assert!(
        matches!(
            opened,
            Err(OpenError::Newer {
                found: 2,
                known: 1,
                ..
            })
        ),
        "{opened:?}"
    );

    std::fs::write(
        &path,
        "this is not a database, but it is long enough to be looked at",
    )
    .unwrap();
    let opened = Factory::open(Config::new(directory.path()));
    assert!(
        matches!(opened, Err(OpenError::Database { .. })),
        "{opened:?}"
    );

    let opened = Factory::open(Config::new(&path));
    assert!(
        matches!(opened, Err(OpenError::Directory { .. })),
        "{opened:?}"
    );
}

#[cfg(unix)]
#[test]
fn the_file_with_the_tokens_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let _factory = Factory::open(Config::new(directory.path())).unwrap();
    for file in ["factory.db", "factory.db-wal"] {
        let mode = directory
            .path()
            .join(file)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

/// A worker whose thread waits in its first work until told, so that what comes meanwhile
/// shares the next transaction.
async fn held_worker() -> (Worker, std::sync::mpsc::Sender<()>) {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch("CREATE TABLE t (n INTEGER UNIQUE)")
        .unwrap();
    let worker = Worker::start(connection, ()).unwrap();
    let (go, wait) = std::sync::mpsc::channel();
    let (begun_sender, begun) = tokio::sync::oneshot::channel();
    let first = worker.clone();
    tokio::spawn(async move {
        first
            .wait(move |_| {
                begun_sender.send(()).unwrap();
                wait.recv().unwrap();
                Ok(())
            })
            .await
    });
    begun.await.unwrap();
    (worker, go)
}

fn insert(n: i64) -> impl FnOnce(&Connection) -> rusqlite::Result<usize> + Send {
    move |connection| connection.execute("INSERT INTO t VALUES (?1)", [n])
}

fn numbers(connection: &Connection) -> rusqlite::Result<Vec<i64>> {
    connection
        .prepare("SELECT n FROM t ORDER BY n")?
        .query_map([], |row| row.get(0))?
        .collect()
}

#[tokio::test]
async fn work_that_fails_halfway_leaves_nothing_and_harms_nobody() {
    let (worker, go) = held_worker().await;
    let halfway = worker.ask(|connection| {
        insert(2)(connection)?;
        insert(1)(connection)
    });
    let together = async {
        tokio::join!(
            worker.ask(insert(1)),
            halfway,
            worker.ask(insert(3)),
            worker.ask(numbers),
            async { go.send(()) }
        )
    };
    let (one, halfway, three, seen, _) = together.await;
    assert!(one.is_ok() && three.is_ok());
    assert!(matches!(halfway, Err(StoreError::Failed(_))), "{halfway:?}");
    assert_eq!(seen.unwrap(), [1, 3]);
}

#[tokio::test]
async fn nobody_is_told_yes_when_the_shared_transaction_is_gone() {
    let (worker, go) = held_worker().await;
    // Stands for a full disk, after which the transaction has been rolled back underneath.
    let lost = worker.ask(|connection| connection.execute_batch("ROLLBACK"));
    let together = async {
        tokio::join!(worker.ask(insert(1)), lost, worker.ask(insert(3)), async {
            go.send(())
        })
    };
    let (one, lost, three, _) = together.await;
    assert!(
        one.is_err() && lost.is_err() && three.is_err(),
        "{one:?} {lost:?} {three:?}"
    );
    assert!(worker.ask(numbers).await.unwrap().is_empty());
    worker.ask(insert(4)).await.unwrap();
    assert_eq!(worker.ask(numbers).await.unwrap(), [4]);
}

#[tokio::test]
async fn too_much_work_is_refused_at_once() {
    let (worker, go) = held_worker().await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..2_000 {
        let worker = worker.clone();
        waiting.spawn(async move { worker.ask(|_| Ok(())).await });
    }
    let mut busy = 0;
    while busy < 2_000 - 1_024 {
        let refused = waiting.join_next().await.unwrap().unwrap();
        assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
        busy += 1;
    }
    go.send(()).unwrap();
    while let Some(served) = waiting.join_next().await {
        served.unwrap().unwrap();
    }
}
