//! Trace context in the attributes of messages, both ways.

use std::collections::BTreeMap;

use engine::trace::{TRACEPARENT, TRACESTATE, Trace, TraceContext};
use messaging::{Attribute, AttributeValue};

/// The trace that a message comes with, whoever has sent it.
pub(super) fn context_of(attributes: &BTreeMap<String, Attribute>) -> Option<TraceContext> {
    let text = |name: &str| match &attributes.get(name)?.value {
        AttributeValue::Text(text) => Some(text.as_str()),
        AttributeValue::Binary(_) => None,
    };
    TraceContext::parse(text(TRACEPARENT)?.trim(), text(TRACESTATE))
}

/// What a message carries that is sent as part of the trace that the running task works in; empty
/// when it works in none, or in several at once.
pub fn carried() -> BTreeMap<String, Attribute> {
    match engine::trace::current().as_ref().map(Trace::parents) {
        Some([context]) => attributes_of(context),
        Some(_) | None => BTreeMap::new(),
    }
}

pub(super) fn attributes_of(context: &TraceContext) -> BTreeMap<String, Attribute> {
    let parent = Attribute::string(context.traceparent());
    let state = context.state.as_deref().map(Attribute::string);
    let state = state.map(|state| (TRACESTATE.to_owned(), state));
    let parent = (TRACEPARENT.to_owned(), parent);
    std::iter::once(parent).chain(state).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_with_a_trace_when_its_attribute_is_one() {
        const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for (attribute, is_one) in [
            (Attribute::string(PARENT), true),
            (Attribute::string(format!("{PARENT}-")), false),
            (Attribute::string("x"), false),
        ] {
            let attributes = [(TRACEPARENT.to_owned(), attribute)].into();
            assert_eq!(context_of(&attributes).is_some(), is_one, "{attributes:?}");
        }
        assert!(context_of(&BTreeMap::new()).is_none());
        assert!(carried().is_empty(), "nobody watches");
    }
}
