//! Very many auctions that end in the same second: how long after their end the last of them is
//! closed, by the server's own clock, and whether each of them told it.

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
    pub closed: u64,
    /// After the end they share, in milliseconds.
    pub first_ms: i64,
    pub last_ms: i64,
    /// Messages with `auction.closed` that a subscriber got.
    pub told: u64,
}

impl Report {
    pub fn table(&self) -> String {
        format!(
            "{}\n{} auctions with one end ({:.0} created a second): {} closed, the first {} ms after it, \
             the last {} ms; {} told\n",
            self.machine,
            self.auctions,
            self.creates_per_s,
            self.closed,
            self.first_ms,
            self.last_ms,
            self.told
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
    let queue = subscribe(running.address)?;
    let deadline = clock::now() + Duration::from_secs(AHEAD_S) + LIMIT;
    while clock::now() < deadline && has_open(api)? {
        thread::sleep(LOOK_EVERY);
    }
    let (closed, first_ms, last_ms) = closings(api)?;
    let mut told = 0;
    while clock::now() < deadline && told < options.auctions {
        thread::sleep(LOOK_EVERY);
        (told, _) = sqs::depth(running.address, &queue)?;
    }
    drop(running);
    fs::remove_dir_all(&dir).map_err(io_error(format!("removing {}", dir.display())))?;
    Ok(Report {
        machine: process::machine(),
        auctions: options.auctions,
        creates_per_s,
        closed,
        first_ms,
        last_ms,
        told,
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

/// A queue that gets what is told from now on; returns its URL.
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
        "Action=Subscribe&Version=2010-03-31&TopicArn={arn}&Protocol=sqs&Endpoint={endpoint}"
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

/// How many are over, and how long after their ends the first and the last were closed.
fn closings(api: SocketAddr) -> Result<(u64, i64, i64), BenchError> {
    let (mut closed, mut first, mut last) = (0, i64::MAX, i64::MIN);
    let mut after = String::new();
    loop {
        let page = page(api, &format!("/auctions?status=unsold&limit={PAGE}{after}"))?;
        for auction in page["auctions"].as_array().into_iter().flatten() {
            let at = |member: &str| {
                auction[member]
                    .as_str()
                    .and_then(|text| text.parse::<jiff::Timestamp>().ok())
                    .map(jiff::Timestamp::as_millisecond)
            };
            if let (Some(ends), Some(closes)) = (at("endTime"), at("closedAt")) {
                closed += 1;
                first = first.min(closes - ends);
                last = last.max(closes - ends);
            }
        }
        match page["next"].as_u64() {
            Some(next) => after = format!("&after={next}"),
            None => return Ok((closed, first, last)),
        }
    }
}
