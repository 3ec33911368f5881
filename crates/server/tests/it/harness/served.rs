//! Routes that are served beside a test, on a thread of their own: they must answer while the test
//! blocks to end its shop.

use std::net::TcpListener;
use std::thread::JoinHandle;

use axum::Router;
use tokio_util::sync::CancellationToken;

/// Serves until it is dropped.
pub(crate) struct Served {
    cancel: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// The listener does not block.
    pub(crate) fn start(listener: TcpListener, routes: Router) -> Self {
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    served = axum::serve(listener, routes) => served.unwrap(),
                    () = stop.cancelled() => {}
                }
            });
        });
        Self {
            cancel,
            thread: Some(thread),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.cancel.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
