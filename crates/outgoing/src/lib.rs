//! The one way in which the server calls other people's servers.
//!
//! What always holds here:
//! - A call goes only to a host that the operator listed ([`AllowedHosts`]), and the
//!   addresses that a name resolves to are checked by the same resolver that connects,
//!   so a name that changes its answer between the check and the call gains nothing.
//! - A call ends within [`Timeouts`], its answer is at most [`BODY_BYTES_MAX`], a redirect
//!   is an answer like any other, and no proxy is taken from the environment.
//! - The query of a URL never appears in an error, in a `Debug` or in a log: one-time
//!   tokens live there.
//!
//! It deliberately does not know what is being said, nor when to say it again: whether a
//! retry may help is [`CallError::temporary`], when to retry is the caller's business.

mod client;
mod error;
mod hosts;
mod resolve;

#[cfg(test)]
mod tests;

pub use client::{BODY_BYTES_MAX, Client, Response, RetryAfter, Timeouts};
pub use error::{BuildError, CallError};
pub use hosts::{
    ALLOWED_HOSTS_MAX, AllowedHosts, InvalidHost, Target, URL_BYTES_MAX, without_query,
};
