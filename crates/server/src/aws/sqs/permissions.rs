//! Permissions: statements of a queue's policy that have a label and need no JSON to be made.
//!
//! What they make of the policy is what Amazon makes of it: its version, its id, one account or
//! action as a text and several as a list (recorded answers of `GetQueueAttributes`).

use engine::Command;
use messaging::{QueueSettings, limits};
use serde_json::{Value, json};
use wire::aws::sqs::{Action, AddPermission, RemovePermission, Response};
use wire::aws::{AwsError, ErrorCode};

use super::call::{Call, permission};
use super::error::{invalid, invalid_value, short};
use super::queues::{change, look};
use crate::aws::context::is_account;
use crate::aws::policy::{POLICY_BYTES_MAX, STATEMENTS_MAX};

/// API reference, `AddPermission`.
const ACTIONS_MAX: usize = 7;

pub(super) async fn add(call: &Call<'_>, request: AddPermission) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    check(&request)?;
    let _turn = call.directory.edit_policies().await;
    let policy = look(call, &queue).await?.queue.more.policy.clone();
    let policy = with_statement(policy.as_deref(), &call.arn(&queue), &request)?;
    set(call, &queue, Some(policy)).await?;
    Ok(Response::AddPermission)
}

pub(super) async fn remove(
    call: &Call<'_>,
    request: RemovePermission,
) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    let _turn = call.directory.edit_policies().await;
    let policy = look(call, &queue).await?.queue.more.policy.clone();
    let policy = without_statement(policy.as_deref(), &request.label)?;
    set(call, &queue, policy).await?;
    Ok(Response::RemovePermission)
}

async fn set(
    call: &Call<'_>,
    queue: &engine::ports::Queue,
    policy: Option<String>,
) -> Result<(), AwsError> {
    let settings = QueueSettings {
        policy: Some(policy),
        ..QueueSettings::default()
    };
    let command = Command::SetQueue {
        queue: queue.name.clone(),
        settings: Box::new(settings),
    };
    change(call, queue, command).await.map(|_| ())
}

fn check(request: &AddPermission) -> Result<(), AwsError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let length = request.label.len();
    if !(1..=limits::QUEUE_NAME_LENGTH_MAX).contains(&length) || !request.label.bytes().all(plain) {
        return Err(invalid_value(
            "Label",
            short(&request.label),
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
        ));
    }
    if request.actions.len() > ACTIONS_MAX {
        return Err(AwsError::new(
            ErrorCode::OverLimit,
            format!(
                "{} Actions were found, maximum allowed is {ACTIONS_MAX}.",
                request.actions.len()
            ),
        ));
    }
    for action in request.actions.iter().filter(|action| *action != "*") {
        let reason = match Action::parse(action) {
            Some(known) if permission(known) == Some(action) => continue,
            Some(known) if permission(known).is_none() => {
                "Only the queue owner is allowed to invoke this action."
            }
            Some(_) | None => "Please refer to the appropriate WSDL for a list of valid actions.",
        };
        let value = format!("SQS:{}", short(action));
        return Err(invalid_value("ActionName", value, reason));
    }
    match request
        .account_ids
        .iter()
        .find(|account| !is_account(account))
    {
        Some(account) => Err(invalid_value(
            "PrincipalId",
            short(account),
            "Unable to verify.",
        )),
        None => Ok(()),
    }
}

fn with_statement(
    policy: Option<&str>,
    arn: &str,
    request: &AddPermission,
) -> Result<String, AwsError> {
    let mut policy = match policy {
        Some(policy) => parse(policy),
        None => json!({
            "Version": "2008-10-17",
            "Id": format!("{arn}/SQSDefaultPolicy"),
            "Statement": [],
        }),
    };
    let mut statements = statements(&mut policy);
    if statements
        .iter()
        .any(|one| one["Sid"] == request.label.as_str())
    {
        return Err(invalid_value("Label", &request.label, "Already exists."));
    }
    let accounts = request.account_ids.iter();
    let accounts = accounts.map(|account| format!("arn:aws:iam::{account}:root"));
    let actions = request.actions.iter().map(|action| format!("SQS:{action}"));
    statements.push(json!({
        "Sid": request.label,
        "Effect": "Allow",
        "Principal": {"AWS": one_or_many(accounts.collect())},
        "Action": one_or_many(actions.collect()),
        "Resource": arn,
    }));
    let count = statements.len();
    policy["Statement"] = Value::Array(statements);
    let text = policy.to_string();
    if count > STATEMENTS_MAX || text.len() > POLICY_BYTES_MAX {
        return Err(AwsError::new(
            ErrorCode::OverLimit,
            format!("A policy may have {STATEMENTS_MAX} statements and {POLICY_BYTES_MAX} bytes."),
        ));
    }
    Ok(text)
}

/// None when nothing is left.
fn without_statement(policy: Option<&str>, label: &str) -> Result<Option<String>, AwsError> {
    let mut policy = policy.map_or(Value::Null, parse);
    let mut statements = statements(&mut policy);
    let before = statements.len();
    statements.retain(|one| one["Sid"] != label);
    if statements.len() == before {
        return Err(invalid(format!(
            "Value {} for parameter Label is invalid. Reason: can't find label.",
            short(label)
        )));
    }
    if statements.is_empty() {
        return Ok(None);
    }
    policy["Statement"] = Value::Array(statements);
    Ok(Some(policy.to_string()))
}

fn parse(policy: &str) -> Value {
    serde_json::from_str(policy).expect("a policy is looked at before it is stored")
}

/// Taken out, to be put back; a lone statement is a list of one.
fn statements(policy: &mut Value) -> Vec<Value> {
    match policy.get_mut("Statement").map(Value::take) {
        Some(Value::Array(statements)) => statements,
        Some(statement) => vec![statement],
        None => Vec::new(),
    }
}

fn one_or_many(mut texts: Vec<String>) -> Value {
    texts.sort();
    texts.dedup();
    match texts.as_slice() {
        [one] => json!(one),
        many => json!(many),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:q";

    fn request(label: &str, accounts: &[&str], actions: &[&str]) -> AddPermission {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        AddPermission {
            queue_url: String::new(),
            label: label.to_owned(),
            account_ids: owned(accounts),
            actions: owned(actions),
        }
    }

    const ONE: &str = "111111111111";
    const TWO: &str = "222222222222";

    #[test]
    fn statements_come_and_go_by_their_label() {
        let first = with_statement(None, ARN, &request("a", &[ONE], &["SendMessage"])).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&first).unwrap(),
            json!({
                "Version": "2008-10-17",
                "Id": format!("{ARN}/SQSDefaultPolicy"),
                "Statement": [{
                    "Sid": "a", "Effect": "Allow",
                    "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
                    "Action": "SQS:SendMessage", "Resource": ARN,
                }],
            })
        );
        let again = with_statement(Some(&first), ARN, &request("a", &[TWO], &["*"]));
        assert!(again.unwrap_err().message.ends_with("Already exists."));
        let more = request("b", &[TWO, ONE, ONE], &["PurgeQueue", "*"]);
        let both = with_statement(Some(&first), ARN, &more).unwrap();
        let statement = &serde_json::from_str::<Value>(&both).unwrap()["Statement"][1];
        assert_eq!(statement["Principal"]["AWS"].as_array().unwrap().len(), 2);
        assert_eq!(statement["Action"], json!(["SQS:*", "SQS:PurgeQueue"]));

        let left = without_statement(Some(&both), "a").unwrap().unwrap();
        assert!(without_statement(Some(&left), "a").is_err());
        assert_eq!(without_statement(Some(&left), "b"), Ok(None));
        assert!(without_statement(None, "b").is_err());
        // A lone statement need not stand in a list.
        let lone = r#"{"Statement":{"Sid":"x","Effect":"Deny"}}"#;
        assert_eq!(without_statement(Some(lone), "x"), Ok(None));
    }

    #[test]
    fn a_policy_has_room_for_twenty() {
        let mut policy = None;
        for n in 0..STATEMENTS_MAX {
            let next = request(&format!("label-{n}"), &[ONE], &["SendMessage"]);
            policy = Some(with_statement(policy.as_deref(), ARN, &next).unwrap());
        }
        let one_more = request("more", &[ONE], &["SendMessage"]);
        let error = with_statement(policy.as_deref(), ARN, &one_more).unwrap_err();
        assert_eq!(error.code, ErrorCode::OverLimit);
    }

    #[test]
    fn what_cannot_be_permitted_is_refused() {
        assert_eq!(
            check(&request("a_b-1", &[ONE], &["*", "GetQueueUrl"])),
            Ok(())
        );
        let eight = ["*"; 8];
        for (request, said) in [
            (request("a b", &[ONE], &["*"]), "parameter Label"),
            (
                request("a", &[ONE], &["CreateQueue"]),
                "Only the queue owner",
            ),
            (
                request("a", &[ONE], &["SendMessageBatch"]),
                "list of valid actions",
            ),
            (
                request("a", &[ONE], &["sendmessage"]),
                "list of valid actions",
            ),
            (request("a", &["1"], &["*"]), "PrincipalId"),
            (request("a", &[ONE], &eight), "8 Actions were found"),
        ] {
            let error = check(&request).unwrap_err();
            assert!(error.message.contains(said), "{error}");
        }
    }
}
