//! Permissions: statements of a queue's policy that have a label and need no JSON to be made.
//!
//! What they make of the policy is what Amazon makes of it: its version, its id, one account or
//! action as a text and several as a list (recorded answers of `GetQueueAttributes`).

use engine::{Command, PolicyEdit, PolicyRefusal, Refusal};
use messaging::limits::{self, POLICY_BYTES_MAX, POLICY_STATEMENTS_MAX};
use wire::aws::sqs::{Action, AddPermission, RemovePermission, Response};
use wire::aws::{AwsError, ErrorCode};

use super::call::{Call, permission};
use super::error::{from_refusal, invalid_value, short};
use crate::aws::context::is_account;
use crate::aws::written_policy;

/// API reference, `AddPermission`.
const ACTIONS_MAX: usize = 7;

pub(super) async fn add(call: &Call<'_>, request: AddPermission) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    check(&request)?;
    let statement = Some(statement(&request, &call.arn(&queue)));
    edit(call, &queue, request.label, statement).await?;
    Ok(Response::AddPermission)
}

pub(super) async fn remove(
    call: &Call<'_>,
    request: RemovePermission,
) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    edit(call, &queue, request.label, None).await?;
    Ok(Response::RemovePermission)
}

/// The engine edits the policy, so that of many who ask at once none takes back what another did.
async fn edit(
    call: &Call<'_>,
    queue: &engine::ports::Queue,
    label: String,
    statement: Option<String>,
) -> Result<(), AwsError> {
    let edit = PolicyEdit {
        label: label.clone(),
        statement,
        otherwise: written_policy::text(&format!("{}/SQSDefaultPolicy", call.arn(queue)), &[]),
    };
    let command = Command::EditQueuePolicy {
        queue: queue.name.clone(),
        edit: Box::new(edit),
    };
    let decided = call.try_decide(command).await;
    // Also when it was refused: it may be that somebody else has deleted it.
    call.directory.forget(&queue.name);
    decided?
        .map(|_| ())
        .map_err(|refusal| refused(refusal, &label))
}

fn refused(refusal: Refusal, label: &str) -> AwsError {
    match refusal {
        Refusal::Policy(PolicyRefusal::LabelTaken) => {
            invalid_value("Label", short(label), "Already exists.")
        }
        Refusal::Policy(PolicyRefusal::LabelUnknown) => {
            invalid_value("Label", short(label), "can't find label.")
        }
        Refusal::Policy(PolicyRefusal::TooLarge) => AwsError::new(
            ErrorCode::OverLimit,
            format!(
                "A policy may have {POLICY_STATEMENTS_MAX} statements and {POLICY_BYTES_MAX} bytes."
            ),
        ),
        refusal => from_refusal(refusal),
    }
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

fn statement(request: &AddPermission, arn: &str) -> String {
    let accounts = written_policy::accounts(&request.account_ids);
    let actions = request.actions.iter().map(|action| format!("SQS:{action}"));
    written_policy::allowing(
        &request.label,
        distinct(accounts),
        distinct(actions.collect()),
        arn,
    )
}

fn distinct(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts.dedup();
    texts
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

    /// As recorded from Amazon: one account or action as a text, several as a list.
    #[test]
    fn a_statement_is_that_of_amazon() {
        assert_eq!(
            statement(&request("a", &[ONE], &["SendMessage"]), ARN),
            r#"{"Sid":"a","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"SQS:SendMessage","Resource":"arn:aws:sqs:us-east-1:000000000000:q"}"#
        );
        let more = statement(&request("b", &[TWO, ONE, ONE], &["PurgeQueue", "*"]), ARN);
        assert!(more.contains(
            r#"{"AWS":["arn:aws:iam::111111111111:root","arn:aws:iam::222222222222:root"]},"Action":["SQS:*","SQS:PurgeQueue"]"#
        ));
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
