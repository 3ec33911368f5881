//! All routes together, and what holds for each of them.
//!
//! Buyers' routes are open. Operators' routes ask for the operator token when one is set; it
//! must be set to listen on anything but loopback. Factories' routes carry their own token.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use utoipa::OpenApi as _;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;
use wire::{Code, Problem};

use crate::config::Secret;
use crate::http::error::HttpError;
use crate::http::{
    alerts, auctions, callbacks, consumers, customers, health, live, mails, ops, orders, pages,
    parcels, products, purchase, queries, queues, replenishments, timeline, webhooks,
};
use crate::shortcut::{self, Shortcut};
use crate::state::App;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Firstcome",
        description = "Sells what everyone wants at once: in strict order, durable before it is answered.",
        license(name = "MIT OR Apache-2.0")
    ),
    components(schemas(crate::http::views::ProblemView))
)]
struct Api;

fn public() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(products::public())
        .merge(orders::public())
        .merge(auctions::public())
        .merge(live::public())
        .merge(health::public())
        .merge(replenishments::factory())
        .merge(callbacks::factory())
        .merge(parcels::public())
}

fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(products::operator())
        .merge(auctions::operator())
        .merge(replenishments::operator())
        .merge(live::operator())
        .merge(ops::operator())
        .merge(queues::operator())
        .merge(customers::operator())
        .merge(purchase::operator())
        .merge(webhooks::operator())
        .merge(alerts::operator())
        .merge(mails::operator())
        .merge(parcels::operator())
        .merge(health::operator())
        .merge(consumers::operator())
        .merge(timeline::operator())
}

/// The router of the shop, with `more` beside it (the reference factory in a demo).
pub fn router(app: App, more: Option<OpenApiRouter<()>>) -> Router {
    let operator = operator();
    let token = app.config.auth.operator_token.clone();
    let (operator_routes, operator_api) = operator.split_for_parts();
    let (public_routes, public_api) = public().split_for_parts();
    let (operator_routes, public_routes) = (
        queries::checked(operator_routes, &operator_api),
        queries::checked(public_routes, &public_api),
    );
    let mut api = Api::openapi();
    let mut operator_api = operator_api;
    if app.config.auth.operator_token.is_some() {
        for_each_operation(&mut operator_api, |operation, _| {
            add_problem(operation, "401", "Credentials are missing or wrong");
        });
    }
    api.merge(public_api);
    api.merge(operator_api);
    for_each_operation(&mut api, common_answers);
    let mut routes = Router::new()
        .merge(public_routes)
        .merge(operator_routes.layer(middleware::from_fn_with_state(token.clone(), authorize)))
        .with_state(app);
    if let Some(more) = more {
        let (more_routes, more_api) = more.split_for_parts();
        routes = routes.merge(more_routes);
        api.merge(more_api);
    }
    let document = Json(api);
    let pages = pages::router().route_layer(middleware::from_fn_with_state(token, authorize_pages));
    routes
        .route("/openapi.json", get(async move || document.clone()))
        .merge(pages)
        .fallback(pages::not_found)
        .method_not_allowed_fallback(method_not_allowed)
}

/// The way to what sells, past all other routes.
pub(crate) fn shortcut(app: App) -> Shortcut {
    shortcut::to_handlers(app, |path| {
        orders::straight(path).or_else(|| auctions::straight(path))
    })
}

/// The document alone, as it is without an operator token and without the demo's factory.
pub fn openapi() -> OpenApi {
    let mut api = Api::openapi();
    api.merge(public().into_openapi());
    api.merge(operator().into_openapi());
    for_each_operation(&mut api, common_answers);
    api
}

fn for_each_operation(api: &mut OpenApi, change: impl Fn(&mut Operation, bool)) {
    for item in api.paths.paths.values_mut() {
        for operation in [
            &mut item.get,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
            &mut item.put,
        ]
        .into_iter()
        .flatten()
        {
            let takes_body = operation.request_body.is_some();
            change(operation, takes_body);
        }
    }
}

/// What every operation may answer besides its own.
fn common_answers(operation: &mut Operation, takes_body: bool) {
    add_problem(operation, "400", "Something that came in is malformed");
    add_problem(
        operation,
        "403",
        "A browser sent it for a page of another origin, or this server does not go by that name",
    );
    add_problem(
        operation,
        "503",
        "Over the bounds of this server; try again shortly",
    );
    if takes_body {
        add_problem(operation, "408", "The body did not arrive in time");
        add_problem(operation, "413", "The body is over 64 KiB");
        add_problem(operation, "415", "The body is not application/json");
        add_problem(operation, "422", "A field is wrong, missing or not known");
    }
}

fn add_problem(operation: &mut Operation, status: &str, description: &str) {
    let responses = &mut operation.responses.responses;
    if responses.contains_key(status) {
        return;
    }
    let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
    let response = ResponseBuilder::new()
        .description(description)
        .content(Problem::CONTENT_TYPE, Content::new(Some(schema)))
        .build();
    responses.insert(status.to_owned(), RefOr::T(response));
}

/// Lets a request pass that shows the operator token, and every one when none is set.
pub(super) async fn authorize(
    State(token): State<Option<Secret>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(token) = token else {
        return next.run(request).await;
    };
    let shown = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(token_of);
    let shown = shown.unwrap_or_default();
    let same = subtle::ConstantTimeEq::ct_eq(shown.as_bytes(), token.0.as_bytes());
    if bool::from(same) {
        next.run(request).await
    } else {
        HttpError::new(
            Code::Unauthorized,
            "show the operator token as a bearer token or as the password of HTTP Basic",
        )
        .into_response()
    }
}

/// Of the pages, only the operations page is for operators.
async fn authorize_pages(token: State<Option<Secret>>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/ops") {
        authorize(token, request, next).await
    } else {
        next.run(request).await
    }
}

/// `Bearer <token>`, or `Basic base64(<anything>:<token>)` (RFC 6750, RFC 7617).
fn token_of(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(rest.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(_, token)| token.to_owned())
}

pub(super) async fn not_found() -> HttpError {
    HttpError::new(Code::NotFound, "there is nothing at this path")
}

pub(super) async fn method_not_allowed(method: Method) -> HttpError {
    HttpError::new(
        Code::MethodNotAllowed,
        format!("this path does not take {method}"),
    )
}

/// What every page and file is served with.
pub fn security_headers(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    for (name, value) in [
        (
            "content-security-policy",
            "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_from_both_schemes() {
        for (value, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("Basic b3BlcmF0b3I6c2VjcmV0", Some("secret")),
            ("Basic !!!", None),
            ("Digest x", None),
            ("", None),
        ] {
            assert_eq!(token_of(value).as_deref(), expected, "{value}");
        }
    }
}
