//! The numbers of queues for Prometheus, by Amazon's names.

use serde_json::json;

use super::{JOBS, dead_letters, declared, queue, receive, send};
use crate::harness::Shop;
use crate::harness::wait::eventually;

async fn text(shop: &Shop) -> String {
    let answer = shop.get("/metrics").await;
    assert_eq!(answer.status, 200);
    answer.body
}

/// The value of a series.
fn series(metrics: &str, name: &str) -> Option<f64> {
    let mut lines = metrics.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// Waits until each has its value: what passes is counted just after it is answered.
async fn become_so(shop: &Shop, expected: &[(&str, &str, f64)]) {
    for (name, queue, value) in expected {
        let name = format!("aws_sqs_{name}{{queue_name=\"{queue}\"}}");
        eventually(&format!("{name} is {value}"), async || {
            (series(&text(shop).await, &name) == Some(*value)).then_some(())
        })
        .await;
    }
}

/// One request of SQS's JSON protocol.
async fn sqs(shop: &Shop, action: &str, body: &str) {
    let target = format!("AmazonSQS.{action}");
    let mut connection = crate::harness::client::Connection::open(shop.aws_address)
        .await
        .unwrap();
    let headers = [
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", target.as_str()),
    ];
    let answer = connection
        .send("POST", "/", &headers, Some(body))
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{action}: {}", answer.body);
}

#[tokio::test]
async fn every_way_into_and_out_of_a_queue_is_counted() {
    let (shop, _file) = declared(JOBS).await;
    for _ in 0..3 {
        send(&shop, "jobs", "12345").await;
    }
    let url = r#""QueueUrl": "http://localhost/000000000000/jobs""#;
    let entries = r#"[{"Id": "a", "MessageBody": "1234567890"}, {"Id": "b", "MessageBody": "x"}]"#;
    sqs(
        &shop,
        "SendMessageBatch",
        &format!("{{{url}, \"Entries\": {entries}}}"),
    )
    .await;
    let delayed = format!("{{{url}, \"MessageBody\": \"y\", \"DelaySeconds\": 600}}");
    sqs(&shop, "SendMessage", &delayed).await;
    assert_eq!(receive(&shop, "jobs", 2, 600).await.len(), 2);
    let asked = json!({"delete": true});
    shop.post("/ops/queues/jobs/receive", &asked)
        .await
        .expect(200);
    assert_eq!(receive(&shop, "jobs-dlq", 1, 0).await.len(), 0);
    let fifo = json!({"body": "once", "groupId": "g", "deduplicationId": "d"});
    for _ in 0..3 {
        shop.post("/ops/queues/mileage.fifo/messages", &fifo)
            .await
            .expect(201);
    }
    become_so(
        &shop,
        &[
            ("number_of_messages_sent_total", "jobs", 6.0),
            ("sent_message_size_bytes_sum", "jobs", 27.0),
            ("sent_message_size_bytes_count", "jobs", 6.0),
            ("number_of_messages_received_total", "jobs", 3.0),
            ("number_of_messages_deleted_total", "jobs", 1.0),
            ("number_of_empty_receives_total", "jobs", 0.0),
            ("number_of_empty_receives_total", "jobs-dlq", 1.0),
            ("number_of_messages_sent_total", "mileage.fifo", 1.0),
            (
                "number_of_deduplicated_sent_messages_total",
                "mileage.fifo",
                2.0,
            ),
            ("approximate_number_of_messages_visible", "jobs", 2.0),
            ("approximate_number_of_messages_not_visible", "jobs", 2.0),
            ("approximate_number_of_messages_delayed", "jobs", 1.0),
            ("approximate_age_of_oldest_message_seconds", "jobs-dlq", 0.0),
        ],
    )
    .await;
    let text = text(&shop).await;
    for line in [
        "# TYPE aws_sqs_approximate_number_of_messages_visible gauge",
        "# TYPE aws_sqs_number_of_messages_sent_total counter",
        "# TYPE aws_sqs_sent_message_size_bytes summary",
        "firstcome_queue_messages{queue=\"jobs\",state=\"in_flight\"} 2",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
    let mut types: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("# TYPE"))
        .collect();
    let all = types.len();
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), all, "each family is described once");
}

#[tokio::test]
async fn what_a_topic_delivers_is_sent_and_what_moves_is_not() {
    let toml = format!(
        "{JOBS}[[topics]]\nname = \"orders\"\n[[topics.subscriptions]]\nqueue = \"jobs\"\nraw = true"
    );
    let (shop, _file) = declared(&toml).await;
    shop.offer("A-1", json!({"stock": 1})).await;
    shop.order("A-1", "a@example.com").await.expect(201);
    become_so(&shop, &[("number_of_messages_sent_total", "jobs", 1.0)]).await;
    let asked = json!({"delete": true});
    shop.post("/ops/queues/jobs/receive", &asked)
        .await
        .expect(200);
    dead_letters(&shop, 2).await;
    shop.send("POST", "/ops/queues/jobs-dlq/redrive", &[], None)
        .await
        .expect(200);
    become_so(
        &shop,
        &[
            ("approximate_number_of_messages_visible", "jobs", 2.0),
            ("number_of_messages_sent_total", "jobs", 3.0),
            ("number_of_messages_sent_total", "jobs-dlq", 0.0),
            ("number_of_messages_deleted_total", "jobs-dlq", 0.0),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_queue_that_is_deleted_leaves_and_comes_back_at_nought() {
    let (shop, _file) = declared(JOBS).await;
    send(&shop, "jobs-dlq", "x").await;
    become_so(&shop, &[("number_of_messages_sent_total", "jobs-dlq", 1.0)]).await;
    let url = r#"{"QueueUrl": "http://localhost/000000000000/jobs-dlq"}"#;
    sqs(&shop, "DeleteQueue", url).await;
    let left = text(&shop).await;
    assert!(!left.contains("\"jobs-dlq\""), "{left}");
    shop.get("/ops/queues/jobs-dlq")
        .await
        .problem(404, "queue_not_found");
    sqs(&shop, "CreateQueue", r#"{"QueueName": "jobs-dlq"}"#).await;
    become_so(&shop, &[("number_of_messages_sent_total", "jobs-dlq", 0.0)]).await;
    assert_eq!(queue(&shop, "jobs-dlq").await["sinceStart"]["sent"], 0);
}

#[tokio::test]
async fn who_has_how_much_in_flight_is_told_by_groups() {
    let (shop, _file) = declared(JOBS).await;
    let noisy = "approximate_number_of_noisy_groups";
    let quiet = "approximate_number_of_messages_not_visible_in_quiet_groups";
    let groups = "approximate_number_of_groups_with_inflight_messages";
    let nothing = [
        (noisy, "jobs", 0.0),
        (quiet, "jobs", 0.0),
        (groups, "mileage.fifo", 0.0),
    ];
    become_so(&shop, &nothing).await;
    // Of two tenants and of nobody; who came first is received first.
    let message = |id: usize, group: &str| match group {
        "" => json!({"Id": format!("m{id}"), "MessageBody": "x"}),
        _ => json!({"Id": format!("m{id}"), "MessageBody": "x", "MessageGroupId": group}),
    };
    let of = [[""; 1].as_slice(), &["quiet"; 2], &["noisy"; 37]].concat();
    for ten in of.chunks(10) {
        let entries: Vec<_> = (0..)
            .zip(ten)
            .map(|(id, group)| message(id, group))
            .collect();
        let url = "http://localhost/000000000000/jobs";
        let batch = json!({"QueueUrl": url, "Entries": entries});
        sqs(&shop, "SendMessageBatch", &batch.to_string()).await;
    }
    // Thirty of one tenant are what it takes.
    assert_eq!(receive(&shop, "jobs", 10, 600).await.len(), 10);
    become_so(&shop, &[(noisy, "jobs", 0.0), (quiet, "jobs", 10.0)]).await;
    for _ in 0..3 {
        assert_eq!(receive(&shop, "jobs", 10, 600).await.len(), 10);
    }
    let all = "approximate_number_of_messages_not_visible";
    let told = [
        (noisy, "jobs", 1.0),
        (quiet, "jobs", 3.0),
        (all, "jobs", 40.0),
    ];
    become_so(&shop, &told).await;

    for (group, id) in [("a", 1), ("b", 2), ("c", 3), ("a", 4)] {
        let fifo = json!({"body": "x", "groupId": group, "deduplicationId": id.to_string()});
        shop.post("/ops/queues/mileage.fifo/messages", &fifo)
            .await
            .expect(201);
    }
    assert_eq!(receive(&shop, "mileage.fifo", 10, 600).await.len(), 4);
    become_so(&shop, &[(groups, "mileage.fifo", 3.0)]).await;
    let text = text(&shop).await;
    for (name, queue, is_there) in [
        (noisy, "jobs", true),
        (groups, "jobs", false),
        (noisy, "mileage.fifo", false),
        (quiet, "mileage.fifo", false),
        (groups, "mileage.fifo", true),
    ] {
        let name = format!("aws_sqs_{name}{{queue_name=\"{queue}\"}}");
        assert_eq!(series(&text, &name).is_some(), is_there, "{name}");
    }
}
