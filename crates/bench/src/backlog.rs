//! One queue with very many messages: what they cost in memory, how long the server takes to
//! start on them, to receive some and to purge them all, and whether anybody who sends notices
//! that the space is swept afterwards.
//!
//! ```text
//! fill -> start again, twice -> receive; hold many, receive again -> look
//!      -> send for a while -> purge, go on sending until it is swept
//! ```
//!
//! With `--fifo GROUPS` the queue is a FIFO queue, and its messages name so many groups in turn. A
//! message that is received there would lock its group: timed receives make it visible again at
//! once.
//!
//! The end of the sweeping is seen from outside: `firstcome_clearing` of `/metrics` says whether
//! something is left. Sends during it have a fixed pace and their latency begins when they were due,
//! so that a pause of the server is not left out.

mod groups;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::clock;
use crate::error::{BenchError, io_error};
use crate::http;
use crate::load::{self, Expect, Outcome, Plan, Progress, Protocol};
use crate::process;
use crate::queue::Wire;
use crate::rows::{self, Request, Setup, System};
use crate::sends::{Client, SENDS_PER_S, Sends, while_sending};
use crate::sqs::{self, Latency};
use crate::suite::prepare;
use crate::systems::{Programs, Running};
use crate::template::Template;

/// Messages in each request that fills the queue, as in the row that is used.
const BATCH: u64 = 10;
const FILL_ROW: &str = "sqs-send-batch";
/// Calls of `GetQueueAttributes`.
const LOOKS: u64 = 200;
/// How long sends go on before the purge, to compare with.
const BEFORE_PURGE: Duration = Duration::from_secs(5);
/// How often is looked at the sweep.
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[derive(Clone, Debug)]
pub struct Options {
    pub messages: u64,
    pub connections: u16,
    /// Receives that are timed.
    pub receives: u64,
    /// Messages that are taken and held, and receives timed again.
    pub in_flight: u64,
    /// Of a FIFO queue with so many message groups.
    pub fifo: Option<u32>,
    /// How long filling may take, and sweeping.
    pub limit: Duration,
    pub programs: Programs,
    pub dir: PathBuf,
}

#[derive(Clone, Debug, Serialize)]
pub struct Start {
    pub after: &'static str,
    /// How long the server before it took to end; nothing for SIGKILL.
    pub stop_ms: Option<f64>,
    pub ready_file_ms: f64,
    /// To the first answers, from the start of the program.
    pub attributes_ms: f64,
    pub receive_ms: f64,
    pub resident_bytes: u64,
}

/// Receives beside many messages that somebody else has.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    pub take: Outcome,
    /// What the queue says, after them.
    pub in_flight: u64,
    pub receive: Outcome,
}

#[derive(Clone, Debug, Serialize)]
pub struct Sweep {
    /// Nothing when it was not over within the limit.
    pub seconds: Option<f64>,
    pub sweeps: u64,
    pub resident_bytes_max: u64,
    pub store_bytes_max: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub machine: String,
    pub messages: u64,
    /// Message groups, of a FIFO queue.
    pub fifo: Option<u32>,
    pub fill: Outcome,
    /// What the queue says that it has.
    pub counted: u64,
    pub resident_bytes_empty: u64,
    pub resident_bytes_full: u64,
    pub store_bytes: u64,
    pub starts: Vec<Start>,
    pub receive: Outcome,
    /// Nothing when no messages were to be held.
    pub held: Option<Held>,
    pub attributes: Outcome,
    pub sends_before: Latency,
    pub purge_ms: f64,
    /// What the queue has right after the purge was answered: what was sent since.
    pub left: u64,
    pub sends_meanwhile: Latency,
    pub sweep: Sweep,
}

impl Report {
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut outcomes = vec![
            ("filling", &self.fill),
            ("ReceiveMessage", &self.receive),
            ("GetQueueAttributes", &self.attributes),
        ];
        if let Some(held) = &self.held {
            outcomes.push(("taking messages", &held.take));
            outcomes.push(("ReceiveMessage beside them", &held.receive));
        }
        for (name, outcome) in outcomes {
            if outcome.errors.total() > 0 {
                problems.push(format!("{name}: {:?}", outcome.errors));
            }
        }
        let sent = self.fill.answered_total * BATCH;
        if sent < self.messages {
            problems.push(format!("{sent} messages were sent within the limit"));
        }
        if self.counted != sent {
            problems.push(format!(
                "{sent} messages were sent and the queue has {}",
                self.counted
            ));
        }
        if self.left > u64::from(SENDS_PER_S) {
            problems.push(format!("{} messages outlived the purge", self.left));
        }
        if self.sweep.seconds.is_none() {
            problems.push("the space was not swept within the limit".to_owned());
        }
        problems
    }
}

/// `progress` is called with the messages so far and the server's memory.
pub fn run(options: &Options, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, BenchError> {
    if let Some(groups) = options.fifo {
        groups::check(groups, options.in_flight)?;
    }
    let dir = options.dir.join(format!("backlog-{}", std::process::id()));
    let start = || Running::start(&options.programs, System::FirstcomeQueues, &dir);
    let mut running = start()?;
    let fifo = [Setup::CreateQueue {
        wire: Wire::Json,
        body: groups::CREATE,
    }];
    let setup = match options.fifo {
        Some(_) => &fifo,
        None => {
            rows::find(FILL_ROW)
                .expect("it is a row of the queues")
                .setup
        }
    };
    let queue_url = prepare(&running, setup)?.captured;
    let filled_at = running.address;
    let resident_bytes_empty = resident(&running)?;
    let fill = fill(options, &running, &queue_url, progress)?;
    let (counted, _) = sqs::depth(running.address, &queue_url)?;
    let resident_bytes_full = resident(&running)?;

    // The host of the URL is whatever the client uses, and the port is another one now.
    let url =
        |running: &Running| queue_url.replace(&filled_at.to_string(), &running.address.to_string());
    let mut starts = Vec::new();
    let (stop, _) = running.stop()?;
    running = start()?;
    starts.push(time_start(&running, &url(&running), "SIGTERM", Some(stop))?);
    drop(running);
    let running = start()?;
    let queue_url = url(&running);
    starts.push(time_start(&running, &queue_url, "SIGKILL", None)?);

    let repeat = |action: &str, body: &str, body_contains: &str, calls: u64| {
        load::run(
            &Plan {
                request: sqs::request(running.address, action, body),
                requests_max: calls,
                ..plan(&running, options.limit, body_contains)
            },
            None,
        )
    };
    let queue = format!(r#"{{"QueueUrl":"{queue_url}"}}"#);
    let one = match options.fifo {
        Some(_) => format!(r#"{{"QueueUrl":"{queue_url}","VisibilityTimeout":0}}"#),
        None => queue.clone(),
    };
    let receive_all = |body: &str, calls| repeat("ReceiveMessage", body, "ReceiptHandle", calls);
    let receive = receive_all(&one, options.receives)?;
    let mut held = None;
    if options.in_flight > 0 {
        let take = receive_all(&hold(&queue_url), options.in_flight.div_ceil(BATCH))?;
        let receive = receive_all(&one, options.receives)?;
        let (_, in_flight) = sqs::depth(running.address, &queue_url)?;
        held = Some(Held {
            take,
            in_flight,
            receive,
        });
    }
    let looks = sqs::depth_body(&queue_url);
    let attributes = repeat("GetQueueAttributes", &looks, "QueueArn", LOOKS)?;
    let store_bytes = store_bytes(&dir)?;

    let address = running.address;
    let sends = |run| Sends {
        target: address,
        queue_url: &queue_url,
        is_fifo: options.fifo.is_some(),
        run,
    };
    let ((), sends_before) = while_sending(&sends(1), || {
        thread::sleep(BEFORE_PURGE);
        Ok(())
    })?;
    let ((purge_ms, left, sweep), sends_meanwhile) = while_sending(&sends(2), || {
        let request = sqs::request(address, "PurgeQueue", &queue);
        let mut client = Client::connect(address)?;
        let began = clock::now();
        client.ask(request.rendered())?;
        let purge = clock::now() - began;
        let (left, _) = sqs::depth(address, &queue_url)?;
        let sweep = watch_sweep(&running, &dir, options.limit)?;
        Ok((ms(purge), left, sweep))
    })?;
    drop(running);
    fs::remove_dir_all(&dir).map_err(io_error(format!("removing {}", dir.display())))?;
    Ok(Report {
        machine: process::machine(),
        messages: options.messages,
        fifo: options.fifo,
        fill,
        counted,
        resident_bytes_empty,
        resident_bytes_full,
        store_bytes,
        starts,
        receive,
        held,
        attributes,
        sends_before,
        purge_ms,
        left,
        sends_meanwhile,
        sweep,
    })
}

fn fill(
    options: &Options,
    running: &Running,
    queue_url: &str,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Outcome, BenchError> {
    let row = rows::find(FILL_ROW).expect("it is a row of the queues");
    let Request::Http {
        method,
        path,
        headers,
        body,
    } = row.request
    else {
        unreachable!("queues are asked over HTTP")
    };
    let (body, picks) = match options.fifo {
        Some(groups) => (groups::body(queue_url), groups::names(groups)),
        None => (body.replace("{captured}", queue_url), Vec::new()),
    };
    let requests = options.messages.div_ceil(BATCH);
    load::run(
        &Plan {
            request: http::request(method, path, running.address, headers, &body).with_picks(picks),
            connections: options.connections,
            requests_max: requests,
            ..plan(running, options.limit, row.body_contains)
        },
        Some(Progress {
            every: (requests / 10).max(1),
            call: &mut |answered| {
                progress(answered * BATCH, resident(running).unwrap_or_default());
            },
        }),
    )
}

/// Takes messages that do not come back while anything is measured.
fn hold(queue_url: &str) -> String {
    format!(
        r#"{{"QueueUrl":"{queue_url}","MaxNumberOfMessages":{BATCH},"VisibilityTimeout":43200}}"#
    )
}

/// One connection and one request, until the caller says otherwise.
fn plan<'a>(running: &Running, limit: Duration, body_contains: &'a str) -> Plan<'a> {
    Plan {
        target: running.address,
        protocol: Protocol::Http,
        request: Template::parse(""),
        expect: Expect {
            status: 200,
            also: None,
            body_contains,
        },
        cycle: None,
        connections: 1,
        warmup: Duration::ZERO,
        window: limit,
        requests_max: 1,
        server_pids: running.pids(),
    }
}

fn time_start(
    running: &Running,
    queue_url: &str,
    after: &'static str,
    stop: Option<Duration>,
) -> Result<Start, BenchError> {
    sqs::depth(running.address, queue_url)?;
    let attributes = clock::now() - running.started_at;
    let queue = format!(r#"{{"QueueUrl":"{queue_url}"}}"#);
    sqs::call(running.address, "ReceiveMessage", &queue)?;
    let receive = clock::now() - running.started_at;
    Ok(Start {
        after,
        stop_ms: stop.map(ms),
        ready_file_ms: ms(running.ready_at - running.started_at),
        attributes_ms: ms(attributes),
        receive_ms: ms(receive),
        resident_bytes: resident(running)?,
    })
}

fn watch_sweep(running: &Running, dir: &Path, limit: Duration) -> Result<Sweep, BenchError> {
    let (began, before) = (clock::now(), sqs::decided(running, "sweep")?);
    let mut sweep = Sweep {
        seconds: None,
        sweeps: 0,
        resident_bytes_max: 0,
        store_bytes_max: 0,
    };
    while clock::now() - began < limit {
        thread::sleep(LOOK_EVERY);
        sweep.resident_bytes_max = sweep.resident_bytes_max.max(resident(running)?);
        sweep.store_bytes_max = sweep.store_bytes_max.max(store_bytes(dir)?);
        if !sqs::is_clearing(running)? {
            sweep.seconds = Some((clock::now() - began).as_secs_f64());
            break;
        }
    }
    sweep.sweeps = sqs::decided(running, "sweep")? - before;
    Ok(sweep)
}

fn resident(running: &Running) -> Result<u64, BenchError> {
    process::resident_bytes(running.pid()).map_err(io_error("reading the memory of the server"))
}

/// The files of the store; it has no folders.
fn store_bytes(dir: &Path) -> Result<u64, BenchError> {
    let sum = || -> std::io::Result<u64> {
        let entries = fs::read_dir(dir.join("data"))?;
        // A file may end between being listed and being looked at.
        Ok(entries
            .filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()))
            .sum())
    };
    sum().map_err(io_error("the size of the store"))
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
