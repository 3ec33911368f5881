//! What became of an e-mail that was handed over.

use std::fmt;

use crate::message::InvalidMessage;

/// The end of one attempt. No variant carries an address or a password, so all of them may be
/// logged and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Whoever comes next has it for good. What the server said, with the id under which it
    /// knows the e-mail, if it has one.
    Delivered { reply: String },
    /// The same e-mail may be taken later without anybody changing it.
    Failed(Failure),
    /// The same e-mail will not be taken.
    Refused(Refusal),
}

/// Why an e-mail was not taken this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub cause: FailureCause,
    /// The reply's code, where there was a reply (RFC 5321, 4.2).
    pub reply_code: Option<u16>,
    pub text: String,
    /// The whole e-mail may have been taken before it went wrong: a repeat can be a second one
    /// in the box, with the same `Message-ID`.
    pub may_have_been_taken: bool,
    /// The server had let us in, and it went wrong over this e-mail: others may fare better.
    pub over_this_mail: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureCause {
    /// The server said to come back later (4yz), or does not want to talk now.
    ServerSaidLater,
    /// The name has no address.
    Unresolved,
    ConnectionRefused,
    Unreachable,
    Timeout,
    /// No secure connection: the certificate, the handshake, or no STARTTLS. Somebody has to
    /// repair it, but not in the e-mail.
    Tls,
    /// User and password were not accepted. The same.
    Authentication,
    /// The connection broke, or what came is not SMTP.
    Interrupted,
    /// All connections are in use.
    Busy,
    /// The mailbox holds as many e-mails as it may.
    Full,
    /// The disk.
    Storage,
}

/// Why an e-mail will not be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub cause: RefusalCause,
    /// The reply's code, where there was a reply.
    pub reply_code: Option<u16>,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalCause {
    /// The server said no (5yz): to the sender, the recipient or the content.
    ServerSaidNo,
    /// A field of the message is not valid.
    Invalid,
}

impl Outcome {
    pub fn is_delivered(&self) -> bool {
        match self {
            Self::Delivered { .. } => true,
            Self::Failed(_) | Self::Refused(_) => false,
        }
    }

    /// A short stable name, for logs, metrics and stored reasons.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Delivered { .. } => "delivered",
            Self::Failed(failure) => failure.cause.code(),
            Self::Refused(refusal) => refusal.cause.code(),
        }
    }
}

impl FailureCause {
    pub fn code(self) -> &'static str {
        match self {
            Self::ServerSaidLater => "server_said_later",
            Self::Unresolved => "unresolved",
            Self::ConnectionRefused => "connection_refused",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Authentication => "authentication",
            Self::Interrupted => "interrupted",
            Self::Busy => "busy",
            Self::Full => "full",
            Self::Storage => "storage",
        }
    }
}

impl RefusalCause {
    pub fn code(self) -> &'static str {
        match self {
            Self::ServerSaidNo => "server_said_no",
            Self::Invalid => "invalid",
        }
    }
}

impl Failure {
    /// One before anything of the e-mail was sent, without a reply.
    pub fn new(cause: FailureCause, text: impl Into<String>) -> Self {
        Self {
            cause,
            reply_code: None,
            text: text.into(),
            may_have_been_taken: false,
            over_this_mail: false,
        }
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<InvalidMessage> for Outcome {
    fn from(invalid: InvalidMessage) -> Self {
        Self::Refused(Refusal {
            cause: RefusalCause::Invalid,
            reply_code: None,
            text: invalid.to_string(),
        })
    }
}

/// The code, and what there is to say: `server_said_no: 550 no such user`.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reply_code, text) = match self {
            Self::Delivered { reply } => (None, reply),
            Self::Failed(failure) => (failure.reply_code, &failure.text),
            Self::Refused(refusal) => (refusal.reply_code, &refusal.text),
        };
        f.write_str(self.code())?;
        match (reply_code, text.as_str()) {
            (None, "") => Ok(()),
            (None, text) => write!(f, ": {text}"),
            (Some(code), "") => write!(f, ": {code}"),
            (Some(code), text) => write!(f, ": {code} {text}"),
        }
    }
}
