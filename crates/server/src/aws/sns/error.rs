//! One conversion from everything that can go wrong to what SNS says.

use engine::Refusal;
use messaging::topic::TopicRefusal;
use wire::aws::{AwsError, ErrorCode};

/// "Invalid parameter: ...", as most of what SNS refuses begins.
pub(super) fn invalid(detail: impl std::fmt::Display) -> AwsError {
    AwsError::new(
        ErrorCode::InvalidParameter,
        format!("Invalid parameter: {detail}"),
    )
}

pub(super) fn no_such_topic() -> AwsError {
    AwsError::new(ErrorCode::NotFound, "Topic does not exist")
}

pub(super) fn no_such_subscription() -> AwsError {
    AwsError::new(ErrorCode::NotFound, "Subscription does not exist")
}

/// Where tags are concerned, SNS has a code of its own for what is not there.
pub(super) fn no_such_resource() -> AwsError {
    AwsError::new(ErrorCode::ResourceNotFound, "Resource does not exist")
}

pub(super) fn from_topic(refusal: &TopicRefusal) -> AwsError {
    let code = match refusal {
        TopicRefusal::InvalidParameter { .. } => ErrorCode::InvalidParameter,
        TopicRefusal::ParameterValueInvalid { .. } => ErrorCode::ParameterValueInvalid,
    };
    AwsError::new(code, refusal.to_string())
}

pub(super) fn from_refusal(refusal: Refusal) -> AwsError {
    match refusal {
        Refusal::TopicNotFound { .. } => no_such_topic(),
        Refusal::SubscriptionNotFound => no_such_subscription(),
        Refusal::Topic(refusal) => from_topic(&refusal),
        Refusal::TopicExists { .. } => {
            invalid("Attributes Reason: Topic already exists with different attributes")
        }
        Refusal::SubscriptionExists => {
            invalid("Attributes Reason: Subscription already exists with different attributes")
        }
        Refusal::TokenInvalid => invalid("Token"),
        Refusal::TooMany { what, limit } => AwsError::new(
            match what {
                "subscriptions" => ErrorCode::SubscriptionLimitExceeded,
                "tags" => ErrorCode::TagLimitExceeded,
                _ => ErrorCode::TopicLimitExceeded,
            },
            format!("This server keeps at most {limit} {what}."),
        ),
        // Nothing that a request of this service proposes is refused otherwise.
        refusal => AwsError::new(
            ErrorCode::InvalidState,
            format!("The server refused this: {}.", refusal.code()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_worded_as_amazon_words_them() {
        let detail = |field| TopicRefusal::InvalidParameter {
            field,
            detail: "Topic Name".to_owned(),
        };
        for (refusal, code, message) in [
            (
                Refusal::TopicNotFound {
                    topic: "t".to_owned(),
                },
                ErrorCode::NotFound,
                "Topic does not exist",
            ),
            (
                Refusal::SubscriptionNotFound,
                ErrorCode::NotFound,
                "Subscription does not exist",
            ),
            (
                Refusal::TokenInvalid,
                ErrorCode::InvalidParameter,
                "Invalid parameter: Token",
            ),
            (
                Refusal::Topic(detail("Name")),
                ErrorCode::InvalidParameter,
                "Invalid parameter: Topic Name",
            ),
            (
                Refusal::TopicExists {
                    attribute: "DisplayName",
                },
                ErrorCode::InvalidParameter,
                "Invalid parameter: Attributes Reason: Topic already exists with different \
                 attributes",
            ),
            (
                Refusal::TooMany {
                    what: "subscriptions",
                    limit: 7,
                },
                ErrorCode::SubscriptionLimitExceeded,
                "This server keeps at most 7 subscriptions.",
            ),
        ] {
            assert_eq!(from_refusal(refusal), AwsError::new(code, message));
        }
    }
}
