//! The lists of topics and subscriptions, a hundred to a page.

use engine::ports::{Subscription, Topic};
use wire::aws::AwsError;
use wire::aws::sns::{self, ListSubscriptions, ListSubscriptionsByTopic, ListTopics, Response};

use super::call::Call;
use super::error::invalid;
use super::names;
use super::subscription_attributes;
use crate::aws::sqs::error::from_engine;
use crate::aws::tokens::page_after;

/// API reference: "up to 100".
const PAGE: usize = 100;
/// What a subscription is called that is not confirmed.
const PENDING: &str = "PendingConfirmation";

pub(super) async fn topics(call: &Call<'_>, request: ListTopics) -> Result<Response, AwsError> {
    let mut after = names::parse_next_token(request.next_token.as_deref())?;
    let mut topic_arns = Vec::new();
    loop {
        let from = after.clone();
        let page = call
            .app
            .engine
            .read(move |reader| reader.topics(from.as_deref(), PAGE))
            .await
            .map_err(from_engine)?;
        let is_last = page.len() < PAGE;
        for topic in &page {
            // One more than a page is known to be there: the token is for it.
            if topic_arns.len() == PAGE {
                let next_token = after.as_deref().map(page_after);
                return Ok(Response::ListTopics {
                    topic_arns,
                    next_token,
                });
            }
            if call.context.is_owner(topic.owner.as_deref()) {
                topic_arns.push(call.arn(topic));
            }
            after = Some(topic.topic.name.as_str().to_owned());
        }
        if is_last {
            return Ok(Response::ListTopics {
                topic_arns,
                next_token: None,
            });
        }
    }
}

pub(super) async fn subscriptions(
    call: &Call<'_>,
    request: ListSubscriptions,
) -> Result<Response, AwsError> {
    let (subscriptions, next_token) = page(call, None, request.next_token).await?;
    Ok(Response::ListSubscriptions {
        subscriptions,
        next_token,
    })
}

pub(super) async fn subscriptions_by_topic(
    call: &Call<'_>,
    request: ListSubscriptionsByTopic,
) -> Result<Response, AwsError> {
    let topic = call.topic("TopicArn", &request.topic_arn).await?;
    let (subscriptions, next_token) = page(call, Some(&topic), request.next_token).await?;
    Ok(Response::ListSubscriptionsByTopic {
        subscriptions,
        next_token,
    })
}

/// Of a topic all subscriptions, else those of this account. The token is the last one's place,
/// which stays when that one is unsubscribed.
async fn page(
    call: &Call<'_>,
    topic: Option<&Topic>,
    token: Option<String>,
) -> Result<(Vec<sns::Subscription>, Option<String>), AwsError> {
    let token = names::parse_next_token(token.as_deref())?;
    let place = token.map(|token| token.parse()).transpose();
    let mut after: Option<u64> = place.map_err(|_| invalid("NextToken"))?;
    let mut found = Vec::new();
    loop {
        let of = topic.map(|topic| topic.topic.name.as_str().to_owned());
        let page = call
            .app
            .engine
            .read(move |reader| {
                let mut page = Vec::new();
                for (place, found) in reader.subscription_page(of.as_deref(), after, PAGE)? {
                    let owner = match &of {
                        Some(_) => None,
                        None => reader.topic(&found.topic)?.and_then(|topic| topic.owner),
                    };
                    page.push((place, found, owner));
                }
                Ok(page)
            })
            .await
            .map_err(from_engine)?;
        let is_last = page.len() < PAGE;
        for (place, subscription, topic_owner) in &page {
            if found.len() == PAGE {
                let last = after.map(|place| place.to_string());
                return Ok((found, last.as_deref().map(page_after)));
            }
            let topic_owner = topic.map_or(topic_owner.as_deref(), |topic| topic.owner.as_deref());
            let is_own = call.context.is_owner(subscription.owner.as_deref());
            if topic.is_some() || is_own {
                found.push(row(call, subscription, topic_owner));
            }
            after = Some(*place);
        }
        if is_last {
            return Ok((found, None));
        }
    }
}

fn row(call: &Call<'_>, found: &Subscription, topic_owner: Option<&str>) -> sns::Subscription {
    let topic_arn = call.context.topic_arn(topic_owner, &found.topic);
    let subscription = &found.subscription;
    sns::Subscription {
        subscription_arn: if subscription.confirmed {
            names::subscription_arn(&topic_arn, &subscription.id)
        } else {
            PENDING.to_owned()
        },
        owner: call.context.owner(found.owner.as_deref()).to_owned(),
        protocol: subscription.protocol.name().to_owned(),
        endpoint: subscription_attributes::endpoint(call.context, found),
        topic_arn,
    }
}
