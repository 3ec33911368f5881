//! The long polls as Markdown: a line for each run.

use std::fmt::Write as _;

use super::{Outcome, Report};
use crate::report::thousands;
use crate::sqs::Latency;

const MIB: f64 = 1024.0 * 1024.0;

impl Report {
    pub fn table(&self) -> String {
        let mut text = format!(
            "{}\nidle for {} s; busy is the share of one core\n\n\
             | polls | queues | all there after s | slowest connect ms | MiB before | MiB waiting | KiB a poll | \
             busy before | busy waiting |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
            self.machine, self.idle_s
        );
        for outcome in &self.outcomes {
            writeln!(
                text,
                "| {} | {} | {:.2} | {:.1} | {:.1} | {:.1} | {:.1} | {:.2} % | {:.2} % |",
                thousands(outcome.connections.into()),
                outcome.queues,
                outcome.arrival_s,
                outcome.connect_ms_max,
                outcome.resident_bytes_before as f64 / MIB,
                outcome.resident_bytes_waiting as f64 / MIB,
                outcome.kib_a_poll(),
                outcome.busy_before * 100.0,
                outcome.busy_waiting * 100.0,
            )
            .expect("a String");
        }
        text.push_str(
            "\n| polls | queues | messages | polls answered for each | looks for each | \
             ms from the send's answer: p50, p99, max | ms from the send: p50, p99, max | \
             others busy |\n|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        );
        for outcome in &self.outcomes {
            let each = |count: u64| count as f64 / f64::from(outcome.messages.max(1));
            writeln!(
                text,
                "| {} | {} | {} | {:.3} | {:.3} | {} | {} | {:.0} % |",
                thousands(outcome.connections.into()),
                outcome.queues,
                outcome.messages,
                each(outcome.woken),
                each(outcome.looks),
                figures(&outcome.from_sent),
                figures(&outcome.from_send),
                outcome.others_busy * 100.0,
            )
            .expect("a String");
        }
        text
    }
}

impl Outcome {
    fn kib_a_poll(&self) -> f64 {
        let grown = self.resident_bytes_waiting as f64 - self.resident_bytes_before as f64;
        grown / 1024.0 / f64::from(self.connections)
    }
}

fn figures(latency: &Latency) -> String {
    format!(
        "{:.2}, {:.2}, {:.2}",
        latency.ms_p50, latency.ms_p99, latency.ms_max
    )
}
