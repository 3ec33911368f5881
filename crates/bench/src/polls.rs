//! Very many long polls that wait for nothing: what they cost in memory and processor time, and
//! how a message finds one of them.
//!
//! ```text
//! start -> nobody polls, for a while -> everybody polls -> nothing happens, for a while
//!       -> a message, the poll that wakes, its delete, the poll again; many times
//! ```
//!
//! That a message wakes one poll is seen from both sides: so many polls are answered, and so
//! often the server has looked into the queues, by its own count. The second may be higher: when
//! a poll is told to look, and finds nothing.

mod crowd;
mod table;

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;
use memchr::memmem;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde::Serialize;

use self::crowd::Crowd;
use crate::clock;
use crate::error::{BenchError, io_error};
use crate::load::{histogram, micros};
use crate::process;
use crate::rows::System;
use crate::sqs::{self, Latency};
use crate::systems::{Programs, Running};

/// The most polls, below the bound on connections that the server has by default
/// (`limits.connections_max`, `FIRSTCOME_LIMITS__CONNECTIONS_MAX`).
pub const CONNECTIONS_MAX: u16 = 50_000;
pub const QUEUES_MAX: u16 = 1_000;
/// Descriptors of a process beside its connections.
const DESCRIPTORS_BESIDE: u64 = 256;
/// Nothing is begun when polls will end, and begin again, within so long.
const MARGIN: Duration = Duration::from_secs(1);
/// A few of them do no harm: this part of all.
const MANY: usize = 20;
/// How the names of the queues begin.
const QUEUES: &str = "bench-";
/// The server has seen every poll when it has not looked into a queue for so long.
const SETTLED: Duration = Duration::from_millis(25);
const SETTLE_LIMIT: Duration = Duration::from_secs(60);
/// How long a message may take to a poll.
const WAKE_LIMIT: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub struct Options {
    pub connections: u16,
    /// One run for each: the polls are spread over so many queues.
    pub queues: Vec<u16>,
    /// Sent one at a time.
    pub messages: u32,
    pub idle: Duration,
    pub programs: Programs,
    pub dir: PathBuf,
}

#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub connections: u16,
    pub queues: u16,
    /// From the first connection until the server has seen every poll.
    pub arrival_s: f64,
    pub connect_ms_max: f64,
    pub resident_bytes_before: u64,
    pub resident_bytes_waiting: u64,
    /// The share of one core that the server used when nobody polled, and when all did.
    pub busy_before: f64,
    pub busy_waiting: f64,
    /// Polls that ended meanwhile, and came again: there must be none.
    pub ended_while_idle: u64,
    pub messages: u32,
    /// Polls that were answered with a message.
    pub woken: u64,
    /// Messages that came to no poll within [`WAKE_LIMIT`].
    pub missed: u64,
    /// How often the server has looked into the queues, but for the first look of each poll.
    pub looks: u64,
    pub from_sent: Latency,
    pub from_send: Latency,
    /// How many cores everything else on the machine used while messages were sent.
    pub others_busy: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub machine: String,
    pub idle_s: f64,
    pub outcomes: Vec<Outcome>,
}

impl Report {
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for outcome in &self.outcomes {
            let name = format!("{} polls, {} queues", outcome.connections, outcome.queues);
            if outcome.woken != u64::from(outcome.messages) || outcome.missed > 0 {
                problems.push(format!(
                    "{name}: {} messages were sent, {} polls got one, {} messages came to none",
                    outcome.messages, outcome.woken, outcome.missed
                ));
            }
            if outcome.ended_while_idle > 0 {
                problems.push(format!(
                    "{name}: {} polls ended while nothing should happen",
                    outcome.ended_while_idle
                ));
            }
        }
        problems
    }
}

/// `progress` is told what is being done.
pub fn run(options: &Options, progress: &mut dyn FnMut(&str)) -> Result<Report, BenchError> {
    let bounds = |field, value: u16, max: u16| {
        if (1..=max).contains(&value) {
            return Ok(());
        }
        Err(BenchError::Option {
            field,
            problem: format!("{value} is not in 1 to {max}"),
        })
    };
    bounds("connections", options.connections, CONNECTIONS_MAX)?;
    allow_descriptors(u64::from(options.connections) + DESCRIPTORS_BESIDE)?;
    let mut report = Report {
        machine: process::machine(),
        idle_s: options.idle.as_secs_f64(),
        outcomes: Vec::new(),
    };
    for &queues in &options.queues {
        bounds("queues", queues, QUEUES_MAX)?;
        report.outcomes.push(run_one(options, queues, progress)?);
    }
    Ok(report)
}

/// Raises the bound on open files, which the server inherits.
pub(crate) fn allow_descriptors(needed: u64) -> Result<(), BenchError> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    limit.current = Some(needed);
    setrlimit(Resource::Nofile, limit).map_err(|_| BenchError::Option {
        field: "connections",
        problem: format!(
            "{needed} open files are needed, and no more than {} are allowed",
            limit.maximum.unwrap_or_default()
        ),
    })
}

fn run_one(
    options: &Options,
    queues: u16,
    progress: &mut dyn FnMut(&str),
) -> Result<Outcome, BenchError> {
    let connections = options.connections;
    let dir = options
        .dir
        .join(format!("polls-{queues}-{}", std::process::id()));
    let running = Running::start(&options.programs, System::FirstcomeQueues, &dir)?;
    let urls = (0..queues)
        .map(|queue| sqs::create_queue(running.address, &format!("{QUEUES}{queue}")))
        .collect::<Result<Vec<_>, _>>()?;
    let resident_bytes_before = resident(&running)?;
    progress("nobody polls");
    let before = busy(&running, || {
        thread::sleep(options.idle);
        Ok(())
    })?;

    progress(&format!("{connections} polls on {queues} queues"));
    let began = clock::now();
    let mut crowd = Crowd::connect(running.address, &urls, connections)?;
    settle(&running, &mut crowd, 0)?;
    let arrival_s = (clock::now() - began).as_secs_f64();
    let connect_ms_max = crowd.slowest_connect().as_secs_f64() * 1e3;
    let resident_bytes_waiting = resident(&running)?;

    crowd.wait_until_fresh(options.idle + MARGIN, 0)?;
    settle(&running, &mut crowd, 0)?;
    let ended_before = crowd.ended();
    progress("nothing happens");
    let waiting = busy(&running, || crowd.wait(options.idle))?;
    let ended_while_idle = crowd.ended() - ended_before;

    progress("messages");
    let mut wakes = Wakes::new();
    let messages = busy(&running, || {
        (0..options.messages).try_for_each(|number| wakes.take(&running, &mut crowd, number))
    })?;
    drop(crowd);
    drop(running);
    fs::remove_dir_all(&dir).map_err(io_error(format!("removing {}", dir.display())))?;
    Ok(Outcome {
        connections,
        queues,
        arrival_s,
        connect_ms_max,
        resident_bytes_before,
        resident_bytes_waiting,
        busy_before: before.server,
        busy_waiting: waiting.server,
        ended_while_idle,
        messages: options.messages,
        woken: wakes.woken,
        missed: wakes.missed,
        looks: wakes.looks,
        from_sent: Latency::of(&wakes.from_sent),
        from_send: Latency::of(&wakes.from_send),
        others_busy: messages.others,
    })
}

/// Processor time for each second that passed.
struct Busy {
    server: f64,
    others: f64,
}

/// What was used during `work`.
fn busy(
    running: &Running,
    work: impl FnOnce() -> Result<(), BenchError>,
) -> Result<Busy, BenchError> {
    let usage = |pids: &[u32]| process::usage(pids).map_err(io_error("/proc/<pid>"));
    let look = || -> Result<[f64; 3], BenchError> {
        Ok([
            usage(&running.pids())?.cpu_s,
            usage(&[std::process::id()])?.cpu_s,
            process::machine_cpu_s().map_err(io_error("/proc/stat"))?,
        ])
    };
    let (began, before) = (clock::now(), look()?);
    work()?;
    let (seconds, after) = ((clock::now() - began).as_secs_f64(), look()?);
    let [server, own, machine] = std::array::from_fn(|of| (after[of] - before[of]) / seconds);
    Ok(Busy {
        server,
        others: (machine - server - own).max(0.0),
    })
}

/// Waits until the server has looked once for every poll that has begun, and as often besides as
/// is known, and looks no more; returns how often it has looked besides.
fn settle(running: &Running, crowd: &mut Crowd, looks: u64) -> Result<u64, BenchError> {
    let count = || sqs::looks(running, QUEUES);
    let deadline = clock::now() + SETTLE_LIMIT;
    let mut last = count()?;
    while clock::now() < deadline {
        crowd.wait(SETTLED)?;
        let count = count()?;
        let begun = crowd.begun();
        if count == last && count >= begun + looks {
            return Ok(count - begun);
        }
        last = count;
    }
    Err(BenchError::Option {
        field: "connections",
        problem: format!(
            "{last} of {} polls arrived within {} s",
            crowd.begun(),
            SETTLE_LIMIT.as_secs()
        ),
    })
}

/// What the messages did.
struct Wakes {
    woken: u64,
    missed: u64,
    looks: u64,
    from_sent: Histogram<u32>,
    from_send: Histogram<u32>,
}

impl Wakes {
    fn new() -> Self {
        Self {
            woken: 0,
            missed: 0,
            looks: 0,
            from_sent: histogram(),
            from_send: histogram(),
        }
    }

    /// One message, from a moment at which everybody waits to the next such moment.
    fn take(
        &mut self,
        running: &Running,
        crowd: &mut Crowd,
        number: u32,
    ) -> Result<(), BenchError> {
        crowd.wait_until_fresh(MARGIN, crowd.len() / MANY)?;
        settle(running, crowd, self.looks)?;
        let sent = crowd.send(number)?;
        crowd.wait_for_arrival(WAKE_LIMIT)?;
        // Whoever is woken besides has the time to come, too.
        self.looks = settle(running, crowd, self.looks)?;
        let arrivals = crowd.take_arrivals();
        if let Some(first) = arrivals.first() {
            let answered_at = sent.answered_at;
            self.from_send.saturating_record(micros(first.at - sent.at));
            self.from_sent
                .saturating_record(micros(first.at.saturating_duration_since(answered_at)));
        } else {
            self.missed += 1;
        }
        self.woken += arrivals.len() as u64;
        for arrival in arrivals {
            check_body(&arrival.body, number)?;
            crowd.delete(&arrival)?;
            crowd.poll_again(arrival.poll)?;
        }
        Ok(())
    }
}

/// The message that was just sent, and none of those that were deleted.
fn check_body(body: &[u8], number: u32) -> Result<(), BenchError> {
    if memmem::find(body, crowd::message(number).as_bytes()).is_some() {
        return Ok(());
    }
    Err(BenchError::Answer {
        call: "a poll".to_owned(),
        body: String::from_utf8_lossy(body).into_owned(),
    })
}

fn resident(running: &Running) -> Result<u64, BenchError> {
    process::resident_bytes(running.pid()).map_err(io_error("reading the memory of the server"))
}
