//! Live answers: committed events to whoever watches, in order, without waiting for anyone.
//!
//! [`Hub`] tails the log once and hands every listener what concerns it, through a bounded
//! buffer; a listener that is full is dropped and resumes from the last sequence it saw.
//! Streams of every event come behind those who buy ([`bulk`]); who only looks at a line hears the
//! newest of it ([`latest`]), of an auction how it stands ([`standing`]). [`watch`] turns a subject into
//! a stream of live events for both transports.

mod bulk;
mod email_send;
mod handshake;
mod hub;
mod latest;
mod leaving;
mod missed;
mod render;
mod rooms;
pub mod socketio;
pub mod sse;
mod standing;
mod turns;
mod watch;

pub use hub::{Hub, Listener, Subject};
pub use render::{LiveEvent, Rendered};
pub use watch::{BACKLOG_MAX, Watch, WatchError};
