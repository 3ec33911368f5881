//! Bytes to typed values and back, and nothing else.
//!
//! No domain types here: the server converts. [`Code`] is the one list of what can go wrong for
//! a caller; [`Problem`] is how HTTP tells it (RFC 9457); [`manufactures`] is the form in which
//! shops and factories of system D talk; [`aws`] is what the clients of SQS and SNS speak.

pub mod aws;
pub mod manufactures;
pub mod webhooks;

mod code;
mod prefer;
mod problem;

pub use code::Code;
pub use prefer::{Prefer, PreferError};
pub use problem::Problem;
