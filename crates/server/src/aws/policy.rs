//! What a queue's policy says of one request, in the language of IAM.
//!
//! What always holds: a Deny outweighs every Allow, and what cannot be understood never lets
//! anybody in. A condition is such a thing: no key of it is known here, so a statement that has
//! one allows nothing and, if it denies, denies.
//!
//! A principal is an account: this server knows no users within one, so the ARN of a user or a
//! role stands for its account. The region in a resource is not compared, there is one
//! namespace for all regions.
//!
//! Source: IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements reference".

use messaging::limits::{POLICY_BYTES_MAX, POLICY_STATEMENTS_MAX};
use serde::Deserialize;
use serde_json::{Map, Value};
use wire::aws::Arn;

/// Who wants what of which.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    /// 12 digits.
    pub(super) account: &'a str,
    /// `SQS:SendMessage`, in any case.
    pub(super) action: &'a str,
    /// The ARN of the queue.
    pub(super) resource: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    statement: OneOrMany<Statement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: Effect,
    principal: Option<Value>,
    not_principal: Option<Value>,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    #[serde(default)]
    condition: Map<String, Value>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Self::Many(many) => many,
            Self::One(one) => std::slice::from_ref(one),
        }
    }
}

/// Whether a text is a policy at all, and not too large a one.
pub(super) fn is_policy(text: &str) -> bool {
    let parsed = serde_json::from_str::<Policy>(text);
    text.len() <= POLICY_BYTES_MAX
        && parsed.is_ok_and(|policy| policy.statement.as_slice().len() <= POLICY_STATEMENTS_MAX)
}

/// Whether somebody who is not the owner may do it.
pub(super) fn allows(policy: &str, question: &Question<'_>) -> bool {
    let Ok(policy) = serde_json::from_str::<Policy>(policy) else {
        return false;
    };
    let speaks = |effect: Effect| {
        let mut statements = policy.statement.as_slice().iter();
        statements.any(|statement| statement.effect == effect && statement.applies(question))
    };
    speaks(Effect::Allow) && !speaks(Effect::Deny)
}

impl Statement {
    fn applies(&self, question: &Question<'_>) -> bool {
        // What is missing or not known is taken as the stricter of its meanings.
        let strict = self.effect == Effect::Deny;
        let who = match (&self.principal, &self.not_principal) {
            (Some(principal), _) => names(principal, question.account),
            (None, Some(others)) => strict && !names(others, question.account),
            (None, None) => strict,
        };
        let what = match (&self.action, &self.not_action) {
            (Some(actions), _) => any(actions, |action| is_action(action, question.action)),
            (None, Some(others)) => !any(others, |action| is_action(action, question.action)),
            (None, None) => strict,
        };
        let which = match (&self.resource, &self.not_resource) {
            (Some(resources), _) => any(resources, |arn| is_resource(arn, question.resource)),
            (None, Some(others)) => !any(others, |arn| is_resource(arn, question.resource)),
            (None, None) => strict,
        };
        who && what && which && (strict || self.condition.is_empty())
    }
}

fn any(texts: &OneOrMany<String>, matches: impl Fn(&str) -> bool) -> bool {
    texts.as_slice().iter().any(|text| matches(text))
}

/// `"*"`, or `{"AWS": ...}` with accounts, ARNs of them or `*`; services are nobody here.
fn names(principal: &Value, account: &str) -> bool {
    let is_account = |text: &Value| {
        let Some(text) = text.as_str() else {
            return false;
        };
        text == "*" || text == account || account_of(text) == Some(account)
    };
    match principal {
        Value::String(text) => text == "*",
        Value::Object(kinds) => match kinds.get("AWS") {
            Some(Value::Array(many)) => many.iter().any(is_account),
            Some(one) => is_account(one),
            None => false,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
    }
}

/// Of `arn:aws:iam::111111111111:user/a`, which has no region.
fn account_of(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(3)
}

fn is_action(pattern: &str, action: &str) -> bool {
    matches(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase())
}

fn is_resource(pattern: &str, resource: &str) -> bool {
    match (Arn::parse(pattern), Arn::parse(resource)) {
        (Some(wanted), Some(is)) => {
            let is = Arn {
                region: wanted.region,
                ..is
            };
            matches(pattern, &is.to_string())
        }
        _ => matches(pattern, resource),
    }
}

/// `*` stands for any number of characters, `?` for one.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // Where the last star stood, and how much of the text it covers so far.
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(&expected) if expected == b'?' || expected == text[seen] => {
                at += 1;
                seen += 1;
            }
            Some(_) | None => match star {
                Some((star_at, covered)) => {
                    star = Some((star_at, covered + 1));
                    at = star_at + 1;
                    seen = covered + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&rest| rest == b'*')
}

#[cfg(test)]
mod tests;
