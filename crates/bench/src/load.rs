//! The closed-loop load generator: N connections, one request in flight on each, the next one
//! sent when the answer has arrived and was checked.
//!
//! It is one thread around epoll, because it shares the machine with what it measures: two
//! system calls a request, a request that is patched rather than built, an answer of which only
//! the end, the status and a substring are looked at.
//!
//! ```text
//!   connect all -> warm-up -> window (counted, timed) -> drain: what is in flight is answered
//! ```
//!
//! What always holds: at most one request is in flight on a connection; every answer of every
//! phase is checked; the run ends after its seconds or its requests, and the drain after
//! [`DRAIN_LIMIT`]. A closed loop understates the latency of a server that stalls, because
//! nobody sends while it does; rates and costs are what it is good at.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use serde::Serialize;

use crate::clock;
use crate::error::{BenchError, io_error};
use crate::http::{self, Answer};
use crate::process::{self, Usage};
use crate::queue::Cycle;
use crate::resp;
use crate::template::{Numbers, REQUESTS_MAX, Template};

/// The most connections of one run: the width of `{conn}` and the descriptors of one process.
pub const CONNECTIONS_MAX: u16 = 1_000;
/// How long answers may take to arrive after the last request was sent.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// How long connecting may take, for each connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// A run with more errors than this measures nothing and is given up.
const ERRORS_MAX: u64 = 1_000;
/// How many wrong answers are shown.
const EXAMPLES_MAX: usize = 3;
/// The most of a wrong answer that is shown, in bytes.
const EXAMPLE_BYTES_MAX: usize = 600;
/// The largest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
const ANSWER_BYTES_USUAL: usize = 4 << 10;

#[derive(Clone, Copy, Debug)]
pub enum Protocol {
    Http,
    Resp,
}

/// What every answer must be.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    pub status: u16,
    /// Another status that is an answer as well, whatever its body.
    pub also: Option<u16>,
    pub body_contains: &'a str,
}

#[derive(Clone, Debug)]
pub struct Plan<'a> {
    pub target: SocketAddr,
    pub protocol: Protocol,
    pub request: Template,
    pub expect: Expect<'a>,
    /// What follows each request on its connection, if anything does.
    pub cycle: Option<Cycle>,
    pub connections: u16,
    pub warmup: Duration,
    /// The length of the window.
    pub window: Duration,
    /// Requests sent in all, the warm-up among them.
    pub requests_max: u64,
    /// The processes whose CPU time is counted, together.
    pub server_pids: Vec<u32>,
}

/// Called each time `every` more requests were answered as expected, with their number so far.
pub struct Progress<'a> {
    pub every: u64,
    pub call: &'a mut dyn FnMut(u64),
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Errors {
    pub unexpected_status: u64,
    pub unexpected_body: u64,
    pub malformed: u64,
    pub connection_lost: u64,
    pub unanswered: u64,
    pub examples: Vec<String>,
}

impl Errors {
    pub fn total(&self) -> u64 {
        self.unexpected_status
            + self.unexpected_body
            + self.malformed
            + self.connection_lost
            + self.unanswered
    }
}

/// What one run found. `answered_total` and `errors` are of all phases, the rest of the window.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub connections: u16,
    pub window_s: f64,
    pub answered: u64,
    pub answered_total: u64,
    /// The share of answers with the other status.
    pub other_share: f64,
    pub rate: f64,
    /// Messages that went through a cycle to its end, a second; 0 without a cycle.
    pub messages_rate: f64,
    pub latency_ms_p50: f64,
    pub latency_ms_p99: f64,
    pub latency_ms_p999: f64,
    pub latency_ms_max: f64,
    pub server_cpu_us: f64,
    /// The same for each name of a thread, the largest part first.
    pub server_thread_cpu_us: Vec<(String, f64)>,
    pub generator_cpu_us: f64,
    /// The share of one core that the generator used; near 1 it is the generator that limits.
    pub generator_busy: f64,
    /// How many cores everything else on the machine used; far from 0 the rate says little.
    pub others_busy: f64,
    /// What the server wrote to the disk for each request, in bytes.
    pub server_written_bytes: f64,
    pub errors: Errors,
}

pub fn run<'a>(plan: &'a Plan<'a>, progress: Option<Progress<'a>>) -> Result<Outcome, BenchError> {
    check(plan)?;
    let mut driver = Driver::connect(plan, progress)?;
    driver.drive()?;
    Ok(driver.outcome())
}

fn check(plan: &Plan<'_>) -> Result<(), BenchError> {
    if !plan.target.ip().is_loopback() {
        return Err(BenchError::NotLoopback(plan.target));
    }
    if plan.connections == 0 || plan.connections > CONNECTIONS_MAX {
        return Err(BenchError::Option {
            field: "connections",
            problem: format!("{} is not in 1 to {CONNECTIONS_MAX}", plan.connections),
        });
    }
    if plan.requests_max == 0 || plan.requests_max > REQUESTS_MAX {
        return Err(BenchError::Option {
            field: "requests",
            problem: format!("{} is not in 1 to {REQUESTS_MAX}", plan.requests_max),
        });
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Window,
    Drain,
}

/// Where a connection stands in its cycle; without one it repeats the first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Send,
    Receive,
    Delete { messages: u64 },
}

struct Connection {
    stream: TcpStream,
    request: Template,
    step: Step,
    /// The request of the later steps.
    follow_up: Vec<u8>,
    /// How much of the request was written; the rest waits for the socket.
    written: usize,
    received: Vec<u8>,
    received_len: usize,
    count: u64,
    sent_at: Option<Instant>,
}

struct Mark {
    at: Instant,
    machine_cpu_s: f64,
    server: Usage,
    generator: Usage,
}

struct Driver<'a> {
    plan: &'a Plan<'a>,
    progress: Option<Progress<'a>>,
    expected_body: memchr::memmem::Finder<'a>,
    poll: Poll,
    connections: Vec<Connection>,
    run: u64,
    phase: Phase,
    sent: u64,
    in_flight: usize,
    answered: u64,
    answered_other: u64,
    answered_total: u64,
    messages: u64,
    latencies: Histogram<u32>,
    errors: Errors,
    window_begin: Option<Mark>,
    window_end: Option<Mark>,
}

impl<'a> Driver<'a> {
    fn connect(plan: &'a Plan<'a>, progress: Option<Progress<'a>>) -> Result<Self, BenchError> {
        let failed = || format!("connecting to {}", plan.target);
        let poll = Poll::new().map_err(io_error("epoll"))?;
        let mut connections = Vec::with_capacity(usize::from(plan.connections));
        for index in 0..usize::from(plan.connections) {
            let mut connection =
                Connection::open(plan.target, plan.request.clone()).map_err(io_error(failed()))?;
            poll.registry()
                .register(
                    &mut connection.stream,
                    Token(index),
                    Interest::READABLE | Interest::WRITABLE,
                )
                .map_err(io_error("epoll"))?;
            connections.push(connection);
        }
        Ok(Self {
            plan,
            progress,
            expected_body: memchr::memmem::Finder::new(plan.expect.body_contains),
            poll,
            connections,
            run: random_bits(),
            phase: Phase::WarmUp,
            sent: 0,
            in_flight: 0,
            answered: 0,
            answered_other: 0,
            answered_total: 0,
            messages: 0,
            latencies: histogram(),
            errors: Errors::default(),
            window_begin: None,
            window_end: None,
        })
    }

    fn drive(&mut self) -> Result<(), BenchError> {
        let begin = clock::now();
        let window_from = begin + self.plan.warmup;
        let window_to = window_from + self.plan.window;
        self.advance(begin, window_from, window_to)?;
        for index in 0..self.connections.len() {
            self.send_next(index, begin);
        }
        let mut events = Events::with_capacity(self.connections.len().max(16));
        while self.in_flight > 0 && self.errors.total() <= ERRORS_MAX {
            let now = clock::now();
            self.advance(now, window_from, window_to)?;
            let deadline = match self.phase {
                Phase::WarmUp => window_from,
                Phase::Window => window_to,
                Phase::Drain => window_to + DRAIN_LIMIT,
            };
            if self.phase == Phase::Drain && now >= deadline {
                break;
            }
            let timeout = deadline.saturating_duration_since(now);
            match self.poll.poll(&mut events, Some(timeout)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(io_error("epoll")(error)),
            }
            for event in &events {
                self.on_event(event.token().0);
            }
        }
        self.end_window()?;
        self.errors.unanswered +=
            u64::try_from(self.in_flight).expect("at most CONNECTIONS_MAX are in flight");
        Ok(())
    }

    fn advance(&mut self, now: Instant, from: Instant, to: Instant) -> Result<(), BenchError> {
        if self.phase == Phase::WarmUp && now >= from {
            self.window_begin = Some(self.mark()?);
            self.phase = Phase::Window;
        }
        if self.phase == Phase::Window && now >= to {
            self.end_window()?;
            self.phase = Phase::Drain;
        }
        Ok(())
    }

    fn end_window(&mut self) -> Result<(), BenchError> {
        if self.window_begin.is_some() && self.window_end.is_none() {
            self.window_end = Some(self.mark()?);
        }
        Ok(())
    }

    fn mark(&self) -> Result<Mark, BenchError> {
        let usage = |pids: &[u32]| process::usage(pids).map_err(io_error("/proc/<pid>"));
        Ok(Mark {
            machine_cpu_s: process::machine_cpu_s().map_err(io_error("/proc/stat"))?,
            server: usage(&self.plan.server_pids)?,
            generator: usage(&[std::process::id()])?,
            at: clock::now(),
        })
    }

    fn on_event(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        if connection.sent_at.is_none() {
            // Nobody waits for an answer on it: it has nothing more to send, or it was lost.
            return;
        }
        let step = connection
            .write_rest()
            .and_then(|()| connection.receive(self.plan.protocol));
        match step {
            Ok(Answer::Incomplete) => {}
            Ok(Answer::Complete { status, body }) => self.on_answer(index, status, body),
            Ok(Answer::Malformed(problem)) => {
                self.errors.malformed += 1;
                self.lose(index, problem);
            }
            Err(error) => {
                self.errors.connection_lost += 1;
                self.lose(index, &error.to_string());
            }
        }
    }

    fn on_answer(&mut self, index: usize, status: u16, body: std::ops::Range<usize>) {
        let now = clock::now();
        let connection = &mut self.connections[index];
        let sent_at = connection
            .sent_at
            .take()
            .expect("answers are read only while one is awaited");
        self.in_flight -= 1;
        let is_other = self.plan.expect.also == Some(status);
        let expected = if is_other {
            true
        } else if status != self.plan.expect.status {
            self.errors.unexpected_status += 1;
            false
        } else if connection.step == Step::Send
            && self
                .expected_body
                .find(&connection.received[body.clone()])
                .is_none()
        {
            self.errors.unexpected_body += 1;
            false
        } else {
            true
        };
        if expected {
            self.answered_total += 1;
            if self.phase == Phase::Window {
                self.answered += 1;
                self.answered_other += u64::from(is_other);
                self.latencies.saturating_record(micros(now - sent_at));
            }
            if let Some(progress) = &mut self.progress
                && self.answered_total.is_multiple_of(progress.every)
            {
                (progress.call)(self.answered_total);
            }
            if let Some(cycle) = &self.plan.cycle {
                let in_window = self.phase == Phase::Window;
                self.messages += connection.follow(cycle, body, in_window);
            }
        } else {
            let received = &connection.received[..connection.received_len];
            push_example(&mut self.errors, &String::from_utf8_lossy(received));
        }
        let connection = &mut self.connections[index];
        let closes = connection.is_closing();
        connection.received_len = 0;
        if closes && let Err(error) = self.reopen(index) {
            self.errors.connection_lost += 1;
            push_example(&mut self.errors, &error.to_string());
            return;
        }
        self.send_next(index, now);
    }

    /// A server that closes after each answer is called anew, as its clients have to.
    fn reopen(&mut self, index: usize) -> std::io::Result<()> {
        let connection = &mut self.connections[index];
        connection.stream = connect(self.plan.target)?;
        self.poll.registry().register(
            &mut connection.stream,
            Token(index),
            Interest::READABLE | Interest::WRITABLE,
        )
    }

    fn send_next(&mut self, index: usize, now: Instant) {
        if self.phase == Phase::Drain || self.sent == self.plan.requests_max {
            return;
        }
        let connection = &mut self.connections[index];
        if connection.step == Step::Send {
            connection.request.render(&Numbers {
                run: self.run,
                connection: u64::try_from(index).expect("at most CONNECTIONS_MAX"),
                count: connection.count,
                number: self.sent,
            });
        }
        connection.count += 1;
        connection.written = 0;
        connection.sent_at = Some(now);
        self.sent += 1;
        self.in_flight += 1;
        if let Err(error) = connection.write_rest() {
            self.errors.connection_lost += 1;
            self.lose(index, &error.to_string());
        }
    }

    /// The connection sends nothing more: what it had in flight is counted as an error already.
    fn lose(&mut self, index: usize, problem: &str) {
        let connection = &mut self.connections[index];
        if connection.sent_at.take().is_some() {
            self.in_flight -= 1;
        }
        connection.written = connection.outgoing().len();
        let received = String::from_utf8_lossy(&connection.received[..connection.received_len]);
        push_example(&mut self.errors, &format!("{problem}: {received}"));
        connection.received_len = 0;
        // The peer may have closed it already, which is as good.
        let _ = connection.stream.shutdown(std::net::Shutdown::Both);
    }

    fn outcome(self) -> Outcome {
        let (window_s, machine_cpu_s, server, generator) =
            match (self.window_begin, self.window_end) {
                (Some(begin), Some(end)) => (
                    (end.at - begin.at).as_secs_f64(),
                    end.machine_cpu_s - begin.machine_cpu_s,
                    end.server.since(&begin.server),
                    end.generator.since(&begin.generator),
                ),
                _ => (0.0, 0.0, Usage::default(), Usage::default()),
            };
        let per_answer = |total: f64| {
            if self.answered == 0 {
                0.0
            } else {
                total / self.answered as f64
            }
        };
        let per_second = |total: f64| {
            if window_s > 0.0 {
                total / window_s
            } else {
                0.0
            }
        };
        Outcome {
            connections: self.plan.connections,
            window_s,
            answered: self.answered,
            answered_total: self.answered_total,
            other_share: per_answer(self.answered_other as f64),
            rate: per_second(self.answered as f64),
            messages_rate: per_second(self.messages as f64),
            latency_ms_p50: quantile_ms(&self.latencies, 0.5),
            latency_ms_p99: quantile_ms(&self.latencies, 0.99),
            latency_ms_p999: quantile_ms(&self.latencies, 0.999),
            latency_ms_max: quantile_ms(&self.latencies, 1.0),
            server_cpu_us: per_answer(server.cpu_s * 1e6),
            server_thread_cpu_us: largest_first(server.thread_cpu_s)
                .map(|(name, cpu_s)| (name, per_answer(cpu_s * 1e6)))
                .collect(),
            generator_cpu_us: per_answer(generator.cpu_s * 1e6),
            generator_busy: per_second(generator.cpu_s),
            others_busy: per_second((machine_cpu_s - server.cpu_s - generator.cpu_s).max(0.0)),
            server_written_bytes: per_answer(server.written_bytes as f64),
            errors: self.errors,
        }
    }
}

fn connect(target: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = std::net::TcpStream::connect_timeout(&target, CONNECT_LIMIT)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(TcpStream::from_std(stream))
}

impl Connection {
    /// Whether the answer that has arrived says that it is the last one.
    fn is_closing(&self) -> bool {
        let received = &self.received[..self.received_len];
        memchr::memmem::find(received, b"\r\nConnection: close\r\n").is_some()
    }

    fn open(target: SocketAddr, request: Template) -> std::io::Result<Self> {
        Ok(Self {
            stream: connect(target)?,
            written: request.rendered_len(),
            request,
            step: Step::Send,
            follow_up: Vec::new(),
            received: vec![0; ANSWER_BYTES_USUAL],
            received_len: 0,
            count: 0,
            sent_at: None,
        })
    }

    fn outgoing(&self) -> &[u8] {
        match self.step {
            Step::Send => self.request.rendered(),
            Step::Receive | Step::Delete { .. } => &self.follow_up,
        }
    }

    /// Moves on in the cycle after an answer; returns how many messages have come to its end.
    fn follow(&mut self, cycle: &Cycle, body: std::ops::Range<usize>, counts: bool) -> u64 {
        let answer = &self.received[body];
        match self.step {
            Step::Send => {
                self.follow_up.clear();
                self.follow_up.extend_from_slice(cycle.receive());
                self.step = Step::Receive;
                0
            }
            Step::Receive => {
                // Nothing was there when somebody else was quicker: it is asked again.
                let messages = cycle.delete(answer, &mut self.follow_up);
                if messages > 0 {
                    self.step = Step::Delete { messages };
                }
                0
            }
            Step::Delete { messages } => {
                self.step = Step::Send;
                if counts { messages } else { 0 }
            }
        }
    }

    fn write_rest(&mut self) -> std::io::Result<()> {
        while self.written < self.outgoing().len() {
            let rest = match self.step {
                Step::Send => self.request.rendered(),
                Step::Receive | Step::Delete { .. } => self.follow_up.as_slice(),
            };
            match self.stream.write(&rest[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads until the answer is complete or the socket is empty. A read that did not fill the
    /// buffer has emptied it: what arrives later raises a new event.
    fn receive(&mut self, protocol: Protocol) -> std::io::Result<Answer> {
        loop {
            if self.received_len == self.received.len() {
                if self.received.len() >= ANSWER_BYTES_MAX {
                    return Ok(Answer::Malformed("a larger answer than is expected"));
                }
                self.received.resize(self.received.len() * 2, 0);
            }
            let count = match self.stream.read(&mut self.received[self.received_len..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(Answer::Incomplete);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.received_len += count;
            let received = &self.received[..self.received_len];
            let answer = match protocol {
                Protocol::Http => http::parse(received),
                Protocol::Resp => resp::parse(received),
            };
            if answer != Answer::Incomplete || self.received_len < self.received.len() {
                return Ok(answer);
            }
        }
    }
}

fn largest_first(parts: BTreeMap<String, f64>) -> impl Iterator<Item = (String, f64)> {
    let mut parts: Vec<_> = parts.into_iter().filter(|part| part.1 > 0.0).collect();
    parts.sort_by(|one, other| other.1.total_cmp(&one.1));
    parts.into_iter()
}

fn push_example(errors: &mut Errors, text: &str) {
    if errors.examples.len() < EXAMPLES_MAX {
        errors.examples.push(
            text.chars()
                .take(EXAMPLE_BYTES_MAX)
                .collect::<String>()
                .replace("\r\n", " | "),
        );
    }
}

/// Latencies from 1 us to 60 s, to three digits.
pub(crate) fn histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are constant and valid")
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

pub(crate) fn quantile_ms(histogram: &Histogram<u32>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}

/// Different in each process: the keys that the standard library's hash maps start from.
fn random_bits() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}
