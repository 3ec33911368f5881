//! The receipt handle: which delivery of which message of which queue.
//!
//! ```text
//!  1 byte   4 bytes    8 bytes   8 bytes     -> 28 characters of base64url
//!  version  queue id   sequence  receipt        (big-endian)
//! ```
//!
//! 21 bytes fill 28 characters exactly, so every handle has one spelling. It proves nothing
//! by itself: the receipt must equal the one stored with the message.

use super::refusal::Refusal;
use crate::base64url;

const VERSION: u8 = 1;
const TEXT_LENGTH: usize = 28;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReceiptHandle {
    pub queue_id: u32,
    pub seq: u64,
    pub receipt: u64,
}

impl ReceiptHandle {
    pub fn encode(&self) -> String {
        let mut bytes = [0; 21];
        bytes[0] = VERSION;
        bytes[1..5].copy_from_slice(&self.queue_id.to_be_bytes());
        bytes[5..13].copy_from_slice(&self.seq.to_be_bytes());
        bytes[13..].copy_from_slice(&self.receipt.to_be_bytes());
        base64url::encode(&bytes)
    }

    pub fn decode(text: &str) -> Result<Self, Refusal> {
        if text.len() != TEXT_LENGTH {
            return Err(Refusal::ReceiptHandleIsInvalid);
        }
        let bytes = base64url::decode(text).ok_or(Refusal::ReceiptHandleIsInvalid)?;
        if bytes[0] != VERSION {
            return Err(Refusal::ReceiptHandleIsInvalid);
        }
        let word = |at: usize| {
            let word = bytes[at..at + 8].try_into();
            u64::from_be_bytes(word.expect("28 characters are 21 bytes"))
        };
        let queue_id = bytes[1..5].try_into().expect("28 characters are 21 bytes");
        Ok(Self {
            queue_id: u32::from_be_bytes(queue_id),
            seq: word(5),
            receipt: word(13),
        })
    }
}
