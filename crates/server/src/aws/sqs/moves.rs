//! Message move tasks: everything in a dead-letter queue goes back, or elsewhere.

use std::sync::Arc;

use engine::ports::{MoveStatus, MoveTask, Queue};
use engine::{Command, Refusal, Reply};
use wire::aws::AwsError;
use wire::aws::sqs::{
    self as wire_sqs, CancelMessageMoveTask, ListMessageMoveTasks, Response, StartMessageMoveTask,
};

use super::call::Call;
use super::error::{bounded, from_refusal, invalid, not_found};
use super::queues::look;
use crate::aws::context::Named;
use crate::aws::tokens::TaskHandle;

pub(super) async fn start(
    call: &Call<'_>,
    request: StartMessageMoveTask,
) -> Result<Response, AwsError> {
    let source = source(call, &request.source_arn).await?;
    let destination = match request.destination_arn.filter(|arn| !arn.is_empty()) {
        Some(arn) => Some(resource(call, "DestinationArn", &arn).await?),
        None => None,
    };
    if let Some(destination) = &destination {
        call.check_access(destination)?;
    }
    let rate = request.max_number_of_messages_per_second.map(|rate| {
        let reason = "Must be between 1 and 500, if provided.";
        bounded("MaxNumberOfMessagesPerSecond", rate, 1..=500, reason)
    });
    let command = Command::StartMove {
        queue: source.name.clone(),
        destination: destination.map(|queue| queue.name.clone()),
        rate: rate.transpose()?,
    };
    let decided = call.try_decide(command).await?;
    let task = task_of(decided.map_err(|refusal| match refusal {
        Refusal::DeadLetterQueueUnfit { reason } => invalid(format!(
            "Value for parameter DestinationArn is invalid. Reason: {reason}"
        )),
        other => from_refusal(other),
    })?);
    let handle = TaskHandle {
        task_id: task.id,
        source_arn: call.arn(&source),
    };
    Ok(Response::StartMessageMoveTask {
        task_handle: handle.encode(),
    })
}

pub(super) async fn cancel(
    call: &Call<'_>,
    request: CancelMessageMoveTask,
) -> Result<Response, AwsError> {
    let handle = TaskHandle::decode(&request.task_handle)
        .ok_or_else(|| invalid("Value for parameter TaskHandle is invalid."))?;
    let source = source(call, &handle.source_arn).await?;
    let command = Command::CancelMove {
        queue: source.name.clone(),
        task: handle.task_id,
    };
    let task = task_of(call.decide(command).await?);
    Ok(Response::CancelMessageMoveTask {
        approximate_number_of_messages_moved: signed(task.moved),
    })
}

pub(super) async fn list(
    call: &Call<'_>,
    request: ListMessageMoveTasks,
) -> Result<Response, AwsError> {
    let source = source(call, &request.source_arn).await?;
    let reason = "Must be between 1 and 10, if provided.";
    // API reference: "The default is 1, which provides the most recent message movement task."
    let count = request.max_results.unwrap_or(1);
    let count = bounded("MaxResults", count, 1..=10, reason)?;
    let source = look(call, &source).await?.queue;
    let newest = source.moves.iter().take(count as usize);
    Ok(Response::ListMessageMoveTasks {
        results: newest.map(|task| shown(call, &source, task)).collect(),
    })
}

/// The dead-letter queue of a task.
async fn source(call: &Call<'_>, arn: &str) -> Result<Arc<Queue>, AwsError> {
    let queue = resource(call, "SourceArn", arn).await?;
    call.check_access(&queue)?;
    Ok(queue)
}

async fn resource(call: &Call<'_>, parameter: &str, arn: &str) -> Result<Arc<Queue>, AwsError> {
    let found = match Named::queue(arn) {
        Some(named) => call.find(&named).await?,
        None => None,
    };
    found.ok_or_else(|| {
        not_found(format!(
            "The resource that you specified for the {parameter} parameter doesn't exist."
        ))
    })
}

fn task_of(reply: Reply) -> Box<MoveTask> {
    match reply {
        Reply::Move(task) => task,
        other => unreachable!("a move is answered with its task, not {other:?}"),
    }
}

fn shown(call: &Call<'_>, source: &Queue, task: &MoveTask) -> wire_sqs::MoveTask {
    let (status, is_running) = match task.status {
        MoveStatus::Running => ("RUNNING", true),
        MoveStatus::Completed => ("COMPLETED", false),
        MoveStatus::Cancelled => ("CANCELLED", false),
        MoveStatus::Failed => ("FAILED", false),
    };
    let source_arn = call.arn(source);
    let handle = || TaskHandle {
        task_id: task.id.clone(),
        source_arn: source_arn.clone(),
    };
    let owner = source.more.owner.as_deref();
    let to_arn = |name: &String| call.context.queue_arn(owner, name);
    wire_sqs::MoveTask {
        task_handle: is_running.then(|| handle().encode()),
        status: status.to_owned(),
        destination_arn: task.destination.as_ref().map(to_arn),
        max_number_of_messages_per_second: task.rate.and_then(|rate| i32::try_from(rate).ok()),
        approximate_number_of_messages_moved: signed(task.moved),
        approximate_number_of_messages_to_move: Some(signed(task.to_move)),
        failure_reason: task.failure.clone(),
        started_timestamp: task.started_at,
        source_arn,
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
