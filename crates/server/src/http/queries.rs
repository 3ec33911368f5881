//! Routes that take no parameters: one that is given is refused as an unknown one is elsewhere.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, RefOr};
use wire::Code;

use crate::http::error::HttpError;

/// Method and path of each.
type Bare = Arc<HashSet<(&'static str, String)>>;

/// The routes, of which the description says what they take.
pub(super) fn checked<S: Clone + Send + Sync + 'static>(
    routes: Router<S>,
    api: &OpenApi,
) -> Router<S> {
    let mut bare = HashSet::new();
    for (path, item) in &api.paths.paths {
        for (method, operation) in [
            ("GET", &item.get),
            ("POST", &item.post),
            ("PATCH", &item.patch),
            ("DELETE", &item.delete),
            ("PUT", &item.put),
        ] {
            if operation.as_ref().is_some_and(takes_none) {
                bare.insert((method, path.clone()));
            }
        }
    }
    routes.layer(middleware::from_fn_with_state(Arc::new(bare), check))
}

fn takes_none(operation: &Operation) -> bool {
    let mut parameters = operation.parameters.iter().flatten();
    !parameters.any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Query,
        // It may be one.
        RefOr::Ref(_) => true,
    })
}

async fn check(
    State(bare): State<Bare>,
    path: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let Some(given) = query.split('&').find(|pair| !pair.is_empty()) else {
        return next.run(request).await;
    };
    let method = match request.method().as_str() {
        "HEAD" | "GET" => "GET",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "PUT" => "PUT",
        _ => return next.run(request).await,
    };
    if !bare.contains(&(method, path.as_str().to_owned())) {
        return next.run(request).await;
    }
    let name = given.split('=').next().unwrap_or_default();
    HttpError::at(
        Code::InvalidParameter,
        name,
        "this route takes no parameters",
    )
    .into_response()
}
