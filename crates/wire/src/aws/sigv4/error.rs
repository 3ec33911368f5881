//! Why a signature is not accepted.

use crate::aws::error::{AwsError, ErrorCode};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Something is missing from the signature or is not of its form.
    #[error("{0}")]
    Incomplete(String),
    /// For another service, region or day.
    #[error("{0}")]
    Scope(String),
    #[error("Signature expired: {signed} is not within {skew_s} seconds of {now}.")]
    Time {
        signed: String,
        now: String,
        skew_s: u32,
    },
    /// A signed URL that has had its time.
    #[error("Request has expired.")]
    Expired,
    /// A header that changes what a request means and is not signed.
    #[error("There were headers present in the request which were not signed: {0}")]
    UnsignedHeader(&'static str),
    /// The body is not signed, or signed in pieces, and that is not allowed.
    #[error("The payload must be signed as a whole.")]
    UnsignedPayload,
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    PayloadMismatch,
    #[error(
        "The request signature we calculated does not match the signature you provided. Check \
         your AWS Secret Access Key and signing method. Consult the service documentation for \
         details."
    )]
    Mismatch,
}

impl From<SignatureError> for AwsError {
    fn from(error: SignatureError) -> Self {
        let code = match error {
            SignatureError::Incomplete(_) => ErrorCode::IncompleteSignature,
            SignatureError::Expired => ErrorCode::RequestExpired,
            SignatureError::Scope(_)
            | SignatureError::Time { .. }
            | SignatureError::UnsignedHeader(_)
            | SignatureError::UnsignedPayload
            | SignatureError::PayloadMismatch
            | SignatureError::Mismatch => ErrorCode::SignatureDoesNotMatch,
        };
        Self::new(code, error.to_string())
    }
}
