//! The factory as a process of its own that is killed while it works.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::support::{Running, Shop, config, request};
use crate::Factory;

const CHILD: &str = "tests::crash::child_that_is_killed";

/// Not a test of its own: the process that the test below starts and kills.
#[test]
#[ignore = "started by the test that kills it"]
fn child_that_is_killed() {
    let mut directory = String::new();
    std::io::stdin().read_to_string(&mut directory).unwrap();
    let factory = Factory::open(config(directory.as_ref())).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let running = Running::serve(factory).await;
        println!("\nlistening {}", running.base());
        running.run.await.unwrap();
    });
}

/// Killed at the latest when the test ends, however it ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn start_child(directory: &std::path::Path) -> (Killed, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([CHILD, "--exact", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(directory.to_str().unwrap().as_bytes())
        .unwrap();
    drop(stdin);
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let child = Killed(child);
    let base = stdout
        .lines()
        .find_map(|line| line.unwrap().strip_prefix("listening ").map(str::to_owned))
        .expect("the child says where it listens");
    (child, base)
}

#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing_that_was_acknowledged() {
    // Whoever opens a client of ours first chooses the cryptography; here nobody else does.
    let allowed = outgoing::AllowedHosts::loopback();
    let _client = outgoing::Client::new(allowed, outgoing::Timeouts::default()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::answering(&[200]).await;
    let mut acknowledged = Vec::new();
    for round in 0..4 {
        let (child, base) = start_child(directory.path());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{base}/api/manufactures");
        // With a lead time of 30 ms the kill comes while some jobs are accepted, some are
        // being called back and some are delivered.
        let mut posting = tokio::task::JoinSet::new();
        for n in 0..60 {
            let callback = shop.callback(&format!("{round}/{n}"));
            let send = http
                .post(&url)
                .header("content-type", "application/json")
                .body(request(&callback).to_string())
                .send();
            posting.spawn(async move {
                let answer = send.await.ok()?;
                assert_eq!(answer.status(), 202);
                let body: serde_json::Value =
                    serde_json::from_str(&answer.text().await.ok()?).ok()?;
                Some((
                    body["job"].as_str()?.to_owned(),
                    format!("/{round}/{n}?token=s3cret"),
                ))
            });
        }
        let enough = 10 * (round + 1);
        let mut so_far = 0;
        let mut child = Some(child);
        while let Some(answer) = posting.join_next().await {
            let Some(job) = answer.unwrap() else { continue };
            acknowledged.push(job);
            so_far += 1;
            if so_far == enough {
                if round % 2 == 1 {
                    shop.until_called(shop.calls().len() + 1).await;
                }
                drop(child.take());
            }
        }
        assert!(child.is_none(), "the child ended before it was killed");
    }

    let factory = Running::start(crate::Config {
        lead_time: Duration::ZERO,
        ..config(directory.path())
    })
    .await;
    for (id, path) in &acknowledged {
        let job = factory.until_status(id, "delivered").await;
        assert!(
            job["callback"]
                .as_str()
                .unwrap()
                .ends_with(path.split('?').next().unwrap())
        );
        assert!(
            shop.calls().iter().any(|call| call.path_and_query == *path),
            "{path}"
        );
    }
    assert!(acknowledged.len() >= 100);
}
