//! Very many auctions that end in the same second, a third of them with a bid: how long after their
//! end the last of them is closed, by the server's own clock, and whether each of them told it once,
//! and as what it is.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::clock;
use crate::error::{BenchError, io_error};
use crate::http;
use crate::load::{self, Expect, Plan, Protocol};
use crate::process;
use crate::rows::{System, UNKEYED};
use crate::sqs;
use crate::systems::{Programs, Running};

pub const AUCTIONS_MAX: u64 = 100_000;
/// The time for creating them: they end so long after the start, in seconds.
const AHEAD_S: u64 = 20;
const CONNECTIONS: u16 = 16;
/// How long the last of them may take.
const LIMIT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const PAGE: usize = 100;
/// The mark: how long after its end the last of them may be closed.
const LAST_MS_MAX: i64 = 5_000;
/// One of so many has a bid.
const BID_EVERY: usize = 3;
const BID: &str =
    r#"{"auctionId":"{pick}","bidderId":"b{conn}-{n}@bench.example","bidAmount":1500}"#;
/// Of one receive, and how long what it brought stays hidden.
const RECEIVE: &str = r#""MaxNumberOfMessages":10,"VisibilityTimeout":3600"#;

#[derive(Clone, Debug)]
pub struct Options {
    pub auctions: u64,
    pub programs: Programs,
    pub dir: PathBuf,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub machine: String,
    pub auctions: u64,
    pub creates_per_s: f64,
    /// Auctions with a bid.
    pub bids: u64,
    pub closed: u64,
    /// Of those that are closed, the ones with a winner.
    pub sold: u64,
    /// After the end they share, in milliseconds.
    pub first_ms: i64,
    pub last_ms: i64,
    /// Auctions of which a subscriber got `auction.closed`, as what they are.
    pub told: u64,
    /// Messages that should not have come: of another auction or kind, again, or otherwise wrong.
    pub strange: u64,
}

impl Report {
    pub fn table(&self) -> String {
        format!(
            "{}\n{} auctions with one end ({:.0} created a second), {} with a bid: {} closed, {} of them \
             sold, the first {} ms after it, the last {} ms; {} told, {} messages are strange\n",
            self.machine,
            self.auctions,
            self.creates_per_s,
            self.bids,
            self.closed,
            self.sold,
            self.first_ms,
            self.last_ms,
            self.told,
            self.strange,
        )
    }

    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.closed != self.auctions {
            problems.push(format!("{} of {} are closed", self.closed, self.auctions));
        }
        if self.told != self.auctions {
            problems.push(format!("{} of {} were told", self.told, self.auctions));
        }
        if self.sold != self.bids {
            problems.push(format!("{} of {} are sold", self.sold, self.bids));
        }
        if self.strange > 0 {
            problems.push(format!("{} messages are strange", self.strange));
        }
        if self.last_ms > LAST_MS_MAX {
            problems.push(format!(
                "the last closed {} ms after its end, more than {LAST_MS_MAX}",
                self.last_ms
            ));
        }
        problems
    }
}

pub fn run(options: &Options) -> Result<Report, BenchError> {
    if !(1..=AUCTIONS_MAX).contains(&options.auctions) {
        return Err(BenchError::Option {
            field: "auctions",
            problem: format!("{} is not in 1 to {AUCTIONS_MAX}", options.auctions),
        });
    }
    let dir = options.dir.join(format!("closings-{}", std::process::id()));
    let running = Running::start(&options.programs, System::FirstcomeQueues, &dir)?;
    let api = running.metrics.ok_or_else(|| BenchError::Option {
        field: "firstcome",
        problem: "does not say where its API is".to_owned(),
    })?;
    let ends_at = clock::in_seconds(AHEAD_S);
    let creates_per_s = create(api, options.auctions, &ends_at, &running)?;
    let ids = open_ids(api)?;
    let with_bid: Vec<String> = ids.iter().step_by(BID_EVERY).cloned().collect();
    bid(api, &with_bid, &running)?;
    let queue = subscribe(running.address)?;
    let deadline = clock::now() + Duration::from_secs(AHEAD_S) + LIMIT;
    while clock::now() < deadline && has_open(api)? {
        thread::sleep(LOOK_EVERY);
    }
    let Closed {
        closed,
        sold,
        first_ms,
        last_ms,
    } = closings(api)?;
    let mut heard = Heard::new(&ids, &with_bid);
    while clock::now() < deadline && heard.told < options.auctions {
        if receive(running.address, &queue, &mut heard)? == 0 {
            thread::sleep(LOOK_EVERY);
        }
    }
    // Whatever is more than that has come by now as well.
    while clock::now() < deadline && receive(running.address, &queue, &mut heard)? > 0 {}
    drop(running);
    fs::remove_dir_all(&dir).map_err(io_error(format!("removing {}", dir.display())))?;
    Ok(Report {
        machine: process::machine(),
        auctions: options.auctions,
        creates_per_s,
        bids: with_bid.len() as u64,
        closed,
        sold,
        first_ms,
        last_ms,
        told: heard.told,
        strange: heard.strange,
    })
}

fn create(
    api: SocketAddr,
    auctions: u64,
    ends_at: &str,
    running: &Running,
) -> Result<f64, BenchError> {
    let body = format!(
        r#"{{"product":"Lot {{number}}","startingPrice":1000,"currency":"USD","closingSoonMs":0,"endTime":"{ends_at}"}}"#
    );
    let outcome = load::run(
        &Plan {
            target: api,
            protocol: Protocol::Http,
            request: http::request("POST", "/auctions", api, UNKEYED, &body),
            expect: Expect {
                status: 201,
                also: None,
                body_contains: r#""status":"open""#,
            },
            cycle: None,
            connections: CONNECTIONS,
            warmup: Duration::ZERO,
            window: Duration::from_secs(AHEAD_S),
            requests_max: auctions,
            server_pids: running.pids(),
        },
        None,
    )?;
    if outcome.answered_total == auctions {
        return Ok(outcome.rate);
    }
    Err(BenchError::Option {
        field: "auctions",
        problem: format!(
            "{} were created before they ended: {:?}",
            outcome.answered_total, outcome.errors
        ),
    })
}

/// All that are open.
fn open_ids(api: SocketAddr) -> Result<Vec<String>, BenchError> {
    let mut ids = Vec::new();
    listed(api, "open", |auction| {
        ids.extend(auction["id"].as_str().map(str::to_owned));
    })?;
    Ok(ids)
}

/// One bid on each of these.
fn bid(api: SocketAddr, ids: &[String], running: &Running) -> Result<(), BenchError> {
    let outcome = load::run(
        &Plan {
            target: api,
            protocol: Protocol::Http,
            request: http::request("POST", "/bids", api, UNKEYED, BID).with_picks(ids.to_vec()),
            expect: Expect {
                status: 201,
                also: None,
                body_contains: r#""status":"leading""#,
            },
            cycle: None,
            connections: CONNECTIONS,
            warmup: Duration::ZERO,
            window: Duration::from_secs(AHEAD_S),
            requests_max: ids.len() as u64,
            server_pids: running.pids(),
        },
        None,
    )?;
    if outcome.answered_total == ids.len() as u64 && outcome.errors.total() == 0 {
        return Ok(());
    }
    Err(BenchError::Option {
        field: "auctions",
        problem: format!(
            "{} of {} had a bid before they ended: {:?}",
            outcome.answered_total,
            ids.len(),
            outcome.errors
        ),
    })
}

/// What a subscriber hears, compared with what is to be told.
struct Heard<'a> {
    /// How each auction ends, until that was told.
    expected: HashMap<&'a str, &'static str>,
    told: u64,
    strange: u64,
}

impl<'a> Heard<'a> {
    fn new(all: &'a [String], with_bid: &'a [String]) -> Self {
        let unsold = all.iter().map(|id| (id.as_str(), "unsold"));
        let sold = with_bid.iter().map(|id| (id.as_str(), "closed"));
        Self {
            expected: unsold.chain(sold).collect(),
            told: 0,
            strange: 0,
        }
    }

    fn hear(&mut self, event: &Value) {
        match event["type"].as_str() {
            // From before there was a subscriber.
            Some("auction.created" | "auction.opened") => {}
            Some("auction.closed") => {
                let data = &event["data"];
                let auction = data["auction"].as_str().unwrap_or_default();
                match self.expected.remove(auction) {
                    Some(status) if data["status"] == status => self.told += 1,
                    _ => self.strange += 1,
                }
            }
            _ => self.strange += 1,
        }
    }
}

/// Says how many messages there were.
fn receive(aws: SocketAddr, queue: &str, heard: &mut Heard<'_>) -> Result<usize, BenchError> {
    let action = "ReceiveMessage";
    let body = sqs::call(
        aws,
        action,
        &format!(r#"{{"QueueUrl":"{queue}",{RECEIVE}}}"#),
    )?;
    let answer: Value = serde_json::from_str(&body).map_err(|_| BenchError::Answer {
        call: action.to_owned(),
        body,
    })?;
    let messages = answer["Messages"].as_array().into_iter().flatten();
    let bodies = messages.map(|message| message["Body"].as_str().unwrap_or_default());
    let mut count = 0;
    for body in bodies {
        heard.hear(&serde_json::from_str(body).unwrap_or(Value::Null));
        count += 1;
    }
    Ok(count)
}

/// A queue that gets what is told from now on, as it is; returns its URL.
fn subscribe(aws: SocketAddr) -> Result<String, BenchError> {
    let url = sqs::create_queue(aws, "closings")?;
    let call = |body: &str| {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        match http::call_with(aws, "POST", "/", &headers, body)? {
            (200, answer) => Ok(answer),
            (status, body) => Err(BenchError::Setup {
                call: "SNS".to_owned(),
                status,
                body,
            }),
        }
    };
    let topic = call("Action=CreateTopic&Version=2010-03-31&Name=auctions")?;
    let arn = topic
        .split_once("<TopicArn>")
        .and_then(|(_, rest)| rest.split_once('<'))
        .map(|(arn, _)| arn.to_owned())
        .ok_or_else(|| BenchError::Answer {
            call: "CreateTopic".to_owned(),
            body: topic,
        })?;
    let endpoint = arn
        .replacen(":sns:", ":sqs:", 1)
        .replace(":auctions", ":closings");
    call(&format!(
        "Action=Subscribe&Version=2010-03-31&TopicArn={arn}&Protocol=sqs&Endpoint={endpoint}\
         &Attributes.entry.1.key=RawMessageDelivery&Attributes.entry.1.value=true"
    ))?;
    Ok(url)
}

fn page(api: SocketAddr, path: &str) -> Result<Value, BenchError> {
    let (status, text) = http::call(api, "GET", path, "")?;
    let parsed = serde_json::from_str(&text).ok().filter(|_| status == 200);
    parsed.ok_or_else(|| BenchError::Answer {
        call: path.to_owned(),
        body: text,
    })
}

fn has_open(api: SocketAddr) -> Result<bool, BenchError> {
    let page = page(api, "/auctions?status=open&limit=1")?;
    Ok(page["auctions"]
        .as_array()
        .is_some_and(|open| !open.is_empty()))
}

struct Closed {
    closed: u64,
    sold: u64,
    first_ms: i64,
    last_ms: i64,
}

/// How many are over, and how long after their ends the first and the last were closed.
fn closings(api: SocketAddr) -> Result<Closed, BenchError> {
    let mut all = Closed {
        closed: 0,
        sold: 0,
        first_ms: i64::MAX,
        last_ms: i64::MIN,
    };
    for status in ["unsold", "closed"] {
        listed(api, status, |auction| {
            let at = |member: &str| {
                auction[member]
                    .as_str()
                    .and_then(|text| text.parse::<jiff::Timestamp>().ok())
                    .map(jiff::Timestamp::as_millisecond)
            };
            if let (Some(ends), Some(closes)) = (at("endTime"), at("closedAt")) {
                all.closed += 1;
                all.sold += u64::from(status == "closed");
                all.first_ms = all.first_ms.min(closes - ends);
                all.last_ms = all.last_ms.max(closes - ends);
            }
        })?;
    }
    Ok(all)
}

/// Every auction of this status, page by page.
fn listed(api: SocketAddr, status: &str, mut each: impl FnMut(&Value)) -> Result<(), BenchError> {
    let mut after = String::new();
    loop {
        let page = page(
            api,
            &format!("/auctions?status={status}&limit={PAGE}{after}"),
        )?;
        for auction in page["auctions"].as_array().into_iter().flatten() {
            each(auction);
        }
        match page["next"].as_u64() {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_auction_is_to_be_told_once_and_as_what_it_is() {
        let ids = ["a", "b", "c"].map(str::to_owned);
        let mut heard = Heard::new(&ids, &ids[..1]);
        let closed = |auction: &str, status: &str| {
            let data = json!({"auction": auction, "status": status});
            json!({"type": "auction.closed", "data": data})
        };
        heard.hear(&json!({"type": "auction.opened", "data": {"auction": "a"}}));
        heard.hear(&closed("a", "closed"));
        heard.hear(&closed("b", "unsold"));
        assert_eq!((heard.told, heard.strange), (2, 0));
        for (nth, event) in (1..).zip([
            closed("a", "closed"),
            closed("c", "closed"),
            closed("d", "unsold"),
            json!({"type": "auction.cancelled", "data": {"auction": "c"}}),
            Value::Null,
        ]) {
            heard.hear(&event);
            assert_eq!((heard.told, heard.strange), (2, nth), "{event}");
        }
    }

    #[test]
    fn what_is_late_or_missing_is_a_problem() {
        let good = Report {
            machine: String::new(),
            auctions: 3,
            creates_per_s: 1.0,
            bids: 1,
            closed: 3,
            sold: 1,
            first_ms: 1,
            last_ms: LAST_MS_MAX,
            told: 3,
            strange: 0,
        };
        assert_eq!(good.problems(), Vec::<String>::new());
        let spoil: [fn(&mut Report); 5] = [
            |report| report.closed = 2,
            |report| report.told = 2,
            |report| report.sold = 0,
            |report| report.strange = 1,
            |report| report.last_ms = LAST_MS_MAX + 1,
        ];
        for spoil in spoil {
            let mut report = good.clone();
            spoil(&mut report);
            assert_eq!(report.problems().len(), 1, "{report:?}");
        }
    }
}
