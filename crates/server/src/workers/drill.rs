//! A consumer that only takes time: to try the runtime, the operations page and alerts with, and
//! to measure. There is none unless `[drill]` is set.
//!
//! ```text
//! {"outcome": "later"|"wait"|"never"|"panic", "receives": 3}   so for its first three receives
//! anything else                                                done, after `work_ms`
//! ```

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::consumer::{Consumer, Delivery, Outcome, Pace};
use crate::config::Drill as Settings;

/// How long a message waits that is told to.
const WAIT: Duration = Duration::from_secs(1);

pub(super) struct Drill {
    settings: Settings,
}

#[derive(Deserialize)]
struct Order {
    outcome: What,
    /// For so many receives; for ever without.
    receives: Option<u32>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Later,
    Wait,
    NotYet,
    Never,
    Panic,
}

impl Drill {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Consumer for Drill {
    fn name(&self) -> &'static str {
        "drill"
    }

    fn queue(&self) -> &'static str {
        if self.settings.fifo {
            "drill.fifo"
        } else {
            "drill"
        }
    }

    fn pace(&self) -> Pace {
        let settings = &self.settings;
        Pace {
            batch_max: settings.batch_max,
            timeout: Duration::from_secs(settings.timeout_s),
            work_max: Duration::from_millis(settings.work_max_ms),
            floor: settings.floor,
            ceiling: settings.ceiling,
            retry: Duration::from_millis(settings.retry_ms),
            receives_max: settings.receives_max,
            ..Pace::default()
        }
    }

    fn handle<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Vec<Outcome>> {
        async move {
            tokio::time::sleep(Duration::from_millis(self.settings.work_ms)).await;
            batch.iter().map(outcome).collect()
        }
        .boxed()
    }
}

fn outcome(delivery: &Delivery) -> Outcome {
    let Ok(order) = serde_json::from_str::<Order>(&delivery.body) else {
        return Outcome::Done;
    };
    if order
        .receives
        .is_some_and(|receives| delivery.receive_count > receives)
    {
        return Outcome::Done;
    }
    match order.outcome {
        What::Later => Outcome::later("the drill says so"),
        What::Wait => Outcome::Wait {
            after: WAIT,
            reason: "the drill says so".to_owned(),
        },
        What::NotYet => Outcome::NotYet {
            after: WAIT,
            reason: "the drill says so".to_owned(),
        },
        What::Never => Outcome::never("the drill says so"),
        What::Panic => panic!("the drill says so"),
    }
}
