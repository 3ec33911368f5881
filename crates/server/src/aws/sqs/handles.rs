//! What the holder of a receipt handle may do: delete the message, or move its time-out.

use engine::ports::Queue;
use engine::{Command, Reply};
use messaging::{ReceiptHandle, batch, limits};
use wire::aws::AwsError;
use wire::aws::sqs::{
    BatchResult, ChangeMessageVisibility, ChangeMessageVisibilityBatch, DeleteMessage,
    DeleteMessageBatch, FailedEntry, Response, SuccessfulEntry,
};

use super::call::Call;
use super::error::{bounded, from_queue};
use super::send::{decide_batch, next};

const TIMEOUT_REASON: &str = "Must be between 0 and 43200, if provided.";

pub(super) async fn delete(call: &Call<'_>, request: DeleteMessage) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    let command = Command::DeleteMessage {
        queue: queue.name.clone(),
        handle: handle(&queue, &request.receipt_handle)?,
    };
    call.decide(command).await?;
    Ok(Response::DeleteMessage)
}

pub(super) async fn change(
    call: &Call<'_>,
    request: ChangeMessageVisibility,
) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    let command = Command::ChangeVisibility {
        queue: queue.name.clone(),
        timeout_s: timeout_s(request.visibility_timeout)?,
        handle: handle(&queue, &request.receipt_handle)?,
    };
    call.decide(command).await?;
    Ok(Response::ChangeMessageVisibility)
}

pub(super) async fn delete_batch(
    call: &Call<'_>,
    request: DeleteMessageBatch,
) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    let entries = request.entries.into_iter().map(|entry| {
        let handle = handle(&queue, &entry.receipt_handle);
        (entry.id, handle)
    });
    let command = |handles| Command::DeleteMessages {
        queue: queue.name.clone(),
        handles,
    };
    let result = batched(call, entries.collect(), command).await?;
    Ok(Response::DeleteMessageBatch(result))
}

pub(super) async fn change_batch(
    call: &Call<'_>,
    request: ChangeMessageVisibilityBatch,
) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    let entries = request.entries.into_iter().map(|entry| {
        let change = timeout_s(entry.visibility_timeout).and_then(|timeout_s| {
            let handle = handle(&queue, &entry.receipt_handle)?;
            Ok((handle, timeout_s))
        });
        (entry.id, change)
    });
    let command = |changes| Command::ChangeVisibilities {
        queue: queue.name.clone(),
        changes,
    };
    let result = batched(call, entries.collect(), command).await?;
    Ok(Response::ChangeMessageVisibilityBatch(result))
}

/// Each entry with its id: those that can be are decided together.
async fn batched<T>(
    call: &Call<'_>,
    entries: Vec<(String, Result<T, AwsError>)>,
    command: impl FnOnce(Vec<T>) -> Command,
) -> Result<BatchResult<SuccessfulEntry>, AwsError> {
    let ids = entries.iter().map(|(id, _)| id.as_str());
    batch::validate_ids(ids).map_err(|error| from_queue(&error))?;
    let mut fit = Vec::with_capacity(entries.len());
    let mut waiting: Vec<(String, Option<AwsError>)> = Vec::with_capacity(entries.len());
    for (id, entry) in entries {
        match entry {
            Ok(entry) => {
                fit.push(entry);
                waiting.push((id, None));
            }
            Err(problem) => waiting.push((id, Some(problem))),
        }
    }
    let mut replies = decide_batch(call, fit, command).await?;
    let mut result = BatchResult {
        successful: Vec::new(),
        failed: Vec::new(),
    };
    for (id, problem) in waiting {
        let decided: Result<Reply, AwsError> = match problem {
            Some(problem) => Err(problem),
            None => next(&mut replies),
        };
        match decided {
            Ok(_) => result.successful.push(SuccessfulEntry { id }),
            Err(error) => result.failed.push(FailedEntry::new(id, &error)),
        }
    }
    Ok(result)
}

/// A handle of this queue: one of another, or of a queue of this name that was deleted, is none.
fn handle(queue: &Queue, text: &str) -> Result<ReceiptHandle, AwsError> {
    let handle = ReceiptHandle::decode(text)
        .ok()
        .filter(|handle| handle.queue_id == queue.id);
    handle.ok_or_else(|| from_queue(&messaging::Refusal::ReceiptHandleIsInvalid))
}

fn timeout_s(value: Option<i32>) -> Result<u32, AwsError> {
    let Some(value) = value else {
        return Err(AwsError::missing_parameter("VisibilityTimeout"));
    };
    let bounds = 0..=limits::VISIBILITY_TIMEOUT_S_MAX;
    bounded("VisibilityTimeout", value, bounds, TIMEOUT_REASON)
}
