//! Queues as a whole: made, found, changed, tagged, emptied, deleted.

use std::sync::Arc;

use engine::ports::{Queue, QueueDepth};
use engine::{Command, Reply};
use messaging::{QueueName, QueueSettings, RedrivePolicy};
use wire::aws::sqs::{
    CreateQueue, DeleteQueue, GetQueueAttributes, GetQueueUrl, ListQueueTags, PurgeQueue, Response,
    SetQueueAttributes, TagQueue, UntagQueue,
};
use wire::aws::{AwsError, ErrorCode};

use super::attributes::{self, Sent};
use super::call::Call;
use super::description;
use super::error::{from_engine, from_queue, invalid_value, short};
use crate::aws::context::Named;
use crate::workers;

pub(super) async fn create(call: &Call<'_>, request: CreateQueue) -> Result<Response, AwsError> {
    let sent = attributes::read(request.attributes)?;
    let name = QueueName::new(request.queue_name).map_err(|error| from_queue(&error))?;
    name.validate_kind(sent.settings.fifo == Some(true))
        .map_err(|error| from_queue(&error))?;
    // What belongs to the default account has no owner of its own, and follows the setting.
    let owner =
        Some(&call.context.account).filter(|&account| *account != call.context.default_account);
    check_dead_letters(call, &sent, owner.map(String::as_str)).await?;
    let command = Command::CreateQueue {
        name: name.as_str().to_owned(),
        owner: owner.cloned(),
        settings: Box::new(sent.settings),
        tags: request.tags,
    };
    let queue = queue_of(call.decide(command).await?);
    call.directory.forget(&queue.name);
    // There is one namespace: the name may be another account's.
    if !call.context.is_owner(queue.more.owner.as_deref()) {
        return Err(AwsError::new(
            ErrorCode::QueueNameExists,
            "A queue of another account has this name.",
        ));
    }
    Ok(Response::CreateQueue {
        queue_url: call.url(&queue),
    })
}

/// The dead-letter queue of a redrive policy: it is there, and belongs to the same account.
async fn check_dead_letters(
    call: &Call<'_>,
    sent: &Sent,
    owner: Option<&str>,
) -> Result<(), AwsError> {
    let Some((named, text)) = &sent.dead_letters else {
        return Ok(());
    };
    let refuse = |reason: &str| Err(invalid_value("RedrivePolicy", short(text), reason));
    match call.find(named).await? {
        None => refuse("Dead letter target does not exist."),
        Some(dead)
            if call.context.owner(dead.more.owner.as_deref()) != call.context.owner(owner) =>
        {
            refuse("Dead-letter target owner should be same as the source's.")
        }
        Some(_) => Ok(()),
    }
}

fn queue_of(reply: Reply) -> Box<Queue> {
    match reply {
        Reply::Queue(queue) => queue,
        other => unreachable!("a queue that is made or changed is the answer, not {other:?}"),
    }
}

pub(super) async fn delete(call: &Call<'_>, request: DeleteQueue) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    if workers::is_own(&queue.name) {
        return Err(refuse_own(&queue, "cannot be deleted"));
    }
    change(
        call,
        &queue,
        Command::DeleteQueue {
            queue: queue.name.clone(),
        },
    )
    .await?;
    Ok(Response::DeleteQueue)
}

/// How long the shop's own work may take and how often it is tried is the operator's to say, and
/// whom else a queue lets in; the rest is as its workers need it.
fn check_own(queue: &Queue, settings: &QueueSettings) -> Result<(), AwsError> {
    if !workers::is_own(&queue.name) {
        return Ok(());
    }
    let QueueSettings {
        visibility_timeout_s: _,
        retention_s: _,
        policy: _,
        redrive,
        delay_s,
        message_bytes_max,
        receive_wait_s,
        redrive_allow,
        fifo,
        content_based_deduplication,
        deduplication_scope,
        throughput_limit,
        encryption,
    } = settings;
    let name_of = |policy: &RedrivePolicy| policy.dead_letter_queue.clone();
    let dead_letters = queue.config.redrive.as_ref().map(name_of);
    let moves_dead_letters = redrive
        .as_ref()
        .is_some_and(|policy| policy.as_ref().map(name_of) != dead_letters);
    let others = [
        ("DelaySeconds", delay_s.is_some()),
        ("MaximumMessageSize", message_bytes_max.is_some()),
        ("ReceiveMessageWaitTimeSeconds", receive_wait_s.is_some()),
        (
            "the deadLetterTargetArn of RedrivePolicy",
            moves_dead_letters,
        ),
        ("RedriveAllowPolicy", redrive_allow.is_some()),
        ("FifoQueue", fifo.is_some()),
        (
            "ContentBasedDeduplication",
            content_based_deduplication.is_some(),
        ),
        ("DeduplicationScope", deduplication_scope.is_some()),
        ("FifoThroughputLimit", throughput_limit.is_some()),
        ("its encryption", !encryption.is_empty()),
    ];
    match others.iter().find(|(_, is_set)| *is_set) {
        Some((what, _)) => Err(refuse_own(
            queue,
            &format!(
                "{what} cannot be changed, only VisibilityTimeout, MessageRetentionPeriod, Policy \
                 and the maxReceiveCount of RedrivePolicy"
            ),
        )),
        None => Ok(()),
    }
}

/// Whoever has the keys may do it with any queue but one on which the shop stands.
fn refuse_own(queue: &Queue, why: &str) -> AwsError {
    let name = &queue.name;
    AwsError::new(
        ErrorCode::AccessDenied,
        format!("The queue {name} is one of the shop's own, and its workers need it: {why}."),
    )
}

/// Has a command decided after which the queue is not what it was.
pub(super) async fn change(
    call: &Call<'_>,
    queue: &Queue,
    command: Command,
) -> Result<Reply, AwsError> {
    let decided = call.decide(command).await;
    // Also when it was refused: it may be that somebody else has deleted it.
    call.directory.forget(&queue.name);
    decided
}

pub(super) async fn get_url(call: &Call<'_>, request: GetQueueUrl) -> Result<Response, AwsError> {
    // Without an owner it is the caller's own that is meant.
    let is_own = request.queue_owner_account_id.is_none();
    let account = request.queue_owner_account_id;
    let named = Named {
        account: account.unwrap_or_else(|| call.context.account.clone()),
        name: request.queue_name,
    };
    let is_meant =
        |queue: &Arc<Queue>| !is_own || call.context.is_owner(queue.more.owner.as_deref());
    let queue = call.find(&named).await?.filter(is_meant);
    let queue = queue.ok_or_else(AwsError::queue_does_not_exist)?;
    call.check_access(&queue)?;
    Ok(Response::GetQueueUrl {
        queue_url: call.url(&queue),
    })
}

pub(super) async fn get_attributes(
    call: &Call<'_>,
    request: GetQueueAttributes,
) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    let depth = look(call, &queue).await?;
    let attributes = description::write(call, &depth, &request.attribute_names)?;
    Ok(Response::GetQueueAttributes { attributes })
}

/// The queue as it is now, with its depth.
pub(super) async fn look(call: &Call<'_>, queue: &Arc<Queue>) -> Result<QueueDepth, AwsError> {
    let engine = &call.app.engine;
    let (name, now) = (queue.name.clone(), engine.log_time());
    let found = engine.read(move |reader| reader.queue(&name, now)).await;
    let found = found.map_err(from_engine)?;
    found.ok_or_else(AwsError::queue_does_not_exist)
}

pub(super) async fn set_attributes(
    call: &Call<'_>,
    request: SetQueueAttributes,
) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    let sent = attributes::read(request.attributes)?;
    // A standard queue does not have the attribute; a FIFO queue has it and cannot change it.
    if sent.settings.fifo.is_some() && !queue.config.is_fifo() {
        return Err(attributes::unknown("FifoQueue"));
    }
    check_own(&queue, &sent.settings)?;
    check_dead_letters(call, &sent, queue.more.owner.as_deref()).await?;
    let command = Command::SetQueue {
        queue: queue.name.clone(),
        settings: Box::new(sent.settings),
    };
    change(call, &queue, command).await?;
    Ok(Response::SetQueueAttributes)
}

pub(super) async fn purge(call: &Call<'_>, request: PurgeQueue) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    let command = Command::PurgeQueue {
        queue: queue.name.clone(),
    };
    match change(call, &queue, command).await {
        Ok(_) => Ok(Response::PurgeQueue),
        Err(error) if error.code == ErrorCode::PurgeQueueInProgress => Err(AwsError::new(
            error.code,
            format!(
                "Only one PurgeQueue operation on {} is allowed every 60 seconds.",
                queue.name
            ),
        )),
        Err(error) => Err(error),
    }
}

pub(super) async fn tag(call: &Call<'_>, request: TagQueue) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    let command = Command::TagQueue {
        queue: queue.name.clone(),
        tags: request.tags,
        untag: Vec::new(),
    };
    change(call, &queue, command).await?;
    Ok(Response::TagQueue)
}

pub(super) async fn untag(call: &Call<'_>, request: UntagQueue) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    let command = Command::TagQueue {
        queue: queue.name.clone(),
        tags: std::collections::BTreeMap::new(),
        untag: request.tag_keys,
    };
    change(call, &queue, command).await?;
    Ok(Response::UntagQueue)
}

pub(super) async fn list_tags(
    call: &Call<'_>,
    request: ListQueueTags,
) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    Ok(Response::ListQueueTags {
        tags: queue.more.tags.clone(),
    })
}
