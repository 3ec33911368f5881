//! AWS JSON 1.0: the first byte chooses the action, the rest is the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::aws::sqs::{Action, Request};

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else {
        return;
    };
    let action = Action::ALL[usize::from(*first) % Action::ALL.len()];
    let target = format!("AmazonSQS.{}", action.as_str());
    match Request::from_json(&target, body) {
        Ok(request) => assert_eq!(request.action(), action),
        Err(error) => drop(error.to_json()),
    }
});
