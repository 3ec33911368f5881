//! Texts that the server reads by itself: policies of access and of delivery, page tokens, task
//! handles. The server is far too large to be built for this, its readers stand alone.
#![no_main]
#![expect(dead_code, reason = "only the readers are tried")]

use libfuzzer_sys::fuzz_target;

#[path = "../../../server/src/aws/sns/delivery_policy.rs"]
mod delivery_policy;
#[path = "../../../server/src/aws/policy.rs"]
mod policy;
#[path = "../../../server/src/aws/tokens.rs"]
mod tokens;

/// What a policy of delivery is refused with, as the server has it.
mod error {
    use wire::aws::{AwsError, ErrorCode};

    pub(crate) fn invalid(detail: impl std::fmt::Display) -> AwsError {
        AwsError::new(ErrorCode::InvalidParameter, detail.to_string())
    }
}

fuzz_target!(|text: &str| {
    access(text);
    delivery(text);
    if let Some(name) = tokens::parse_page(text) {
        assert_eq!(tokens::parse_page(&tokens::page_after(&name)), Some(name));
    }
    // A handle of this text, and whatever this text is a handle of.
    let (task_id, source_arn) = text.split_once('\n').unwrap_or((text, ""));
    let made = tokens::TaskHandle {
        task_id: task_id.to_owned(),
        source_arn: source_arn.to_owned(),
    };
    for handle in [Some(made), tokens::TaskHandle::decode(text)]
        .into_iter()
        .flatten()
    {
        assert_eq!(tokens::TaskHandle::decode(&handle.encode()), Some(handle));
    }
});

/// The first line asks, the rest is the policy.
fn access(text: &str) {
    let (asked, policy) = text.split_once('\n').unwrap_or(("", text));
    let _either = policy::is_policy(policy);
    let question = policy::Question {
        account: "111111111111",
        action: "SQS:SendMessage",
        resource: asked,
    };
    if policy::allows(policy, &question) {
        let parsed = serde_json::from_str::<serde_json::Value>(policy);
        assert!(parsed.is_ok(), "what cannot be understood lets somebody in");
    }
}

fn delivery(text: &str) {
    if let Ok(normal) = delivery_policy::normal_subscription(text) {
        let again = delivery_policy::normal_subscription(&normal);
        assert_eq!(again.as_deref(), Ok(normal.as_str()), "{text}");
        let _shown = delivery_policy::effective_subscription(None, Some(&normal));
        let effective = delivery_policy::effective(None, Some(&normal));
        // Retries are bounded, and so is each delay.
        let delays = (1..).map_while(|retry| effective.retry.delay_s(retry));
        for (retry, delay_s) in delays.enumerate() {
            assert!(retry < 100 && delay_s <= 3_600, "{text}");
        }
    }
    if delivery_policy::check_topic(text).is_ok() {
        let _shown = delivery_policy::effective_topic(Some(text));
        let _effective = delivery_policy::effective(Some(text), None);
    }
}
