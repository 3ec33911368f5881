//! `AddPermission` and `RemovePermission`: statements of a topic's policy, by their label.
//!
//! What always holds: the other statements stay as they were sent, to the letter. What a policy
//! means is not known here.

use std::collections::BTreeMap;

use engine::TopicSettings;
use engine::ports::Topic;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use wire::aws::AwsError;
use wire::aws::sns::{AddPermission, RemovePermission, Response};

use super::call::Call;
use super::error::invalid;
use super::topics;
use crate::aws::context::is_account;
use crate::aws::policy::is_policy;

const VERSION: &str = "2008-10-17";
const DEFAULT_ID: &str = "__default_policy_ID";
const DEFAULT_SID: &str = "__default_statement_ID";
/// What Amazon's default policy allows, in its order.
const DEFAULT_ACTIONS: [&str; 8] = [
    "SNS:GetTopicAttributes",
    "SNS:SetTopicAttributes",
    "SNS:AddPermission",
    "SNS:RemovePermission",
    "SNS:DeleteTopic",
    "SNS:Subscribe",
    "SNS:ListSubscriptionsByTopic",
    "SNS:Publish",
];
/// What there is a permission for, besides those.
const RECEIVE: &str = "SNS:Receive";
const LABEL_LENGTH_MAX: usize = 80;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    #[serde(default = "version")]
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// A list, or one alone.
    statement: Box<RawValue>,
}

fn version() -> String {
    VERSION.to_owned()
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'a> {
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

fn raw(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).expect("texts have a JSON form")
}

/// Of a topic whose policy nobody has set.
pub(super) fn default_policy(arn: &str, owner: &str) -> String {
    let statement = Statement {
        sid: DEFAULT_SID,
        effect: "Allow",
        principal: Principal {
            aws: OneOrMany::One("*".to_owned()),
        },
        action: OneOrMany::Many(DEFAULT_ACTIONS.map(str::to_owned).to_vec()),
        resource: arn,
        condition: Some(Condition {
            string_equals: BTreeMap::from([("AWS:SourceOwner", owner)]),
        }),
    };
    write(Policy {
        version: version(),
        id: Some(DEFAULT_ID.to_owned()),
        statement: raw(&[statement]),
    })
}

fn write(policy: Policy) -> String {
    serde_json::to_string(&policy).expect("texts have a JSON form")
}

fn statements(policy: &Policy) -> Vec<Box<RawValue>> {
    match serde_json::from_str(policy.statement.get()) {
        Ok(many) => many,
        Err(_) => vec![policy.statement.clone()],
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

/// The policy with one statement more.
fn with(
    policy: &str,
    label: &str,
    accounts: &[String],
    actions: &[String],
    resource: &str,
) -> Result<String, AwsError> {
    let mut policy: Policy =
        serde_json::from_str(policy).map_err(|_| invalid("Policy Error: null"))?;
    let mut all = statements(&policy);
    if all
        .iter()
        .any(|statement| sid(statement).as_deref() == Some(label))
    {
        return Err(invalid("Statement already exists"));
    }
    let principals: Vec<String> = accounts
        .iter()
        .map(|account| format!("arn:aws:iam::{account}:root"))
        .collect();
    let actions: Vec<String> = actions
        .iter()
        .map(|action| action_name(action))
        .collect::<Result<_, _>>()?;
    all.push(raw(&Statement {
        sid: label,
        effect: "Allow",
        principal: Principal {
            aws: principals.into(),
        },
        action: actions.into(),
        resource,
        condition: None,
    }));
    policy.statement = raw(&all);
    let policy = write(policy);
    if is_policy(&policy) {
        Ok(policy)
    } else {
        Err(invalid("Policy Reason: it is too large"))
    }
}

fn action_name(action: &str) -> Result<String, AwsError> {
    let name = format!("SNS:{action}");
    if DEFAULT_ACTIONS.contains(&name.as_str()) || name == RECEIVE {
        Ok(name)
    } else {
        Err(invalid("Policy statement action out of service scope!"))
    }
}

/// The policy without the statement of this label.
fn without(policy: &str, label: &str) -> Result<String, AwsError> {
    let mut policy: Policy =
        serde_json::from_str(policy).map_err(|_| invalid("Policy Error: null"))?;
    let mut all = statements(&policy);
    all.retain(|statement| sid(statement).as_deref() != Some(label));
    policy.statement = raw(&all);
    Ok(write(policy))
}

pub(super) async fn add(call: &Call<'_>, request: AddPermission) -> Result<Response, AwsError> {
    let is_label = (1..=LABEL_LENGTH_MAX).contains(&request.label.len())
        && request
            .label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if !is_label {
        return Err(invalid("Label"));
    }
    if !request.account_ids.iter().all(|id| is_account(id)) {
        return Err(invalid("AWSAccountId"));
    }
    edit(call, &request.topic_arn, |policy, arn| {
        with(
            policy,
            &request.label,
            &request.account_ids,
            &request.actions,
            arn,
        )
    })
    .await?;
    Ok(Response::AddPermission)
}

pub(super) async fn remove(
    call: &Call<'_>,
    request: RemovePermission,
) -> Result<Response, AwsError> {
    edit(call, &request.topic_arn, |policy, _| {
        without(policy, &request.label)
    })
    .await?;
    Ok(Response::RemovePermission)
}

async fn edit(
    call: &Call<'_>,
    topic_arn: &str,
    change: impl FnOnce(&str, &str) -> Result<String, AwsError>,
) -> Result<(), AwsError> {
    let _turn = call.app.sns.policies.lock().await;
    let topic: Topic = call.topic("TopicArn", topic_arn).await?;
    let arn = call.arn(&topic);
    let owner = call.context.owner(topic.owner.as_deref());
    let policy = match topic.attributes.get("Policy") {
        Some(policy) => change(policy, &arn)?,
        None => change(&default_policy(&arn, owner), &arn)?,
    };
    let settings = TopicSettings {
        attributes: BTreeMap::from([("Policy".to_owned(), policy)]),
        ..TopicSettings::default()
    };
    topics::set(call, topic, settings).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:sns:us-east-1:000000000000:t";

    fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
        texts.map(str::to_owned).to_vec()
    }

    /// As recorded from Amazon.
    #[test]
    fn the_default_policy_is_that_of_amazon() {
        assert_eq!(
            default_policy(ARN, "000000000000"),
            r#"{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":"__default_statement_ID","Effect":"Allow","Principal":{"AWS":"*"},"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes","SNS:AddPermission","SNS:RemovePermission","SNS:DeleteTopic","SNS:Subscribe","SNS:ListSubscriptionsByTopic","SNS:Publish"],"Resource":"arn:aws:sns:us-east-1:000000000000:t","Condition":{"StringEquals":{"AWS:SourceOwner":"000000000000"}}}]}"#
        );
    }

    #[test]
    fn a_permission_comes_and_goes_and_leaves_the_rest_alone() {
        for (before, after) in [
            (
                r#"{"Statement":{ "Sid" : "z" , "Effect":"Deny"}}"#,
                r#"{"Version":"2008-10-17","Statement":[{ "Sid" : "z" , "Effect":"Deny"}]}"#,
            ),
            (
                r#"{"Version":"2012-10-17","Id":"i","Statement":[]}"#,
                r#"{"Version":"2012-10-17","Id":"i","Statement":[]}"#,
            ),
        ] {
            let accounts = texts(["111111111111"]);
            let added = with(before, "l", &accounts, &texts(["Publish"]), ARN).unwrap();
            let statement = r#"{"Sid":"l","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"SNS:Publish","Resource":"arn:aws:sns:us-east-1:000000000000:t"}"#;
            assert!(added.contains(statement), "{added}");
            assert_eq!(without(&added, "l").unwrap(), after);
            assert_eq!(without(before, "other").unwrap(), after);
        }
    }

    #[test]
    fn several_make_lists_and_labels_are_unique() {
        let policy = default_policy(ARN, "000000000000");
        let accounts = texts(["111111111111", "222222222222"]);
        let actions = texts(["Publish", "Receive"]);
        let added = with(&policy, "l", &accounts, &actions, ARN).unwrap();
        assert!(added.contains(
            r#""Principal":{"AWS":["arn:aws:iam::111111111111:root","arn:aws:iam::222222222222:root"]},"Action":["SNS:Publish","SNS:Receive"]"#
        ));
        assert_eq!(
            with(&added, "l", &accounts, &actions, ARN),
            Err(invalid("Statement already exists"))
        );
        assert_eq!(
            with(&policy, "m", &accounts, &texts(["CreateTopic"]), ARN),
            Err(invalid("Policy statement action out of service scope!"))
        );
        let many: Vec<String> = (0..600).map(|n| format!("{n:012}")).collect();
        assert!(with(&policy, "m", &many, &actions, ARN).is_err());
    }
}
