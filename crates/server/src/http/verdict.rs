//! Waiting for a verdict that comes after the answer could have been given.

use std::time::Duration;

use engine::EngineError;
use engine::ports::{Reader, StoreError};

use crate::realtime::Subject;
use crate::state::App;

/// Waits until what is asked for has a verdict, at most so long. `read` gives it as it stands;
/// `last` is what is known of it before. Returns it as it then stands.
pub async fn wait_for_verdict<T>(
    app: &App,
    subject: Subject,
    last: T,
    wait: Duration,
    read: impl Fn(&dyn Reader) -> Result<Option<T>, StoreError> + Copy + Send + 'static,
    is_pending: impl Fn(&T) -> bool,
) -> Result<T, EngineError>
where
    T: Clone + Send + 'static,
{
    let Some(mut listener) = app.hub.listen(&[subject]) else {
        return Ok(last);
    };
    let deadline = tokio::time::Instant::now() + wait;
    loop {
        // Listening came first, so a verdict is either read here or heard below.
        let now = app.engine.read(read).await?;
        let now = now.unwrap_or_else(|| last.clone());
        if !is_pending(&now) {
            return Ok(now);
        }
        let heard = tokio::select! {
            () = app.cancel.cancelled() => None,
            heard = tokio::time::timeout_at(deadline, listener.next()) => heard.ok().flatten(),
        };
        if heard.is_none() {
            return Ok(now);
        }
    }
}
