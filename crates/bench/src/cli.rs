//! The command line of the measurements: `firstcome bench`, or `firstcome-bench` alone.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::error::{BenchError, io_error};
use crate::load::{Expect, Outcome, Plan, Protocol};
use crate::rows::{self, Chosen, Row};
use crate::systems::Programs;
use crate::template::REQUESTS_MAX;
use crate::{
    backlog, closings, fan_out, followups, http, load, memory, polls, report, scaling, suite,
    verdicts, watchers,
};
use clap::{Args, Parser, Subcommand};
use serde::Serialize;

#[derive(Parser)]
#[command(
    name = "firstcome-bench",
    about = "Load generator and measurements of Firstcome; loopback addresses only",
    after_help = "Without a command: `suite`."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Load one address with one request, repeated.
    Load(LoadArgs),
    /// Measure rows side by side: the echo, orders, the sold-out answer.
    Suite(SuiteArgs),
    /// A million orders: memory as they come in, and the time to start again.
    Memory(MemoryArgs),
    /// One queue with very many messages: starting, receiving, purging.
    Backlog(BacklogArgs),
    /// One message to very many queues: until all have it, and what others wait meanwhile.
    FanOut(FanOutArgs),
    /// Very many long polls that wait: memory, processor time, and who wakes.
    Polls(PollsArgs),
    /// Orders of one product while many streams show what is left of it.
    Watchers(WatchersArgs),
    /// Very many orders that wait, each with a stream: how soon the head's verdict is pushed.
    Verdicts(VerdictsArgs),
    /// Very many auctions that end in the same second.
    Closings(ClosingsArgs),
    /// Very many orders, and everything that follows them.
    Followups(FollowupsArgs),
    /// A burst of messages for a consumer that takes its time: how many work on it, and when.
    Scaling(ScalingArgs),
}

impl Command {
    /// What it starts, if anything.
    fn programs(&self) -> Option<&ProgramArgs> {
        match self {
            Self::Load(_) => None,
            Self::Suite(args) => Some(&args.programs),
            Self::Memory(args) => Some(&args.programs),
            Self::Backlog(args) => Some(&args.programs),
            Self::FanOut(args) => Some(&args.programs),
            Self::Polls(args) => Some(&args.programs),
            Self::Watchers(args) => Some(&args.programs),
            Self::Verdicts(args) => Some(&args.programs),
            Self::Closings(args) => Some(&args.programs),
            Self::Followups(args) => Some(&args.programs),
            Self::Scaling(args) => Some(&args.programs),
        }
    }
}

#[derive(Args)]
struct LoadArgs {
    /// The address that is loaded, such as 127.0.0.1:3000.
    target: SocketAddr,
    #[arg(long, default_value = "POST")]
    method: String,
    #[arg(long, default_value = "/orders")]
    path: String,
    /// The body; {conn}, {n}, {number} and {key} are replaced in each request.
    #[arg(long, default_value = rows::ORDER_BODY)]
    body: String,
    /// Send no Idempotency-Key.
    #[arg(long)]
    without_key: bool,
    #[arg(long, default_value_t = 201)]
    expect_status: u16,
    /// What the body of every answer must contain.
    #[arg(long, default_value = r#""status":"accepted""#)]
    expect_body: String,
    #[arg(long, default_value_t = 64)]
    connections: u16,
    /// The window that is counted, in seconds.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Seconds before the window.
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// The most requests, the warm-up among them.
    #[arg(long, default_value_t = REQUESTS_MAX)]
    requests: u64,
    /// The processes whose CPU time is counted.
    #[arg(long, value_delimiter = ',')]
    pid: Vec<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct ProgramArgs {
    /// The server [default: `firstcome` beside this program]
    #[arg(long)]
    firstcome: Option<PathBuf>,
    /// The echo of the same HTTP stack [default: `examples/echo_floor` beside this program]
    #[arg(long)]
    echo: Option<PathBuf>,
    #[arg(long, default_value = "redis-server")]
    redis: PathBuf,
    #[arg(long, default_value = "node")]
    node: PathBuf,
    /// The folder of the Express + Bull program, after `npm ci` in it.
    #[arg(long, default_value = "crates/bench/bull")]
    bull: PathBuf,
    /// `moto_server` of the Python package `moto[server]`, which speaks SQS.
    #[arg(long, default_value = "moto_server")]
    moto: PathBuf,
    #[arg(long, default_value = "java")]
    java: PathBuf,
    /// The jar of `ElasticMQ`, which speaks SQS; the npm package `elasticmq` brings one.
    #[arg(
        long,
        default_value = "crates/bench/elasticmq/node_modules/elasticmq/elasticmq-server-0.7.1.jar"
    )]
    elasticmq: PathBuf,
    /// Where the stores of the run are put; choose the disk that is meant
    /// [default: `bench` in `target`, or where there is none, `firstcome-bench`]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Write everything that was measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

impl ProgramArgs {
    fn programs(&self) -> Programs {
        Programs {
            firstcome: or_beside(self.firstcome.as_ref(), "firstcome"),
            echo: or_beside(self.echo.as_ref(), "examples/echo_floor"),
            redis: self.redis.clone(),
            node: self.node.clone(),
            bull: self.bull.clone(),
            moto: self.moto.clone(),
            java: self.java.clone(),
            elasticmq: self.elasticmq.clone(),
        }
    }

    /// Prints what was measured, and writes all of it where that was asked for.
    fn show(&self, table: &str, report: &impl Serialize) -> Result<(), BenchError> {
        print(table);
        let Some(path) = &self.json else {
            return Ok(());
        };
        fs::write(path, to_json(report)).map_err(io_error(format!("writing {}", path.display())))
    }

    fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| {
            let target = Path::new("target");
            match target.is_dir() {
                true => target.join("bench"),
                false => PathBuf::from("firstcome-bench"),
            }
        })
    }
}

/// The program that was named, or the one of this name in the folder of this one.
fn or_beside(named: Option<&PathBuf>, name: &str) -> PathBuf {
    let beside = || {
        let own = std::env::current_exe().ok();
        own.and_then(|own| own.parent().map(|folder| folder.join(name)))
    };
    let found = named.cloned().or_else(beside);
    found.unwrap_or_else(|| PathBuf::from(name))
}

#[derive(Args)]
struct SuiteArgs {
    #[command(flatten)]
    programs: ProgramArgs,
    /// Rows to measure instead of the usual ones; `queues` and `auctions` are all of their kind.
    #[arg(long, value_delimiter = ',', value_parser = parse_rows)]
    rows: Vec<Chosen>,
    /// Rows to measure besides.
    #[arg(long, value_delimiter = ',', value_parser = parse_rows)]
    with: Vec<Chosen>,
    /// Numbers of connections [default: 1,64,256, for `queues` 1,16,64]
    #[arg(long, value_delimiter = ',')]
    connections: Vec<u16>,
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=i64::from(suite::ROUNDS_MAX)))]
    rounds: u16,
    /// How often to take a cell at most, when something else keeps the machine busy.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=i64::from(suite::ATTEMPTS_MAX)))]
    attempts: u16,
    /// How long to wait before each attempt for a machine that is not busy, in seconds.
    #[arg(long, default_value_t = 10.0)]
    quiet_wait: f64,
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
}

#[derive(Args)]
struct MemoryArgs {
    #[command(flatten)]
    programs: ProgramArgs,
    #[arg(long, default_value_t = 1_000_000)]
    orders: u64,
    #[arg(long, default_value_t = 128)]
    connections: u16,
    /// How long the orders of one series may take, in seconds.
    #[arg(long, default_value_t = 300.0)]
    seconds: f64,
}

#[derive(Args)]
struct BacklogArgs {
    #[command(flatten)]
    programs: ProgramArgs,
    #[arg(long, default_value_t = 1_000_000)]
    messages: u64,
    #[arg(long, default_value_t = 8)]
    connections: u16,
    /// Receives that are timed.
    #[arg(long, default_value_t = 1_000)]
    receives: u64,
    /// Messages that are taken and held before receives are timed once more.
    #[arg(long, default_value_t = 0)]
    in_flight: u64,
    /// A FIFO queue with so many message groups, a multiple of ten, in place of a standard one.
    #[arg(long, value_name = "GROUPS")]
    fifo: Option<u32>,
    /// How long filling the queue may take, and sweeping it, in seconds.
    #[arg(long, default_value_t = 600.0)]
    seconds: f64,
}

#[derive(Args)]
struct FanOutArgs {
    #[command(flatten)]
    programs: ProgramArgs,
    /// Queues that subscribe to the topic.
    #[arg(long, default_value_t = 5_000)]
    queues: u32,
    /// The length of the message.
    #[arg(long, default_value_t = 256_000)]
    bytes: usize,
    /// How long it may take until all have it, in seconds.
    #[arg(long, default_value_t = 120.0)]
    seconds: f64,
}

#[derive(Args)]
struct PollsArgs {
    #[command(flatten)]
    programs: ProgramArgs,
    #[arg(long, default_value_t = 10_000)]
    connections: u16,
    /// One run for each number of queues.
    #[arg(long, value_delimiter = ',', default_value = "1,100")]
    queues: Vec<u16>,
    /// Messages that are sent, one at a time.
    #[arg(long, default_value_t = 200)]
    messages: u32,
    /// How long the processor time is taken, in seconds; a poll ends after 20.
    #[arg(long, default_value_t = 10.0)]
    idle: f64,
}

#[derive(Args)]
struct WatchersArgs {
    #[command(flatten)]
    programs: ProgramArgs,
    /// One run for each number of streams.
    #[arg(long, value_delimiter = ',', default_value = "0,1,100,1000,10000")]
    watchers: Vec<u32>,
    /// Bids on one auction instead of orders of one product.
    #[arg(long)]
    auction: bool,
    /// Streams of every event instead of the newest.
    #[arg(long)]
    every_event: bool,
    #[arg(long, default_value_t = 64)]
    connections: u16,
    /// How long orders are placed, in seconds.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

#[derive(Args)]
struct VerdictsArgs {
    #[command(flatten)]
    programs: ProgramArgs,
    #[arg(long, default_value_t = 10_000)]
    waiting: u32,
    /// Units that arrive.
    #[arg(long, default_value_t = 500)]
    verdicts: u32,
    /// Units of one receipt.
    #[arg(long, default_value_t = 1)]
    at_a_time: u32,
}

#[derive(Args)]
struct ClosingsArgs {
    #[command(flatten)]
    programs: ProgramArgs,
    #[arg(long, default_value_t = 10_000)]
    auctions: u64,
}

#[derive(Args)]
struct FollowupsArgs {
    #[command(flatten)]
    programs: ProgramArgs,
    #[arg(long, default_value_t = 100_000)]
    orders: u64,
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Those that hear of every accepted order.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "mileage,product-tracking,vip"
    )]
    consumers: Vec<String>,
}

#[derive(Args)]
struct ScalingArgs {
    #[command(flatten)]
    programs: ProgramArgs,
    #[arg(long, default_value_t = 20_000)]
    messages: u64,
    /// How long each of them takes, in milliseconds.
    #[arg(long, default_value_t = 50)]
    work_ms: u64,
    #[arg(long, default_value_t = 1)]
    floor: u16,
    #[arg(long, default_value_t = 64)]
    ceiling: u16,
    /// The consumer in a process of its own, over SQS.
    #[arg(long)]
    apart: bool,
    /// How long it may take to clear the queue and to come back to the floor, in seconds.
    #[arg(long, default_value_t = 600.0)]
    seconds: f64,
}

fn parse_rows(word: &str) -> Result<Chosen, String> {
    rows::choose(word).ok_or_else(|| {
        let sets = rows::SETS.iter().map(|set| set.name);
        let names: Vec<&str> = sets.chain(rows::all().map(|row| row.name)).collect();
        format!("not a row; there are {}", names.join(", "))
    })
}

/// The rows that were asked for, each once, and at how many connections.
fn chosen(args: &SuiteArgs) -> (Vec<&'static Row>, Vec<u16>) {
    let mut rows: Vec<&'static Row> = Vec::new();
    if args.rows.is_empty() {
        rows.extend(rows::all().filter(|row| row.usual));
    }
    let words = || args.rows.iter().chain(&args.with);
    for row in words().flat_map(|word| &word.rows) {
        if !rows.iter().any(|known| known.name == row.name) {
            rows.push(row);
        }
    }
    let mut connections = args.connections.clone();
    if connections.is_empty() {
        connections.extend(words().flat_map(|word| word.connections));
        if args.rows.is_empty() {
            connections.extend(rows::USUAL_CONNECTIONS);
        }
        connections.sort_unstable();
        connections.dedup();
    }
    (rows, connections)
}

/// Runs what was asked for; fails when a single answer was not the expected one.
pub fn run(cli: Cli) -> ExitCode {
    let command = cli.command.unwrap_or_else(|| {
        let usual = Cli::parse_from(["firstcome-bench", "suite"]);
        usual.command.expect("it was named")
    });
    let dir = command.programs().map(ProgramArgs::dir);
    let done = match command {
        Command::Load(args) => run_load(&args),
        Command::Suite(args) => run_suite(&args),
        Command::Memory(args) => run_memory(&args),
        Command::Backlog(args) => run_backlog(&args),
        Command::FanOut(args) => run_fan_out(&args),
        Command::Polls(args) => run_polls(&args),
        Command::Watchers(args) => run_watchers(&args),
        Command::Verdicts(args) => run_verdicts(&args),
        Command::Closings(args) => run_closings(&args),
        Command::Followups(args) => run_followups(&args),
        Command::Scaling(args) => run_scaling(&args),
    };
    // What went wrong in it may be looked at.
    if let Some(dir) = dir {
        let _ = fs::remove_dir(dir);
    }
    match done {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            for problem in problems {
                note(&format!("FAILED {problem}"));
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            note(&describe(&error));
            ExitCode::FAILURE
        }
    }
}

fn run_load(args: &LoadArgs) -> Result<Vec<String>, BenchError> {
    let headers = if args.without_key {
        rows::UNKEYED
    } else {
        rows::KEYED
    };
    let plan = Plan {
        target: args.target,
        protocol: Protocol::Http,
        request: http::request(&args.method, &args.path, args.target, headers, &args.body),
        expect: Expect {
            status: args.expect_status,
            also: None,
            body_contains: &args.expect_body,
        },
        cycle: None,
        connections: args.connections,
        warmup: seconds("warmup", args.warmup)?,
        window: seconds("seconds", args.seconds)?,
        requests_max: args.requests,
        server_pids: args.pid.clone(),
    };
    let outcome = load::run(&plan, None)?;
    if args.json {
        print(&to_json(&outcome));
    } else {
        print(&load_text(&outcome));
    }
    let mut problems = Vec::new();
    if outcome.errors.total() > 0 {
        problems.push(format!("{:?}", outcome.errors));
    }
    if outcome.answered == 0 {
        problems.push("nothing was answered in the window".to_owned());
    }
    Ok(problems)
}

fn load_text(outcome: &Outcome) -> String {
    format!(
        "{:.0} requests/s on {} connections ({} in {:.2} s)\n\
         latency ms: p50 {:.3}, p99 {:.3}, p99.9 {:.3}, max {:.3}\n\
         CPU us a request: server {:.2}, generator {:.2} (busy {:.0} %); others busy {:.0} %\n\
         errors: {}",
        outcome.rate,
        outcome.connections,
        outcome.answered,
        outcome.window_s,
        outcome.latency_ms_p50,
        outcome.latency_ms_p99,
        outcome.latency_ms_p999,
        outcome.latency_ms_max,
        outcome.server_cpu_us,
        outcome.generator_cpu_us,
        outcome.generator_busy * 100.0,
        outcome.others_busy * 100.0,
        outcome.errors.total(),
    )
}

fn run_suite(args: &SuiteArgs) -> Result<Vec<String>, BenchError> {
    let (rows, connections) = chosen(args);
    let options = suite::Options {
        rows,
        connections,
        rounds: args.rounds,
        attempts: args.attempts,
        quiet_wait: seconds("quiet-wait", args.quiet_wait)?,
        warmup: seconds("warmup", args.warmup)?,
        window: seconds("seconds", args.seconds)?,
        programs: args.programs.programs(),
        dir: args.programs.dir(),
    };
    let report = suite::run(&options, &mut |cell| {
        note(&format!(
            "round {} {:>14} {:>4} connections {:>8.0} requests/s, others busy {:>3.0} %{}",
            cell.round + 1,
            cell.row,
            cell.outcome.connections,
            cell.outcome.rate,
            cell.outcome.others_busy * 100.0,
            cell.problem()
                .map_or_else(String::new, |problem| format!("  {problem}")),
        ));
    })?;
    let tables = [report::suite_table(&report), report::parts_table(&report)];
    args.programs.show(&tables.join("\n"), &report)?;
    Ok(report.problems())
}

fn run_memory(args: &MemoryArgs) -> Result<Vec<String>, BenchError> {
    let options = memory::Options {
        orders: args.orders,
        connections: args.connections,
        limit: seconds("seconds", args.seconds)?,
        programs: args.programs.programs(),
        dir: args.programs.dir(),
    };
    let report = memory::run(&options, &mut |kept, sample| {
        note(&format!(
            "{} {:>8} orders {:>6.1} s {:>8.1} MiB",
            kept.title(),
            sample.orders,
            sample.elapsed_s,
            sample.resident_bytes as f64 / f64::from(1 << 20),
        ));
    })?;
    args.programs
        .show(&report::memory_table(&report), &report)?;
    Ok(report.problems())
}

fn run_backlog(args: &BacklogArgs) -> Result<Vec<String>, BenchError> {
    let options = backlog::Options {
        messages: args.messages,
        connections: args.connections,
        receives: args.receives,
        in_flight: args.in_flight,
        fifo: args.fifo,
        limit: seconds("seconds", args.seconds)?,
        programs: args.programs.programs(),
        dir: args.programs.dir(),
    };
    let report = backlog::run(&options, &mut |messages, resident_bytes| {
        let mib = resident_bytes as f64 / f64::from(1 << 20);
        note(&format!("{messages:>9} messages {mib:>8.1} MiB"));
    })?;
    args.programs.show(&report.table(), &report)?;
    Ok(report.problems())
}

fn run_fan_out(args: &FanOutArgs) -> Result<Vec<String>, BenchError> {
    let options = fan_out::Options {
        queues: args.queues,
        bytes: args.bytes,
        limit: seconds("seconds", args.seconds)?,
        programs: args.programs.programs(),
        dir: args.programs.dir(),
    };
    let report = fan_out::run(&options)?;
    args.programs.show(&report.table(), &report)?;
    Ok(report.problems())
}

fn run_polls(args: &PollsArgs) -> Result<Vec<String>, BenchError> {
    let options = polls::Options {
        connections: args.connections,
        queues: args.queues.clone(),
        messages: args.messages,
        idle: seconds("idle", args.idle)?,
        programs: args.programs.programs(),
        dir: args.programs.dir(),
    };
    let report = polls::run(&options, &mut note)?;
    args.programs.show(&report.table(), &report)?;
    Ok(report.problems())
}

fn run_watchers(args: &WatchersArgs) -> Result<Vec<String>, BenchError> {
    let options = watchers::Options {
        watchers: args.watchers.clone(),
        what: match args.auction {
            true => watchers::What::Auction,
            false => watchers::What::Product,
        },
        every_event: args.every_event,
        connections: args.connections,
        seconds: seconds("seconds", args.seconds)?,
        programs: args.programs.programs(),
        dir: args.programs.dir(),
    };
    let report = watchers::run(&options, &mut note)?;
    args.programs.show(&report.table(), &report)?;
    Ok(report.problems())
}

fn run_verdicts(args: &VerdictsArgs) -> Result<Vec<String>, BenchError> {
    let options = verdicts::Options {
        waiting: args.waiting,
        verdicts: args.verdicts,
        at_a_time: args.at_a_time,
        programs: args.programs.programs(),
        dir: args.programs.dir(),
    };
    let report = verdicts::run(&options, &mut note)?;
    args.programs.show(&report.table(), &report)?;
    Ok(Vec::new())
}

fn run_followups(args: &FollowupsArgs) -> Result<Vec<String>, BenchError> {
    let report = followups::run(&followups::Options {
        orders: args.orders,
        rounds: args.rounds,
        consumers: args.consumers.clone(),
        programs: args.programs.programs(),
        dir: args.programs.dir(),
    })?;
    args.programs.show(&report.table(), &report)?;
    Ok(report.problems())
}

fn run_closings(args: &ClosingsArgs) -> Result<Vec<String>, BenchError> {
    let report = closings::run(&closings::Options {
        auctions: args.auctions,
        programs: args.programs.programs(),
        dir: args.programs.dir(),
    })?;
    args.programs.show(&report.table(), &report)?;
    Ok(report.problems())
}

fn run_scaling(args: &ScalingArgs) -> Result<Vec<String>, BenchError> {
    let report = scaling::run(&scaling::Options {
        messages: args.messages,
        work_ms: args.work_ms,
        floor: args.floor,
        ceiling: args.ceiling,
        apart: args.apart,
        limit: seconds("seconds", args.seconds)?,
        programs: args.programs.programs(),
        dir: args.programs.dir(),
    })?;
    args.programs.show(&report.table(), &report)?;
    Ok(report.problems())
}

/// The most seconds that a phase may be asked to last.
const SECONDS_MAX: f64 = 3_600.0;

fn seconds(field: &'static str, value: f64) -> Result<Duration, BenchError> {
    if (0.0..=SECONDS_MAX).contains(&value) {
        Ok(Duration::from_secs_f64(value))
    } else {
        Err(BenchError::Option {
            field,
            problem: format!("{value} is not in 0 to {SECONDS_MAX} seconds"),
        })
    }
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain structs of numbers and strings")
}

fn describe(error: &BenchError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(&format!(": {inner}"));
        source = inner.source();
    }
    text
}

#[expect(clippy::print_stdout, reason = "the result of a command line")]
fn print(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "the progress of a command line")]
fn note(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests;
