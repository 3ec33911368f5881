//! The rules one by one, and in `model_*` random histories against naive models.

mod config;
mod fifo;
mod in_flight;
mod model_fifo;
mod model_standard;
mod receive;
mod send;
mod settings;

use super::*;

const NOW: i64 = 1_790_000_000_000;

fn standard() -> QueueConfig {
    QueueConfig::default()
}

fn fifo() -> QueueConfig {
    QueueConfig {
        fifo: Some(FifoConfig::default()),
        ..QueueConfig::default()
    }
}

fn with_redrive(config: QueueConfig, max_receive_count: u32) -> QueueConfig {
    let dead_letter_queue = if config.is_fifo() {
        "dead.fifo"
    } else {
        "dead"
    };
    QueueConfig {
        redrive: Some(RedrivePolicy {
            dead_letter_queue: dead_letter_queue.to_owned(),
            max_receive_count,
        }),
        ..config
    }
}

fn text(body: &str) -> Send {
    Send {
        body: body.to_owned(),
        ..Send::default()
    }
}

fn grouped(group: &str, deduplication: &str) -> Send {
    Send {
        group: Some(group.to_owned()),
        deduplication: Some(deduplication.to_owned()),
        ..text("body")
    }
}

/// A stored message that was sent at `NOW`.
fn stored(config: &QueueConfig, seq: u64) -> Message {
    let send = if config.is_fifo() {
        grouped("g", &seq.to_string())
    } else {
        text("body")
    };
    accept(config, send, seq, format!("id-{seq}"), NOW).unwrap()
}

/// Receipts 100, 101 ...
fn counting() -> impl FnMut() -> u64 {
    let mut next = 99;
    move || {
        next += 1;
        next
    }
}

fn up_to(max: usize) -> Receive {
    Receive {
        max,
        visibility_timeout_s: None,
    }
}

fn receive_at(config: &QueueConfig, candidates: &[Message], max: usize, now_ms: i64) -> Received {
    receive(
        config,
        candidates.to_vec(),
        &up_to(max),
        &mut counting(),
        now_ms,
    )
}

/// Receives one message and returns it as it is then stored; its receipt is 100.
fn received_once(config: &QueueConfig, message: Message, now_ms: i64) -> Message {
    let mut received = receive_at(config, &[message], 1, now_ms);
    received.delivered.pop().expect("it can be received")
}

fn seqs(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.seq).collect()
}
