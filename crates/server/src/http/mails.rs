//! E-mails, as operations see them: to whom, why, what became of it, and what it says.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use effects::DatabaseError;
use effects::mails::{self, Mail};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use crate::adapters::rfc3339;
use crate::config::MailTransport;
use crate::http::args::{PathArgs, QueryArgs, cursor, limit};
use crate::http::error::{HttpError, HttpResult};
use crate::http::views::ProblemView;
use crate::state::App;

pub fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_mails))
        .routes(routes!(get_mail))
        .routes(routes!(get_mail_html))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MailPage {
    /// Rows, 1 to 100; 50 when it is left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    before: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct MailList {
    mails: Vec<MailView>,
    /// Who takes them: `mailbox`, `smtp` or `off`.
    transport: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MailView {
    id: String,
    /// `alert`, `ads.pause`, `ads.resume`, `order.accepted`, `order.sold_out`, `order.cancelled`,
    /// `auction.won`, `auction.offered`.
    kind: String,
    to: String,
    subject: String,
    language: String,
    /// `pending`, `sent`, `failed`, or `withdrawn`: for nothing before anybody had it.
    status: &'static str,
    attempts: u32,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<String>,
    /// What the last attempt was answered, unless it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// The sequence in the id of the order that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_seq: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct MailDetail {
    #[serde(flatten)]
    mail: MailView,
    text: String,
    html: String,
}

impl MailView {
    fn new(mail: &Mail) -> Self {
        Self {
            id: mail.new.id.clone(),
            kind: mail.new.kind.clone(),
            to: mail.new.recipient.clone(),
            subject: mail.new.subject.clone(),
            language: mail.new.lang.clone(),
            status: mail.status.as_str(),
            attempts: mail.attempts,
            created_at: rfc3339(mail.new.created_at),
            sent_at: mail.sent_at.map(rfc3339),
            last_error: mail.last_error.clone(),
            order_seq: mail.new.order_seq,
        }
    }
}

/// What the consumers keep cannot be read now. Which file it was is in the log.
fn away(error: &DatabaseError) -> HttpError {
    tracing::warn!(%error, "e-mails cannot be read");
    HttpError::new(Code::Overloaded, "the e-mails cannot be read now")
}

/// E-mails, newest first.
#[utoipa::path(
    get, path = "/ops/mails", tag = "operations", params(MailPage),
    responses((status = 200, description = "A page", body = MailList))
)]
async fn list_mails(
    State(app): State<App>,
    QueryArgs(page): QueryArgs<MailPage>,
) -> HttpResult<Json<MailList>> {
    let limit = limit(page.limit)?;
    let before = cursor("before", page.before)?;
    let read = app
        .effects
        .0
        .read(move |transaction| mails::page(transaction, before, limit));
    let listed = read.await.map_err(|error| away(&error))?;
    let last = listed.mails.last().filter(|_| listed.more);
    Ok(Json(MailList {
        next: last.map(|last| last.no),
        mails: listed.mails.iter().map(MailView::new).collect(),
        transport: match app.config.mail.transport {
            MailTransport::Mailbox => "mailbox",
            MailTransport::Smtp => "smtp",
            MailTransport::Off => "off",
        },
    }))
}

async fn find(app: &App, id: String) -> HttpResult<Mail> {
    let read = app
        .effects
        .0
        .read(move |transaction| mails::get(transaction, &id));
    let found = read.await.map_err(|error| away(&error))?;
    found.ok_or_else(|| HttpError::new(Code::MailNotFound, "no e-mail has this id"))
}

/// One e-mail, with what it says.
#[utoipa::path(
    get, path = "/ops/mails/{id}", tag = "operations", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The e-mail", body = MailDetail),
        (status = 404, description = "No such e-mail", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_mail(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
) -> HttpResult<Json<MailDetail>> {
    let mail = find(&app, id).await?;
    Ok(Json(MailDetail {
        mail: MailView::new(&mail),
        text: mail.new.text,
        html: mail.new.html,
    }))
}

/// One e-mail as a mail program shows it: a page that runs nothing and asks nobody.
#[utoipa::path(
    get, path = "/ops/mails/{id}/html", tag = "operations", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The e-mail's page", body = String, content_type = "text/html"),
        (status = 404, description = "No such e-mail", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_mail_html(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
) -> HttpResult<Response> {
    let mail = find(&app, id).await?;
    let mut response = Body::from(mail.new.html).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}
