//! Statements of a policy come and go by their label.
//!
//! What always holds: all the rest of the policy stays as it was sent, to the letter. What a
//! statement means is not known here, nor who may what.

use std::fmt;

use messaging::limits::{POLICY_BYTES_MAX, POLICY_STATEMENTS_MAX};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

const STATEMENT: &str = "Statement";

/// What becomes of one statement of a policy.
#[derive(Debug, Clone)]
pub struct PolicyEdit {
    pub label: String,
    /// To be added, as JSON, its label among it; none takes away the one that is there.
    pub statement: Option<String>,
    /// The policy of what has none, as JSON.
    pub otherwise: String,
}

/// Why a policy stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyRefusal {
    /// There is a statement of this label.
    LabelTaken,
    /// There is none.
    LabelUnknown,
    /// Too many statements or bytes.
    TooLarge,
    /// What is stored is no policy.
    Malformed,
}

impl PolicyRefusal {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::LabelTaken => "policy_label_taken",
            Self::LabelUnknown => "policy_label_unknown",
            Self::TooLarge => "policy_too_large",
            Self::Malformed => "policy_malformed",
        }
    }
}

/// A policy after an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edited {
    pub(crate) policy: String,
    pub(crate) statements: usize,
}

/// What is taken away makes room, whatever is left.
pub(crate) fn edit(policy: Option<&str>, edit: &PolicyEdit) -> Result<Edited, PolicyRefusal> {
    let text = policy.unwrap_or(&edit.otherwise);
    let mut policy = Policy::parse(text)?;
    let mut statements = policy.statements()?;
    let is_meant = |statement: &Raw| sid(statement).as_deref() == Some(edit.label.as_str());
    if let Some(statement) = &edit.statement {
        if statements.iter().any(is_meant) {
            return Err(PolicyRefusal::LabelTaken);
        }
        let statement = RawValue::from_string(statement.clone());
        statements.push(statement.map_err(|_| PolicyRefusal::Malformed)?);
    } else {
        let before = statements.len();
        statements.retain(|statement| !is_meant(statement));
        if statements.len() == before {
            return Err(PolicyRefusal::LabelUnknown);
        }
    }
    let count = statements.len();
    let policy = policy.with(&statements);
    let is_large = count > POLICY_STATEMENTS_MAX || policy.len() > POLICY_BYTES_MAX;
    if edit.statement.is_some() && is_large {
        return Err(PolicyRefusal::TooLarge);
    }
    Ok(Edited {
        policy,
        statements: count,
    })
}

type Raw = Box<RawValue>;

/// The members of a policy, in their order.
struct Policy(Vec<(String, Raw)>);

impl Policy {
    fn parse(text: &str) -> Result<Self, PolicyRefusal> {
        serde_json::from_str(text).map_err(|_| PolicyRefusal::Malformed)
    }

    fn statement(&mut self) -> Result<&mut Raw, PolicyRefusal> {
        let mut members = self.0.iter_mut();
        let found = members.find(|(name, _)| name == STATEMENT);
        found
            .map(|(_, value)| value)
            .ok_or(PolicyRefusal::Malformed)
    }

    /// A lone one need not stand in a list.
    fn statements(&mut self) -> Result<Vec<Raw>, PolicyRefusal> {
        let statement = self.statement()?;
        let many = serde_json::from_str(statement.get());
        Ok(many.unwrap_or_else(|_| vec![statement.clone()]))
    }

    fn with(mut self, statements: &[Raw]) -> String {
        if let Ok(statement) = self.statement() {
            *statement = serde_json::value::to_raw_value(statements).expect("JSON is JSON");
        }
        serde_json::to_string(&self).expect("JSON is JSON")
    }
}

fn sid(statement: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Labelled {
        #[serde(rename = "Sid")]
        sid: Option<String>,
    }
    let labelled: Labelled = serde_json::from_str(statement.get()).ok()?;
    labelled.sid
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Policy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a policy")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Policy, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Policy(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &str = r#"{"Version":"2008-10-17","Id":"i","Statement":[]}"#;

    fn statement(label: &str) -> String {
        format!(r#"{{"Sid":"{label}","Effect":"Allow"}}"#)
    }

    fn adding(label: &str) -> PolicyEdit {
        PolicyEdit {
            label: label.to_owned(),
            statement: Some(statement(label)),
            otherwise: NONE.to_owned(),
        }
    }

    fn removing(label: &str) -> PolicyEdit {
        PolicyEdit {
            statement: None,
            ..adding(label)
        }
    }

    fn edited(policy: Option<&str>, change: &PolicyEdit) -> (String, usize) {
        let edited = edit(policy, change).unwrap();
        (edited.policy, edited.statements)
    }

    #[test]
    fn a_statement_comes_and_goes_and_leaves_the_rest_alone() {
        for (before, rest, others) in [
            (
                r#"{"Statement":{ "Sid" : "z" , "Effect":"Deny"},"Version":"2012-10-17"}"#,
                r#"{"Statement":[{ "Sid" : "z" , "Effect":"Deny"}],"Version":"2012-10-17"}"#,
                1,
            ),
            (
                // Labels that are none, and a number that no double holds.
                r#"{ "Id":"é\"", "Statement":[{"Sid":1},{"Effect":"Deny","n":1e999}, {"Sid":"l2"}]}"#,
                r#"{"Id":"é\"","Statement":[{"Sid":1},{"Effect":"Deny","n":1e999},{"Sid":"l2"}]}"#,
                3,
            ),
            (NONE, NONE, 0),
        ] {
            let (added, count) = edited(Some(before), &adding("l"));
            assert!(added.contains(&statement("l")), "{added}");
            assert_eq!(count, others + 1);
            assert_eq!(
                edit(Some(&added), &adding("l")),
                Err(PolicyRefusal::LabelTaken)
            );
            assert_eq!(
                edited(Some(&added), &removing("l")),
                (rest.to_owned(), others)
            );
            assert_eq!(
                edit(Some(before), &removing("l")),
                Err(PolicyRefusal::LabelUnknown)
            );
        }
    }

    #[test]
    fn what_has_no_policy_begins_with_that_of_others() {
        let (added, _) = edited(None, &adding("l"));
        assert_eq!(added, NONE.replace("[]", &format!("[{}]", statement("l"))));
        assert_eq!(edit(None, &removing("l")), Err(PolicyRefusal::LabelUnknown));
    }

    #[test]
    fn a_policy_has_room_for_so_many_statements_and_bytes() {
        let mut policy = NONE.to_owned();
        for number in 0..POLICY_STATEMENTS_MAX {
            policy = edited(Some(&policy), &adding(&number.to_string())).0;
        }
        assert_eq!(
            edit(Some(&policy), &adding("l")),
            Err(PolicyRefusal::TooLarge)
        );
        let (room, _) = edited(Some(&policy), &removing("0"));
        assert!(edit(Some(&room), &adding("l")).is_ok());

        let filled = |bytes: usize| {
            let (bare, _) = edited(None, &adding("l"));
            let label = "l".repeat(1 + bytes - bare.len());
            edit(None, &adding(&label))
        };
        assert_eq!(
            filled(POLICY_BYTES_MAX).unwrap().policy.len(),
            POLICY_BYTES_MAX
        );
        assert_eq!(filled(POLICY_BYTES_MAX + 1), Err(PolicyRefusal::TooLarge));
        // One that is too large all the same can be made smaller.
        let large = format!(
            r#"{{"Id":"{}","Statement":[{}]}}"#,
            "x".repeat(9_000),
            statement("l")
        );
        assert!(edit(Some(&large), &removing("l")).is_ok());
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for text in ["", "x", "[]", "{}", r#"{"statement":[]}"#] {
            for change in [adding("l"), removing("l")] {
                assert_eq!(edit(Some(text), &change), Err(PolicyRefusal::Malformed));
            }
        }
        let broken = PolicyEdit {
            statement: Some("{".to_owned()),
            ..adding("l")
        };
        assert_eq!(edit(None, &broken), Err(PolicyRefusal::Malformed));
    }
}
