//! Topics as a whole: made, shown, changed, deleted.

use std::sync::atomic::Ordering;

use engine::ports::{Reader, StoreError};
use engine::{Command, Reply};
use messaging::topic::TopicName;
use wire::aws::sns::{CreateTopic, DeleteTopic, GetTopicAttributes, Response, SetTopicAttributes};
use wire::aws::{AwsError, ErrorCode};

use super::call::Call;
use super::error::{from_topic, invalid};
use super::topic_attributes::{self, Counts};
use super::{names, tags};
use crate::aws::sqs::error::from_engine;

/// Subscriptions read at a time to count them.
const COUNT_PAGE: usize = 1_000;

pub(super) async fn create(call: &Call<'_>, request: CreateTopic) -> Result<Response, AwsError> {
    if request.data_protection_policy.is_some() {
        return Err(invalid("DataProtectionPolicy Reason: it is not supported"));
    }
    tags::check(&request.tags)?;
    let settings = topic_attributes::read_all(request.attributes)?;
    let name = TopicName::new(request.name).map_err(|refusal| from_topic(&refusal))?;
    let is_fifo = settings.fifo == Some(true);
    let settings = topic_attributes::for_kind(settings, is_fifo)?;
    let command = Command::CreateTopic {
        name: name.into(),
        owner: call.context.own(),
        settings: Box::new(settings),
        tags: request.tags.clone(),
    };
    let Reply::Topic(topic) = call.decide(command).await? else {
        unreachable!("a topic that is made is the answer");
    };
    // There is one namespace: the name may be another account's.
    if !call.context.is_owner(topic.owner.as_deref()) {
        return Err(AwsError::new(
            ErrorCode::AuthorizationError,
            "A topic of another account has this name.",
        ));
    }
    let is_tagged = |(key, value): (&String, &String)| topic.tags.get(key) == Some(value);
    if !request.tags.iter().all(is_tagged) {
        return Err(invalid(
            "Tags Reason: Topic already exists with different tags",
        ));
    }
    Ok(Response::CreateTopic {
        topic_arn: call.arn(&topic),
    })
}

/// A topic that is not there is deleted already.
pub(super) async fn delete(call: &Call<'_>, request: DeleteTopic) -> Result<Response, AwsError> {
    let named = names::topic("TopicArn", &request.topic_arn)?;
    let Some(topic) = call.find(&named).await? else {
        return Ok(Response::DeleteTopic);
    };
    call.check_access(&topic)?;
    let command = Command::DeleteTopic {
        topic: topic.topic.name.into(),
    };
    match call.decide(command).await {
        Ok(_) => Ok(Response::DeleteTopic),
        Err(error) if error.code == ErrorCode::NotFound => Ok(Response::DeleteTopic),
        Err(error) => Err(error),
    }
}

pub(super) async fn get_attributes(
    call: &Call<'_>,
    request: GetTopicAttributes,
) -> Result<Response, AwsError> {
    let topic = call.topic("TopicArn", &request.topic_arn).await?;
    let name = topic.topic.name.as_str().to_owned();
    let counts = call
        .app
        .engine
        .read(move |reader| count(reader, &name))
        .await
        .map_err(from_engine)?;
    let arn = call.arn(&topic);
    let owner = call.context.owner(topic.owner.as_deref());
    Ok(Response::GetTopicAttributes {
        attributes: topic_attributes::write(&topic, &arn, owner, counts),
    })
}

fn count(reader: &dyn Reader, topic: &str) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    let mut after = None;
    loop {
        let page = reader.subscription_page(Some(topic), after, COUNT_PAGE)?;
        for (_, found) in &page {
            if found.subscription.confirmed {
                counts.confirmed += 1;
            } else {
                counts.pending += 1;
            }
        }
        match page.last() {
            Some((last, _)) if page.len() == COUNT_PAGE => after = Some(*last),
            Some(_) | None => return Ok(counts),
        }
    }
}

pub(super) async fn set_attributes(
    call: &Call<'_>,
    request: SetTopicAttributes,
) -> Result<Response, AwsError> {
    let topic = call.topic("TopicArn", &request.topic_arn).await?;
    let value = request.attribute_value.unwrap_or_default();
    let settings = topic_attributes::read_one(request.attribute_name, value)?;
    let settings = topic_attributes::for_kind(settings, topic.topic.fifo.is_some())?;
    let command = Command::SetTopic {
        topic: topic.topic.name.into(),
        settings: Box::new(settings),
    };
    let decided = call.decide(command).await;
    // It may be how messages are signed.
    call.app.sns.subscriptions.fetch_add(1, Ordering::Release);
    decided?;
    Ok(Response::SetTopicAttributes)
}
