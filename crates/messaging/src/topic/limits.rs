//! Every bound of a topic, as in the SNS developer guide and API reference.

pub const TOPIC_NAME_LENGTH_MAX: usize = 256;
/// 256 KiB, attributes included.
pub const PUBLICATION_BYTES_MAX: u64 = 262_144;
/// A topic has no bound for the number of attributes but the size; this is ours.
pub const PUBLICATION_ATTRIBUTES_MAX: usize = 100;
/// A subject is shorter than this.
pub const SUBJECT_LENGTH_MAX: usize = 100;
pub const ENDPOINT_BYTES_MAX: usize = 2048;
pub const FILTER_POLICY_BYTES_MAX: usize = 262_144;
/// Only keys at the top count.
pub const FILTER_POLICY_KEYS_MAX: usize = 5;
pub const FILTER_POLICY_COMBINATIONS_MAX: u64 = 150;
