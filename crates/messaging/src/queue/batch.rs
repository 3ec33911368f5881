//! What a batch request must be as a whole, before its entries are looked at one by one.

use std::collections::BTreeSet;

use super::config::QueueConfig;
use super::limits;
use super::message::Send;
use super::refusal::Refusal;
use super::text::is_name_byte;

/// 1 to 10 entries with distinct ids of 1 to 80 letters, digits, `-` and `_`.
pub fn validate_ids<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Result<(), Refusal> {
    let entries = ids.len();
    if entries == 0 {
        return Err(Refusal::EmptyBatchRequest);
    }
    if entries > limits::BATCH_ENTRIES_MAX {
        return Err(Refusal::TooManyEntriesInBatchRequest { entries });
    }
    let mut seen = BTreeSet::new();
    for id in ids {
        let valid =
            (1..=limits::BATCH_ID_LENGTH_MAX).contains(&id.len()) && id.bytes().all(is_name_byte);
        if !valid {
            return Err(Refusal::InvalidBatchEntryId);
        }
        if !seen.insert(id) {
            return Err(Refusal::BatchEntryIdsNotDistinct { id: id.to_owned() });
        }
    }
    Ok(())
}

/// A batch of messages: together at most 1 MiB, and on a FIFO queue every one with a group,
/// or the whole call is refused. What is wrong with one entry alone, such as a message over
/// the queue's own limit, is found by [`accept`](super::accept) and fails that entry only.
pub fn validate_sends<'a>(
    config: &QueueConfig,
    sends: impl Iterator<Item = &'a Send>,
) -> Result<(), Refusal> {
    let mut bytes = 0;
    for send in sends {
        bytes += send.bytes();
        if config.is_fifo() && send.group.is_none() {
            return Err(Refusal::parameter(
                "MessageGroupId",
                "The request must contain the parameter MessageGroupId.",
            ));
        }
    }
    if bytes > u64::from(limits::MESSAGE_BYTES_MAX) {
        return Err(Refusal::BatchRequestTooLong { bytes });
    }
    Ok(())
}
