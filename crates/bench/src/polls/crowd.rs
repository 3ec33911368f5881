//! Connections that wait, and one that sends, on one thread around epoll.
//!
//! What always holds: a poll that ends with nothing begins again at once; one that was answered
//! with a message does not, until it is told to; any other answer is an error and the end.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use memchr::memmem;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::clock;
use crate::error::{BenchError, io_error};
use crate::http::{self, Answer};
use crate::queue::{Cycle, Wire};
use crate::sqs;

/// What every poll asks for, and the most that SQS allows.
pub(super) const WAIT: Duration = Duration::from_secs(20);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Nobody connects in one burst; the time between is for the server to accept them.
const CONNECTS_AT_ONCE: usize = 50;
const CONNECT_PAUSE: Duration = Duration::from_millis(2);
/// How long the sender may wait for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// How long may be waited until polls have begun again: then all of them have.
const FRESH_LIMIT: Duration = Duration::from_secs(25);
const FRESH_LOOK: Duration = Duration::from_millis(50);
const READ_BYTES: usize = 16 << 10;
const EVENTS_MAX: usize = 1_024;

pub(super) struct Crowd {
    epoll: Poll,
    waiting: Vec<Waiting>,
    target: SocketAddr,
    /// Opened when it is needed: a server closes what is idle for too long.
    sender: Option<Connection>,
    queues: Vec<Queue>,
    slowest_connect: Duration,
    begun: u64,
    ended: u64,
    arrivals: Vec<Arrival>,
}

struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

struct Waiting {
    connection: Connection,
    queue: usize,
    begun_at: Instant,
}

struct Queue {
    url: String,
    poll: Vec<u8>,
    cycle: Cycle,
}

/// A poll was answered with a message.
pub(super) struct Arrival {
    pub(super) at: Instant,
    pub(super) poll: usize,
    pub(super) body: Vec<u8>,
}

pub(super) struct Sent {
    pub(super) at: Instant,
    pub(super) answered_at: Instant,
}

impl Crowd {
    /// Everybody connects, a few at a time, and then begins to poll, spread evenly over the
    /// queues.
    pub(super) fn connect(
        target: SocketAddr,
        urls: &[String],
        connections: u16,
    ) -> Result<Self, BenchError> {
        let epoll = Poll::new().map_err(io_error("epoll"))?;
        let mut slowest_connect = Duration::ZERO;
        let mut waiting = Vec::with_capacity(connections.into());
        for index in 0..usize::from(connections) {
            if index % CONNECTS_AT_ONCE == 0 {
                thread::sleep(CONNECT_PAUSE);
            }
            let begun_at = clock::now();
            waiting.push(Waiting {
                connection: Connection::open(target, &epoll, index)?,
                queue: index % urls.len(),
                begun_at,
            });
            slowest_connect = slowest_connect.max(clock::now() - begun_at);
        }
        let mut crowd = Self {
            epoll,
            waiting,
            target,
            sender: None,
            queues: urls.iter().map(|url| Queue::new(target, url)).collect(),
            slowest_connect,
            begun: 0,
            ended: 0,
            arrivals: Vec::new(),
        };
        (0..crowd.len()).try_for_each(|index| crowd.poll_again(index))?;
        Ok(crowd)
    }

    pub(super) fn slowest_connect(&self) -> Duration {
        self.slowest_connect
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Polls that have begun, again or for the first time.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    /// Polls that have ended with nothing.
    pub(super) fn ended(&self) -> u64 {
        self.ended
    }

    pub(super) fn poll_again(&mut self, index: usize) -> Result<(), BenchError> {
        let waiting = &mut self.waiting[index];
        waiting.begun_at = clock::now();
        self.begun += 1;
        waiting.connection.write(&self.queues[waiting.queue].poll)
    }

    /// Lets happen what happens.
    pub(super) fn wait(&mut self, duration: Duration) -> Result<(), BenchError> {
        self.wait_for(duration, |_| false)
    }

    /// Until no more than `few` polls will end by themselves within `quiet`.
    pub(super) fn wait_until_fresh(
        &mut self,
        quiet: Duration,
        few: usize,
    ) -> Result<(), BenchError> {
        let deadline = clock::now() + FRESH_LIMIT;
        loop {
            let now = clock::now();
            let ends = |waiting: &&Waiting| waiting.begun_at + WAIT < now + quiet;
            if now >= deadline || self.waiting.iter().filter(ends).count() <= few {
                return Ok(());
            }
            self.wait(FRESH_LOOK)?;
        }
    }

    /// Sends one message, to the queues in turn, and waits until that is answered.
    pub(super) fn send(&mut self, number: u32) -> Result<Sent, BenchError> {
        let queue = &self.queues[number as usize % self.queues.len()];
        let body = format!(
            r#"{{"QueueUrl":"{}","MessageBody":"{}"}}"#,
            queue.url,
            message(number)
        );
        let request = sqs::request(self.target, "SendMessage", &body);
        // Not a part of what is timed.
        self.open_sender()?;
        let at = clock::now();
        let answered_at = self.ask(request.rendered())?;
        Ok(Sent { at, answered_at })
    }

    pub(super) fn delete(&mut self, arrival: &Arrival) -> Result<(), BenchError> {
        let queue = &self.queues[self.waiting[arrival.poll].queue];
        let mut request = Vec::new();
        queue.cycle.delete(&arrival.body, &mut request);
        self.ask(&request).map(|_| ())
    }

    pub(super) fn wait_for_arrival(&mut self, limit: Duration) -> Result<(), BenchError> {
        self.wait_for(limit, |crowd| !crowd.arrivals.is_empty())
    }

    pub(super) fn take_arrivals(&mut self) -> Vec<Arrival> {
        std::mem::take(&mut self.arrivals)
    }

    /// One request of the sender; returns when it was answered.
    fn ask(&mut self, request: &[u8]) -> Result<Instant, BenchError> {
        let sender = self.open_sender()?;
        sender.received.clear();
        sender.write(request)?;
        self.wait_for(ANSWER_LIMIT, |crowd| {
            http::parse(crowd.heard()) != Answer::Incomplete
        })?;
        let at = clock::now();
        match http::parse(self.heard()) {
            Answer::Complete { status: 200, .. } => Ok(at),
            Answer::Complete { .. } | Answer::Incomplete | Answer::Malformed(_) => {
                Err(unexpected("the sender", self.heard()))
            }
        }
    }

    fn open_sender(&mut self) -> Result<&mut Connection, BenchError> {
        if self.sender.is_none() {
            let sender = Connection::open(self.target, &self.epoll, self.waiting.len())?;
            self.sender = Some(sender);
        }
        Ok(self.sender.as_mut().expect("it was opened"))
    }

    fn heard(&self) -> &[u8] {
        self.sender.as_ref().map_or(&[], |sender| &sender.received)
    }

    fn wait_for(
        &mut self,
        limit: Duration,
        done: impl Fn(&Self) -> bool,
    ) -> Result<(), BenchError> {
        let deadline = clock::now() + limit;
        let mut events = Events::with_capacity(EVENTS_MAX);
        while !done(self) {
            let left = deadline.saturating_duration_since(clock::now());
            if left.is_zero() {
                break;
            }
            match self.epoll.poll(&mut events, Some(left)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(io_error("epoll")(error)),
            }
            for event in &events {
                self.on_event(event.token().0)?;
            }
        }
        Ok(())
    }

    fn on_event(&mut self, index: usize) -> Result<(), BenchError> {
        let Some(waiting) = self.waiting.get_mut(index) else {
            return self.open_sender()?.read();
        };
        let connection = &mut waiting.connection;
        connection.read()?;
        let body = match http::parse(&connection.received) {
            Answer::Incomplete => return Ok(()),
            Answer::Complete { status: 200, body } => connection.received[body].to_vec(),
            Answer::Complete { .. } | Answer::Malformed(_) => {
                return Err(unexpected("a poll", &connection.received));
            }
        };
        connection.received.clear();
        if memmem::find(&body, br#""ReceiptHandle""#).is_some() {
            self.arrivals.push(Arrival {
                at: clock::now(),
                poll: index,
                body,
            });
            Ok(())
        } else {
            self.ended += 1;
            self.poll_again(index)
        }
    }
}

impl Queue {
    fn new(target: SocketAddr, url: &str) -> Self {
        let body = format!(
            r#"{{"QueueUrl":"{url}","WaitTimeSeconds":{}}}"#,
            WAIT.as_secs()
        );
        let poll = sqs::request(target, "ReceiveMessage", &body);
        Self {
            url: url.to_owned(),
            poll: poll.rendered().to_vec(),
            cycle: Cycle::new(Wire::Json, target, url, 1),
        }
    }
}

impl Connection {
    fn open(target: SocketAddr, epoll: &Poll, index: usize) -> Result<Self, BenchError> {
        let open = || {
            let stream = std::net::TcpStream::connect_timeout(&target, CONNECT_LIMIT)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            let registry = epoll.registry();
            registry.register(&mut stream, Token(index), Interest::READABLE)?;
            Ok(stream)
        };
        Ok(Self {
            stream: open().map_err(io_error(format!("connecting to {target}")))?,
            received: Vec::new(),
        })
    }

    /// A request is small, and nothing else is on its way: the socket takes it whole.
    fn write(&mut self, request: &[u8]) -> Result<(), BenchError> {
        self.stream
            .write_all(request)
            .map_err(io_error("sending a request"))
    }

    /// Reads until the socket is empty.
    fn read(&mut self) -> Result<(), BenchError> {
        let mut part = [0; READ_BYTES];
        loop {
            match self.stream.read(&mut part) {
                Ok(0) => return Err(unexpected("a connection that was closed", &self.received)),
                Ok(count) => self.received.extend_from_slice(&part[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(io_error("reading an answer")(error)),
            }
        }
    }
}

/// The body of the message with this number.
pub(super) fn message(number: u32) -> String {
    format!("message {number:09}")
}

fn unexpected(of: &str, received: &[u8]) -> BenchError {
    BenchError::Answer {
        call: of.to_owned(),
        body: String::from_utf8_lossy(received).into_owned(),
    }
}
