//! One order's whole story, from what the sale, the consumers and the post know of it.

use serde_json::{Value, json};

use crate::harness::factory::{Factory, Manner};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

const ADA: &str = "ada@example.com";
const TOKEN: &str = "correct-horse-battery";

async fn timeline(shop: &Shop, id: impl std::fmt::Display) -> Value {
    let path = format!("/ops/orders/{id}/timeline");
    shop.get(&path).await.expect(200)
}

/// Each item's source and what happened.
fn told(timeline: &Value) -> Vec<String> {
    let items = timeline["items"].as_array().unwrap();
    let word = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    items
        .iter()
        .map(|item| format!("{} {}", word(item, "source"), word(item, "what")))
        .collect()
}

fn item<'a>(timeline: &'a Value, what: &str) -> &'a Value {
    let items = timeline["items"].as_array().unwrap();
    items.iter().find(|item| item["what"] == what).unwrap()
}

/// The time line once it has as many items.
async fn of_length(shop: &Shop, id: &str, length: usize) -> Value {
    eventually(&format!("the time line has {length} items"), async || {
        let line = timeline(shop, id).await;
        (told(&line).len() >= length).then_some(line)
    })
    .await
}

async fn cancel(shop: &Shop, id: &str) {
    let path = format!("/orders/{id}");
    let answer = shop.send("DELETE", &path, &[], None).await;
    answer.expect(200);
}

/// A shop whose consumers tell of everything at once.
fn settings() -> Settings {
    Settings::new()
        .set("MAIL__VERDICTS", true)
        .set("VIP__UNITS", 2)
}

#[tokio::test]
async fn a_time_line_has_everything_once_and_in_order() {
    let shop = Shop::start(settings()).await;
    shop.offer("A-1", json!({"stock": 5})).await;
    let order = shop.place("A-1", ADA, 2).await;
    let id = order["id"].as_str().unwrap();
    let line = of_length(&shop, id, 6).await;
    let mut facts = told(&line);
    // Of one moment, the sale comes first; a parcel and an e-mail have a moment of their own.
    assert_eq!(facts[0], "sale order.accepted");
    facts.sort();
    let accepted = [
        "mail order.accepted",
        "mileage mileage.given",
        "parcel parcel.created",
        "sale order.accepted",
        "vip units.counted",
        "vip vip.reached",
    ];
    assert_eq!(facts, accepted);
    assert_eq!(line["order"]["status"], "accepted");
    assert_eq!((&line["missing"], &line["more"]), (&json!([]), &json!([])));

    let created = item(&line, "parcel.created");
    let tracking = created["detail"]["trackingId"].as_str().unwrap().to_owned();
    let packed = json!({"status": "packed", "place": "Seoul"});
    let path = format!("/carrier/parcels/{tracking}");
    shop.post(&path, &packed).await.expect(200);
    cancel(&shop, id).await;
    let line = of_length(&shop, id, 12).await;
    let mut facts = told(&line);
    facts.sort();
    let mut all: Vec<&str> = accepted.to_vec();
    all.extend([
        "mail order.cancelled",
        "mileage mileage.taken_back",
        "parcel parcel.packed",
        "parcel parcel.returned",
        "sale order.cancelled",
        "vip units.taken_back",
    ]);
    all.sort_unstable();
    assert_eq!(facts, all);
    let times: Vec<&str> = line["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["at"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let given = item(&line, "mileage.given")["detail"]["points"].as_i64();
    let taken = item(&line, "mileage.taken_back")["detail"]["points"].as_i64();
    assert_eq!(given.unwrap() + taken.unwrap(), 0);
    assert!(given.unwrap() > 0);
    assert_eq!(item(&line, "units.taken_back")["detail"]["units"], -2);
    assert_eq!(item(&line, "parcel.packed")["detail"]["location"], "Seoul");
    assert_eq!(item(&line, "order.cancelled")["status"], "cancelled");

    // By its number too, and nobody's address is in it.
    let seq = line["order"]["seq"].as_u64().unwrap();
    let again = timeline(&shop, seq).await;
    assert_eq!(told(&again), told(&line));
    assert!(!line.to_string().contains(ADA), "{line}");
    let customer = shop.get(&format!("/customers/{ADA}")).await.expect(200);
    let parcel = &customer["parcels"][0];
    assert_eq!(
        (&parcel["trackingId"], &parcel["sku"], &parcel["status"]),
        (&json!(tracking), &json!("A-1"), &json!("returned"))
    );
    assert_eq!(customer["parcels"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_order_that_waited_and_was_cancelled_later_has_its_verdict() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("W-1", json!({"stock": 0, "whenSoldOut": "wait"}))
        .await;
    let path = "/orders";
    let body = json!({"sku": "W-1", "quantity": 1, "customer": ADA});
    let placed = shop.send("POST", path, &[("prefer", "respond-async")], Some(&body));
    let order = placed.await.expect(202);
    let id = order["id"].as_str().unwrap();
    let line = timeline(&shop, id).await;
    assert_eq!(told(&line), ["sale order.placed"]);
    assert_eq!(line["items"][0]["status"], "pending");

    shop.receive("W-1", 5, "note-1").await;
    eventually("the order is accepted", async || {
        let order = shop.order_of(&order).await;
        (order["status"] == "accepted").then_some(())
    })
    .await;
    let other = shop.place("W-1", "bob@example.com", 1).await;
    assert_eq!(other["status"], "accepted");
    cancel(&shop, id).await;
    let line = timeline(&shop, id).await;
    let of_sale: Vec<_> = told(&line)
        .into_iter()
        .filter(|fact| fact.starts_with("sale"))
        .collect();
    assert_eq!(
        of_sale,
        [
            "sale order.placed",
            "sale order.accepted",
            "sale order.cancelled"
        ]
    );
    let accepted = item(&line, "order.accepted")["detail"]["seq"].as_u64();
    assert!(accepted > line["order"]["seq"].as_u64(), "{line}");
}

#[tokio::test]
async fn a_database_that_is_away_is_said_and_the_rest_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("elsewhere");
    std::fs::write(&place, "a file where a directory must be").unwrap();
    let customers = place.join("customers.db");
    let away = Settings::new()
        .arg("--customers")
        .arg(customers.to_str().unwrap());
    let shop = Shop::start(away).await;
    shop.offer("A-1", json!({"stock": 5})).await;
    let order = shop.place("A-1", ADA, 1).await;
    let id = order["id"].as_str().unwrap();
    let line = of_length(&shop, id, 2).await;
    assert_eq!(
        told(&line),
        ["sale order.accepted", "parcel parcel.created"]
    );
    assert_eq!(line["missing"], json!(["customers"]));
    std::fs::remove_file(&place).unwrap();
    let line = of_length(&shop, id, 4).await;
    assert_eq!(line["missing"], json!([]));
    assert_eq!(item(&line, "mileage.given")["source"], "mileage");
}

#[tokio::test]
async fn each_delivery_to_an_endpoint_is_on_the_time_line() {
    let shop = Shop::start(Settings::new().set("WEBHOOKS__RETRIES_S", "[0, 1]")).await;
    shop.offer("A-1", json!({"stock": 5})).await;
    let (well, ill) = (
        Factory::start(Manner::Answer(204)),
        Factory::start(Manner::Answer(503)),
    );
    let mut endpoints = Vec::new();
    for receiver in [&well, &ill] {
        let body = json!({"url": receiver.url(), "types": ["order.accepted"]});
        endpoints.push(shop.post("/webhooks", &body).await.expect(201));
    }
    let order = shop.place("A-1", ADA, 1).await;
    let id = order["id"].as_str().unwrap();
    let deliveries = eventually("both are over", async || {
        let line = timeline(&shop, id).await;
        let of_webhooks = |item: &&Value| item["source"] == "webhook";
        let items = line["items"].as_array().unwrap().iter();
        let found: Vec<Value> = items.filter(of_webhooks).cloned().collect();
        let is_over = found.iter().all(|item| item["status"] != "pending");
        (found.len() == 2 && is_over).then_some(found)
    })
    .await;
    for (endpoint, status, attempts, answer) in [
        (&endpoints[0], "delivered", 1, 204),
        (&endpoints[1], "failed", 3, 503),
    ] {
        let of_it = |item: &&Value| item["detail"]["to"] == endpoint["id"];
        let delivery = deliveries.iter().find(of_it).unwrap();
        assert_eq!(delivery["what"], "order.accepted");
        assert_eq!(delivery["status"], status, "{delivery}");
        assert_eq!(delivery["detail"]["attempts"], attempts);
        assert_eq!(delivery["detail"]["answer"], answer);
    }
}

#[tokio::test]
async fn an_order_that_is_not_there_has_no_time_line() {
    let shop = Shop::start(Settings::new().set("AUTH__OPERATOR_TOKEN", TOKEN)).await;
    shop.get("/ops/orders/7/timeline")
        .await
        .problem(401, "unauthorized");
    let bearer = format!("Bearer {TOKEN}");
    let token = [("authorization", bearer.as_str())];
    for id in [
        "7",
        "0",
        "18446744073709551615",
        "99999999999999999999",
        "ord_x",
        "-1",
        "x",
    ] {
        let path = format!("/ops/orders/{id}/timeline");
        let answer = shop.send("GET", &path, &token, None).await;
        answer.problem(404, "order_not_found");
    }
}

#[tokio::test]
async fn what_a_consumer_did_is_kept_and_asked_for_piece_by_piece() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 5})).await;
    shop.place("A-1", ADA, 1).await;
    let path = "/ops/consumers/history?name=mileage";
    let history = eventually("an order was counted", async || {
        let history = shop.get(path).await.expect(200);
        let samples = history["consumers"][0]["samples"].as_array().unwrap();
        let handled = samples.iter().filter_map(|one| one["handled"].as_u64());
        (handled.sum::<u64>() > 0).then_some(history.clone())
    })
    .await;
    assert_eq!(history["everySeconds"], 5);
    assert_eq!(history["consumers"][0]["name"], "mileage");
    let next = history["next"].as_u64().unwrap();
    let newer = shop.get(&format!("{path}&after={next}")).await.expect(200);
    assert!(newer["consumers"][0]["samples"].as_array().unwrap().len() <= 1);
    let all = shop.get("/ops/consumers/history").await.expect(200);
    let listed = shop.get("/ops/consumers").await.expect(200);
    let count = |answer: &Value| answer["consumers"].as_array().unwrap().len();
    assert_eq!(count(&all), count(&listed));
    shop.get("/ops/consumers/history?name=nobody")
        .await
        .problem(404, "consumer_not_found");
    shop.get("/ops/consumers/history?after=-1")
        .await
        .problem(400, "invalid_parameter");
}
