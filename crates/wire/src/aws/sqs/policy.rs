//! The two queue attributes whose value is JSON: `RedrivePolicy` and `RedriveAllowPolicy`.
//!
//! What is written is what Amazon writes: `maxReceiveCount` as a number, members in this order.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::aws::collect;
use crate::aws::error::{AwsError, ErrorCode};

/// After so many receives a message goes to the dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RedrivePolicy {
    pub dead_letter_target_arn: String,
    pub max_receive_count: i32,
}

/// Which queues may name this one as their dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RedriveAllowPolicy {
    pub redrive_permission: RedrivePermission,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_queue_arns: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RedrivePermission {
    AllowAll,
    DenyAll,
    ByQueue,
}

fn refuse<T>(parameter: &str, value: &str, reason: impl fmt::Display) -> Result<T, AwsError> {
    Err(AwsError::new(
        ErrorCode::InvalidParameterValue,
        format!(
            "Value {} for parameter {parameter} is invalid. Reason: {reason}",
            crate::aws::form::quoted(value)
        ),
    ))
}

impl RedrivePolicy {
    const NAME: &'static str = "RedrivePolicy";

    /// An empty text takes the policy away.
    pub fn parse(text: &str) -> Result<Option<Self>, AwsError> {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Lenient {
            dead_letter_target_arn: String,
            #[serde(deserialize_with = "collect::integer")]
            max_receive_count: Option<i32>,
        }
        if text.is_empty() {
            return Ok(None);
        }
        let policy: Lenient = match serde_json::from_str(text) {
            Ok(policy) => policy,
            Err(_) => return refuse(Self::NAME, text, "Redrive policy is not a valid JSON map."),
        };
        if policy.dead_letter_target_arn.is_empty() {
            return refuse(
                Self::NAME,
                text,
                "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.",
            );
        }
        match policy.max_receive_count {
            Some(max_receive_count) => Ok(Some(Self {
                dead_letter_target_arn: policy.dead_letter_target_arn,
                max_receive_count,
            })),
            None => refuse(
                Self::NAME,
                text,
                "Redrive policy does not contain mandatory attribute: maxReceiveCount.",
            ),
        }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a text and a number have a JSON form")
    }
}

impl RedriveAllowPolicy {
    const NAME: &'static str = "RedriveAllowPolicy";

    /// An empty text takes the policy away.
    pub fn parse(text: &str) -> Result<Option<Self>, AwsError> {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Lenient {
            redrive_permission: Option<RedrivePermission>,
            #[serde(deserialize_with = "collect::list")]
            source_queue_arns: Vec<String>,
        }
        if text.is_empty() {
            return Ok(None);
        }
        let policy: Lenient = match serde_json::from_str(text) {
            Ok(policy) => policy,
            Err(error) => return refuse(Self::NAME, text, error),
        };
        let Some(redrive_permission) = policy.redrive_permission else {
            return refuse(Self::NAME, text, "It has no redrivePermission.");
        };
        let is_by_queue = redrive_permission == RedrivePermission::ByQueue;
        if is_by_queue == policy.source_queue_arns.is_empty() {
            return refuse(
                Self::NAME,
                text,
                "sourceQueueArns belong to the permission byQueue, and only to it.",
            );
        }
        Ok(Some(Self {
            redrive_permission,
            source_queue_arns: policy.source_queue_arns,
        }))
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts have a JSON form")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_policy_is_read_as_clients_write_it() {
        let arn = "arn:aws:sqs:us-east-1:000000000000:dead";
        let expected = RedrivePolicy {
            dead_letter_target_arn: arn.to_owned(),
            max_receive_count: 3,
        };
        for text in [
            format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":3}}"#),
            format!(r#"{{"maxReceiveCount":"3","deadLetterTargetArn":"{arn}","more":[]}}"#),
        ] {
            assert_eq!(
                RedrivePolicy::parse(&text),
                Ok(Some(expected.clone())),
                "{text}"
            );
        }
        assert_eq!(RedrivePolicy::parse(""), Ok(None));
        assert_eq!(
            expected.to_json(),
            format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":3}}"#)
        );
        for text in [
            "{}",
            "[]",
            "x",
            r#"{"maxReceiveCount":3}"#,
            r#"{"deadLetterTargetArn":"a"}"#,
        ] {
            let error = RedrivePolicy::parse(text).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidParameterValue, "{text}");
        }
    }

    #[test]
    fn a_redrive_allow_policy_lists_queues_only_when_it_is_by_queue() {
        let parse = |text: &str| {
            RedriveAllowPolicy::parse(text).map(|policy| policy.map(|policy| policy.to_json()))
        };
        for text in [
            r#"{"redrivePermission":"allowAll"}"#,
            r#"{"redrivePermission":"denyAll"}"#,
            r#"{"redrivePermission":"byQueue","sourceQueueArns":["a","b"]}"#,
        ] {
            assert_eq!(parse(text), Ok(Some(text.to_owned())));
        }
        assert_eq!(parse(""), Ok(None));
        for text in [
            "{}",
            r#"{"redrivePermission":"allow"}"#,
            r#"{"redrivePermission":"byQueue"}"#,
            r#"{"redrivePermission":"denyAll","sourceQueueArns":["a"]}"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
