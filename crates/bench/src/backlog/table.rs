//! The measurement of a long queue as Markdown.

use std::fmt::Write as _;

use super::{BATCH, Report};
use crate::load::Outcome;
use crate::report::thousands;
use crate::sends::SENDS_PER_S;
use crate::sqs::Latency;

const MIB: f64 = 1024.0 * 1024.0;

impl Report {
    pub fn table(&self) -> String {
        let mut text = format!(
            "{}\n{} messages in one {}, by `SendMessageBatch` of {BATCH} on {} connections: \
             {} messages/s, {:.1} s; others busy {:.0} %\n\n",
            self.machine,
            thousands(self.counted as f64),
            match self.fifo {
                Some(groups) => format!("FIFO queue of {} groups", thousands(f64::from(groups))),
                None => "queue".to_owned(),
            },
            self.fill.connections,
            thousands(self.fill.rate * BATCH as f64),
            self.fill.window_s,
            self.fill.others_busy * 100.0,
        );
        text.push_str("| MiB | memory | store |\n|---|--:|--:|\n");
        let mut sizes = |name: &str, memory: u64, store: Option<u64>| {
            let store = store.map_or_else(String::new, mib);
            writeln!(text, "| {name} | {} | {store} |", mib(memory)).expect("a String");
        };
        sizes("empty", self.resident_bytes_empty, None);
        sizes("full", self.resident_bytes_full, Some(self.store_bytes));
        let sweep = &self.sweep;
        sizes(
            "most while it is swept",
            sweep.resident_bytes_max,
            Some(sweep.store_bytes_max),
        );
        self.add_starts(&mut text);
        self.add_latencies(&mut text);
        let swept = match sweep.seconds {
            Some(seconds) => format!("{seconds:.1} s after the purge"),
            None => "not within the limit".to_owned(),
        };
        write!(text, "\nswept: {swept}, in {} sweeps", sweep.sweeps).expect("a String");
        text
    }

    fn add_starts(&self, text: &mut String) {
        text.push_str(
            "\n| start after | stop ms | ready file ms | GetQueueAttributes ms | \
             ReceiveMessage ms | MiB |\n|---|--:|--:|--:|--:|--:|\n",
        );
        for start in &self.starts {
            let stop = start
                .stop_ms
                .map_or_else(String::new, |ms| format!("{ms:.0}"));
            writeln!(
                text,
                "| {} | {stop} | {:.1} | {:.1} | {:.1} | {} |",
                start.after,
                start.ready_file_ms,
                start.attributes_ms,
                start.receive_ms,
                mib(start.resident_bytes),
            )
            .expect("a String");
        }
    }

    fn add_latencies(&self, text: &mut String) {
        text.push_str("\n| | calls | p50 ms | p99 ms | max ms |\n|---|--:|--:|--:|--:|\n");
        let mut line = |name: &str, latency: Latency| {
            writeln!(
                text,
                "| {name} | {} | {:.3} | {:.3} | {:.3} |",
                latency.calls, latency.ms_p50, latency.ms_p99, latency.ms_max
            )
            .expect("a String");
        };
        line("`ReceiveMessage`", latency(&self.receive));
        if let Some(held) = &self.held {
            let name = format!("the same, {} in flight", thousands(held.in_flight as f64));
            line(&name, latency(&held.receive));
        }
        line("`GetQueueAttributes`, all", latency(&self.attributes));
        line(
            "`PurgeQueue`",
            Latency {
                calls: 1,
                ms_p50: self.purge_ms,
                ms_p99: self.purge_ms,
                ms_max: self.purge_ms,
            },
        );
        let name = format!("`SendMessage`, {SENDS_PER_S} a second, before the purge");
        line(&name, self.sends_before);
        line("the same while it is swept", self.sends_meanwhile);
    }
}

fn latency(outcome: &Outcome) -> Latency {
    Latency {
        calls: outcome.answered,
        ms_p50: outcome.latency_ms_p50,
        ms_p99: outcome.latency_ms_p99,
        ms_max: outcome.latency_ms_max,
    }
}

fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / MIB)
}
