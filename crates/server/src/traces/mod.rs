//! Traces: from the request through the queue to the effect, for a collector that speaks OTLP
//! over HTTP. Off unless `[traces] endpoint` is set.
//!
//! ```text
//! POST /orders                    request    http, a middleware that is there only when it is on
//!   decide place_order            the engine, from admission to the durable answer
//!     send orders                 the engine's relay; the message carries `traceparent`
//!       process mileage           messages, where consumers are run
//!         count mileage           effects, where a consumer says what it does
//!         POST                    calls, with `traceparent` for the one who is called
//! ```
//! What always holds: nothing here waits for a collector, fails a request or changes a decision.
//! What is not sampled is not begun: [`engine::trace::current`] has nothing then, and everything
//! below asks that first. Spans hold no id that opens something (an order's, a token), no address
//! and no body; of a URL only the route, of a call only the host.
//!
//! One for the process, like logs and metrics.

mod attributes;
mod calls;
mod effects;
mod exporter;
mod messages;
mod request;
mod spans;
mod start;

pub use self::attributes::carried;
pub use self::calls::{mail, post_json};
pub use self::effects::effect;
pub use self::messages::{Item, System, carried_from, of_message, processing};
pub use self::request::{Begins, traced};
pub use self::spans::are_on;
pub use self::start::start;
