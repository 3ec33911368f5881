//! The letters that ask an endpoint whether it wants to be a subscriber, or wants to be one
//! again. They go out as notifications do, through the queue of deliveries.

use std::collections::BTreeMap;

use engine::Command;
use engine::ports::{DELIVERIES_QUEUE, Delivery, DeliveryKind, Subscription, Topic};
use messaging::{Attribute, Send};
use wire::aws::AwsError;
use wire::aws::envelope::{self, Confirmation, ConfirmationKind, Signer};

use super::call::Call;
use super::envelopes::{blocking, signature_version};
use super::publish::new_id;

/// What a letter says to its carrier: the names by which the client knows topic and
/// subscription.
pub(crate) const TOPIC_ARN: &str = "TopicArn";
pub(crate) const SUBSCRIPTION_ARN: &str = "SubscriptionArn";

/// Asks the endpoint of a subscription that is not confirmed. `subscription_arn` is what ends,
/// where it is asked whether it shall go on.
pub(super) async fn send(
    call: &Call<'_>,
    kind: ConfirmationKind,
    topic: &Topic,
    topic_arn: &str,
    subscription: &Subscription,
    subscription_arn: &str,
) -> Result<(), AwsError> {
    let Some(token) = &subscription.token else {
        return Ok(());
    };
    let message_id = new_id()?;
    let subscribe_url = envelope::subscribe_url(&call.context.base_url, topic_arn, token);
    let (app, base_url) = (call.app.clone(), call.context.base_url.clone());
    let version = signature_version(topic).unwrap_or_default();
    let timestamp_ms = call.app.engine.now();
    let (id, token) = (message_id.clone(), token.clone());
    let (topic_arn, subscription_arn) = (topic_arn.to_owned(), subscription_arn.to_owned());
    let attributes = BTreeMap::from([
        (TOPIC_ARN.to_owned(), Attribute::string(topic_arn.as_str())),
        (
            SUBSCRIPTION_ARN.to_owned(),
            Attribute::string(subscription_arn.as_str()),
        ),
    ]);
    let write = move || {
        let confirmation = Confirmation {
            kind,
            message_id: &id,
            token: &token,
            topic_arn: &topic_arn,
            subscription_arn: &subscription_arn,
            subscribe_url: &subscribe_url,
            timestamp_ms,
        };
        let signer = app.sns.signing.key()?.signer(version, &base_url);
        Ok(confirmation.to_json(Some(&signer as &dyn Signer)))
    };
    let message = blocking(write).await?;
    let delivery = Delivery {
        subscription: subscription.subscription.id.clone(),
        topic: subscription.topic.clone(),
        message_id,
        kind: match kind {
            ConfirmationKind::Subscribe => DeliveryKind::SubscriptionConfirmation,
            ConfirmationKind::Unsubscribe => DeliveryKind::UnsubscribeConfirmation,
        },
        raw: false,
        message,
        subject: None,
        attributes,
    };
    let command = Command::SendMessage {
        queue: DELIVERIES_QUEUE.to_owned(),
        send: Box::new(Send {
            body: serde_json::to_string(&delivery).expect("texts have a JSON form"),
            group: Some(delivery.subscription),
            ..Send::default()
        }),
    };
    call.decide(command).await.map(|_| ())
}
