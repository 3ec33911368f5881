//! Queues over HTTP: depth and flow, a look at messages, send and receive by hand.

use serde_json::{Value, json};

use super::{JOBS, dead_letters, declared, queue, receive, send};
use crate::harness::wait::eventually;

fn names(list: &Value) -> Vec<&str> {
    let queues = list["queues"].as_array().unwrap().iter();
    queues.map(|one| one["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn queues_are_listed_with_what_is_in_them_and_what_passed_through() {
    let (shop, _file) = declared(JOBS).await;
    for n in 0..5 {
        send(&shop, "jobs", &format!("job {n}")).await;
    }
    let later = json!({"body": "later", "delaySeconds": 900});
    shop.post("/ops/queues/jobs/messages", &later)
        .await
        .expect(201);
    assert_eq!(receive(&shop, "jobs", 2, 600).await.len(), 2);
    let asked = json!({"max": 1, "delete": true});
    let gone = shop
        .post("/ops/queues/jobs/receive", &asked)
        .await
        .expect(200);
    assert_eq!(gone["deleted"], 1);
    // What passes is counted just after it is answered.
    let jobs = eventually("the flow is counted", async || {
        let list = shop.get("/ops/queues?prefix=jobs").await.expect(200);
        assert_eq!(names(&list), ["jobs", "jobs-dlq"]);
        let jobs = list["queues"][0].clone();
        (jobs["perMinute"]["deleted"] == 1).then_some(jobs)
    })
    .await;
    assert!(jobs["oldestAgeSeconds"].as_u64().unwrap() < 60);
    let mut jobs = jobs;
    jobs["oldestAgeSeconds"] = json!(0);
    assert_eq!(
        jobs,
        json!({
            "name": "jobs", "kind": "standard", "total": 5, "visible": 2, "inFlight": 2,
            "delayed": 1, "oldestAgeSeconds": 0,
            "perMinute": {"sent": 6, "received": 3, "deleted": 1},
            "deadLetterQueue": "jobs-dlq", "maxReceiveCount": 2, "deadLetterSourceQueues": [],
        })
    );
    let dead = queue(&shop, "jobs-dlq").await;
    assert_eq!(dead["deadLetterSourceQueues"], json!(["jobs"]));
    assert_eq!(dead["oldestAgeSeconds"], Value::Null);
}

#[tokio::test]
async fn a_list_has_pages() {
    let (shop, _file) = declared(JOBS).await;
    let all = shop.get("/ops/queues").await.expect(200);
    let all = names(&all)
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    assert!(all.is_sorted() && all.len() > 4, "{all:?}");
    let mut seen: Vec<String> = Vec::new();
    let mut path = "/ops/queues?limit=2".to_owned();
    loop {
        let page = shop.get(&path).await.expect(200);
        seen.extend(names(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        assert_eq!(names(&page).len(), 2);
        path = format!("/ops/queues?limit=2&after={next}");
    }
    assert_eq!(seen, all);
    let none = shop.get("/ops/queues?prefix=zz").await.expect(200);
    assert_eq!(none, json!({"queues": []}));
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("depth=1", "depth"),
    ] {
        let refused = shop.get(&format!("/ops/queues?{query}")).await;
        assert_eq!(refused.problem(400, "invalid_parameter")["field"], field);
    }
}

#[tokio::test]
async fn one_queue_tells_its_settings() {
    let (shop, _file) = declared(JOBS).await;
    let jobs = queue(&shop, "jobs").await;
    assert_eq!(
        jobs["settings"],
        json!({
            "visibilityTimeoutSeconds": 30, "delaySeconds": 0, "retentionSeconds": 345_600,
            "maximumMessageBytes": 1_048_576, "receiveWaitSeconds": 0,
        })
    );
    assert_eq!(jobs["tags"], json!({"team": "fulfilment"}));
    assert_eq!(jobs["moves"], json!([]));
    assert_eq!(jobs["sinceStart"]["sent"], 0);
    let fifo = queue(&shop, "mileage.fifo").await;
    assert_eq!(fifo["kind"], "fifo");
    assert_eq!(
        fifo["settings"]["fifo"],
        json!({
            "contentBasedDeduplication": false, "deduplicationScope": "queue",
            "throughputLimit": "perQueue",
        })
    );
    for path in ["", "/messages", "/messages/1"] {
        let unknown = shop.get(&format!("/ops/queues/nope{path}")).await;
        unknown.problem(404, "queue_not_found");
    }
}

#[tokio::test]
async fn a_look_at_messages_receives_none_of_them() {
    let (shop, _file) = declared(JOBS).await;
    for n in 1..=25 {
        send(&shop, "jobs", &format!("job {n}")).await;
    }
    let mut seen = Vec::new();
    let mut path = "/ops/queues/jobs/messages?limit=12".to_owned();
    loop {
        let page = shop.get(&path).await.expect(200);
        let messages = page["messages"].as_array().unwrap();
        seen.extend(
            messages
                .iter()
                .map(|one| one["body"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_u64() else {
            break;
        };
        assert_eq!(messages.len(), 12);
        path = format!("/ops/queues/jobs/messages?limit=12&after={next}");
    }
    let expected: Vec<String> = (1..=25).map(|n| format!("job {n}")).collect();
    assert_eq!(seen, expected);
    let exactly = shop
        .get("/ops/queues/jobs/messages?limit=25")
        .await
        .expect(200);
    assert_eq!(
        exactly["next"],
        Value::Null,
        "there is nothing behind the last page"
    );
    let jobs = queue(&shop, "jobs").await;
    assert_eq!(
        (&jobs["visible"], &jobs["inFlight"]),
        (&json!(25), &json!(0))
    );
    assert_eq!(jobs["sinceStart"]["received"], 0);
}

#[tokio::test]
async fn a_long_body_is_cut_in_a_page_and_whole_alone() {
    let (shop, _file) = declared(JOBS).await;
    // Three bytes a character: the cut falls between two of them.
    let body = "한".repeat(3_000);
    let sent = send(&shop, "jobs", &body).await;
    let page = shop.get("/ops/queues/jobs/messages").await.expect(200);
    let message = &page["messages"][0];
    assert_eq!(message["bodyBytes"], 9_000);
    assert_eq!(message["cut"], true);
    assert_eq!(message["body"], "한".repeat(1_365));
    let alone = format!("/ops/queues/jobs/messages/{}", sent["seq"]);
    let whole = shop.get(&alone).await.expect(200);
    assert_eq!(whole["body"], body);
    assert_eq!(whole["cut"], Value::Null);
    assert_eq!(whole["id"], sent["id"]);
    for seq in ["0", "2", "x", "-1", "99999999999999999999"] {
        let gone = shop.get(&format!("/ops/queues/jobs/messages/{seq}")).await;
        gone.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_message_shows_all_that_is_known_of_it() {
    let (shop, _file) = declared(JOBS).await;
    let asked = json!({
        "body": "{}", "groupId": "tenant",
        "attributes": {
            "plain": "text",
            "n": {"type": "Number.int", "value": "07"},
            "b": {"type": "Binary", "value": "/wA="},
        },
    });
    let sent = shop.post("/ops/queues/jobs/messages", &asked).await;
    let at = sent.header("location").unwrap().to_owned();
    let sent = sent.expect(201);
    let message = shop.get(&at).await.expect(200);
    assert_eq!(message["id"], sent["id"]);
    assert_eq!(
        message["attributes"],
        json!({"plain": "text", "n": "07", "b": "/wA="})
    );
    let types = json!({"plain": "String", "n": "Number.int", "b": "Binary"});
    assert_eq!(message["attributeTypes"], types);
    assert_eq!(message["groupId"], "tenant");
    assert_eq!(message["state"], "visible");
    assert_eq!(message["visibleAt"], Value::Null);
    receive(&shop, "jobs", 1, 600).await;
    let held = shop.get(&at).await.expect(200);
    assert_eq!(held["state"], "in_flight");
    assert_eq!(held["receiveCount"], 1);
    assert!(held["visibleAt"].is_string() && held["firstReceivedAt"].is_string());
}

#[tokio::test]
async fn a_dead_letter_says_where_it_came_from_and_why() {
    let (shop, _file) = declared(JOBS).await;
    dead_letters(&shop, 1).await;
    let page = shop.get("/ops/queues/jobs-dlq/messages").await.expect(200);
    let dead = &page["messages"][0];
    assert_eq!(dead["sourceQueue"], "jobs");
    assert_eq!(dead["reason"], "received 2 times and not deleted");
    assert_eq!(dead["receiveCount"], 2);
    assert!(dead["deadAt"].is_string());
}

#[tokio::test]
async fn what_is_received_by_hand_comes_back_unless_it_is_deleted() {
    let (shop, _file) = declared(JOBS).await;
    let body = "x".repeat(10_000);
    send(&shop, "jobs", &body).await;
    let first = receive(&shop, "jobs", 10, 0).await;
    assert_eq!(first[0]["body"], body, "what is handed out is whole");
    assert_eq!(first[0]["receiptHandle"].as_str().unwrap().len(), 28);
    let nothing = json!({"messages": [], "deleted": 0});
    let hidden = shop
        .send("POST", "/ops/queues/jobs/receive", &[], None)
        .await;
    assert_eq!(hidden.expect(200)["messages"][0]["receiveCount"], 2);
    let second = shop
        .send("POST", "/ops/queues/jobs/receive", &[], None)
        .await;
    assert_eq!(second.expect(200), nothing, "it is held for ten seconds");
    let asked = json!({"body": "a", "groupId": "g", "deduplicationId": "1"});
    let one = shop
        .post("/ops/queues/mileage.fifo/messages", &asked)
        .await
        .expect(201);
    let again = shop
        .post("/ops/queues/mileage.fifo/messages", &asked)
        .await
        .expect(201);
    assert_eq!(one, again, "a duplicate is the first one");
    let asked = json!({"max": 10, "delete": true});
    let gone = shop
        .post("/ops/queues/mileage.fifo/receive", &asked)
        .await
        .expect(200);
    assert_eq!(gone["deleted"], 1);
    assert_eq!(queue(&shop, "mileage.fifo").await["total"], 0);
}

#[tokio::test]
async fn what_cannot_be_sent_or_received_is_refused_with_its_field() {
    let (shop, _file) = declared(JOBS).await;
    let messages = "/ops/queues/jobs/messages";
    let fifo = "/ops/queues/mileage.fifo/messages";
    let receive = "/ops/queues/jobs/receive";
    for (path, body, code, field) in [
        (messages, json!({}), "missing_field", "body"),
        (messages, json!({"body": ""}), "missing_field", "body"),
        (messages, json!({"body": 1}), "invalid_field", "body"),
        (
            messages,
            json!({"body": "a\u{b}b"}),
            "invalid_field",
            "body",
        ),
        (
            messages,
            json!({"body": "a", "to": "b"}),
            "unknown_field",
            "to",
        ),
        (
            messages,
            json!({"body": "a", "delaySeconds": 901}),
            "invalid_field",
            "delaySeconds",
        ),
        (
            messages,
            json!({"body": "a", "delaySeconds": -1}),
            "invalid_field",
            "delaySeconds",
        ),
        (
            messages,
            json!({"body": "a", "groupId": "a b"}),
            "invalid_field",
            "groupId",
        ),
        (
            messages,
            json!({"body": "a", "deduplicationId": "1"}),
            "invalid_field",
            "deduplicationId",
        ),
        (
            messages,
            json!({"body": "a", "attributes": {"n": {"type": "Number", "value": "x"}}}),
            "invalid_field",
            "attributes",
        ),
        (
            messages,
            json!({"body": "a", "attributes": {"n": {"type": "Binary", "value": "?"}}}),
            "invalid_field",
            "attributes.n.value",
        ),
        (
            messages,
            json!({"body": "a", "attributes": {"n": 1}}),
            "invalid_field",
            "attributes.n",
        ),
        (
            messages,
            json!({"body": "a", "attributes": []}),
            "invalid_field",
            "attributes",
        ),
        (fifo, json!({"body": "a"}), "missing_field", "groupId"),
        (
            fifo,
            json!({"body": "a", "groupId": "g"}),
            "invalid_field",
            "deduplicationId",
        ),
        (receive, json!({"max": 0}), "invalid_field", "max"),
        (receive, json!({"max": 11}), "invalid_field", "max"),
        (
            receive,
            json!({"visibilityTimeoutSeconds": 43_201}),
            "invalid_field",
            "visibilityTimeoutSeconds",
        ),
        (receive, json!({"delete": "yes"}), "invalid_field", "delete"),
    ] {
        let problem = shop.post(path, &body).await.problem(422, code);
        assert_eq!(problem["field"], field, "{body}");
    }
    let twice = r#"{"body": "a", "attributes": {"n": "1", "n": "2"}}"#;
    let mut connection = shop.connect().await;
    let answer = connection
        .send("POST", messages, &[], Some(twice))
        .await
        .unwrap();
    let problem = answer.problem(422, "invalid_field");
    assert_eq!(problem["field"], "attributes.n");
    assert_eq!(queue(&shop, "jobs").await["total"], 0);
    for (path, body) in [("messages", json!({"body": "a"})), ("receive", json!({}))] {
        let unknown = shop.post(&format!("/ops/queues/nope/{path}"), &body).await;
        unknown.problem(404, "queue_not_found");
    }
}
