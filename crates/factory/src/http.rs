//! The routes: bytes to an order, an answer or a problem to bytes. It knows nothing of how
//! a job is stored or produced.

use axum::Json;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use outgoing::CallError;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::clock::text;
use crate::form::{self, CALLBACK, ManufactureRequest};
use crate::job::{Goods, Job, JobId, Status};
use crate::problem::{Code, Problem, ProblemBody};
use crate::producer::Factory;
use crate::store::Accepted;

/// The largest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// The most jobs in one answer.
pub const PAGE_MAX: u32 = 100;
const PAGE_DEFAULT: u32 = 50;

pub(crate) fn router(factory: Factory) -> OpenApiRouter<()> {
    OpenApiRouter::new()
        .routes(routes!(request_manufacture, list_manufactures))
        .routes(routes!(get_manufacture))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(factory)
}

/// The answer to a request that was taken.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ManufactureAccepted {
    message: &'static str,
    /// The job's id.
    job: String,
    /// When the goods will be there and the callback will be posted.
    #[schema(format = DateTime)]
    due_at: String,
}

/// A job, as it can be looked at.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manufacture {
    job: String,
    status: Status,
    #[serde(flatten)]
    goods: Goods,
    /// The callback URL without its query, which is a secret between two others.
    callback: String,
    #[schema(format = DateTime)]
    accepted_at: String,
    #[schema(format = DateTime)]
    due_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    produced_at: Option<String>,
    /// When it was delivered or abandoned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    finished_at: Option<String>,
    /// How often the callback has been tried.
    attempts: u32,
    /// When it will be tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    next_attempt_at: Option<String>,
    /// The status that the last callback was answered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_status: Option<u16>,
    /// Why the last callback was not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_error: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Manufactures {
    jobs: Vec<Manufacture>,
    /// For `before`, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// Orders goods to be made.
///
/// The request is stored before it is answered. When the lead time is over, the callback
/// URL is posted to, with the request's fields but `CallbackUrl`, until it answers with a
/// 2xx. The same callback URL again is the same job.
#[utoipa::path(
    post,
    path = "/api/manufactures",
    tag = "factory",
    request_body(content = ManufactureRequest, content_type = "application/json"),
    responses(
        (status = 202, description = "Accepted, now or before", body = ManufactureAccepted),
        (status = 400, description = "`invalid_json`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`callback_reused`: the callback URL belongs to a job with another body", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`unknown_field`, `missing_field`, `invalid_field` or `callback_not_allowed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded` or `store_unavailable`: come back", body = ProblemBody, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
    )
)]
async fn request_manufacture(
    State(factory): State<Factory>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<ManufactureAccepted>), Problem> {
    require_json(&headers)?;
    let body = body.map_err(body_problem)?;
    let order = form::parse(&body)?;
    factory
        .check_callback(&order.callback)
        .map_err(callback_problem)?;
    match factory.accept(order).await? {
        Accepted::New(job) | Accepted::Same(job) => Ok((
            StatusCode::ACCEPTED,
            Json(ManufactureAccepted {
                message: "the manufacture is accepted",
                job: job.id.to_string(),
                due_at: text(job.due_at),
            }),
        )),
        Accepted::Reused => Err(Problem::field(
            Code::CallbackReused,
            CALLBACK,
            "a job with another body has this callback URL",
        )),
        Accepted::Full => Err(Problem::new(
            Code::Overloaded,
            "the factory has as many open jobs as it takes",
        )),
    }
}

/// The jobs, newest first.
#[utoipa::path(
    get,
    path = "/api/manufactures",
    tag = "factory",
    params(
        ("limit" = Option<u32>, Query, description = "How many, 50 unless told", minimum = 1, maximum = 100, nullable = false),
        ("before" = Option<String>, Query, description = "Only jobs older than this one: the `next` of the page before", pattern = "^job_[0-9]{16}$", nullable = false),
    ),
    responses(
        (status = 200, description = "The jobs, newest first", body = Manufactures),
        (status = 422, description = "`invalid_field` or `unknown_field`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded` or `store_unavailable`", body = ProblemBody, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
    )
)]
async fn list_manufactures(
    State(factory): State<Factory>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<Manufactures>, Problem> {
    let (limit, before) = page(query)?;
    // One more than asked for tells whether there is more.
    let mut jobs = factory.store().newest(limit + 1, before).await?;
    let page = usize::try_from(limit).expect("a page fits in memory");
    let more = jobs.len() > page;
    jobs.truncate(page);
    Ok(Json(Manufactures {
        next: jobs.last().filter(|_| more).map(|job| job.id.to_string()),
        jobs: jobs.into_iter().map(Manufacture::from).collect(),
    }))
}

/// One job.
#[utoipa::path(
    get,
    path = "/api/manufactures/{job}",
    tag = "factory",
    params(("job" = String, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job", body = Manufacture),
        (status = 404, description = "`job_not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded` or `store_unavailable`", body = ProblemBody, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
    )
)]
async fn get_manufacture(
    State(factory): State<Factory>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Manufacture>, Problem> {
    let not_found = || Problem::new(Code::JobNotFound, "there is no job with this id");
    let id = id
        .ok()
        .and_then(|Path(id)| JobId::parse(&id))
        .ok_or_else(not_found)?;
    let job = factory.store().job(id).await?.ok_or_else(not_found)?;
    Ok(Json(job.into()))
}

impl From<Job> for Manufacture {
    fn from(job: Job) -> Self {
        let next_attempt_at = match job.status {
            Status::Produced => job.next_at,
            Status::Accepted | Status::Delivered | Status::Abandoned => None,
        };
        Self {
            job: job.id.to_string(),
            status: job.status,
            goods: job.order.goods,
            callback: outgoing::without_query(&job.order.callback).to_owned(),
            accepted_at: text(job.accepted_at),
            due_at: text(job.due_at),
            produced_at: job.produced_at.map(text),
            finished_at: job.finished_at.map(text),
            attempts: job.attempts,
            next_attempt_at: next_attempt_at.map(text),
            last_status: job.last_status,
            last_error: job.last_error,
        }
    }
}

/// `application/json`, with parameters or not, and what ends in `+json`.
fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = |detail| Err(Problem::new(Code::UnsupportedMediaType, detail));
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let json = essence.eq_ignore_ascii_case("application/json")
        || essence
            .to_ascii_lowercase()
            .strip_prefix("application/")
            .is_some_and(|kind| kind.ends_with("+json"));
    if !json {
        return refuse("the content type must be application/json");
    }
    let plain = headers
        .get(CONTENT_ENCODING)
        .is_none_or(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if !plain {
        return refuse("the body must not be compressed");
    }
    Ok(())
}

fn body_problem(rejection: BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(
            Code::BodyTooLarge,
            format!("a body may have {BODY_BYTES_MAX} bytes"),
        )
    } else {
        Problem::new(Code::InvalidJson, "the body did not arrive whole")
    }
}

fn callback_problem(error: CallError) -> Problem {
    match error {
        CallError::InvalidUrl { reason } => {
            Problem::field(Code::InvalidField, CALLBACK, format!("the URL {reason}"))
        }
        error @ CallError::NotAllowed { .. } => {
            Problem::field(Code::CallbackNotAllowed, CALLBACK, error.to_string())
        }
        error @ (CallError::InvalidHeader { .. }
        | CallError::Unresolved { .. }
        | CallError::Refused { .. }
        | CallError::Unreachable { .. }
        | CallError::Timeout { .. }
        | CallError::Tls { .. }
        | CallError::Interrupted { .. }) => {
            unreachable!("a check makes no call, so it cannot end with: {error}")
        }
    }
}

fn page(
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<(u32, Option<JobId>), Problem> {
    let Query(pairs) = query
        .map_err(|_| Problem::new(Code::InvalidField, "the query is not made of name=value"))?;
    let invalid = |name: &str, detail: &str| Err(Problem::field(Code::InvalidField, name, detail));
    let (mut limit, mut before) = (None, None);
    for (name, value) in pairs {
        match name.as_str() {
            "limit" if limit.is_some() => return invalid("limit", "is given twice"),
            "before" if before.is_some() => return invalid("before", "is given twice"),
            "limit" => match value.parse::<u32>() {
                Ok(number) if (1..=PAGE_MAX).contains(&number) => limit = Some(number),
                Ok(_) | Err(_) => return invalid("limit", "must be a number from 1 to 100"),
            },
            "before" => match JobId::parse(&value) {
                Some(id) => before = Some(id),
                None => return invalid("before", "must be a job's id"),
            },
            other => {
                return Err(Problem::field(
                    Code::UnknownField,
                    other,
                    "the query parameter is not known",
                ));
            }
        }
    }
    Ok((limit.unwrap_or(PAGE_DEFAULT), before))
}
