//! One signed call to a server of somebody else's (Standard Webhooks). When to call again is
//! the caller's business; the id is the same each time, so that the receiver can tell.

use outgoing::{CallError, Client, RetryAfter};
use wire::webhooks::{self, Secret};

use crate::traces;

/// Why a webhook was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For people and for the dead-letter queue; holds no URL, no body and no secret.
    pub reason: String,
    /// Whether the same call may succeed later with nothing changed here.
    pub temporary: bool,
    /// Somebody was there and failed over this call: over others it may not.
    pub over_this_call: bool,
    /// What was answered, if anything was.
    pub status: Option<u16>,
    /// When a receiver that has too much to do, or is away, wants to be called again.
    pub retry_after: Option<RetryAfter>,
}

/// Posts these bytes, signed with every secret in use at this moment (seconds since 1970). The
/// status is answered when it is a good one, 200 to 299.
///
/// # Errors
/// Whatever else came of it.
pub async fn post_signed(
    client: &Client,
    url: &str,
    secrets: &[Secret],
    id: &str,
    at_s: i64,
    body: &[u8],
) -> Result<u16, Failure> {
    let signed = webhooks::sign(id, body, secrets, at_s.saturating_mul(1_000));
    let signed = signed.map_err(|error| Failure {
        reason: format!("cannot be signed: {error}"),
        temporary: false,
        over_this_call: true,
        status: None,
        retry_after: None,
    })?;
    match traces::post_json(client, url, &signed.headers(), body.to_vec()).await {
        Ok(answer) if answer.is_success() => Ok(answer.status),
        Ok(answer) => Err(Failure {
            reason: format!("the receiver answered {}", answer.status),
            temporary: is_temporary(answer.status),
            over_this_call: true,
            status: Some(answer.status),
            retry_after: answer
                .retry_after
                .filter(|_| matches!(answer.status, 429 | 503)),
        }),
        Err(error) => Err(Failure {
            // A certificate is renewed without anybody asking us.
            temporary: error.temporary() || matches!(error, CallError::Tls { .. }),
            over_this_call: matches!(
                error,
                CallError::Timeout { .. } | CallError::Interrupted { .. }
            ),
            reason: error.to_string(),
            status: None,
            retry_after: None,
        }),
    }
}

/// Too early, too much, too slow, or its own trouble. Everything else is about what was sent:
/// redirections are not followed, and 410 asks us to stop.
const fn is_temporary(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::http::{HeaderMap, StatusCode};
    use outgoing::{AllowedHosts, Timeouts};
    use wire::webhooks::Received;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn client(allowed: AllowedHosts) -> Client {
        Client::new(allowed, Timeouts::default()).unwrap()
    }

    /// A receiver that answers with this status and keeps what it was sent.
    async fn receiver(status: u16) -> (String, Arc<Mutex<Vec<(HeaderMap, String)>>>) {
        let seen: Arc<Mutex<Vec<(HeaderMap, String)>>> = Arc::default();
        let kept = Arc::clone(&seen);
        let status = StatusCode::from_u16(status).unwrap();
        let router = Router::new().fallback(async move |headers: HeaderMap, body: String| {
            kept.lock().unwrap().push((headers, body));
            status
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (url, seen)
    }

    async fn post(url: &str) -> Result<u16, Failure> {
        let secrets = [Secret::parse(SECRET).unwrap()];
        let client = client(AllowedHosts::loopback());
        post_signed(&client, url, &secrets, "vip_1", 1_700_000_000, b"{}").await
    }

    #[tokio::test]
    async fn the_receiver_can_verify_what_it_is_sent() {
        let (url, seen) = receiver(204).await;
        assert_eq!(post(&url).await, Ok(204));
        let (headers, body) = seen.lock().unwrap().remove(0);
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        let received = Received {
            id: header(webhooks::ID_HEADER),
            timestamp: header(webhooks::TIMESTAMP_HEADER),
            signature: header(webhooks::SIGNATURE_HEADER),
            body: body.as_bytes(),
        };
        let secrets = [Secret::parse(SECRET).unwrap()];
        let verified = webhooks::verify(&received, &secrets, 1_700_000_010_000).unwrap();
        assert_eq!(verified.id, "vip_1");
        assert!(webhooks::verify(&received, &secrets, 1_700_009_000_000).is_err());
    }

    #[tokio::test]
    async fn what_was_answered_says_whether_to_try_again() {
        for (status, temporary) in [
            (302, false),
            (400, false),
            (401, false),
            (404, false),
            (408, true),
            (410, false),
            (425, true),
            (429, true),
            (500, true),
            (503, true),
        ] {
            let (url, _) = receiver(status).await;
            let failure = post(&url).await.unwrap_err();
            assert_eq!(
                (failure.status, failure.temporary),
                (Some(status), temporary)
            );
        }
    }

    #[tokio::test]
    async fn nobody_there_is_temporary_and_a_forbidden_host_is_not() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let failure = post(&url).await.unwrap_err();
        assert_eq!((failure.status, failure.temporary), (None, true));
        let failure = post("https://example.org/").await.unwrap_err();
        assert_eq!((failure.status, failure.temporary), (None, false));
    }
}
