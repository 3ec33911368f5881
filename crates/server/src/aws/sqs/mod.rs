//! The 23 actions of SQS: from a decoded request to a command or a look, and back.
//!
//! What always holds: a queue is found and its policy asked before anything else is said about
//! a request, so nobody learns of another's queue; what is wrong with one entry of a batch
//! fails that entry, what is wrong with the batch fails the call.
//!
//! Deliberately not known here: bytes, HTTP and signatures, and what becomes of a message.

mod attributes;
mod call;
mod description;
pub(super) mod error;
mod handles;
mod moves;
mod paging;
mod permissions;
mod queues;
mod receive;
mod room;
mod send;

pub(super) use call::Call;
pub(super) use room::AnswerRoom;

use wire::aws::AwsError;
use wire::aws::sqs::{Request, Response};

pub(super) async fn handle(call: &Call<'_>, request: Request) -> Result<Response, AwsError> {
    match request {
        Request::AddPermission(request) => permissions::add(call, request).await,
        Request::CancelMessageMoveTask(request) => moves::cancel(call, request).await,
        Request::ChangeMessageVisibility(request) => handles::change(call, request).await,
        Request::ChangeMessageVisibilityBatch(request) => {
            handles::change_batch(call, request).await
        }
        Request::CreateQueue(request) => queues::create(call, request).await,
        Request::DeleteMessage(request) => handles::delete(call, request).await,
        Request::DeleteMessageBatch(request) => handles::delete_batch(call, request).await,
        Request::DeleteQueue(request) => queues::delete(call, request).await,
        Request::GetQueueAttributes(request) => queues::get_attributes(call, request).await,
        Request::GetQueueUrl(request) => queues::get_url(call, request).await,
        Request::ListDeadLetterSourceQueues(request) => paging::list_sources(call, request).await,
        Request::ListMessageMoveTasks(request) => moves::list(call, request).await,
        Request::ListQueueTags(request) => queues::list_tags(call, request).await,
        Request::ListQueues(request) => paging::list_queues(call, request).await,
        Request::PurgeQueue(request) => queues::purge(call, request).await,
        Request::ReceiveMessage(request) => receive::receive(call, request).await,
        Request::RemovePermission(request) => permissions::remove(call, request).await,
        Request::SendMessage(request) => send::send(call, request).await,
        Request::SendMessageBatch(request) => send::send_batch(call, request).await,
        Request::SetQueueAttributes(request) => queues::set_attributes(call, request).await,
        Request::StartMessageMoveTask(request) => moves::start(call, request).await,
        Request::TagQueue(request) => queues::tag(call, request).await,
        Request::UntagQueue(request) => queues::untag(call, request).await,
    }
}
