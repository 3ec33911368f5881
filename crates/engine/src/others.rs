//! What other processes commit to the same store: looked for now and then, and passed on to those
//! who listen here.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, EngineError};
use crate::ports::{News, Others};

/// How often to look: so much later than in the process that committed it something is heard here.
const EVERY: Duration = Duration::from_millis(100);

/// How long to wait before looking again when the store could not be read.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Runs until cancelled, or until the engine has stopped. Over at once where nobody else can write
/// to the store.
pub async fn run_others(engine: Engine, cancel: CancellationToken) {
    let Some(others) = engine.others().cloned() else {
        return;
    };
    let (mut pause, mut mark) = (EVERY, 0);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = engine.stopped() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = EVERY;
        if !engine.feed().has_readers() && engine.waits().waiting() == 0 {
            continue;
        }
        match look(&engine, &others, mark).await {
            Ok(newest) => mark = newest,
            Err(error) => {
                tracing::warn!(%error, "what others have committed is looked for again");
                pause = LOOK_AGAIN;
            }
        }
    }
}

/// Returns the mark of what was told.
async fn look(engine: &Engine, others: &Arc<dyn Others>, mark: u64) -> Result<u64, EngineError> {
    let others = Arc::clone(others);
    let known = engine.feed().last_seq();
    let (news, newest) = engine
        .read_own(move |reader| {
            let news = others.news(mark)?;
            let newest = if news.last_seq > known {
                reader.entry(news.last_seq)?
            } else {
                None
            };
            Ok((news, newest))
        })
        .await?;
    let News {
        mark,
        last_seq,
        woken,
    } = news;
    if let Some(newest) = newest {
        // What is decided or looked for from now on is not earlier.
        engine.note_time(newest.at);
    }
    engine.feed().told_by_others(last_seq);
    for queue in woken {
        engine.waits().told_by_others(&queue);
    }
    Ok(mark)
}
