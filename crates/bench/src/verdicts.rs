//! How soon a verdict is pushed while very many wait: each order that waits has a stream of its own,
//! goods arrive, and the head of the line hears that it is accepted.
//!
//! ```text
//! start -> a product without stock -> everybody joins its line and listens
//!       -> some units arrive, as many streams of the head say so; many times
//! ```
//!
//! Meanwhile everybody behind the head is told now and then how many are ahead, and somebody who has
//! nothing to do with it asks for `/healthz` again and again.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use memchr::memmem;
use mio::net::TcpStream;
use serde::Serialize;

use crate::clock;
use crate::error::{BenchError, io_error};
use crate::http;
use crate::load::{histogram, micros};
use crate::polls::allow_descriptors;
use crate::process;
use crate::report::thousands;
use crate::rows::System;
use crate::sqs::Latency;
use crate::streams::{self, Came, DESCRIPTORS_BESIDE};
use crate::suite::string_member;
use crate::systems::{Programs, Running};

/// Between the last verdict and the next receipt.
const PAUSE: Duration = Duration::from_millis(10);
/// Between two requests of somebody else.
const LOOK: Duration = Duration::from_millis(1);
/// How long a verdict may take.
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub struct Options {
    /// Orders that wait, each with its stream.
    pub waiting: u32,
    /// Units that arrive; no more than there are orders.
    pub verdicts: u32,
    /// Units of one receipt.
    pub at_a_time: u32,
    pub programs: Programs,
    pub dir: PathBuf,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub machine: String,
    pub waiting: u32,
    pub verdicts: u32,
    pub at_a_time: u32,
    /// From the moment at which the receipt of the goods was answered: it is durable then.
    pub from_answered: Latency,
    /// From the moment at which the receipt was sent, over a new connection.
    pub from_sent: Latency,
    /// `/healthz`, each over a new connection, while goods arrive.
    pub another: Latency,
    /// Other events that each stream had, a second.
    pub others_each: f64,
    pub resident_bytes: u64,
}

pub fn run(options: &Options, progress: &mut dyn FnMut(&str)) -> Result<Report, BenchError> {
    let Options {
        waiting,
        verdicts,
        at_a_time,
        ..
    } = *options;
    let bounded = |field, value, most, what| match (1..=most).contains(&value) {
        true => Ok(()),
        false => Err(BenchError::Option {
            field,
            problem: format!("{value} is not in 1 to {most}, {what}"),
        }),
    };
    bounded("verdicts", verdicts, waiting, "the orders that wait")?;
    bounded("at-a-time", at_a_time, verdicts, "the units that arrive")?;
    allow_descriptors(u64::from(waiting) + DESCRIPTORS_BESIDE)?;
    let dir = options.dir.join(format!("verdicts-{}", std::process::id()));
    let running = Running::start(&options.programs, System::Firstcome, &dir)?;
    let body = r#"{"sku":"HOT","name":"Ticket","price":19900,"currency":"KRW","stock":0,"whenSoldOut":"wait"}"#;
    post(&running, "/products", body, 201)?;
    progress(&format!(
        "{} orders join the line",
        thousands(waiting.into())
    ));
    let mut opened = Vec::new();
    for number in 0..waiting {
        let body = format!(r#"{{"sku":"HOT","customer":"b{number}@bench.example"}}"#);
        let order = post(&running, "/orders", &body, 202)?;
        let id = string_member(&order, "id").ok_or_else(|| BenchError::Answer {
            call: "POST /orders".to_owned(),
            body: order.clone(),
        })?;
        opened.push(streams::open(
            running.address,
            &format!("/orders/{id}/events"),
        )?);
    }
    let crowd = Crowd::of(opened)?;
    progress("goods arrive");
    let another = Another::begin(running.address)?;
    let (mut from_answered, mut from_sent) = (histogram(), histogram());
    let (began, before) = (clock::now(), crowd.events.load(Ordering::Relaxed));
    let mut first = 0;
    while first < verdicts {
        thread::sleep(PAUSE);
        let units = at_a_time.min(verdicts - first);
        let body = format!(r#"{{"quantity":{units},"reference":"bench-{first}"}}"#);
        let sent_at = clock::now();
        post(&running, "/products/HOT/receipts", &body, 201)?;
        let answered_at = clock::now();
        for _ in 0..units {
            let told_at = crowd.told(first + units)?;
            from_sent.saturating_record(micros(told_at - sent_at));
            from_answered.saturating_record(micros(told_at.saturating_duration_since(answered_at)));
        }
        first += units;
    }
    let another = another.end()?;
    let seconds = (clock::now() - began).as_secs_f64();
    let events = crowd.events.load(Ordering::Relaxed) - before;
    let resident_bytes = process::resident_bytes(running.pid())
        .map_err(io_error("reading the memory of the server"))?;
    crowd.close()?;
    drop(running);
    fs::remove_dir_all(&dir).map_err(io_error(format!("removing {}", dir.display())))?;
    Ok(Report {
        machine: process::machine(),
        waiting,
        verdicts,
        at_a_time,
        another,
        from_answered: Latency::of(&from_answered),
        from_sent: Latency::of(&from_sent),
        others_each: events.saturating_sub(verdicts.into()) as f64 / f64::from(waiting) / seconds,
        resident_bytes,
    })
}

fn post(running: &Running, path: &str, body: &str, expected: u16) -> Result<String, BenchError> {
    let (status, answer) = http::call(running.address, "POST", path, body)?;
    if status == expected {
        return Ok(answer);
    }
    Err(BenchError::Setup {
        call: format!("POST {path}"),
        status,
        body: answer,
    })
}

/// A stream whose order was accepted, and when it said so.
struct Told {
    stream: usize,
    at: Instant,
}

/// The streams, on a thread of their own.
struct Crowd {
    told: mpsc::Receiver<Told>,
    events: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Crowd {
    fn of(opened: Vec<TcpStream>) -> Result<Self, BenchError> {
        let (sender, told) = mpsc::channel();
        let (events, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (its_events, its_stop) = (Arc::clone(&events), Arc::clone(&stop));
        // A parcel that moves is told with the same status.
        let mut accepted = vec![false; opened.len()];
        let read = move || {
            streams::read_all(opened, &its_stop, |stream, came| {
                let Came::Events(events) = came else {
                    return Err(ErrorKind::UnexpectedEof.into());
                };
                let at = clock::now();
                let count = memmem::find_iter(events, b"event: ").count();
                its_events.fetch_add(count as u64, Ordering::Relaxed);
                let says_so = memmem::find(events, br#""status":"accepted""#);
                if says_so.is_some() && !accepted[stream] {
                    accepted[stream] = true;
                    // Nobody waits for it any more when the run has failed.
                    let _ = sender.send(Told { stream, at });
                }
                Ok(())
            })
        };
        let thread = thread::Builder::new()
            .name("streams".into())
            .spawn(read)
            .map_err(io_error("starting a thread"))?;
        Ok(Self {
            told,
            events,
            stop,
            thread,
        })
    }

    /// When the next stream was told its verdict; it must be among the first so many, each of which
    /// is told one.
    fn told(&self, until: u32) -> Result<Instant, BenchError> {
        let wrong = |body: String| BenchError::Answer {
            call: format!("the streams of the first {until} orders"),
            body,
        };
        let told = self.told.recv_timeout(LIMIT);
        let told = told.map_err(|_| wrong(format!("no verdict within {} s", LIMIT.as_secs())))?;
        match u32::try_from(told.stream) {
            Ok(stream) if stream < until => Ok(told.at),
            _ => Err(wrong(format!(
                "order {} was accepted before them",
                told.stream
            ))),
        }
    }

    fn close(self) -> Result<(), BenchError> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join().expect("it does not panic");
        ended.map_err(io_error("reading the streams"))
    }
}

/// Somebody who asks for something else all the time.
struct Another {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Latency, BenchError>>,
}

impl Another {
    fn begin(target: SocketAddr) -> Result<Self, BenchError> {
        let stop = Arc::new(AtomicBool::new(false));
        let its_stop = Arc::clone(&stop);
        let ask = move || {
            let mut took = histogram();
            while !its_stop.load(Ordering::Relaxed) {
                thread::sleep(LOOK);
                let asked_at = clock::now();
                let (status, body) = http::call(target, "GET", "/healthz", "")?;
                took.saturating_record(micros(clock::now() - asked_at));
                if status != 200 {
                    let call = "GET /healthz".to_owned();
                    return Err(BenchError::Setup { call, status, body });
                }
            }
            Ok(Latency::of(&took))
        };
        let thread = thread::Builder::new()
            .name("another".into())
            .spawn(ask)
            .map_err(io_error("starting a thread"))?;
        Ok(Self { stop, thread })
    }

    fn end(self) -> Result<Latency, BenchError> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("it does not panic")
    }
}

impl Report {
    pub fn table(&self) -> String {
        let figures = |latency: &Latency| {
            format!(
                "{:.2}, {:.2}, {:.2}",
                latency.ms_p50, latency.ms_p99, latency.ms_max
            )
        };
        format!(
            "{}\n\n| orders that wait, each with a stream | verdicts | units of a receipt | ms from the \
             receipt's answer: p50, p99, max | ms from the receipt: p50, p99, max | ms of another request: \
             p50, p99, max | other events a stream, a second | MiB |\n\
             |--:|--:|--:|--:|--:|--:|--:|--:|\n| {} | {} | {} | {} | {} | {} | {:.1} | {:.0} |\n",
            self.machine,
            thousands(self.waiting.into()),
            thousands(self.verdicts.into()),
            thousands(self.at_a_time.into()),
            figures(&self.from_answered),
            figures(&self.from_sent),
            figures(&self.another),
            self.others_each,
            self.resident_bytes as f64 / 1_048_576.0,
        )
    }
}
