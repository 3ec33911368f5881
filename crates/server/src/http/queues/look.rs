//! A look at messages that receives none of them.
//!
//! What always holds: a look changes nothing; what a page does not show, because it is long, it
//! says it does not.

use axum::Json;
use axum::extract::State;
use commerce::Millis;
use engine::ports::{Reader, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use super::message_view::MessageView;
use super::no_such_queue;
use crate::http::args::{PathArgs, QueryArgs, cursor, limit};
use crate::http::error::{HttpError, HttpResult};
use crate::http::views::ProblemView;
use crate::state::App;

/// Messages read at a time: each may have 1 MiB, of which a page shows little.
const READ_AT_A_TIME: usize = 10;

pub(super) fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_messages))
        .routes(routes!(get_message))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MessagePage {
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct MessageList {
    messages: Vec<MessageView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// A look at messages without receiving them. Long bodies are cut.
#[utoipa::path(
    get, path = "/ops/queues/{name}/messages", tag = "operations",
    params(("name" = String, Path), MessagePage),
    responses(
        (status = 200, description = "A page, oldest first", body = MessageList),
        (status = 404, description = "No such queue", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn list_messages(
    State(app): State<App>,
    PathArgs(name): PathArgs<String>,
    QueryArgs(page): QueryArgs<MessagePage>,
) -> HttpResult<Json<MessageList>> {
    let limit = limit(page.limit)?;
    let after = cursor("after", page.after)?.unwrap_or(0);
    let now = app.engine.log_time();
    let found = app
        .engine
        .read(move |reader| {
            if reader.queue(&name, now)?.is_none() {
                return Ok(None);
            }
            page_of(reader, &name, after, limit, now).map(Some)
        })
        .await?;
    found.map(Json).ok_or_else(no_such_queue)
}

fn page_of(
    reader: &dyn Reader,
    queue: &str,
    after: u64,
    limit: usize,
    now: Millis,
) -> Result<MessageList, StoreError> {
    let mut messages = Vec::new();
    let mut last = after;
    loop {
        // One more than the page has says whether there is another.
        let count = READ_AT_A_TIME.min(limit + 1 - messages.len());
        let found = reader.messages(queue, last, count)?;
        for message in &found {
            if messages.len() == limit {
                return Ok(MessageList {
                    messages,
                    next: Some(last),
                });
            }
            last = message.seq;
            messages.push(MessageView::short(message, now));
        }
        if found.len() < count {
            return Ok(MessageList {
                messages,
                next: None,
            });
        }
    }
}

/// One message, whole, without receiving it.
#[utoipa::path(
    get, path = "/ops/queues/{name}/messages/{seq}", tag = "operations",
    params(("name" = String, Path), ("seq" = u64, Path)),
    responses(
        (status = 200, description = "The message", body = MessageView),
        (status = 404, description = "No such queue, or the message is not there any more", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_message(
    State(app): State<App>,
    PathArgs((name, seq)): PathArgs<(String, String)>,
) -> HttpResult<Json<MessageView>> {
    let gone = || HttpError::new(Code::NotFound, "the queue has no message of this sequence");
    let seq: u64 = seq.parse().map_err(|_| gone())?;
    let before = cursor("seq", seq.checked_sub(1)).map_err(|_| gone())?;
    let before = before.ok_or_else(gone)?;
    let now = app.engine.log_time();
    let (is_there, found) = app
        .engine
        .read(move |reader| {
            let is_there = reader.queue(&name, now)?.is_some();
            Ok((is_there, reader.messages(&name, before, 1)?))
        })
        .await?;
    if !is_there {
        return Err(no_such_queue());
    }
    let found = found.iter().find(|message| message.seq == seq);
    let message = found.ok_or_else(gone)?;
    Ok(Json(MessageView::whole(message, now)))
}
