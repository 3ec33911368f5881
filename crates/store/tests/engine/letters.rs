//! Random work with queues, with crashes, against a list of messages that is searched from the
//! front: every answer, every message, every count.
//!
//! One command a batch here; what commands of one batch do to each other is in `mailbox`.

use std::collections::HashMap;

use commerce::Millis;
use engine::ports::Clock as _;
use engine::{Command, Kind, Reply};
use messaging::{Message, MessageState, QueueConfig, ReceiptHandle, RedrivePolicy};
use proptest::prelude::*;

use crate::rig::{Answer, Fail, Place, Rig, cases, publish, queue_spec, receive_for, runtime};

/// Dead letters of the first two go to the third.
const QUEUES: [&str; 4] = ["orders", "stock", "dead", "other"];
const DEAD: usize = 2;
const RECEIVES_MAX: u32 = 2;
/// The shortest there is, in seconds: messages do expire here.
const RETENTION_S: u32 = 60;
const VISIBILITY_S: u32 = 10;
const TOPIC: &str = "topic";
const SUBSCRIBED: [usize; 2] = [0, 3];

#[derive(Debug, Clone)]
enum Act {
    /// Seconds.
    Wait(u8),
    Step(Step),
    Crash(Fail, Step),
    Restart,
}

#[derive(Debug, Clone)]
enum Step {
    Send {
        queue: usize,
        delay_s: Option<u32>,
    },
    Receive {
        queue: usize,
        max: usize,
        visibility_s: Option<u32>,
    },
    Delete {
        queue: usize,
        handle: usize,
    },
    ChangeVisibility {
        queue: usize,
        handle: usize,
        timeout_s: u32,
    },
    DeadLetter {
        queue: usize,
        handle: usize,
    },
    Redrive {
        queue: usize,
        one: Option<u64>,
        max: usize,
    },
    Publish {
        count: u64,
        in_step: bool,
    },
}

#[derive(Debug, Clone)]
struct Letter {
    seq: u64,
    body: String,
    sent_at: Millis,
    visible_at: Millis,
    received: u32,
    /// Which of the receipts that were given out is the latest.
    receipt: Option<usize>,
    came_from: Option<usize>,
}

/// Four lists, and every receipt that was ever given out.
struct Model {
    now: Millis,
    queues: [Vec<Letter>; 4],
    next_seq: [u64; 4],
    /// In which queue and of which message.
    receipts: Vec<(usize, u64)>,
    cursor: u64,
    dead_letters: usize,
    sent: usize,
}

#[derive(Debug, PartialEq)]
enum Expected {
    Sent {
        seq: u64,
    },
    /// Sequence, body, how often received.
    Received(Vec<(u64, String, u32)>),
    Count(u64),
    Done,
    Refused(&'static str),
}

use Expected::Refused;

impl Model {
    fn new(now: Millis) -> Self {
        Self {
            now,
            queues: Default::default(),
            next_seq: [1; 4],
            receipts: Vec::new(),
            cursor: 0,
            dead_letters: 0,
            sent: 0,
        }
    }

    fn put(&mut self, queue: usize, letter: Letter) -> u64 {
        let seq = self.next_seq[queue];
        self.next_seq[queue] += 1;
        self.queues[queue].push(Letter { seq, ..letter });
        seq
    }

    fn take(&mut self, queue: usize, seq: u64) -> Letter {
        let at = self.queues[queue]
            .iter()
            .position(|letter| letter.seq == seq);
        self.queues[queue].remove(at.unwrap())
    }

    fn send(&mut self, queue: usize, body: String, delay_s: u32) -> u64 {
        let now = self.now;
        self.put(
            queue,
            Letter {
                seq: 0,
                body,
                sent_at: now,
                visible_at: now + Millis::from(delay_s) * 1_000,
                received: 0,
                receipt: None,
                came_from: None,
            },
        )
    }

    fn bury(&mut self, queue: usize, seq: u64) {
        let letter = self.take(queue, seq);
        let visible_at = self.now;
        self.dead_letters += 1;
        self.put(
            DEAD,
            Letter {
                visible_at,
                received: 0,
                receipt: None,
                came_from: Some(queue),
                ..letter
            },
        );
    }

    /// The message that the holder of a receipt has, if the receipt is its latest.
    fn held(&mut self, queue: usize, handle: usize) -> Option<&mut Letter> {
        let (of, seq) = *self.receipts.get(handle)?;
        self.queues[queue]
            .iter_mut()
            .find(|letter| of == queue && letter.seq == seq && letter.receipt == Some(handle))
    }

    fn apply(&mut self, step: &Step) -> Expected {
        let now = self.now;
        match *step {
            Step::Send { queue, delay_s } => {
                self.sent += 1;
                let body = format!("letter {}", self.sent);
                let seq = self.send(queue, body, delay_s.unwrap_or(0));
                Expected::Sent { seq }
            }
            Step::Receive {
                queue,
                max,
                visibility_s,
            } => self.receive(queue, max, visibility_s.unwrap_or(VISIBILITY_S)),
            Step::Delete { queue, handle } => {
                let Some(seq) = self.held(queue, handle).map(|letter| letter.seq) else {
                    return Expected::Count(0);
                };
                self.take(queue, seq);
                Expected::Count(1)
            }
            Step::ChangeVisibility {
                queue,
                handle,
                timeout_s,
            } => match self.held(queue, handle) {
                Some(letter) if letter.visible_at > now => {
                    letter.visible_at = now + Millis::from(timeout_s) * 1_000;
                    Expected::Done
                }
                Some(_) | None => Refused("queue_refusal"),
            },
            Step::DeadLetter { queue, handle } => {
                let Some(seq) = self.held(queue, handle).map(|letter| letter.seq) else {
                    return Refused("queue_refusal");
                };
                if queue >= DEAD {
                    return Refused("no_dead_letter_queue");
                }
                self.bury(queue, seq);
                Expected::Done
            }
            Step::Redrive { queue, one, max } => {
                let chosen: Vec<Letter> = self.queues[queue]
                    .iter()
                    .filter(|letter| one.is_none_or(|one| letter.seq == one))
                    .take(if one.is_some() { 1 } else { max })
                    .filter(|letter| letter.came_from.is_some())
                    .cloned()
                    .collect();
                for letter in &chosen {
                    self.take(queue, letter.seq);
                    let back = letter.came_from.unwrap();
                    self.send(back, letter.body.clone(), 0);
                }
                Expected::Count(chosen.len() as u64)
            }
            Step::Publish { count, in_step } => {
                if !in_step {
                    return Refused("relay_moved");
                }
                for number in 0..count {
                    for queue in SUBSCRIBED {
                        self.send(queue, format!("publication {}", self.cursor + number), 0);
                    }
                }
                self.cursor += count;
                Expected::Count(count * SUBSCRIBED.len() as u64)
            }
        }
    }

    fn receive(&mut self, queue: usize, max: usize, visibility_s: u32) -> Expected {
        let now = self.now;
        let mut visible: Vec<Letter> = self.queues[queue]
            .iter()
            .filter(|letter| letter.visible_at <= now)
            .cloned()
            .collect();
        visible.sort_by_key(|letter| (letter.visible_at, letter.seq));
        let mut delivered = Vec::new();
        for letter in visible.into_iter().take(max) {
            if letter.sent_at + Millis::from(RETENTION_S) * 1_000 <= now {
                self.take(queue, letter.seq);
            } else if queue < DEAD && letter.received >= RECEIVES_MAX {
                self.bury(queue, letter.seq);
            } else {
                let receipt = self.receipts.len();
                self.receipts.push((queue, letter.seq));
                let kept = self.queues[queue].iter_mut().find(|l| l.seq == letter.seq);
                let kept = kept.unwrap();
                kept.received += 1;
                kept.receipt = Some(receipt);
                kept.visible_at = now + Millis::from(visibility_s) * 1_000;
                delivered.push((kept.seq, kept.body.clone(), kept.received));
            }
        }
        Expected::Received(delivered)
    }
}

/// Handles by the number of the receipt; one that was lost in a crash nobody has.
type Handles = HashMap<usize, ReceiptHandle>;

fn command(step: &Step, model: &Model, handles: &Handles) -> Command {
    let handle = |number: usize| {
        let nobody = ReceiptHandle {
            queue_id: 1,
            seq: u64::MAX,
            receipt: 7,
        };
        handles.get(&number).copied().unwrap_or(nobody)
    };
    let name = |queue: usize| QUEUES[queue].to_owned();
    match *step {
        Step::Send { queue, delay_s } => Command::SendMessage {
            queue: name(queue),
            send: Box::new(messaging::Send {
                body: format!("letter {}", model.sent + 1),
                delay_s,
                ..messaging::Send::default()
            }),
        },
        Step::Receive {
            queue,
            max,
            visibility_s,
        } => receive_for(QUEUES[queue], max, visibility_s),
        Step::Delete {
            queue,
            handle: number,
        } => Command::DeleteMessage {
            queue: name(queue),
            handle: handle(number),
        },
        Step::ChangeVisibility {
            queue,
            handle: number,
            timeout_s,
        } => Command::ChangeVisibility {
            queue: name(queue),
            handle: handle(number),
            timeout_s,
        },
        Step::DeadLetter {
            queue,
            handle: number,
        } => Command::DeadLetter {
            queue: name(queue),
            handle: handle(number),
            reason: "not wanted".to_owned(),
        },
        Step::Redrive { queue, one, max } => Command::Redrive {
            queue: name(queue),
            message: one,
            max,
        },
        Step::Publish { count, in_step } => Command::Relay {
            which: engine::Relay::Orders,
            from: model.cursor + u64::from(!in_step),
            to: model.cursor + count,
            publications: (0..count)
                .map(|number| {
                    let body = format!("publication {}", model.cursor + number);
                    (TOPIC, publish(&body))
                })
                .collect(),
            is_bare_fine: false,
        },
    }
}

fn got(answer: &Answer) -> Expected {
    match answer {
        Ok(Ok(Reply::Sent { message, .. })) => Expected::Sent { seq: message.seq },
        Ok(Ok(Reply::Messages { messages, .. })) => Expected::Received(
            messages
                .iter()
                .map(|m| (m.seq, m.body.clone(), m.receive_count))
                .collect(),
        ),
        Ok(Ok(Reply::Count(count))) => Expected::Count(*count),
        Ok(Ok(Reply::Done)) => Expected::Done,
        Ok(Err(refusal)) => Refused(refusal.code()),
        other => panic!("{other:?}"),
    }
}

fn learn(answer: &Answer, handles: &mut Handles, before: usize) {
    if let Ok(Ok(Reply::Messages { queue_id, messages })) = answer {
        for (number, message) in (before..).zip(messages) {
            let handle = ReceiptHandle {
                queue_id: *queue_id,
                seq: message.seq,
                receipt: message.receipt.unwrap(),
            };
            handles.insert(number, handle);
        }
    }
}

fn check_store(rig: &Rig, model: &Model, handles: &Handles) {
    let reader = rig.reader();
    let depths = reader.queues(model.now).unwrap();
    for (number, name) in QUEUES.iter().enumerate() {
        let stored: Vec<Message> = reader.messages(name, 0, 10_000).unwrap();
        let letters = &model.queues[number];
        assert_eq!(stored.len(), letters.len(), "{name}");
        for (stored, letter) in stored.iter().zip(letters) {
            assert_eq!(stored.seq, letter.seq);
            assert_eq!(stored.body, letter.body);
            assert_eq!(stored.sent_at_ms, letter.sent_at);
            assert_eq!(stored.visible_at_ms, letter.visible_at);
            assert_eq!(stored.receive_count, letter.received);
            assert_eq!(stored.receipt.is_some(), letter.receipt.is_some());
            if let Some(handle) = letter.receipt.and_then(|receipt| handles.get(&receipt)) {
                assert_eq!(stored.receipt, Some(handle.receipt));
            }
            let from = stored.dead.as_ref().map(|dead| dead.source_queue.as_str());
            assert_eq!(from, letter.came_from.map(|queue| QUEUES[queue]));
        }
        let depth = depths
            .iter()
            .find(|depth| depth.queue.name == *name)
            .unwrap();
        let count = |state| {
            stored
                .iter()
                .filter(|m| m.state(model.now) == state)
                .count() as u64
        };
        assert_eq!(depth.visible, count(MessageState::Visible), "{name}");
        assert_eq!(depth.in_flight, count(MessageState::InFlight), "{name}");
        assert_eq!(depth.delayed, count(MessageState::Delayed), "{name}");
        assert_eq!(depth.queue.next_seq, model.next_seq[number]);
    }
    assert_eq!(reader.relayed().unwrap().orders, model.cursor);
    // Operations hears of every dead letter.
    let log = reader.entries(0, 10_000).unwrap();
    assert!(
        log.iter()
            .all(|entry| entry.kind == Kind::MessageDeadLettered)
    );
    assert_eq!(log.len() - TOLD_OF, model.dead_letters);
    rig.audit_clean();
}

/// Entries that the relay may tell of: no script gets so far.
const TOLD_OF: usize = 200;

async fn run(place: Place, acts: &[Act]) {
    place.log_of(TOLD_OF as u64);
    let mut rig = Rig::new(place);
    let config = |redrive: bool| QueueConfig {
        retention_s: RETENTION_S,
        visibility_timeout_s: VISIBILITY_S,
        redrive: redrive.then(|| RedrivePolicy {
            dead_letter_queue: QUEUES[DEAD].to_owned(),
            max_receive_count: RECEIVES_MAX,
        }),
        ..QueueConfig::default()
    };
    rig.done(Command::EnsureQueues {
        queues: (0..4)
            .map(|queue| queue_spec(QUEUES[queue], config(queue < DEAD)))
            .collect(),
        subscriptions: SUBSCRIBED
            .map(|queue| (TOPIC, QUEUES[queue]).into())
            .to_vec(),
    })
    .await;
    let mut model = Model::new(rig.clock.now());
    let mut handles = Handles::default();
    for act in acts {
        match act {
            Act::Wait(seconds) => rig.clock.advance(Millis::from(*seconds) * 1_000),
            Act::Restart => rig.restart().await,
            Act::Step(step) => {
                model.now = rig.clock.now();
                let answer = rig.decide(command(step, &model, &handles)).await;
                let before = model.receipts.len();
                assert_eq!(got(&answer), model.apply(step), "{step:?}");
                learn(&answer, &mut handles, before);
            }
            Act::Crash(fail, step) => {
                model.now = rig.clock.now();
                rig.steering.fail_next(*fail);
                let answer = rig.decide(command(step, &model, &handles)).await;
                let before = model.receipts.len();
                if rig.steering.forgive() {
                    // There was nothing to commit.
                    assert_eq!(got(&answer), model.apply(step), "{step:?}");
                    learn(&answer, &mut handles, before);
                } else {
                    answer.unwrap_err();
                    if *fail != Fail::CommitLost {
                        model.apply(step);
                        // Nobody was handed these.
                        for lost in &mut model.receipts[before..] {
                            lost.0 = usize::MAX;
                        }
                    }
                    rig.stop_and_start().await;
                }
            }
        }
        model.now = rig.clock.now();
        check_store(&rig, &model, &handles);
    }
    rig.restart().await;
    check_store(&rig, &model, &handles);
}

fn step() -> impl Strategy<Value = Step> {
    let queue = || prop_oneof![4 => Just(0usize), 2 => Just(1), 2 => Just(2), 1 => Just(3)];
    // Among the latest, mostly.
    let handle = || 0usize..25;
    prop_oneof![
        6 => (queue(), prop::option::weighted(0.3, 0u32..20))
            .prop_map(|(queue, delay_s)| Step::Send { queue, delay_s }),
        8 => (queue(), 1usize..=10, prop::option::weighted(0.4, 0u32..15))
            .prop_map(|(queue, max, visibility_s)| Step::Receive { queue, max, visibility_s }),
        4 => (queue(), handle()).prop_map(|(queue, handle)| Step::Delete { queue, handle }),
        3 => (queue(), handle(), 0u32..20).prop_map(|(queue, handle, timeout_s)| {
            Step::ChangeVisibility { queue, handle, timeout_s }
        }),
        3 => (queue(), handle()).prop_map(|(queue, handle)| Step::DeadLetter { queue, handle }),
        3 => (queue(), prop::option::weighted(0.4, 1u64..12), 0usize..6)
            .prop_map(|(queue, one, max)| Step::Redrive { queue, one, max }),
        2 => (1u64..4, prop::bool::weighted(0.8))
            .prop_map(|(count, in_step)| Step::Publish { count, in_step }),
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let fail = prop_oneof![
        Just(Fail::CommitLost),
        Just(Fail::CommitKept),
        Just(Fail::SyncFailed)
    ];
    let act = prop_oneof![
        20 => step().prop_map(Act::Step),
        4 => (0u8..25).prop_map(Act::Wait),
        1 => (fail, step()).prop_map(|(fail, step)| Act::Crash(fail, step)),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 1..60)
}

proptest! {
    #![proptest_config(cases(300))]
    #[test]
    fn letters_arrive_by_the_rules_in_memory(acts in acts()) {
        runtime().block_on(run(Place::memory(), &acts));
    }
}

proptest! {
    #![proptest_config(cases(12))]
    #[test]
    fn letters_arrive_by_the_rules_on_disk(acts in acts()) {
        runtime().block_on(run(Place::disk(), &acts));
    }
}
