//! The signals that ask the process to end.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A write past the limit of a file's size (`ulimit -f`) is an error from now on, as on a full disk.
/// Without a handler the system ends the process, without a word. Nobody need hear the signal.
pub(super) fn outlive_file_size_limit() {
    let too_large = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    if let Err(error) = signal(too_large) {
        tracing::warn!(%error, "a file that may not grow would end the process");
    }
}

/// The first signal stops in order, the second at once.
pub(super) async fn cancel_on_signal(mut signals: Signals, cancel: CancellationToken) {
    signals.next().await;
    tracing::info!("stopping: requests that were begun are answered");
    cancel.cancel();
    signals.next().await;
    tracing::warn!("stopped at once");
    #[expect(
        clippy::exit,
        reason = "a second signal means now; what is durable is durable"
    )]
    std::process::exit(130);
}

/// The signals that ask a process to end, heard from the moment this is made.
pub(super) struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Signals {
    pub(super) fn hear() -> Self {
        let hear = |kind| {
            let heard = signal(kind);
            if let Err(error) = &heard {
                tracing::error!(%error, "a signal cannot be heard; SIGKILL loses nothing either");
            }
            heard.ok()
        };
        Self {
            terminate: hear(SignalKind::terminate()),
            interrupt: hear(SignalKind::interrupt()),
        }
    }

    async fn next(&mut self) {
        async fn one(signal: &mut Option<Signal>) {
            match signal {
                Some(signal) => {
                    signal.recv().await;
                }
                None => std::future::pending().await,
            }
        }
        tokio::select! {
            () = one(&mut self.terminate) => {}
            () = one(&mut self.interrupt) => {}
        }
    }
}
