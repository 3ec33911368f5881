//! The numbers of topics for Prometheus, under the names that Amazon has for them.
//!
//! Amazon's names: the metrics of SNS in its developer guide, in the form in which exporters give
//! them to Prometheus.

use std::fmt::Write as _;

use engine::ports::{Reader, StoreError};
use engine::{TopicCounts, TopicFlows};

/// Topics that are read together.
const PAGE: usize = 500;

/// The end of a family's name after `aws_sns_`, its description, and the number of one topic.
type Counter = (&'static str, &'static str, fn(&TopicCounts) -> u64);

const COUNTERS: [Counter; 10] = [
    (
        "number_of_messages_published",
        "messages published, without duplicates",
        |counts| counts.published,
    ),
    (
        "number_of_notifications_delivered",
        "notifications that a queue, a web server or a mailbox took",
        |counts| counts.delivered,
    ),
    (
        "number_of_notifications_failed",
        "notifications that were given up",
        |counts| counts.failed,
    ),
    (
        "number_of_notifications_filtered_out",
        "notifications that a filter policy left out",
        TopicCounts::filtered_out,
    ),
    (
        "number_of_notifications_filtered_out_message_attributes",
        "those whose attributes it looked at",
        |counts| counts.filtered_attributes,
    ),
    (
        "number_of_notifications_filtered_out_no_message_attributes",
        "those that had no attributes to look at",
        |counts| counts.filtered_no_attributes,
    ),
    (
        "number_of_notifications_filtered_out_message_body",
        "those whose body it looked into",
        |counts| counts.filtered_body,
    ),
    (
        "number_of_notifications_filtered_out_invalid_message_body",
        "those whose body is no JSON",
        |counts| counts.filtered_invalid_body,
    ),
    (
        "number_of_notifications_redriven_to_dlq",
        "notifications given up that are in a dead-letter queue",
        |counts| counts.redriven,
    ),
    (
        "number_of_notifications_failed_to_redrive_to_dlq",
        "notifications given up that their dead-letter queue could not take",
        |counts| counts.not_redriven,
    ),
];

/// The topics that are there, by name.
pub(in crate::http) fn read(reader: &dyn Reader) -> Result<Vec<String>, StoreError> {
    let mut names: Vec<String> = Vec::new();
    loop {
        let page = reader.topics(names.last().map(String::as_str), PAGE)?;
        let is_last = page.len() < PAGE;
        names.extend(
            page.iter()
                .map(|topic| topic.topic.name.as_str().to_owned()),
        );
        if is_last {
            return Ok(names);
        }
    }
}

/// Prometheus text of all topics.
pub(in crate::http) fn text(names: &[String], flows: &TopicFlows) -> String {
    let rows: Vec<(&str, TopicCounts)> = names
        .iter()
        .map(|name| (name.as_str(), flows.get(name).copied().unwrap_or_default()))
        .collect();
    let mut text = String::new();
    for (name, help, number) in COUNTERS {
        let _ = writeln!(text, "# HELP aws_sns_{name}_total {help}");
        let _ = writeln!(text, "# TYPE aws_sns_{name}_total counter");
        for (topic, counts) in &rows {
            // A topic's name has no character that would have to be escaped.
            let number = number(counts);
            let _ = writeln!(
                text,
                "aws_sns_{name}_total{{topic_name=\"{topic}\"}} {number}"
            );
        }
        text.push('\n');
    }
    let name = "aws_sns_publish_size_bytes";
    let _ = writeln!(
        text,
        "# HELP {name} bodies and attributes of messages published"
    );
    let _ = writeln!(text, "# TYPE {name} summary");
    for (topic, counts) in &rows {
        let (sum, count) = (counts.published_bytes, counts.published);
        let _ = writeln!(text, "{name}_sum{{topic_name=\"{topic}\"}} {sum}");
        let _ = writeln!(text, "{name}_count{{topic_name=\"{topic}\"}} {count}");
    }
    text.push('\n');
    text
}
