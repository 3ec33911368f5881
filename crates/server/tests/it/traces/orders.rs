//! An order's trace.

use serde_json::json;

use super::collector::Collector;
use super::{PARENT, TRACE, offer, order, says, traced, traceparent};
use crate::harness::factory::{Factory, Manner};
use crate::harness::{Settings, Shop};

#[tokio::test]
async fn an_order_is_one_trace_from_the_request_to_the_effects() {
    let collector = Collector::start();
    let shop = Shop::start(traced(&collector)).await;
    offer(&shop, "CP-1").await;
    let made = order(&shop, "CP-1", &traceparent()).await.expect(201);

    let is_it = |span: &super::Seen| span.name == "POST /orders";
    let request = collector.span("the request", is_it).await;
    assert_eq!((&*request.trace, &*request.parent), (TRACE, PARENT));
    assert_eq!(request.kind, "SPAN_KIND_SERVER");
    assert_eq!(request.service, "firstcome");
    let http = [
        ("http.request.method", "POST"),
        ("http.route", "/orders"),
        ("http.response.status_code", "201"),
    ];
    says(&request, &http);

    let decided = collector.below(&request, "decide place_order").await;
    assert_eq!(decided.kind, "SPAN_KIND_INTERNAL");
    assert!(decided.ms <= request.ms, "{decided:?} {request:?}");
    for topic in ["orders", "customers.fifo"] {
        let sent = collector.below(&decided, &format!("send {topic}")).await;
        assert_eq!(sent.kind, "SPAN_KIND_PRODUCER");
        let message = [
            ("messaging.system", "firstcome"),
            ("messaging.operation.type", "send"),
            ("messaging.destination.name", topic),
            ("firstcome.event.type", "order.accepted"),
        ];
        says(&sent, &message);
        assert_eq!(sent.attributes["messaging.message.id"].len(), 36);
    }

    let sent = collector.below(&decided, "send orders").await;
    let process = collector.below(&sent, "process mileage").await;
    assert_eq!(process.kind, "SPAN_KIND_CONSUMER");
    let message = [
        ("messaging.system", "firstcome"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.name", "mileage"),
        ("messaging.consumer.group.name", "mileage"),
        ("firstcome.message.receive_count", "1"),
        ("firstcome.outcome", "done"),
    ];
    says(&process, &message);
    assert_eq!(process.attributes["messaging.message.id"].len(), 36);
    collector.below(&process, "count mileage").await;

    let sent = collector.below(&decided, "send customers.fifo").await;
    let process = collector.below(&sent, "process vip.fifo").await;
    collector.below(&process, "count units").await;

    // Nothing that opens something, and nobody's address.
    let all = format!("{:?}", collector.spans());
    assert!(!all.contains("ada@"), "{all}");
    assert!(!all.contains(made["id"].as_str().unwrap()), "{all}");
}

#[tokio::test]
async fn a_malformed_traceparent_begins_a_new_trace_and_is_no_error() {
    let collector = Collector::start();
    let shop = Shop::start(traced(&collector)).await;
    offer(&shop, "CP-1").await;
    let wrong = [
        "garbage".to_owned(),
        format!("ff-{TRACE}-{PARENT}-01"),
        format!("00-{}-{PARENT}-01", "0".repeat(32)),
        format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
        format!("00-{TRACE}-{PARENT}-01-more"),
    ];
    for traceparent in &wrong {
        order(&shop, "CP-1", traceparent).await.expect(201);
    }
    let requests = crate::harness::wait::eventually("each is traced", async || {
        let spans = collector.spans().into_iter();
        let requests: Vec<_> = spans.filter(|span| span.name == "POST /orders").collect();
        (requests.len() == wrong.len()).then_some(requests)
    })
    .await;
    for request in requests {
        assert_eq!(request.parent, "", "{request:?}");
        assert_ne!(request.trace, TRACE);
    }
}

#[tokio::test]
async fn a_state_is_passed_on() {
    let collector = Collector::start();
    let shop = Shop::start(traced(&collector).set("CONSUMERS__OFF", "[mileage]")).await;
    offer(&shop, "CP-1").await;
    let body = json!({"sku": "CP-1", "customer": "ada@example.com"});
    let parent = traceparent();
    let headers = [
        ("traceparent", &*parent),
        ("tracestate", "rojo=00f067aa0ba902b7"),
    ];
    let answer = shop.send("POST", "/orders", &headers, Some(&body)).await;
    answer.expect(201);
    let messages = super::messages(&shop, "mileage", 1).await;
    let state = &messages[0].1["tracestate"]["StringValue"];
    assert_eq!(state, "rojo=00f067aa0ba902b7");
    let is_it = |span: &super::Seen| span.name == "POST /orders";
    let request = collector.span("the request", is_it).await;
    assert_eq!(request.state, "rojo=00f067aa0ba902b7");
}

#[tokio::test]
async fn whoever_is_called_in_the_end_is_told_the_trace() {
    let collector = Collector::start();
    let factory = Factory::start(Manner::Answer(202));
    let receiver = Factory::start(Manner::Answer(204));
    let settings: Settings = traced(&collector).factory(&factory.url());
    let shop = Shop::start(settings).await;
    let hook = json!({"url": receiver.url(), "types": ["order.accepted"]});
    shop.post("/webhooks", &hook).await.expect(201);
    let reorder = json!({"point": 0, "quantity": 10, "factory": "FF-1"});
    shop.offer("CP-1", json!({"stock": 1, "reorder": reorder}))
        .await;
    order(&shop, "CP-1", &traceparent()).await.expect(201);
    for (other, queue) in [
        (&factory, "replenishment"),
        (&receiver, "webhook-deliveries"),
    ] {
        let request = other.request(1).await;
        let told = request.headers["traceparent"].to_str().unwrap().to_owned();
        assert_eq!(&told[3..35], TRACE, "{queue}: {told}");
        let is_it = |span: &super::Seen| span.id == told[36..52];
        let call = collector.span("the call", is_it).await;
        assert_eq!((&*call.name, call.kind), ("POST", "SPAN_KIND_CLIENT"));
        says(&call, &[("server.address", "127.0.0.1")]);
        let is_it = |span: &super::Seen| span.id == call.parent;
        let process = collector.span("who has called", is_it).await;
        assert_eq!(process.name, format!("process {queue}"));
    }
}

#[tokio::test]
async fn what_another_request_does_to_an_order_is_in_its_trace_with_a_link_to_the_orders() {
    let collector = Collector::start();
    let shop = Shop::start(traced(&collector)).await;
    shop.offer("CP-1", json!({"whenSoldOut": "wait"})).await;
    order(&shop, "CP-1", &traceparent()).await.expect(202);
    let is_it = |span: &super::Seen| span.name == "decide place_order";
    let placed = collector.span("the order", is_it).await;
    assert_eq!(placed.trace, TRACE);
    let other = "11111111111111111111111111111111";
    let parent = format!("00-{other}-{PARENT}-01");
    let body = json!({"quantity": 1, "reference": "r-1"});
    let path = "/products/CP-1/receipts";
    let headers = [("traceparent", &*parent)];
    let answer = shop.send("POST", path, &headers, Some(&body)).await;
    answer.expect(201);
    let is_it = |span: &super::Seen| {
        let kind = span.attributes.get("firstcome.event.type");
        span.name == "send orders" && kind.is_some_and(|kind| kind == "order.accepted")
    };
    let sent = collector.span("the verdict", is_it).await;
    assert_eq!(sent.trace, other);
    assert_eq!(sent.links, [placed.id]);
    collector.below(&sent, "process mileage").await;
}

#[tokio::test]
async fn what_becomes_of_an_order_later_by_itself_is_in_its_own_trace() {
    let collector = Collector::start();
    let shop = Shop::start(traced(&collector).set("TRACES__RATIO", 0)).await;
    shop.offer("CP-1", json!({"whenSoldOut": "wait"})).await;
    order(&shop, "CP-1", &traceparent()).await.expect(202);
    shop.receive("CP-1", 1, "r-1").await;
    let is_it = |span: &super::Seen| {
        let kind = span.attributes.get("firstcome.event.type");
        span.name == "send orders" && kind.is_some_and(|kind| kind == "order.accepted")
    };
    let sent = collector.span("the verdict", is_it).await;
    let is_it = |span: &super::Seen| span.name == "decide place_order";
    let placed = collector.span("the order", is_it).await;
    assert_eq!((&*sent.trace, &*sent.parent), (TRACE, &*placed.id));
    collector.below(&sent, "process mileage").await;
}

#[tokio::test]
async fn an_e_mail_is_part_of_the_trace() {
    let collector = Collector::start();
    let settings = traced(&collector)
        .set("MAIL__TRANSPORT", "mailbox")
        .set("MAIL__VERDICTS", true);
    let shop = Shop::start(settings).await;
    offer(&shop, "CP-1").await;
    order(&shop, "CP-1", &traceparent()).await.expect(201);
    let is_it = |span: &super::Seen| span.name == "process emails";
    let process = collector.span("the message", is_it).await;
    assert_eq!(process.trace, TRACE);
    collector.below(&process, "write e-mails").await;
    let sent = collector.below(&process, "send e-mail").await;
    assert_eq!(sent.kind, "SPAN_KIND_CLIENT");
    says(&sent, &[("firstcome.outcome", "delivered")]);
}
