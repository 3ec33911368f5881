use std::sync::Arc;

use axum::Router;
use commerce::{Currency, Email, Money, Name, NewProduct, Quantity, Sku, WhenSoldOut};
use engine::feed::FEED_BATCHES;
use engine::{BodyHash, Command, Engine, Limits, PlaceOrder};
use store::memory::Memory;
use tokio::net::TcpListener;

use super::*;
use crate::adapters::{OsIds, SystemClock};
use crate::listen::{self, Front};
use crate::realtime::socketio::{BUFFER, PATH, connected};

/// Half of these are refused.
const STOCK: usize = FEED_BATCHES / 2;

/// By then everything has come, or it never will.
const LIMIT: Duration = Duration::from_secs(60);

struct Shop {
    engine: Engine,
    io: SocketIo,
    url: String,
    cancel: CancellationToken,
}

impl Shop {
    async fn open() -> Self {
        let ids = Arc::new(OsIds::new().unwrap());
        let opened = Memory::default().open();
        let engine = Engine::start(opened, Arc::new(SystemClock), ids, Limits::default()).unwrap();
        let product = NewProduct {
            sku: Sku::new("A-1").unwrap(),
            name: Name::new("Thing").unwrap(),
            price: Money::new(1).unwrap(),
            currency: Currency::new("KRW").unwrap(),
            stock: STOCK as u64,
            purchase_limit: None,
            when_sold_out: WhenSoldOut::Reject,
            opens_at: None,
            reorder: None,
            ad_manager: None,
        };
        let create = Command::CreateProduct(Box::new(product));
        engine.decide(create).await.unwrap().unwrap();
        let (service, io) = SocketIo::builder().max_buffer_size(BUFFER).build_svc();
        io.ns("/", connected);
        let router = Router::new().route_service(PATH, service);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{PATH}", listener.local_addr().unwrap());
        let cancel = CancellationToken::new();
        let front = Front {
            routes: router,
            shortcut: None,
            doors: None,
            connections_max: 1_000,
        };
        tokio::spawn(listen::serve(listener, front, cancel.clone()));
        Self {
            engine,
            io,
            url,
            cancel,
        }
    }

    /// In a commit of its own.
    async fn order(&self, number: usize) {
        let order = PlaceOrder {
            sku: Sku::new("A-1").unwrap(),
            quantity: Quantity::new(1).unwrap(),
            customer: Email::new(&format!("{number}@example.com")).unwrap(),
            key: None,
            body: BodyHash(0),
            defer: false,
        };
        let _verdict = self.engine.decide(Command::PlaceOrder(order)).await;
    }

    fn tail(&self) -> Tail {
        let feed = self.engine.feed();
        feed.tail(feed.last_seq(), self.engine.reader())
    }

    fn start_telling(&self, tail: Tail) {
        tokio::spawn(run(tail, self.io.clone(), self.cancel.clone()));
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn verdict_of(number: usize) -> String {
    let text = if number < STOCK {
        "accepted"
    } else {
        "sold out"
    };
    format!(r#"42["{number}@example.com-send","{text}"]"#)
}

/// A socket over the long-polling transport.
struct Socket {
    client: reqwest::Client,
    url: String,
    heard: Vec<String>,
}

impl Socket {
    async fn open(shop: &Shop) -> Self {
        let _already_chosen = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().no_proxy();
        let client = builder.tls_certs_only([]).build().unwrap();
        let url = format!("{}?EIO=4&transport=polling", shop.url);
        let hello = client.get(&url).send().await.unwrap().text().await.unwrap();
        let hello: serde_json::Value = serde_json::from_str(&hello[1..]).unwrap();
        let url = format!("{url}&sid={}", hello["sid"].as_str().unwrap());
        let mut socket = Self {
            client,
            url,
            heard: Vec::new(),
        };
        socket.send("40").await;
        socket.poll().await;
        assert!(socket.heard.remove(0).starts_with("40"));
        socket
    }

    async fn send(&self, packet: &'static str) {
        let post = self.client.post(&self.url).body(packet).send().await;
        assert_eq!(post.unwrap().status(), 200);
    }

    async fn poll(&mut self) {
        let answer = self.client.get(&self.url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        for packet in answer.text().await.unwrap().split('\u{1e}') {
            match packet {
                "2" => self.send("3").await,
                _ => self.heard.push(packet.to_owned()),
            }
        }
    }

    async fn hear(&mut self, packets: usize) {
        let heard = async {
            while self.heard.len() < packets {
                self.poll().await;
            }
        };
        let in_time = tokio::time::timeout(LIMIT, heard).await;
        assert!(in_time.is_ok(), "{} of {packets}", self.heard.len());
    }
}

#[tokio::test]
async fn each_socket_hears_each_verdict_once_however_far_the_telling_was_behind() {
    let shop = Shop::open().await;
    let sockets = (0..20).map(|_| Socket::open(&shop));
    let mut sockets = futures_util::future::join_all(sockets).await;
    let tail = shop.tail();
    // More commits than the feed holds, before any of them is told.
    let behind = FEED_BATCHES + 200;
    for number in 0..behind {
        shop.order(number).await;
    }
    shop.start_telling(tail);
    futures_util::future::join_all(sockets.iter_mut().map(|socket| socket.hear(behind))).await;
    // What comes next is the next verdict, and nothing a second time.
    shop.order(behind).await;
    let next = behind + 1;
    futures_util::future::join_all(sockets.iter_mut().map(|socket| socket.hear(next))).await;
    let all: Vec<String> = (0..next).map(verdict_of).collect();
    for socket in sockets {
        assert_eq!(socket.heard, all);
    }
}

#[tokio::test]
async fn a_socket_that_takes_nothing_is_left_behind_and_the_others_hear_everything() {
    let shop = Shop::open().await;
    let mut slow = Socket::open(&shop).await;
    let mut other = Socket::open(&shop).await;
    shop.start_telling(shop.tail());
    // More than its buffer holds.
    let many = BUFFER + 10;
    for number in 0..many {
        shop.order(number).await;
    }
    other.hear(many).await;
    // It is told nothing more, but for its end.
    shop.order(many).await;
    other.hear(many + 1).await;
    let all: Vec<String> = (0..=many).map(verdict_of).collect();
    assert_eq!(other.heard, all);
    while slow.heard.last().is_none_or(|last| last != "41") {
        slow.poll().await;
    }
    slow.heard.pop();
    assert_eq!(slow.heard, all[..slow.heard.len()]);
    assert!(slow.heard.len() <= BUFFER, "{}", slow.heard.len());
}
