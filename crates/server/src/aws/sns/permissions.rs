//! `AddPermission` and `RemovePermission`: statements of a topic's policy, by their label.

use engine::ports::Topic;
use engine::{Command, PolicyEdit, PolicyRefusal, Refusal};
use wire::aws::AwsError;
use wire::aws::sns::{AddPermission, RemovePermission, Response};

use super::call::Call;
use super::error::{from_refusal, invalid};
use crate::aws::context::is_account;
use crate::aws::sqs::error::from_engine;
use crate::aws::written_policy::{self, Statement};

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

/// Of a topic whose policy nobody has set.
pub(super) fn default_policy(arn: &str, owner: &str) -> String {
    let actions = DEFAULT_ACTIONS.map(str::to_owned).to_vec();
    let everybody = vec!["*".to_owned()];
    let statement = Statement::allowing(DEFAULT_SID, everybody, actions, arn);
    written_policy::text(DEFAULT_ID, &[statement.only_from(owner)])
}

fn statement(request: &AddPermission, arn: &str) -> Result<String, AwsError> {
    let accounts = written_policy::accounts(&request.account_ids);
    let actions = request.actions.iter().map(|action| action_name(action));
    let actions = actions.collect::<Result<_, _>>()?;
    Ok(written_policy::allowing(
        &request.label,
        accounts,
        actions,
        arn,
    ))
}

fn action_name(action: &str) -> Result<String, AwsError> {
    let name = format!("SNS:{action}");
    if DEFAULT_ACTIONS.contains(&name.as_str()) || name == RECEIVE {
        Ok(name)
    } else {
        Err(invalid("Policy statement action out of service scope!"))
    }
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
    let topic = call.topic("TopicArn", &request.topic_arn).await?;
    let statement = statement(&request, &call.arn(&topic))?;
    edit(call, topic, request.label, Some(statement))
        .await?
        .map_err(refused)?;
    Ok(Response::AddPermission)
}

/// A label that is not there has gone already.
pub(super) async fn remove(
    call: &Call<'_>,
    request: RemovePermission,
) -> Result<Response, AwsError> {
    let topic = call.topic("TopicArn", &request.topic_arn).await?;
    match edit(call, topic, request.label, None).await? {
        Ok(()) | Err(Refusal::Policy(PolicyRefusal::LabelUnknown)) => {
            Ok(Response::RemovePermission)
        }
        Err(refusal) => Err(refused(refusal)),
    }
}

/// The engine edits the policy, so that of many who ask at once none takes back what another did.
async fn edit(
    call: &Call<'_>,
    topic: Topic,
    label: String,
    statement: Option<String>,
) -> Result<Result<(), Refusal>, AwsError> {
    let owner = call.context.owner(topic.owner.as_deref());
    let edit = PolicyEdit {
        label,
        statement,
        otherwise: default_policy(&call.arn(&topic), owner),
    };
    let command = Command::EditTopicPolicy {
        topic: topic.topic.name.into(),
        edit: Box::new(edit),
    };
    let decided = call.app.engine.decide(command).await.map_err(from_engine)?;
    Ok(decided.map(|_| ()))
}

fn refused(refusal: Refusal) -> AwsError {
    match refusal {
        Refusal::Policy(PolicyRefusal::LabelTaken) => invalid("Statement already exists"),
        Refusal::Policy(PolicyRefusal::TooLarge) => invalid("Policy Reason: it is too large"),
        Refusal::Policy(PolicyRefusal::Malformed) => invalid("Policy Error: null"),
        refusal => from_refusal(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:sns:us-east-1:000000000000:t";

    fn request(accounts: &[&str], actions: &[&str]) -> AddPermission {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        AddPermission {
            topic_arn: ARN.to_owned(),
            label: "l".to_owned(),
            account_ids: owned(accounts),
            actions: owned(actions),
        }
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
    fn several_make_lists_and_actions_are_those_of_topics() {
        let (one, two) = ("111111111111", "222222222222");
        assert_eq!(
            statement(&request(&[one], &["Publish"]), ARN).unwrap(),
            r#"{"Sid":"l","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"SNS:Publish","Resource":"arn:aws:sns:us-east-1:000000000000:t"}"#
        );
        let both = statement(&request(&[one, two], &["Publish", "Receive"]), ARN).unwrap();
        assert!(both.contains(
            r#""Principal":{"AWS":["arn:aws:iam::111111111111:root","arn:aws:iam::222222222222:root"]},"Action":["SNS:Publish","SNS:Receive"]"#
        ));
        assert_eq!(
            statement(&request(&[one], &["CreateTopic"]), ARN),
            Err(invalid("Policy statement action out of service scope!"))
        );
    }
}
