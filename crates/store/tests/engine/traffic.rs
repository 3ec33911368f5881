//! Random work with standard and FIFO queues, several commands in a commit, with crashes, against
//! lists that are searched from the front.
//!
//! What is answered is predicted where the rules leave no choice, and else checked against them:
//! which message was exhausted or expired a receive does not say, so that is read from the store
//! afterwards, and must be allowed. A message is followed by its id wherever it goes; none may be
//! lost, none may be there twice.
//!
//! In the end everything is received and deleted, and nothing is left.

mod adopted;
mod model;
mod moves;
mod received;
mod sent;
mod settled;
mod steps;

use std::collections::HashMap;

use commerce::Millis;
use engine::ports::{Clock as _, QueueDepth};
use engine::{Command, Kind, Reply};
use messaging::{Message, MessageState, QueueSettings, RedrivePolicy};
use proptest::prelude::*;

use self::model::{Answered, Mail, Model, QUEUES, Refused};
use self::steps::{Act, Handles, Step, acts};
use crate::rig::{Answer, Fail, Place, Rig, cases, runtime};

/// What is stored: the messages of every queue, and how deep it says it is.
struct Stored {
    queues: Vec<Option<QueueDepth>>,
    messages: Vec<Vec<Message>>,
    dead_letters: usize,
}

impl Stored {
    fn read(rig: &Rig) -> Self {
        let reader = rig.reader();
        let now = rig.clock.now();
        let queue = |name: &str| reader.queue(name, now).unwrap();
        let messages = |name: &str| reader.messages(name, 0, 100_000).unwrap();
        let log = reader.entries(0, 100_000).unwrap();
        assert!(
            log.iter()
                .all(|entry| entry.kind == Kind::MessageDeadLettered)
        );
        Self {
            queues: QUEUES.iter().map(|queue_is| queue(queue_is.name)).collect(),
            messages: QUEUES.iter().map(|queue| messages(queue.name)).collect(),
            dead_letters: log.len(),
        }
    }

    /// Where each message is; once each.
    fn by_id(&self) -> HashMap<&str, (usize, &Message)> {
        let mut found = HashMap::new();
        for (queue, messages) in self.messages.iter().enumerate() {
            for message in messages {
                let twice = found.insert(message.id.as_str(), (queue, message));
                assert!(twice.is_none(), "it is in two places: {message:?}");
            }
        }
        found
    }
}

fn create(queue: usize) -> Command {
    let is = &QUEUES[queue];
    let fifo = is.scope.is_some();
    let settings = QueueSettings {
        visibility_timeout_s: Some(model::VISIBILITY_S),
        retention_s: Some(is.retention_s),
        delay_s: Some(is.delay_s),
        redrive: is.dead.map(|dead| {
            Some(RedrivePolicy {
                dead_letter_queue: QUEUES[dead].name.to_owned(),
                max_receive_count: model::RECEIVES_MAX,
            })
        }),
        fifo: fifo.then_some(true),
        content_based_deduplication: fifo.then_some(is.by_content),
        deduplication_scope: is.scope,
        ..QueueSettings::default()
    };
    Command::CreateQueue {
        name: is.name.to_owned(),
        owner: None,
        settings: Box::new(settings),
        tags: [("of".to_owned(), "the test".to_owned())].into(),
    }
}

/// What is in the store is what the model has, but for what the model could not know.
fn compare(rig: &Rig, model: &mut Model) {
    let stored = Stored::read(rig);
    model.settle(&stored);
    let now = model.now;
    for (number, queue) in QUEUES.iter().enumerate() {
        let Some(depth) = &stored.queues[number] else {
            assert!(!model.lines[number].exists, "{}", queue.name);
            continue;
        };
        let line = &model.lines[number];
        assert!(line.exists, "{}", queue.name);
        let messages = &stored.messages[number];
        let are: Vec<Mail> = messages.iter().map(Mail::of).collect();
        assert_eq!(are, line.mails, "{} at {now}", queue.name);
        assert_eq!(depth.queue.next_seq, line.next_seq, "{}", queue.name);
        let count = |state| {
            let in_state = |message: &&Message| message.state(now) == state;
            messages.iter().filter(in_state).count() as u64
        };
        let counts = (depth.visible, depth.in_flight, depth.delayed);
        assert_eq!(
            counts,
            (
                count(MessageState::Visible),
                count(MessageState::InFlight),
                count(MessageState::Delayed)
            ),
            "{}",
            queue.name
        );
        let oldest = messages.first().map(|message| message.sent_at_ms);
        assert_eq!(depth.oldest_sent_at, oldest);
    }
    // Operations hears of every dead letter.
    assert_eq!(stored.dead_letters, model.dead_letters);
    rig.audit_clean();
}

async fn answers(rig: &Rig, commands: Vec<Command>, alone: bool) -> Vec<Answer> {
    match <[Command; 1]>::try_from(commands) {
        Ok([one]) if alone => vec![rig.decide(one).await],
        Ok([one]) => rig.batch(vec![one]).await,
        Err(several) => rig.batch(several).await,
    }
}

fn reply(answer: &Answer) -> Answered<'_> {
    let answer = answer.as_ref().expect("the store is well");
    answer.as_ref().map_err(|refusal| Refused(refusal.code()))
}

async fn step(rig: &Rig, model: &mut Model, handles: &mut Handles, steps: &[Step]) {
    model.begin(rig.clock.now());
    handles.begin();
    let commands = steps.iter().map(|step| step.command(model, handles));
    let answers = answers(rig, commands.collect(), true).await;
    for (step, answer) in steps.iter().zip(&answers) {
        model.answered(step, reply(answer), handles);
    }
    compare(rig, model);
}

/// The store fails; what it had written is there when it is opened again, and the answers are
/// lost. Commands that end a batch are left out: what follows them would be in another one.
async fn crash(
    rig: &mut Rig,
    model: &mut Model,
    handles: &mut Handles,
    fail: Fail,
    steps: &[Step],
) {
    let steps: Vec<Step> = steps.iter().filter_map(Step::for_a_crash).collect();
    model.begin(rig.clock.now());
    handles.begin();
    let commands = steps.iter().map(|step| step.command(model, handles));
    rig.steering.fail_next(fail);
    let answers = answers(rig, commands.collect(), false).await;
    // Nothing to write, or nothing to do.
    let went_well = rig.steering.forgive();
    assert!(answers.iter().all(|answer| answer.is_ok() == went_well));
    rig.stop_and_start().await;
    if went_well {
        for (step, answer) in steps.iter().zip(&answers) {
            model.answered(step, reply(answer), handles);
        }
        compare(rig, model);
        return;
    }
    match fail {
        Fail::CommitLost => compare(rig, model),
        Fail::CommitKept | Fail::SyncFailed | Fail::Load => {
            let stored = Stored::read(rig);
            model.adopt(&stored, &steps, handles);
            compare(rig, model);
        }
    }
}

/// Everything that is left is received and deleted.
async fn drain(rig: &Rig, model: &mut Model, handles: &mut Handles) {
    let mut rounds = 0;
    while model.lines.iter().any(|line| !line.mails.is_empty()) {
        rounds += 1;
        assert!(
            rounds < 200,
            "something cannot be received: {:?}",
            model.lines
        );
        rig.clock
            .advance(1_000 + Millis::from(model::VISIBILITY_S) * 1_000);
        for queue in 0..QUEUES.len() {
            let receive = Step::Receive {
                queue,
                max: 10,
                visibility_s: None,
                attempt: None,
            };
            let before = handles.of(queue).len();
            step(rig, model, handles, &[receive]).await;
            let received = handles.of(queue).len() - before;
            if received > 0 {
                let handles_ago = (0..received).collect();
                let delete = Step::Delete {
                    queue,
                    handles: handles_ago,
                };
                step(rig, model, handles, &[delete]).await;
            }
        }
    }
}

async fn run(place: Place, acts: &[Act]) {
    let mut rig = Rig::new(place);
    for queue in (0..QUEUES.len()).rev() {
        rig.done(create(queue)).await;
    }
    let mut model = Model::new(rig.clock.now());
    let mut handles = Handles::default();
    for act in acts {
        match act {
            Act::Wait(seconds) => rig.clock.advance(Millis::from(*seconds) * 1_000),
            Act::Restart => rig.restart().await,
            Act::Batch(steps) => step(&rig, &mut model, &mut handles, steps).await,
            Act::Crash(fail, steps) => {
                crash(&mut rig, &mut model, &mut handles, *fail, steps).await;
            }
        }
    }
    rig.restart().await;
    drain(&rig, &mut model, &mut handles).await;
    // What was remembered and what was dropped is cleared away in the end.
    rig.clock.advance(600_000);
    rig.done(Command::Sweep { rows: 10_000 }).await;
    while rig.reader().has_dropped_messages().unwrap() {
        let swept = rig.done(Command::Sweep { rows: 10_000 }).await;
        assert!(matches!(swept, Reply::Done));
    }
    rig.stop_and_start().await;
    model.begin(rig.clock.now());
    compare(&rig, &mut model);
}

proptest! {
    #![proptest_config(cases(200))]
    #[test]
    fn traffic_goes_by_the_rules_in_memory(acts in acts()) {
        runtime().block_on(run(Place::memory(), &acts));
    }
}

proptest! {
    #![proptest_config(cases(20))]
    #[test]
    fn traffic_goes_by_the_rules_on_disk(acts in acts()) {
        runtime().block_on(run(Place::disk(), &acts));
    }
}
