//! One signed call, as Standard Webhooks has it. Whether to make it again is the caller's
//! business.

use outgoing::Client;
use wire::webhooks::{Secret, sign};

/// Why a call was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For a person; says nothing of secrets nor of a URL's query.
    pub reason: String,
    /// Whether the same call may succeed soon without anybody changing anything.
    pub temporary: bool,
    /// The answer's, if there was one.
    pub status: Option<u16>,
}

/// Posts a body that is JSON, signed with each of the secrets. The id is the same for every
/// attempt at the same event, `at_s` the time of this one in seconds since 1970.
///
/// # Errors
/// When there is no answer, or one that is not 2xx. Redirects are not followed.
pub async fn post_signed(
    client: &Client,
    url: &str,
    secrets: &[Secret],
    id: &str,
    at_s: i64,
    body: &[u8],
) -> Result<u16, Failure> {
    let signed = sign(id, body, secrets, at_s.saturating_mul(1_000)).map_err(|error| Failure {
        reason: format!("it cannot be signed: {error}"),
        temporary: false,
        status: None,
    })?;
    let answer = client
        .post_json(url, &signed.headers(), body.to_vec())
        .await
        .map_err(|error| Failure {
            reason: format!("{}: {error}", error.code()),
            temporary: error.temporary(),
            status: None,
        })?;
    if answer.is_success() {
        return Ok(answer.status);
    }
    Err(Failure {
        reason: format!("the endpoint answered {}", answer.status),
        temporary: matches!(answer.status, 408 | 425 | 429 | 500..=599),
        status: Some(answer.status),
    })
}
