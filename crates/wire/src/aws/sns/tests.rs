use std::collections::BTreeMap;

use super::*;
use crate::aws::{AwsError, ErrorCode, Form, limits};

fn form(body: &str) -> Result<Request, AwsError> {
    Request::from_form(&Form::parse("", body.as_bytes())?)
}

#[test]
fn every_action_is_known_by_its_name() {
    assert_eq!(Action::ALL.len(), 19);
    for &action in Action::ALL {
        assert_eq!(Action::parse(action.as_str()), Some(action));
    }
}

#[test]
fn what_is_wrong_is_said_as_amazon_says_it() {
    let invalid = |message: &str| AwsError::new(ErrorCode::InvalidParameter, message);
    for (body, expected) in [
        (
            "Action=CreatePlatformApplication",
            AwsError::new(
                ErrorCode::InvalidAction,
                "The action CreatePlatformApplication is not valid for this endpoint.",
            ),
        ),
        (
            "Action=DeleteTopic",
            invalid("Invalid parameter: TopicArn Reason: no value for required parameter"),
        ),
        (
            "Action=Subscribe&TopicArn=t&Protocol=",
            invalid("Invalid parameter: Protocol Reason: no value for required parameter"),
        ),
        (
            "Action=Subscribe&TopicArn=t&Protocol=sqs&ReturnSubscriptionArn=maybe",
            invalid(
                "Invalid parameter: ReturnSubscriptionArn Reason: invalid value: string \
                 \"maybe\", expected true or false",
            ),
        ),
        (
            "Action=Publish&TopicArn=t&MessageAttributes.entry.1.Name=a",
            invalid(
                "Invalid parameter: MessageAttributes.entry.1.Value Reason: no value for \
                 required parameter",
            ),
        ),
    ] {
        assert_eq!(form(body), Err(expected), "{body}");
    }
    // What SNS says of a message and its address, the rules know.
    assert!(form("Action=Publish").is_ok());
}

#[test]
fn entries_are_bounded_but_not_judged() {
    let entries: String = (1..=400)
        .map(|n| format!("&PublishBatchRequestEntries.member.{n}.Id={n}"))
        .collect();
    let Ok(Request::PublishBatch(batch)) =
        form(&format!("Action=PublishBatch&TopicArn=t{entries}"))
    else {
        panic!("refused");
    };
    assert_eq!(batch.entries.len(), limits::ITEMS_MAX);
    assert_eq!(batch.entries[9].id, "10");
}

fn strings(name: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), value.to_owned())])
}

/// Answers, and what stands in their results.
fn answers() -> Vec<(Response, Option<&'static str>)> {
    let arn = || "a".to_owned();
    let subscription = Subscription {
        subscription_arn: "s".to_owned(),
        owner: "o".to_owned(),
        protocol: "p".to_owned(),
        endpoint: "e".to_owned(),
        topic_arn: "t".to_owned(),
    };
    vec![
        (Response::AddPermission, None),
        (
            Response::ConfirmSubscription {
                subscription_arn: arn(),
            },
            Some("<SubscriptionArn>a</SubscriptionArn>"),
        ),
        (
            Response::CreateTopic { topic_arn: arn() },
            Some("<TopicArn>a</TopicArn>"),
        ),
        (Response::DeleteTopic, None),
        (
            Response::GetSubscriptionAttributes {
                attributes: strings("k", "<v>"),
            },
            Some("<Attributes><entry><key>k</key><value>&lt;v&gt;</value></entry></Attributes>"),
        ),
        (
            Response::GetTopicAttributes {
                attributes: strings("k", "v"),
            },
            Some("<Attributes><entry><key>k</key><value>v</value></entry></Attributes>"),
        ),
        (
            Response::ListSubscriptions {
                subscriptions: vec![subscription],
                next_token: Some("n".to_owned()),
            },
            Some(
                "<Subscriptions><member><SubscriptionArn>s</SubscriptionArn><Owner>o</Owner><Protocol>p</Protocol><Endpoint>e</Endpoint><TopicArn>t</TopicArn></member></Subscriptions><NextToken>n</NextToken>",
            ),
        ),
        (
            Response::ListSubscriptionsByTopic {
                subscriptions: Vec::new(),
                next_token: None,
            },
            Some("<Subscriptions></Subscriptions>"),
        ),
        (
            Response::ListTagsForResource {
                tags: strings("k", "v"),
            },
            Some("<Tags><member><Key>k</Key><Value>v</Value></member></Tags>"),
        ),
        (
            Response::ListTopics {
                topic_arns: vec![arn()],
                next_token: None,
            },
            Some("<Topics><member><TopicArn>a</TopicArn></member></Topics>"),
        ),
        (
            Response::Publish {
                message_id: "m".to_owned(),
                sequence_number: Some("1".to_owned()),
            },
            Some("<MessageId>m</MessageId><SequenceNumber>1</SequenceNumber>"),
        ),
        (
            Response::PublishBatch {
                successful: vec![PublishedEntry {
                    id: "x".to_owned(),
                    message_id: "m".to_owned(),
                    sequence_number: None,
                }],
                failed: vec![FailedEntry::new(
                    "y",
                    &AwsError::new(ErrorCode::BatchRequestTooLong, "w"),
                )],
            },
            Some(
                "<Successful><member><Id>x</Id><MessageId>m</MessageId></member></Successful><Failed><member><Id>y</Id><Code>BatchRequestTooLong</Code><Message>w</Message><SenderFault>true</SenderFault></member></Failed>",
            ),
        ),
        (Response::RemovePermission, None),
        (Response::SetSubscriptionAttributes, None),
        (Response::SetTopicAttributes, None),
        (
            Response::Subscribe {
                subscription_arn: arn(),
            },
            Some("<SubscriptionArn>a</SubscriptionArn>"),
        ),
        (Response::TagResource, Some("")),
        (Response::Unsubscribe, None),
        (Response::UntagResource, Some("")),
    ]
}

#[test]
fn every_answer() {
    let answers = answers();
    assert_eq!(answers.len(), Action::ALL.len());
    for ((response, result), action) in answers.into_iter().zip(Action::ALL) {
        assert_eq!(response.action(), *action);
        let action = action.as_str();
        let result = match result {
            Some(result) => format!("<{action}Result>{result}</{action}Result>"),
            None => String::new(),
        };
        let expected = format!(
            "<{action}Response xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">{result}\
             <ResponseMetadata><RequestId>r1</RequestId></ResponseMetadata></{action}Response>"
        );
        assert_eq!(String::from_utf8(response.to_xml("r1")).unwrap(), expected);
    }
}
