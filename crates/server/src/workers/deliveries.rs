//! Takes notifications to http, https and mail endpoints, from the queue `sns-deliveries`.
//!
//! ```text
//! the endpoint                 the delivery
//! 2xx                          done
//! 429, 5xx, no answer          again, when the subscription's delivery policy says; after the
//!                              last time as below
//! any other answer, a host     to the subscription's dead-letter queue, or else to the one of
//!   that may not be called     this worker, where an operator sees why and may send it again
//! ```
//! What became of it is not looked at when a subscription has ended meanwhile: there is nobody
//! left who wants it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::ports::{Delivery, DeliveryKind, Subscription, Topic};
use engine::{Command, EngineError, TopicCounts};
use messaging::topic::Protocol;
use messaging::{Attribute, AttributeValue, Message, Send};
use serde::Deserialize;
use tokio::time::Instant;
use wire::aws::envelope;

use crate::aws::sns;
use crate::aws::sns::confirmations::{SUBSCRIPTION_ARN, TOPIC_ARN};
use crate::aws::sns::delivery_policy::{self, Effective, RetryPolicy};
use crate::mailer::Letter;
use crate::state::App;
use crate::traces;
use crate::workers::runtime::{Outcome, Worker};

/// So many receive at a time, so that an endpoint that does not answer holds up few others.
pub(super) const LOOPS: usize = 4;
/// What Amazon calls itself; some endpoints look at it.
const USER_AGENT: &str = "Amazon Simple Notification Service Agent";
/// Where a topic has no `DisplayName`.
const SENDER: &str = "Firstcome notifications";

#[derive(Clone)]
pub(super) struct Deliveries {
    app: App,
    pace: Arc<Pace>,
}

/// Why a try failed.
struct Failure {
    reason: String,
    temporary: bool,
}

/// What a worker needs of an envelope.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wrapped {
    topic_arn: String,
    message: String,
    #[serde(rename = "UnsubscribeURL")]
    unsubscribe_url: Option<String>,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
}

impl Deliveries {
    pub(super) fn new(app: App) -> Self {
        Self {
            app,
            pace: Arc::default(),
        }
    }

    /// Whom it is for, if he still wants it.
    async fn find(
        &self,
        delivery: &Delivery,
    ) -> Result<Option<(Subscription, Topic)>, EngineError> {
        let id = delivery.subscription.clone();
        let found = self
            .app
            .engine
            .read(move |reader| {
                let Some(subscription) = reader.subscription(&id)? else {
                    return Ok(None);
                };
                let topic = reader.topic(&subscription.topic)?;
                Ok(topic.map(|topic| (subscription, topic)))
            })
            .await?;
        Ok(found.filter(|(subscription, _)| {
            let is_confirmed = subscription.subscription.confirmed;
            match delivery.kind {
                DeliveryKind::Notification => is_confirmed,
                DeliveryKind::SubscriptionConfirmation | DeliveryKind::UnsubscribeConfirmation => {
                    !is_confirmed
                }
            }
        }))
    }

    async fn post(
        &self,
        delivery: &Delivery,
        subscription: &Subscription,
        topic_arn: &str,
        policy: &Effective,
    ) -> Result<(), Failure> {
        let id = &subscription.subscription.id;
        if let Some(per_second_max) = policy.per_second_max {
            self.pace.wait(id, per_second_max).await;
        }
        let own_arn = text(delivery, SUBSCRIPTION_ARN)
            .map_or_else(|| format!("{topic_arn}:{id}"), str::to_owned);
        let is_notification = delivery.kind == DeliveryKind::Notification;
        let content_type = if is_notification {
            policy.content_type.as_str()
        } else {
            envelope::CONTENT_TYPE
        };
        let mut headers = vec![
            ("content-type", content_type),
            ("user-agent", USER_AGENT),
            (envelope::TYPE_HEADER, type_name(delivery.kind)),
            (envelope::MESSAGE_ID_HEADER, delivery.message_id.as_str()),
            (envelope::TOPIC_ARN_HEADER, topic_arn),
        ];
        // Whoever is asked to subscribe has no subscription yet.
        if delivery.kind != DeliveryKind::SubscriptionConfirmation {
            headers.push((envelope::SUBSCRIPTION_ARN_HEADER, &own_arn));
        }
        if delivery.raw {
            headers.push((envelope::RAW_DELIVERY_HEADER, "true"));
        }
        let url = &subscription.subscription.endpoint;
        let client = &self.app.sns.client;
        let answer = traces::post_json(client, url, &headers, delivery.message.clone()).await;
        match answer {
            Ok(response) if response.is_success() => Ok(()),
            Ok(response) => Err(Failure {
                reason: format!("the endpoint answered {}", response.status),
                temporary: matches!(response.status, 429 | 500..=599),
            }),
            Err(error) => Err(Failure {
                reason: format!("{}: {error}", error.code()),
                temporary: error.temporary(),
            }),
        }
    }

    async fn mail(
        &self,
        delivery: &Delivery,
        subscription: &Subscription,
        topic: &Topic,
        message: &Message,
    ) -> Result<(), Failure> {
        let rules = &subscription.subscription;
        let name = topic.attributes.get("DisplayName").cloned();
        let letter = Letter {
            id: format!("{}-{}", delivery.message_id, rules.id),
            from_name: Some(name.unwrap_or_else(|| SENDER.to_owned())),
            to: rules.endpoint.clone(),
            subject: subject(delivery),
            text: mail_text(delivery, rules.protocol),
            html: None,
            at: message.sent_at_ms,
        };
        let fail = |reason: String, temporary| Err(Failure { reason, temporary });
        match self.app.sns.mailer.send(letter).await {
            None => fail(
                "e-mails are switched off (`mail.transport`)".to_owned(),
                false,
            ),
            Some(mail::Outcome::Delivered { .. }) => Ok(()),
            Some(refused @ mail::Outcome::Refused(_)) => fail(refused.to_string(), false),
            Some(failed @ mail::Outcome::Failed(_)) => fail(failed.to_string(), true),
        }
    }

    /// One try, and the policy for those that follow.
    async fn deliver(
        &self,
        delivery: &Delivery,
        subscription: &Subscription,
        topic: &Topic,
        message: &Message,
    ) -> (Result<(), Failure>, RetryPolicy) {
        match subscription.subscription.protocol {
            Protocol::Http | Protocol::Https => {
                let own = subscription.attributes.get("DeliveryPolicy");
                let of_topic = topic.attributes.get("DeliveryPolicy");
                let policy = delivery_policy::effective(
                    of_topic.map(String::as_str),
                    own.map(String::as_str),
                );
                let topic_arn = self.topic_arn(delivery, topic);
                let posted = self.post(delivery, subscription, &topic_arn, &policy);
                (posted.await, policy.retry)
            }
            Protocol::Email | Protocol::EmailJson => {
                let mailed = self.mail(delivery, subscription, topic, message);
                (mailed.await, RetryPolicy::EMAIL)
            }
            Protocol::Queue => {
                let never = Failure {
                    reason: "queues are fed by the engine".to_owned(),
                    temporary: false,
                };
                (Err(never), RetryPolicy::default())
            }
        }
    }

    /// The topic's name as the client knows it. A bare message does not say it: then it is the
    /// one that this server's settings make.
    fn topic_arn(&self, delivery: &Delivery, topic: &Topic) -> String {
        if let Some(arn) = text(delivery, TOPIC_ARN) {
            return arn.to_owned();
        }
        if let Some(wrapped) = wrapped(delivery) {
            return wrapped.topic_arn;
        }
        let settings = &self.app.config.aws;
        sns::topic_arn(settings, topic.owner.as_deref(), topic.topic.name.as_str())
    }

    /// It will not be delivered any more.
    async fn give_up(
        &self,
        delivery: Delivery,
        subscription: &Subscription,
        reason: String,
    ) -> Result<Outcome, EngineError> {
        let has_letters = subscription.subscription.redrive.is_some();
        if !has_letters || delivery.kind != DeliveryKind::Notification {
            self.count(delivery.kind, subscription, |counts| counts.failed += 1);
            return Ok(Outcome::Never { reason });
        }
        let kind = delivery.kind;
        let command = Command::Bury {
            subscription: delivery.subscription,
            send: Box::new(Send {
                body: delivery.message,
                attributes: if delivery.raw {
                    delivery.attributes
                } else {
                    Default::default()
                },
                ..Send::default()
            }),
        };
        match self.app.engine.decide(command).await? {
            Ok(_) => {
                self.count(kind, subscription, |counts| {
                    counts.failed += 1;
                    counts.redriven += 1;
                });
                Ok(Outcome::Done)
            }
            // Where it cannot go, an operator finds it among the letters of this worker.
            Err(refusal) => {
                self.count(kind, subscription, |counts| {
                    counts.failed += 1;
                    counts.not_redriven += 1;
                });
                Ok(Outcome::Never {
                    reason: format!("{reason}; its dead-letter queue: {}", refusal.code()),
                })
            }
        }
    }

    /// Notifications count, questions whether somebody wants them do not.
    fn count(
        &self,
        kind: DeliveryKind,
        subscription: &Subscription,
        add: impl FnOnce(&mut TopicCounts),
    ) {
        if kind == DeliveryKind::Notification {
            let mut counts = TopicCounts::default();
            add(&mut counts);
            self.app.engine.count_delivery(&subscription.topic, counts);
        }
    }
}

impl Worker for Deliveries {
    const NAME: &'static str = "deliveries";
    const RETRY_MAX_S: u32 = 3_600;

    async fn work(&self, message: &Message) -> Result<Outcome, EngineError> {
        let Ok(delivery) = serde_json::from_str::<Delivery>(&message.body) else {
            return Ok(Outcome::Never {
                reason: "it is not a delivery".to_owned(),
            });
        };
        let Some((subscription, topic)) = self.find(&delivery).await? else {
            return Ok(Outcome::Done);
        };
        let protocol = subscription.subscription.protocol;
        let (tried, retry) = tokio::select! {
            tried = self.deliver(&delivery, &subscription, &topic, message) => tried,
            // Not kept until its time-out: whoever starts next has it at once.
            () = self.app.cancel.cancelled() => return Ok(Outcome::Later { after_s: 0 }),
        };
        let Err(Failure { reason, temporary }) = tried else {
            metrics::counter!("firstcome_deliveries_total", "protocol" => protocol.name())
                .increment(1);
            self.count(delivery.kind, &subscription, |counts| counts.delivered += 1);
            return Ok(Outcome::Done);
        };
        metrics::counter!("firstcome_delivery_failures_total", "protocol" => protocol.name())
            .increment(1);
        tracing::warn!(
            topic = delivery.topic,
            subscription.id = delivery.subscription,
            attempt = message.receive_count,
            reason,
            "a notification was not delivered"
        );
        match retry.delay_s(message.receive_count).filter(|_| temporary) {
            Some(after_s) => Ok(Outcome::Later { after_s }),
            None => self.give_up(delivery, &subscription, reason).await,
        }
    }
}

const fn type_name(kind: DeliveryKind) -> &'static str {
    match kind {
        DeliveryKind::Notification => "Notification",
        DeliveryKind::SubscriptionConfirmation => "SubscriptionConfirmation",
        DeliveryKind::UnsubscribeConfirmation => "UnsubscribeConfirmation",
    }
}

/// What a letter to an endpoint says to its carrier.
fn text<'a>(delivery: &'a Delivery, name: &str) -> Option<&'a str> {
    if delivery.kind == DeliveryKind::Notification {
        return None;
    }
    match delivery.attributes.get(name) {
        Some(Attribute {
            value: AttributeValue::Text(text),
            ..
        }) => Some(text),
        Some(_) | None => None,
    }
}

fn wrapped(delivery: &Delivery) -> Option<Wrapped> {
    if delivery.raw {
        return None;
    }
    serde_json::from_str(&delivery.message).ok()
}

fn subject(delivery: &Delivery) -> String {
    match delivery.kind {
        DeliveryKind::Notification => delivery
            .subject
            .clone()
            .unwrap_or_else(|| "Notification".to_owned()),
        DeliveryKind::SubscriptionConfirmation => "Please confirm your subscription".to_owned(),
        DeliveryKind::UnsubscribeConfirmation => "Your subscription has ended".to_owned(),
    }
}

/// For people the message and the link they may want; for programs all of it as JSON.
fn mail_text(delivery: &Delivery, protocol: Protocol) -> String {
    let wrapped = wrapped(delivery).filter(|_| protocol != Protocol::EmailJson);
    match wrapped {
        // What the shop itself tells has no envelope.
        None => delivery.message.clone(),
        Some(Wrapped {
            message,
            subscribe_url: Some(url),
            ..
        }) => format!("{message}\n\n{url}\n\nIf you do not want it, there is nothing to do."),
        Some(Wrapped {
            message,
            unsubscribe_url: Some(url),
            ..
        }) => format!("{message}\n\n--\nTo stop receiving these messages, visit\n{url}"),
        Some(Wrapped { message, .. }) => message,
    }
}

/// Keeps the deliveries of a subscription apart that wants so many a second at most.
#[derive(Default)]
struct Pace(Mutex<HashMap<String, Instant>>);

impl Pace {
    /// Waits for its turn: at most as many wait as messages are received at a time.
    async fn wait(&self, subscription: &str, per_second_max: u32) {
        let turn = self.turn(subscription, per_second_max, Instant::now());
        tokio::time::sleep_until(turn).await;
    }

    fn turn(&self, subscription: &str, per_second_max: u32, now: Instant) -> Instant {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        next.retain(|_, at| *at > now);
        let turn = next.get(subscription).copied().unwrap_or(now);
        let apart = Duration::from_secs(1) / per_second_max.max(1);
        next.insert(subscription.to_owned(), turn + apart);
        turn
    }
}

#[cfg(test)]
mod tests;
