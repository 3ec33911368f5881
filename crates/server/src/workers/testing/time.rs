//! Time of tests: it stands still while somebody is at work and jumps to the next appointment
//! otherwise. So an hour passes in a moment, and a database, a thread or a socket takes none.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;

use commerce::Millis;
use engine::ports::Clock;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::workers::consumer::{Consumer, Delivery, Hears, Outcome, Pace};

/// When every test begins.
pub(in crate::workers) const START: Millis = 1_700_000_000_000;

/// Goes with the paused time of the runtime.
pub(in crate::workers) struct TestClock {
    began: Instant,
    /// What the runtime's threads have read: others, the sequencer's, do not see paused time.
    last: AtomicI64,
}

impl TestClock {
    pub(in crate::workers) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            last: AtomicI64::new(START),
        })
    }
}

impl Clock for TestClock {
    fn now(&self) -> Millis {
        if Handle::try_current().is_err() {
            return self.last.load(Ordering::SeqCst);
        }
        let now = START + Millis::try_from(self.began.elapsed().as_millis()).unwrap();
        self.last.fetch_max(now, Ordering::SeqCst).max(now)
    }
}

/// Time stands still until it is dropped: the runtime waits for its blocking threads.
pub(in crate::workers) struct Still(#[expect(dead_code, reason = "dropped to let go")] Hold);

type Hold = mpsc::Sender<()>;

pub(in crate::workers) fn stand_still() -> Still {
    let (hold, released) = mpsc::channel();
    tokio::task::spawn_blocking(move || released.recv());
    Still(hold)
}

/// A consumer whose work takes no time, whatever it does.
pub(in crate::workers) struct Timeless(pub Arc<dyn Consumer>);

impl Consumer for Timeless {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn queue(&self) -> &'static str {
        self.0.queue()
    }

    fn hears(&self) -> &'static [Hears] {
        self.0.hears()
    }

    fn pace(&self) -> Pace {
        self.0.pace()
    }

    fn handle<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Vec<Outcome>> {
        async move {
            let _still = stand_still();
            self.0.handle(batch).await
        }
        .boxed()
    }
}
