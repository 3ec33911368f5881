//! Signature Version 4: who sent a request, and that it was sent like this.
//!
//! ```text
//! canonical request = method, path, query, signed headers, their names, hash of the body
//! string to sign    = "AWS4-HMAC-SHA256", time, scope, SHA-256 of the canonical request
//! signing key       = HMAC chain over secret, date, region, service, "aws4_request"
//! signature         = HMAC of the string to sign
//! ```
//!
//! First [`Authorization::parse`], then look up the secret of its access key and derive a
//! [`SigningKey`], then [`Authorization::verify`]. Comparisons take the same time whatever
//! they find.
//!
//! What always holds for a request that is verified: its host, its time and, over JSON, its
//! action are signed; its body is what was signed, unless the caller allows otherwise; it is
//! no older and no newer than the caller's bound.
//!
//! Deliberately not known here: keys, sessions, the clock, what somebody may do. Signature
//! Version 2 is not spoken.
//!
//! Source: "AWS Signature Version 4 for API requests" in the IAM user guide, and Amazon's
//! published test suite.

mod authorization;
mod canonical;
mod error;
mod key;
mod sign;
mod verify;

pub use authorization::{Authorization, Scope};
pub use canonical::{HttpRequest, canonical_request, string_to_sign};
pub use error::SignatureError;
pub use key::SigningKey;
pub use sign::Signer;
pub use verify::Expected;

/// The only algorithm there is.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far apart the clocks of client and server may be with Amazon.
pub const CLOCK_SKEW_S: u32 = 900;
/// The longest life of a request that is signed in its URL: a week.
pub const EXPIRES_S_MAX: u32 = 604_800;

const TERMINATOR: &str = "aws4_request";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
const DATE_HEADER: &str = "x-amz-date";
const CONTENT_HASH_HEADER: &str = "x-amz-content-sha256";
const TOKEN_HEADER: &str = "x-amz-security-token";

#[cfg(test)]
mod tests;
