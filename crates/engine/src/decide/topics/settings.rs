//! The attributes and tags of topics and subscriptions, as they are after a change.

use std::collections::BTreeMap;

use messaging::TAGS_MAX;
use messaging::topic::{FilterPolicy, FilterScope, TopicRefusal};

use crate::command::{FilterPart, Refusal, TopicSettings};
use crate::ports::{Subscription, Topic};

/// The attribute of a subscription that keeps the scope for a policy to come.
const FILTER_SCOPE: &str = "FilterPolicyScope";

pub(super) fn invalid(field: &'static str, detail: &str) -> Refusal {
    Refusal::Topic(TopicRefusal::InvalidParameter {
        field,
        detail: detail.to_owned(),
    })
}

/// A scope that comes alone is a new one for the policy that is there, or for one to come; a policy
/// that comes alone keeps the scope.
pub(super) fn filter_with(
    known: &Subscription,
    part: FilterPart,
) -> Result<Option<FilterPolicy>, TopicRefusal> {
    let old = known.subscription.filter.as_ref();
    let (text, scope) = match (part, old) {
        (FilterPart::Policy(text), Some(old)) => (text, old.scope()),
        (FilterPart::Policy(text), None) => {
            let kept = known.attributes.get(FILTER_SCOPE);
            let scope = kept.and_then(|kept| FilterScope::from_name(kept));
            (text, scope.unwrap_or_default())
        }
        (FilterPart::Scope(scope), Some(old)) => (old.text().to_owned(), scope),
        (FilterPart::Scope(_), None) => return Ok(None),
    };
    FilterPolicy::parse(&text, scope).map(Some)
}

pub(super) fn put_attributes(
    attributes: &mut BTreeMap<String, String>,
    sent: BTreeMap<String, String>,
) {
    for (name, value) in sent {
        if value.is_empty() {
            attributes.remove(&name);
        } else {
            attributes.insert(name, value);
        }
    }
}

pub(super) fn apply(settings: TopicSettings, topic: &mut Topic) -> Result<(), Refusal> {
    let has_fifo_settings =
        settings.content_based_deduplication.is_some() || settings.deduplication_scope.is_some();
    match &mut topic.topic.fifo {
        Some(fifo) => {
            if let Some(content_based) = settings.content_based_deduplication {
                fifo.content_based_deduplication = content_based;
            }
            if let Some(scope) = settings.deduplication_scope {
                fifo.deduplication_scope = scope;
            }
        }
        None if has_fifo_settings => {
            return Err(invalid(
                "Attributes",
                "Attributes Reason: the topic is not a FIFO topic",
            ));
        }
        None => {}
    }
    put_attributes(&mut topic.attributes, settings.attributes);
    Ok(())
}

pub(super) fn difference(settings: &TopicSettings, topic: &Topic) -> Option<&'static str> {
    let fifo = topic.topic.fifo.as_ref();
    if settings.fifo.is_some_and(|sent| sent != fifo.is_some()) {
        return Some("FifoTopic");
    }
    let content_based = fifo.is_some_and(|fifo| fifo.content_based_deduplication);
    if settings
        .content_based_deduplication
        .is_some_and(|sent| sent != content_based)
    {
        return Some("ContentBasedDeduplication");
    }
    let differs = settings
        .attributes
        .iter()
        .any(|(name, value)| topic.attributes.get(name).map_or("", |is| is) != value);
    differs.then_some("Attributes")
}

pub(super) fn tag(topic: &mut Topic, tags: BTreeMap<String, String>) -> Result<(), Refusal> {
    let new = tags
        .keys()
        .filter(|key| !topic.tags.contains_key(*key))
        .count();
    if topic.tags.len() + new > TAGS_MAX {
        return Err(Refusal::TooMany {
            what: "tags",
            limit: TAGS_MAX,
        });
    }
    topic.tags.extend(tags);
    Ok(())
}
