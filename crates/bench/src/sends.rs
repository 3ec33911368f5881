//! Sends at a fixed pace, one after the other, while something else is measured.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::clock;
use crate::error::{BenchError, io_error};
use crate::http::{self, Answer};
use crate::load::{histogram, micros};
use crate::sqs::{self, Latency};
use crate::template::Numbers;

pub(crate) const SENDS_PER_S: u32 = 100;
/// How long one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(60);

/// Where to, and what.
#[derive(Clone, Copy)]
pub(crate) struct Sends<'a> {
    pub(crate) target: SocketAddr,
    pub(crate) queue_url: &'a str,
    pub(crate) is_fifo: bool,
    /// What is sent in one run is no repetition of another's.
    pub(crate) run: u64,
}

/// Sends at a fixed pace as long as `work` takes.
pub(crate) fn while_sending<T>(
    sends: &Sends<'_>,
    work: impl FnOnce() -> Result<T, BenchError>,
) -> Result<(T, Latency), BenchError> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = scope.spawn(|| send_paced(sends, &stop));
        let done = work();
        stop.store(true, Ordering::Release);
        let latencies = sender.join().expect("it answers with its errors")?;
        Ok((done?, Latency::of(&latencies)))
    })
}

/// From when each send was due to its answer.
fn send_paced(sends: &Sends<'_>, stop: &AtomicBool) -> Result<Histogram<u32>, BenchError> {
    let group = match sends.is_fifo {
        true => r#","MessageGroupId":"meanwhile","MessageDeduplicationId":"{key}""#,
        false => "",
    };
    let queue_url = sends.queue_url;
    let body = format!(r#"{{"QueueUrl":"{queue_url}","MessageBody":"meanwhile {{n}}"{group}}}"#);
    let mut request = sqs::request(sends.target, "SendMessage", &body);
    let mut client = Client::connect(sends.target)?;
    let mut latencies = histogram();
    let mut due = clock::now();
    while !stop.load(Ordering::Acquire) {
        thread::sleep(due.saturating_duration_since(clock::now()));
        let numbers = Numbers {
            run: sends.run,
            connection: 0,
            count: latencies.len(),
            number: 0,
        };
        client.ask(request.render(&numbers))?;
        latencies.saturating_record(micros(clock::now() - due));
        due += Duration::from_secs(1) / SENDS_PER_S;
    }
    Ok(latencies)
}

/// A connection that is kept, for one call after the other.
pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(target: SocketAddr) -> Result<Self, BenchError> {
        let open = || {
            let stream = TcpStream::connect_timeout(&target, CALL_LIMIT)?;
            stream.set_read_timeout(Some(CALL_LIMIT))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        Ok(Self {
            stream: open().map_err(io_error(format!("connecting to {target}")))?,
            received: Vec::new(),
        })
    }

    /// The answer must be a success.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<(), BenchError> {
        self.received.clear();
        self.stream
            .write_all(request)
            .map_err(io_error("sending a request"))?;
        let mut part = [0; 4 << 10];
        loop {
            let count = self
                .stream
                .read(&mut part)
                .map_err(io_error("waiting for an answer"))?;
            self.received.extend_from_slice(&part[..count]);
            match http::parse(&self.received) {
                Answer::Complete { status: 200, .. } => return Ok(()),
                Answer::Incomplete if count > 0 => {}
                Answer::Complete { .. } | Answer::Malformed(_) | Answer::Incomplete => {
                    return Err(BenchError::Answer {
                        call: String::from_utf8_lossy(request).into_owned(),
                        body: String::from_utf8_lossy(&self.received).into_owned(),
                    });
                }
            }
        }
    }
}
