//! A burst of messages for a consumer that takes its time for each: how many workers it brings
//! up, when they are gone again, and how long the queue takes to be empty.
//!
//! The consumer is the server's own `drill`, in the shop's process or in one of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use crate::clock;
use crate::error::{BenchError, io_error};
use crate::http;
use crate::process;
use crate::rows::System;
use crate::sqs;
use crate::suite::string_member;
use crate::systems::{Programs, Running};

pub const MESSAGES_MAX: u64 = 1_000_000;
const LOOK_EVERY: Duration = Duration::from_millis(250);
const SENT_AT_ONCE: u64 = 10;
/// Points of the curve that are printed.
const PRINTED_MAX: usize = 40;

#[derive(Clone, Debug)]
pub struct Options {
    pub messages: u64,
    pub work_ms: u64,
    pub floor: u16,
    pub ceiling: u16,
    pub apart: bool,
    pub limit: Duration,
    pub programs: Programs,
    pub dir: PathBuf,
}

/// What the consumer did at one moment.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Point {
    /// Since the consumer was let go.
    pub seconds: f64,
    pub concurrency: u64,
    pub handled: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub machine: String,
    pub messages: u64,
    pub work_ms: u64,
    pub floor: u16,
    pub ceiling: u16,
    pub apart: bool,
    pub points: Vec<Point>,
    pub handled: u64,
    pub peak: u64,
    pub end: u64,
    /// From letting go to the last message; nothing when that was not seen.
    pub clear_s: Option<f64>,
    pub peak_s: Option<f64>,
    pub back_at_floor_s: Option<f64>,
}

impl Report {
    pub fn table(&self) -> String {
        let time = |seconds: Option<f64>| {
            seconds.map_or_else(|| "never".to_owned(), |s| format!("{s:.1} s"))
        };
        let mut text = format!(
            "{}\n{} messages of {} ms, floor {}, ceiling {}{}\n  seconds  concurrency  handled\n",
            self.machine,
            self.messages,
            self.work_ms,
            self.floor,
            self.ceiling,
            if self.apart {
                ", in a process of its own over SQS"
            } else {
                ""
            }
        );
        let step = self.points.len().div_ceil(PRINTED_MAX).max(1);
        let last = self.points.len().saturating_sub(1);
        for (index, point) in self.points.iter().enumerate() {
            if index % step == 0 || index == last {
                text.push_str(&format!(
                    "  {:7.2}  {:11}  {:7}\n",
                    point.seconds, point.concurrency, point.handled
                ));
            }
        }
        text + &format!(
            "peak {} after {}, cleared after {}, back at {} after {}\n",
            self.peak,
            time(self.peak_s),
            time(self.clear_s),
            self.end,
            time(self.back_at_floor_s)
        )
    }

    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.handled != self.messages {
            problems.push(format!("{} of {} handled", self.handled, self.messages));
        }
        if self.peak > u64::from(self.ceiling) {
            problems.push(format!("{} at once, above the ceiling", self.peak));
        }
        if self.end != u64::from(self.floor) {
            problems.push(format!("{} at the end, not the floor", self.end));
        }
        problems
    }
}

pub fn run(options: &Options) -> Result<Report, BenchError> {
    let refuse = |field, problem: String| Err(BenchError::Option { field, problem });
    if !(1..=MESSAGES_MAX).contains(&options.messages) {
        return refuse(
            "messages",
            format!("{} is not in 1 to {MESSAGES_MAX}", options.messages),
        );
    }
    if options.floor == 0 || options.floor > options.ceiling {
        return refuse(
            "floor",
            format!("{} is not in 1 to the ceiling", options.floor),
        );
    }
    let dir = options.dir.join(format!("scaling-{}", std::process::id()));
    let mut settings = vec![
        ("FIRSTCOME_DRILL__WORK_MS", options.work_ms.to_string()),
        ("FIRSTCOME_DRILL__FLOOR", options.floor.to_string()),
        ("FIRSTCOME_DRILL__CEILING", options.ceiling.to_string()),
    ];
    let roles = if options.apart {
        "api,aws"
    } else {
        "api,aws,workers"
    };
    settings.push(("FIRSTCOME_ROLES", roles.to_owned()));
    let programs = &options.programs;
    let shop = Running::start_with(
        programs,
        System::FirstcomeQueues,
        &dir.join("shop"),
        &settings,
    )?;
    let api_of = |running: &Running| {
        running.metrics.ok_or_else(|| BenchError::Option {
            field: "firstcome",
            problem: "does not say where its API is".to_owned(),
        })
    };
    let apart = if options.apart {
        settings.pop();
        settings.push(("FIRSTCOME_ROLES", "workers".to_owned()));
        settings.push(("FIRSTCOME_WORKERS__SQS", format!("http://{}", shop.address)));
        let dir = dir.join("workers");
        Some(Running::start_with(
            programs,
            System::Firstcome,
            &dir,
            &settings,
        )?)
    } else {
        None
    };
    let ops = api_of(apart.as_ref().unwrap_or(&shop))?;
    // Sent before it is let go: what is measured is the consumer.
    steer(ops, "pause")?;
    send(shop.address, options.messages)?;
    let from = clock::now();
    steer(ops, "resume")?;
    let points = watch(ops, options, from)?;
    drop(apart);
    drop(shop);
    fs::remove_dir_all(&dir).map_err(io_error(format!("removing {}", dir.display())))?;
    Ok(report(options, points))
}

fn report(options: &Options, points: Vec<Point>) -> Report {
    let peak = points
        .iter()
        .map(|point| point.concurrency)
        .max()
        .unwrap_or(0);
    let when =
        |is: &dyn Fn(&Point) -> bool| points.iter().find(|point| is(point)).map(|p| p.seconds);
    let clear_s = when(&|point| point.handled >= options.messages);
    let floor = u64::from(options.floor);
    Report {
        machine: process::machine(),
        messages: options.messages,
        work_ms: options.work_ms,
        floor: options.floor,
        ceiling: options.ceiling,
        apart: options.apart,
        handled: points.last().map_or(0, |point| point.handled),
        peak,
        end: points.last().map_or(0, |point| point.concurrency),
        clear_s,
        peak_s: when(&|point| point.concurrency == peak),
        back_at_floor_s: when(&|point| {
            point.handled >= options.messages && point.concurrency <= floor
        }),
        points,
    }
}

/// Until the queue is empty and the consumer back at its floor, or the time is up.
fn watch(ops: SocketAddr, options: &Options, from: Instant) -> Result<Vec<Point>, BenchError> {
    let mut points = Vec::new();
    loop {
        let consumer = drill(ops)?;
        let number = |name: &str| consumer[name].as_u64().unwrap_or_default();
        let elapsed = clock::now() - from;
        let point = Point {
            seconds: elapsed.as_secs_f64(),
            concurrency: number("concurrency"),
            handled: number("handled"),
        };
        points.push(point);
        let is_over =
            point.handled >= options.messages && point.concurrency <= u64::from(options.floor);
        if is_over || elapsed > options.limit {
            return Ok(points);
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn drill(ops: SocketAddr) -> Result<Value, BenchError> {
    let path = "/ops/consumers";
    let (_, text) = http::call(ops, "GET", path, "")?;
    let parsed: Option<Value> = serde_json::from_str(&text).ok();
    let consumers = parsed
        .as_ref()
        .and_then(|parsed| parsed["consumers"].as_array());
    consumers
        .into_iter()
        .flatten()
        .find(|consumer| consumer["name"] == "drill")
        .cloned()
        .ok_or_else(|| BenchError::Answer {
            call: path.to_owned(),
            body: text.clone(),
        })
}

fn steer(ops: SocketAddr, what: &str) -> Result<(), BenchError> {
    let path = format!("/ops/consumers/drill/{what}");
    match http::call(ops, "POST", &path, "")? {
        (200, _) => Ok(()),
        (status, body) => Err(BenchError::Setup {
            call: path,
            status,
            body,
        }),
    }
}

fn send(aws: SocketAddr, messages: u64) -> Result<(), BenchError> {
    let answer = sqs::call(aws, "GetQueueUrl", r#"{"QueueName":"drill"}"#)?;
    let url = string_member(&answer, "QueueUrl").ok_or_else(|| BenchError::Answer {
        call: "GetQueueUrl".to_owned(),
        body: answer,
    })?;
    let mut sent = 0;
    while sent < messages {
        let count = SENT_AT_ONCE.min(messages - sent);
        let entries: Vec<String> = (0..count)
            .map(|n| format!(r#"{{"Id":"{n}","MessageBody":"{}"}}"#, sent + n))
            .collect();
        let body = format!(
            r#"{{"QueueUrl":"{url}","Entries":[{}]}}"#,
            entries.join(",")
        );
        sqs::call(aws, "SendMessageBatch", &body)?;
        sent += count;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_finds_the_peak_and_the_end() {
        let options = Options {
            messages: 10,
            work_ms: 1,
            floor: 1,
            ceiling: 4,
            apart: false,
            limit: Duration::from_secs(1),
            programs: Programs {
                firstcome: PathBuf::new(),
                echo: PathBuf::new(),
                redis: PathBuf::new(),
                node: PathBuf::new(),
                bull: PathBuf::new(),
                moto: PathBuf::new(),
                java: PathBuf::new(),
                elasticmq: PathBuf::new(),
            },
            dir: PathBuf::new(),
        };
        let point = |seconds, concurrency, handled| Point {
            seconds,
            concurrency,
            handled,
        };
        let points = vec![
            point(0.0, 1, 0),
            point(1.0, 4, 5),
            point(2.0, 4, 10),
            point(3.0, 1, 10),
        ];
        let report = report(&options, points);
        assert_eq!((report.peak, report.end), (4, 1));
        assert_eq!(report.peak_s, Some(1.0));
        assert_eq!(report.clear_s, Some(2.0));
        assert_eq!(report.back_at_floor_s, Some(3.0));
        assert!(report.problems().is_empty());
    }
}
