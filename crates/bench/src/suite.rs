//! The rows side by side: for each round, for each number of connections, each row on a program
//! of its own that was started afresh. Rows that are compared run within seconds of each other,
//! so that what else the machine does falls on both.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::clock;
use crate::error::{BenchError, io_error};
use crate::http;
use crate::load::{self, Expect, Outcome, Plan, Protocol};
use crate::probe::{self, Probe};
use crate::process;
use crate::queue::{self, Cycle, SIGNED, Wire, encoded};
use crate::resp;
use crate::rows::{self, Count, Request, Row, Setup};
use crate::systems::{Programs, Running};
use crate::template::{REQUESTS_MAX, Template};

/// The most rounds of one run.
pub const ROUNDS_MAX: u16 = 100;
/// A cell during which everything else on the machine used more than this, in cores, is taken
/// again, if it may; the attempt that was disturbed least is kept, whatever its rate, and counts
/// only when no other round was quieter.
pub const OTHERS_BUSY_MAX: f64 = 0.2;
/// So long the machine must have been quiet before a cell begins, if it may be waited for.
const QUIET_FOR: Duration = Duration::from_millis(500);
/// The most attempts at one cell.
pub const ATTEMPTS_MAX: u16 = 20;

#[derive(Clone, Debug)]
pub struct Options {
    pub rows: Vec<&'static Row>,
    pub connections: Vec<u16>,
    pub rounds: u16,
    /// How often a cell is taken at most, when the machine is busy with something else.
    pub attempts: u16,
    /// How long to wait for a quiet machine before each attempt.
    pub quiet_wait: Duration,
    pub warmup: Duration,
    pub window: Duration,
    pub programs: Programs,
    /// Where the stores are; it should be on the disk that is meant.
    pub dir: PathBuf,
}

/// One row at one number of connections in one round.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    pub row: &'static str,
    pub round: u16,
    pub outcome: Outcome,
    /// How many requests the system itself says it took, which must be `answered_total`.
    pub counted: Option<u64>,
    pub commits: Option<Commits>,
    pub server_resident_bytes: u64,
}

/// How the server shared its commits, by its own metrics: means over the whole cell.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Commits {
    pub decisions: f64,
    pub commit_ms: f64,
}

impl Commits {
    /// Nothing when the metrics are not there, or nothing was committed.
    pub(crate) fn parse(metrics: &str) -> Option<Self> {
        let figure = |name: &str| -> Option<f64> {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse().ok()
        };
        let commits = figure("firstcome_commit_seconds_count ")?;
        (commits > 0.0).then_some(Self {
            decisions: figure("firstcome_batch_size_sum ")? / commits,
            commit_ms: figure("firstcome_commit_seconds_sum ")? * 1e3 / commits,
        })
    }
}

impl Cell {
    /// Whether something else kept the machine busy meanwhile.
    pub fn disturbed(&self) -> bool {
        self.outcome.others_busy > OTHERS_BUSY_MAX
    }

    /// Why the cell is not a measurement, if it is none.
    pub fn problem(&self) -> Option<String> {
        let outcome = &self.outcome;
        if outcome.errors.total() > 0 {
            return Some(format!(
                "{} errors: {:?}",
                outcome.errors.total(),
                outcome.errors
            ));
        }
        if outcome.answered == 0 {
            return Some("nothing was answered in the window".to_owned());
        }
        match self.counted {
            Some(counted) if counted != outcome.answered_total => Some(format!(
                "{} requests were answered and the system counts {counted}",
                outcome.answered_total
            )),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub machine: String,
    pub probe: Probe,
    pub rounds: u16,
    pub window_s: f64,
    pub warmup_s: f64,
    pub cells: Vec<Cell>,
    /// Rows that were asked for and whose program is not there.
    pub not_run: Vec<&'static str>,
}

impl Report {
    pub fn problems(&self) -> Vec<String> {
        self.cells
            .iter()
            .filter_map(|cell| {
                let problem = cell.problem()?;
                Some(format!(
                    "{} at {} connections, round {}: {problem}",
                    cell.row,
                    cell.outcome.connections,
                    cell.round + 1
                ))
            })
            .collect()
    }
}

/// Runs the rows; `progress` is called with each cell as it is done.
pub fn run(options: &Options, progress: &mut dyn FnMut(&Cell)) -> Result<Report, BenchError> {
    fs::create_dir_all(&options.dir)
        .map_err(io_error(format!("creating {}", options.dir.display())))?;
    let (rows, missing): (Vec<&'static Row>, Vec<&'static Row>) = options
        .rows
        .iter()
        .copied()
        .partition(|row| options.programs.has(row.system));
    let mut report = Report {
        machine: process::machine(),
        probe: probe::run(&options.dir)?,
        rounds: options.rounds,
        window_s: options.window.as_secs_f64(),
        warmup_s: options.warmup.as_secs_f64(),
        cells: Vec::new(),
        not_run: missing.into_iter().map(|row| row.name).collect(),
    };
    for round in 0..options.rounds {
        for &connections in &options.connections {
            for row in &rows {
                if row
                    .connections
                    .is_some_and(|only| !only.contains(&connections))
                {
                    continue;
                }
                let cell = run_quiet_cell(options, row, connections, round)?;
                progress(&cell);
                report.cells.push(cell);
            }
        }
    }
    Ok(report)
}

fn run_quiet_cell(
    options: &Options,
    row: &'static Row,
    connections: u16,
    round: u16,
) -> Result<Cell, BenchError> {
    let mut quietest = run_cell(options, row, connections, round)?;
    for _ in 1..options.attempts {
        if !quietest.disturbed() || quietest.problem().is_some() {
            break;
        }
        let next = run_cell(options, row, connections, round)?;
        if next.problem().is_some() || next.outcome.others_busy < quietest.outcome.others_busy {
            quietest = next;
        }
    }
    Ok(quietest)
}

/// Waits until nothing else keeps the machine busy, or the time is up.
fn wait_for_quiet(limit: Duration) -> Result<(), BenchError> {
    let busy = || process::machine_cpu_s().map_err(io_error("/proc/stat"));
    let deadline = clock::now() + limit;
    while clock::now() < deadline {
        let (from, before) = (clock::now(), busy()?);
        std::thread::sleep(QUIET_FOR);
        let cores = (busy()? - before) / (clock::now() - from).as_secs_f64();
        if cores <= OTHERS_BUSY_MAX {
            break;
        }
    }
    Ok(())
}

fn run_cell(
    options: &Options,
    row: &'static Row,
    connections: u16,
    round: u16,
) -> Result<Cell, BenchError> {
    wait_for_quiet(options.quiet_wait)?;
    let dir = options
        .dir
        .join(format!("{}-{}", row.name, std::process::id()));
    let running = Running::start(&options.programs, row.system, &dir)?;
    let prepared = prepare(&running, row.setup)?;
    let plan = plan(
        &running,
        row,
        prepared,
        connections,
        options.warmup,
        options.window,
    );
    let outcome = load::run(&plan, None)?;
    let server_resident_bytes = process::resident_bytes(running.pid())
        .map_err(io_error("reading the memory of the server"))?;
    let counted = count(&running, row.count)?;
    let commits = match running.metrics {
        Some(address) => {
            let (_, metrics) = http::call(address, "GET", "/metrics", "")?;
            Commits::parse(&metrics)
        }
        None => None,
    };
    drop(running);
    fs::remove_dir_all(&dir).map_err(io_error(format!("removing {}", dir.display())))?;
    Ok(Cell {
        row: row.name,
        round,
        outcome,
        counted,
        commits,
        server_resident_bytes,
    })
}

/// What a row sends to a system that was prepared for it.
pub fn plan(
    running: &Running,
    row: &'static Row,
    Prepared { captured, picks }: Prepared,
    connections: u16,
    warmup: Duration,
    window: Duration,
) -> Plan<'static> {
    let (protocol, request) = request(running, &row.request, &captured);
    Plan {
        target: running.address,
        protocol,
        request: request.with_picks(picks),
        expect: Expect {
            status: row.status,
            also: row.also,
            body_contains: row.body_contains,
        },
        cycle: row
            .cycle
            .map(|(wire, batch)| Cycle::new(wire, running.address, &captured, batch)),
        connections,
        warmup,
        window,
        requests_max: REQUESTS_MAX,
        server_pids: running.pids(),
    }
}

/// What the calls that prepare a system found.
#[derive(Debug, Default)]
pub struct Prepared {
    /// The last capture.
    pub captured: String,
    pub picks: Vec<String>,
}

/// Accepted orders of [`rows::HOT_PRODUCT`], or of what has its name: as many as come in that time.
pub fn orders(
    running: &Running,
    headers: &[(&str, &str)],
    connections: u16,
    window: Duration,
) -> Plan<'static> {
    Plan {
        target: running.address,
        protocol: Protocol::Http,
        request: http::request(
            "POST",
            "/orders",
            running.address,
            headers,
            rows::ORDER_BODY,
        ),
        expect: Expect {
            status: 201,
            also: None,
            body_contains: r#""status":"accepted""#,
        },
        cycle: None,
        connections,
        warmup: Duration::ZERO,
        window,
        requests_max: REQUESTS_MAX,
        server_pids: running.pids(),
    }
}

/// Makes the calls that prepare a system.
pub fn prepare(running: &Running, setup: &[Setup]) -> Result<Prepared, BenchError> {
    let mut captured = String::new();
    let mut picks = Vec::new();
    for call in setup {
        match *call {
            Setup::Http {
                method,
                path,
                body,
                status,
                capture,
            } => {
                let name = format!("{method} {path}");
                let (answered, text) = http::call(
                    running.address,
                    method,
                    &fill(path, &captured),
                    &fill(body, &captured),
                )?;
                if answered != status {
                    return Err(BenchError::Setup {
                        call: name,
                        status: answered,
                        body: text,
                    });
                }
                if let Some(member) = capture {
                    captured = string_member(&text, member).ok_or(BenchError::Answer {
                        call: name,
                        body: text,
                    })?;
                }
            }
            Setup::Many {
                count,
                path,
                body,
                status,
                member,
            } => {
                for _ in 0..count {
                    let (answered, text) =
                        http::call(running.address, "POST", path, &fill(body, ""))?;
                    let pick = string_member(&text, member).filter(|_| answered == status);
                    picks.push(pick.ok_or_else(|| BenchError::Setup {
                        call: format!("POST {path}"),
                        status: answered,
                        body: text,
                    })?);
                }
            }
            Setup::CreateQueue { wire, body } => {
                captured = create_queue(running, wire, body)?;
            }
            Setup::Redis { arguments, capture } => {
                let reply = redis_call(running, arguments, &captured)?;
                if capture {
                    captured = reply;
                }
            }
        }
    }
    Ok(Prepared { captured, picks })
}

/// Returns the queue's URL.
fn create_queue(running: &Running, wire: Wire, body: &str) -> Result<String, BenchError> {
    let headers: &[(&str, &str)] = match wire {
        Wire::Json => &[
            ("Content-Type", "application/x-amz-json-1.0"),
            ("X-Amz-Target", "AmazonSQS.CreateQueue"),
        ],
        Wire::Query => &[("Content-Type", "application/x-www-form-urlencoded")],
    };
    let headers = [headers, &SIGNED].concat();
    let (_, text) = http::call_with(running.address, "POST", "/", &headers, body)?;
    let url = match wire {
        Wire::Json => string_member(&text, "QueueUrl"),
        Wire::Query => text
            .split_once("<QueueUrl>")
            .and_then(|(_, rest)| rest.split_once('<'))
            .map(|(url, _)| url.to_owned()),
    };
    url.ok_or_else(|| BenchError::Answer {
        call: "CreateQueue".to_owned(),
        body: text,
    })
}

fn request(running: &Running, request: &Request, captured: &str) -> (Protocol, Template) {
    match *request {
        Request::Http {
            method,
            path,
            headers,
            body,
        } => (
            Protocol::Http,
            http::request(
                method,
                &fill(path, captured),
                running.address,
                headers,
                &fill(body, captured),
            ),
        ),
        Request::Redis { arguments } => {
            let filled: Vec<String> = arguments.iter().map(|part| fill(part, captured)).collect();
            let borrowed: Vec<&str> = filled.iter().map(String::as_str).collect();
            (Protocol::Resp, resp::command(&borrowed))
        }
    }
}

fn count(running: &Running, count: Count) -> Result<Option<u64>, BenchError> {
    let (name, text, counted) = match count {
        Count::None => return Ok(None),
        Count::Http { path, member } => {
            let (_, text) = http::call(running.address, "GET", path, "")?;
            let counted = number_member(&text, member);
            (path, text, counted)
        }
        Count::Redis { arguments } => {
            let text = redis_call(running, arguments, "")?;
            let counted = text.parse().ok();
            ("redis", text, counted)
        }
    };
    counted.map(Some).ok_or_else(|| BenchError::Answer {
        call: name.to_owned(),
        body: text,
    })
}

fn redis_call(running: &Running, arguments: &[&str], captured: &str) -> Result<String, BenchError> {
    let filled: Vec<String> = arguments.iter().map(|part| fill(part, captured)).collect();
    let borrowed: Vec<&str> = filled.iter().map(String::as_str).collect();
    resp::call(running.address, &borrowed)
}

fn fill(text: &str, captured: &str) -> String {
    text.replace("{tomorrow}", &clock::tomorrow())
        .replace("{captured}", captured)
        .replace("{captured encoded}", &encoded(captured))
        .replace("{captured path}", queue::path(captured))
}

pub(crate) fn string_member(json: &str, member: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    Some(value.get(member)?.as_str()?.to_owned())
}

pub(crate) fn number_member(json: &str, member: &str) -> Option<u64> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    value.get(member)?.as_u64()
}
