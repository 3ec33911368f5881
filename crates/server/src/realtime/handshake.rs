//! Whether who asks for a WebSocket can have one: the library that speaks Socket.IO looks at the key only.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use wire::Code;

use crate::http::error::HttpError;

/// The one version there is (RFC 6455, 4.1).
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// Answers 426 with the version that is spoken here (RFC 6455, 4.4; RFC 9110, 15.5.22).
pub(super) async fn check(request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let for_socket = query.split('&').any(|pair| pair == "transport=websocket");
    if !for_socket || is_upgrade(request.headers()) {
        return next.run(request).await;
    }
    let detail =
        "a WebSocket is asked for with `Upgrade: websocket` and `Sec-WebSocket-Version: 13`";
    let mut response = HttpError::new(Code::UpgradeRequired, detail).into_response();
    for (name, value) in [
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::SEC_WEBSOCKET_VERSION, VERSION),
    ] {
        response.headers_mut().insert(name, value);
    }
    response
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    let mut versions = headers.get_all(header::SEC_WEBSOCKET_VERSION).iter();
    versions.next() == Some(&VERSION)
        && versions.next().is_none()
        && has(headers, header::UPGRADE, "websocket")
        && has(headers, header::CONNECTION, "upgrade")
}

/// Whether it is in the list of one header.
fn has(headers: &HeaderMap, name: HeaderName, one: &str) -> bool {
    let values = headers.get_all(name).iter();
    let mut texts = values.filter_map(|value| value.to_str().ok());
    texts.any(|text| {
        text.split(',')
            .any(|part| part.trim().eq_ignore_ascii_case(one))
    })
}
