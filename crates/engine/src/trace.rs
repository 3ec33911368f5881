//! Where a command comes from, for those who watch: W3C trace context, handed from the request
//! that had a command decided to the messages that tell of it.
//!
//! What always holds here: no rule looks at it and nothing stored or hashed holds it. It is there
//! only for as long as a task works within [`within`]; without that nothing is begun, kept or
//! allocated. What is remembered of entries is bounded, in memory, and gone after a restart.
//!
//! What a span is made of and where it goes this crate does not know: that is [`Tracer`].

mod context;
mod remembered;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::context::{TRACEPARENT, TRACESTATE, TraceContext};
pub(crate) use self::remembered::{Origin, Remembered};

/// A step of the engine that those who watch see as a span.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// From the admission of a command until its decision is durable.
    Decide { command: &'static str },
    /// An entry becomes a message of a topic, until the message is durable.
    Send {
        topic: &'a str,
        message: &'a str,
        kind: &'static str,
        /// Where else it belongs: what it is about was begun there.
        about: Option<&'a TraceContext>,
    },
}

/// Makes spans and takes them to whoever watches. It must not wait for anything.
pub trait Tracer: Send + Sync + 'static {
    /// One step that has one parent, or several in several traces. None when it is not recorded.
    fn begin(&self, parents: &[TraceContext], step: Step<'_>) -> Option<Box<dyn Span>>;
}

/// A step under way; dropped, it ends where it is.
pub trait Span: Send {
    /// What its children have as their parent; in the first trace when there are several.
    fn context(&self) -> TraceContext;

    /// With the code of a failure, when it was one.
    fn end(self: Box<Self>, failure: Option<&str>);
}

/// Where in which traces something is done.
#[derive(Clone)]
pub struct Trace {
    tracer: Arc<dyn Tracer>,
    parents: Arc<[TraceContext]>,
}

impl Trace {
    pub fn new(tracer: Arc<dyn Tracer>, parents: impl Into<Arc<[TraceContext]>>) -> Self {
        let parents = parents.into();
        Self { tracer, parents }
    }

    /// Of what is done here: one, or several when one piece of work is part of several traces.
    pub fn parents(&self) -> &[TraceContext] {
        &self.parents
    }

    pub fn begin(&self, step: Step<'_>) -> Option<Box<dyn Span>> {
        self.tracer.begin(&self.parents, step)
    }

    /// The same a step further down.
    #[must_use]
    pub fn below(&self, span: &dyn Span) -> Self {
        Self::new(Arc::clone(&self.tracer), [span.context()])
    }
}

tokio::task_local! {
    static CURRENT: Option<Trace>;
}

/// Does work as part of a trace: the commands that it has decided are steps of it.
pub async fn within<F: Future>(trace: Trace, work: F) -> F::Output {
    CURRENT.scope(Some(trace), work).await
}

/// Does work that is part of no trace, within one that is.
pub async fn apart<F: Future>(work: F) -> F::Output {
    CURRENT.scope(None, work).await
}

/// The trace that the running task works in.
pub fn current() -> Option<Trace> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}

/// A step of the current trace, if there is one, and where its children stand.
pub(crate) fn begin(step: Step<'_>) -> Option<(Box<dyn Span>, Trace)> {
    let trace = current()?;
    let span = trace.begin(step)?;
    let below = trace.below(&*span);
    Some((span, below))
}
