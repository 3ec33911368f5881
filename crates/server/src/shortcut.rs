//! The way past the router, for what nearly every request is while something sells out.
//!
//! To look for a route and to pass what surrounds it costs a microsecond, a tenth of all that the
//! threads that speak HTTP do for an order. So orders, bids and messages go straight to the handlers
//! that their routes have as well. A shortcut takes only what the route would hand on as it is: the
//! plain path, without a query, and nothing at all while traces are on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::response::Response;
use futures_util::future::Either;

use crate::socket::Watched;
use crate::state::App;

/// A request on its way to its answer.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Takes a request, or gives it back for the routes.
pub(crate) type Shortcut =
    Arc<dyn Fn(Request<Watched>) -> Either<Answering, Request<Watched>> + Send + Sync>;

/// What a route does with a request.
pub(crate) type Straight = fn(Request, App) -> Answering;

/// The shortcut of the shop. `handler` knows the paths that are taken.
pub(crate) fn to_handlers(app: App, handler: fn(&str) -> Option<Straight>) -> Shortcut {
    Arc::new(move |request| {
        let uri = request.uri();
        let is_plain = request.method() == Method::POST && uri.query().is_none();
        match is_plain.then(|| handler(uri.path())).flatten() {
            Some(handler) => Either::Left(handler(request.map(Body::new), app.clone())),
            None => Either::Right(request),
        }
    })
}

/// One handler, as its route calls it.
pub(crate) fn straight<T: 'static>(
    handler: impl Handler<T, App>,
    request: Request,
    app: App,
) -> Answering {
    Box::pin(handler.call(request, app))
}
