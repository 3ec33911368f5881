//! Queues, what is asked of them and what they answer: one promise after the other.

mod manage;
mod room;
mod traffic;

use std::collections::BTreeMap;

use engine::ports::{MoveStatus, NUMBERS_MAX, Queue};
use engine::{Command, Limits, QueueSpec, Refusal, Reply};
use messaging::{
    Message, QueueConfig, QueueSettings, ReceiptHandle, RedriveAllow, RedrivePolicy, Send,
    ThroughputLimit,
};

use crate::rig::{Answer, Place, Rig, receive_for, runtime, send};

fn none() -> QueueSettings {
    QueueSettings::default()
}

fn create(name: &str, settings: QueueSettings) -> Command {
    Command::CreateQueue {
        name: name.to_owned(),
        owner: Some("000000000000".to_owned()),
        settings: Box::new(settings),
        tags: BTreeMap::new(),
    }
}

fn set(queue: &str, settings: QueueSettings) -> Command {
    Command::SetQueue {
        queue: queue.to_owned(),
        settings: Box::new(settings),
    }
}

fn delete(queue: &str) -> Command {
    Command::DeleteQueue {
        queue: queue.to_owned(),
    }
}

fn purge(queue: &str) -> Command {
    Command::PurgeQueue {
        queue: queue.to_owned(),
    }
}

fn letters_to(queue: &str) -> QueueSettings {
    QueueSettings {
        redrive: Some(Some(RedrivePolicy {
            dead_letter_queue: queue.to_owned(),
            max_receive_count: 1,
        })),
        ..none()
    }
}

fn fifo() -> QueueSettings {
    QueueSettings {
        fifo: Some(true),
        content_based_deduplication: Some(true),
        ..none()
    }
}

fn in_group(body: &str, group: &str) -> Send {
    Send {
        body: body.to_owned(),
        group: Some(group.to_owned()),
        ..Send::default()
    }
}

async fn made(rig: &Rig, command: Command) -> Queue {
    match rig.done(command).await {
        Reply::Queue(queue) => *queue,
        other => panic!("{other:?}"),
    }
}

async fn received(rig: &Rig, queue: &str, max: usize) -> (Vec<Message>, Vec<ReceiptHandle>) {
    match rig.done(receive_for(queue, max, None)).await {
        Reply::Messages { queue_id, messages } => {
            let handles = messages.iter().map(|message| ReceiptHandle {
                queue_id,
                seq: message.seq,
                receipt: message.receipt.unwrap(),
            });
            let handles = handles.collect();
            (messages, handles)
        }
        other => panic!("{other:?}"),
    }
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.body.as_str())
        .collect()
}

/// What became of each entry of a batch request.
fn codes(answer: &Answer) -> Vec<&'static str> {
    let Ok(Ok(Reply::Batch(answers))) = answer else {
        panic!("{answer:?}");
    };
    answers
        .iter()
        .map(|answer| match answer {
            Ok(Reply::Sent { .. }) => "sent",
            Ok(Reply::Count(1)) => "deleted",
            Ok(Reply::Count(0)) => "nothing",
            Ok(Reply::Done) => "done",
            Err(refusal) => refusal.code(),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn on_both(check: impl AsyncFn(&mut Rig)) {
    runtime().block_on(async {
        for place in Place::both() {
            let mut rig = Rig::new(place);
            check(&mut rig).await;
            rig.audit_clean();
        }
    });
}
