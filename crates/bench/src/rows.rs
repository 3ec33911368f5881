//! What is measured, as data: a row names a system, how it is prepared, the request that is
//! repeated, what every answer must be, and the row it is compared with.
//!
//! To measure something else, add a row. The requests of rows that are compared with each other
//! have the same bytes but for the path, so that only the work differs.

mod auctions;
mod queues;

use crate::queue::Wire;

/// The program that a row runs against; each is started afresh, on an empty store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    Echo,
    Firstcome,
    Redis,
    /// Express + Bull on Node, and the Redis under it.
    Bull,
    /// Firstcome, on the address that speaks SQS.
    FirstcomeQueues,
    /// The SQS of `moto`, in memory.
    Moto,
    /// The SQS of `ElasticMQ` on a Java VM, in memory; it speaks the query protocol alone.
    ElasticMq,
}

#[derive(Clone, Copy, Debug)]
pub enum Request {
    Http {
        method: &'static str,
        path: &'static str,
        headers: &'static [(&'static str, &'static str)],
        body: &'static str,
    },
    Redis {
        arguments: &'static [&'static str],
    },
}

/// A call that prepares a system.
#[derive(Clone, Copy, Debug)]
pub enum Setup {
    Http {
        method: &'static str,
        path: &'static str,
        body: &'static str,
        status: u16,
        /// A member of the JSON that is answered, which stands for `{captured}` afterwards.
        capture: Option<&'static str>,
    },
    /// The same call so many times: what is found in the answers takes turns as `{pick}`.
    Many {
        count: usize,
        path: &'static str,
        body: &'static str,
        status: u16,
        member: &'static str,
    },
    /// A queue, of which the URL stands for `{captured}` afterwards.
    CreateQueue { wire: Wire, body: &'static str },
    Redis {
        arguments: &'static [&'static str],
        /// The reply stands for `{captured}` afterwards.
        capture: bool,
    },
}

/// Where a system says how many requests it took; it must be as many as were answered.
#[derive(Clone, Copy, Debug)]
pub enum Count {
    None,
    Http {
        path: &'static str,
        member: &'static str,
    },
    Redis {
        arguments: &'static [&'static str],
    },
}

#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub title: &'static str,
    pub system: System,
    pub setup: &'static [Setup],
    pub request: Request,
    pub status: u16,
    /// Another status that is an answer as well, whatever its body.
    pub also: Option<u16>,
    pub body_contains: &'static str,
    pub count: Count,
    /// What follows each request: messages are received, so many at a time, and deleted.
    pub cycle: Option<(Wire, usize)>,
    /// Messages in each request, where there is no cycle to count them.
    pub messages: u32,
    /// The row of which the rate is divided by, in the same round.
    pub against: Option<&'static str>,
    /// Numbers of connections at which it is measured, where not at all of them.
    pub connections: Option<&'static [u16]>,
    /// Measured when no rows are named.
    pub usual: bool,
}

/// Rows that belong together, with the numbers of connections at which they are usually measured.
#[derive(Clone, Copy, Debug)]
pub struct Set {
    pub name: &'static str,
    /// The floor stands before them.
    pub rows: &'static [Row],
    pub connections: &'static [u16],
}

pub const SETS: [Set; 2] = [
    Set {
        name: "queues",
        rows: queues::ROWS,
        connections: queues::CONNECTIONS,
    },
    Set {
        name: "auctions",
        rows: auctions::ROWS,
        connections: USUAL_CONNECTIONS,
    },
];

pub const USUAL_CONNECTIONS: &[u16] = &[1, 64, 256];

/// What a word stands for: a row, or a set of them.
#[derive(Clone, Debug)]
pub struct Chosen {
    pub rows: Vec<&'static Row>,
    pub connections: &'static [u16],
}

pub fn choose(word: &str) -> Option<Chosen> {
    if let Some(set) = SETS.iter().find(|set| set.name == word) {
        return Some(Chosen {
            rows: find("echo").into_iter().chain(set.rows).collect(),
            connections: set.connections,
        });
    }
    let row = find(word)?;
    Some(Chosen {
        rows: vec![row],
        connections: USUAL_CONNECTIONS,
    })
}

pub fn find(name: &str) -> Option<&'static Row> {
    all().find(|row| row.name == name)
}

/// Every row, in the order of the tables.
pub fn all() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().chain(auctions::ROWS).chain(queues::ROWS)
}

pub const KEYED: &[(&str, &str)] = &[
    ("Content-Type", "application/json"),
    ("Idempotency-Key", "{key}"),
];

pub const UNKEYED: &[(&str, &str)] = &[("Content-Type", "application/json")];

pub const ORDER_BODY: &str = r#"{"sku":"HOT","quantity":1,"customer":"b{conn}-{n}@bench.example"}"#;

/// One product with more stock than any run can sell.
pub const HOT_PRODUCT: Setup = Setup::Http {
    method: "POST",
    path: "/products",
    body: r#"{"sku":"HOT","name":"Donut","price":19900,"currency":"KRW","stock":1000000000}"#,
    status: 201,
    capture: None,
};

/// As [`HOT_PRODUCT`], with units that are counted for each customer.
pub const LIMITED_PRODUCT: Setup = Setup::Http {
    method: "POST",
    path: "/products",
    body: r#"{"sku":"HOT","name":"Donut","price":19900,"currency":"KRW","stock":1000000000,"purchaseLimit":4}"#,
    status: 201,
    capture: None,
};

/// One unit, and a line for all who come after the first.
pub const LINE_PRODUCT: Setup = Setup::Http {
    method: "POST",
    path: "/products",
    body: r#"{"sku":"HOT","name":"Ticket","price":19900,"currency":"KRW","stock":1,"whenSoldOut":"wait"}"#,
    status: 201,
    capture: None,
};

const ORDERS: Request = Request::Http {
    method: "POST",
    path: "/orders",
    headers: KEYED,
    body: ORDER_BODY,
};

const PLACES: Count = Count::Http {
    path: "/products/HOT",
    member: "lastPlace",
};

pub const ROWS: &[Row] = &[
    Row {
        name: "echo",
        title: "JSON echo, the floor",
        system: System::Echo,
        setup: &[],
        request: Request::Http {
            method: "POST",
            path: "/echo",
            headers: KEYED,
            body: ORDER_BODY,
        },
        status: 201,
        also: None,
        body_contains: r#""status":"accepted""#,
        count: Count::None,
        cycle: None,
        messages: 0,
        against: None,
        connections: None,
        usual: true,
    },
    Row {
        name: "orders",
        title: "`POST /orders`, accepted",
        system: System::Firstcome,
        setup: &[HOT_PRODUCT],
        request: ORDERS,
        status: 201,
        also: None,
        body_contains: r#""status":"accepted""#,
        count: PLACES,
        cycle: None,
        messages: 0,
        against: Some("echo"),
        connections: None,
        usual: true,
    },
    Row {
        name: "sold-out",
        title: "`POST /orders`, sold out",
        system: System::Firstcome,
        setup: &[Setup::Http {
            method: "POST",
            path: "/products",
            body: r#"{"sku":"HOT","name":"Donut","price":19900,"currency":"KRW","stock":0}"#,
            status: 201,
            capture: None,
        }],
        request: ORDERS,
        status: 409,
        also: None,
        body_contains: r#""code":"sold_out""#,
        count: PLACES,
        cycle: None,
        messages: 0,
        against: Some("echo"),
        connections: None,
        usual: true,
    },
    Row {
        name: "orders-unkeyed",
        title: "`POST /orders` without `Idempotency-Key`",
        system: System::Firstcome,
        setup: &[HOT_PRODUCT],
        request: Request::Http {
            method: "POST",
            path: "/orders",
            headers: UNKEYED,
            body: ORDER_BODY,
        },
        status: 201,
        also: None,
        body_contains: r#""status":"accepted""#,
        count: PLACES,
        cycle: None,
        messages: 0,
        against: Some("echo"),
        connections: None,
        usual: false,
    },
    // Redis at its best: no HTTP, no idempotency, one script call that numbers, decides and
    // keeps the order, with the append-only file synced before the reply.
    Row {
        name: "redis",
        title: "Redis 7 Lua script, `appendfsync always`",
        system: System::Redis,
        setup: &[
            Setup::Redis {
                arguments: &["HSET", "product:HOT", "stock", "1000000000", "place", "0"],
                capture: false,
            },
            Setup::Redis {
                arguments: &["SCRIPT", "LOAD", REDIS_SCRIPT],
                capture: true,
            },
        ],
        request: Request::Redis {
            arguments: &[
                "EVALSHA",
                "{captured}",
                "1",
                "product:HOT",
                "1",
                "b{conn}-{n}@bench.example",
            ],
        },
        status: crate::resp::STATUS_OK,
        also: None,
        body_contains: "accepted",
        count: Count::Redis {
            arguments: &["HGET", "product:HOT", "place"],
        },
        cycle: None,
        messages: 0,
        against: Some("echo"),
        connections: Some(&[64, 256]),
        usual: false,
    },
    Row {
        name: "bull",
        title: "Express + Bull + Redis, answered when decided",
        system: System::Bull,
        setup: &[],
        request: Request::Http {
            method: "POST",
            path: "/buy",
            headers: KEYED,
            body: ORDER_BODY,
        },
        status: 201,
        also: None,
        body_contains: r#""status":"accepted""#,
        count: Count::Http {
            path: "/sold",
            member: "sold",
        },
        cycle: None,
        messages: 0,
        against: Some("echo"),
        connections: Some(&[64, 256]),
        usual: false,
    },
];

const REDIS_SCRIPT: &str = "\
local place = redis.call('HINCRBY', KEYS[1], 'place', 1) \
local stock = tonumber(redis.call('HGET', KEYS[1], 'stock')) \
local quantity = tonumber(ARGV[1]) \
local status = 'sold_out' \
if stock >= quantity then \
  redis.call('HINCRBY', KEYS[1], 'stock', -quantity) \
  status = 'accepted' \
end \
redis.call('HSET', 'order:' .. place, 'sku', KEYS[1], 'quantity', quantity, \
  'customer', ARGV[2], 'status', status) \
return status .. ' ' .. place";
