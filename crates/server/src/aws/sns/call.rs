//! What most actions begin with: the topic that is meant, and whether this account may.

use engine::ports::Topic;
use engine::{Command, Reply};
use wire::aws::sns::Action;
use wire::aws::{AwsError, ErrorCode};

use super::error::{from_refusal, no_such_topic};
use super::names;
use crate::aws::context::{Context, Named};
use crate::aws::policy::{Question, allows};
use crate::aws::sqs::error::from_engine;
use crate::state::App;

/// One request on its way.
pub(super) struct Call<'a> {
    pub(super) app: &'a App,
    pub(super) context: &'a Context,
    pub(super) action: Action,
}

impl Call<'_> {
    /// The topic of the ARN in this parameter, if this account may do with it what it asks for.
    pub(super) async fn topic(&self, parameter: &str, arn: &str) -> Result<Topic, AwsError> {
        let named = names::topic(parameter, arn)?;
        let topic = self.find(&named).await?.ok_or_else(no_such_topic)?;
        self.check_access(&topic)?;
        Ok(topic)
    }

    /// The topic that goes by this account and name, whoever may use it.
    pub(super) async fn find(&self, named: &Named) -> Result<Option<Topic>, AwsError> {
        let name = named.name.clone();
        let found = self
            .app
            .engine
            .read(move |reader| reader.topic(&name))
            .await
            .map_err(from_engine)?;
        Ok(found.filter(|topic| self.goes_by(topic, named)))
    }

    pub(super) fn goes_by(&self, topic: &Topic, named: &Named) -> bool {
        self.context.goes_by(topic.owner.as_deref(), &named.account)
    }

    pub(super) fn check_access(&self, topic: &Topic) -> Result<(), AwsError> {
        if self.context.is_owner(topic.owner.as_deref()) {
            return Ok(());
        }
        let right = permission(self.action);
        let resource = self.arn(topic);
        let allowed = right.is_some_and(|right| {
            let question = Question {
                account: &self.context.account,
                action: &format!("SNS:{right}"),
                resource: &resource,
            };
            let policy = topic.attributes.get("Policy");
            policy.is_some_and(|policy| allows(policy, &question))
        });
        if allowed {
            return Ok(());
        }
        Err(self.denied(&resource))
    }

    /// A queue that a topic shall feed need not be there. If it is, it is this account's own, or
    /// its policy lets this account send to it.
    /// `account` is the one that an ARN names.
    pub(super) async fn check_queue(
        &self,
        name: &str,
        account: Option<&str>,
    ) -> Result<(), AwsError> {
        let name = name.to_owned();
        let found = self
            .app
            .engine
            .read(move |reader| reader.queue_row(&name))
            .await
            .map_err(from_engine)?;
        let own = self.context.own();
        let owner = match &found {
            Some(queue) => queue.more.owner.as_deref(),
            None => own.as_deref(),
        };
        if account.is_some_and(|account| !self.context.goes_by(owner, account)) {
            return Err(super::error::invalid("SQS endpoint ARN"));
        }
        let Some(queue) = &found else {
            return Ok(());
        };
        let resource = self.context.queue_arn(owner, &queue.name);
        let question = Question {
            account: &self.context.account,
            action: "SQS:SendMessage",
            resource: &resource,
        };
        let policy = queue.more.policy.as_deref();
        let is_allowed =
            self.context.is_owner(owner) || policy.is_some_and(|policy| allows(policy, &question));
        if is_allowed {
            Ok(())
        } else {
            Err(self.denied(&resource))
        }
    }

    pub(super) fn denied(&self, resource: &str) -> AwsError {
        let action = permission(self.action).unwrap_or(self.action.as_str());
        let whose = if self.context.is_anonymous {
            "anonymous".to_owned()
        } else {
            format!("arn:aws:iam::{}:root", self.context.account)
        };
        AwsError::new(
            ErrorCode::AuthorizationError,
            format!(
                "User: {whose} is not authorized to perform: SNS:{action} on resource: {resource}"
            ),
        )
    }

    pub(super) async fn decide(&self, command: Command) -> Result<Reply, AwsError> {
        let decided = self.app.engine.decide(command).await.map_err(from_engine)?;
        decided.map_err(from_refusal)
    }

    pub(super) fn arn(&self, topic: &Topic) -> String {
        self.context
            .topic_arn(topic.owner.as_deref(), topic.topic.name.as_str())
    }
}

/// What a policy calls the right to an action; none for what only the owner may do. A batch
/// needs the right to its single action.
const fn permission(action: Action) -> Option<&'static str> {
    match action {
        Action::Publish | Action::PublishBatch => Some("Publish"),
        Action::AddPermission
        | Action::DeleteTopic
        | Action::GetTopicAttributes
        | Action::ListSubscriptionsByTopic
        | Action::RemovePermission
        | Action::SetTopicAttributes
        | Action::Subscribe => Some(action.as_str()),
        Action::ConfirmSubscription
        | Action::CreateTopic
        | Action::GetSubscriptionAttributes
        | Action::ListSubscriptions
        | Action::ListTagsForResource
        | Action::ListTopics
        | Action::SetSubscriptionAttributes
        | Action::TagResource
        | Action::Unsubscribe
        | Action::UntagResource => None,
    }
}
