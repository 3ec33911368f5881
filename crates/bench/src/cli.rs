//! The command line of the measurements: `firstcome bench`, or `firstcome-bench` alone.

mod args;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use self::args::{
    BacklogArgs, ClosingsArgs, FanOutArgs, FollowupsArgs, LoadArgs, MemoryArgs, PollsArgs,
    ProgramArgs, ScalingArgs, SuiteArgs, VerdictsArgs, WatchersArgs,
};
use crate::error::BenchError;
use crate::load::{Expect, Outcome, Plan, Protocol};
use crate::rows::{self, Row};
use crate::{
    backlog, closings, fan_out, followups, http, load, memory, polls, report, scaling, suite,
    verdicts, watchers,
};
use clap::{Parser, Subcommand};
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
