//! One call of a consumer, whatever it does: it answers, it panics, it takes too long.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use effects::{Mistake, contain};
use futures_util::future::BoxFuture;

use super::memory::Memory;
use crate::workers::consumer::{Consumer, Delivery, Outcome};

enum Tried {
    Answered(Vec<Outcome>),
    Panicked(Mistake),
    TookTooLong,
}

/// One outcome for each message. A batch that panics is tried again message by message, so that
/// one message does not take the others with it; so is one with a message that took too long
/// the last time.
pub(super) async fn attempt(
    consumer: &dyn Consumer,
    batch: &[Delivery],
    memory: &Memory,
    work_max: Duration,
) -> Vec<Outcome> {
    if batch.len() > 1 && batch.iter().any(|delivery| memory.is_alone(delivery)) {
        return one_by_one(consumer, batch, memory, work_max).await;
    }
    match call(consumer, batch, work_max).await {
        Tried::Panicked(mistake) if batch.len() > 1 => {
            let consumer_name = consumer.name();
            tracing::error!(
                consumer = consumer_name,
                place = mistake.place,
                "a panic in a consumer: its batch is tried message by message"
            );
            one_by_one(consumer, batch, memory, work_max).await
        }
        tried => outcomes(tried, batch, memory, work_max),
    }
}

async fn one_by_one(
    consumer: &dyn Consumer,
    batch: &[Delivery],
    memory: &Memory,
    work_max: Duration,
) -> Vec<Outcome> {
    let mut all: Vec<Outcome> = Vec::with_capacity(batch.len());
    for (index, delivery) in batch.iter().enumerate() {
        let group = delivery.group.as_deref().filter(|group| {
            let before = batch.iter().zip(&all).take(index);
            before
                .filter(|(other, _)| other.group.as_deref() == Some(group))
                .any(|(_, outcome)| *outcome != Outcome::Done)
        });
        if group.is_some() {
            // Its turn has not come. What is said of it here is not looked at.
            all.push(Outcome::later("one before it in its group failed"));
            continue;
        }
        let alone = std::slice::from_ref(delivery);
        let tried = call(consumer, alone, work_max).await;
        all.extend(outcomes(tried, alone, memory, work_max));
    }
    all
}

fn outcomes(tried: Tried, batch: &[Delivery], memory: &Memory, work_max: Duration) -> Vec<Outcome> {
    let later = |reason: String| vec![Outcome::later(reason); batch.len()];
    match tried {
        Tried::Answered(outcomes) if outcomes.len() == batch.len() => outcomes,
        Tried::Answered(outcomes) => later(format!(
            "the consumer said what became of {} messages, and was handed {}",
            outcomes.len(),
            batch.len()
        )),
        Tried::Panicked(mistake) => later(format!("a panic at {}", mistake.place)),
        Tried::TookTooLong => {
            for delivery in batch {
                memory.set_alone(delivery);
            }
            later(format!(
                "the work took longer than {} s",
                work_max.as_secs_f32()
            ))
        }
    }
}

async fn call(consumer: &dyn Consumer, batch: &[Delivery], work_max: Duration) -> Tried {
    let work = match contain(|| consumer.handle(batch)) {
        Ok(work) => Contained(work),
        Err(mistake) => return Tried::Panicked(mistake),
    };
    match tokio::time::timeout(work_max, work).await {
        Ok(Ok(outcomes)) => Tried::Answered(outcomes),
        Ok(Err(mistake)) => Tried::Panicked(mistake),
        Err(_) => Tried::TookTooLong,
    }
}

struct Contained<'a, T>(BoxFuture<'a, T>);

impl<T> Future for Contained<'_, T> {
    type Output = Result<T, Mistake>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let work = self.0.as_mut();
        match contain(|| work.poll(context)) {
            Ok(Poll::Ready(answer)) => Poll::Ready(Ok(answer)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(mistake) => Poll::Ready(Err(mistake)),
        }
    }
}
