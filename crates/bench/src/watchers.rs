//! What it costs a sale that many watch it: orders of one product while so many streams show what
//! is left of it, or bids on one auction while so many show how it stands.
//!
//! ```text
//! start -> the product -> everybody watches -> orders, for a while -> the last is told to all
//! ```

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use memchr::memmem;
use serde::Serialize;

use crate::clock;
use crate::error::{BenchError, io_error};
use crate::http;
use crate::load::{self, Outcome};
use crate::polls::allow_descriptors;
use crate::process;
use crate::report::thousands;
use crate::rows::{self, System};
use crate::streams::{self, Came, DESCRIPTORS_BESIDE};
use crate::suite::{plan, prepare};
use crate::systems::{Programs, Running};

/// How long the last event may take to everybody.
const TOLD_LIMIT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Options {
    /// One run for each number of streams.
    pub watchers: Vec<u32>,
    pub what: What,
    /// Every event instead of the newest.
    pub every_event: bool,
    pub connections: u16,
    pub seconds: Duration,
    pub programs: Programs,
    pub dir: PathBuf,
}

#[derive(Clone, Copy, Debug)]
pub enum What {
    Product,
    Auction,
}

impl What {
    /// The row of the suite that is the load.
    fn row(self) -> &'static rows::Row {
        let name = match self {
            Self::Product => "orders",
            Self::Auction => "bids",
        };
        rows::find(name).expect("a row of the suite")
    }

    fn path(self, id: &str, every_event: bool) -> String {
        let path = match self {
            Self::Product => "/products/HOT/events".to_owned(),
            Self::Auction => format!("/auctions/{id}/events"),
        };
        let query = if every_event { "" } else { "?latest=true" };
        path + query
    }

    /// What stands before the number that grows by one with each order, or bid that was taken.
    fn number(self, every_event: bool) -> &'static [u8] {
        match (self, every_event) {
            (Self::Product, _) => br#""place":"#,
            (Self::Auction, true) => br#""bids":"#,
            (Self::Auction, false) => br#""bidCount":"#,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub watchers: u32,
    pub outcome: Outcome,
    /// Events that a stream had, a second of the load.
    pub events_each: f64,
    /// Streams that the server ended, for they were too slow.
    pub ended: u64,
    /// From the last answer until every stream had that order, or a later one.
    pub told_ms: f64,
    pub resident_bytes: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub machine: String,
    pub path: String,
    pub rows: Vec<Row>,
}

pub fn run(options: &Options, progress: &mut dyn FnMut(&str)) -> Result<Report, BenchError> {
    let most = options.watchers.iter().copied().max().unwrap_or(0);
    allow_descriptors(u64::from(most) + DESCRIPTORS_BESIDE)?;
    let mut report = Report {
        machine: process::machine(),
        path: options.what.path("{id}", options.every_event),
        rows: Vec::new(),
    };
    for &watchers in &options.watchers {
        progress(&format!("{} streams", thousands(watchers.into())));
        report.rows.push(run_one(options, watchers)?);
    }
    Ok(report)
}

fn run_one(options: &Options, watchers: u32) -> Result<Row, BenchError> {
    let dir = options
        .dir
        .join(format!("watchers-{watchers}-{}", std::process::id()));
    let running = Running::start(&options.programs, System::Firstcome, &dir)?;
    let row = options.what.row();
    let prepared = prepare(&running, row.setup)?;
    let id = prepared.captured.clone();
    let path = options.what.path(&id, options.every_event);
    let number = options.what.number(options.every_event);
    let crowd = Crowd::open(running.address, &path, number, watchers)?;
    let plan = plan(
        &running,
        row,
        prepared,
        options.connections,
        Duration::ZERO,
        options.seconds,
    );
    let outcome = load::run(&plan, None)?;
    let events = crowd.counts.events.load(Ordering::Relaxed);
    let last = clock::now();
    let newest = match options.what {
        What::Product => outcome.answered_total,
        What::Auction => bids_taken(&running, &id)?,
    };
    while crowd.behind(newest) > 0 && clock::now() - last < TOLD_LIMIT {
        std::thread::sleep(Duration::from_millis(1));
    }
    let told = clock::now() - last;
    let resident = process::resident_bytes(running.pid());
    let row = Row {
        watchers,
        events_each: events as f64 / f64::from(watchers.max(1)) / outcome.window_s,
        ended: crowd.counts.ended.load(Ordering::Relaxed),
        told_ms: told.as_secs_f64() * 1e3,
        resident_bytes: resident.map_err(io_error("reading the memory of the server"))?,
        outcome,
    };
    crowd.close()?;
    drop(running);
    std::fs::remove_dir_all(&dir).map_err(io_error(format!("removing {}", dir.display())))?;
    Ok(row)
}

/// Others came too low, which nobody is told.
fn bids_taken(running: &Running, id: &str) -> Result<u64, BenchError> {
    let path = format!("/auctions/{id}");
    let (_, body) = http::call(running.address, "GET", &path, "")?;
    let auction: Option<serde_json::Value> = serde_json::from_str(&body).ok();
    let count = auction.and_then(|auction| auction["bidCount"].as_u64());
    count.ok_or(BenchError::Answer { call: path, body })
}

#[derive(Default)]
struct Counts {
    events: AtomicU64,
    ended: AtomicU64,
    stop: AtomicBool,
}

/// The streams, on a thread of their own.
struct Crowd {
    counts: Arc<Counts>,
    /// The newest number that each has been told of.
    places: Arc<[AtomicU64]>,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Crowd {
    fn open(
        target: SocketAddr,
        path: &str,
        number: &'static [u8],
        watchers: u32,
    ) -> Result<Self, BenchError> {
        let opened = (0..watchers).map(|_| streams::open(target, path));
        let opened = opened.collect::<Result<Vec<_>, _>>()?;
        let counts = Arc::new(Counts::default());
        let places: Arc<[AtomicU64]> = (0..watchers).map(|_| AtomicU64::new(0)).collect();
        let (its_counts, its_places) = (Arc::clone(&counts), Arc::clone(&places));
        let read = move || {
            streams::read_all(opened, &its_counts.stop, |stream, came| {
                match came {
                    Came::Events(events) => take(events, number, &its_counts, &its_places[stream]),
                    Came::End => {
                        its_places[stream].store(0, Ordering::Relaxed);
                        its_counts.ended.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Ok(())
            })
        };
        let thread = std::thread::Builder::new()
            .name("watchers".into())
            .spawn(read)
            .map_err(io_error("starting a thread"))?;
        Ok(Self {
            counts,
            places,
            thread,
        })
    }

    /// How many have not been told of this place yet.
    fn behind(&self, place: u64) -> usize {
        let behind = |newest: &&AtomicU64| newest.load(Ordering::Relaxed) < place;
        let behind = self.places.iter().filter(behind).count();
        // Those that have ended stand at 0.
        let ended = usize::try_from(self.counts.ended.load(Ordering::Relaxed));
        behind.saturating_sub(ended.expect("a number of streams"))
    }

    fn close(self) -> Result<(), BenchError> {
        self.counts.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join().expect("it does not panic");
        ended.map_err(io_error("reading the streams"))
    }
}

/// Counts the events, and notes the last number of this name among them.
fn take(events: &[u8], name: &[u8], counts: &Counts, place: &AtomicU64) {
    let count =
        memmem::find_iter(events, b"\nid: ").count() + usize::from(events.starts_with(b"id: "));
    counts.events.fetch_add(count as u64, Ordering::Relaxed);
    let last = memmem::rfind(events, name);
    if let Some(at) = last {
        let digits = events[at + name.len()..].iter();
        let number = digits
            .take_while(|byte| byte.is_ascii_digit())
            .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
        place.store(number, Ordering::Relaxed);
    }
    // Who is told to look again knows it all.
    if memmem::rfind(events, br#""type":"reset""#) > last {
        place.store(u64::MAX, Ordering::Relaxed);
    }
}

impl Report {
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for row in &self.rows {
            if row.outcome.errors.total() > 0 {
                problems.push(format!("{}: {:?}", row.watchers, row.outcome.errors));
            }
            if row.told_ms >= TOLD_LIMIT.as_secs_f64() * 1e3 {
                problems.push(format!(
                    "{}: not everybody was told of the last one",
                    row.watchers
                ));
            }
        }
        problems
    }

    pub fn table(&self) -> String {
        let mut text = format!(
            "{}\nstreams of `{}`\n\n\
             | streams | answers/s | p50 ms | p99 ms | p99.9 ms | server CPU us an answer | \
             events a stream, a second | the last told to all after ms | ended | MiB |\n\
             |--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
            self.machine, self.path
        );
        for row in &self.rows {
            let outcome = &row.outcome;
            writeln!(
                text,
                "| {} | {} | {:.2} | {:.2} | {:.2} | {:.1} | {:.1} | {:.0} | {} | {:.0} |",
                thousands(row.watchers.into()),
                thousands(outcome.rate),
                outcome.latency_ms_p50,
                outcome.latency_ms_p99,
                outcome.latency_ms_p999,
                outcome.server_cpu_us,
                row.events_each,
                row.told_ms,
                row.ended,
                row.resident_bytes as f64 / 1_048_576.0,
            )
            .expect("a String");
        }
        text
    }
}
