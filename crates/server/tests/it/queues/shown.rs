//! What `firstcome queues` prints for programs, and what it draws on a terminal.

use std::process::{Command, Output};

use serde_json::{Value, json};

use super::cli::{at, said};
use super::{JOBS, dead_letters, declared, queue, send};
use crate::harness::{Shop, text};

fn in_json(shop: &Shop, args: &[&str]) -> Value {
    let mut command = at(shop, args);
    command.arg("--json");
    let said = said(command);
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{args:?}: {error}: {said}"))
}

#[tokio::test]
async fn every_command_prints_what_the_server_answers() {
    let (shop, _file) = declared(JOBS).await;
    let listed = in_json(&shop, &["list", "--prefix", "jobs"]);
    assert_eq!(listed["queues"].as_array().unwrap().len(), 2);
    let sent = in_json(&shop, &["send", "jobs", "hello", "-a", "kind=parcel"]);
    assert_eq!(sent["seq"], 1);
    let shown = in_json(&shop, &["show", "jobs"]);
    assert_eq!(
        (&shown["name"], &shown["visible"], &shown["maxReceiveCount"]),
        (&json!("jobs"), &json!(1), &json!(2))
    );
    let peeked = in_json(&shop, &["peek", "jobs"]);
    assert_eq!(peeked["messages"][0]["id"], sent["id"]);
    let one = in_json(&shop, &["peek", "jobs", "--message", "1"]);
    assert_eq!(one["body"], "hello");
    assert_eq!(one["attributes"], json!({"kind": "parcel"}));
    let received = in_json(&shop, &["receive", "jobs", "--visibility", "0"]);
    assert_eq!(received["messages"][0]["id"], sent["id"]);
    assert_eq!(received["messages"][0]["receiveCount"], 1);
    assert!(received["messages"][0]["receiptHandle"].is_string());
    let deleted = in_json(&shop, &["receive", "jobs", "--delete"]);
    assert_eq!(deleted["messages"][0]["body"], "hello");
    assert_eq!(queue(&shop, "jobs").await["total"], 0);
    let nothing = in_json(&shop, &["receive", "jobs"]);
    assert_eq!(nothing["messages"], json!([]));

    dead_letters(&shop, 4).await;
    let page = in_json(&shop, &["peek", "jobs-dlq"]);
    let id = page["messages"][0]["id"].as_str().unwrap();
    let moved = in_json(&shop, &["redrive", "jobs-dlq", "--message", id]);
    assert_eq!(moved["moved"], 1);
    let begun = in_json(&shop, &["redrive", "jobs-dlq", "--rate", "1", "--detach"]);
    assert_eq!(
        (&begun["status"], &begun["toMove"], &begun["rate"]),
        (&json!("running"), &json!(3), &json!(1))
    );
    let ended = in_json(&shop, &["redrive", "jobs-dlq", "--cancel"]);
    assert_eq!(
        (&ended["status"], &ended["id"]),
        (&json!("cancelled"), &begun["id"])
    );
    let all = in_json(&shop, &["redrive", "jobs-dlq"]);
    assert_eq!(all["status"], "completed");
    assert_eq!(queue(&shop, "jobs-dlq").await["total"], 0);
    let purged = in_json(&shop, &["purge", "jobs", "--yes"]);
    assert_eq!(purged, json!({"name": "jobs", "messages": 4}));
}

/// On a terminal of its own, where this is typed.
#[cfg(target_os = "linux")]
fn on_a_terminal(shop: &Shop, args: &[&str], typed: &str) -> (bool, String) {
    let words: Vec<String> = std::iter::once(env!("CARGO_BIN_EXE_firstcome"))
        .chain(["queues"])
        .chain(args.iter().copied())
        .map(|word| format!("'{word}'"))
        .collect();
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, typed.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--command"])
        .args([words.join(" "), "/dev/null".to_owned()])
        .env("FIRSTCOME_URL", format!("http://{}", shop.address))
        .stdin(file);
    let Output { status, stdout, .. } = command.output().expect("script of util-linux");
    (status.success(), text(&stdout))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_terminal_has_columns_progress_and_questions() {
    let (shop, _file) = declared(JOBS).await;
    dead_letters(&shop, 3).await;
    let (went_well, drawn) = on_a_terminal(&shop, &["redrive", "jobs-dlq", "--rate", "500"], "");
    assert!(went_well, "{drawn}");
    let lines: Vec<&str> = drawn.split(['\r', '\n']).collect();
    assert!(
        lines.contains(&"it goes on when you leave; --cancel ends it"),
        "{drawn:?}"
    );
    let bar = lines.iter().find(|line| line.starts_with('['));
    let bar = bar.unwrap_or_else(|| panic!("no bar: {drawn:?}"));
    assert!(bar.contains("] ") && bar.contains(" of 3"), "{bar:?}");
    assert!(drawn.contains("moved 3, completed"), "{drawn:?}");

    // A line is no longer than the terminal is wide; a file takes all of it.
    let long = "x".repeat(200);
    send(&shop, "jobs", &long).await;
    let (_, peeked) = on_a_terminal(&shop, &["peek", "jobs"], "");
    let lines = peeked.lines();
    let longest = lines.map(|line| line.trim_end().chars().count()).max();
    assert_eq!(longest, Some(80), "{peeked}");
    assert!(said(at(&shop, &["peek", "jobs"])).contains(&long));

    let question = "Delete all 4 messages of jobs, those in flight too? Type its name: ";
    let (went_well, asked) = on_a_terminal(&shop, &["purge", "jobs"], "job\n");
    assert!(!went_well && asked.contains(question), "{asked:?}");
    assert!(asked.contains("nothing was deleted"), "{asked:?}");
    assert_eq!(queue(&shop, "jobs").await["total"], 4);
    let (went_well, asked) = on_a_terminal(&shop, &["purge", "jobs"], "jobs\n");
    assert!(went_well && asked.contains(question), "{asked:?}");
    assert!(asked.contains("purged jobs: 4 messages"), "{asked:?}");
    assert_eq!(queue(&shop, "jobs").await["total"], 0);
}
