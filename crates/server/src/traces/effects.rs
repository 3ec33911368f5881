//! What a consumer does, mostly one transaction in a database of its own.

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;

use super::spans::{New, begin_here};

/// A transaction of several messages is a span in the trace of each of them.
///
/// # Errors
/// Those of the work.
pub async fn effect<T, E>(
    name: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let new = || New {
        name: name.into(),
        kind: SpanKind::Internal,
        attributes: vec![KeyValue::new("db.system.name", "sqlite")],
        links: Vec::new(),
    };
    let Some(mut open) = begin_here(new) else {
        return work.await;
    };
    let done = work.await;
    if done.is_err() {
        open.fail("_OTHER");
    }
    open.end();
    done
}
