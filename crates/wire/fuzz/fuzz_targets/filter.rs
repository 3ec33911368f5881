//! Filter policies: the first line is the policy, the rest what is published.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use messaging::Attribute;
use messaging::topic::{FilterPolicy, FilterScope};

fuzz_target!(|text: &str| {
    let (policy, body) = text.split_once('\n').unwrap_or((text, "{}"));
    let attributes: BTreeMap<String, Attribute> = [
        ("a".to_owned(), Attribute::string(body)),
        ("n".to_owned(), Attribute::number(body)),
    ]
    .into();
    for scope in [FilterScope::MessageAttributes, FilterScope::MessageBody] {
        let Ok(parsed) = FilterPolicy::parse(policy, scope) else {
            continue;
        };
        let again = FilterPolicy::parse(parsed.text(), scope).expect("it was one before");
        // The same answer again, whatever it is.
        for body in [body, "{}", r#"{"a":[1,"x",null,{"b":true}]}"#] {
            let is_wanted = parsed.matches(&attributes, body);
            assert_eq!(again.matches(&attributes, body), is_wanted);
        }
    }
});
