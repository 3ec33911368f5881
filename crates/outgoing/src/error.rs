//! Why a call did not bring an answer, in terms that a caller can act on.
//!
//! No variant carries a URL or the text of a lower layer that might quote one.

use std::error::Error;
use std::io;

use crate::resolve::AddressNotAllowed;

/// A call without an answer. A status of any kind is an answer, not an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The host is not on the list, or its name is at an address that it may not have.
    #[error("calls to {host} are not allowed")]
    NotAllowed { host: String },
    #[error("the URL {reason}")]
    InvalidUrl { reason: &'static str },
    #[error("the header {name} is not valid")]
    InvalidHeader { name: String },
    /// The name has no address, or the name server did not answer.
    #[error("the name {host} could not be resolved")]
    Unresolved { host: String },
    /// Nothing listens there.
    #[error("connection refused by {host}")]
    Refused { host: String },
    /// No route to the host.
    #[error("{host} cannot be reached")]
    Unreachable { host: String },
    /// No connection or no complete answer in time. The call may have taken effect.
    #[error("{host} did not answer in time")]
    Timeout { host: String },
    /// The certificate or the handshake is not acceptable.
    #[error("no secure connection to {host}: {reason}")]
    Tls { host: String, reason: String },
    /// The connection broke, or what came back is not HTTP. The call may have taken effect.
    #[error("the connection to {host} was interrupted")]
    Interrupted { host: String },
}

impl CallError {
    /// Whether the same call may succeed soon without anybody changing a setting.
    pub fn temporary(&self) -> bool {
        match self {
            Self::NotAllowed { .. }
            | Self::InvalidUrl { .. }
            | Self::InvalidHeader { .. }
            | Self::Tls { .. } => false,
            Self::Unresolved { .. }
            | Self::Refused { .. }
            | Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Interrupted { .. } => true,
        }
    }

    /// A short stable name, for logs, metrics and stored reasons.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAllowed { .. } => "not_allowed",
            Self::InvalidUrl { .. } => "invalid_url",
            Self::InvalidHeader { .. } => "invalid_header",
            Self::Unresolved { .. } => "unresolved",
            Self::Refused { .. } => "connection_refused",
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::Tls { .. } => "tls",
            Self::Interrupted { .. } => "interrupted",
        }
    }

    pub(crate) fn from_reqwest(error: &reqwest::Error, host: String) -> Self {
        if error.is_timeout() {
            return Self::Timeout { host };
        }
        if error.is_builder() {
            return Self::InvalidUrl {
                reason: "cannot be sent",
            };
        }
        let mut source: Option<&(dyn Error + 'static)> = error.source();
        while let Some(cause) = source {
            if cause.is::<AddressNotAllowed>() {
                return Self::NotAllowed { host };
            }
            if let Some(found) = Self::from_cause(cause, &host) {
                return found;
            }
            source = inner(cause);
        }
        if error.is_dns() {
            return Self::Unresolved { host };
        }
        Self::Interrupted { host }
    }

    fn from_cause(cause: &(dyn Error + 'static), host: &str) -> Option<Self> {
        let host = host.to_owned();
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            let reason = error.to_string();
            return Some(Self::Tls { host, reason });
        }
        match cause.downcast_ref::<io::Error>()?.kind() {
            io::ErrorKind::ConnectionRefused => Some(Self::Refused { host }),
            io::ErrorKind::TimedOut => Some(Self::Timeout { host }),
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable => Some(Self::Unreachable { host }),
            _ => None,
        }
    }
}

/// One step down. `source()` of an `io::Error` skips the error that it wraps.
fn inner<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match cause
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(wrapped) => Some(wrapped),
        None => cause.source(),
    }
}

/// The client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the client for outgoing calls could not be set up")]
pub struct BuildError(#[source] pub(crate) reqwest::Error);
