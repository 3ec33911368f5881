//! What the engine asks of the world around it, beside a store.

use commerce::Millis;
use messaging::topic;

use crate::command::Envelope;

/// The wall clock, in milliseconds since 1970.
pub trait Clock: Send + Sync {
    fn now(&self) -> Millis;
}

/// Random bits, good enough for secrets.
pub trait Ids: Send + Sync {
    fn entropy(&self) -> [u8; 32];
}

/// Writes the envelopes in which subscribers get a publication. The engine knows no wire format.
pub trait Envelopes: Send + Sync {
    /// One for each protocol whose subscribers may want it; none means the text as it is.
    fn wrap(
        &self,
        topic: &str,
        id: &str,
        at: Millis,
        publication: &topic::Publication,
    ) -> Vec<(topic::Protocol, Envelope)>;

    /// Somebody wants one who got none: what is remembered of who does is old.
    fn forget(&self) {}
}

/// Everybody gets the text as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEnvelopes;

impl Envelopes for NoEnvelopes {
    fn wrap(
        &self,
        _topic: &str,
        _id: &str,
        _at: Millis,
        _publication: &topic::Publication,
    ) -> Vec<(topic::Protocol, Envelope)> {
        Vec::new()
    }
}
