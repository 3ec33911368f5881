//! The options of each command.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{print, to_json};
use crate::error::{BenchError, io_error};
use crate::rows::{self, Chosen};
use crate::suite;
use crate::systems::Programs;
use crate::template::REQUESTS_MAX;

#[derive(Args)]
pub(super) struct LoadArgs {
    /// The address that is loaded, such as 127.0.0.1:3000.
    pub(super) target: SocketAddr,
    #[arg(long, default_value = "POST")]
    pub(super) method: String,
    #[arg(long, default_value = "/orders")]
    pub(super) path: String,
    /// The body; {conn}, {n}, {number} and {key} are replaced in each request.
    #[arg(long, default_value = rows::ORDER_BODY)]
    pub(super) body: String,
    /// Send no Idempotency-Key.
    #[arg(long)]
    pub(super) without_key: bool,
    #[arg(long, default_value_t = 201)]
    pub(super) expect_status: u16,
    /// What the body of every answer must contain.
    #[arg(long, default_value = r#""status":"accepted""#)]
    pub(super) expect_body: String,
    #[arg(long, default_value_t = 64)]
    pub(super) connections: u16,
    /// The window that is counted, in seconds.
    #[arg(long, default_value_t = 5.0)]
    pub(super) seconds: f64,
    /// Seconds before the window.
    #[arg(long, default_value_t = 1.0)]
    pub(super) warmup: f64,
    /// The most requests, the warm-up among them.
    #[arg(long, default_value_t = REQUESTS_MAX)]
    pub(super) requests: u64,
    /// The processes whose CPU time is counted.
    #[arg(long, value_delimiter = ',')]
    pub(super) pid: Vec<u32>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(super) struct ProgramArgs {
    /// The server [default: `firstcome` beside this program]
    #[arg(long)]
    pub(super) firstcome: Option<PathBuf>,
    /// The echo of the same HTTP stack [default: `examples/echo_floor` beside this program]
    #[arg(long)]
    pub(super) echo: Option<PathBuf>,
    #[arg(long, default_value = "redis-server")]
    pub(super) redis: PathBuf,
    #[arg(long, default_value = "node")]
    pub(super) node: PathBuf,
    /// The folder of the Express + Bull program, after `npm ci` in it.
    #[arg(long, default_value = "crates/bench/bull")]
    pub(super) bull: PathBuf,
    /// `moto_server` of the Python package `moto[server]`, which speaks SQS.
    #[arg(long, default_value = "moto_server")]
    pub(super) moto: PathBuf,
    #[arg(long, default_value = "java")]
    pub(super) java: PathBuf,
    /// The jar of `ElasticMQ`, which speaks SQS; the npm package `elasticmq` brings one.
    #[arg(
        long,
        default_value = "crates/bench/elasticmq/node_modules/elasticmq/elasticmq-server-0.7.1.jar"
    )]
    pub(super) elasticmq: PathBuf,
    /// Where the stores of the run are put; choose the disk that is meant
    /// [default: `bench` in `target`, or where there is none, `firstcome-bench`]
    #[arg(long)]
    pub(super) dir: Option<PathBuf>,
    /// Write everything that was measured to this file.
    #[arg(long)]
    pub(super) json: Option<PathBuf>,
}

impl ProgramArgs {
    pub(super) fn programs(&self) -> Programs {
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
    pub(super) fn show(&self, table: &str, report: &impl Serialize) -> Result<(), BenchError> {
        print(table);
        let Some(path) = &self.json else {
            return Ok(());
        };
        fs::write(path, to_json(report)).map_err(io_error(format!("writing {}", path.display())))
    }

    pub(super) fn dir(&self) -> PathBuf {
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
pub(super) struct SuiteArgs {
    #[command(flatten)]
    pub(super) programs: ProgramArgs,
    /// Rows to measure instead of the usual ones; `queues` and `auctions` are all of their kind.
    #[arg(long, value_delimiter = ',', value_parser = parse_rows)]
    pub(super) rows: Vec<Chosen>,
    /// Rows to measure besides.
    #[arg(long, value_delimiter = ',', value_parser = parse_rows)]
    pub(super) with: Vec<Chosen>,
    /// Numbers of connections [default: 1,64,256, for `queues` 1,16,64]
    #[arg(long, value_delimiter = ',')]
    pub(super) connections: Vec<u16>,
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=i64::from(suite::ROUNDS_MAX)))]
    pub(super) rounds: u16,
    /// How often to take a cell at most, when something else keeps the machine busy.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=i64::from(suite::ATTEMPTS_MAX)))]
    pub(super) attempts: u16,
    /// How long to wait before each attempt for a machine that is not busy, in seconds.
    #[arg(long, default_value_t = 10.0)]
    pub(super) quiet_wait: f64,
    #[arg(long, default_value_t = 3.0)]
    pub(super) seconds: f64,
    #[arg(long, default_value_t = 1.0)]
    pub(super) warmup: f64,
}

#[derive(Args)]
pub(super) struct MemoryArgs {
    #[command(flatten)]
    pub(super) programs: ProgramArgs,
    #[arg(long, default_value_t = 1_000_000)]
    pub(super) orders: u64,
    #[arg(long, default_value_t = 128)]
    pub(super) connections: u16,
    /// How long the orders of one series may take, in seconds.
    #[arg(long, default_value_t = 300.0)]
    pub(super) seconds: f64,
}

#[derive(Args)]
pub(super) struct BacklogArgs {
    #[command(flatten)]
    pub(super) programs: ProgramArgs,
    #[arg(long, default_value_t = 1_000_000)]
    pub(super) messages: u64,
    #[arg(long, default_value_t = 8)]
    pub(super) connections: u16,
    /// Receives that are timed.
    #[arg(long, default_value_t = 1_000)]
    pub(super) receives: u64,
    /// Messages that are taken and held before receives are timed once more.
    #[arg(long, default_value_t = 0)]
    pub(super) in_flight: u64,
    /// A FIFO queue with so many message groups, a multiple of ten, in place of a standard one.
    #[arg(long, value_name = "GROUPS")]
    pub(super) fifo: Option<u32>,
    /// How long filling the queue may take, and sweeping it, in seconds.
    #[arg(long, default_value_t = 600.0)]
    pub(super) seconds: f64,
}

#[derive(Args)]
pub(super) struct FanOutArgs {
    #[command(flatten)]
    pub(super) programs: ProgramArgs,
    /// Queues that subscribe to the topic.
    #[arg(long, default_value_t = 5_000)]
    pub(super) queues: u32,
    /// The length of the message.
    #[arg(long, default_value_t = 256_000)]
    pub(super) bytes: usize,
    /// How long it may take until all have it, in seconds.
    #[arg(long, default_value_t = 120.0)]
    pub(super) seconds: f64,
}

#[derive(Args)]
pub(super) struct PollsArgs {
    #[command(flatten)]
    pub(super) programs: ProgramArgs,
    #[arg(long, default_value_t = 10_000)]
    pub(super) connections: u16,
    /// One run for each number of queues.
    #[arg(long, value_delimiter = ',', default_value = "1,100")]
    pub(super) queues: Vec<u16>,
    /// Messages that are sent, one at a time.
    #[arg(long, default_value_t = 200)]
    pub(super) messages: u32,
    /// How long the processor time is taken, in seconds; a poll ends after 20.
    #[arg(long, default_value_t = 10.0)]
    pub(super) idle: f64,
}

#[derive(Args)]
pub(super) struct WatchersArgs {
    #[command(flatten)]
    pub(super) programs: ProgramArgs,
    /// One run for each number of streams.
    #[arg(long, value_delimiter = ',', default_value = "0,1,100,1000,10000")]
    pub(super) watchers: Vec<u32>,
    /// Bids on one auction instead of orders of one product.
    #[arg(long)]
    pub(super) auction: bool,
    /// Streams of every event instead of the newest.
    #[arg(long)]
    pub(super) every_event: bool,
    #[arg(long, default_value_t = 64)]
    pub(super) connections: u16,
    /// How long orders are placed, in seconds.
    #[arg(long, default_value_t = 5.0)]
    pub(super) seconds: f64,
}

#[derive(Args)]
pub(super) struct VerdictsArgs {
    #[command(flatten)]
    pub(super) programs: ProgramArgs,
    #[arg(long, default_value_t = 10_000)]
    pub(super) waiting: u32,
    /// Units that arrive.
    #[arg(long, default_value_t = 500)]
    pub(super) verdicts: u32,
    /// Units of one receipt.
    #[arg(long, default_value_t = 1)]
    pub(super) at_a_time: u32,
}

#[derive(Args)]
pub(super) struct ClosingsArgs {
    #[command(flatten)]
    pub(super) programs: ProgramArgs,
    #[arg(long, default_value_t = 10_000)]
    pub(super) auctions: u64,
}

#[derive(Args)]
pub(super) struct FollowupsArgs {
    #[command(flatten)]
    pub(super) programs: ProgramArgs,
    #[arg(long, default_value_t = 100_000)]
    pub(super) orders: u64,
    #[arg(long, default_value_t = 3)]
    pub(super) rounds: u32,
    /// Those that hear of every accepted order.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "mileage,product-tracking,vip"
    )]
    pub(super) consumers: Vec<String>,
}

#[derive(Args)]
pub(super) struct ScalingArgs {
    #[command(flatten)]
    pub(super) programs: ProgramArgs,
    #[arg(long, default_value_t = 20_000)]
    pub(super) messages: u64,
    /// How long each of them takes, in milliseconds.
    #[arg(long, default_value_t = 50)]
    pub(super) work_ms: u64,
    #[arg(long, default_value_t = 1)]
    pub(super) floor: u16,
    #[arg(long, default_value_t = 64)]
    pub(super) ceiling: u16,
    /// The consumer in a process of its own, over SQS.
    #[arg(long)]
    pub(super) apart: bool,
    /// How long it may take to clear the queue and to come back to the floor, in seconds.
    #[arg(long, default_value_t = 600.0)]
    pub(super) seconds: f64,
}

fn parse_rows(word: &str) -> Result<Chosen, String> {
    rows::choose(word).ok_or_else(|| {
        let sets = rows::SETS.iter().map(|set| set.name);
        let names: Vec<&str> = sets.chain(rows::all().map(|row| row.name)).collect();
        format!("not a row; there are {}", names.join(", "))
    })
}
