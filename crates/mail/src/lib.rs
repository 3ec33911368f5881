//! E-mails: composed, and handed to whoever takes them from here.
//!
//! [`Message::compose`] checks a message against its bounds and writes it in the form of RFC
//! 5322 and MIME. A [`Transport`] takes it: [`Smtp`] hands it to a server, [`Mailbox`] keeps it
//! in a directory, [`Capture`] in memory, for tests. [`texts`] are the e-mails that the shop
//! sends, in English and Korean.
//!
//! What always holds: an e-mail's id is its idempotency key, so the same message has the same
//! bytes and a repeat can be recognised; a control character in a header is refused with the
//! field's name; every attempt ends in bounded time, and how is a value, [`Outcome`]; no address
//! and no password is in a `Debug`, an error or an outcome ([`hashed`] is what a log shows).
//!
//! It deliberately does not know when to try again, what was sent before, nor the clock.

mod address;
mod capture;
mod compose;
mod mailbox;
mod message;
mod outcome;
mod smtp;
pub mod texts;
mod transport;
mod words;

#[cfg(test)]
mod tests;

pub use address::hashed;
pub use capture::{CAPTURED_MAX, Capture};
pub use compose::Composed;
pub use mailbox::{Listed, Mailbox, Stored, WhenFull};
pub use message::{
    ADDRESS_BYTES_MAX, HEADER_CHARACTERS_MAX, HEADERS_MAX, HTML_BYTES_MAX, ID_BYTES_MAX,
    InvalidMessage, Message, NAME_CHARACTERS_MAX, Party, SUBJECT_CHARACTERS_MAX, TEXT_BYTES_MAX,
};
pub use outcome::{Failure, FailureCause, Outcome, Refusal, RefusalCause};
pub use smtp::{Credentials, InvalidSetting, Password, Smtp, SmtpSettings, Timeouts, Tls};
pub use transport::{Transport, deliver};
