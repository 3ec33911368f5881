use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::error::BenchError;
use crate::http::{self, Answer};
use crate::load::{self, Expect, Outcome, Plan, Progress, Protocol};
use crate::queue::{Cycle, Wire};
use crate::report::{Spread, rate, ratios, requests_per_cpu_s, thousands};
use crate::rows::{self, Request};
use crate::suite::{Cell, Commits, Report};
use crate::template::{Numbers, Template};
use crate::{probe, process, resp};

#[test]
fn a_template_keeps_its_length_and_changes_its_numbers() {
    let check = |text: &str, expected: &str| {
        let mut template = Template::parse(text);
        let length = template.rendered_len();
        let numbers = Numbers {
            run: 0x0123_4567_89ab_cdef,
            connection: 255,
            count: 12,
            number: 34,
        };
        let rendered = String::from_utf8(template.render(&numbers).to_vec()).unwrap();
        assert_eq!(rendered, expected);
        assert_eq!(rendered.len(), length);
    };
    check("plain", "plain");
    check(r#"{"a":{"n":1}}"#, r#"{"a":{"n":1}}"#);
    check("b{conn}-{n}@x", "b00255-000000012@x");
    check(r#"{"bid":{number}}"#, r#"{"bid":1000000034}"#);
    check("{key}", "01234567-89ab-cdef-00ff-00000000000c");
    check("{{n}}", "{000000012}");
}

#[test]
fn the_end_of_an_answer_is_found() {
    let check = |bytes: &str, expected: Answer| {
        assert_eq!(http::parse(bytes.as_bytes()), expected, "{bytes:?}");
    };
    let whole = "HTTP/1.1 409 Conflict\r\ncontent-type: x\r\nCONTENT-length: 2\r\n\r\n{}";
    for end in 0..whole.len() {
        check(&whole[..end], Answer::Incomplete);
    }
    check(
        whole,
        Answer::Complete {
            status: 409,
            body: whole.len() - 2..whole.len(),
        },
    );
    check(
        &format!("{whole}H"),
        Answer::Malformed("bytes after the answer"),
    );
    check(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        Answer::Malformed("no Content-Length"),
    );
    check(
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        Answer::Malformed("Content-Length is not a number"),
    );
    check(
        "+OK\r\n",
        Answer::Malformed("the status line is not one of HTTP/1.x"),
    );
}

#[test]
fn the_end_of_a_reply_is_found() {
    let check = |bytes: &str, expected: Answer| {
        assert_eq!(resp::parse(bytes.as_bytes()), expected, "{bytes:?}");
    };
    check(":12\r", Answer::Incomplete);
    check(
        ":12\r\n",
        Answer::Complete {
            status: resp::STATUS_OK,
            body: 1..3,
        },
    );
    check(
        "-NOSCRIPT no\r\n",
        Answer::Complete {
            status: resp::STATUS_ERROR,
            body: 1..12,
        },
    );
    check("$5\r\nhell", Answer::Incomplete);
    check(
        "$5\r\nhello\r\n",
        Answer::Complete {
            status: resp::STATUS_OK,
            body: 4..9,
        },
    );
    check("*1\r\n", Answer::Malformed("a reply of an unknown type"));
    check(":1\r\n:2\r\n", Answer::Malformed("bytes after the reply"));
    assert_eq!(
        resp::command(&["GET", "b{n}"]).rendered(),
        b"*2\r\n$3\r\nGET\r\n$10\r\nb000000000\r\n"
    );
}

/// A server of which the answer to its nth request is told by `answer`; an empty one closes the
/// connection. It ends with the test's process.
fn serve(
    answer: impl Fn(usize) -> String + Send + Sync + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let answer = Arc::new(answer);
    let all = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (seen, answer) = (Arc::clone(&all), Arc::clone(&answer));
            std::thread::spawn(move || converse(stream.unwrap(), &seen, &*answer));
        }
    });
    (address, seen)
}

fn converse(mut stream: TcpStream, seen: &Mutex<Vec<String>>, answer: &dyn Fn(usize) -> String) {
    stream.set_nodelay(true).unwrap();
    let mut received = Vec::new();
    let mut part = [0; 2048];
    while let Ok(count @ 1..) = stream.read(&mut part) {
        received.extend_from_slice(&part[..count]);
        let text = String::from_utf8(received.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .unwrap()
            .parse()
            .unwrap();
        assert!(body.len() <= length, "one request at a time: {text}");
        if body.len() < length {
            continue;
        }
        received.clear();
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(text);
            seen.len()
        };
        let reply = answer(number);
        if reply.is_empty() {
            return;
        }
        // In two pieces, so that the generator must wait for the rest.
        let (first, second) = reply.split_at(reply.len() / 2);
        stream.write_all(first.as_bytes()).unwrap();
        stream.flush().unwrap();
        stream.write_all(second.as_bytes()).unwrap();
    }
}

fn ok() -> String {
    reply("201 Created", r#"{"status":"accepted"}"#)
}

fn reply(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn load_orders(target: SocketAddr, connections: u16, requests: u64) -> Outcome {
    let plan = plan(target, connections, requests);
    load::run(&plan, None).unwrap()
}

fn plan(target: SocketAddr, connections: u16, requests: u64) -> Plan<'static> {
    Plan {
        target,
        protocol: Protocol::Http,
        request: http::request("POST", "/orders", target, rows::KEYED, rows::ORDER_BODY),
        expect: Expect {
            status: 201,
            also: None,
            body_contains: r#""status":"accepted""#,
        },
        cycle: None,
        connections,
        warmup: Duration::ZERO,
        window: Duration::from_secs(20),
        requests_max: requests,
        server_pids: vec![std::process::id()],
    }
}

#[test]
fn every_request_is_sent_once_and_every_answer_is_counted() {
    let (target, seen) = serve(|_| ok());
    let mut marks = Vec::new();
    let outcome = load::run(
        &plan(target, 3, 100),
        Some(Progress {
            every: 40,
            call: &mut |answered| marks.push(answered),
        }),
    )
    .unwrap();
    assert_eq!(outcome.errors.total(), 0, "{:?}", outcome.errors);
    assert_eq!((outcome.answered, outcome.answered_total), (100, 100));
    assert_eq!(marks, [40, 80]);
    assert!(outcome.rate > 0.0 && outcome.latency_ms_p50 > 0.0);
    assert!(outcome.latency_ms_p99 <= outcome.latency_ms_max);
    let seen = seen.lock().unwrap();
    let bodies: HashSet<&str> = seen
        .iter()
        .map(|text| text.split_once("\r\n\r\n").unwrap().1)
        .collect();
    let keys: HashSet<&str> = seen
        .iter()
        .flat_map(|text| text.lines())
        .filter(|line| line.starts_with("Idempotency-Key: "))
        .collect();
    assert_eq!((seen.len(), bodies.len(), keys.len()), (100, 100, 100));
    assert!(
        bodies
            .contains(r#"{"sku":"HOT","quantity":1,"customer":"b00002-000000000@bench.example"}"#)
    );
}

#[test]
fn the_warm_up_is_not_counted() {
    let (target, _) = serve(|_| ok());
    let outcome = load::run(
        &Plan {
            warmup: Duration::from_millis(100),
            window: Duration::from_millis(100),
            requests_max: 1_000_000,
            ..plan(target, 2, 1)
        },
        None,
    )
    .unwrap();
    assert!(outcome.answered > 0);
    assert!(outcome.answered < outcome.answered_total);
    assert!((0.09..1.0).contains(&outcome.window_s), "{outcome:?}");
    assert_eq!(outcome.errors.total(), 0);
}

#[test]
fn a_wrong_answer_is_an_error() {
    let check = |wrong: String, expected: [u64; 4]| {
        let (target, _) = serve(move |number| if number == 7 { wrong.clone() } else { ok() });
        let outcome = load_orders(target, 2, 20);
        let errors = &outcome.errors;
        assert_eq!(
            [
                errors.unexpected_status,
                errors.unexpected_body,
                errors.malformed,
                errors.connection_lost,
            ],
            expected,
            "{errors:?}"
        );
        assert_eq!(outcome.answered_total, 19);
        assert_eq!(errors.examples.len(), 1);
    };
    check(
        reply("503 Service Unavailable", r#"{"status":"accepted"}"#),
        [1, 0, 0, 0],
    );
    check(
        reply("201 Created", r#"{"status":"pending"}"#),
        [0, 1, 0, 0],
    );
    check("nonsense\r\n\r\n".to_owned(), [0, 0, 1, 0]);
    check(String::new(), [0, 0, 0, 1]);
}

#[test]
fn only_the_loopback_address_is_loaded() {
    for target in ["192.0.2.1:80", "[2001:db8::1]:80", "0.0.0.0:80"] {
        let error = load::run(&plan(target.parse().unwrap(), 1, 1), None).unwrap_err();
        assert!(matches!(error, BenchError::NotLoopback(_)), "{error}");
    }
}

#[test]
fn bounds_are_refused_by_name() {
    let target = "127.0.0.1:1".parse().unwrap();
    let check = |plan: Plan<'_>, expected: &str| {
        let error = load::run(&plan, None).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    check(plan(target, 0, 1), "connections:");
    check(plan(target, load::CONNECTIONS_MAX + 1, 1), "connections:");
    check(plan(target, 1, 0), "requests:");
    check(plan(target, 1, u64::MAX), "requests:");
}

#[test]
fn rows_that_are_compared_send_the_same_bytes_but_for_the_path() {
    for row in rows::all() {
        let same = rows::all().filter(|other| other.name == row.name);
        assert_eq!(same.count(), 1, "rows named {}", row.name);
        let Some(against) = row.against else { continue };
        // Messages and bids are not orders: for them the echo is the floor of the HTTP stack alone.
        let is_queue = row.cycle.is_some() || row.messages > 0;
        if is_queue || row.name.starts_with("bid") {
            continue;
        }
        let against = rows::find(against).expect("the row it is compared with");
        if let (
            Request::Http {
                method,
                headers,
                body,
                ..
            },
            Request::Http {
                method: other_method,
                headers: other_headers,
                body: other_body,
                ..
            },
        ) = (row.request, against.request)
        {
            assert_eq!((method, body), (other_method, other_body));
            assert!(headers == other_headers || row.name == "orders-unkeyed");
        }
    }
}

#[test]
fn cpu_time_is_read_behind_a_command_with_spaces_and_parentheses() {
    let stat = "4711 (a (b) c) S 1 1 1 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 100 1 2 3";
    assert_eq!(
        process::parse_stat(stat),
        Some(("a (b) c".to_owned(), 300.0))
    );
    assert_eq!(process::parse_stat("4711 (x) S 1"), None);
    let machine = "cpu  100 2 30 9000 800 4 5 6 0 0\ncpu0 1 2 3\n";
    assert_eq!(process::machine_ticks(machine), Some(147.0));
    let own = std::process::id();
    assert!(process::resident_bytes(own).unwrap() > 1 << 20);
    let usage = process::usage(&[own, own]).unwrap();
    assert!(usage.cpu_s >= 0.0 && !usage.thread_cpu_s.is_empty());
}

#[test]
fn the_commits_are_read_from_the_metrics() {
    let metrics = "# TYPE firstcome_batch_size histogram\n\
        firstcome_batch_size_bucket{le=\"1\"} 5\n\
        firstcome_batch_size_sum 1800\nfirstcome_batch_size_count 60\n\
        firstcome_commit_seconds_sum 0.03\nfirstcome_commit_seconds_count 50\n";
    let commits = Commits::parse(metrics).unwrap();
    assert!((commits.decisions - 36.0).abs() < 1e-9, "{commits:?}");
    assert!((commits.commit_ms - 0.6).abs() < 1e-9, "{commits:?}");
    assert!(Commits::parse("firstcome_batch_size_sum 1\n").is_none());
    let none = "firstcome_batch_size_sum 0\nfirstcome_commit_seconds_sum 0\nfirstcome_commit_seconds_count 0\n";
    assert!(Commits::parse(none).is_none());
}

#[test]
fn the_probe_waits_for_the_disk() {
    let dir = std::env::temp_dir();
    let probe = probe::run(&dir).unwrap();
    assert!(probe.append_ms_p50 > 0.0 && probe.append_ms_p50 <= probe.append_ms_p99);
}

#[test]
fn the_median_is_the_middle() {
    let check = |figures: &[f64], expected: Option<(f64, f64, f64)>| {
        let found = Spread::of(figures.iter().copied());
        assert_eq!(found.map(|s| (s.median, s.min, s.max)), expected);
    };
    check(&[], None);
    check(&[3.0], Some((3.0, 3.0, 3.0)));
    check(&[3.0, 1.0, 9.0], Some((3.0, 1.0, 9.0)));
    check(&[4.0, 1.0, 2.0, 9.0], Some((3.0, 1.0, 9.0)));
    assert_eq!(thousands(999.6), "1,000");
    assert_eq!(thousands(61_234.2), "61,234");
    assert_eq!(thousands(7.0), "7");
}

#[test]
fn a_ratio_is_made_within_its_round() {
    let cell = |row: &'static str, round: u16, rate: f64| {
        let server_cpu_us = if row == "echo" { 7.0 } else { 11.0 };
        let (target, _) = serve(|_| ok());
        Cell {
            row,
            round,
            outcome: Outcome {
                rate,
                server_cpu_us,
                generator_cpu_us: 5.0,
                others_busy: 0.0,
                ..load_orders(target, 1, 1)
            },
            counted: Some(1),
            commits: None,
            server_resident_bytes: 0,
        }
    };
    let mut report = Report {
        machine: String::new(),
        probe: probe::run(&std::env::temp_dir()).unwrap(),
        rounds: 3,
        window_s: 1.0,
        warmup_s: 0.0,
        // The third round is twice as slow for both: its ratio is like the others'.
        cells: vec![
            cell("echo", 0, 100.0),
            cell("orders", 0, 80.0),
            cell("echo", 1, 100.0),
            cell("orders", 1, 90.0),
            cell("echo", 2, 50.0),
            cell("orders", 2, 42.5),
        ],
        not_run: Vec::new(),
    };
    let orders = rows::find("orders").unwrap();
    let ratio = ratios(&report, orders, 1, &rate).unwrap();
    assert!((ratio.median - 0.85).abs() < 1e-9, "{ratio:?}");
    assert!((ratio.min - 0.8).abs() < 1e-9 && (ratio.max - 0.9).abs() < 1e-9);
    assert_eq!(ratios(&report, orders, 64, &rate), None);
    let by_cpu = ratios(&report, orders, 1, &requests_per_cpu_s).unwrap();
    assert!((by_cpu.median - 0.75).abs() < 1e-9, "{by_cpu:?}");
    assert!(report.problems().is_empty());

    // A round that was disturbed counts only when there is no other.
    report.cells[3].outcome.others_busy = 1.0;
    report.cells[4].outcome.others_busy = 1.0;
    let ratio = ratios(&report, orders, 1, &rate).unwrap();
    assert!((ratio.median - 0.8).abs() < 1e-9 && (ratio.max - 0.8).abs() < 1e-9);
    report.cells[0].outcome.others_busy = 1.0;
    let ratio = ratios(&report, orders, 1, &rate).unwrap();
    assert!((ratio.median - 0.85).abs() < 1e-9, "{ratio:?}");

    // A system that took one more than it answered is a failure, not a measurement.
    report.cells[1].counted = Some(2);
    assert_eq!(report.problems().len(), 1);
}

#[test]
fn a_cycle_deletes_what_it_received_in_both_protocols() {
    let target = "127.0.0.1:9324".parse().unwrap();
    let url = "http://127.0.0.1:9324/000000000000/q";
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();

    let one = Cycle::new(Wire::Json, target, url, 1);
    let mut request = Vec::new();
    assert_eq!(one.delete(b"{}", &mut request), 0);
    assert!(request.is_empty(), "nothing to delete");
    let answer = br#"{"Messages":[{"Body":"a","ReceiptHandle":"h-1","MessageId":"m"}]}"#;
    assert_eq!(one.delete(answer, &mut request), 1);
    let sent = text(request);
    assert!(
        sent.contains("X-Amz-Target: AmazonSQS.DeleteMessage\r\n"),
        "{sent}"
    );
    let body = format!(r#"{{"QueueUrl":"{url}","ReceiptHandle":"h-1"}}"#);
    assert!(
        sent.ends_with(&format!("Content-Length: {}\r\n\r\n{body}", body.len())),
        "{sent}"
    );

    let ten = Cycle::new(Wire::Query, target, url, 10);
    let answer = b"<Message><ReceiptHandle>a+b=</ReceiptHandle></Message>\
        <Message><ReceiptHandle>c</ReceiptHandle></Message>";
    let mut request = Vec::new();
    assert_eq!(ten.delete(answer, &mut request), 2);
    let sent = text(request);
    let entries = "&DeleteMessageBatchRequestEntry.1.Id=0\
        &DeleteMessageBatchRequestEntry.1.ReceiptHandle=a%2Bb%3D\
        &DeleteMessageBatchRequestEntry.2.Id=1\
        &DeleteMessageBatchRequestEntry.2.ReceiptHandle=c";
    assert!(sent.ends_with(entries), "{sent}");
    assert!(sent.contains("Action=DeleteMessageBatch&"), "{sent}");
}
