//! From text to policy, with everything that SNS refuses on the way.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::FilterScope;
use super::matching::scalar;
use super::number::{Comparison, Number, is_range};
use super::rule::{Cidr, Condition, Rule, Scalar};
use crate::topic::limits;
use crate::topic::refusal::TopicRefusal;

const OR: &str = "$or";
/// An object with one of these for a key is a rule and not an alternative of `$or`.
const OPERATORS: [&str; 8] = [
    "anything-but",
    "cidr",
    "equals-ignore-case",
    "exists",
    "numeric",
    "prefix",
    "suffix",
    "wildcard",
];

fn refuse<T>(detail: impl AsRef<str>) -> Result<T, TopicRefusal> {
    Err(TopicRefusal::invalid(
        "FilterPolicy",
        format!("FilterPolicy: {}", detail.as_ref()),
    ))
}

pub(super) fn parse(text: &str, scope: FilterScope) -> Result<Vec<Condition>, TopicRefusal> {
    if text.len() > limits::FILTER_POLICY_BYTES_MAX {
        return refuse(format!(
            "Filter policy is larger than {} bytes",
            limits::FILTER_POLICY_BYTES_MAX
        ));
    }
    let policy = match serde_json::from_str(text) {
        Ok(Value::Object(policy)) => policy,
        Ok(_) => return refuse("Filter is not an object"),
        Err(error) => return refuse(format!("failed to parse JSON. {error}")),
    };
    if policy.len() > limits::FILTER_POLICY_KEYS_MAX {
        return refuse(format!(
            "Filter policy can not have more than {} keys",
            limits::FILTER_POLICY_KEYS_MAX
        ));
    }
    let mut conditions = Vec::new();
    let parser = Parser { scope };
    let combinations = parser.object(&policy, Level { path: "", depth: 1 }, 1, &mut conditions)?;
    if combinations > limits::FILTER_POLICY_COMBINATIONS_MAX {
        return refuse("Filter policy is too complex");
    }
    Ok(conditions)
}

struct Parser {
    scope: FilterScope,
}

#[derive(Clone, Copy)]
struct Level<'a> {
    path: &'a str,
    depth: u64,
}

impl Parser {
    /// Adds the conditions of an object and returns the combinations so far. Each key counts
    /// its values times its depth, keys multiply, the alternatives of `$or` add up.
    fn object(
        &self,
        object: &Map<String, Value>,
        level: Level<'_>,
        combinations: u64,
        conditions: &mut Vec<Condition>,
    ) -> Result<u64, TopicRefusal> {
        let mut combinations = combinations;
        for (key, value) in object {
            let path = if level.path.is_empty() {
                key.clone()
            } else {
                format!("{}.{key}", level.path)
            };
            combinations = match value {
                Value::Array(values) if values.is_empty() => {
                    return refuse("Empty arrays are not allowed");
                }
                Value::Array(values) => match alternatives(key, values) {
                    Some(objects) => self.or(&objects, level, combinations, conditions)?,
                    None => {
                        let rules = values.iter().map(rule).collect::<Result<_, _>>()?;
                        conditions.push(Condition::Field { path, rules });
                        combinations
                            .saturating_mul(values.len() as u64)
                            .saturating_mul(level.depth)
                    }
                },
                Value::Object(_) if self.scope == FilterScope::MessageAttributes => {
                    return Err(TopicRefusal::invalid(
                        "FilterPolicy",
                        "Filter policy scope MessageAttributes does not support nested filter \
                         policy",
                    ));
                }
                Value::Object(nested) if nested.is_empty() => {
                    return refuse("Empty objects are not allowed");
                }
                Value::Object(nested) => {
                    let level = Level {
                        path: &path,
                        depth: level.depth + 1,
                    };
                    self.object(nested, level, combinations, conditions)?
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    return refuse(format!(
                        "\"{}\" must be an object or an array",
                        key.escape_default()
                    ));
                }
            };
        }
        Ok(combinations)
    }

    fn or(
        &self,
        objects: &[&Map<String, Value>],
        level: Level<'_>,
        combinations: u64,
        conditions: &mut Vec<Condition>,
    ) -> Result<u64, TopicRefusal> {
        let mut sum = 0_u64;
        let mut alternatives = Vec::with_capacity(objects.len());
        for object in objects {
            if object.is_empty() {
                return refuse("Empty objects are not allowed");
            }
            let mut alternative = Vec::new();
            sum = sum.saturating_add(self.object(object, level, combinations, &mut alternative)?);
            alternatives.push(alternative);
        }
        conditions.push(Condition::Or(alternatives));
        Ok(sum)
    }
}

/// `$or` is an operator only over at least two objects none of which has an operator for a
/// key; otherwise it is a name like any other.
fn alternatives<'a>(key: &str, values: &'a [Value]) -> Option<Vec<&'a Map<String, Value>>> {
    if key != OR || values.len() < 2 {
        return None;
    }
    values
        .iter()
        .map(|value| match value {
            Value::Object(object)
                if !object.keys().any(|key| OPERATORS.contains(&key.as_str())) =>
            {
                Some(object)
            }
            _ => None,
        })
        .collect()
}

fn rule(value: &Value) -> Result<Rule, TopicRefusal> {
    let object = match value {
        Value::Object(object) => object,
        Value::Array(_) => {
            return refuse("Match value must be String, number, true, false, or null");
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Ok(Rule::Equals(simple(value)?));
        }
    };
    let mut entries = object.iter();
    let (Some((operator, operand)), None) = (entries.next(), entries.next()) else {
        return refuse("Only one key allowed in match expression");
    };
    match operator.as_str() {
        "prefix" => Ok(Rule::Prefix(text(operator, operand)?)),
        "suffix" => Ok(Rule::Suffix(text(operator, operand)?)),
        "equals-ignore-case" => Ok(Rule::EqualsIgnoreCase(
            text(operator, operand)?.to_lowercase(),
        )),
        "anything-but" => anything_but(operand),
        "numeric" => numeric(operand),
        "cidr" => cidr(operand),
        "exists" => match operand {
            Value::Bool(wanted) => Ok(Rule::Exists(*wanted)),
            _ => refuse("exists match pattern must be either true or false."),
        },
        _ => refuse(format!(
            "Unrecognized match type {}",
            operator.escape_default()
        )),
    }
}

fn text(operator: &str, operand: &Value) -> Result<String, TopicRefusal> {
    match operand {
        Value::String(text) => Ok(text.clone()),
        _ => refuse(format!("{operator} match pattern must be a string")),
    }
}

fn simple(value: &Value) -> Result<Scalar, TopicRefusal> {
    scalar(value).map_or_else(
        || refuse("Match value must be String, number, true, false, or null"),
        Ok,
    )
}

fn anything_but(operand: &Value) -> Result<Rule, TopicRefusal> {
    match operand {
        Value::Array(values) if values.is_empty() => refuse("Empty arrays are not allowed"),
        Value::Array(values) => Ok(Rule::AnythingBut(
            values.iter().map(simple).collect::<Result<_, _>>()?,
        )),
        Value::Object(object) => {
            let mut entries = object.iter();
            let (Some((operator, operand)), None) = (entries.next(), entries.next()) else {
                return refuse("Only one key allowed in match expression");
            };
            match operator.as_str() {
                "prefix" => Ok(Rule::AnythingButPrefix(text(operator, operand)?)),
                "suffix" => Ok(Rule::AnythingButSuffix(text(operator, operand)?)),
                _ => refuse(format!(
                    "Unsupported anything-but pattern: {}",
                    operator.escape_default()
                )),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Ok(Rule::AnythingBut(vec![simple(operand)?]))
        }
    }
}

/// `["=", n]`, one bound, or a lower bound followed by an upper one.
fn numeric(operand: &Value) -> Result<Rule, TopicRefusal> {
    let Value::Array(members) = operand else {
        return refuse("Value of numeric must be an array.");
    };
    let (first, rest) = comparison(members)?;
    let lower_bound = matches!(first.0, Comparison::Greater | Comparison::GreaterOrEqual);
    if rest.is_empty() {
        return Ok(Rule::Numeric(vec![first]));
    }
    if !lower_bound {
        return refuse("Too many elements in numeric expression");
    }
    let (second, rest) = comparison(rest)?;
    if !matches!(second.0, Comparison::Less | Comparison::LessOrEqual) {
        return refuse("Bad numeric range operator");
    }
    if !is_range(first.1, second.1) {
        return refuse("Bottom must be less than top");
    }
    if !rest.is_empty() {
        return refuse("Too many terms in numeric range expression");
    }
    Ok(Rule::Numeric(vec![first, second]))
}

fn comparison(members: &[Value]) -> Result<((Comparison, Number), &[Value]), TopicRefusal> {
    let Some((operator, rest)) = members.split_first() else {
        return refuse("Invalid member in numeric match: ]");
    };
    let Value::String(operator) = operator else {
        return refuse(format!("Invalid member in numeric match: {operator}"));
    };
    let comparison = match operator.as_str() {
        "=" => Comparison::Equal,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => {
            return refuse(format!(
                "Unrecognized numeric range operator: {}",
                operator.escape_default()
            ));
        }
    };
    match rest.split_first() {
        Some((Value::Number(number), rest)) => match Number::of_json(number) {
            Some(number) => Ok(((comparison, number), rest)),
            None => refuse(format!("Value of {operator} must be numeric")),
        },
        Some(_) | None => refuse(format!("Value of {operator} must be numeric")),
    }
}

fn cidr(operand: &Value) -> Result<Rule, TopicRefusal> {
    let text = text("cidr", operand)?;
    let Some((address, bits)) = text.split_once('/') else {
        return refuse("Malformed CIDR, one '/' required");
    };
    let Ok(bits) = bits.parse::<u32>() else {
        return refuse("Malformed CIDR, mask bits must be an integer");
    };
    let Ok(ip) = address.parse::<IpAddr>() else {
        return refuse(format!(
            "Nonstandard IP address: {}",
            address.escape_default()
        ));
    };
    Cidr::new(ip, bits).map_or_else(
        || refuse("Malformed CIDR, mask bits must not exceed the address"),
        |cidr| Ok(Rule::Cidr(cidr)),
    )
}
