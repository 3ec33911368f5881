//! The web pages, embedded: HTML, CSS and ES modules, no build step. Where there is nothing a
//! browser gets a page that says so; every other client gets the problem document.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use include_dir::{Dir, include_dir};
use wire::Code;

use crate::http::args::{AcceptsKorean, PathArgs};
use crate::http::error::HttpError;
use crate::http::router::{self, security_headers};

static WEB: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/web");

/// `dist/socket.io.min.js` of npm's socket.io-client 4.7.5, as it is; its licence stands beside it.
const SOCKET_IO_CLIENT: &str = "socket.io.min.js";

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
        // Where the pages of a Socket.IO server look for their client.
        .route(
            "/socket.io/socket.io.js",
            get(async |headers: HeaderMap| file(SOCKET_IO_CLIENT, &headers)),
        )
        .route(
            "/socket.io/socket.io.min.js",
            get(async |headers: HeaderMap| file(SOCKET_IO_CLIENT, &headers)),
        )
        .route(
            "/assets/{name}",
            get(async |PathArgs(name): PathArgs<String>, headers: HeaderMap| file(&name, &headers)),
        )
}

/// What is at no route: a page for those that read pages, the problem for all others.
pub(super) async fn not_found(
    method: Method,
    uri: Uri,
    AcceptsKorean(is_korean): AcceptsKorean,
    headers: HeaderMap,
) -> Response {
    let is_read = method == Method::GET || method == Method::HEAD;
    if !is_read || !accepts_html(&headers) {
        return router::not_found().await.into_response();
    }
    let mut response = if let Some(page) = page_before_slash(&uri) {
        Redirect::permanent(&page).into_response()
    } else {
        let name = if is_korean {
            "not-found.ko.html"
        } else {
            "not-found.en.html"
        };
        let page = WEB.get_file(name).expect("it is embedded");
        let kind = [(header::CONTENT_TYPE, content_type(name))];
        (StatusCode::NOT_FOUND, kind, page.contents()).into_response()
    };
    security_headers(&mut response);
    response.headers_mut().insert(
        header::VARY,
        HeaderValue::from_static("accept, accept-language"),
    );
    response
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.to_ascii_lowercase().contains("text/html"))
}

/// The page that is meant by its path and a slash. Of these paths only, so that no address can be
/// made up that leads elsewhere.
fn page_before_slash(uri: &Uri) -> Option<String> {
    let path = uri.path().strip_suffix('/')?;
    let is_page = match *path.split('/').collect::<Vec<_>>() {
        ["", "saleroom" | "ops" | "docs"] => true,
        ["", "shop" | "saleroom", name] => !name.is_empty(),
        _ => false,
    };
    let query = uri.query().map(|query| format!("?{query}"));
    is_page.then(|| format!("{path}{}", query.unwrap_or_default()))
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
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
