//! The attributes of a queue as they are sent: names and texts on the wire, settings inside.
//!
//! What always holds: a name that SQS does not have, or that cannot be set, is
//! `InvalidAttributeName`; a text that cannot be its value is `InvalidAttributeValue`; bounds
//! and kinds are for the rules. Inside, dead-letter queues are called by their bare names.

use std::collections::BTreeMap;

use messaging::{DeduplicationScope, QueueSettings, RedriveAllow, RedrivePolicy, ThroughputLimit};
use wire::aws::sqs::{self as wire_sqs, RedrivePermission};
use wire::aws::{AwsError, ErrorCode};

use super::error::{invalid_value, short};
use crate::aws::context::Named;
use crate::aws::policy::is_policy;

pub(super) const KMS_KEY: &str = "KmsMasterKeyId";
pub(super) const KMS_REUSE: &str = "KmsDataKeyReusePeriodSeconds";
pub(super) const MANAGED_SSE: &str = "SqsManagedSseEnabled";
const KMS_KEY_BYTES_MAX: usize = 2_048;
const KMS_REUSE_S: std::ops::RangeInclusive<u32> = 60..=86_400;

/// What was sent, and the dead-letter queue that it names.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) settings: QueueSettings,
    /// With the text of the policy, to say what is wrong with it.
    pub(super) dead_letters: Option<(Named, String)>,
}

pub(super) fn read(attributes: BTreeMap<String, String>) -> Result<Sent, AwsError> {
    let mut sent = Sent::default();
    for (name, value) in attributes {
        let settings = &mut sent.settings;
        match name.as_str() {
            "VisibilityTimeout" => settings.visibility_timeout_s = Some(number(&name, &value)?),
            "DelaySeconds" => settings.delay_s = Some(number(&name, &value)?),
            "MessageRetentionPeriod" => settings.retention_s = Some(number(&name, &value)?),
            "MaximumMessageSize" => settings.message_bytes_max = Some(number(&name, &value)?),
            "ReceiveMessageWaitTimeSeconds" => {
                settings.receive_wait_s = Some(number(&name, &value)?);
            }
            "FifoQueue" => settings.fifo = Some(boolean(&name, &value)?),
            "ContentBasedDeduplication" => {
                settings.content_based_deduplication = Some(boolean(&name, &value)?);
            }
            "DeduplicationScope" => {
                settings.deduplication_scope = Some(match value.as_str() {
                    "queue" => DeduplicationScope::Queue,
                    "messageGroup" => DeduplicationScope::MessageGroup,
                    _ => return Err(wrong_value(&name)),
                });
            }
            "FifoThroughputLimit" => {
                settings.throughput_limit = Some(match value.as_str() {
                    "perQueue" => ThroughputLimit::PerQueue,
                    "perMessageGroupId" => ThroughputLimit::PerMessageGroupId,
                    _ => return Err(wrong_value(&name)),
                });
            }
            "Policy" => {
                if !value.is_empty() && !is_policy(&value) {
                    return Err(wrong_value(&name));
                }
                settings.policy = Some(Some(value).filter(|policy| !policy.is_empty()));
            }
            "RedrivePolicy" => read_redrive(&mut sent, value)?,
            "RedriveAllowPolicy" => settings.redrive_allow = Some(read_redrive_allow(&value)?),
            KMS_KEY | KMS_REUSE | MANAGED_SSE => {
                check_encryption(&name, &value)?;
                settings.encryption.insert(name, value);
            }
            _ => return Err(unknown(&name)),
        }
    }
    settle_encryption(&mut sent.settings.encryption)?;
    Ok(sent)
}

/// No queue has an attribute of this name.
pub(super) fn unknown(name: &str) -> AwsError {
    AwsError::new(
        ErrorCode::InvalidAttributeName,
        format!("Unknown Attribute {}.", short(name)),
    )
}

fn wrong_value(name: &str) -> AwsError {
    AwsError::new(
        ErrorCode::InvalidAttributeValue,
        format!("Invalid value for the parameter {name}."),
    )
}

fn number(name: &str, value: &str) -> Result<u32, AwsError> {
    value.parse().map_err(|_| wrong_value(name))
}

fn boolean(name: &str, value: &str) -> Result<bool, AwsError> {
    if value.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if value.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(wrong_value(name))
    }
}

fn read_redrive(sent: &mut Sent, text: String) -> Result<(), AwsError> {
    let Some(policy) = wire_sqs::RedrivePolicy::parse(&text)? else {
        sent.settings.redrive = Some(None);
        return Ok(());
    };
    let Some(named) = Named::queue(&policy.dead_letter_target_arn) else {
        return Err(invalid_value(
            "RedrivePolicy",
            short(&text),
            "Invalid value for deadLetterTargetArn.",
        ));
    };
    sent.settings.redrive = Some(Some(RedrivePolicy {
        dead_letter_queue: named.name.clone(),
        // The rules refuse 0 as they refuse what is negative.
        max_receive_count: u32::try_from(policy.max_receive_count).unwrap_or(0),
    }));
    sent.dead_letters = Some((named, text));
    Ok(())
}

fn read_redrive_allow(text: &str) -> Result<Option<RedriveAllow>, AwsError> {
    let Some(policy) = wire_sqs::RedriveAllowPolicy::parse(text)? else {
        return Ok(None);
    };
    Ok(Some(match policy.redrive_permission {
        RedrivePermission::AllowAll => RedriveAllow::AllowAll,
        RedrivePermission::DenyAll => RedriveAllow::DenyAll,
        RedrivePermission::ByQueue => {
            let names = policy.source_queue_arns.iter().map(|arn| {
                let named = Named::queue(arn).map(|named| named.name);
                named.ok_or_else(|| {
                    invalid_value(
                        "RedriveAllowPolicy",
                        short(text),
                        "Invalid value for sourceQueueArns.",
                    )
                })
            });
            RedriveAllow::ByQueue(names.collect::<Result<_, _>>()?)
        }
    }))
}

/// Kept and returned: nothing is encrypted here, and `SqsManagedSseEnabled` says so unless it
/// is set.
fn check_encryption(name: &str, value: &str) -> Result<(), AwsError> {
    let valid = match name {
        _ if value.is_empty() => true,
        KMS_KEY => value.len() <= KMS_KEY_BYTES_MAX,
        KMS_REUSE => KMS_REUSE_S.contains(&number(name, value)?),
        _ => boolean(name, value).is_ok(),
    };
    if valid {
        Ok(())
    } else {
        Err(wrong_value(name))
    }
}

/// One kind of encryption takes the place of the other.
fn settle_encryption(encryption: &mut BTreeMap<String, String>) -> Result<(), AwsError> {
    let with_key = encryption.get(KMS_KEY).is_some_and(|key| !key.is_empty());
    let managed = encryption
        .get(MANAGED_SSE)
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    match (with_key, managed) {
        (true, true) => {
            return Err(AwsError::new(
                ErrorCode::InvalidAttributeName,
                "You can use one type of server-side encryption (SSE) at one time. You can either \
                 enable KMS SSE or SQS SSE.",
            ));
        }
        (true, false) => {
            encryption.insert(MANAGED_SSE.to_owned(), String::new());
        }
        (false, true) => {
            encryption.insert(KMS_KEY.to_owned(), String::new());
        }
        (false, false) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: &str, value: &str) -> Result<Sent, AwsError> {
        read(BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        use ErrorCode::{InvalidAttributeName, InvalidAttributeValue, InvalidParameterValue};
        for (name, value, code) in [
            ("Nonsense", "1", InvalidAttributeName),
            ("QueueArn", "arn:aws:sqs:r:0:q", InvalidAttributeName),
            ("All", "", InvalidAttributeName),
            ("visibilitytimeout", "1", InvalidAttributeName),
            ("VisibilityTimeout", "-1", InvalidAttributeValue),
            ("VisibilityTimeout", "", InvalidAttributeValue),
            ("DelaySeconds", "ten", InvalidAttributeValue),
            ("MaximumMessageSize", "99999999999", InvalidAttributeValue),
            ("FifoQueue", "yes", InvalidAttributeValue),
            ("DeduplicationScope", "group", InvalidAttributeValue),
            ("FifoThroughputLimit", "", InvalidAttributeValue),
            ("Policy", "{}", InvalidAttributeValue),
            ("KmsDataKeyReusePeriodSeconds", "59", InvalidAttributeValue),
            ("SqsManagedSseEnabled", "1", InvalidAttributeValue),
            ("RedrivePolicy", "{}", InvalidParameterValue),
            (
                "RedrivePolicy",
                r#"{"deadLetterTargetArn":"dummy","maxReceiveCount":42}"#,
                InvalidParameterValue,
            ),
            (
                "RedriveAllowPolicy",
                r#"{"redrivePermission":"byQueue","sourceQueueArns":["q"]}"#,
                InvalidParameterValue,
            ),
        ] {
            assert_eq!(sent(name, value).unwrap_err().code, code, "{name}={value}");
        }
    }

    #[test]
    fn an_empty_text_takes_an_attribute_away() {
        assert_eq!(sent("Policy", "").unwrap().settings.policy, Some(None));
        assert_eq!(
            sent("RedrivePolicy", "").unwrap().settings.redrive,
            Some(None)
        );
        let allow = sent("RedriveAllowPolicy", "").unwrap();
        assert_eq!(allow.settings.redrive_allow, Some(None));
        let key = sent(KMS_KEY, "").unwrap();
        assert_eq!(key.settings.encryption[KMS_KEY], "");
    }

    #[test]
    fn queues_are_called_by_bare_names_inside() {
        let text =
            r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-1:111111111111:dead","maxReceiveCount":"3"}"#;
        let redrive = sent("RedrivePolicy", text).unwrap();
        assert_eq!(
            redrive.settings.redrive,
            Some(Some(RedrivePolicy {
                dead_letter_queue: "dead".to_owned(),
                max_receive_count: 3,
            }))
        );
        let (named, _) = redrive.dead_letters.unwrap();
        assert_eq!(named.account, "111111111111");
        let text = r#"{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:r:1:a","arn:aws:sqs:r:1:b"]}"#;
        let allow = sent("RedriveAllowPolicy", text).unwrap();
        let names = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(
            allow.settings.redrive_allow,
            Some(Some(RedriveAllow::ByQueue(names)))
        );
    }

    #[test]
    fn one_kind_of_encryption_at_a_time() {
        let both = BTreeMap::from([
            (KMS_KEY.to_owned(), "k".to_owned()),
            (MANAGED_SSE.to_owned(), "true".to_owned()),
        ]);
        assert_eq!(
            read(both).unwrap_err().code,
            ErrorCode::InvalidAttributeName
        );
        let managed = sent(MANAGED_SSE, "true").unwrap().settings.encryption;
        assert_eq!(managed[KMS_KEY], "", "it takes the key's place");
    }
}
