//! The tags of topics.

use std::collections::BTreeMap;

use engine::Command;
use engine::ports::Topic;
use wire::aws::AwsError;
use wire::aws::sns::{ListTagsForResource, Response, TagResource, UntagResource};

use super::call::Call;
use super::error::{invalid, no_such_resource};
use super::names;

/// API reference, `Tag`.
const KEY_LENGTH_MAX: usize = 128;
const VALUE_LENGTH_MAX: usize = 256;

/// The topic of the ARN, for its owner.
async fn find(call: &Call<'_>, arn: &str) -> Result<Topic, AwsError> {
    let named = names::topic("ResourceArn", arn)?;
    let topic = call.find(&named).await?.ok_or_else(no_such_resource)?;
    call.check_access(&topic)?;
    Ok(topic)
}

pub(super) async fn list(
    call: &Call<'_>,
    request: ListTagsForResource,
) -> Result<Response, AwsError> {
    let topic = find(call, &request.resource_arn).await?;
    Ok(Response::ListTagsForResource { tags: topic.tags })
}

pub(super) async fn tag(call: &Call<'_>, request: TagResource) -> Result<Response, AwsError> {
    let topic = find(call, &request.resource_arn).await?;
    check(&request.tags)?;
    let command = Command::TagTopic {
        topic: topic.topic.name.into(),
        tags: request.tags,
        untag: Vec::new(),
    };
    call.decide(command).await?;
    Ok(Response::TagResource)
}

pub(super) async fn untag(call: &Call<'_>, request: UntagResource) -> Result<Response, AwsError> {
    let topic = find(call, &request.resource_arn).await?;
    let command = Command::TagTopic {
        topic: topic.topic.name.into(),
        tags: BTreeMap::new(),
        untag: request.tag_keys,
    };
    call.decide(command).await?;
    Ok(Response::UntagResource)
}

/// How many a topic may have, the engine knows.
pub(super) fn check(tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
    for (key, value) in tags {
        if !(1..=KEY_LENGTH_MAX).contains(&key.chars().count()) {
            return Err(invalid("Tags Reason: a key has 1 to 128 characters"));
        }
        if value.chars().count() > VALUE_LENGTH_MAX {
            return Err(invalid("Tags Reason: a value has at most 256 characters"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_bounded() {
        for (key, value, allowed) in [
            ("", 0, false),
            ("k", 256, true),
            ("k", 257, false),
            (&"k".repeat(128), 0, true),
            (&"k".repeat(129), 0, false),
        ] {
            let tags = BTreeMap::from([(key.to_owned(), "v".repeat(value))]);
            assert_eq!(check(&tags).is_ok(), allowed);
        }
    }
}
