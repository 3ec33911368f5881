//! The attributes of a subscription: names and texts on the wire, rules inside.

use std::collections::BTreeMap;

use engine::ports::{Subscription, Topic};
use engine::{FilterPart, SubscriptionChange};
use messaging::topic::{FilterPolicy, FilterScope, Protocol, TopicRefusal};
use serde::Deserialize;
use wire::aws::AwsError;

use super::delivery_policy;
use super::error::{from_topic, invalid};
use super::topic_attributes::short;
use crate::aws::context::{Context, Named};

pub(super) const RAW: &str = "RawMessageDelivery";
const FILTER: &str = "FilterPolicy";
const SCOPE: &str = "FilterPolicyScope";
const REDRIVE: &str = "RedrivePolicy";
const DELIVERY: &str = "DeliveryPolicy";
/// Kept when whoever confirmed was known and wants to be asked before it ends.
pub(super) const AUTHENTICATED: &str = "ConfirmationWasAuthenticated";

/// What `Subscribe` puts before the reason, and `SetSubscriptionAttributes` does not.
const AT_SUBSCRIBE: &str = "Attributes Reason: ";

/// The attributes of a new subscription.
pub(super) fn read_all(
    protocol: Protocol,
    mut sent: BTreeMap<String, String>,
) -> Result<SubscriptionChange, AwsError> {
    // It is read in the scope that comes with it.
    let policy = sent.remove(FILTER);
    let mut change = SubscriptionChange::default();
    for (name, value) in sent {
        read(&mut change, protocol, name, value, AT_SUBSCRIBE)?;
    }
    let scope = match change.filter_part.take() {
        Some(FilterPart::Scope(scope)) => scope,
        Some(FilterPart::Policy(_)) | None => FilterScope::default(),
    };
    let parse = |text: String| FilterPolicy::parse(&text, scope);
    let policy = policy.map(|text| (!text.is_empty()).then(|| parse(text)).transpose());
    change.filter = policy.transpose().map_err(|refusal| match refusal {
        TopicRefusal::InvalidParameter { detail, .. } => invalid(format!("{AT_SUBSCRIBE}{detail}")),
        TopicRefusal::ParameterValueInvalid { .. } => from_topic(&refusal),
    })?;
    Ok(change)
}

/// One attribute of a subscription that is there.
pub(super) fn read_one(
    known: &Subscription,
    name: String,
    value: String,
) -> Result<SubscriptionChange, AwsError> {
    let mut change = SubscriptionChange::default();
    read(&mut change, known.subscription.protocol, name, value, "")?;
    Ok(change)
}

fn read(
    change: &mut SubscriptionChange,
    protocol: Protocol,
    name: String,
    value: String,
    prefix: &str,
) -> Result<(), AwsError> {
    let refuse = |reason: String| invalid(format!("{prefix}{reason}"));
    match name.as_str() {
        RAW => change.raw = Some(raw(&value).map_err(refuse)?),
        FILTER if value.is_empty() => change.filter = Some(None),
        FILTER => change.filter_part = Some(FilterPart::Policy(value)),
        SCOPE => {
            let scope = scope(&value).map_err(refuse)?;
            change.filter_part = Some(FilterPart::Scope(scope));
            // Also where there is no policy yet that it would be the scope of.
            change.attributes.insert(name, value);
        }
        REDRIVE => {
            change.redrive = Some(redrive(&value).map_err(refuse)?);
            change.attributes.insert(name, value);
        }
        DELIVERY if !matches!(protocol, Protocol::Http | Protocol::Https) => {
            return Err(refuse(
                "Delivery policy is only supported for HTTP/S".to_owned(),
            ));
        }
        DELIVERY => {
            let shown = if value.is_empty() {
                value
            } else {
                delivery_policy::normal_subscription(&value)?
            };
            change.attributes.insert(name, shown);
        }
        _ => return Err(refuse("AttributeName".to_owned())),
    }
    Ok(())
}

/// Whether what was sent is otherwise in the subscription that is there. What was not sent may
/// be as it likes.
pub(super) fn differs(sent: &SubscriptionChange, known: &Subscription) -> bool {
    let rules = &known.subscription;
    let policy = |attributes: &BTreeMap<String, String>| attributes.get(DELIVERY).cloned();
    sent.raw.is_some_and(|raw| raw != rules.raw)
        || sent
            .filter
            .as_ref()
            .is_some_and(|filter| *filter != rules.filter)
        || sent
            .redrive
            .as_ref()
            .is_some_and(|redrive| *redrive != rules.redrive)
        || policy(&sent.attributes).is_some_and(|sent| Some(sent) != policy(&known.attributes))
}

fn raw(value: &str) -> Result<bool, String> {
    if value.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if value.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(format!(
            "{RAW}: Invalid value [{}]. Must be true or false.",
            short(value)
        ))
    }
}

fn scope(value: &str) -> Result<FilterScope, String> {
    FilterScope::from_name(value).ok_or_else(|| {
        format!(
            "{SCOPE}: Invalid value [{}]. Please use either MessageBody or MessageAttributes",
            short(value)
        )
    })
}

/// The name of the dead-letter queue; an empty text takes the policy away.
fn redrive(text: &str) -> Result<Option<String>, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Policy {
        #[serde(default)]
        dead_letter_target_arn: String,
    }
    if text.is_empty() {
        return Ok(None);
    }
    let policy: Policy = serde_json::from_str(text)
        .map_err(|error| format!("{REDRIVE}: failed to parse JSON. {error}"))?;
    match Named::queue(&policy.dead_letter_target_arn) {
        Some(named) => Ok(Some(named.name)),
        None => Err(format!("{REDRIVE}: deadLetterTargetArn is an invalid arn")),
    }
}

/// A subscription's endpoint as clients know it: a queue by its ARN.
pub(super) fn endpoint(context: &Context, found: &Subscription) -> String {
    let subscription = &found.subscription;
    match subscription.protocol {
        Protocol::Queue => context.queue_arn(found.owner.as_deref(), &subscription.endpoint),
        Protocol::Http | Protocol::Https | Protocol::Email | Protocol::EmailJson => {
            subscription.endpoint.clone()
        }
    }
}

/// Whether it was confirmed by somebody who could show who he is: a queue's owner did so when
/// he subscribed it.
pub(super) fn was_authenticated(found: &Subscription) -> bool {
    found.subscription.protocol == Protocol::Queue || found.attributes.contains_key(AUTHENTICATED)
}

/// As `GetSubscriptionAttributes` shows them.
pub(super) fn write(
    context: &Context,
    found: &Subscription,
    topic: &Topic,
    topic_arn: &str,
    arn: String,
) -> BTreeMap<String, String> {
    let subscription = &found.subscription;
    let owner = context.owner(found.owner.as_deref());
    let mut attributes = found.attributes.clone();
    attributes.remove(SCOPE);
    let mut show = |name: &str, value: String| {
        attributes.insert(name.to_owned(), value);
    };
    show("SubscriptionArn", arn);
    show("TopicArn", topic_arn.to_owned());
    show("Protocol", subscription.protocol.name().to_owned());
    show("Endpoint", endpoint(context, found));
    show("Owner", owner.to_owned());
    show(
        "SubscriptionPrincipal",
        format!("arn:aws:iam::{owner}:root"),
    );
    show("PendingConfirmation", (!subscription.confirmed).to_string());
    show(AUTHENTICATED, was_authenticated(found).to_string());
    show(RAW, subscription.raw.to_string());
    if let Some(filter) = &subscription.filter {
        show(FILTER, filter.text().to_owned());
        show(SCOPE, filter.scope().name().to_owned());
    }
    if matches!(subscription.protocol, Protocol::Http | Protocol::Https) {
        let of_topic = topic.attributes.get(DELIVERY).map(String::as_str);
        let own = found.attributes.get(DELIVERY).map(String::as_str);
        let effective = delivery_policy::effective_subscription(of_topic, own);
        show("EffectiveDeliveryPolicy", effective);
    }
    attributes
}

#[cfg(test)]
mod tests;
