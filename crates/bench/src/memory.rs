//! What a million orders cost to keep: the server's memory as they come in, with and without what
//! it has to remember of them, and how long it takes to start again on the store they left.
//!
//! Each start is timed from the exec to the ready file, to the first answer of `/readyz` and to
//! the first answer of `GET /orders/{id}`: three times after an orderly stop, and once after
//! SIGKILL, when the store has to recover.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::clock;
use crate::error::{BenchError, io_error};
use crate::http;
use crate::load::{self, Expect, Outcome, Plan, Progress};
use crate::process;
use crate::rows::{self, Setup};
use crate::suite::{number_member, orders, prepare, string_member};
use crate::systems::{Programs, Running};

const STARTS_AFTER_STOP: usize = 3;

#[derive(Clone, Debug)]
pub struct Options {
    pub orders: u64,
    pub connections: u16,
    /// How long the orders may take to come in.
    pub limit: Duration,
    pub programs: Programs,
    pub dir: PathBuf,
}

/// The server's memory when so many orders were answered.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    pub orders: u64,
    pub resident_bytes: u64,
    pub elapsed_s: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Start {
    pub after: &'static str,
    /// How long the server before it took to end; nothing for SIGKILL.
    pub stop_ms: Option<f64>,
    pub ready_file_ms: f64,
    pub readyz_ms: f64,
    pub order_ms: f64,
    pub resident_bytes: u64,
}

/// What is to be remembered of an order beside itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// Its idempotency key, a new one each time.
    Key,
    Nothing,
    /// What its customer, a new one each time, has of a product with a purchase limit.
    Units,
    /// Its place in a line: there are no goods, so it waits.
    Place,
}

impl Kept {
    pub const ALL: [Self; 4] = [Self::Key, Self::Nothing, Self::Units, Self::Place];

    pub const fn title(self) -> &'static str {
        match self {
            Self::Key => "`Idempotency-Key`",
            Self::Nothing => "without",
            Self::Units => "`purchaseLimit`",
            Self::Place => "waiting",
        }
    }

    const fn product(self) -> Setup {
        match self {
            Self::Key | Self::Nothing => rows::HOT_PRODUCT,
            Self::Units => rows::LIMITED_PRODUCT,
            Self::Place => rows::LINE_PRODUCT,
        }
    }

    const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Key => rows::KEYED,
            Self::Nothing | Self::Units | Self::Place => rows::UNKEYED,
        }
    }

    const fn expect(self) -> Expect<'static> {
        let (status, body_contains) = match self {
            Self::Key | Self::Nothing | Self::Units => (201, r#""status":"accepted""#),
            Self::Place => (202, r#""status":"pending""#),
        };
        Expect {
            status,
            also: None,
            body_contains,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Series {
    pub kept: Kept,
    pub samples: Vec<Sample>,
    /// After the load has gone and all connections are closed.
    pub resident_bytes_after: u64,
    pub bytes_per_order: f64,
    pub store_bytes: u64,
    pub outcome: Outcome,
    pub counted: Option<u64>,
    pub starts: Vec<Start>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub machine: String,
    pub orders: u64,
    pub series: Vec<Series>,
}

impl Report {
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for series in &self.series {
            let name = series.kept.title();
            if series.outcome.errors.total() > 0 {
                problems.push(format!("{name}: {:?}", series.outcome.errors));
            }
            if series.outcome.answered_total != self.orders {
                problems.push(format!(
                    "{name}: {} orders of {} came in within the limit",
                    series.outcome.answered_total, self.orders
                ));
            }
            // One order was placed before the load, to be asked for afterwards.
            if series.counted != Some(series.outcome.answered_total + 1) {
                problems.push(format!(
                    "{name}: {} orders were answered and the product counts {:?}",
                    series.outcome.answered_total + 1,
                    series.counted
                ));
            }
        }
        problems
    }
}

/// Takes all series; `progress` is called with each sample.
pub fn run(
    options: &Options,
    progress: &mut dyn FnMut(Kept, &Sample),
) -> Result<Report, BenchError> {
    let mut report = Report {
        machine: process::machine(),
        orders: options.orders,
        series: Vec::new(),
    };
    for kept in Kept::ALL {
        report.series.push(run_series(options, kept, progress)?);
    }
    Ok(report)
}

fn run_series(
    options: &Options,
    kept: Kept,
    progress: &mut dyn FnMut(Kept, &Sample),
) -> Result<Series, BenchError> {
    let dir = options
        .dir
        .join(format!("memory-{kept:?}-{}", std::process::id()));
    let start = || Running::start(&options.programs, rows::System::Firstcome, &dir);
    let running = start()?;
    prepare(&running, &[kept.product()])?;
    let order = place_order(&running)?;

    let begin = clock::now();
    let sample = |orders: u64| {
        Ok(Sample {
            orders,
            resident_bytes: resident(&running)?,
            elapsed_s: (clock::now() - begin).as_secs_f64(),
        })
    };
    let mut samples = vec![sample(0)];
    let outcome = load::run(
        &Plan {
            requests_max: options.orders,
            expect: kept.expect(),
            ..orders(&running, kept.headers(), options.connections, options.limit)
        },
        Some(Progress {
            every: (options.orders / 10).max(1),
            call: &mut |orders| {
                let taken = sample(orders);
                if let Ok(sample) = &taken {
                    progress(kept, sample);
                }
                samples.push(taken);
            },
        }),
    )?;
    let samples = samples
        .into_iter()
        .collect::<Result<Vec<_>, BenchError>>()?;
    let resident_bytes_after = resident(&running)?;
    let (_, product) = http::call(running.address, "GET", "/products/HOT", "")?;
    let counted = number_member(&product, "lastPlace");

    let mut starts = Vec::new();
    let mut running = running;
    for _ in 0..STARTS_AFTER_STOP {
        let (stop, _) = running.stop()?;
        running = start()?;
        starts.push(time_start(&running, &order, "SIGTERM", Some(stop))?);
    }
    drop(running);
    let running = start()?;
    starts.push(time_start(&running, &order, "SIGKILL", None)?);
    drop(running);

    let store_bytes = bytes_below(&dir).map_err(io_error("the size of the store"))?;
    fs::remove_dir_all(&dir).map_err(io_error(format!("removing {}", dir.display())))?;
    let grown = resident_bytes_after.saturating_sub(samples[0].resident_bytes);
    Ok(Series {
        kept,
        bytes_per_order: grown as f64 / options.orders as f64,
        samples,
        resident_bytes_after,
        store_bytes,
        outcome,
        counted,
        starts,
    })
}

fn resident(running: &Running) -> Result<u64, BenchError> {
    process::resident_bytes(running.pid()).map_err(io_error("reading the memory of the server"))
}

/// Places the order that is asked for after each start; returns its id.
fn place_order(running: &Running) -> Result<String, BenchError> {
    let body = r#"{"sku":"HOT","quantity":1,"customer":"first@bench.example"}"#;
    let (status, text) = http::call(running.address, "POST", "/orders", body)?;
    let call = || "POST /orders".to_owned();
    if status != 201 {
        return Err(BenchError::Setup {
            call: call(),
            status,
            body: text,
        });
    }
    string_member(&text, "id").ok_or_else(|| BenchError::Answer {
        call: call(),
        body: text,
    })
}

fn time_start(
    running: &Running,
    order: &str,
    after: &'static str,
    stop: Option<Duration>,
) -> Result<Start, BenchError> {
    let expect_ok = |path: &str| {
        let (status, body) = http::call(running.address, "GET", path, "")?;
        if status == 200 {
            Ok(clock::now() - running.started_at)
        } else {
            Err(BenchError::Setup {
                call: format!("GET {path}"),
                status,
                body,
            })
        }
    };
    let readyz = expect_ok("/readyz")?;
    let order = expect_ok(&format!("/orders/{order}"))?;
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    Ok(Start {
        after,
        stop_ms: stop.map(ms),
        ready_file_ms: ms(running.ready_at - running.started_at),
        readyz_ms: ms(readyz),
        order_ms: ms(order),
        resident_bytes: resident(running)?,
    })
}

fn bytes_below(dir: &Path) -> std::io::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        total += if metadata.is_dir() {
            bytes_below(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(total)
}
