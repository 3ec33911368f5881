//! Errors as RFC 9457 problem details.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::thread::StoreError;

/// What a 503 asks the caller to wait, in seconds.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("2");

/// The stable names of what can go wrong here, each with its status and title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FactoryErrorCode)]
pub(crate) enum Code {
    InvalidJson,
    UnknownField,
    MissingField,
    InvalidField,
    CallbackNotAllowed,
    CallbackReused,
    BodyTooLarge,
    UnsupportedMediaType,
    JobNotFound,
    Overloaded,
    StoreUnavailable,
}

impl Code {
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::InvalidJson => (
                StatusCode::BAD_REQUEST,
                "invalid_json",
                "The body is not a JSON object",
            ),
            Self::UnknownField => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "unknown_field",
                "Unknown field",
            ),
            Self::MissingField => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "missing_field",
                "Missing field",
            ),
            Self::InvalidField => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_field",
                "Invalid field",
            ),
            Self::CallbackNotAllowed => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "callback_not_allowed",
                "Callbacks to this host are not allowed",
            ),
            Self::CallbackReused => (
                StatusCode::CONFLICT,
                "callback_reused",
                "The callback URL belongs to another job",
            ),
            Self::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "The body is too large",
            ),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "The content type is not JSON",
            ),
            Self::JobNotFound => (StatusCode::NOT_FOUND, "job_not_found", "No such job"),
            Self::Overloaded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "Too much to do",
            ),
            Self::StoreUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "store_unavailable",
                "Nothing can be stored",
            ),
        }
    }
}

/// One error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) detail: String,
    pub(crate) field: Option<String>,
}

/// An error, as RFC 9457 has it.
#[derive(Serialize, ToSchema)]
#[schema(as = FactoryProblem)]
pub(crate) struct ProblemBody {
    #[schema(format = "uri")]
    r#type: String,
    title: &'static str,
    status: u16,
    code: Code,
    detail: String,
    /// The field at fault, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<String>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            field: None,
        }
    }

    pub(crate) fn field(code: Code, field: &str, detail: impl Into<String>) -> Self {
        Self {
            // A name that came from outside is repeated, but not at any length.
            field: Some(field.chars().take(64).collect()),
            ..Self::new(code, detail)
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::new(
                Code::Overloaded,
                "too many requests are waiting for the disk",
            ),
            StoreError::Stopped => Self::new(Code::StoreUnavailable, "the factory is stopping"),
            StoreError::RolledBack | StoreError::Failed(_) => {
                tracing::error!(%error, "the factory's database failed");
                Self::new(
                    Code::StoreUnavailable,
                    "the request was not stored; it may be sent again",
                )
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, name, title) = self.code.parts();
        let body = ProblemBody {
            r#type: format!("https://firstcome.dev/errors/{name}"),
            title,
            status: status.as_u16(),
            code: self.code,
            detail: self.detail,
            field: self.field,
        };
        let body = serde_json::to_vec(&body).expect("strings and numbers are always JSON");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, RETRY_AFTER_S);
        }
        response
    }
}
