//! After a start, while it is still being read what was sent to FIFO queues before.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use engine::ports::{Clock, Ids, Opened};
use engine::{Command, Engine, EngineError, Limits, QueueSpec, Reply};
use messaging::{FifoConfig, QueueConfig};
use store::memory::Memory;

use crate::rig::{
    ManualClock, Place, Rig, START, publish, queue_spec, receive_for, runtime, send, within,
};

struct Zeros;

impl Ids for Zeros {
    fn entropy(&self) -> [u8; 32] {
        [0; 32]
    }
}

/// An engine on a store that knows only once it is told so, or the other end is gone.
fn begin(mut opened: Opened) -> (Engine, Sender<()>) {
    let (tell, told) = channel();
    opened.remembering = Some(Box::new(move || {
        let _ = told.recv();
    }));
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(START));
    let engine = Engine::start(opened, clock, Arc::new(Zeros), Limits::default());
    (engine.unwrap(), tell)
}

/// A store with a FIFO queue and another one.
async fn with_queues() -> Memory {
    let memory = Memory::default();
    let rig = Rig::new(Place::Memory(memory.clone()));
    let fifo = QueueConfig {
        fifo: Some(FifoConfig::default()),
        ..QueueConfig::default()
    };
    let queues: Vec<QueueSpec> = vec![
        queue_spec("f.fifo", fifo),
        queue_spec("plain", QueueConfig::default()),
    ];
    let subscriptions = Vec::new();
    let ensure = Command::EnsureQueues {
        queues,
        subscriptions,
    };
    rig.done(ensure).await;
    memory
}

fn grouped(body: &str) -> Command {
    let Command::SendMessage { queue, mut send } = send("f.fifo", body) else {
        unreachable!();
    };
    send.group = Some("g".to_owned());
    send.deduplication = Some(body.to_owned());
    Command::SendMessage { queue, send }
}

fn sent(reply: Reply) -> String {
    match reply {
        Reply::Sent { message, .. } => message.id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_sends_to_a_fifo_queue_waits_outside_and_nobody_waits_for_them() {
    runtime().block_on(async {
        let (engine, known) = begin(with_queues().await.open());
        let waiting: Vec<_> = [engine.clone(), engine.behind()]
            .into_iter()
            .zip(["one", "two"])
            .map(|(engine, body)| tokio::spawn(async move { engine.decide(grouped(body)).await }))
            .collect();
        let answered = async |command| within(engine.decide(command)).await.unwrap().unwrap();
        for _ in 0..50 {
            answered(send("plain", "at once")).await;
            answered(receive_for("f.fifo", 10, None)).await;
        }
        let to_topic = Command::Publish {
            topic: "t.fifo".to_owned(),
            publishes: vec![publish("news")],
        };
        let published = tokio::spawn({
            let engine = engine.clone();
            async move { engine.decide(to_topic).await }
        });
        answered(send("plain", "at once")).await;
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
        assert!(!published.is_finished());
        drop(known);
        // There is no such topic, which is said by the sequencer.
        let refused = within(published).await.unwrap().unwrap().unwrap_err();
        assert_eq!(refused.code(), "topic_not_found");
        for (waiting, body) in waiting.into_iter().zip(["one", "two"]) {
            let first = sent(within(waiting).await.unwrap().unwrap().unwrap());
            // Whoever sends it again is told of the same one.
            assert_eq!(sent(answered(grouped(body)).await), first);
        }
    });
}

#[test]
fn who_waits_outside_is_told_that_the_server_stops() {
    runtime().block_on(async {
        let (engine, known) = begin(with_queues().await.open());
        let waiting = tokio::spawn({
            let engine = engine.clone();
            async move { engine.decide(grouped("one")).await }
        });
        within(engine.decide(send("plain", "at once")))
            .await
            .unwrap()
            .unwrap();
        within(engine.stop()).await;
        assert!(!waiting.is_finished());
        // The store is gone, and with it what it was reading.
        drop(known);
        let answer = within(waiting).await.unwrap();
        assert!(matches!(answer, Err(EngineError::Stopping)), "{answer:?}");
    });
}
