//! Dead letters go back at a pace, and queues are emptied.

use serde_json::{Value, json};

use super::{JOBS, dead_letters, declared, let_die, queue, send};
use crate::aws::client::{Client, Wire};
use crate::harness::Shop;
use crate::harness::wait::eventually;

const MOVES: &str = "/ops/queues/jobs-dlq/moves";

/// The newest move, once it has this status.
async fn ended(shop: &Shop, status: &str) -> Value {
    eventually(&format!("the move is {status}"), async || {
        let newest = queue(shop, "jobs-dlq").await["moves"][0].clone();
        (newest["status"] == status).then_some(newest)
    })
    .await
}

#[tokio::test]
async fn all_dead_letters_go_back() {
    let (shop, _file) = declared(JOBS).await;
    dead_letters(&shop, 15).await;
    let started = shop.send("POST", MOVES, &[], None).await.expect(201);
    assert_eq!(started["toMove"], 15);
    assert_eq!(started["rate"], Value::Null);
    let done = ended(&shop, "completed").await;
    assert_eq!(done["id"], started["id"]);
    assert_eq!(done["moved"], 15);
    let jobs = queue(&shop, "jobs").await;
    assert_eq!(jobs["visible"], 15);
    assert_eq!(jobs["sinceStart"]["sent"], 15, "nobody has sent them again");
    assert_eq!(queue(&shop, "jobs-dlq").await["total"], 0);
    let again = shop.send("POST", MOVES, &[], None).await.expect(201);
    assert_eq!(again["toMove"], 0);
    ended(&shop, "completed").await;
}

/// The server does not load all of them at once: what it loads is 16 MiB.
#[tokio::test]
async fn large_dead_letters_go_back_at_once() {
    let (shop, _file) = declared(JOBS).await;
    let sqs = Client::new(&shop, Wire::Json);
    let found = sqs.ok("GetQueueUrl", json!({"QueueName": "jobs"})).await;
    for _ in 0..20 {
        let body = "x".repeat(1_000_000);
        let message = json!({"QueueUrl": found["QueueUrl"], "MessageBody": body});
        sqs.ok("SendMessage", message).await;
    }
    let_die(&shop, 20).await;
    let path = "/ops/queues/jobs-dlq/redrive";
    let moved = shop.send("POST", path, &[], None).await.expect(200);
    assert_eq!(moved, json!({"moved": 20}));
    assert_eq!(queue(&shop, "jobs").await["visible"], 20);
    assert_eq!(queue(&shop, "jobs-dlq").await["total"], 0);
}

#[tokio::test]
async fn a_move_has_its_pace_and_can_be_ended() {
    let (shop, _file) = declared(JOBS).await;
    dead_letters(&shop, 40).await;
    let asked = json!({"destination": "jobs", "rate": 10});
    let started = shop.post(MOVES, &asked).await.expect(201);
    assert_eq!(started["destination"], "jobs");
    let began = tokio::time::Instant::now();
    eventually("some have gone", async || {
        let list = shop.get("/ops/queues?prefix=jobs-dlq").await.expect(200);
        let moving = list["queues"][0]["moving"].clone();
        assert_eq!(moving["status"], "running");
        (moving["moved"].as_u64()? >= 5).then_some(())
    })
    .await;
    assert!(began.elapsed().as_millis() >= 250, "ten a second");
    shop.post(MOVES, &json!({}))
        .await
        .problem(409, "move_running");
    let path = format!("{MOVES}/{}", started["id"].as_str().unwrap());
    let cancelled = shop.send("DELETE", &path, &[], None).await.expect(200);
    assert_eq!(cancelled["status"], "cancelled");
    let moved = cancelled["moved"].as_u64().unwrap();
    assert!((5..40).contains(&moved), "{moved}");
    assert_eq!(queue(&shop, "jobs").await["visible"], moved);
    assert_eq!(queue(&shop, "jobs-dlq").await["visible"], 40 - moved);
    let over = shop.send("DELETE", &path, &[], None).await;
    over.problem(404, "move_not_found");
    assert_eq!(queue(&shop, "jobs-dlq").await["moving"], Value::Null);
}

#[tokio::test]
async fn what_cannot_be_moved_is_refused() {
    let (shop, _file) = declared(JOBS).await;
    for (body, field) in [
        (json!({"rate": 0}), "rate"),
        (json!({"rate": 501}), "rate"),
        (json!({"rate": "fast"}), "rate"),
        (json!({"destination": "nope"}), "destination"),
        (json!({"destination": ""}), "destination"),
        (json!({"destination": "jobs-dlq"}), "destination"),
        (json!({"destination": "mileage.fifo"}), "destination"),
    ] {
        let problem = shop.post(MOVES, &body).await.problem(422, "invalid_field");
        assert_eq!(problem["field"], field, "{body}");
    }
    let unknown = shop.post(MOVES, &json!({"to": "jobs"})).await;
    assert_eq!(unknown.problem(422, "unknown_field")["field"], "to");
    for path in ["moves", "redrive"] {
        let path = format!("/ops/queues/jobs/{path}");
        let none = shop.post(&path, &json!({})).await;
        none.problem(409, "no_dead_letter_queue");
        let path = path.replace("jobs", "nope");
        shop.post(&path, &json!({}))
            .await
            .problem(404, "queue_not_found");
    }
    let none = shop.send("DELETE", &format!("{MOVES}/x"), &[], None).await;
    none.problem(404, "move_not_found");
    assert_eq!(queue(&shop, "jobs-dlq").await["moves"], json!([]));
}

#[tokio::test]
async fn one_dead_letter_among_many_goes_back() {
    let (shop, _file) = declared(JOBS).await;
    // More than are looked through at a time.
    dead_letters(&shop, 60).await;
    let page = shop
        .get("/ops/queues/jobs-dlq/messages?limit=100")
        .await
        .expect(200);
    let last = page["messages"][59].clone();
    let asked = json!({"messageId": last["id"]});
    let moved = shop.post("/ops/queues/jobs-dlq/redrive", &asked).await;
    assert_eq!(moved.expect(200), json!({"moved": 1}));
    let back = shop.get("/ops/queues/jobs/messages").await.expect(200);
    assert_eq!(back["messages"][0]["id"], last["id"]);
    assert_eq!(back["messages"].as_array().unwrap().len(), 1);
    assert_eq!(queue(&shop, "jobs-dlq").await["total"], 59);
}

#[tokio::test]
async fn a_purge_leaves_nothing_and_is_not_done_twice() {
    let (shop, _file) = declared(JOBS).await;
    for n in 0..3 {
        send(&shop, "jobs", &format!("job {n}")).await;
    }
    super::receive(&shop, "jobs", 1, 600).await;
    let purge = "/ops/queues/jobs/purge";
    let done = shop.send("POST", purge, &[], None).await;
    assert_eq!((done.status, done.body.as_str()), (204, ""));
    let jobs = queue(&shop, "jobs").await;
    assert_eq!(jobs["total"], 0);
    assert!(jobs["purgedAt"].is_string());
    send(&shop, "jobs", "new").await;
    let again = shop.send("POST", purge, &[], None).await;
    again.problem(409, "purge_in_progress");
    assert_eq!(queue(&shop, "jobs").await["total"], 1);
    let none = shop.send("POST", "/ops/queues/nope/purge", &[], None).await;
    none.problem(404, "queue_not_found");
}
