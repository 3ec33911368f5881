//! The rows of the auctions: every bid is higher than the one sent before it. Those that are
//! overtaken on their way arrive too low; that is a verdict too, decided and synced like the
//! others, and the table says how many there were.

use super::{Count, KEYED, Request, Row, Setup, System};

const CREATE: Setup = Setup::Http {
    method: "POST",
    path: "/auctions",
    body: r#"{"product":"Guitar","startingPrice":1000,"currency":"USD","increment":1,"endTime":"{tomorrow}"}"#,
    status: 201,
    capture: Some("id"),
};

const CREATE_SEALED: Setup = Setup::Http {
    method: "POST",
    path: "/auctions",
    body: r#"{"product":"Guitar","startingPrice":1000,"currency":"USD","format":"sealed-second","endTime":"{tomorrow}"}"#,
    status: 201,
    capture: Some("id"),
};

const CREATE_MANY: Setup = Setup::Many {
    count: 1_000,
    path: "/auctions",
    body: r#"{"product":"Guitar","startingPrice":1000,"currency":"USD","increment":1,"endTime":"{tomorrow}"}"#,
    status: 201,
    member: "id",
};

const BID: &str =
    r#"{"auctionId":"{captured}","bidderId":"b{conn}-{n}@bench.example","bidAmount":{number}}"#;
const BID_ANYWHERE: &str =
    r#"{"auctionId":"{pick}","bidderId":"b{conn}-{n}@bench.example","bidAmount":{number}}"#;

#[expect(clippy::too_many_arguments, reason = "a row of a table")]
const fn row(
    name: &'static str,
    title: &'static str,
    setup: &'static [Setup],
    path: &'static str,
    body: &'static str,
    status: u16,
    also: Option<u16>,
    body_contains: &'static str,
) -> Row {
    Row {
        name,
        title,
        system: System::Firstcome,
        setup,
        request: Request::Http {
            method: "POST",
            path,
            headers: KEYED,
            body,
        },
        status,
        also,
        body_contains,
        count: Count::None,
        cycle: None,
        messages: 0,
        against: Some("echo"),
        connections: None,
        usual: false,
    }
}

pub(super) const ROWS: &[Row] = &[
    row(
        "bids",
        "`POST /bids`, one hot auction",
        &[CREATE],
        "/bids",
        BID,
        201,
        Some(409),
        r#""bidAmount""#,
    ),
    row(
        "bids-sealed",
        "`POST /bids`, one sealed auction: every bid is taken",
        &[CREATE_SEALED],
        "/bids",
        BID,
        201,
        None,
        r#""bidAmount""#,
    ),
    row(
        "bids-many",
        "`POST /bids`, over 1,000 auctions",
        &[CREATE_MANY],
        "/bids",
        BID_ANYWHERE,
        201,
        Some(409),
        r#""bidAmount""#,
    ),
    row(
        "bid-async",
        "`POST /bid`, one hot auction: admitted, verdicts follow",
        &[CREATE],
        "/bid",
        BID,
        202,
        None,
        r#""status":"pending""#,
    ),
];
