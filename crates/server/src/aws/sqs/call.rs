//! What every action begins with: the queue that is meant, and whether this account may.

use std::sync::Arc;

use engine::ports::Queue;
use engine::{Command, Refusal, Reply};
use wire::aws::sqs::Action;
use wire::aws::{AwsError, ErrorCode};

use super::AnswerRoom;
use super::error::{from_engine, from_refusal, short};
use crate::aws::context::{Context, Named};
use crate::aws::directory::Directory;
use crate::aws::policy::{Question, allows};
use crate::state::App;

/// One request on its way.
pub(in crate::aws) struct Call<'a> {
    pub(in crate::aws) app: &'a App,
    pub(in crate::aws) directory: &'a Directory,
    pub(in crate::aws) context: &'a Context,
    pub(in crate::aws) action: Action,
    pub(in crate::aws) room: AnswerRoom<'a>,
}

impl Call<'_> {
    /// The queue of a URL, if this account may do with it what it asks for.
    pub(super) async fn queue(&self, url: &str) -> Result<Arc<Queue>, AwsError> {
        let Some(named) = self.context.queue_of_url(url) else {
            return Err(AwsError::new(
                ErrorCode::InvalidAddress,
                format!("The address {} is not valid for this endpoint.", short(url)),
            ));
        };
        let queue = self.find(&named).await?;
        let queue = queue.ok_or_else(AwsError::queue_does_not_exist)?;
        self.check_access(&queue)?;
        Ok(queue)
    }

    /// The queue that goes by this account and name, whoever may use it.
    pub(super) async fn find(&self, named: &Named) -> Result<Option<Arc<Queue>>, AwsError> {
        let found = self.directory.find(&self.app.engine, &named.name).await;
        let found = found.map_err(from_engine)?;
        Ok(found.filter(|queue| {
            self.context
                .goes_by(queue.more.owner.as_deref(), &named.account)
        }))
    }

    pub(super) fn check_access(&self, queue: &Queue) -> Result<(), AwsError> {
        if self.context.is_owner(queue.more.owner.as_deref()) {
            return Ok(());
        }
        let resource = self.arn(queue);
        let allowed = permission(self.action).is_some_and(|action| {
            let question = Question {
                account: &self.context.account,
                action: &format!("SQS:{action}"),
                resource: &resource,
            };
            let policy = queue.more.policy.as_deref();
            policy.is_some_and(|policy| allows(policy, &question))
        });
        if allowed {
            return Ok(());
        }
        Err(AwsError::new(
            ErrorCode::AccessDenied,
            format!(
                "User: arn:aws:iam::{}:root is not authorized to perform: sqs:{} on resource: \
                 {resource}",
                self.context.account,
                permission(self.action)
                    .unwrap_or(self.action.as_str())
                    .to_ascii_lowercase(),
            ),
        ))
    }

    pub(super) async fn decide(&self, command: Command) -> Result<Reply, AwsError> {
        self.try_decide(command).await?.map_err(from_refusal)
    }

    /// For whoever has words of his own for what is refused.
    pub(super) async fn try_decide(
        &self,
        command: Command,
    ) -> Result<Result<Reply, Refusal>, AwsError> {
        self.app.engine.decide(command).await.map_err(from_engine)
    }

    pub(super) fn url(&self, queue: &Queue) -> String {
        self.context
            .queue_url(queue.more.owner.as_deref(), &queue.name)
    }

    pub(super) fn arn(&self, queue: &Queue) -> String {
        self.context
            .queue_arn(queue.more.owner.as_deref(), &queue.name)
    }
}

/// What a policy calls the right to an action; none for what only the owner may do (API
/// reference: "Cross-account permissions don't apply to this action"). A batch needs the right
/// to its single action.
pub(super) const fn permission(action: Action) -> Option<&'static str> {
    match action {
        Action::SendMessage | Action::SendMessageBatch => Some("SendMessage"),
        Action::DeleteMessage | Action::DeleteMessageBatch => Some("DeleteMessage"),
        Action::ChangeMessageVisibility | Action::ChangeMessageVisibilityBatch => {
            Some("ChangeMessageVisibility")
        }
        Action::ReceiveMessage
        | Action::GetQueueAttributes
        | Action::GetQueueUrl
        | Action::ListDeadLetterSourceQueues
        | Action::PurgeQueue => Some(action.as_str()),
        Action::AddPermission
        | Action::CancelMessageMoveTask
        | Action::CreateQueue
        | Action::DeleteQueue
        | Action::ListMessageMoveTasks
        | Action::ListQueueTags
        | Action::ListQueues
        | Action::RemovePermission
        | Action::SetQueueAttributes
        | Action::StartMessageMoveTask
        | Action::TagQueue
        | Action::UntagQueue => None,
    }
}
