//! What becomes of the messages of a batch that was one transaction, and how long to wait for a
//! neighbour that is away.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use effects::DatabaseError;

use super::consumer::{Delivery, Outcome};

/// The longest wait for a neighbour: after a long outage it is found back so soon. A message may
/// be received 1,000 times, so this outlasts three days.
const WAIT_MAX_S: u64 = 300;

/// Longer each time, so that an outage does not use up what a queue allows a message.
pub(super) fn wait(delivery: &Delivery, reason: impl Into<String>) -> Outcome {
    Outcome::Wait {
        after: pause(delivery),
        reason: reason.into(),
    }
}

/// The same for a message that is alone at fault.
pub(super) fn put_off(delivery: &Delivery, reason: impl Into<String>) -> Outcome {
    Outcome::NotYet {
        after: pause(delivery),
        reason: reason.into(),
    }
}

fn pause(delivery: &Delivery) -> Duration {
    let doubled = 1_u64 << delivery.receive_count.saturating_sub(1).min(16);
    Duration::from_secs(doubled.min(WAIT_MAX_S))
}

/// Whose fault it is when a neighbour that is there fails over a message: the first that it fails
/// over is taken for the one at fault; when it fails over another one, too, and did nothing well
/// in between, others would fare no better.
#[derive(Default)]
pub(super) struct Blame(Mutex<Suspicion>);

#[derive(Default)]
enum Suspicion {
    #[default]
    None,
    Message(String),
    Neighbour,
}

impl Blame {
    /// The neighbour did something well.
    pub(super) fn clear(&self) {
        *self.lock() = Suspicion::None;
    }

    /// It failed over what has this id. Whether it does over others, too.
    pub(super) fn is_shared(&self, id: &str) -> bool {
        let mut suspicion = self.lock();
        match &*suspicion {
            Suspicion::None => *suspicion = Suspicion::Message(id.to_owned()),
            Suspicion::Message(first) if first == id => {}
            Suspicion::Message(_) => *suspicion = Suspicion::Neighbour,
            Suspicion::Neighbour => {}
        }
        matches!(*suspicion, Suspicion::Neighbour)
    }

    fn lock(&self) -> MutexGuard<'_, Suspicion> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
