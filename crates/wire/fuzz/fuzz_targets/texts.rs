//! Small formats: ARNs, queue URLs, policies, messages by protocol.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::aws::sqs::{RedriveAllowPolicy, RedrivePolicy};
use wire::aws::{Arn, QueueAddress, sns};

fuzz_target!(|text: &str| {
    if let Some(arn) = Arn::parse(text) {
        assert_eq!(arn.to_string(), text);
    }
    let _none = QueueAddress::parse(text);
    if let Ok(Some(policy)) = RedrivePolicy::parse(text) {
        assert_eq!(RedrivePolicy::parse(&policy.to_json()), Ok(Some(policy)));
    }
    if let Ok(Some(policy)) = RedriveAllowPolicy::parse(text) {
        assert_eq!(
            RedriveAllowPolicy::parse(&policy.to_json()),
            Ok(Some(policy))
        );
    }
    let _refused = sns::MessageByProtocol::parse(text);
});
