//! Who closes an auction: this worker, and no reader.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};

use crate::http;
use crate::workers::testing::app::{app, pass};
use crate::workers::testing::shop::Shop;
use crate::workers::testing::time::{START, stand_still};
use crate::workers::{consumers, ensure_queues};

type Routes = TowerToHyperService<axum::Router>;

async fn ask(
    routes: &Routes,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "127.0.0.1")
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
        .unwrap();
    let answer = routes.call(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test(start_paused = true)]
async fn no_reader_closes_an_auction_that_is_over() {
    let shop = Shop::open(|_| {});
    let still = stand_still();
    let all = consumers(&shop.parts).unwrap();
    let settings = &shop.parts.config.factory;
    ensure_queues(&shop.engine, settings, &all).await.unwrap();
    let app = app(&shop, &all);
    let routes = TowerToHyperService::new(http::router(app.clone(), None));
    let ends_at = jiff::Timestamp::from_millisecond(START + 60_000).unwrap();
    let put_up = json!({
        "product": "Guitar", "startingPrice": 100, "currency": "KRW",
        "endTime": format!("{ends_at:.3}"),
    });
    let (status, guitar) = ask(&routes, "POST", "/auctions", Some(put_up)).await;
    assert_eq!(status, StatusCode::CREATED, "{guitar}");
    let id = guitar["id"].as_str().unwrap();
    let body = |amount: i64| json!({"auctionId": id, "bidderId": "ada", "bidAmount": amount});
    let (status, ada) = ask(&routes, "POST", "/bids", Some(body(100))).await;
    assert_eq!(status, StatusCode::CREATED, "{ada}");

    pass(&shop, &still, Duration::from_secs(61)).await;
    let last_seq = shop.engine.reader().last_seq().unwrap();
    let own = format!("/bids/by-id/{}", ada["id"].as_str().unwrap());
    let one = format!("/auctions/{id}");
    for path in [
        one.clone(),
        "/auctions".to_owned(),
        "/auctions?status=open".to_owned(),
        format!("/auctions/{id}/bids"),
        format!("/bids/{id}"),
        format!("/auctions/{id}/certificate"),
        format!("/auctions/{id}/result"),
        own.clone(),
        "/ops/summary".to_owned(),
    ] {
        let (status, answer) = ask(&routes, "GET", &path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    }
    // Nor does a bid that comes too late.
    let (status, late) = ask(&routes, "POST", "/bids", Some(body(900))).await;
    assert_eq!(status, StatusCode::CONFLICT, "{late}");
    assert_eq!(late["code"], "auction_closed");
    let (_, seen) = ask(&routes, "GET", &one, None).await;
    assert_eq!(
        (&seen["status"], &seen["timeLeftMs"]),
        (&json!("open"), &json!(0))
    );
    assert_eq!(ask(&routes, "GET", &own, None).await.1["status"], "leading");
    assert_eq!(
        shop.engine.reader().last_seq().unwrap(),
        last_seq,
        "nothing is written"
    );

    tokio::spawn(super::run(app));
    let closed = async || {
        let (_, seen) = ask(&routes, "GET", &one, None).await;
        (seen["status"] == "closed").then_some(seen)
    };
    for _ in 0..10 {
        pass(&shop, &still, Duration::from_secs(1)).await;
        if let Some(seen) = closed().await {
            assert_eq!(seen["winners"][0]["price"], 100);
            return;
        }
    }
    panic!("the worker has not closed it");
}
