//! Holding a policy against a publication.

use std::collections::BTreeMap;

use serde_json::Value;

use super::lenient;
use super::number::Number;
use super::rule::{Condition, Rule, Scalar};
use crate::queue::{Attribute, AttributeValue};

pub(super) fn match_attributes(
    conditions: &[Condition],
    attributes: &BTreeMap<String, Attribute>,
) -> bool {
    all_hold(conditions, &|path| attribute_values(attributes.get(path)?))
}

/// The body must be a JSON object.
pub(super) fn match_body(conditions: &[Condition], body: &str) -> bool {
    let Some(body @ Value::Object(_)) = lenient::parse(body) else {
        return false;
    };
    all_hold(conditions, &|path| {
        let mut values = Vec::new();
        collect(&body, path, &mut values);
        (!values.is_empty()).then_some(values)
    })
}

/// `values_at` gives the values of a field, or nothing when there is no such field.
fn all_hold(conditions: &[Condition], values_at: &dyn Fn(&str) -> Option<Vec<Scalar>>) -> bool {
    conditions.iter().all(|condition| match condition {
        Condition::Field { path, rules } => {
            let values = values_at(path);
            rules.iter().any(|rule| match (rule, &values) {
                (Rule::Exists(wanted), values) => *wanted == values.is_some(),
                (rule, Some(values)) => values.iter().any(|value| rule.holds(value)),
                (_, None) => false,
            })
        }
        Condition::Or(alternatives) => alternatives
            .iter()
            .any(|alternative| all_hold(alternative, values_at)),
    })
}

/// Binary attributes are not compared: to a policy they are not there. A `String.Array` that
/// is not a JSON array is there, but has no value.
fn attribute_values(attribute: &Attribute) -> Option<Vec<Scalar>> {
    let text = match &attribute.value {
        AttributeValue::Text(text) => text,
        AttributeValue::Binary(_) => return None,
    };
    Some(if attribute.data_type == "String.Array" {
        match lenient::parse(text) {
            Some(Value::Array(elements)) => elements.iter().filter_map(scalar).collect(),
            Some(_) | None => Vec::new(),
        }
    } else if attribute.base_type() == "Number" {
        let number = Number::of_text(text);
        number.map(Scalar::Number).into_iter().collect()
    } else {
        vec![Scalar::Text(text.clone())]
    })
}

/// Descends along the path, through arrays where there are any. Only leaves are values: a
/// path that ends at an object or an empty array finds nothing. The path is followed and not
/// the body spelled out, so the work is bounded by the size of the body.
fn collect(value: &Value, path: &str, values: &mut Vec<Scalar>) {
    match value {
        Value::Array(elements) => {
            for element in elements {
                collect(element, path, values);
            }
        }
        Value::Object(properties) => {
            for (key, value) in properties {
                match path.strip_prefix(key.as_str()) {
                    Some("") => collect_leaves(value, values),
                    Some(rest) => {
                        if let Some(rest) = rest.strip_prefix('.') {
                            collect(value, rest, values);
                        }
                    }
                    None => {}
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn collect_leaves(value: &Value, values: &mut Vec<Scalar>) {
    match value {
        Value::Array(elements) => {
            for element in elements {
                collect_leaves(element, values);
            }
        }
        Value::Object(_) => {}
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            values.extend(scalar(value));
        }
    }
}

pub(super) fn scalar(value: &Value) -> Option<Scalar> {
    match value {
        Value::Null => Some(Scalar::Null),
        Value::Bool(truth) => Some(Scalar::Bool(*truth)),
        Value::Number(number) => Number::of_json(number).map(Scalar::Number),
        Value::String(text) => Some(Scalar::Text(text.clone())),
        Value::Array(_) | Value::Object(_) => None,
    }
}
