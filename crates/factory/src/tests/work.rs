//! The life of a job.

use std::time::Duration;

use outgoing::{AllowedHosts, Timeouts};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::support::{Running, Shop, config, eventually, request};
use crate::{Config, Factory, OpenError};

#[tokio::test]
async fn goods_are_made_and_called_back_in_the_form_of_the_request() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::answering(&[200]).await;
    let factory = Running::start(config(directory.path())).await;

    let answer = factory
        .post(&request(&shop.callback("product/donut")))
        .await;
    assert_eq!(answer.status, 202);
    let id = answer.body["job"].as_str().unwrap();
    assert_eq!(
        answer.body,
        json!({
            "message": "the manufacture is accepted",
            "job": "job_0000000000000001",
            "dueAt": answer.body["dueAt"],
        })
    );

    let job = factory.until_status(id, "delivered").await;
    assert_eq!(job["dueAt"], answer.body["dueAt"]);
    let time = |name: &str| {
        job[name]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    assert!(time("acceptedAt") < time("dueAt"));
    assert!(time("dueAt") <= time("producedAt"));
    assert!(time("producedAt") <= time("finishedAt"));
    assert_eq!(
        job["dueAt"].as_str().unwrap().len(),
        "2026-11-20T10:00:00.000Z".len()
    );
    assert_eq!(job["attempts"], 1);
    assert_eq!(job["lastStatus"], 200);
    assert!(
        job["callback"]
            .as_str()
            .unwrap()
            .ends_with("/product/donut")
    );
    assert!(job.get("nextAttemptAt").is_none() && job.get("lastError").is_none());

    let [call] = &shop.calls()[..] else {
        panic!("called {} times", shop.calls().len());
    };
    assert_eq!(call.path_and_query, "/product/donut?token=s3cret");
    assert_eq!(call.content_type, "application/json");
    assert_eq!(
        call.body,
        json!({
            "MessageGroupId": "stock-arrival-group",
            "MessageAttributeProductId": "CP-502101",
            "MessageAttributeProductCnt": 3,
            "MessageAttributeFactoryId": "FF-500293",
            "MessageAttributeRequester": "ada",
        })
    );
}

#[tokio::test]
async fn a_count_in_a_string_is_called_back_as_a_number() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::answering(&[204]).await;
    let factory = Running::start(config(directory.path())).await;
    let mut body = request(&shop.callback("a"));
    body["MessageAttributeProductCnt"] = json!("0012");
    let id = factory.order(&body).await;
    factory.until_status(&id, "delivered").await;
    assert_eq!(
        shop.calls()[0].body["MessageAttributeProductCnt"],
        json!(12)
    );
}

#[tokio::test]
async fn a_callback_is_repeated_until_it_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::answering(&[500, 429, 200]).await;
    let factory = Running::start(config(directory.path())).await;
    let id = factory.order(&request(&shop.callback("a"))).await;

    let failed = factory
        .until(&id, "it failed once", |job| job["attempts"] != 0)
        .await;
    assert_eq!(failed["status"], "produced");
    assert!(failed["nextAttemptAt"].is_string());
    assert!(failed["lastError"].is_string());

    let job = factory.until_status(&id, "delivered").await;
    assert_eq!(job["attempts"], 3);
    let calls = shop.calls();
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| *call == calls[0]));
}

#[tokio::test]
async fn a_shop_that_is_away_is_called_when_it_is_back() {
    let directory = tempfile::tempdir().unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let factory = Running::start(config(directory.path())).await;
    let id = factory
        .order(&request(&format!("http://{address}/?token=s3cret")))
        .await;
    let job = factory
        .until(&id, "it failed", |job| job["attempts"] != 0)
        .await;
    assert_eq!(job["lastError"], format!("connection refused by {address}"));
    assert!(job.get("lastStatus").is_none());

    let back = TcpListener::bind(address).await.unwrap();
    let router = axum::Router::new().fallback(async || "thanks");
    tokio::spawn(async { axum::serve(back, router).await.unwrap() });
    factory.until_status(&id, "delivered").await;
}

#[tokio::test]
async fn a_refusal_is_retried_slowly() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::answering(&[404]).await;
    let factory = Running::start(config(directory.path())).await;
    let id = factory.order(&request(&shop.callback("a"))).await;
    let job = factory
        .until(&id, "it was refused", |job| job["attempts"] != 0)
        .await;
    assert_eq!(job["status"], "produced");
    assert_eq!(job["lastStatus"], 404);
    let time = |name: &str| {
        job[name]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    let wait = time("nextAttemptAt").as_millisecond() - time("producedAt").as_millisecond();
    assert!((5_000..60_000).contains(&wait), "{wait} ms");
}

#[tokio::test]
async fn a_callback_that_nobody_takes_is_abandoned_and_makes_room() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::answering(&[503]).await;
    let factory = Running::start(Config {
        callback_give_up: Duration::from_millis(500),
        jobs_open_max: 1,
        ..config(directory.path())
    })
    .await;
    let body = request(&shop.callback("a"));
    let id = factory.order(&body).await;

    let full = factory.post(&request(&shop.callback("b"))).await;
    assert_eq!(
        (full.status, &full.body["code"]),
        (503, &json!("overloaded"))
    );
    assert_eq!(full.retry_after.as_deref(), Some("2"));
    // What is known already needs no room.
    assert_eq!(factory.order(&body).await, id);

    let job = factory.until_status(&id, "abandoned").await;
    assert!(job["attempts"].as_u64().unwrap() >= 2, "{job}");
    assert!(job["finishedAt"].is_string() && job.get("nextAttemptAt").is_none());
    factory.order(&request(&shop.callback("b"))).await;
}

#[tokio::test]
async fn what_was_accepted_survives_an_end_without_notice() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::answering(&[200]).await;
    let slow = Config {
        lead_time: Duration::from_secs(2),
        ..config(directory.path())
    };
    let factory = Running::start(slow).await;
    let id = factory.order(&request(&shop.callback("a"))).await;
    assert_eq!(factory.job(&id).await["status"], "accepted");
    factory.drop_dead().await;

    let factory = Running::start(config(directory.path())).await;
    let job = factory.until_status(&id, "delivered").await;
    assert_eq!(job["attempts"], 1);
    assert_eq!(shop.calls().len(), 1);
    // The number goes on where it was.
    let next = factory.order(&request(&shop.callback("b"))).await;
    assert_eq!(next, "job_0000000000000002");
}

#[tokio::test]
async fn a_host_that_is_no_longer_allowed_is_not_called() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::answering(&[200]).await;
    let slow = Config {
        lead_time: Duration::from_secs(2),
        ..config(directory.path())
    };
    let factory = Running::start(slow.clone()).await;
    let id = factory.order(&request(&shop.callback("a"))).await;
    factory.drop_dead().await;

    let factory = Running::start(Config {
        allowed: AllowedHosts::new(["shop.example.com"]).unwrap(),
        ..slow.clone()
    })
    .await;
    let job = factory
        .until(&id, "it was tried", |job| job["attempts"] != 0)
        .await;
    assert!(job["lastError"].as_str().unwrap().contains("not allowed"));
    assert_eq!(shop.calls().len(), 0);
}

#[tokio::test]
async fn many_jobs_are_each_delivered_once() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::answering(&[200]).await;
    let factory = Running::start(config(directory.path())).await;
    let mut ids = Vec::new();
    for n in 0..200 {
        ids.push(
            factory
                .order(&request(&shop.callback(&format!("n/{n}"))))
                .await,
        );
    }
    for id in &ids {
        assert_eq!(factory.until_status(id, "delivered").await["attempts"], 1);
    }
    let mut paths: Vec<_> = shop
        .calls()
        .into_iter()
        .map(|call| call.path_and_query)
        .collect();
    paths.sort();
    paths.dedup();
    assert_eq!((paths.len(), shop.calls().len()), (200, 200));
}

#[tokio::test]
async fn a_finished_job_is_forgotten_after_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::answering(&[200]).await;
    let factory = Running::start(Config {
        keep_finished: Duration::ZERO,
        ..config(directory.path())
    })
    .await;
    let body = request(&shop.callback("a"));
    let id = factory.order(&body).await;
    shop.until_called(1).await;
    // Every look at the agenda forgets; each new job causes one.
    let mut n = 0;
    eventually("it is forgotten", async || {
        n += 1;
        factory
            .order(&request(&shop.callback(&format!("n/{n}"))))
            .await;
        let answer = factory.get(&format!("/api/manufactures/{id}")).await;
        (answer.status == 404).then_some(())
    })
    .await;
    assert_ne!(factory.order(&body).await, id);
}

#[tokio::test]
async fn a_stop_ends_the_run_and_the_data_can_be_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    // Takes the connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let callback = format!("http://{}/?token=s3cret", silent.local_addr().unwrap());
    let factory = Running::start(Config {
        timeouts: Timeouts {
            connect: Duration::from_secs(60),
            total: Duration::from_secs(60),
        },
        ..config(directory.path())
    })
    .await;
    let id = factory.order(&request(&callback)).await;
    let _under_way = silent.accept().await.unwrap();
    factory.stop.cancel();
    eventually("the run ends", async || {
        factory.run.is_finished().then_some(())
    })
    .await;
    // What was cut off is still to be done.
    assert_eq!(factory.job(&id).await["status"], "produced");
    factory.drop_dead().await;
    Running::start(config(directory.path())).await;
}

#[tokio::test]
async fn one_factory_has_the_data_and_runs_once() {
    let directory = tempfile::tempdir().unwrap();
    let factory = Running::start(config(directory.path())).await;
    let second = Factory::open(config(directory.path()));
    assert!(
        matches!(second, Err(OpenError::Locked { .. })),
        "{second:?}"
    );

    // An answer that came proves that the first run has started.
    let shop = Shop::answering(&[200]).await;
    factory.order(&request(&shop.callback("a"))).await;
    shop.until_called(1).await;
    factory.factory.run(CancellationToken::new()).await;
    assert!(!factory.run.is_finished());
}
