//! Very many orders and everything that follows them: what the consumers cost those who buy, how
//! long the backlog takes to go, and how long after its order each effect is there.
//!
//! Each round runs the same orders twice, on a store of its own each time: with every consumer
//! switched off, and with all of them. How late an effect is comes from two curves, of orders
//! accepted and of messages done, which are looked at every [`LOOK_EVERY`].

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::clock;
use crate::error::{BenchError, io_error};
use crate::http;
use crate::load::{self, Outcome, Plan};
use crate::process;
use crate::rows::{KEYED, System};
use crate::suite::orders;
use crate::systems::{Programs, Running};

pub const ORDERS_MAX: u64 = 1_000_000;
pub const ROUNDS_MAX: u32 = 10;
const CONNECTIONS: u16 = 64;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The window of the orders: they end before it.
const WINDOW: Duration = Duration::from_secs(120);
/// How long the consumers may take for the rest.
const DRAIN_LIMIT: Duration = Duration::from_secs(600);
const ACCEPTED: &str = r#"firstcome_decisions_total{command="place_order"}"#;
const HANDLED: &str = "firstcome_consumer_handled_total{";

#[derive(Clone, Debug)]
pub struct Options {
    pub orders: u64,
    pub rounds: u32,
    /// Each does one message for each order.
    pub consumers: Vec<String>,
    pub programs: Programs,
    pub dir: PathBuf,
}

#[derive(Clone, Debug, Serialize)]
pub struct Consumed {
    pub consumer: String,
    pub done: u64,
    /// From the last order's answer to its last message.
    pub drained_s: f64,
    /// From the first message to the last.
    pub rate: f64,
    /// The most orders that were ahead of it.
    pub backlog_max: u64,
    /// From an order to its effect.
    pub delay_s_p50: f64,
    pub delay_s_p99: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Round {
    pub rate_without: f64,
    pub rate_with: f64,
    pub p99_ms_without: f64,
    pub p99_ms_with: f64,
    pub consumers: Vec<Consumed>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub machine: String,
    pub orders: u64,
    pub rounds: Vec<Round>,
}

impl Report {
    pub fn table(&self) -> String {
        let mut text = format!(
            "{}\n{} orders at {CONNECTIONS} connections, all accepted, each round on new stores\n",
            self.machine, self.orders
        );
        for (n, round) in self.rounds.iter().enumerate() {
            text.push_str(&format!(
                "round {}: {:.0} orders/s without consumers (p99 {:.1} ms), {:.0} with ({:.1} ms): {:.2}\n",
                n + 1,
                round.rate_without,
                round.p99_ms_without,
                round.rate_with,
                round.p99_ms_with,
                round.rate_with / round.rate_without
            ));
            for one in &round.consumers {
                text.push_str(&format!(
                    "  {:<18} {} done, {:.0}/s, backlog at most {}, {:.1} s after the last order, \
                     delay p50 {:.1} s, p99 {:.1} s\n",
                    one.consumer,
                    one.done,
                    one.rate,
                    one.backlog_max,
                    one.drained_s,
                    one.delay_s_p50,
                    one.delay_s_p99
                ));
            }
        }
        text
    }

    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for consumed in self.rounds.iter().flat_map(|round| &round.consumers) {
            if consumed.done != self.orders {
                problems.push(format!(
                    "{} did {} of {}",
                    consumed.consumer, consumed.done, self.orders
                ));
            }
        }
        problems
    }
}

/// What the metrics said at a moment, seconds after the start.
#[derive(Clone, Debug, Default)]
struct Look {
    at: f64,
    accepted: u64,
    done: BTreeMap<String, u64>,
}

pub fn run(options: &Options) -> Result<Report, BenchError> {
    for (field, value, max) in [
        ("orders", options.orders, ORDERS_MAX),
        ("rounds", u64::from(options.rounds), u64::from(ROUNDS_MAX)),
    ] {
        if !(1..=max).contains(&value) {
            return Err(BenchError::Option {
                field,
                problem: format!("{value} is not in 1 to {max}"),
            });
        }
    }
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        let off = format!("[{}]", options.consumers.join(","));
        let (without, _) = sell(options, &[("FIRSTCOME_CONSUMERS__OFF", off)], false)?;
        let (with, looks) = sell(options, &[], true)?;
        rounds.push(Round {
            rate_without: without.rate,
            rate_with: with.rate,
            p99_ms_without: without.latency_ms_p99,
            p99_ms_with: with.latency_ms_p99,
            consumers: options
                .consumers
                .iter()
                .map(|consumer| consumed(consumer, &looks))
                .collect(),
        });
    }
    Ok(Report {
        machine: process::machine(),
        orders: options.orders,
        rounds,
    })
}

/// All the orders on a new store, and then until the consumers are done.
fn sell(
    options: &Options,
    variables: &[(&str, String)],
    drains: bool,
) -> Result<(Outcome, Vec<Look>), BenchError> {
    let dir = options
        .dir
        .join(format!("followups-{}", std::process::id()));
    let running = Running::start_with(&options.programs, System::Firstcome, &dir, variables)?;
    let api = running.address;
    let body = format!(
        r#"{{"sku":"HOT","name":"Donut","price":19900,"currency":"KRW","stock":{}}}"#,
        options.orders
    );
    let (status, answer) = http::call(api, "POST", "/products", &body)?;
    if status != 201 {
        return Err(BenchError::Setup {
            call: "POST /products".to_owned(),
            status,
            body: answer,
        });
    }
    let over = AtomicBool::new(false);
    let began = clock::now();
    let (outcome, looks) = thread::scope(|scope| {
        let looker = scope.spawn(|| watch(api, options, began, drains, &over));
        let outcome = load::run(
            &Plan {
                requests_max: options.orders,
                ..orders(&running, KEYED, CONNECTIONS, WINDOW)
            },
            None,
        );
        over.store(true, Ordering::Relaxed);
        let looks = looker.join().expect("looking does not panic");
        (outcome, looks)
    });
    let (outcome, looks) = (outcome?, looks?);
    if outcome.answered_total != options.orders {
        return Err(BenchError::Option {
            field: "orders",
            problem: format!(
                "{} were accepted: {:?}",
                outcome.answered_total, outcome.errors
            ),
        });
    }
    running.stop()?;
    fs::remove_dir_all(&dir).map_err(io_error(format!("removing {}", dir.display())))?;
    Ok((outcome, looks))
}

fn watch(
    api: SocketAddr,
    options: &Options,
    began: std::time::Instant,
    drains: bool,
    over: &AtomicBool,
) -> Result<Vec<Look>, BenchError> {
    let mut looks = vec![Look::default()];
    let mut deadline = None;
    loop {
        thread::sleep(LOOK_EVERY);
        let was_over = over.load(Ordering::Relaxed);
        if was_over && !drains {
            return Ok(looks);
        }
        let look = look(api, (clock::now() - began).as_secs_f64())?;
        let is_done = options.consumers.iter().all(|consumer| {
            look.done
                .get(consumer)
                .is_some_and(|n| *n >= options.orders)
        });
        looks.push(look);
        if was_over {
            let until = *deadline.get_or_insert_with(|| clock::now() + DRAIN_LIMIT);
            if is_done || clock::now() > until {
                return Ok(looks);
            }
        }
    }
}

fn look(api: SocketAddr, at: f64) -> Result<Look, BenchError> {
    let (status, text) = http::call(api, "GET", "/metrics", "")?;
    if status != 200 {
        return Err(BenchError::Answer {
            call: "/metrics".to_owned(),
            body: text,
        });
    }
    let mut look = Look {
        at,
        ..Look::default()
    };
    for line in text.lines() {
        let Some((name, value)) = line.rsplit_once(' ') else {
            continue;
        };
        let Ok(value) = value.parse::<u64>() else {
            continue;
        };
        if name == ACCEPTED {
            look.accepted = value;
        } else if name.starts_with(HANDLED) && name.contains(r#"outcome="done""#) {
            let consumer = name
                .split_once(r#"consumer=""#)
                .and_then(|(_, rest)| rest.split_once('"'));
            if let Some((consumer, _)) = consumer {
                look.done.insert(consumer.to_owned(), value);
            }
        }
    }
    Ok(look)
}

/// When the nth was there, between two looks as if it had been steady.
fn reached(looks: &[Look], n: f64, count: impl Fn(&Look) -> u64) -> Option<f64> {
    let after = looks.iter().position(|look| count(look) as f64 >= n)?;
    let before = after.checked_sub(1)?;
    let (low, high) = (&looks[before], &looks[after]);
    let (from, to) = (count(low) as f64, count(high) as f64);
    let share = if to > from {
        (n - from) / (to - from)
    } else {
        1.0
    };
    Some(low.at + (high.at - low.at) * share)
}

fn consumed(consumer: &str, looks: &[Look]) -> Consumed {
    let done_in = |look: &Look| look.done.get(consumer).copied().unwrap_or(0);
    let accepted_in = |look: &Look| look.accepted;
    let last = looks.last().map_or(0, done_in);
    let total = looks.last().map_or(0, accepted_in);
    let mut delays: Vec<f64> = (1..=200)
        .filter_map(|part| {
            let n = last as f64 * f64::from(part) / 200.0;
            let (done, accepted) = (reached(looks, n, done_in)?, reached(looks, n, accepted_in)?);
            Some((done - accepted).max(0.0))
        })
        .collect();
    delays.sort_by(f64::total_cmp);
    let quantile = |share: usize| {
        let index = delays.len() * share / 100;
        delays
            .get(index.min(delays.len().saturating_sub(1)))
            .copied()
    };
    let first = reached(looks, 1.0, done_in).unwrap_or(0.0);
    let end = reached(looks, last as f64, done_in).unwrap_or(0.0);
    let sold = reached(looks, total as f64, accepted_in).unwrap_or(0.0);
    Consumed {
        consumer: consumer.to_owned(),
        done: last,
        drained_s: (end - sold).max(0.0),
        rate: last as f64 / (end - first).max(1e-9),
        backlog_max: looks
            .iter()
            .map(|look| accepted_in(look).saturating_sub(done_in(look)))
            .max()
            .unwrap_or(0),
        delay_s_p50: quantile(50).unwrap_or(0.0),
        delay_s_p99: quantile(99).unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_the_time_between_the_curves() {
        // 100 orders a second for ten seconds; a consumer that does fifty.
        let looks: Vec<Look> = (0..=20)
            .map(|second: u32| Look {
                at: f64::from(second),
                accepted: u64::from(second.min(10)) * 100,
                done: [("c".to_owned(), u64::from(second) * 50)].into(),
            })
            .collect();
        let consumed = consumed("c", &looks);
        assert_eq!(consumed.done, 1_000);
        assert_eq!(consumed.backlog_max, 500);
        assert!((consumed.drained_s - 10.0).abs() < 1e-6, "{consumed:?}");
        assert!((consumed.delay_s_p50 - 5.0).abs() < 0.2, "{consumed:?}");
        assert!((consumed.delay_s_p99 - 9.95).abs() < 0.2, "{consumed:?}");
        assert!((consumed.rate - 50.0).abs() < 1.0, "{consumed:?}");
    }
}
