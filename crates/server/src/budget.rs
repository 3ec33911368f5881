//! How many bytes of messages may be in memory at once, on their way in or out.
//!
//! What always holds here: what is held is counted until it is dropped, wherever it is by then; one
//! peer never holds more than half; whoever waits gets its turn in the order of coming.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::{Duration, Instant, sleep, timeout_at};

use crate::socket::Line;

/// All peers together.
const BYTES_MAX: usize = 128 * 1024 * 1024;
/// What is counted together.
const UNIT: usize = 1024;
const UNITS_MAX: usize = BYTES_MAX / UNIT;
/// One peer.
const PEER_UNITS_MAX: usize = UNITS_MAX / 2;
/// What has no more than this is not counted: a connection's own buffers have as much.
pub(crate) const UNCOUNTED_BYTES: usize = 64 * 1024;
/// How long an answer may take to its client, so that who reads slowly does not hold it for ever.
const SENT_WITHIN: Duration = Duration::from_secs(60);

pub(crate) struct Budget {
    all: Arc<Semaphore>,
    peers: Mutex<HashMap<IpAddr, Weak<Semaphore>>>,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(UNITS_MAX)),
            peers: Mutex::default(),
        }
    }

    /// Waits for so many bytes. None when there are not as many in time.
    pub(crate) async fn take(&self, peer: IpAddr, bytes: usize, until: Instant) -> Option<Held> {
        const OPEN: &str = "the semaphore is never closed";
        let units = u32::try_from(bytes.div_ceil(UNIT).min(PEER_UNITS_MAX)).expect("few enough");
        let own = self.of(peer);
        let taken = async {
            let own = own.acquire_many_owned(units).await.expect(OPEN);
            let all = Arc::clone(&self.all);
            let all = all.acquire_many_owned(units).await.expect(OPEN);
            Held {
                own,
                all,
                deadline: None,
            }
        };
        timeout_at(until, taken).await.ok()
    }

    fn of(&self, peer: IpAddr) -> Arc<Semaphore> {
        let peer = household(peer);
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = peers.get(&peer).and_then(Weak::upgrade) {
            return own;
        }
        if peers.len() == peers.capacity() {
            peers.retain(|_, own| own.strong_count() > 0);
        }
        let own = Arc::new(Semaphore::new(PEER_UNITS_MAX));
        peers.insert(peer, Arc::downgrade(&own));
        own
    }
}

/// Whoever has one address of IPv6 has all that begin with the same 64 bits.
fn household(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let bits = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Bytes that are counted until this is dropped.
pub(crate) struct Held {
    own: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
    deadline: Option<AbortHandle>,
}

impl Held {
    /// It has become fewer.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let spare = self.all.num_permits().saturating_sub(bytes.div_ceil(UNIT));
        drop((self.own.split(spare), self.all.split(spare)));
    }

    /// What is sent on this connection, to be dropped when it was sent or the connection is over.
    pub(crate) fn sent(mut self, bytes: Vec<u8>, line: Arc<Line>) -> bytes::Bytes {
        let late = tokio::spawn(async move {
            sleep(SENT_WITHIN).await;
            tracing::debug!("an answer was not taken in time");
            line.end();
        });
        self.deadline = Some(late.abort_handle());
        bytes::Bytes::from_owner(Sent { bytes, _held: self })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(deadline) = &self.deadline {
            deadline.abort();
        }
    }
}

struct Sent {
    bytes: Vec<u8>,
    _held: Held,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one peer may have.
    const TAKEN_MAX: usize = PEER_UNITS_MAX * UNIT;
    const SOON: Duration = Duration::from_secs(1);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    async fn take(budget: &Budget, peer: &str, bytes: usize) -> Option<Held> {
        let until = Instant::now() + SOON;
        budget.take(address(peer), bytes, until).await
    }

    #[tokio::test(start_paused = true)]
    async fn one_peer_has_half_and_two_have_all() {
        let budget = Budget::new();
        let first = take(&budget, "10.0.0.1", TAKEN_MAX).await.unwrap();
        assert!(take(&budget, "10.0.0.1", 1).await.is_none());
        let second = take(&budget, "10.0.0.2", TAKEN_MAX).await.unwrap();
        assert!(take(&budget, "10.0.0.3", 1).await.is_none());
        drop(first);
        assert!(take(&budget, "10.0.0.1", TAKEN_MAX).await.is_some());
        assert!(take(&budget, "10.0.0.3", TAKEN_MAX).await.is_some());
        drop(second);
        // More than there can be is as much as there can be.
        assert!(take(&budget, "10.0.0.1", usize::MAX).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_becomes_fewer_is_there_for_others() {
        let budget = Budget::new();
        let mut first = take(&budget, "10.0.0.1", TAKEN_MAX).await.unwrap();
        first.shrink_to(TAKEN_MAX / 2);
        let rest = take(&budget, "10.0.0.1", TAKEN_MAX / 2).await;
        assert!(rest.is_some());
        assert!(take(&budget, "10.0.0.1", 1).await.is_none());
        // It does not grow again.
        first.shrink_to(TAKEN_MAX);
        drop(rest);
        let half = take(&budget, "10.0.0.1", TAKEN_MAX / 2).await;
        assert!(half.is_some());
        drop((first, half));
        assert!(take(&budget, "10.0.0.1", TAKEN_MAX).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_of_one_household_are_one_peer() {
        let budget = Budget::new();
        let _held = take(&budget, "2001:db8::1", TAKEN_MAX).await.unwrap();
        assert!(take(&budget, "2001:db8::2:1", 1).await.is_none());
        assert!(take(&budget, "2001:db8:0:1::1", 1).await.is_some());
        let _mapped = take(&budget, "::ffff:10.0.0.1", TAKEN_MAX).await.unwrap();
        assert!(take(&budget, "10.0.0.1", 1).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_taken_in_time_ends_its_connection() {
        let budget = Budget::new();
        let line = Arc::new(Line::new(address("10.0.0.1")));
        let served = tokio::spawn(std::future::pending::<()>());
        line.served_by(served.abort_handle());
        let held = take(&budget, "10.0.0.1", 3).await.unwrap();
        let in_time = held.sent(vec![1, 2, 3], Arc::clone(&line));
        sleep(SENT_WITHIN / 2).await;
        assert_eq!(in_time, [1, 2, 3][..]);
        drop(in_time);
        let held = take(&budget, "10.0.0.1", TAKEN_MAX).await.unwrap();
        let began = Instant::now();
        let late = held.sent(vec![1], Arc::clone(&line));
        assert!(served.await.unwrap_err().is_cancelled());
        assert_eq!(began.elapsed(), SENT_WITHIN);
        // Until then it was counted, whoever had it.
        let part = late.slice(..1);
        drop(late);
        assert!(take(&budget, "10.0.0.1", 1).await.is_none());
        drop(part);
        assert!(take(&budget, "10.0.0.1", TAKEN_MAX).await.is_some());
    }
}
