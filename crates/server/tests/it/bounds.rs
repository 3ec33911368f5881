//! Over its bounds, and on its way down, the server says so and loses nothing.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::client::{ANSWER_LIMIT, Answer, Connection};
use crate::harness::wait::{eventually, within};
use crate::harness::{Settings, Shop};

fn keyed(n: usize) -> (String, String) {
    let body = json!({"sku": "A-1", "customer": format!("{}@example.com", n % 100)});
    (format!("key-{n}"), body.to_string())
}

async fn send(connection: &mut Connection, n: usize) -> std::io::Result<Answer> {
    let (key, body) = keyed(n);
    let headers = [("idempotency-key", key.as_str())];
    connection
        .send("POST", "/orders", &headers, Some(&body))
        .await
}

/// The order of a final answer.
fn order_in(answer: &Answer) -> Option<Value> {
    match answer.status {
        201 => Some(answer.json()),
        409 => Some(answer.problem(409, "sold_out")["order"].clone()),
        503 => {
            answer.problem(503, "overloaded");
            assert!(answer.header("retry-after").is_some());
            None
        }
        status => panic!("{status}: {}", answer.body),
    }
}

#[tokio::test]
async fn a_stop_answers_everything_it_took_and_takes_nothing_it_does_not_answer() {
    const CONNECTIONS: usize = 50;
    const EACH: usize = 40;
    let mut shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 700})).await;
    let answered = std::cell::Cell::new(0);
    let clients = (0..CONNECTIONS).map(async |client| {
        let mut outcomes = Vec::new();
        let mut connection = shop.connect().await;
        for n in client * EACH..(client + 1) * EACH {
            match send(&mut connection, n).await {
                Ok(answer) => {
                    answered.set(answered.get() + 1);
                    let closing = answer.header("connection") == Some("close");
                    outcomes.push((n, order_in(&answer)));
                    if closing {
                        break;
                    }
                }
                // Refused, or closed before it was looked at.
                Err(_) => {
                    outcomes.push((n, None));
                    break;
                }
            }
        }
        outcomes
    });
    let stop = async {
        eventually("orders flow", async || {
            (answered.get() >= 500).then_some(())
        })
        .await;
        shop.terminate();
    };
    let (outcomes, ()) = tokio::join!(futures_util::future::join_all(clients), stop);
    assert_eq!(shop.ended().await.code(), Some(0));
    let outcomes: HashMap<usize, Option<Value>> = outcomes.into_iter().flatten().collect();
    let decided = outcomes.values().flatten().count() as u64;
    assert!(decided >= 500, "{decided}");
    assert!(decided < 2_000, "it was stopped in the middle");

    shop.restart().await;
    let product = shop.product("A-1").await;
    assert_eq!(
        product["lastPlace"], decided,
        "an order for every answer and no other"
    );
    let mut connection = shop.connect().await;
    for n in 0..CONNECTIONS * EACH {
        let answer = send(&mut connection, n).await.unwrap();
        match outcomes.get(&n) {
            Some(Some(order)) => {
                assert!(answer.is_replay(), "{n} was answered and is gone");
                assert_eq!(order_in(&answer).as_ref(), Some(order));
            }
            Some(None) | None => assert!(!answer.is_replay(), "{n} was stored in silence"),
        }
    }
    assert_eq!(shop.product("A-1").await["lastPlace"], 2_000);
}

#[tokio::test]
async fn a_full_queue_is_answered_with_503_and_nothing_is_lost() {
    const CONNECTIONS: usize = 64;
    const EACH: usize = 10;
    let mut shop = Shop::start(Settings::new().set("LIMITS__QUEUE_MAX", 1)).await;
    eventually("the product is there", async || {
        let body = json!({"sku": "A-1", "name": "A", "price": 1, "currency": "KRW", "stock": 400});
        let answer = shop.post("/products", &body).await;
        [201, 409].contains(&answer.status).then_some(())
    })
    .await;
    let clients = (0..CONNECTIONS).map(async |client| {
        let mut refused = 0;
        let mut orders = Vec::new();
        let mut connection = shop.connect().await;
        for n in client * EACH..(client + 1) * EACH {
            let order = loop {
                let answer = send(&mut connection, n).await.unwrap();
                match order_in(&answer) {
                    Some(order) => {
                        assert!(!answer.is_replay(), "a refused request was stored");
                        break order;
                    }
                    None => refused += 1,
                }
            };
            orders.push(order);
        }
        (refused, orders)
    });
    let done = tokio::time::timeout(ANSWER_LIMIT, futures_util::future::join_all(clients));
    let done = done.await.expect("everybody gets a turn");
    let refused: usize = done.iter().map(|(refused, _)| refused).sum();
    assert!(refused > 0, "nobody was refused");
    let orders: Vec<&Value> = done.iter().flat_map(|(_, orders)| orders).collect();
    let mut places: Vec<u64> = orders
        .iter()
        .map(|order| order["place"].as_u64().unwrap())
        .collect();
    places.sort_unstable();
    assert!(places.into_iter().eq(1..=(CONNECTIONS * EACH) as u64));
    let accepted = orders.iter().filter(|order| order["status"] == "accepted");
    assert_eq!(accepted.count(), 400);
    shop.stop().await;
}

#[tokio::test]
async fn clients_that_dawdle_hold_nobody_up() {
    let mut shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 9})).await;
    let mut dawdlers = Vec::new();
    for n in 0..50 {
        let mut connection = shop.connect().await;
        let part: &[u8] = match n % 3 {
            0 => b"",
            1 => b"POST /orders HTTP/1.1\r\nhost: x\r\ncontent-",
            _ => b"POST /orders HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"sku\"",
        };
        connection.write(part).await.unwrap();
        dawdlers.push(connection);
    }
    for place in 1..=5 {
        let order = shop.order("A-1", "a@example.com").await;
        assert_eq!(order.expect(201)["place"], place);
    }
    // One that finds the rest of its header after all is served.
    let body = json!({"sku": "A-1", "customer": "late@example.com"}).to_string();
    let rest = format!(
        "type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    dawdlers[1].write(rest.as_bytes()).await.unwrap();
    let answer = tokio::time::timeout(ANSWER_LIMIT, dawdlers[1].answer()).await;
    assert_eq!(answer.unwrap().unwrap().expect(201)["place"], 6);

    // Nor do they hold up the end for longer than it may take.
    shop.terminate();
    let status = within(Duration::from_secs(15), "it ends", async || {
        shop.try_ended()
    })
    .await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_means_now() {
    let mut shop = Shop::start(Settings::new()).await;
    let mut connection = shop.connect().await;
    let half = b"POST /orders HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    connection.write(half).await.unwrap();
    // It must have been begun, or there is nothing to wait for.
    shop.get("/healthz").await.expect(200);
    shop.terminate();
    eventually("it takes nobody new", async || {
        Connection::open(shop.address).await.err().map(|_| ())
    })
    .await;
    assert!(
        shop.try_ended().is_none(),
        "one request is still on its way"
    );
    shop.terminate();
    let status = within(Duration::from_secs(5), "it ends at once", async || {
        shop.try_ended()
    })
    .await;
    assert_eq!(status.code(), Some(130));
}

#[tokio::test]
async fn a_connection_past_the_bound_waits_for_its_turn() {
    let shop = Shop::start(Settings::new().set("LIMITS__CONNECTIONS_MAX", 2)).await;
    let mut first = shop.connect().await;
    let mut second = shop.connect().await;
    for connection in [&mut first, &mut second] {
        let answer = connection.send("GET", "/healthz", &[], None).await.unwrap();
        answer.expect(200);
    }
    let mut third = shop.connect().await;
    third.ask("GET", "/healthz", &[], None).await.unwrap();
    // Those that are served go on meanwhile.
    for _ in 0..20 {
        let answer = first.send("GET", "/readyz", &[], None).await.unwrap();
        answer.expect(200);
    }
    drop(second);
    let answer = tokio::time::timeout(ANSWER_LIMIT, third.answer()).await;
    answer.unwrap().unwrap().expect(200);
}

/// A WebSocket that only stays open.
async fn web_socket(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let hello = format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address}\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(hello.as_bytes()).await.unwrap();
    let mut begun = [0; 12];
    let read = stream.read_exact(&mut begun);
    tokio::time::timeout(ANSWER_LIMIT, read)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&begun, b"HTTP/1.1 101");
    stream
}

#[tokio::test]
async fn a_web_socket_counts_among_the_connections_as_long_as_it_is_open() {
    let shop = Shop::start(Settings::new().set("LIMITS__CONNECTIONS_MAX", 2)).await;
    let first = web_socket(shop.address).await;
    let second = web_socket(shop.address).await;
    let mut third = shop.connect().await;
    third.ask("GET", "/healthz", &[], None).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(200), third.answer()).await;
    assert!(early.is_err(), "there is no room for it");
    drop(first);
    let answer = tokio::time::timeout(ANSWER_LIMIT, third.answer()).await;
    answer.unwrap().unwrap().expect(200);
    drop(second);
}

#[tokio::test]
async fn the_largest_body_is_taken_and_one_more_byte_is_not() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 9})).await;
    let (_, order) = keyed(1);
    for (bytes, status) in [(65_536, 201), (65_537, 413)] {
        let padded = format!("{order}{}", " ".repeat(bytes - order.len()));
        let mut connection = shop.connect().await;
        let answer = connection.send("POST", "/orders", &[], Some(&padded)).await;
        assert_eq!(answer.unwrap().status, status, "{bytes} bytes");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 30})).await;
    let mut connection = shop.connect().await;
    for n in 0..50 {
        let (_, body) = keyed(n);
        connection
            .ask("POST", "/orders", &[], Some(&body))
            .await
            .unwrap();
    }
    for place in 1..=50 {
        let answer = connection.answer().await.unwrap();
        assert_eq!(order_in(&answer).unwrap()["place"], place);
    }
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_refused_before_it_is_sent() {
    let shop = Shop::start(Settings::new()).await;
    for (address, bytes) in [(shop.address, 65_537), (shop.aws_address, 3_276_801)] {
        let mut connection = Connection::open(address).await.unwrap();
        let head = format!(
            "POST /orders HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             expect: 100-continue\r\ncontent-length: {bytes}\r\n\r\n"
        );
        connection.write(head.as_bytes()).await.unwrap();
        // Less than what a body may take.
        let answer = tokio::time::timeout(Duration::from_secs(20), connection.answer()).await;
        assert_eq!(answer.unwrap().unwrap().status, 413);
    }
}

#[tokio::test]
async fn chunks_that_are_none_are_not_called_too_large() {
    let shop = Shop::start(Settings::new()).await;
    let head = "POST /orders HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\n\r\n";
    let large = format!("{:x}\r\n{}\r\n0\r\n\r\n", 70_000, " ".repeat(70_000));
    for (body, status, code) in [
        ("zz\r\n", 400, "invalid_json"),
        ("ffffffffffffffff0\r\n{}", 400, "invalid_json"),
        (&large, 413, "body_too_large"),
    ] {
        let mut connection = shop.connect().await;
        connection.write(head.as_bytes()).await.unwrap();
        connection.write(body.as_bytes()).await.unwrap();
        connection.answer().await.unwrap().problem(status, code);
    }
}

/// A program that writes its whole request before it looks for the answer, as most do.
#[tokio::test]
async fn who_is_refused_early_may_send_the_rest_and_reads_the_answer() {
    let shop = Shop::start(Settings::new()).await;
    let (here, foreign) = ("localhost", "evil.example");
    for (address, host, bytes, status) in [
        (shop.address, here, 1_000_000, 413),
        (shop.aws_address, here, 4_000_000, 413),
        (shop.address, foreign, 60_000, 403),
        (shop.aws_address, foreign, 3_000_000, 403),
    ] {
        let mut connection = Connection::open(address).await.unwrap();
        let head = format!(
            "POST /orders HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
             content-length: {bytes}\r\n\r\n"
        );
        connection.write(head.as_bytes()).await.unwrap();
        let part = vec![b' '; bytes / 10];
        for n in 0..10 {
            // By now the server has answered.
            tokio::time::sleep(Duration::from_millis(30)).await;
            let written = connection.write(&part).await;
            assert!(written.is_ok(), "{address}, {host}, part {n}: {written:?}");
        }
        assert_eq!(connection.answer().await.unwrap().status, status);
    }
}

#[tokio::test]
async fn who_is_refused_early_and_stays_is_not_waited_for() {
    let shop = Shop::start(Settings::new().set("LIMITS__CONNECTIONS_MAX", 1)).await;
    let mut first = Connection::open(shop.address).await.unwrap();
    let head = "POST /orders HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 1000000\r\n\r\n";
    first.write(head.as_bytes()).await.unwrap();
    assert_eq!(first.answer().await.unwrap().status, 413);
    let mut second = Connection::open(shop.address).await.unwrap();
    let answer = second.send("GET", "/healthz", &[], None).await.unwrap();
    assert_eq!(answer.status, 200);
    // It is told that nothing more comes, and is free to go.
    assert!(first.answer().await.is_err());
}

#[tokio::test]
async fn a_header_that_stands_there_once_is_refused_when_it_comes_twice() {
    let shop = Shop::start(Settings::new()).await;
    for (method, path, name) in [
        ("POST", "/orders", "Content-Type"),
        ("POST", "/orders", "Idempotency-Key"),
        ("GET", "/events", "Last-Event-ID"),
        ("GET", "/healthz", "Host"),
    ] {
        let kind = "application/json";
        let headers = [("Content-Type", kind), (name, kind), (name, kind)];
        let headers = match name {
            "Content-Type" => &headers[1..],
            _ => &headers[..],
        };
        let mut connection = shop.connect().await;
        let answer = connection.send(method, path, headers, Some("{}")).await;
        let problem = answer.unwrap().problem(400, "invalid_header");
        assert_eq!(problem["field"], name);
    }
}

#[tokio::test]
async fn http_1_1_has_a_host_and_1_0_need_not() {
    let shop = Shop::start(Settings::new()).await;
    let mut connection = shop.connect().await;
    let bare = b"GET /healthz HTTP/1.1\r\n\r\n";
    connection.write(bare).await.unwrap();
    let answer = connection.answer().await.unwrap();
    assert_eq!(answer.problem(400, "invalid_header")["field"], "Host");
    let mut connection = shop.connect().await;
    let old = b"GET /healthz HTTP/1.0\r\n\r\n";
    connection.write(old).await.unwrap();
    // The client here reads no such answer, and says what came.
    let answer = connection.answer().await.unwrap_err();
    assert_eq!(answer.to_string(), "HTTP/1.0 200 OK");
}
