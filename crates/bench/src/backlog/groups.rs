//! A FIFO queue in place of a standard one: its messages name groups, in turn.
//!
//! What always holds: the ten messages of a request are of ten groups, and requests go round all
//! groups, so every group has as many messages as the others, or a few more.

use crate::error::BenchError;

use super::BATCH;

/// The names that one request can have take the place of `{pick}`, thirty bytes.
const PREFIX: &str = "group-";
const DIGITS: usize = 24;
const GROUPS_MAX: u32 = 1_000_000;

pub(super) const CREATE: &str = r#"{"QueueName":"bench.fifo","Attributes":{"FifoQueue":"true"}}"#;

/// Whether a queue with so many groups can be measured.
pub(super) fn check(groups: u32, in_flight: u64) -> Result<(), BenchError> {
    let problem = if !(10..=GROUPS_MAX).contains(&groups) || !groups.is_multiple_of(10) {
        format!("{groups} is not a multiple of ten in 10 to {GROUPS_MAX}")
    } else if in_flight >= groups.into() {
        format!("{in_flight} messages in flight may lock all of {groups} groups")
    } else {
        return Ok(());
    };
    Err(BenchError::Option {
        field: "fifo",
        problem,
    })
}

/// Of each request in turn, what the names of its groups begin with.
pub(super) fn names(groups: u32) -> Vec<String> {
    (0..groups / 10)
        .map(|number| format!("{PREFIX}{number:0DIGITS$}"))
        .collect()
}

/// A request that fills the queue.
pub(super) fn body(queue_url: &str) -> String {
    let entry = |at: u64| {
        format!(
            r#"{{"Id":"{at}","MessageGroupId":"{{pick}}-{at}","MessageDeduplicationId":"{{key}}-{at}","MessageBody":"order {{conn}} {{n}} {{key}} 0123456789 0123456789 0123456789 012345{at}"}}"#
        )
    };
    let entries: Vec<String> = (0..BATCH).map(entry).collect();
    format!(
        r#"{{"QueueUrl":"{queue_url}","Entries":[{}]}}"#,
        entries.join(",")
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::template::{Numbers, Template};

    #[test]
    fn requests_go_round_all_groups_and_nothing_is_sent_twice() {
        const GROUPS: u32 = 30;
        let mut template = Template::parse(&body("http://127.0.0.1/q")).with_picks(names(GROUPS));
        let mut of_group: HashMap<String, u32> = HashMap::new();
        let mut ids = Vec::new();
        for number in 0..7 {
            let numbers = Numbers {
                run: 1,
                connection: number % 2,
                count: number / 2,
                number,
            };
            let request: serde_json::Value =
                serde_json::from_slice(template.render(&numbers)).unwrap();
            let entries = request["Entries"].as_array().unwrap();
            assert_eq!(entries.len() as u64, BATCH);
            for entry in entries {
                let group = entry["MessageGroupId"].as_str().unwrap();
                *of_group.entry(group.to_owned()).or_default() += 1;
                ids.push(entry["MessageDeduplicationId"].as_str().unwrap().to_owned());
            }
        }
        // Seven requests on three sets of ten groups.
        assert_eq!(of_group.len(), 30);
        let mut counts: Vec<u32> = of_group.into_values().collect();
        counts.sort_unstable();
        assert_eq!(counts, [[2; 20].as_slice(), &[3; 10]].concat());
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 70);
    }

    #[test]
    fn numbers_of_groups_that_cannot_be_measured_are_refused() {
        for (groups, in_flight, is_fine) in [
            (100, 0, true),
            (100_000, 99_999, true),
            (100, 100, false),
            (15, 0, false),
            (0, 0, false),
            (GROUPS_MAX + 10, 0, false),
        ] {
            let checked = check(groups, in_flight);
            assert_eq!(checked.is_ok(), is_fine, "{groups} {in_flight}");
        }
    }
}
