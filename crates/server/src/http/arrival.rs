//! What a request must have before anything of it is looked at.

use axum::extract::Request;
use axum::http::{Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use wire::Code;

use crate::http::error::HttpError;

/// HTTP/1.1 has one `Host`, also where the target names a host itself (RFC 9112, 3.2).
pub(super) async fn require_host(request: Request, next: Next) -> Response {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    let wrong = match hosts {
        1 => None,
        0 if request.version() < Version::HTTP_11 => None,
        0 => Some("it is missing"),
        _ => Some("it is given twice"),
    };
    match wrong {
        None => next.run(request).await,
        Some(why) => HttpError::at(Code::InvalidHeader, "Host", why).into_response(),
    }
}
