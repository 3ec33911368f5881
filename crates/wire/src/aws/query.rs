//! Typed requests from the parameters of the query protocol.
//!
//! A serde deserializer over the sorted parameters, so that one definition of a request serves
//! JSON and forms. A request asks for the parameters it knows; others are never looked at.
//!
//! ```text
//!             JSON                          forms, all of them understood
//! member      "QueueUrl": "u"               QueueUrl=u
//! list        "AttributeNames": ["All"]     AttributeName.1=All   AttributeNames.member.1=All
//!                                           AttributeName=All
//! map         "Attributes": {"a": "b"}      Attribute.1.Name=a&Attribute.1.Value=b
//!                                           Attributes.entry.1.key=a&Attributes.entry.1.value=b
//!                                           Attribute.Name=a&Attribute.Value=b
//! ```
//!
//! SQS flattens its lists and calls them in the singular, SNS writes `member` and `entry`; the
//! forms without a number stand in Amazon's own examples. Numbers may have gaps; they give the
//! order.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::form::Form;

pub(crate) fn decode<T: DeserializeOwned>(form: &Form) -> Result<T, QueryError> {
    T::deserialize(Node {
        path: String::new(),
        leaf: None,
        below: form.parameters(),
    })
}

/// What is wrong with which parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum QueryError {
    Missing { parameter: String },
    Invalid { parameter: String, reason: String },
}

impl QueryError {
    /// The innermost parameter is the one at fault.
    fn at(self, path: &str) -> Self {
        match self {
            Self::Invalid { parameter, reason } if parameter.is_empty() => Self::Invalid {
                parameter: path.to_owned(),
                reason,
            },
            Self::Invalid { .. } | Self::Missing { .. } => self,
        }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { parameter } => write!(f, "{parameter} is missing"),
            Self::Invalid { parameter, reason } => write!(f, "{parameter}: {reason}"),
        }
    }
}

impl std::error::Error for QueryError {}

impl Error for QueryError {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::Invalid {
            parameter: String::new(),
            reason: reason.to_string(),
        }
    }
}

/// The parameter called `path`, and those that begin with `path.`; the root has no path.
#[derive(Debug)]
struct Node<'a> {
    path: String,
    leaf: Option<&'a str>,
    below: &'a [(String, String)],
}

/// How a member of the JSON protocol is called in forms, besides its own name.
fn other_names(member: &str) -> &'static [&'static str] {
    match member {
        "AWSAccountIds" => &["AWSAccountId"],
        "Actions" => &["ActionName"],
        "AttributeNames" => &["AttributeName"],
        "Attributes" => &["Attribute"],
        "Entries" => &[
            "SendMessageBatchRequestEntry",
            "DeleteMessageBatchRequestEntry",
            "ChangeMessageVisibilityBatchRequestEntry",
        ],
        "MessageAttributeNames" => &["MessageAttributeName"],
        "MessageAttributes" => &["MessageAttribute"],
        "MessageSystemAttributeNames" => &["MessageSystemAttributeName"],
        "MessageSystemAttributes" => &["MessageSystemAttribute"],
        "TagKeys" => &["TagKey"],
        "Tags" => &["Tag"],
        _ => &[],
    }
}

impl<'a> Node<'a> {
    fn child(&self, segment: &str) -> Option<Self> {
        let path = if self.path.is_empty() {
            segment.to_owned()
        } else {
            format!("{}.{segment}", self.path)
        };
        let start = self.below.partition_point(|(name, _)| *name < path);
        let leaf = self.below.get(start).filter(|(name, _)| *name == path);
        // Between a name and its members there may be others: `a`, `a-b`, `a.b`.
        let prefix = format!("{path}.");
        let from = self.below.partition_point(|(name, _)| *name < prefix);
        let length = self.below[from..].partition_point(|(name, _)| name.starts_with(&prefix));
        let below = &self.below[from..from + length];
        (leaf.is_some() || !below.is_empty()).then_some(Self {
            path,
            leaf: leaf.map(|(_, value)| value.as_str()),
            below,
        })
    }

    fn first_child(&self, segments: &[&str]) -> Option<Self> {
        segments.iter().find_map(|segment| self.child(segment))
    }

    /// The numbered parameters below this one, in the order of their numbers.
    fn items(&self) -> Vec<Self> {
        let wrapped = self.first_child(&["member", "entry"]);
        let node = wrapped.as_ref().unwrap_or(self);
        let mut numbers = Vec::new();
        for (name, _) in node.below {
            let segment = name[node.path.len() + 1..].split('.').next();
            let number = segment.and_then(item_number);
            if number.is_some() && numbers.last() != Some(&number) {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        let node_of = |number: Option<u32>| node.child(&number?.to_string());
        numbers.into_iter().filter_map(node_of).collect()
    }

    fn value(&self) -> Result<&'a str, QueryError> {
        self.leaf.ok_or_else(|| QueryError::Missing {
            parameter: self.path.clone(),
        })
    }
}

/// As it is written: no sign, no zero in front.
fn item_number(segment: &str) -> Option<u32> {
    let plain = !segment.starts_with('0')
        && segment.len() <= 9
        && segment.bytes().all(|byte| byte.is_ascii_digit());
    segment.parse().ok().filter(|_| plain)
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = QueryError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        let value = self.value()?;
        visitor
            .visit_str(value)
            .map_err(|e: QueryError| e.at(&self.path))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        let path = self.path.clone();
        visitor.visit_some(self).map_err(|e| e.at(&path))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, QueryError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, QueryError> {
        let found = members.iter().filter_map(|&member| {
            let node = self
                .child(member)
                .or_else(|| self.first_child(other_names(member)))?;
            Some((member.to_owned(), node))
        });
        let found: Vec<_> = found.collect();
        visitor
            .visit_map(Members {
                members: found.into_iter(),
                value: None,
            })
            .map_err(|e: QueryError| e.at(&self.path))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        let path = self.path.clone();
        let mut items = self.items();
        // Python writes an empty list as an empty parameter.
        if items.is_empty() && self.leaf.is_some_and(|value| !value.is_empty()) {
            items.push(self);
        }
        visitor
            .visit_seq(Items(items.into_iter()))
            .map_err(|e: QueryError| e.at(&path))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        const NAMES: &[&str] = &["Name", "Key", "key", "name"];
        let mut items = self.items();
        let path = self.path.clone();
        if items.is_empty() && self.first_child(NAMES).is_some() {
            items.push(self);
        }
        let mut members = Vec::with_capacity(items.len());
        for item in items {
            let missing = |member: &str| QueryError::Missing {
                parameter: format!("{}.{member}", item.path),
            };
            let name = item.first_child(NAMES).ok_or_else(|| missing("Name"))?;
            let name = name.value()?.to_owned();
            let value = item.first_child(&["Value", "value"]);
            members.push((name, value.ok_or_else(|| missing("Value"))?));
        }
        visitor
            .visit_map(Members {
                members: members.into_iter(),
                value: None,
            })
            .map_err(|e: QueryError| e.at(&path))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple tuple_struct enum identifier
    }
}

struct Members<'a> {
    members: std::vec::IntoIter<(String, Node<'a>)>,
    value: Option<Node<'a>>,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = QueryError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, QueryError> {
        let Some((name, node)) = self.members.next() else {
            return Ok(None);
        };
        self.value = Some(node);
        let name: StrDeserializer<'_, QueryError> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, QueryError> {
        let node = self.value.take().expect("serde asks for the key first");
        let path = node.path.clone();
        seed.deserialize(node).map_err(|e| e.at(&path))
    }
}

struct Items<'a>(std::vec::IntoIter<Node<'a>>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = QueryError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, QueryError> {
        match self.0.next() {
            Some(node) => {
                let path = node.path.clone();
                seed.deserialize(node).map(Some).map_err(|e| e.at(&path))
            }
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
