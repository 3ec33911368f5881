//! What clients carry from one request to the next without looking into it: where a page goes on,
//! and which move of messages is meant. It proves nothing: whoever asks may see what he asks for.
//!
//! It knows nothing else of this crate, so that it can be tried with made-up bytes by itself.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// The name that a page ended with.
pub(crate) fn page_after(last: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(last)
}

pub(crate) fn parse_page(token: &str) -> Option<String> {
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

/// What a task's handle says, in base64.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskHandle {
    pub(crate) task_id: String,
    pub(crate) source_arn: String,
}

impl TaskHandle {
    pub(crate) fn encode(&self) -> String {
        BASE64_STANDARD.encode(serde_json::to_vec(self).expect("two texts have a JSON form"))
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        serde_json::from_slice(&BASE64_STANDARD.decode(text).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_goes_out_and_comes_back() {
        let handle = TaskHandle {
            task_id: "t".to_owned(),
            source_arn: "arn:aws:sqs:r:0:q".to_owned(),
        };
        assert_eq!(TaskHandle::decode(&handle.encode()), Some(handle));
        for text in ["", "!", "e30=", "bnVsbA=="] {
            assert_eq!(TaskHandle::decode(text), None, "{text}");
        }
    }
}
