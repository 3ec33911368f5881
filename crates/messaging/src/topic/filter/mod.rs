//! Filter policies: which publications a subscription wants.
//!
//! A policy is a JSON object. Its keys are joined by AND, the values of a key by OR; `$or`
//! joins whole objects by OR. Keys name message attributes, or properties of the body, where
//! objects may be nested.
//!
//! Rules: "Amazon SNS message filtering" in the developer guide. Where it is silent the rules
//! follow what Amazon was seen to do: a dot in a key reaches into nested objects just as
//! nesting does, arrays are looked into at every level, and one matching element is enough.

mod lenient;
mod matching;
mod number;
mod parse;
mod rule;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::rule::Condition;
use super::refusal::TopicRefusal;
use crate::queue::Attribute;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterScope {
    #[default]
    MessageAttributes,
    MessageBody,
}

impl FilterScope {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::MessageAttributes => "MessageAttributes",
            Self::MessageBody => "MessageBody",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = [Self::MessageAttributes, Self::MessageBody].into_iter();
        all.find(|scope| scope.name() == name)
    }
}

/// A valid policy. Stored as its scope and its text, so that it can be shown as it was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct FilterPolicy {
    scope: FilterScope,
    text: String,
    /// All of these must hold.
    conditions: Vec<Condition>,
}

// Equal texts and scopes make equal policies; the numbers inside are finite.
impl Eq for FilterPolicy {}

impl FilterPolicy {
    /// `{}` is a policy that wants everything.
    pub fn parse(text: &str, scope: FilterScope) -> Result<Self, TopicRefusal> {
        Ok(Self {
            scope,
            text: text.to_owned(),
            conditions: parse::parse(text, scope)?,
        })
    }

    pub fn scope(&self) -> FilterScope {
        self.scope
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// With the body's scope, a body that is not a JSON object passes only `{}`, and so does one
    /// that is nested more than 127 deep.
    pub fn matches(&self, attributes: &BTreeMap<String, Attribute>, body: &str) -> bool {
        if self.conditions.is_empty() {
            return true;
        }
        match self.scope {
            FilterScope::MessageAttributes => {
                matching::match_attributes(&self.conditions, attributes)
            }
            FilterScope::MessageBody => matching::match_body(&self.conditions, body),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    scope: FilterScope,
    text: String,
}

impl TryFrom<Stored> for FilterPolicy {
    type Error = TopicRefusal;

    fn try_from(stored: Stored) -> Result<Self, TopicRefusal> {
        Self::parse(&stored.text, stored.scope)
    }
}

impl From<FilterPolicy> for Stored {
    fn from(policy: FilterPolicy) -> Self {
        Self {
            scope: policy.scope,
            text: policy.text,
        }
    }
}

#[cfg(test)]
mod tests;
