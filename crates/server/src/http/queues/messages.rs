//! Sending and receiving by hand, as producers and consumers do. What is received is answered
//! whole.

use std::collections::BTreeMap;
use std::fmt;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use engine::{Command, Refusal, Reply, Room};
use messaging::{Attribute, AttributeValue, Message, ReceiptHandle, Send};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use super::message_view::MessageView;
use crate::http::args::{JsonBody, MaybeJsonBody, PathArgs};
use crate::http::error::{HttpError, HttpResult};
use crate::http::views::ProblemView;
use crate::state::App;

/// How long what is received by hand stays hidden, unless it is said: long enough to read it,
/// short enough that its consumer hardly misses it.
const VISIBILITY_TIMEOUT_S: u32 = 10;

pub(super) fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(send_message))
        .routes(routes!(receive_messages))
}

/// A text, or a value with its type.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "an attribute is a text, or an object with type and value"
)]
enum AttributeArgs {
    Text(String),
    Typed(TypedAttribute),
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TypedAttribute {
    /// `String`, `Number` or `Binary`, with a label after a dot if you like.
    #[schema(example = "Number")]
    r#type: String,
    /// A binary value is in base64.
    value: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SendArgs {
    body: String,
    #[serde(default, deserialize_with = "attributes_once")]
    attributes: BTreeMap<String, AttributeArgs>,
    /// Needed for a FIFO queue; on any other it makes for fair turns.
    #[serde(default)]
    #[schema(max_length = 128)]
    group_id: Option<String>,
    /// For a FIFO queue only.
    #[serde(default)]
    #[schema(max_length = 128)]
    deduplication_id: Option<String>,
    #[serde(default)]
    #[schema(maximum = 900)]
    delay_seconds: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SentView {
    id: String,
    /// Its place in the queue.
    seq: u64,
}

/// Each name once: which of two would be meant, nobody can know.
fn attributes_once<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, AttributeArgs>, D::Error> {
    struct Once;

    impl<'de> Visitor<'de> for Once {
        type Value = BTreeMap<String, AttributeArgs>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of attributes")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut attributes = BTreeMap::new();
            while let Some((name, attribute)) = map.next_entry::<String, _>()? {
                if attributes.contains_key(&name) {
                    return Err(A::Error::custom(format!("duplicate field `{name}`")));
                }
                attributes.insert(name, attribute);
            }
            Ok(attributes)
        }
    }

    deserializer.deserialize_map(Once)
}

fn attribute(name: &str, args: AttributeArgs) -> HttpResult<Attribute> {
    let typed = match args {
        AttributeArgs::Text(text) => return Ok(Attribute::string(text)),
        AttributeArgs::Typed(typed) => typed,
    };
    let is_binary = typed.r#type.split('.').next() == Some("Binary");
    let value = if is_binary {
        let bytes = BASE64_STANDARD.decode(&typed.value).map_err(|_| {
            let field = format!("attributes.{name}.value");
            HttpError::at(Code::InvalidField, field, "a binary value is in base64")
        })?;
        AttributeValue::Binary(bytes)
    } else {
        AttributeValue::Text(typed.value)
    };
    Ok(Attribute {
        data_type: typed.r#type,
        value,
    })
}

/// Sends a message by hand.
#[utoipa::path(
    post, path = "/ops/queues/{name}/messages", tag = "operations",
    params(("name" = String, Path)), request_body = SendArgs,
    responses(
        (status = 201, description = "It is stored; a duplicate on a FIFO queue is answered with the first one's id", body = SentView),
        (status = 404, description = "No such queue", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn send_message(
    State(app): State<App>,
    PathArgs(name): PathArgs<String>,
    JsonBody(args): JsonBody<SendArgs>,
) -> HttpResult<Response> {
    let attributes = args.attributes.into_iter();
    let attributes = attributes.map(|(name, args)| attribute(&name, args).map(|one| (name, one)));
    let send = Send {
        body: args.body,
        attributes: attributes.collect::<HttpResult<_>>()?,
        trace_header: None,
        sender: Some(app.config.aws.account.clone()),
        group: args.group_id,
        deduplication: args.deduplication_id,
        delay_s: args.delay_seconds,
    };
    let command = Command::SendMessage {
        queue: name.clone(),
        send: Box::new(send),
    };
    let Reply::Sent { message, .. } = app.engine.decide(command).await?.map_err(refused)? else {
        unreachable!("what is sent is answered with the message");
    };
    let location = format!("/ops/queues/{name}/messages/{}", message.seq);
    let sent = SentView {
        id: message.id,
        seq: message.seq,
    };
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(sent),
    )
        .into_response())
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReceiveArgs {
    /// 1 when it is left out.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10)]
    max: Option<usize>,
    /// How long they stay hidden from others; 10 when it is left out.
    #[serde(default)]
    #[schema(maximum = 43_200)]
    visibility_timeout_seconds: Option<u32>,
    /// Delete them at once.
    #[serde(default)]
    delete: Option<bool>,
}

/// A message as it was handed out.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReceivedView {
    #[serde(flatten)]
    message: MessageView,
    /// What `DeleteMessage` of SQS takes.
    receipt_handle: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct ReceivedList {
    messages: Vec<ReceivedView>,
    deleted: u64,
}

/// Receives messages by hand, as a consumer does.
#[utoipa::path(
    post, path = "/ops/queues/{name}/receive", tag = "operations",
    params(("name" = String, Path)), request_body = Option<ReceiveArgs>,
    responses(
        (status = 200, description = "What could be received", body = ReceivedList),
        (status = 404, description = "No such queue", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "Too many of its messages are in flight", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn receive_messages(
    State(app): State<App>,
    PathArgs(name): PathArgs<String>,
    MaybeJsonBody(args): MaybeJsonBody<Option<ReceiveArgs>>,
) -> HttpResult<Json<ReceivedList>> {
    let args = args.flatten().unwrap_or_default();
    let timeout_s = args.visibility_timeout_seconds;
    let command = Command::ReceiveMessages {
        queue: name.clone(),
        max: args.max.unwrap_or(1),
        visibility_timeout_s: Some(timeout_s.unwrap_or(VISIBILITY_TIMEOUT_S)),
        attempt: None,
        waits: false,
        room: Room::All,
    };
    let reply = app.engine.decide(command).await?.map_err(refused)?;
    let Reply::Messages { queue_id, messages } = reply else {
        unreachable!("a receive is answered with messages");
    };
    let now = app.engine.log_time();
    let handle = |message: &Message| ReceiptHandle {
        queue_id,
        seq: message.seq,
        receipt: message.receipt.unwrap_or(0),
    };
    let deleted = if args.delete == Some(true) && !messages.is_empty() {
        delete(&app, name, messages.iter().map(handle).collect()).await?
    } else {
        0
    };
    Ok(Json(ReceivedList {
        messages: messages
            .iter()
            .map(|message| ReceivedView {
                message: MessageView::whole(message, now),
                receipt_handle: handle(message).encode(),
            })
            .collect(),
        deleted,
    }))
}

async fn delete(app: &App, queue: String, handles: Vec<ReceiptHandle>) -> HttpResult<u64> {
    let command = Command::DeleteMessages { queue, handles };
    let Reply::Batch(answers) = app.engine.decide(command).await?.map_err(refused)? else {
        unreachable!("a batch is answered one by one");
    };
    // One whose time-out has passed already belongs to whoever has received it since.
    let gone = |answer: &Result<Reply, Refusal>| matches!(answer, Ok(Reply::Count(1)));
    Ok(answers.iter().filter(|answer| gone(answer)).count() as u64)
}

/// What the rules refuse, with the field as it is called here.
fn refused(refusal: Refusal) -> HttpError {
    let Refusal::Queue(refusal) = refusal else {
        return refusal.into();
    };
    let field = match refusal.field() {
        Some("MessageBody") => "body",
        Some("MessageAttributes") => "attributes",
        Some("MessageGroupId") => "groupId",
        Some("MessageDeduplicationId") => "deduplicationId",
        Some("DelaySeconds") => "delaySeconds",
        Some("MaxNumberOfMessages") => "max",
        Some("VisibilityTimeout") => "visibilityTimeoutSeconds",
        Some(_) | None => return refused_whole(&refusal),
    };
    let code = match refusal {
        messaging::Refusal::MissingParameter { .. } => Code::MissingField,
        _ => Code::InvalidField,
    };
    HttpError::at(code, field, refusal.to_string())
}

fn refused_whole(refusal: &messaging::Refusal) -> HttpError {
    let code = match refusal {
        messaging::Refusal::OverLimit => Code::TooMany,
        _ => Code::InvalidField,
    };
    HttpError::new(code, refusal.to_string())
}
