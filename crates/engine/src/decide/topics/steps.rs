//! Publications with more copies than one commit takes. Each waits as a message of the queue
//! `sns-fan-out`; a worker proposes a step, and the step's commit makes the next copies, removes the
//! message and puts another one in its place, until everybody was looked at. So each subscriber gets
//! one copy, however often a step is proposed and whatever dies when.

use std::sync::Arc;

use messaging::Send;
use messaging::topic::{FilterScope, Protocol};

use super::Origin;
use crate::command::{Envelope, Publish, Refusal, Reply};
use crate::decide::Batch;
use crate::flow::TopicCounts;
use crate::ports::{FAN_OUT_QUEUE, FanOut, LoadedTopic, SharedEnvelope, next_step};
use crate::relay::message_text;

impl Batch {
    /// Whether this publication is more than its command may make at once. On a FIFO topic it would
    /// be overtaken.
    pub(super) fn goes_in_steps(&self, topic: &LoadedTopic, bytes: u64, origin: Origin) -> bool {
        let at_once = match origin {
            Origin::Client => self.limits.fan_out_bytes,
            // Very many publications are one command of the log's.
            Origin::Log => self.limits.batch_bytes,
        };
        let is_too_much =
            bytes > self.limits.fan_out_bytes || self.fanned_bytes.saturating_add(bytes) > at_once;
        let is_fifo = topic.topic.topic.fifo.is_some();
        let may_wait = self.loaded.queues.contains_key(FAN_OUT_QUEUE);
        topic.is_wide || is_too_much && !is_fifo && topic.subscriptions.len() > 1 && may_wait
    }

    /// It waits for its first step from now on.
    pub(super) fn begin_steps(&mut self, topic: &str, publish: &Publish, origin: Origin) {
        self.wait_for_step(&FanOut {
            topic: topic.to_owned(),
            message_id: publish.id.clone(),
            published_at: self.now,
            after: String::new(),
            is_of_log: origin == Origin::Log,
            publication: publish.publication.clone(),
            envelopes: shared(&publish.envelopes),
        });
    }

    fn wait_for_step(&mut self, fan_out: &FanOut) {
        let body = serde_json::to_string(fan_out).expect("texts and numbers have a JSON form");
        let send = Send {
            body: message_text(&body).into_owned(),
            ..Send::default()
        };
        let problem = self.deliver_to(FAN_OUT_QUEUE, send);
        assert_eq!(problem, None, "it takes any text, and is there");
    }

    /// Copies for the next subscribers. Answers how many were made: none when somebody else has
    /// taken this step.
    pub(in crate::decide) fn fan_out_step(
        &mut self,
        seq: u64,
        mut fan_out: FanOut,
    ) -> Result<Reply, Refusal> {
        let Some(message) = self.queue(FAN_OUT_QUEUE)?.messages.get(&seq).cloned() else {
            return Ok(Reply::Count(0));
        };
        self.remove(FAN_OUT_QUEUE, &message);
        self.tally(FAN_OUT_QUEUE).deleted += 1;
        // Who hears a topic that is gone wanted nothing of it any more.
        let Some(loaded) = self.loaded.topics.get(&fan_out.topic) else {
            return Ok(Reply::Count(0));
        };
        let rules = loaded.topic.topic.clone();
        let all = Arc::clone(&loaded.subscriptions);
        let origin = if fan_out.is_of_log {
            Origin::Log
        } else {
            Origin::Client
        };
        let publish = Publish {
            id: fan_out.message_id.clone(),
            publication: fan_out.publication.clone(),
            envelopes: of_each(&fan_out.envelopes),
        };
        let step = next_step(&all, &fan_out.after);
        let of_one = publish.publication.bytes();
        let (mut copies, mut bytes) = (0, 0);
        let mut counts = TopicCounts::default();
        for subscription in &step {
            // At least one, however large.
            if bytes > 0 && bytes + of_one > self.limits.fan_out_bytes {
                break;
            }
            fan_out.after.clone_from(&subscription.subscription.id);
            if subscription.created_at > fan_out.published_at {
                continue;
            }
            let made = self.hand_on(&rules, subscription, &publish, None, origin, &mut counts);
            let filter = subscription.subscription.filter.as_ref();
            let is_read = filter.is_some_and(|filter| filter.scope() == FilterScope::MessageBody);
            if made > 0 || is_read {
                bytes += of_one;
            }
            copies += made;
        }
        let topic = fan_out.topic.clone();
        self.count_topic(&topic, &counts);
        let is_left = |id: &str| id > fan_out.after.as_str();
        if all.iter().any(|one| is_left(&one.subscription.id)) {
            self.wait_for_step(&fan_out);
        }
        Ok(Reply::Count(copies))
    }
}

/// Those with the same text once.
fn shared(envelopes: &[(Protocol, Envelope)]) -> Vec<SharedEnvelope> {
    let mut shared: Vec<SharedEnvelope> = Vec::new();
    for (protocol, envelope) in envelopes {
        let one = SharedEnvelope {
            protocols: vec![*protocol],
            head: envelope.head.to_string(),
            middle: envelope.middle.as_deref().map(str::to_owned),
            tail: envelope.tail.to_string(),
        };
        let known = shared.iter_mut().find(|known| {
            (&known.head, &known.middle, &known.tail) == (&one.head, &one.middle, &one.tail)
        });
        match known {
            Some(known) => known.protocols.push(*protocol),
            None => shared.push(one),
        }
    }
    shared
}

fn of_each(shared: &[SharedEnvelope]) -> Vec<(Protocol, Envelope)> {
    let mut envelopes = Vec::new();
    for one in shared {
        let envelope = Envelope {
            head: one.head.as_str().into(),
            middle: one.middle.as_deref().map(Into::into),
            tail: one.tail.as_str().into(),
        };
        let protocols = one.protocols.iter();
        envelopes.extend(protocols.map(|protocol| (*protocol, envelope.clone())));
    }
    envelopes
}
