//! The numbers of queues for Prometheus, under the names that Amazon has for them.
//!
//! Written here and not kept by the recorder, which never forgets a label: what is written are
//! the queues that are there, so a shop that makes and deletes queues all day does not grow.
//!
//! Amazon's names: the metrics of SQS in its developer guide, in the form in which exporters give
//! them to Prometheus.

use std::fmt::Write as _;

use commerce::Millis;
use engine::ports::{QueueDepth, Reader, StoreError};
use engine::{Flow, Flows};
use messaging::fair::Load;

use crate::http::views::seconds_between;

/// What is in flight of a queue, as numbers: who has it may be a hundred thousand groups.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::http) struct Busy {
    groups: u64,
    noisy_groups: u64,
    in_quiet_groups: u64,
}

impl From<Load> for Busy {
    fn from(load: Load) -> Self {
        let noisy: u64 = load.noisy().map(|(_, group)| group.in_flight).sum();
        Self {
            groups: load.groups.len() as u64,
            noisy_groups: load.noisy().count() as u64,
            in_quiet_groups: load.in_flight.saturating_sub(noisy),
        }
    }
}

/// One queue at one moment.
struct Row<'a> {
    depth: &'a QueueDepth,
    busy: Busy,
    flow: Flow,
    age_s: u64,
}

/// A family of series: its name, type, description, and the lines of one queue.
struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    /// Each with what follows the name, further labels, and the number.
    lines: fn(&Row<'_>) -> Vec<(&'static str, &'static str, u64)>,
    label: &'static str,
}

const AMAZON: &str = "queue_name";
const OURS: &str = "queue";

const fn family(
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    lines: fn(&Row<'_>) -> Vec<(&'static str, &'static str, u64)>,
) -> Family {
    Family {
        name,
        kind,
        help,
        lines,
        label: AMAZON,
    }
}

const FAMILIES: [Family; 15] = [
    family(
        "aws_sqs_approximate_number_of_messages_visible",
        "gauge",
        "messages that can be received",
        |row| vec![("", "", row.depth.visible)],
    ),
    family(
        "aws_sqs_approximate_number_of_messages_not_visible",
        "gauge",
        "messages in flight",
        |row| vec![("", "", row.depth.in_flight)],
    ),
    family(
        "aws_sqs_approximate_number_of_messages_delayed",
        "gauge",
        "messages that cannot be received yet",
        |row| vec![("", "", row.depth.delayed)],
    ),
    family(
        "aws_sqs_approximate_number_of_groups_with_inflight_messages",
        "gauge",
        "message groups of a FIFO queue that have messages in flight",
        |row| match row.is_fifo() {
            true => vec![("", "", row.busy.groups)],
            false => Vec::new(),
        },
    ),
    family(
        "aws_sqs_approximate_number_of_noisy_groups",
        "gauge",
        "message groups of a standard queue that take more than their share",
        |row| match row.is_fifo() {
            true => Vec::new(),
            false => vec![("", "", row.busy.noisy_groups)],
        },
    ),
    family(
        "aws_sqs_approximate_number_of_messages_not_visible_in_quiet_groups",
        "gauge",
        "messages in flight but for those of noisy groups",
        |row| match row.is_fifo() {
            true => Vec::new(),
            false => vec![("", "", row.busy.in_quiet_groups)],
        },
    ),
    family(
        "aws_sqs_approximate_age_of_oldest_message_seconds",
        "gauge",
        "age of the oldest message, 0 when there is none",
        |row| vec![("", "", row.age_s)],
    ),
    family(
        "aws_sqs_number_of_messages_sent_total",
        "counter",
        "messages stored",
        |row| vec![("", "", row.flow.total.sent)],
    ),
    family(
        "aws_sqs_number_of_deduplicated_sent_messages_total",
        "counter",
        "duplicates that were answered and not stored",
        |row| vec![("", "", row.flow.total.deduplicated)],
    ),
    family(
        "aws_sqs_number_of_messages_received_total",
        "counter",
        "messages handed out",
        |row| vec![("", "", row.flow.total.received)],
    ),
    family(
        "aws_sqs_number_of_empty_receives_total",
        "counter",
        "looks that found nothing",
        |row| vec![("", "", row.flow.total.empty_receives)],
    ),
    family(
        "aws_sqs_number_of_messages_deleted_total",
        "counter",
        "messages deleted one by one",
        |row| vec![("", "", row.flow.total.deleted)],
    ),
    family(
        "aws_sqs_sent_message_size_bytes",
        "summary",
        "bodies and attributes of messages stored",
        |row| {
            let total = &row.flow.total;
            vec![("_sum", "", total.sent_bytes), ("_count", "", total.sent)]
        },
    ),
    Family {
        label: OURS,
        ..family(
            "firstcome_queue_messages",
            "gauge",
            "messages in a queue, by queue and state",
            |row| {
                vec![
                    ("", ",state=\"visible\"", row.depth.visible),
                    ("", ",state=\"in_flight\"", row.depth.in_flight),
                    ("", ",state=\"delayed\"", row.depth.delayed),
                ]
            },
        )
    },
    Family {
        label: OURS,
        ..family(
            "firstcome_queue_oldest_seconds",
            "gauge",
            "age of the oldest message, by queue",
            |row| vec![("", "", row.age_s)],
        )
    },
];

impl Row<'_> {
    fn is_fifo(&self) -> bool {
        self.depth.queue.config.is_fifo()
    }
}

/// What the store counts. Who has how much in flight it is asked only where something is: that is
/// bounded. What waits it cannot tell apart by group without reading it, however much that is.
pub(in crate::http) fn read(
    reader: &dyn Reader,
    now: Millis,
) -> Result<Vec<(QueueDepth, Busy)>, StoreError> {
    let with_load = |depth: QueueDepth| {
        let busy = match depth.in_flight {
            0 => Busy::default(),
            _ => reader.load(&depth.queue.name, now)?.into(),
        };
        Ok((depth, busy))
    };
    reader.queues(now)?.into_iter().map(with_load).collect()
}

/// Prometheus text of all queues.
pub(in crate::http) fn text(queues: &[(QueueDepth, Busy)], flows: &Flows, now: Millis) -> String {
    let rows: Vec<Row<'_>> = queues
        .iter()
        .map(|(depth, busy)| Row {
            depth,
            busy: *busy,
            flow: flows.get(&depth.queue.name).copied().unwrap_or_default(),
            age_s: depth
                .oldest_sent_at
                .map_or(0, |sent| seconds_between(sent, now)),
        })
        .collect();
    let mut text = String::new();
    for family in &FAMILIES {
        let (name, label) = (family.name, family.label);
        let _ = writeln!(text, "# HELP {name} {}", family.help);
        let _ = writeln!(text, "# TYPE {name} {}", family.kind);
        for row in &rows {
            // A queue's name has no character that would have to be escaped.
            let queue = &row.depth.queue.name;
            for (suffix, labels, number) in (family.lines)(row) {
                let _ = writeln!(
                    text,
                    "{name}{suffix}{{{label}=\"{queue}\"{labels}}} {number}"
                );
            }
        }
        text.push('\n');
    }
    text
}
