//! The web pages, embedded: HTML, CSS and ES modules, no build step.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use include_dir::{Dir, include_dir};
use wire::Code;

use crate::http::args::PathArgs;
use crate::http::error::HttpError;
use crate::http::router::security_headers;

static WEB: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/web");

pub(super) fn router() -> Router {
    Router::new()
        .route(
            "/",
            get(async |headers: HeaderMap| file("index.html", &headers)),
        )
        .route(
            "/shop/{sku}",
            get(async |headers: HeaderMap| file("product.html", &headers)),
        )
        .route(
            "/saleroom",
            get(async |headers: HeaderMap| file("saleroom.html", &headers)),
        )
        .route(
            "/saleroom/{id}",
            get(async |headers: HeaderMap| file("auction.html", &headers)),
        )
        .route(
            "/ops",
            get(async |headers: HeaderMap| file("ops.html", &headers)),
        )
        .route(
            "/docs",
            get(async |headers: HeaderMap| file("docs.html", &headers)),
        )
        .route(
            "/assets/{name}",
            get(async |PathArgs(name): PathArgs<String>, headers: HeaderMap| file(&name, &headers)),
        )
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

fn file(name: &str, headers: &HeaderMap) -> Response {
    let Some(file) = WEB.get_file(name) else {
        return HttpError::new(Code::NotFound, "there is no such file").into_response();
    };
    let hash = blake3::hash(file.contents()).to_hex();
    let tag = format!("\"{}\"", &hash[..16]);
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|value| value.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(file.contents()))
    };
    security_headers(&mut response);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(content_type(name)),
    );
    headers.insert(
        header::ETAG,
        HeaderValue::from_str(&tag).expect("hexadecimal in quotes"),
    );
    response
}
