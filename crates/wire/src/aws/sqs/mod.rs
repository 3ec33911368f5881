//! SQS: every action, from either protocol to a [`Request`], and from a [`Response`] back.
//!
//! What always holds: both protocols give the same value for the same request, and a decoded
//! request has every parameter that its action requires, not empty. Whether a value is allowed
//! is not looked at: the rules know, and for an entry of a batch it is that entry which fails.

mod names;
mod policy;
mod request;
mod response;

pub use names::{AttributeFilter, system_attribute_wanted};
pub use policy::{RedriveAllowPolicy, RedrivePermission, RedrivePolicy};
pub use request::{
    Action, AddPermission, CancelMessageMoveTask, ChangeMessageVisibility,
    ChangeMessageVisibilityBatch, ChangeMessageVisibilityEntry, CreateQueue, DeleteMessage,
    DeleteMessageBatch, DeleteMessageEntry, DeleteQueue, GetQueueAttributes, GetQueueUrl,
    ListDeadLetterSourceQueues, ListMessageMoveTasks, ListQueueTags, ListQueues, PurgeQueue,
    ReceiveMessage, RemovePermission, Request, SendMessage, SendMessageBatch, SendMessageEntry,
    SetQueueAttributes, StartMessageMoveTask, TagQueue, UntagQueue,
};
pub use response::{
    BatchResult, FailedEntry, Message, MoveTask, Response, SentEntry, SentMessage, SuccessfulEntry,
};

#[cfg(test)]
mod tests;
