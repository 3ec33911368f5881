//! What becomes of the messages of a batch that was one transaction, and how long to wait for a
//! neighbour that is away.

use std::time::Duration;

use effects::DatabaseError;

use super::consumer::{Delivery, Outcome};

/// The longest wait for a neighbour: after a long outage it is found back so soon. A message may
/// be received 1,000 times, so this outlasts three days.
const WAIT_MAX_S: u64 = 300;

/// Longer each time, so that an outage does not use up what a queue allows a message.
pub(super) fn wait(delivery: &Delivery, reason: impl Into<String>) -> Outcome {
    let doubled = 1_u64 << delivery.receive_count.saturating_sub(1).min(16);
    Outcome::Wait {
        after: Duration::from_secs(doubled.min(WAIT_MAX_S)),
        reason: reason.into(),
    }
}

/// What could not be read goes to the dead-letter queue whatever the database did; everything
/// else is done, or waits for the database.
pub(super) fn outcomes<F, T>(
    batch: &[Delivery],
    read: Vec<Result<Option<F>, String>>,
    written: Result<T, DatabaseError>,
) -> Vec<Outcome> {
    let failure = written.err().map(|error| error.to_string());
    let outcome = |(delivery, read): (&Delivery, Result<Option<F>, String>)| match (read, &failure)
    {
        (Err(reason), _) => Outcome::Never { reason },
        (Ok(Some(_)), Some(error)) => wait(delivery, error),
        (Ok(_), _) => Outcome::Done,
    };
    batch.iter().zip(read).map(outcome).collect()
}
