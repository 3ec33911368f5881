//! `DeliveryPolicy`: how often, and how long apart, a notification is tried again.
//!
//! ```text
//! first try | numNoDelayRetries | numMinDelayRetries | the rest, growing  | numMaxDelayRetries
//!           | at once           | minDelayTarget     | backoffFunction    | maxDelayTarget
//! ```
//!
//! A subscription's own policy stands before its topic's, which stands before Amazon's default
//! (developer guide, "Amazon SNS message delivery retries"). Only http and https have a choice.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wire::aws::{AwsError, envelope};

use super::error::invalid;

const RETRIES_MAX: u32 = 100;
const DELAY_S_MAX: u32 = 3_600;
/// All delays together. "This is a hard limit and cannot be increased."
const TOTAL_S_MAX: u64 = 3_600;
/// What `headerContentType` may be, before a charset.
const CONTENT_TYPES: [&str; 12] = [
    "text/css",
    "text/csv",
    "text/html",
    "text/plain",
    "text/xml",
    "application/atom+xml",
    "application/json",
    "application/octet-stream",
    "application/soap+xml",
    "application/x-www-form-urlencoded",
    "application/xhtml+xml",
    "application/xml",
];

/// Members in Amazon's order. What is left out has Amazon's default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RetryPolicy {
    min_delay_target: u32,
    max_delay_target: u32,
    num_retries: u32,
    num_max_delay_retries: u32,
    num_no_delay_retries: u32,
    num_min_delay_retries: u32,
    backoff_function: Backoff,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Backoff {
    Linear,
    Arithmetic,
    Geometric,
    Exponential,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Throttle {
    max_receives_per_second: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    header_content_type: String,
}

/// Of a topic.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct TopicPolicy {
    http: HttpPolicy,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct HttpPolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    default_healthy_retry_policy: Option<RetryPolicy>,
    disable_subscription_overrides: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_throttle_policy: Option<Throttle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_request_policy: Option<Request>,
}

/// Of a subscription. Amazon shows two members more, which nobody can set.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SubscriptionPolicy {
    healthy_retry_policy: Option<RetryPolicy>,
    #[serde(skip_deserializing)]
    sickly_retry_policy: Option<()>,
    throttle_policy: Option<Throttle>,
    request_policy: Option<Request>,
    guaranteed: bool,
}

/// What holds for the deliveries of one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effective {
    pub(crate) retry: RetryPolicy,
    pub(crate) per_second_max: Option<u32>,
    pub(crate) content_type: String,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            min_delay_target: 20,
            max_delay_target: 20,
            num_retries: 3,
            num_max_delay_retries: 0,
            num_no_delay_retries: 0,
            num_min_delay_retries: 0,
            backoff_function: Backoff::Linear,
        }
    }
}

impl RetryPolicy {
    /// Mails: 50 times within six hours, as for every endpoint that its customer runs.
    pub(crate) const EMAIL: Self = Self {
        min_delay_target: 10,
        max_delay_target: 600,
        num_retries: 50,
        num_max_delay_retries: 38,
        num_no_delay_retries: 0,
        num_min_delay_retries: 2,
        backoff_function: Backoff::Exponential,
    };

    /// How long before the n-th try after the first one, in seconds; none when it was the last.
    pub(crate) fn delay_s(&self, retry: u32) -> Option<u32> {
        let at = retry.checked_sub(1).filter(|_| retry <= self.num_retries)?;
        let Some(at) = at.checked_sub(self.num_no_delay_retries) else {
            return Some(0);
        };
        let Some(at) = at.checked_sub(self.num_min_delay_retries) else {
            return Some(self.min_delay_target);
        };
        let growing = self.growing();
        Some(if at < growing {
            self.grow(at, growing)
        } else {
            self.max_delay_target
        })
    }

    /// How many retries there are between those with a fixed delay.
    fn growing(&self) -> u32 {
        let fixed = u64::from(self.num_no_delay_retries)
            + u64::from(self.num_min_delay_retries)
            + u64::from(self.num_max_delay_retries);
        let growing = u64::from(self.num_retries).saturating_sub(fixed);
        u32::try_from(growing).expect("no more than the retries")
    }

    /// From the least delay to the longest: in equal steps, in steps that grow by the same, by
    /// the same factor, or doubling from the first on.
    fn grow(&self, at: u32, of: u32) -> u32 {
        let (least, most) = (
            f64::from(self.min_delay_target),
            f64::from(self.max_delay_target),
        );
        let share = f64::from(at) / f64::from(of.saturating_sub(1).max(1));
        let delay = match self.backoff_function {
            Backoff::Linear => least + (most - least) * share,
            Backoff::Arithmetic => least + (most - least) * share * share,
            Backoff::Geometric => least * (most / least).powf(share),
            Backoff::Exponential => least * f64::from(at.min(31)).exp2(),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it lies between two small whole numbers"
        )]
        let delay_s = delay.round() as u32;
        delay_s.clamp(self.min_delay_target, self.max_delay_target)
    }

    fn check(&self) -> Result<(), String> {
        let bound = |name: &str, value: u32, low: u32, high: u32| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(format!("{name} must be between {low} and {high}"))
            }
        };
        bound("minDelayTarget", self.min_delay_target, 1, DELAY_S_MAX)?;
        bound(
            "maxDelayTarget",
            self.max_delay_target,
            self.min_delay_target,
            DELAY_S_MAX,
        )?;
        bound("numRetries", self.num_retries, 0, RETRIES_MAX)?;
        let fixed = [
            self.num_no_delay_retries,
            self.num_min_delay_retries,
            self.num_max_delay_retries,
        ];
        if fixed.into_iter().map(u64::from).sum::<u64>() > u64::from(self.num_retries) {
            return Err("numRetries is less than the retries of its phases".to_owned());
        }
        let total: u64 = (1..=self.num_retries)
            .filter_map(|retry| self.delay_s(retry))
            .map(u64::from)
            .sum();
        if total > TOTAL_S_MAX {
            return Err(format!("all retries must fit into {TOTAL_S_MAX} seconds"));
        }
        Ok(())
    }
}

fn check(
    retry: Option<&RetryPolicy>,
    throttle: Option<&Throttle>,
    request: Option<&Request>,
) -> Result<(), String> {
    retry.map_or(Ok(()), RetryPolicy::check)?;
    if throttle.is_some_and(|throttle| throttle.max_receives_per_second == 0) {
        return Err("maxReceivesPerSecond must be 1 or more".to_owned());
    }
    match request {
        Some(request) if !is_content_type(&request.header_content_type) => {
            Err("headerContentType is not supported".to_owned())
        }
        Some(_) | None => Ok(()),
    }
}

fn is_content_type(text: &str) -> bool {
    let (kind, parameter) = match text.split_once(';') {
        Some((kind, parameter)) => (kind, Some(parameter.trim())),
        None => (text, None),
    };
    let known = CONTENT_TYPES.contains(&kind.trim());
    known && parameter.is_none_or(|charset| charset.eq_ignore_ascii_case("charset=utf-8"))
}

fn refuse(reason: impl std::fmt::Display) -> AwsError {
    invalid(format!("DeliveryPolicy: {reason}"))
}

/// An object: a list would be taken for one with its members in order.
fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, AwsError> {
    let object: Map<String, Value> = serde_json::from_str(text).map_err(refuse)?;
    serde_json::from_value(Value::Object(object)).map_err(refuse)
}

/// A topic's policy as it was sent, if it is one.
pub(super) fn check_topic(text: &str) -> Result<(), AwsError> {
    let TopicPolicy { http } = parse(text)?;
    check(
        http.default_healthy_retry_policy.as_ref(),
        http.default_throttle_policy.as_ref(),
        http.default_request_policy.as_ref(),
    )
    .map_err(refuse)
}

/// A subscription's policy in the form in which Amazon shows it.
pub(super) fn normal_subscription(text: &str) -> Result<String, AwsError> {
    let policy: SubscriptionPolicy = parse(text)?;
    check(
        policy.healthy_retry_policy.as_ref(),
        policy.throttle_policy.as_ref(),
        policy.request_policy.as_ref(),
    )
    .map_err(refuse)?;
    Ok(json(&policy))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("numbers and texts have a JSON form")
}

/// What was stored has been checked; what an older version stored otherwise counts as absent.
fn stored<T: Default + for<'de> Deserialize<'de>>(text: Option<&str>) -> T {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// `EffectiveDeliveryPolicy` of a topic.
pub(super) fn effective_topic(topic: Option<&str>) -> String {
    let TopicPolicy { http } = stored(topic);
    json(&TopicPolicy {
        http: HttpPolicy {
            default_healthy_retry_policy: Some(
                http.default_healthy_retry_policy.unwrap_or_default(),
            ),
            default_request_policy: Some(http.default_request_policy.unwrap_or_default()),
            ..http
        },
    })
}

impl Default for Request {
    fn default() -> Self {
        Self {
            header_content_type: envelope::CONTENT_TYPE.to_owned(),
        }
    }
}

fn merged(topic: Option<&str>, subscription: Option<&str>) -> SubscriptionPolicy {
    let TopicPolicy { http } = stored(topic);
    let own: SubscriptionPolicy = if http.disable_subscription_overrides {
        SubscriptionPolicy::default()
    } else {
        stored(subscription)
    };
    SubscriptionPolicy {
        healthy_retry_policy: own
            .healthy_retry_policy
            .or(http.default_healthy_retry_policy),
        throttle_policy: own.throttle_policy.or(http.default_throttle_policy),
        request_policy: own.request_policy.or(http.default_request_policy),
        ..own
    }
}

/// `EffectiveDeliveryPolicy` of a subscription.
pub(super) fn effective_subscription(topic: Option<&str>, subscription: Option<&str>) -> String {
    let merged = merged(topic, subscription);
    json(&SubscriptionPolicy {
        healthy_retry_policy: Some(merged.healthy_retry_policy.unwrap_or_default()),
        request_policy: Some(merged.request_policy.unwrap_or_default()),
        ..merged
    })
}

/// The same, to deliver by.
pub(crate) fn effective(topic: Option<&str>, subscription: Option<&str>) -> Effective {
    let merged = merged(topic, subscription);
    Effective {
        retry: merged.healthy_retry_policy.unwrap_or_default(),
        per_second_max: merged
            .throttle_policy
            .map(|throttle| throttle.max_receives_per_second),
        content_type: merged
            .request_policy
            .unwrap_or_default()
            .header_content_type,
    }
}

#[cfg(test)]
mod tests;
