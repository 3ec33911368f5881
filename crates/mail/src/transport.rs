//! Who takes an e-mail from here.

use futures_util::future::BoxFuture;

use crate::compose::Composed;
use crate::message::Message;
use crate::outcome::Outcome;

/// Takes e-mails. Sending the same one again is allowed, and what the receiver makes of it is
/// up to the transport: the directory and the capture know it by its id, an SMTP server passes
/// it on again, with the same `Message-ID`.
pub trait Transport: Send + Sync {
    /// Resolves when whoever comes next has it for good, or when it is known that it was not
    /// taken; within a bounded time. Dropping the future leaves open whether it was taken.
    fn send<'a>(&'a self, mail: &'a Composed) -> BoxFuture<'a, Outcome>;
}

/// Composes and sends. A message that cannot be composed is a refusal like a server's.
pub async fn deliver(transport: &dyn Transport, message: &Message) -> Outcome {
    match message.compose() {
        Ok(mail) => transport.send(&mail).await,
        Err(invalid) => invalid.into(),
    }
}
