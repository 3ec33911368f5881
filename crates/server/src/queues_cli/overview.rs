//! `queues list` and `queues show`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::client::{Ask, Client, Trouble};
use super::moves::Move;
use super::table::{Align, Table, age, compact};
use super::{Output, read};

#[derive(Args)]
pub(super) struct ListArgs {
    /// Only queues whose names begin so
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
}

#[derive(Args)]
pub(super) struct ShowArgs {
    /// The queue
    name: String,
}

#[derive(Deserialize)]
struct List {
    queues: Vec<Queue>,
}

#[derive(Deserialize)]
pub(super) struct PerMinute {
    sent: u64,
    received: u64,
    deleted: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Queue {
    name: String,
    kind: String,
    pub(super) total: u64,
    visible: u64,
    in_flight: u64,
    delayed: u64,
    oldest_age_seconds: Option<u64>,
    per_minute: PerMinute,
    dead_letter_queue: Option<String>,
    max_receive_count: Option<u32>,
    pub(super) dead_letter_source_queues: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    visibility_timeout_seconds: u64,
    delay_seconds: u64,
    retention_seconds: u64,
    maximum_message_bytes: u64,
    receive_wait_seconds: u64,
    fifo: Option<Fifo>,
    redrive_allow: Option<RedriveAllow>,
    policy: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fifo {
    content_based_deduplication: bool,
    deduplication_scope: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedriveAllow {
    permission: String,
    source_queues: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Detail {
    #[serde(flatten)]
    pub(super) queue: Queue,
    settings: Settings,
    tags: BTreeMap<String, String>,
    owner: Option<String>,
    created_at: String,
    pub(super) moves: Vec<Move>,
}

/// All pages as one answer.
async fn all(client: &Client, prefix: Option<String>) -> Result<Value, Trouble> {
    let mut queues = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let query = [("prefix", prefix.clone()), ("after", after)];
        let ask = Ask {
            query: query
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
            ..Ask::default()
        };
        let mut answer = client.call(reqwest::Method::GET, ask).await?;
        if let Some(page) = answer["queues"].as_array_mut() {
            queues.append(page);
        }
        match answer["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => return Ok(serde_json::json!({ "queues": queues })),
        }
    }
}

pub(super) async fn list(client: &Client, args: ListArgs, output: Output) -> Result<(), Trouble> {
    let answer = all(client, args.prefix).await?;
    output.print(&answer, || {
        let list: List = read(&answer)?;
        if list.queues.is_empty() {
            return Ok("no queues".to_owned());
        }
        Ok(list_text(&list.queues, output.columns))
    })
}

fn list_text(queues: &[Queue], columns: Option<usize>) -> String {
    let mut table = Table::new(&[
        ("QUEUE", Align::Flexible),
        ("VISIBLE", Align::Right),
        ("IN FLIGHT", Align::Right),
        ("DELAYED", Align::Right),
        ("OLDEST", Align::Right),
        ("SENT", Align::Right),
        ("RECEIVED", Align::Right),
        ("DELETED", Align::Right),
    ]);
    for queue in queues {
        let flow = &queue.per_minute;
        table.row([
            queue.name.clone(),
            compact(queue.visible),
            compact(queue.in_flight),
            compact(queue.delayed),
            queue.oldest_age_seconds.map_or_else(|| "-".to_owned(), age),
            compact(flow.sent),
            compact(flow.received),
            compact(flow.deleted),
        ]);
    }
    let mut text = table.text(columns);
    text.push_str("sent, received and deleted in the last minute");
    text
}

pub(super) async fn show(client: &Client, args: &ShowArgs, output: Output) -> Result<(), Trouble> {
    let answer = client.get(&[&args.name]).await?;
    output.print(&answer, || Ok(detail_text(&read(&answer)?)))
}

fn detail_text(detail: &Detail) -> String {
    let Detail {
        queue, settings, ..
    } = detail;
    let mut text = format!("{} ({})\n", queue.name, queue.kind);
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<17}{value}");
    };
    line(
        "messages",
        format!(
            "{} visible, {} in flight, {} delayed",
            queue.visible, queue.in_flight, queue.delayed
        ),
    );
    if let Some(seconds) = queue.oldest_age_seconds {
        line("oldest", age(seconds));
    }
    let flow = &queue.per_minute;
    line(
        "last minute",
        format!(
            "{} sent, {} received, {} deleted",
            flow.sent, flow.received, flow.deleted
        ),
    );
    if let (Some(target), Some(count)) = (&queue.dead_letter_queue, queue.max_receive_count) {
        line(
            "dead letters to",
            format!("{target}, after {count} receives"),
        );
    }
    if !queue.dead_letter_source_queues.is_empty() {
        line(
            "dead letters of",
            queue.dead_letter_source_queues.join(", "),
        );
    }
    settings_lines(settings, &mut line);
    for (at, (key, value)) in detail.tags.iter().enumerate() {
        let name = if at == 0 { "tags" } else { "" };
        line(name, super::table::one_line(&format!("{key}={value}")));
    }
    if let Some(owner) = &detail.owner {
        line("owner", owner.clone());
    }
    line("created", detail.created_at.clone());
    for (at, task) in detail.moves.iter().enumerate() {
        line(if at == 0 { "moves" } else { "" }, task.text());
    }
    text
}

fn settings_lines(settings: &Settings, line: &mut impl FnMut(&str, String)) {
    line(
        "visibility",
        format!("{} s", settings.visibility_timeout_seconds),
    );
    line("delay", format!("{} s", settings.delay_seconds));
    line("retention", age(settings.retention_seconds));
    line(
        "largest message",
        format!("{} bytes", settings.maximum_message_bytes),
    );
    line(
        "receives wait",
        format!("{} s", settings.receive_wait_seconds),
    );
    if let Some(fifo) = &settings.fifo {
        let by = if fifo.content_based_deduplication {
            "by id or content"
        } else {
            "by id"
        };
        let scope = match fifo.deduplication_scope.as_str() {
            "messageGroup" => "within a group",
            _ => "within the queue",
        };
        line("duplicates", format!("found {by}, {scope}"));
    }
    if let Some(allow) = &settings.redrive_allow {
        line(
            "redrive allowed",
            match allow.permission.as_str() {
                "allowAll" => "to all".to_owned(),
                "denyAll" => "to none".to_owned(),
                _ => allow.source_queues.join(", "),
            },
        );
    }
    if let Some(policy) = settings.policy.as_ref().and_then(Value::as_str) {
        line("policy", super::table::one_line(policy));
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::width;
    use super::*;

    #[test]
    fn a_list_of_the_longest_names_and_numbers_fits_a_terminal() {
        let queue = serde_json::json!({
            "name": "x".repeat(80), "kind": "standard", "total": 1, "visible": 123_456_789_u64,
            "inFlight": 999_999, "delayed": 999_999, "oldestAgeSeconds": 3_599,
            "perMinute": {"sent": 999_999, "received": 999_999, "deleted": 999_999},
            "deadLetterSourceQueues": [],
        });
        let queue: Queue = serde_json::from_value(queue).unwrap();
        let text = list_text(&[queue], Some(80));
        for line in text.lines() {
            assert!(width(line) <= 80, "{} {line}", width(line));
        }
        assert!(text.contains("…") && text.contains("123M"), "{text}");
    }
}
