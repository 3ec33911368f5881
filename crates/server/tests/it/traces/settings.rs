//! What is traced, and a collector that is away.

use serde_json::json;

use super::collector::{Collector, Seen};
use super::{PARENT, TRACE, offer, order, traced, traceparent};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop, firstcome, refused};

#[tokio::test]
async fn a_collector_that_is_away_harms_nothing() {
    // Nobody listens there; and somebody who takes the connection and says nothing.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let gone = {
        let once = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        once.local_addr().unwrap()
    };
    for address in [gone, silent.local_addr().unwrap()] {
        let endpoint = format!("http://{address}");
        let mut shop = Shop::start(Settings::new().set("TRACES__ENDPOINT", &endpoint)).await;
        offer(&shop, "CP-1").await;
        for _ in 0..20 {
            order(&shop, "CP-1", &traceparent()).await.expect(201);
        }
        let customer = eventually("the effects are there", async || {
            let answer = shop.get("/customers/ada@example.com").await;
            let customer = (answer.status == 200).then(|| answer.json())?;
            (customer["mileage"] == 400).then_some(customer)
        })
        .await;
        assert_eq!(customer["tier"], "normal");
        if address == gone {
            eventually("the spans are counted", async || {
                let metrics = shop.get("/metrics").await.body;
                let dropped = r#"firstcome_trace_spans_total{outcome="not_taken"}"#;
                metrics.contains(dropped).then_some(())
            })
            .await;
        }
        shop.stop().await;
    }
}

#[tokio::test]
async fn who_is_traced_follows_from_the_caller_and_from_the_ratio() {
    let collector = Collector::start();
    let shop = Shop::start(traced(&collector).set("TRACES__RATIO", 0)).await;
    offer(&shop, "CP-1").await;
    shop.order("CP-1", "nobody@example.com").await.expect(201);
    // Its caller does not record it.
    let unsampled = format!("00-{}-{PARENT}-00", "1".repeat(32));
    order(&shop, "CP-1", &unsampled).await.expect(201);
    order(&shop, "CP-1", &traceparent()).await.expect(201);
    let is_it = |span: &Seen| span.name == "process mileage";
    collector.span("the one that is recorded", is_it).await;
    drop(shop);
    let spans = collector.spans();
    assert!(spans.iter().all(|span| span.trace == TRACE), "{spans:?}");
}

#[tokio::test]
async fn a_request_without_a_trace_begins_one_and_those_of_machines_do_not() {
    let collector = Collector::start();
    let shop = Shop::start(traced(&collector)).await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(shop.get(path).await.status, 200);
    }
    shop.get("/nowhere/ord_secret")
        .await
        .problem(404, "not_found");
    let is_it = |span: &Seen| span.name == "GET";
    let request = collector.span("the request", is_it).await;
    assert_eq!(request.parent, "");
    // What a client does wrong is no error of the server's.
    assert!(!request.is_error, "{request:?}");
    drop(shop);
    let spans = format!("{:?}", collector.spans());
    assert!(
        !spans.contains("healthz") && !spans.contains("metrics"),
        "{spans}"
    );
    assert!(!spans.contains("secret"), "{spans}");
}

#[tokio::test]
async fn the_variables_of_opentelemetry_are_heard_below_our_own() {
    let (collector, other) = (Collector::start(), Collector::start());
    let settings = Settings::new()
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", other.url())
        .variable("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hidden0123")
        .variable("OTEL_SERVICE_NAME", "12345")
        .set("TRACES__ENDPOINT", collector.url())
        .set("LOG__LEVEL", "trace");
    let shop = Shop::start(settings).await;
    offer(&shop, "CP-1").await;
    let is_it = |span: &Seen| span.name == "POST /products";
    let request = collector.span("the request", is_it).await;
    assert_eq!(request.service, "12345");
    let headers = collector.headers();
    assert_eq!(headers[0]["api-key"], "hidden0123");
    assert!(!shop.log_text().contains("hidden0123"));
    assert!(other.spans().is_empty());
    let shop = Shop::start(Settings::new().variable("OTEL_EXPORTER_OTLP_ENDPOINT", other.url()));
    let shop = shop.await;
    let body = json!({"sku": "none", "customer": "ada@example.com"});
    shop.post("/orders", &body)
        .await
        .problem(404, "product_not_found");
    let is_it = |span: &Seen| span.name == "POST /orders";
    other.span("the request", is_it).await;
}

#[tokio::test]
async fn a_wrong_setting_is_refused_by_name() {
    for (name, value, part) in [
        (
            "FIRSTCOME_TRACES__ENDPOINT",
            "collector:4318",
            "`traces.endpoint`",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "collector:4318",
            "`traces.endpoint`",
        ),
        (
            "FIRSTCOME_TRACES__RATIO",
            "2",
            "`traces.ratio`: must be 0 to 1",
        ),
        ("FIRSTCOME_TRACES__RATE", "1", "`traces.rate`"),
    ] {
        let mut command = firstcome(&["serve", "--listen", "127.0.0.1:0"]);
        command.env(name, value);
        let (code, said) = refused(command).await;
        assert_eq!(code, 2, "{name}: {said}");
        assert!(said.contains(part), "{name}: {said}");
    }
}
