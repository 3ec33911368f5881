//! One message to a topic that very many queues hear: when it is answered, when all have it, what
//! that takes in memory, and how long others wait meanwhile.
//!
//! Sends to a queue of its own have a fixed pace, before the message and until every queue has its
//! copy; their latency begins when they were due.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::clock;
use crate::error::{BenchError, io_error};
use crate::http;
use crate::process;
use crate::queue::encoded;
use crate::report::thousands;
use crate::rows::System;
use crate::sends::{SENDS_PER_S, Sends, while_sending};
use crate::sqs::{self, Latency};
use crate::systems::{Programs, Running};

/// Where publications wait that are not made at once; builds before it was there make all at once.
const WAITING: &str = "sns-fan-out";
/// How long sends go on before the message, to compare with.
const BEFORE: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[derive(Clone, Debug)]
pub struct Options {
    pub queues: u32,
    /// Of the message, without the envelope that each queue gets it in.
    pub bytes: usize,
    /// How long it may take until all have it.
    pub limit: Duration,
    pub programs: Programs,
    pub dir: PathBuf,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub machine: String,
    pub queues: u32,
    pub bytes: usize,
    pub answered_ms: f64,
    /// From the request on. Nothing when some still waited at the limit.
    pub everybody_ms: Option<f64>,
    /// Queues that do not have the message once.
    pub wrong: u32,
    pub resident_bytes_before: u64,
    pub resident_bytes_max: u64,
    pub sends_before: Latency,
    pub sends_meanwhile: Latency,
}

impl Report {
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.everybody_ms.is_none() {
            problems.push("not everybody had it within the limit".to_owned());
        }
        if self.wrong > 0 {
            problems.push(format!("{} queues do not have it once", self.wrong));
        }
        problems
    }

    pub fn table(&self) -> String {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let mut text = format!(
            "{}\n{} bytes to {} queues: answered after {:.0} ms, {}; memory {:.0} MiB before, \
             {:.0} MiB at most\n\n| | calls | p50 ms | p99 ms | max ms |\n|---|--:|--:|--:|--:|\n",
            self.machine,
            thousands(self.bytes as f64),
            thousands(f64::from(self.queues)),
            self.answered_ms,
            match self.everybody_ms {
                Some(ms) => format!("everybody has it after {ms:.0} ms"),
                None => "not everybody has it".to_owned(),
            },
            mib(self.resident_bytes_before),
            mib(self.resident_bytes_max),
        );
        let before = format!("`SendMessage`, {SENDS_PER_S} a second, before");
        let both = [
            (before.as_str(), self.sends_before),
            ("the same until everybody has it", self.sends_meanwhile),
        ];
        for (name, latency) in both {
            writeln!(
                text,
                "| {name} | {} | {:.3} | {:.3} | {:.3} |",
                latency.calls, latency.ms_p50, latency.ms_p99, latency.ms_max
            )
            .expect("a String");
        }
        text
    }
}

pub fn run(options: &Options) -> Result<Report, BenchError> {
    let dir = options.dir.join(format!("fan-out-{}", std::process::id()));
    let running = Running::start(&options.programs, System::FirstcomeQueues, &dir)?;
    let (address, pid) = (running.address, running.pid());
    let topic = create_topic(address)?;
    let mut queues = Vec::new();
    for number in 0..options.queues {
        let name = format!("hears-{number}");
        queues.push(sqs::create_queue(address, &name)?);
        subscribe(address, &topic, &name)?;
    }
    let other = sqs::create_queue(address, "other")?;
    let waiting = queues.first().map(|url| url.replace("hears-0", WAITING));
    let memory = io_error("reading the memory of the server");
    let resident_bytes_before = process::resident_bytes(pid).map_err(memory)?;

    let sends = |run| Sends {
        target: address,
        queue_url: &other,
        is_fifo: false,
        run,
    };
    let ((), sends_before) = while_sending(&sends(1), || {
        thread::sleep(BEFORE);
        Ok(())
    })?;
    let ((answered, everybody), sends_meanwhile) = while_sending(&sends(2), || {
        let began = clock::now();
        let message = "x".repeat(options.bytes);
        let parameters = [("TopicArn", topic.as_str()), ("Message", message.as_str())];
        sns(address, "Publish", &parameters)?;
        let answered = clock::now() - began;
        while clock::now() - began < options.limit {
            let waits = match &waiting {
                Some(url) => sqs::depth(address, url).unwrap_or((0, 0)),
                None => (0, 0),
            };
            if waits == (0, 0) {
                return Ok((answered, Some(clock::now() - began)));
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok((answered, None))
    })?;
    let memory = io_error("reading the memory of the server");
    let resident_bytes_max = process::resident_bytes_max(pid).map_err(memory)?;
    let mut wrong = 0;
    for url in &queues {
        wrong += u32::from(sqs::depth(address, url)? != (1, 0));
    }
    drop(running);
    fs::remove_dir_all(&dir).map_err(io_error(format!("removing {}", dir.display())))?;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(Report {
        machine: process::machine(),
        queues: options.queues,
        bytes: options.bytes,
        answered_ms: ms(answered),
        everybody_ms: everybody.map(ms),
        wrong,
        resident_bytes_before,
        resident_bytes_max,
        sends_before,
        sends_meanwhile,
    })
}

fn create_topic(target: SocketAddr) -> Result<String, BenchError> {
    let answer = sns(target, "CreateTopic", &[("Name", "news")])?;
    let arn = answer.split_once("<TopicArn>").and_then(|(_, rest)| {
        let (arn, _) = rest.split_once('<')?;
        Some(arn.to_owned())
    });
    arn.ok_or_else(|| BenchError::Answer {
        call: "CreateTopic".to_owned(),
        body: answer,
    })
}

/// A queue of the topic's account and region.
fn subscribe(target: SocketAddr, topic: &str, queue: &str) -> Result<(), BenchError> {
    let place = topic.rsplit_once(':').map_or(topic, |(place, _)| place);
    let endpoint = format!("{}:{queue}", place.replace(":sns:", ":sqs:"));
    let parameters = [
        ("TopicArn", topic),
        ("Protocol", "sqs"),
        ("Endpoint", &endpoint),
    ];
    sns(target, "Subscribe", &parameters).map(|_| ())
}

/// One call in the query protocol; its answer, which must be a success.
fn sns(
    target: SocketAddr,
    action: &str,
    parameters: &[(&str, &str)],
) -> Result<String, BenchError> {
    let mut body = format!("Action={action}&Version=2010-03-31");
    for (name, value) in parameters {
        write!(body, "&{name}={}", encoded(value)).expect("a String");
    }
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    match http::call_with(target, "POST", "/", &headers, &body)? {
        (200, answer) => Ok(answer),
        (status, body) => Err(BenchError::Setup {
            call: action.to_owned(),
            status,
            body,
        }),
    }
}
