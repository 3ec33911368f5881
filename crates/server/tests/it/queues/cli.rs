//! `firstcome queues`, over a server that runs.

use std::process::{Command, Output};

use serde_json::{Value, json};

use super::{JOBS, dead_letters, declared, queue, send};
use crate::harness::{Settings, Shop, firstcome, run, text};

/// The command with these arguments, and nothing that says where the server is.
fn queues(args: &[&str]) -> Command {
    let mut command = firstcome(&["queues"]);
    command.args(args);
    command
}

pub(super) fn at(shop: &Shop, args: &[&str]) -> Command {
    let mut command = queues(args);
    command.env("FIRSTCOME_URL", format!("http://{}", shop.address));
    command
}

/// What it prints when all is well.
#[track_caller]
pub(super) fn said(command: Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = run(command);
    assert!(status.success(), "{}", text(&stderr));
    assert_eq!(text(&stderr), "");
    text(&stdout)
}

/// What it complains of, and its exit code.
#[track_caller]
fn failed(command: Command) -> (i32, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = run(command);
    assert_eq!(text(&stdout), "");
    (status.code().unwrap(), text(&stderr))
}

#[tokio::test]
async fn queues_are_listed_in_columns() {
    let (shop, _file) = declared(JOBS).await;
    for n in 0..3 {
        send(&shop, "jobs", &format!("job {n}")).await;
    }
    super::receive(&shop, "jobs", 1, 600).await;
    let list = said(at(&shop, &["list", "--prefix", "jobs"]));
    let ages = list.replace(|letter: char| letter.is_ascii_digit(), "9");
    assert_eq!(
        ages,
        "QUEUE     VISIBLE  IN FLIGHT  DELAYED  OLDEST  SENT  RECEIVED  DELETED\n\
         jobs            9          9        9     9 s     9         9        9\n\
         jobs-dlq        9          9        9       -     9         9        9\n\
         sent, received and deleted in the last minute\n"
    );
    let words: Vec<&str> = list.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(words[..4], ["jobs", "2", "1", "0"]);
    assert_eq!(said(at(&shop, &["list", "--prefix", "zz"])), "no queues\n");
    let json = said(at(&shop, &["list", "--json", "--prefix", "jobs"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["queues"][0]["name"], "jobs");
    assert_eq!(json["queues"][0]["inFlight"], 1);
}

#[tokio::test]
async fn a_queue_is_shown_with_its_settings() {
    let (shop, _file) = declared(JOBS).await;
    let shown = said(at(&shop, &["show", "jobs"]));
    for line in [
        "jobs (standard)",
        "  messages         0 visible, 0 in flight, 0 delayed",
        "  last minute      0 sent, 0 received, 0 deleted",
        "  dead letters to  jobs-dlq, after 2 receives",
        "  visibility       30 s",
        "  retention        4 d",
        "  tags             team=fulfilment",
    ] {
        assert!(shown.lines().any(|other| other == line), "{line}\n{shown}");
    }
    let fifo = said(at(&shop, &["show", "mileage.fifo"]));
    assert!(
        fifo.contains("duplicates       found by id, within the queue"),
        "{fifo}"
    );
    let dead = said(at(&shop, &["show", "jobs-dlq"]));
    assert!(dead.contains("dead letters of  jobs\n"), "{dead}");
}

#[tokio::test]
async fn a_message_is_sent_looked_at_received_and_deleted() {
    let (shop, _file) = declared(JOBS).await;
    let sent = said(at(
        &shop,
        &[
            "send",
            "jobs",
            "hello\nworld",
            "--attribute",
            "kind=parcel",
            "-a",
            "n:Number=7",
        ],
    ));
    assert!(
        sent.starts_with("sent ") && sent.ends_with(" as number 1 of jobs\n"),
        "{sent}"
    );
    let peeked = said(at(&shop, &["peek", "jobs"]));
    let lines: Vec<&str> = peeked.lines().collect();
    assert_eq!(lines[0], "SEQ  STATE    RECEIVED  SENT (UTC)      BODY");
    assert!(lines[1].starts_with("  1  visible         0  "), "{peeked}");
    assert!(lines[1].ends_with("  hello world"), "{peeked}");
    let whole = said(at(&shop, &["peek", "jobs", "--message", "1"]));
    for part in [
        "  attributes     kind=parcel\n",
        "                 n=7\n",
        "\n\nhello\nworld\n",
    ] {
        assert!(whole.contains(part), "{whole}");
    }
    assert_eq!(queue(&shop, "jobs").await["visible"], 1);
    let received = said(at(&shop, &["receive", "jobs", "--visibility", "0"]));
    assert!(received.contains("receipt handle"), "{received}");
    assert!(
        received.ends_with("back in the queue in 0 s\n"),
        "{received}"
    );
    let gone = said(at(&shop, &["receive", "jobs", "--delete", "--max", "10"]));
    assert!(gone.ends_with("hello\nworld\n\ndeleted 1\n"), "{gone}");
    assert_eq!(
        said(at(&shop, &["receive", "jobs"])),
        "nothing to receive\n"
    );
    assert_eq!(said(at(&shop, &["peek", "jobs"])), "no messages\n");
    let fifo = [
        "send",
        "mileage.fifo",
        "-",
        "--group",
        "g",
        "--deduplication",
        "d",
    ];
    let mut command = at(&shop, &fifo);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from a file\n").unwrap();
    command.stdin(std::fs::File::open(file.path()).unwrap());
    said(command);
    let page = shop
        .get("/ops/queues/mileage.fifo/messages")
        .await
        .expect(200);
    assert_eq!(page["messages"][0]["body"], "from a file\n");
}

#[tokio::test]
async fn a_terminal_obeys_no_message() {
    let (shop, _file) = declared(JOBS).await;
    // One of the control characters that a body may have, and one that turns the line around.
    send(&shop, "jobs", "a\u{9b}2Jb\u{202e}c").await;
    for args in [&["peek", "jobs"][..], &["receive", "jobs"]] {
        let shown = said(at(&shop, args));
        assert!(shown.contains("a2Jbc"), "{shown:?}");
    }
}

#[tokio::test]
async fn dead_letters_are_redriven() {
    let (shop, _file) = declared(JOBS).await;
    dead_letters(&shop, 3).await;
    let peeked = said(at(&shop, &["peek", "jobs-dlq", "--limit", "2"]));
    assert!(peeked.contains("REASON: BODY\n"), "{peeked}");
    assert!(
        peeked.contains("  received 2 times and not deleted: job 0\n"),
        "{peeked}"
    );
    assert!(peeked.ends_with("there are more: --after 2\n"), "{peeked}");
    let page = shop.get("/ops/queues/jobs-dlq/messages").await.expect(200);
    let id = page["messages"][1]["id"].as_str().unwrap();
    assert_eq!(
        said(at(&shop, &["redrive", "jobs-dlq", "--message", id])),
        "moved 1\n"
    );
    let (code, complaint) = failed(at(&shop, &["redrive", "jobs-dlq", "--message", id]));
    assert_eq!(
        (code, complaint),
        (1, format!("firstcome: jobs-dlq has no dead letter {id}\n"))
    );
    let all = said(at(&shop, &["redrive", "jobs-dlq", "--rate", "500"]));
    assert_eq!(all, "moved 2, completed\n");
    assert_eq!(queue(&shop, "jobs").await["visible"], 3);
    let shown = said(at(&shop, &["show", "jobs-dlq"]));
    assert!(
        shown.contains("  moves            2 of 2 back, 500 a second, completed"),
        "{shown}"
    );
    let (code, complaint) = failed(at(&shop, &["redrive", "jobs-dlq", "--cancel"]));
    assert_eq!(
        (code, complaint.as_str()),
        (1, "firstcome: no redrive of jobs-dlq is running\n")
    );
}

#[tokio::test]
async fn a_redrive_is_left_to_itself_and_ended() {
    let (shop, _file) = declared(JOBS).await;
    dead_letters(&shop, 5).await;
    let left = said(at(
        &shop,
        &["redrive", "jobs-dlq", "--rate", "1", "--detach"],
    ));
    assert!(left.starts_with("moving 5 messages; "), "{left}");
    let (code, complaint) = failed(at(&shop, &["redrive", "jobs-dlq"]));
    assert_eq!(code, 1);
    assert!(complaint.contains("one move at a time"), "{complaint}");
    let ended = said(at(&shop, &["redrive", "jobs-dlq", "--cancel"]));
    assert!(ended.ends_with(", cancelled\n"), "{ended}");
}

#[tokio::test]
async fn a_purge_asks_or_is_told() {
    let (shop, _file) = declared(JOBS).await;
    send(&shop, "jobs", "a").await;
    let (code, complaint) = failed(at(&shop, &["purge", "jobs"]));
    assert_eq!(code, 1);
    assert!(complaint.contains("--yes"), "{complaint}");
    assert_eq!(queue(&shop, "jobs").await["total"], 1);
    assert_eq!(
        said(at(&shop, &["purge", "jobs", "--yes"])),
        "purged jobs: 1 messages\n"
    );
    assert_eq!(queue(&shop, "jobs").await["total"], 0);
    let (code, complaint) = failed(at(&shop, &["purge", "jobs", "--yes"]));
    assert_eq!(
        (code, complaint.as_str()),
        (1, "firstcome: a queue is purged once in 60 seconds\n")
    );
}

#[tokio::test]
async fn what_goes_wrong_says_what_to_do() {
    let (shop, _file) = declared(JOBS).await;
    let sqs = format!("http://{}", shop.aws_address);
    for (args, code, parts) in [
        (
            &["show", "jbos"][..],
            1,
            &["`jbos`", "did you mean `jobs`"][..],
        ),
        (&["peek", "dlq"], 1, &["did you mean `jobs-dlq`", "` or `"]),
        (
            &["send", "parcels", "x"],
            1,
            &["no queue is called `parcels`", "queues list"],
        ),
        (&["send", "jobs", ""], 1, &["body: "]),
        (
            &["send", "jobs", "x", "-a", "kind"],
            2,
            &["'kind'", "not NAME=VALUE"],
        ),
        (&["send", "mileage.fifo", "x"], 1, &["groupId: "]),
        (
            &["redrive", "jobs"],
            1,
            &["no queue sends its dead letters here"],
        ),
        (
            &["redrive", "jobs-dlq", "--rate", "0"],
            2,
            &["--rate", "1..=500"],
        ),
        (&["redrive", "jobs-dlq", "--to", "x"], 1, &["destination: "]),
        (&["list", "--url", &sqs], 1, &["not as firstcome does"]),
        (&["list", "--url", "here"], 2, &["`--url`", "http://"]),
        (&["peek", "jobs", "--limit", "many"], 2, &["--limit"]),
        (&["peek", "jobs", "--limit", "101"], 2, &["--limit", "100"]),
        (&["receive", "jobs", "--max", "0"], 2, &["--max", "10"]),
        (&["forget", "jobs"], 2, &["forget"]),
    ] {
        let (is, complaint) = failed(at(&shop, args));
        assert_eq!(is, code, "{args:?}: {complaint}");
        for part in parts {
            assert!(complaint.contains(part), "{args:?}: {complaint}");
        }
    }
    let address = shop.address;
    drop(shop);
    let url = format!("http://{address}");
    let (code, complaint) = failed(queues(&["list", "--url", &url]));
    assert_eq!(code, 1);
    let expected = format!("cannot reach {url}: connection refused");
    assert!(complaint.contains(&expected), "{complaint}");
    assert!(
        complaint.contains("is `firstcome serve` running there?"),
        "{complaint}"
    );
}

#[tokio::test]
async fn the_server_is_found_by_its_settings() {
    let (shop, file) = declared(JOBS).await;
    // As on the machine where it listens on its usual port: nothing is said.
    let mut command = queues(&["list"]);
    command.env("FIRSTCOME_LISTEN", shop.address.to_string());
    assert!(said(command).contains("\njobs "));
    file.write(&format!("listen = \"{}\"", shop.address));
    let path = file.path.to_str().unwrap();
    assert!(said(queues(&["list", "--config", path])).contains("\njobs "));
}

#[tokio::test]
async fn the_operator_token_is_shown() {
    // Digits alone, which are a number nowhere.
    const TOKEN: &str = "1234567890123456";
    let settings = Settings::new().set("AUTH__OPERATOR_TOKEN", format!("\"{TOKEN}\""));
    let shop = Shop::start(settings).await;
    let (code, complaint) = failed(at(&shop, &["list"]));
    assert_eq!(code, 1);
    assert!(
        complaint.contains("asks for the operator token"),
        "{complaint}"
    );
    let (_, complaint) = failed(at(&shop, &["list", "--token", "wrong-wrong-wrong"]));
    assert!(
        complaint.contains("does not know this operator token"),
        "{complaint}"
    );
    assert!(!complaint.contains("wrong-wrong"), "{complaint}");
    assert!(said(at(&shop, &["list", "--token", TOKEN])).contains("QUEUE"));
    let mut command = at(&shop, &["list"]);
    command.env("FIRSTCOME_TOKEN", TOKEN);
    assert!(said(command).contains("QUEUE"));
    let mut command = at(&shop, &["list", "--json"]);
    command.env("FIRSTCOME_AUTH__OPERATOR_TOKEN", format!("\"{TOKEN}\""));
    let list: Value = serde_json::from_str(&said(command)).unwrap();
    assert!(list["queues"].as_array().unwrap().len() > 1);
    assert_eq!(
        list["queues"][0]["perMinute"],
        json!({"sent": 0, "received": 0, "deleted": 0})
    );
}
