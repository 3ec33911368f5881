//! What operations and other programs read: health, metrics, the description of the API, the
//! audit.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop, audit, firstcome, run, text};

/// The value of a series, written as Prometheus writes it.
fn series(metrics: &str, name: &str) -> Option<f64> {
    metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test]
async fn metrics_say_what_goes_on() {
    let shop = Shop::start(Settings::new()).await;
    let reorder = json!({"point": 0, "quantity": 1, "factory": "NOBODY"});
    shop.offer("WAIT-1", json!({"whenSoldOut": "wait", "reorder": reorder}))
        .await;
    shop.offer("A-1", json!({"stock": 3, "purchaseLimit": 1}))
        .await;
    for n in 0..4 {
        shop.place("WAIT-1", &format!("{n}@example.com"), 1).await;
    }
    shop.order("A-1", "a@example.com").await.expect(201);
    for _ in 0..3 {
        shop.order("A-1", "a@example.com")
            .await
            .problem(409, "purchase_limit");
    }
    eventually("the dead letter is there", async || {
        (shop.dead_letters().await.len() == 1).then_some(())
    })
    .await;
    let _listens = shop.events("/events").await;
    let expected = [
        ("firstcome_decisions_total{command=\"place_order\"}", 8.0),
        ("firstcome_decisions_total{command=\"create_product\"}", 2.0),
        ("firstcome_refusals_total{code=\"purchase_limit\"}", 3.0),
        ("firstcome_sequencer_depth", 0.0),
        ("firstcome_line_waiting{sku=\"WAIT-1\"}", 4.0),
        ("firstcome_line_waiting{sku=\"A-1\"}", 0.0),
        ("firstcome_product_available{sku=\"A-1\"}", 2.0),
        (
            "firstcome_queue_messages{queue=\"replenishment\",state=\"visible\"}",
            0.0,
        ),
        (
            "firstcome_queue_messages{queue=\"replenishment-dlq\",state=\"visible\"}",
            1.0,
        ),
        ("firstcome_clearing", 0.0),
        ("firstcome_feed_listeners", 1.0),
        ("firstcome_feed_dropped_total", 0.0),
        ("firstcome_feed_skipped_total", 0.0),
    ];
    // A decision is counted just after it is answered.
    let mut metrics = String::new();
    for (name, value) in expected {
        eventually(&format!("{name} is {value}"), async || {
            let answer = shop.get("/metrics").await;
            let kind = answer.header("content-type").unwrap();
            assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
            metrics = answer.body;
            (series(&metrics, name) == Some(value)).then_some(())
        })
        .await;
    }
    for name in [
        "firstcome_batch_size_count",
        "firstcome_batch_size_bucket{le=\"1\"}",
        "firstcome_commit_seconds_count",
        "firstcome_commit_seconds_sum",
        "firstcome_commit_seconds_bucket{le=\"+Inf\"}",
    ] {
        let value = series(&metrics, name).unwrap_or_else(|| panic!("{name}\n{metrics}"));
        assert!(value > 0.0, "{name} is {value}");
    }
    let age = series(
        &metrics,
        "firstcome_queue_oldest_seconds{queue=\"replenishment-dlq\"}",
    );
    assert!(age.is_some_and(|age| age < 60.0), "{metrics}");
}

/// Method and path of every route that a text names, as `GET /this`.
fn routes_in(text: &str) -> BTreeSet<(String, String)> {
    let mut routes = BTreeSet::new();
    for span in text.split('`').skip(1).step_by(2) {
        let Some((method, path)) = span.split_once(' ') else {
            continue;
        };
        if ["GET", "POST", "PATCH", "DELETE"].contains(&method) && path.starts_with('/') {
            let path = path.split(['?', ' ']).next().unwrap();
            routes.insert((method.to_owned(), path.to_owned()));
        }
    }
    routes
}

#[tokio::test]
async fn the_description_names_every_route_and_only_those() {
    let shop = Shop::start(Settings::new().arg("--demo")).await;
    let api = shop.get("/openapi.json").await.expect(200);
    let mut described = BTreeSet::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.insert((method.to_uppercase(), path.clone()));
            assert!(operation["responses"].is_object(), "{method} {path}");
        }
    }
    let page = include_str!("../../../../docs/API.md");
    let (_, routes) = page
        .split_once("\n## Products\n")
        .expect("the page has its parts");
    let mut written = routes_in(routes);
    for path in [
        "/products/{sku}/events",
        "/orders/{id}/events",
        "/auctions/{id}/events",
        "/bids/by-id/{id}/events",
    ] {
        assert!(routes.contains(&format!("`{path}`")));
        written.insert(("GET".to_owned(), path.to_owned()));
    }
    // What describes is not described.
    assert!(written.remove(&("GET".to_owned(), "/openapi.json".to_owned())));
    assert_eq!(described, written);
    assert!(written.len() > 20);

    // Without a server it is the same but for the demo's factory.
    let output = run(firstcome(&["openapi"]));
    assert!(output.status.success());
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (path, item) in api["paths"].as_object().unwrap() {
        if !path.starts_with("/api/manufactures") {
            assert_eq!(printed["paths"][path], *item, "{path}");
        }
    }
}

#[tokio::test]
async fn an_audit_runs_beside_orders_that_flow() {
    let mut shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 1_500, "whenSoldOut": "wait"}))
        .await;
    let body = json!({"sku": "A-1", "customer": "a@example.com"}).to_string();
    let data = shop.data();
    let flow = (0..16).map(async |_| {
        let mut connection = shop.connect().await;
        for _ in 0..150 {
            let answer = connection.send("POST", "/orders", &[], Some(&body)).await;
            assert!([201, 202].contains(&answer.unwrap().status));
        }
    });
    let audits = tokio::task::spawn_blocking(move || {
        let mut seen = Vec::new();
        while seen.last() != Some(&2_400) {
            let (code, report) = audit(&data);
            assert_eq!(report["clean"], true, "{report}");
            assert_eq!(code, 0);
            seen.push(report["orders"].as_u64().unwrap());
            assert!(seen.len() < 1_000, "the orders never came: {seen:?}");
        }
        seen
    });
    let (seen, _) = tokio::join!(audits, futures_util::future::join_all(flow));
    let seen = seen.unwrap();
    assert!(seen.is_sorted(), "{seen:?}");
    shop.stop().await;
    let (_, report) = audit(&shop.data());
    assert_eq!(report["orders"], 2_400);
    assert_eq!(report["accepted"], 1_500);
    assert_eq!(report["products"], 1);
    // The product, the orders, and what was told of their parcels so far.
    assert!(report["entries"].as_u64().unwrap() >= 2_401);
    assert_eq!(report["violationsTotal"], 0);
    let head = report["heads"]["A-1"].as_str().unwrap();
    assert_eq!(head.len(), 64);
    let mut command = firstcome(&["audit", "--data"]);
    command.arg(shop.data());
    let output = run(command);
    let said = text(&output.stdout);
    assert!(said.contains("every rule holds"), "{said}");
    assert!(said.contains(head), "{said}");
}

#[tokio::test]
async fn an_audit_says_which_place_breaks_which_rule() {
    let mut shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 2})).await;
    for _ in 0..3 {
        shop.place("A-1", "a@example.com", 1).await;
    }
    shop.stop().await;
    for (tampering, rule) in [
        (
            "UPDATE log SET data = replace(data, '\"place\":2', '\"place\":7')",
            3,
        ),
        (
            "UPDATE log SET data = replace(data, '\"unitPrice\":1000', '\"unitPrice\":1')",
            11,
        ),
        ("DELETE FROM log WHERE seq = 3", 3),
    ] {
        // In a copy: the shop's own store stays as it is.
        let copy = tempfile::tempdir().unwrap();
        let file = copy.path().join("firstcome.db");
        for name in ["firstcome.db", "firstcome.db-wal"] {
            std::fs::copy(shop.data().join(name), copy.path().join(name)).unwrap();
        }
        let store = rusqlite::Connection::open(&file).unwrap();
        let changed = store.execute(tampering, []).unwrap();
        assert!(changed > 0, "{tampering}");
        drop(store);
        let (code, report) = audit(copy.path());
        assert_eq!(code, 1, "{tampering}: {report}");
        assert_eq!(report["clean"], false);
        let violations = report["violations"].as_array().unwrap();
        let found = violations
            .iter()
            .find(|violation| violation["rule"] == rule);
        let found = found.unwrap_or_else(|| panic!("{tampering}: {report}"));
        assert_eq!(found["sku"], "A-1");
        assert!(found["what"].is_string(), "{found}");
        let mut command = firstcome(&["audit", "--data"]);
        command.arg(copy.path());
        let output = run(command);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stdout);
        assert!(said.contains("RULES ARE BROKEN"), "{said}");
        assert!(said.contains(&format!("rule {rule}: A-1")), "{said}");
    }
}
