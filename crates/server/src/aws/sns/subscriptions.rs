//! Subscriptions: made, confirmed, changed, ended.

use std::sync::atomic::Ordering;

use engine::ports::{Subscription, Topic};
use engine::{Command, Refusal, Reply, SubscriptionChange};
use messaging::topic::{self, Protocol};
use wire::aws::envelope::ConfirmationKind;
use wire::aws::sns::{
    ConfirmSubscription, GetSubscriptionAttributes, Response, SetSubscriptionAttributes, Subscribe,
    Unsubscribe,
};
use wire::aws::{AwsError, ErrorCode};

use super::call::Call;
use super::error::{from_refusal, from_topic, invalid, no_such_subscription};
use super::names::{self, SubscriptionName};
use super::subscription_attributes::{self, AUTHENTICATED};
use super::{confirmations, error};
use crate::aws::context::Named;
use crate::aws::sqs::error::from_engine;

/// What is answered instead of the ARN of a subscription that is not confirmed.
const PENDING: &str = "pending confirmation";
/// Subscriptions read at a time.
const PAGE: usize = 1_000;

pub(super) async fn subscribe(call: &Call<'_>, request: Subscribe) -> Result<Response, AwsError> {
    let topic = call.topic("TopicArn", &request.topic_arn).await?;
    let protocol =
        Protocol::from_name(&request.protocol).map_err(|refusal| from_topic(&refusal))?;
    let endpoint = endpoint(call, protocol, request.endpoint).await?;
    let change = subscription_attributes::read_all(protocol, request.attributes)?;
    check_redrive(call, &change).await?;
    let subscription = decide_subscribe(call, &topic, protocol, endpoint, change).await?;
    let arn = names::subscription_arn(&request.topic_arn, &subscription.subscription.id);
    let is_pending = !subscription.subscription.confirmed;
    if is_pending {
        // Also when it was asked before: the first letter may have been lost.
        let kind = ConfirmationKind::Subscribe;
        confirmations::send(call, kind, &topic, &request.topic_arn, &subscription, &arn).await?;
    }
    Ok(Response::Subscribe {
        subscription_arn: if is_pending && !request.return_subscription_arn {
            PENDING.to_owned()
        } else {
            arn
        },
    })
}

async fn decide_subscribe(
    call: &Call<'_>,
    topic: &Topic,
    protocol: Protocol,
    endpoint: String,
    sent: SubscriptionChange,
) -> Result<Subscription, AwsError> {
    let command = Command::Subscribe {
        topic: topic.topic.name.as_str().to_owned(),
        owner: call.context.own(),
        subscription: Box::new(topic::Subscription {
            // Drawn where it is decided.
            id: String::new(),
            protocol,
            endpoint: endpoint.clone(),
            raw: sent.raw.unwrap_or_default(),
            filter: sent.filter.clone().flatten(),
            redrive: sent.redrive.clone().flatten(),
            confirmed: false,
        }),
        attributes: sent.attributes.clone(),
    };
    let decided = call.app.engine.decide(command).await.map_err(from_engine)?;
    call.app.sns.subscriptions.fetch_add(1, Ordering::Release);
    let known = match decided {
        Ok(Reply::Subscription {
            subscription,
            repeated: false,
        }) => return Ok(*subscription),
        Ok(Reply::Subscription { subscription, .. }) => Some(*subscription),
        Ok(other) => unreachable!("a subscription is the answer, not {other:?}"),
        // That is said also of what was not sent.
        Err(Refusal::SubscriptionExists) => known(call, topic, protocol, endpoint).await?,
        Err(refusal) => return Err(from_refusal(refusal)),
    };
    let is_same = |known: &Subscription| !subscription_attributes::differs(&sent, known);
    known
        .filter(is_same)
        .ok_or_else(|| from_refusal(Refusal::SubscriptionExists))
}

/// The subscription of this endpoint.
async fn known(
    call: &Call<'_>,
    topic: &Topic,
    protocol: Protocol,
    endpoint: String,
) -> Result<Option<Subscription>, AwsError> {
    let name = topic.topic.name.as_str().to_owned();
    let read = call.app.engine.read(move |reader| {
        let mut after = None;
        loop {
            let page = reader.subscription_page(Some(&name), after, PAGE)?;
            let is_last = page.len() < PAGE;
            after = page.last().map(|(last, _)| *last);
            let found = page.into_iter().map(|(_, found)| found).find(|found| {
                let rules = &found.subscription;
                rules.protocol == protocol && rules.endpoint == endpoint
            });
            if found.is_some() || is_last {
                return Ok(found);
            }
        }
    });
    read.await.map_err(from_engine)
}

async fn check_redrive(call: &Call<'_>, change: &SubscriptionChange) -> Result<(), AwsError> {
    match change.redrive.as_ref().and_then(Option::as_ref) {
        Some(queue) => call.check_queue(queue, None).await,
        None => Ok(()),
    }
}

async fn decide(call: &Call<'_>, command: Command) -> Result<Box<Subscription>, AwsError> {
    let decided = call.decide(command).await;
    call.app.sns.subscriptions.fetch_add(1, Ordering::Release);
    match decided? {
        Reply::Subscription { subscription, .. } => Ok(subscription),
        other => unreachable!("a subscription is the answer, not {other:?}"),
    }
}

/// The endpoint as the rules know it: a queue by its bare name.
async fn endpoint(
    call: &Call<'_>,
    protocol: Protocol,
    endpoint: Option<String>,
) -> Result<String, AwsError> {
    let endpoint = endpoint.unwrap_or_default();
    match protocol {
        Protocol::Queue => {
            let named = Named::queue(&endpoint).ok_or_else(|| invalid("SQS endpoint ARN"))?;
            call.check_queue(&named.name, Some(&named.account)).await?;
            Ok(named.name)
        }
        Protocol::Http | Protocol::Https => {
            let scheme = format!("{}://", protocol.name());
            // What does not even look like it, the rules refuse in Amazon's words.
            if endpoint.starts_with(&scheme)
                && let Err(error) = call.app.sns.client.check(&endpoint)
            {
                let setting = match error {
                    outgoing::CallError::NotAllowed { .. } => {
                        "; the setting outgoing.allowed_hosts lists those that are"
                    }
                    _ => "",
                };
                return Err(invalid(format!("Endpoint Reason: {error}{setting}")));
            }
            Ok(endpoint)
        }
        Protocol::Email | Protocol::EmailJson => Ok(endpoint),
    }
}

pub(super) async fn confirm(
    call: &Call<'_>,
    request: ConfirmSubscription,
) -> Result<Response, AwsError> {
    let named = Named::topic(&request.topic_arn).ok_or_else(|| invalid("Topic"))?;
    let id = names::id_of_token(&request.token)
        .ok_or_else(|| AwsError::new(ErrorCode::InvalidParameter, "Invalid token"))?;
    // A topic that is not there is no more than a token that fits nothing.
    let topic = call.find(&named).await?.ok_or_else(|| invalid("Token"))?;
    let wants_authentication = request
        .authenticate_on_unsubscribe
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let is_authenticated = wants_authentication && !call.context.is_anonymous;
    // With the confirmation, so that nobody ends it in between who may not.
    let attributes = is_authenticated.then(|| (AUTHENTICATED.to_owned(), true.to_string()));
    let command = Command::ConfirmSubscription {
        topic: topic.topic.name.into(),
        id,
        token: request.token,
        attributes: attributes.into_iter().collect(),
    };
    let subscription = decide(call, command).await?;
    let id = &subscription.subscription.id;
    Ok(Response::ConfirmSubscription {
        subscription_arn: names::subscription_arn(&request.topic_arn, id),
    })
}

/// The subscription and its topic, if they go by these names.
async fn find(
    call: &Call<'_>,
    name: &SubscriptionName,
) -> Result<Option<(Subscription, Topic)>, AwsError> {
    let id = name.id.clone();
    let found = call
        .app
        .engine
        .read(move |reader| {
            let Some(subscription) = reader.subscription(&id)? else {
                return Ok(None);
            };
            let topic = reader.topic(&subscription.topic)?;
            Ok(topic.map(|topic| (subscription, topic)))
        })
        .await
        .map_err(from_engine)?;
    Ok(found.filter(|(_, topic)| {
        topic.topic.name.as_str() == name.topic.name && call.goes_by(topic, &name.topic)
    }))
}

/// The owner of the subscription may, and the owner of the topic.
fn check_owner(
    call: &Call<'_>,
    subscription: &Subscription,
    topic: &Topic,
    arn: &str,
) -> Result<(), AwsError> {
    let owners = [subscription.owner.as_deref(), topic.owner.as_deref()];
    if owners.into_iter().any(|owner| call.context.is_owner(owner)) {
        return Ok(());
    }
    Err(call.denied(arn))
}

pub(super) async fn get_attributes(
    call: &Call<'_>,
    request: GetSubscriptionAttributes,
) -> Result<Response, AwsError> {
    let arn = request.subscription_arn;
    let name = names::subscription(&arn)?;
    let (subscription, topic) = find(call, &name).await?.ok_or_else(no_such_subscription)?;
    check_owner(call, &subscription, &topic, &arn)?;
    Ok(Response::GetSubscriptionAttributes {
        attributes: subscription_attributes::write(
            call.context,
            &subscription,
            &topic,
            &name.topic_arn,
            arn,
        ),
    })
}

pub(super) async fn set_attributes(
    call: &Call<'_>,
    request: SetSubscriptionAttributes,
) -> Result<Response, AwsError> {
    let arn = request.subscription_arn;
    let name = names::subscription(&arn)?;
    let (subscription, topic) = find(call, &name).await?.ok_or_else(no_such_subscription)?;
    check_owner(call, &subscription, &topic, &arn)?;
    let value = request.attribute_value.unwrap_or_default();
    let change = subscription_attributes::read_one(&subscription, request.attribute_name, value)?;
    check_redrive(call, &change).await?;
    let command = Command::SetSubscription {
        id: name.id,
        change: Box::new(change),
    };
    decide(call, command).await?;
    Ok(Response::SetSubscriptionAttributes)
}

/// A subscription that is not there has ended already.
pub(super) async fn unsubscribe(
    call: &Call<'_>,
    request: Unsubscribe,
) -> Result<Response, AwsError> {
    let arn = request.subscription_arn;
    let name = names::subscription(&arn)?;
    let Some((subscription, topic)) = find(call, &name).await? else {
        return Ok(Response::Unsubscribe);
    };
    if call.context.is_anonymous {
        // The link in a message: whoever has it may end what nobody has to answer for.
        if subscription_attributes::was_authenticated(&subscription) {
            return Err(call.denied(&arn));
        }
    } else {
        check_owner(call, &subscription, &topic, &arn)?;
    }
    let command = Command::Unsubscribe {
        id: name.id.clone(),
    };
    let ended = match decide(call, command).await {
        Ok(ended) => ended,
        Err(error) if error == error::no_such_subscription() => return Ok(Response::Unsubscribe),
        Err(error) => return Err(error),
    };
    let is_called = matches!(
        ended.subscription.protocol,
        Protocol::Http | Protocol::Https
    );
    if call.context.is_anonymous && is_called && ended.subscription.confirmed {
        offer_again(call, *ended, &topic, &name).await?;
    }
    Ok(Response::Unsubscribe)
}

/// Somebody unknown has ended it: the endpoint may take it up again with what it is sent now
/// (API reference, `Unsubscribe`).
async fn offer_again(
    call: &Call<'_>,
    ended: Subscription,
    topic: &Topic,
    name: &SubscriptionName,
) -> Result<(), AwsError> {
    let arn = names::subscription_arn(&name.topic_arn, &name.id);
    let command = Command::Subscribe {
        topic: ended.topic,
        owner: ended.owner,
        subscription: Box::new(topic::Subscription {
            confirmed: false,
            ..ended.subscription
        }),
        attributes: ended.attributes,
    };
    let offered = decide(call, command).await?;
    let kind = ConfirmationKind::Unsubscribe;
    confirmations::send(call, kind, topic, &name.topic_arn, &offered, &arn).await
}
