//! Purchases made elsewhere, in the hand-made system's form: to both queues or to neither.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use commerce::PRICE_MAX;
use engine::ports::Envelopes as _;
use engine::{Command, Publish, Refusal, Reply};
use messaging::topic::Publication;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use crate::aws::context::uuid;
use crate::aws::sns::LogEnvelopes;
use crate::http::args::JsonBody;
use crate::http::error::{HttpError, HttpResult};
use crate::state::App;
use crate::traces;
use crate::workers::purchases::{
    ID_CHARACTERS_MAX, MILEAGE_QUEUE, PurchaseMessage, TOPIC_PURCHASES, TRACKING_QUEUE,
    check_tracking_id,
};

/// Whoever may say that something was bought gives points: not for everybody.
pub fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(purchase))
        .routes(routes!(purchase_by_get))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PurchaseArgs {
    #[schema(schema_with = id_schema)]
    id: Value,
    /// Letters of either case are the same customer.
    #[schema(min_length = 1, max_length = 254, example = "ada@example.com")]
    username: String,
    #[schema(schema_with = amount_schema)]
    price: Value,
    #[serde(default)]
    #[schema(schema_with = maybe_amount_schema, required = false)]
    mileage_accumulated: Option<Value>,
    #[schema(schema_with = tracking_schema)]
    tracking_id: Value,
}

fn id_text() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(ID_CHARACTERS_MAX))
}

fn id_schema() -> Schema {
    id_of(id_text())
}

fn tracking_schema() -> Schema {
    id_of(id_text().pattern(Some("^[!-~]+$")))
}

fn id_of(text: ObjectBuilder) -> Schema {
    OneOfBuilder::new()
        .item(text)
        .item(ObjectBuilder::new().schema_type(Type::Integer))
        .description(Some(
            "A text or a whole number; a number and the text of its digits are the same",
        ))
        .examples(["p-1"])
        .build()
        .into()
}

fn amount() -> OneOfBuilder {
    let number = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(PRICE_MAX));
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[0-9]+$"));
    OneOfBuilder::new().item(number).item(text)
}

fn amount_schema() -> Schema {
    amount()
        .description(Some("Minor units; the text of a number is taken too"))
        .examples([19_900])
        .build()
        .into()
}

fn maybe_amount_schema() -> Schema {
    amount()
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .description(Some("Passed on as it is"))
        .build()
        .into()
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PurchaseView {
    #[schema(example = "The purchase is in both queues.")]
    message: &'static str,
    /// As it was given.
    #[schema(schema_with = id_schema)]
    id: Value,
    /// Of this publication: a repeat has another one.
    message_id: String,
    #[schema(example = json!(["mileage", "product-tracking"]))]
    queues: [&'static str; 2],
}

/// System C's purchase: one message in both queues, durable before the answer. A repeat is sent
/// again, and its id counts once.
#[utoipa::path(
    post, path = "/purchase", tag = "customers", request_body = PurchaseArgs,
    responses((status = 202, description = "In both queues", body = PurchaseView))
)]
async fn purchase(
    State(app): State<App>,
    JsonBody(args): JsonBody<PurchaseArgs>,
) -> HttpResult<(StatusCode, Json<PurchaseView>)> {
    publish(&app, args).await
}

/// The same as system C's client sends it: a GET with a body.
#[utoipa::path(
    get, path = "/purchase", tag = "customers", request_body = PurchaseArgs,
    responses((status = 202, description = "In both queues", body = PurchaseView))
)]
async fn purchase_by_get(
    State(app): State<App>,
    JsonBody(args): JsonBody<PurchaseArgs>,
) -> HttpResult<(StatusCode, Json<PurchaseView>)> {
    publish(&app, args).await
}

async fn publish(app: &App, args: PurchaseArgs) -> HttpResult<(StatusCode, Json<PurchaseView>)> {
    let message = PurchaseMessage {
        id: args.id,
        username: args.username,
        price: args.price,
        mileage_accumulated: args.mileage_accumulated,
        tracking_id: args.tracking_id,
    };
    let purchase = message
        .check()
        .map_err(|(field, what)| HttpError::at(Code::InvalidField, field, what))?;
    check_tracking_id(&purchase.tracking_id)
        .map_err(|what| HttpError::at(Code::InvalidField, "trackingId", what))?;
    let publication = Publication {
        message: text_of(&message),
        ..Publication::default()
    };
    let message_id = send(app, publication).await?;
    let view = PurchaseView {
        message: "The purchase is in both queues.",
        id: message.id,
        message_id,
        queues: [MILEAGE_QUEUE, TRACKING_QUEUE],
    };
    Ok((StatusCode::ACCEPTED, Json(view)))
}

/// Two characters that JSON may hold as they are and a message may not are escaped.
fn text_of(message: &PurchaseMessage) -> String {
    let text = serde_json::to_string(message).expect("texts and numbers have a JSON form");
    text.replace('\u{fffe}', "\\ufffe")
        .replace('\u{ffff}', "\\uffff")
}

/// One command, one commit: a copy for every queue that hears the topic.
async fn send(app: &App, mut publication: Publication) -> HttpResult<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the system has no random bits to give");
        HttpError::new(Code::Overloaded, "nothing was stored")
    })?;
    publication.attributes.extend(traces::carried());
    let mut publish = Publish {
        id: uuid(bytes),
        publication,
        envelopes: Vec::new(),
    };
    let sent = match publish_once(app, publish.clone()).await? {
        // Somebody subscribed who wants the message wrapped.
        Err(Refusal::EnvelopeMissing) => {
            let (now, envelopes) = (app.engine.now(), LogEnvelopes::new(app.clone()));
            let wrapped = tokio::task::spawn_blocking(move || {
                let Publish {
                    id, publication, ..
                } = &publish;
                publish.envelopes = envelopes.wrap(TOPIC_PURCHASES, id, now, publication);
                publish
            });
            let wrapped = wrapped
                .await
                .map_err(|_| HttpError::new(Code::Overloaded, "nothing was stored"))?;
            publish_once(app, wrapped).await?
        }
        sent => sent,
    };
    match sent? {
        Reply::Published { id, .. } => Ok(id),
        _ => unreachable!("a publication is answered with its id"),
    }
}

async fn publish_once(app: &App, publish: Publish) -> HttpResult<Result<Reply, Refusal>> {
    let command = Command::Publish {
        topic: TOPIC_PURCHASES.to_owned(),
        publishes: vec![publish],
    };
    match app.engine.decide(command).await?? {
        Reply::Batch(mut answers) => Ok(answers.pop().expect("one answer for one publication")),
        _ => unreachable!("publications are answered one by one"),
    }
}
