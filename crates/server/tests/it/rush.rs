//! The rush: 200 clients, 5,000 orders, 1,000 units; with and without SIGKILL in the middle.

use std::cell::{Cell, RefCell};

use serde_json::{Value, json};

use crate::harness::client::{Answer, Connection};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

const CLIENTS: usize = 200;
const ORDERS_EACH: usize = 25;
const ORDERS: usize = CLIENTS * ORDERS_EACH;
const UNITS: usize = 1_000;

struct Rush {
    /// By number of the order: every answer that came, in the order in which they came.
    answers: RefCell<Vec<Vec<Value>>>,
    answered: Cell<usize>,
    broken: Cell<usize>,
}

async fn ask(connection: &mut Connection, n: usize) -> std::io::Result<Answer> {
    let body = json!({"sku": "A-1", "customer": format!("{}@example.com", n % CLIENTS)});
    let key = format!("order-{n}");
    let headers = [("idempotency-key", key.as_str())];
    let body = body.to_string();
    connection
        .send("POST", "/orders", &headers, Some(&body))
        .await
}

fn order_in(answer: &Answer) -> Option<Value> {
    match answer.status {
        201 => Some(answer.json()),
        409 => Some(answer.problem(409, "sold_out")["order"].clone()),
        // Nobody knows what was stored, or nothing was: the same key asks again.
        503 => None,
        status => panic!("{status}: {}", answer.body),
    }
}

impl Rush {
    fn new() -> Self {
        Self {
            answers: RefCell::new(vec![Vec::new(); ORDERS]),
            answered: Cell::new(0),
            broken: Cell::new(0),
        }
    }

    /// One client: its orders one after another, each until it is answered.
    async fn client(&self, address: std::net::SocketAddr, client: usize) {
        let mut connection = None;
        for n in client * ORDERS_EACH..(client + 1) * ORDERS_EACH {
            let order = eventually("an order is answered", async || {
                if connection.is_none() {
                    connection = Connection::open(address).await.ok();
                }
                match ask(connection.as_mut()?, n).await {
                    Ok(answer) => order_in(&answer),
                    Err(_) => {
                        self.broken.set(self.broken.get() + 1);
                        connection = None;
                        None
                    }
                }
            })
            .await;
            self.answers.borrow_mut()[n].push(order);
            self.answered.set(self.answered.get() + 1);
        }
    }

    async fn clients(&self, shop_address: std::net::SocketAddr) {
        let clients = (0..CLIENTS).map(|client| self.client(shop_address, client));
        futures_util::future::join_all(clients).await;
    }

    /// Every acknowledged verdict stands, no key has two, and the sale was fair.
    async fn assert_fair(&self, shop: &Shop) {
        let mut places = vec![false; ORDERS + 1];
        let mut connection = shop.connect().await;
        let answers = self.answers.borrow().clone();
        for (n, answers) in answers.iter().enumerate() {
            let again = ask(&mut connection, n).await.unwrap();
            assert!(again.is_replay(), "order {n} is gone");
            let order = order_in(&again).unwrap();
            for answer in answers {
                assert_eq!(*answer, order, "order {n}");
            }
            let place = usize::try_from(order["place"].as_u64().unwrap()).unwrap();
            assert!(
                !std::mem::replace(&mut places[place], true),
                "place {place} twice"
            );
            // One unit each: the first thousand places get them, and nobody else.
            let expected = if place <= UNITS {
                "accepted"
            } else {
                "sold_out"
            };
            assert_eq!(order["status"], expected, "place {place}");
        }
        assert!(places[1..].iter().all(|taken| *taken), "a place is missing");
        let product = shop.product("A-1").await;
        assert_eq!(product["lastPlace"], ORDERS);
        assert_eq!(product["allocated"], UNITS);
        assert_eq!(product["onHand"], UNITS);
        assert_eq!(product["available"], 0);
    }
}

#[tokio::test]
async fn a_thousand_units_are_sold_to_the_first_thousand() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": UNITS})).await;
    let rush = Rush::new();
    rush.clients(shop.address).await;
    assert_eq!(rush.broken.get(), 0, "no connection broke");
    rush.assert_fair(&shop).await;
}

/// Numbers that look random and are the same in every run.
struct Seeded(u64);

impl Seeded {
    /// xorshift64*, Vigna 2016.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % bound
    }
}

#[tokio::test]
async fn a_thousand_units_are_sold_to_the_first_thousand_while_the_server_is_killed() {
    const KILLS: usize = 8;
    let mut shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": UNITS})).await;
    let rush = Rush::new();
    let mut seeded = Seeded(20_261_120);
    let address = shop.address;
    let kills = async {
        let mut at = 0;
        for _ in 0..KILLS {
            at += 1 + seeded.below(2 * ORDERS / KILLS - 200);
            let at = at.min(ORDERS - 1);
            eventually("so many were answered", async || {
                (rush.answered.get() >= at).then_some(())
            })
            .await;
            shop.kill();
            shop.restart().await;
        }
    };
    tokio::join!(rush.clients(address), kills);
    assert!(rush.broken.get() > 0, "no kill was noticed");
    rush.assert_fair(&shop).await;
    shop.kill();
    shop.restart().await;
    rush.assert_fair(&shop).await;
}
