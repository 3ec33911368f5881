//! From the library's errors, which are texts, to values that a caller can act on.

use std::error::Error as _;
use std::io;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::response::Severity;

use super::reply::Redaction;
use crate::outcome::{Failure, FailureCause, Outcome, Refusal, RefusalCause};

/// Service closing: the server hangs up after it (RFC 5321, 3.8).
const CLOSING: u16 = 421;

/// Whether the server answered, and goes on listening.
pub(super) fn is_about_the_mail(error: &Error) -> bool {
    error
        .status()
        .is_some_and(|code| u16::from(code) != CLOSING)
}

/// What an error says about an e-mail that was being handed over.
pub(super) fn outcome(error: &Error, content_began: bool, redaction: &Redaction) -> Outcome {
    match error.status() {
        Some(code) => {
            let text = text(error, redaction);
            let reply_code = Some(u16::from(code));
            match code.severity {
                Severity::PermanentNegativeCompletion => Outcome::Refused(Refusal {
                    cause: RefusalCause::ServerSaidNo,
                    reply_code,
                    text,
                }),
                // Only negative replies are errors.
                Severity::TransientNegativeCompletion
                | Severity::PositiveCompletion
                | Severity::PositiveIntermediate => Outcome::Failed(Failure {
                    cause: FailureCause::ServerSaidLater,
                    reply_code,
                    text,
                    may_have_been_taken: false,
                    over_this_mail: true,
                }),
            }
        }
        None => Outcome::Failed(Failure {
            may_have_been_taken: content_began,
            over_this_mail: true,
            ..failure(error, FailureCause::Interrupted, redaction)
        }),
    }
}

/// What an error says about the connection. `otherwise` is what it is if nothing better is
/// known from the cause.
pub(super) fn failure(error: &Error, otherwise: FailureCause, redaction: &Redaction) -> Failure {
    Failure {
        cause: from_causes(error).unwrap_or(otherwise),
        reply_code: error.status().map(u16::from),
        text: text(error, redaction),
        may_have_been_taken: false,
        over_this_mail: false,
    }
}

/// A failure to look a name up or to connect, before there is anything to speak SMTP with.
pub(super) fn from_io(error: &io::Error) -> Option<FailureCause> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(FailureCause::ConnectionRefused),
        io::ErrorKind::TimedOut => Some(FailureCause::Timeout),
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable => Some(FailureCause::Unreachable),
        _ => None,
    }
}

fn from_causes(error: &Error) -> Option<FailureCause> {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<rustls::Error>() {
            return Some(FailureCause::Tls);
        }
        let io_error = cause.downcast_ref::<io::Error>();
        if let Some(found) = io_error.and_then(from_io) {
            return Some(found);
        }
        // `source()` of an `io::Error` skips the error that it wraps.
        source = match io_error.and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        };
    }
    None
}

/// The last cause, which is the one that says something: for a reply it is the reply's text.
fn text(error: &Error, redaction: &Redaction) -> String {
    let mut last = None;
    let mut source = error.source();
    while let Some(cause) = source {
        last = Some(cause.to_string());
        source = cause.source();
    }
    redaction.apply(&last.unwrap_or_else(|| error.to_string()))
}
