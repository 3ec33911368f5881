//! Room for the messages of an answer.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::time::Instant;
use wire::aws::{AwsError, ErrorCode};

use crate::budget::{Budget, Held, UNCOUNTED_BYTES};
use crate::socket::Line;

/// Where one answer gets it from, and what it has.
pub(in crate::aws) struct AnswerRoom<'a> {
    budget: &'a Budget,
    peer: IpAddr,
    /// How much longer texts may become in the answer.
    growth: usize,
    held: Mutex<Option<Held>>,
}

impl<'a> AnswerRoom<'a> {
    pub(in crate::aws) fn new(budget: &'a Budget, peer: IpAddr, growth: usize) -> Self {
        Self {
            budget,
            peer,
            growth,
            held: Mutex::new(None),
        }
    }

    /// For messages of so many bytes.
    pub(super) async fn take(&self, bytes: usize, until: Instant) -> Result<Held, AwsError> {
        let bytes = bytes.saturating_mul(self.growth);
        let held = self.budget.take(self.peer, bytes, until).await;
        held.ok_or_else(|| {
            let detail =
                "More messages are on their way out than this server takes; nothing was received.";
            AwsError::new(ErrorCode::ServiceUnavailable, detail)
        })
    }

    /// What the answer has, until it was sent.
    pub(super) fn keep(&self, held: Held) {
        let mut kept = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(held);
    }

    /// The answer as it is sent.
    pub(in crate::aws) fn sent(self, mut bytes: Vec<u8>, line: &Arc<Line>) -> Bytes {
        let held = self
            .held
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        match held.filter(|_| bytes.len() > UNCOUNTED_BYTES) {
            Some(mut held) => {
                bytes.shrink_to_fit();
                held.shrink_to(bytes.len());
                held.sent(bytes, Arc::clone(line))
            }
            None => bytes.into(),
        }
    }
}
