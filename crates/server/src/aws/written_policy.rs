//! Policies as this server writes them itself, in Amazon's order and form.

use std::collections::BTreeMap;

use serde::Serialize;

const VERSION: &str = "2008-10-17";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy<'a> {
    version: &'a str,
    id: &'a str,
    statement: &'a [Statement<'a>],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::aws) struct Statement<'a> {
    sid: &'a str,
    effect: &'a str,
    principal: Principal,
    action: OneOrMany,
    resource: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition<'a>>,
}

#[derive(Serialize)]
struct Principal {
    #[serde(rename = "AWS")]
    aws: OneOrMany,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition<'a> {
    string_equals: BTreeMap<&'a str, &'a str>,
}

/// One is written without a list around it.
#[derive(Serialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<Vec<String>> for OneOrMany {
    fn from(mut texts: Vec<String>) -> Self {
        if texts.len() == 1 {
            Self::One(texts.remove(0))
        } else {
            Self::Many(texts)
        }
    }
}

impl<'a> Statement<'a> {
    pub(in crate::aws) fn allowing(
        sid: &'a str,
        principals: Vec<String>,
        actions: Vec<String>,
        resource: &'a str,
    ) -> Self {
        Self {
            sid,
            effect: "Allow",
            principal: Principal {
                aws: principals.into(),
            },
            action: actions.into(),
            resource,
            condition: None,
        }
    }

    /// What belongs to this account alone is let in.
    pub(in crate::aws) fn only_from(self, owner: &'a str) -> Self {
        Self {
            condition: Some(Condition {
                string_equals: BTreeMap::from([("AWS:SourceOwner", owner)]),
            }),
            ..self
        }
    }
}

/// A whole policy.
pub(in crate::aws) fn text(id: &str, statement: &[Statement<'_>]) -> String {
    json(&Policy {
        version: VERSION,
        id,
        statement,
    })
}

/// One statement that lets these accounts do these actions.
pub(in crate::aws) fn allowing(
    label: &str,
    accounts: Vec<String>,
    actions: Vec<String>,
    resource: &str,
) -> String {
    json(&Statement::allowing(label, accounts, actions, resource))
}

pub(in crate::aws) fn accounts(ids: &[String]) -> Vec<String> {
    let arn = |id: &String| format!("arn:aws:iam::{id}:root");
    ids.iter().map(arn).collect()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts have a JSON form")
}
