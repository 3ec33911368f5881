//! Every bound of a queue, as in "Amazon SQS message quotas" and the API reference.

pub const MESSAGE_BYTES_MIN: u32 = 1024;
/// 1 MiB, attributes included; also the bound of a whole batch.
pub const MESSAGE_BYTES_MAX: u32 = 1_048_576;
pub const ATTRIBUTES_MAX: usize = 10;
pub const ATTRIBUTE_NAME_BYTES_MAX: usize = 256;
pub const ATTRIBUTE_TYPE_BYTES_MAX: usize = 256;
/// Significant digits of a Number, and the powers of ten it may lie between.
pub const NUMBER_DIGITS_MAX: usize = 38;
pub const NUMBER_EXPONENT_MIN: i64 = -128;
pub const NUMBER_EXPONENT_MAX: i64 = 126;
/// The trace header does not count towards the message's size, so it has a bound of its own.
pub const TRACE_HEADER_BYTES_MAX: usize = 1024;
pub const DELAY_S_MAX: u32 = 900;
pub const VISIBILITY_TIMEOUT_S_MAX: u32 = 43_200;
pub const RECEIVE_WAIT_S_MAX: u32 = 20;
pub const RETENTION_S_MIN: u32 = 60;
pub const RETENTION_S_MAX: u32 = 1_209_600;
pub const MAX_RECEIVE_COUNT_MAX: u32 = 1000;
pub const RECEIVE_MAX: usize = 10;
pub const BATCH_ENTRIES_MAX: usize = 10;
pub const BATCH_ID_LENGTH_MAX: usize = 80;
pub const QUEUE_NAME_LENGTH_MAX: usize = 80;
/// Message group ids, deduplication ids and receive attempt ids.
pub const ID_LENGTH_MAX: usize = 128;
pub const IN_FLIGHT_MAX: u64 = 120_000;
pub const DEDUPLICATION_INTERVAL_MS: i64 = 300_000;
pub const RECEIVE_ATTEMPT_INTERVAL_MS: i64 = 300_000;
pub const REDRIVE_ALLOW_QUEUES_MAX: usize = 10;
/// A group is noisy above this share of what is in flight or of the processing time ...
pub const NOISY_SHARE_PERCENT: u64 = 10;
/// ... where the share of what is in flight counts only from this many on.
pub const NOISY_IN_FLIGHT_MIN: u64 = 30;
/// ... and that of the processing time from this much on: with less, whoever comes first would
/// be noisy by that alone. Amazon names no such bound.
pub const NOISY_PROCESSING_MS_MIN: u64 = 30_000;
/// With more than so many in flight the processing time is not added up.
pub const PROCESSING_COUNTED_MAX: u64 = 4_096;
/// Of a queue or a topic (developer guide, "Amazon SQS policy quotas").
pub const POLICY_BYTES_MAX: usize = 8_192;
pub const POLICY_STATEMENTS_MAX: usize = 20;
