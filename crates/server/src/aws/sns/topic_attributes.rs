//! The attributes of a topic: names and texts on the wire, settings inside.
//!
//! What always holds: a name that SNS does not have is refused, one that it has and that means
//! nothing here (encryption keys, roles for delivery logs) is kept and shown.

use std::collections::BTreeMap;

use engine::TopicSettings;
use engine::ports::Topic;
use messaging::DeduplicationScope;
use wire::aws::AwsError;

use super::delivery_policy;
use super::error::invalid;
use super::permissions;
use crate::aws::policy::is_policy;

const DISPLAY_NAME_LENGTH_MAX: usize = 100;
/// Of an attribute that is only kept.
const KEPT_BYTES_MAX: usize = 2_048;
const CONTENT_BASED: &str = "ContentBasedDeduplication";
const THROUGHPUT_SCOPE: &str = "FifoThroughputScope";
/// `HTTPSuccessFeedbackRoleArn` and its like: where the outcome of deliveries would be logged.
const FEEDBACK_PROTOCOLS: [&str; 5] = ["Application", "Firehose", "HTTP", "Lambda", "SQS"];
const FEEDBACK_KINDS: [&str; 3] = [
    "SuccessFeedbackRoleArn",
    "SuccessFeedbackSampleRate",
    "FailureFeedbackRoleArn",
];

/// How many subscriptions a topic has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) confirmed: u64,
    pub(super) pending: u64,
}

/// The attributes of a new topic.
pub(super) fn read_all(attributes: BTreeMap<String, String>) -> Result<TopicSettings, AwsError> {
    let mut settings = TopicSettings::default();
    for (name, value) in attributes {
        if name == "FifoTopic" {
            settings.fifo = Some(boolean(&name, &value)?);
        } else {
            let unknown = format!("Attributes Reason: Unknown attribute {}", short(&name));
            read(&mut settings, name, value, &unknown)?;
        }
    }
    Ok(settings)
}

/// One attribute of a topic that is there: its kind cannot be changed.
pub(super) fn read_one(name: String, value: String) -> Result<TopicSettings, AwsError> {
    let mut settings = TopicSettings::default();
    read(&mut settings, name, value, "AttributeName")?;
    Ok(settings)
}

fn read(
    settings: &mut TopicSettings,
    name: String,
    value: String,
    unknown: &str,
) -> Result<(), AwsError> {
    match name.as_str() {
        CONTENT_BASED => {
            settings.content_based_deduplication = Some(boolean(&name, &value)?);
            return Ok(());
        }
        THROUGHPUT_SCOPE => {
            settings.deduplication_scope = Some(match value.as_str() {
                "Topic" => DeduplicationScope::Queue,
                "MessageGroup" => DeduplicationScope::MessageGroup,
                _ => return Err(wrong_value(&name, &value)),
            });
            return Ok(());
        }
        // An empty value takes the attribute away.
        _ if value.is_empty() && is_kept(&name) => {}
        "DisplayName" => {
            let plain = value.chars().count() <= DISPLAY_NAME_LENGTH_MAX
                && !value.chars().any(char::is_control);
            if !plain {
                return Err(invalid("DisplayName"));
            }
        }
        "Policy" if !is_policy(&value) => return Err(invalid("Policy Error: null")),
        "DeliveryPolicy" => delivery_policy::check_topic(&value)?,
        "SignatureVersion" if !["1", "2"].contains(&value.as_str()) => {
            return Err(wrong_value(&name, &value));
        }
        "TracingConfig" if !["PassThrough", "Active"].contains(&value.as_str()) => {
            return Err(wrong_value(&name, &value));
        }
        "Policy" | "SignatureVersion" | "TracingConfig" => {}
        name if is_kept(name) && value.len() <= KEPT_BYTES_MAX => {}
        _ => return Err(invalid(unknown)),
    }
    settings.attributes.insert(name, value);
    Ok(())
}

fn is_kept(name: &str) -> bool {
    let is_feedback = || {
        FEEDBACK_KINDS.iter().any(|kind| {
            let protocol = name.strip_suffix(kind);
            protocol.is_some_and(|protocol| FEEDBACK_PROTOCOLS.contains(&protocol))
        })
    };
    match name {
        "DeliveryPolicy" | "DisplayName" | "KmsMasterKeyId" | "Policy" | "SignatureVersion"
        | "TracingConfig" => true,
        _ => is_feedback(),
    }
}

fn boolean(name: &str, value: &str) -> Result<bool, AwsError> {
    if value.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if value.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(wrong_value(name, value))
    }
}

fn wrong_value(name: &str, value: &str) -> AwsError {
    invalid(format!(
        "Attributes Reason: {name}: Invalid value [{}].",
        short(value)
    ))
}

/// Part of an input in an error's text: short, and without control characters.
pub(super) fn short(text: &str) -> String {
    const CHARACTERS_MAX: usize = 100;
    let plain = |character: char| {
        if character.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        }
    };
    text.chars().take(CHARACTERS_MAX).map(plain).collect()
}

/// A standard topic does not have the attributes of a FIFO one; that it does not compare
/// contents may be said all the same.
pub(super) fn for_kind(settings: TopicSettings, is_fifo: bool) -> Result<TopicSettings, AwsError> {
    if is_fifo {
        return Ok(settings);
    }
    let fifo_only = [
        (
            CONTENT_BASED,
            settings.content_based_deduplication == Some(true),
        ),
        (THROUGHPUT_SCOPE, settings.deduplication_scope.is_some()),
    ];
    match fifo_only.into_iter().find(|(_, sent)| *sent) {
        Some((name, _)) => Err(invalid(format!(
            "Attributes Reason: {name} can only be set for FIFO topics"
        ))),
        None => Ok(TopicSettings {
            content_based_deduplication: None,
            ..settings
        }),
    }
}

/// As `GetTopicAttributes` shows them.
pub(super) fn write(
    topic: &Topic,
    arn: &str,
    owner: &str,
    counts: Counts,
) -> BTreeMap<String, String> {
    let mut attributes = topic.attributes.clone();
    let delivery_policy = topic.attributes.get("DeliveryPolicy");
    let effective = delivery_policy::effective_topic(delivery_policy.map(String::as_str));
    attributes.insert("EffectiveDeliveryPolicy".to_owned(), effective);
    attributes
        .entry("Policy".to_owned())
        .or_insert_with(|| permissions::default_policy(arn, owner));
    attributes.entry("DisplayName".to_owned()).or_default();
    if let Some(fifo) = &topic.topic.fifo {
        let scope = match fifo.deduplication_scope {
            DeduplicationScope::Queue => "Topic",
            DeduplicationScope::MessageGroup => "MessageGroup",
        };
        attributes.insert("FifoTopic".to_owned(), true.to_string());
        attributes.insert(THROUGHPUT_SCOPE.to_owned(), scope.to_owned());
        attributes.insert(
            CONTENT_BASED.to_owned(),
            fifo.content_based_deduplication.to_string(),
        );
    }
    let shown = [
        ("TopicArn", arn.to_owned()),
        ("Owner", owner.to_owned()),
        ("SubscriptionsConfirmed", counts.confirmed.to_string()),
        ("SubscriptionsPending", counts.pending.to_string()),
        // What is deleted here is gone at once.
        ("SubscriptionsDeleted", 0.to_string()),
    ];
    attributes.extend(shown.map(|(name, value)| (name.to_owned(), value)));
    attributes
}

#[cfg(test)]
mod tests {
    use messaging::topic::{self, TopicFifo, TopicName};

    use super::*;

    const ARN: &str = "arn:aws:sns:us-east-1:000000000000:t";

    fn one(name: &str, value: &str) -> Result<TopicSettings, AwsError> {
        read_one(name.to_owned(), value.to_owned())
    }

    #[test]
    fn attributes_of_sns_are_taken_and_others_refused() {
        for (name, value) in [
            ("DisplayName", "가게"),
            ("DisplayName", ""),
            ("DeliveryPolicy", ""),
            (
                "DeliveryPolicy",
                r#"{"http":{"defaultHealthyRetryPolicy":{"numRetries":5}}}"#,
            ),
            ("SignatureVersion", "2"),
            ("TracingConfig", "Active"),
            ("KmsMasterKeyId", "alias/aws/sns"),
            ("HTTPSuccessFeedbackSampleRate", "100"),
            ("LambdaFailureFeedbackRoleArn", "arn:aws:iam::0:role/r"),
            ("Policy", r#"{"Statement":[]}"#),
            ("Policy", ""),
        ] {
            let settings = one(name, value).unwrap();
            assert_eq!(
                settings.attributes.get(name).map(String::as_str),
                Some(value),
                "{name}"
            );
        }
        for (name, value) in [
            ("DisplayName", "a\nb"),
            ("DeliveryPolicy", "x"),
            ("SignatureVersion", "3"),
            ("TracingConfig", "active"),
            ("Policy", "x"),
            ("FifoThroughputScope", "Queue"),
            ("ContentBasedDeduplication", "yes"),
            ("FifoTopic", "true"),
            ("ArchivePolicy", "{}"),
            ("MailSuccessFeedbackRoleArn", "x"),
            ("TopicArn", ARN),
            ("", ""),
        ] {
            let error = one(name, value).unwrap_err();
            assert_eq!(
                error.code,
                wire::aws::ErrorCode::InvalidParameter,
                "{name}={value}"
            );
        }
        let long = "x".repeat(DISPLAY_NAME_LENGTH_MAX + 1);
        assert!(one("DisplayName", &long).is_err());
    }

    #[test]
    fn a_standard_topic_has_no_fifo_attributes() {
        let settings = |name: &str, value: &str| one(name, value).unwrap();
        for (settings, standard) in [
            (settings(CONTENT_BASED, "True"), false),
            (settings(CONTENT_BASED, "false"), true),
            (settings(THROUGHPUT_SCOPE, "MessageGroup"), false),
            (settings("DisplayName", "x"), true),
        ] {
            let kept = for_kind(settings.clone(), false);
            assert_eq!(kept.is_ok(), standard);
            assert!(kept.is_ok_and(|kept| kept.content_based_deduplication.is_none()) == standard);
            assert!(for_kind(settings, true).is_ok());
        }
    }

    #[test]
    fn a_topic_is_shown_as_amazon_shows_it() {
        let topic = |name: &str, fifo| Topic {
            id: 1,
            topic: topic::Topic {
                name: TopicName::new(name).unwrap(),
                fifo,
            },
            owner: None,
            attributes: BTreeMap::from([("SignatureVersion".to_owned(), "2".to_owned())]),
            tags: BTreeMap::new(),
            next_seq: 1,
            created_at: 0,
        };
        let counts = Counts {
            confirmed: 3,
            pending: 1,
        };
        let shown = write(&topic("t", None), ARN, "000000000000", counts);
        let names: Vec<&str> = shown.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "DisplayName",
                "EffectiveDeliveryPolicy",
                "Owner",
                "Policy",
                "SignatureVersion",
                "SubscriptionsConfirmed",
                "SubscriptionsDeleted",
                "SubscriptionsPending",
                "TopicArn"
            ]
        );
        assert_eq!(shown["SubscriptionsConfirmed"], "3");
        assert_eq!(shown["SubscriptionsPending"], "1");
        let fifo = Some(TopicFifo {
            content_based_deduplication: true,
            ..TopicFifo::default()
        });
        let shown = write(&topic("t.fifo", fifo), ARN, "000000000000", counts);
        assert_eq!(shown["FifoTopic"], "true");
        assert_eq!(shown[CONTENT_BASED], "true");
        assert_eq!(shown[THROUGHPUT_SCOPE], "Topic");
    }
}
