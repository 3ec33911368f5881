//! The ARNs of topics and subscriptions in requests, and the tokens that name a place in a
//! list or a subscription to be confirmed.

use wire::aws::AwsError;

use super::error::invalid;
use crate::aws::context::Named;
use crate::aws::tokens::parse_page;

/// Parts of an ARN, and of the ARN of a subscription, which names its topic before itself.
const ARN_PARTS: usize = 6;
/// What a subscription's id looks like without its hyphens, at the head of a token.
const ID_DIGITS: usize = 32;
/// Where the hyphens of a UUID stand.
const HYPHENS_AT: [usize; 4] = [8, 12, 16, 20];

/// A subscription as its ARN names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SubscriptionName {
    pub(super) topic: Named,
    /// As the client wrote it.
    pub(super) topic_arn: String,
    pub(super) id: String,
}

/// The topic that the ARN in this parameter names.
pub(super) fn topic(parameter: &str, arn: &str) -> Result<Named, AwsError> {
    check_parts(parameter, arn)?;
    Named::topic(arn)
        .filter(|_| arn.split(':').count() == ARN_PARTS)
        .ok_or_else(|| invalid(parameter))
}

pub(super) fn subscription(arn: &str) -> Result<SubscriptionName, AwsError> {
    const PARAMETER: &str = "SubscriptionArn";
    check_parts(PARAMETER, arn)?;
    let topic = Named::topic(arn).ok_or_else(|| invalid(PARAMETER))?;
    let (topic_arn, id) = arn.rsplit_once(':').ok_or_else(|| invalid(PARAMETER))?;
    if topic_arn.split(':').count() != ARN_PARTS || id.is_empty() {
        return Err(invalid("SubscriptionId"));
    }
    Ok(SubscriptionName {
        topic,
        topic_arn: topic_arn.to_owned(),
        id: id.to_owned(),
    })
}

fn check_parts(parameter: &str, arn: &str) -> Result<(), AwsError> {
    let parts = arn.split(':').count();
    if parts >= ARN_PARTS {
        return Ok(());
    }
    Err(invalid(format!(
        "{parameter} Reason: An ARN must have at least {ARN_PARTS} elements, not {parts}"
    )))
}

pub(super) fn subscription_arn(topic_arn: &str, id: &str) -> String {
    format!("{topic_arn}:{id}")
}

/// After what the page that a token asks for begins.
pub(super) fn parse_next_token(token: Option<&str>) -> Result<Option<String>, AwsError> {
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    parse_page(token)
        .map(Some)
        .ok_or_else(|| invalid("NextToken"))
}

/// The id of the subscription that a token is to confirm: a token begins with its digits.
pub(super) fn id_of_token(token: &str) -> Option<String> {
    let is_plain = token.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = token.get(..ID_DIGITS).filter(|_| is_plain)?;
    let mut id = String::with_capacity(ID_DIGITS + HYPHENS_AT.len());
    for (index, digit) in digits.chars().enumerate() {
        if HYPHENS_AT.contains(&index) {
            id.push('-');
        }
        id.push(digit);
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::tokens::page_after;

    const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:news";
    const ID: &str = "0a1b2c3d-0000-4000-8000-00000000000f";

    #[test]
    fn an_arn_that_is_none_is_refused_as_amazon_does() {
        for (arn, reason) in [
            (
                "",
                "TopicArn Reason: An ARN must have at least 6 elements, not 1",
            ),
            (
                "news",
                "TopicArn Reason: An ARN must have at least 6 elements, not 1",
            ),
            (
                "arn:aws:sns:r:0",
                "TopicArn Reason: An ARN must have at least 6 elements, not 5",
            ),
            ("arn:aws:sqs:us-east-1:000000000000:news", "TopicArn"),
            ("arn:aws:sns:us-east-1:000000000000:news:1", "TopicArn"),
            ("urn:aws:sns:us-east-1:000000000000:news", "TopicArn"),
        ] {
            assert_eq!(topic("TopicArn", arn), Err(invalid(reason)), "{arn}");
        }
        assert_eq!(topic("TopicArn", TOPIC).unwrap().name, "news");
    }

    #[test]
    fn the_arn_of_a_subscription_names_its_topic_too() {
        let name = subscription(&subscription_arn(TOPIC, ID)).unwrap();
        assert_eq!(name.topic.name, "news");
        assert_eq!((name.topic_arn.as_str(), name.id.as_str()), (TOPIC, ID));
        for (arn, reason) in [
            (
                "x",
                "SubscriptionArn Reason: An ARN must have at least 6 elements, not 1",
            ),
            (TOPIC, "SubscriptionId"),
            (&format!("{TOPIC}:"), "SubscriptionId"),
            (&format!("{TOPIC}:a:b"), "SubscriptionId"),
            (
                "arn:aws:sqs:us-east-1:000000000000:news:1",
                "SubscriptionArn",
            ),
        ] {
            assert_eq!(subscription(arn), Err(invalid(reason)), "{arn}");
        }
    }

    #[test]
    fn a_page_goes_on_where_the_last_one_ended() {
        let token = page_after("news.fifo");
        let after = parse_next_token(Some(&token)).unwrap();
        assert_eq!(after.as_deref(), Some("news.fifo"));
        assert_eq!(parse_next_token(None), Ok(None));
        assert_eq!(parse_next_token(Some("")), Ok(None));
        for token in ["=", "a b", "_w"] {
            assert_eq!(
                parse_next_token(Some(token)),
                Err(invalid("NextToken")),
                "{token}"
            );
        }
    }

    #[test]
    fn a_token_begins_with_the_id() {
        let token = format!("{}00ff", ID.replace('-', ""));
        assert_eq!(id_of_token(&token).as_deref(), Some(ID));
        for token in ["", "00", ID, &"각".repeat(32)] {
            assert_eq!(id_of_token(token), None, "{token}");
        }
    }
}
