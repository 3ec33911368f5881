//! Queues, as operations see and handle them: how deep, how old, what passes through, what lies
//! in them, and by hand what consumers and producers do.
//!
//! - `list`: all of them, and one with its settings
//! - `look`: at messages; `messages`: sent and received
//! - `moves`: dead letters go back, a queue is emptied
//! - `views`, `message_view`: what operators read; `metrics`, `topic_metrics`: what Prometheus does
//!
//! Deliberately not here: making, changing and deleting queues. That is what the settings file
//! and any AWS SDK do.

mod list;
mod look;
mod message_view;
mod messages;
pub(in crate::http) mod metrics;
mod moves;
pub(in crate::http) mod topic_metrics;
mod views;

use utoipa_axum::router::OpenApiRouter;

use crate::http::error::HttpError;
use crate::state::App;

pub(in crate::http) use views::Sources;

pub fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(list::operator())
        .merge(look::operator())
        .merge(messages::operator())
        .merge(moves::operator())
}

fn no_such_queue() -> HttpError {
    HttpError::new(wire::Code::QueueNotFound, "no queue has this name")
}
