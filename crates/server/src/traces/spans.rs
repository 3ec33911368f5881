//! Spans: begun below their parents, ended into the exporter's queue.

use std::borrow::Cow;
use std::str::FromStr as _;
use std::sync::{Arc, OnceLock};

use engine::trace::{Span, Step, Trace, TraceContext, Tracer};
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _,
    TraceFlags, TraceId, TraceState, Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

/// What our own topics and queues are called where OpenTelemetry asks for the system.
pub(super) const SYSTEM: &str = "firstcome";

static ON: OnceLock<Arc<Spans>> = OnceLock::new();

/// Where spans are made; none when traces are off.
pub(super) fn on() -> Option<&'static Arc<Spans>> {
    ON.get()
}

/// Whether they are on.
pub fn are_on() -> bool {
    on().is_some()
}

pub(super) fn switch_on(spans: Spans) {
    // A second start in one process changes nothing.
    let _ = ON.set(Arc::new(spans));
}

pub(super) struct Spans {
    pub(super) tracer: SdkTracer,
    /// What it was made by; without it the tracer makes nothing.
    pub(super) _provider: SdkTracerProvider,
}

/// A span to be.
pub(super) struct New {
    pub(super) name: Cow<'static, str>,
    pub(super) kind: SpanKind,
    pub(super) attributes: Vec<KeyValue>,
    /// Spans of other traces that it has to do with.
    pub(super) links: Vec<SpanContext>,
}

/// One piece of work under way: a span in each of the traces that it is part of, those after the
/// first with a link to the first. There is at least one.
pub(super) struct Open(Vec<opentelemetry_sdk::trace::Span>);

impl Spans {
    /// A span below each parent; a new trace when there is none. None when it is not sampled.
    pub(super) fn begin(&self, parents: &[TraceContext], new: New) -> Option<Open> {
        let mut open: Vec<opentelemetry_sdk::trace::Span> = Vec::new();
        if parents.is_empty() {
            open.push(self.build(&Context::new(), builder(new)));
        } else {
            let mut links: Vec<Link> = new.links.iter().cloned().map(Link::with_context).collect();
            let mut builder = builder(new).with_links(links.clone());
            for parent in parents {
                let parent = Context::new().with_remote_span_context(span_context(parent));
                let span = self.build(&parent, builder.clone());
                if open.is_empty() {
                    links.push(Link::with_context(span.span_context().clone()));
                    builder = builder.with_links(links.clone());
                }
                open.push(span);
            }
        }
        open.retain(|span| span.span_context().is_sampled());
        (!open.is_empty()).then_some(Open(open))
    }

    fn build(&self, parent: &Context, new: SpanBuilder) -> opentelemetry_sdk::trace::Span {
        self.tracer.build_with_context(new, parent)
    }
}

fn builder(new: New) -> SpanBuilder {
    SpanBuilder::from_name(new.name)
        .with_kind(new.kind)
        .with_attributes(new.attributes)
}

impl Open {
    pub(super) fn set(&mut self, attribute: &KeyValue) {
        for span in &mut self.0 {
            span.set_attribute(attribute.clone());
        }
    }

    /// What went wrong, as a code; the words only where they are known to name nobody.
    pub(super) fn fail(&mut self, code: &str) {
        self.set(&KeyValue::new("error.type", code.to_owned()));
        for span in &mut self.0 {
            span.set_status(Status::error(code.to_owned()));
        }
    }

    /// What children have as their parents.
    pub(super) fn contexts(&self) -> Vec<TraceContext> {
        let contexts = self.0.iter().map(|span| context(span.span_context()));
        contexts.collect()
    }

    pub(super) fn first(&self) -> TraceContext {
        let first = self.0.first().expect("there is at least one");
        context(first.span_context())
    }

    /// Where work below it stands.
    pub(super) fn trace(&self) -> Trace {
        trace(self.contexts())
    }

    pub(super) fn end(mut self) {
        for span in &mut self.0 {
            span.end();
        }
    }
}

/// Where work stands below these spans of ours.
pub(super) fn trace(parents: Vec<TraceContext>) -> Trace {
    let spans = on().expect("a span of ours was begun before");
    Trace::new(Arc::clone(spans) as Arc<dyn Tracer>, parents)
}

/// A step of the trace that the running task works in; none when it works in none.
pub(super) fn begin_here(new: impl FnOnce() -> New) -> Option<Open> {
    let trace = engine::trace::current()?;
    on()?.begin(trace.parents(), new())
}

impl Tracer for Spans {
    fn begin(&self, parents: &[TraceContext], step: Step<'_>) -> Option<Box<dyn Span>> {
        let new = match step {
            Step::Decide { command } => New {
                name: format!("decide {command}").into(),
                kind: SpanKind::Internal,
                attributes: vec![KeyValue::new("firstcome.command", command)],
                links: Vec::new(),
            },
            Step::Send {
                topic,
                message,
                kind,
                about,
            } => New {
                name: format!("send {topic}").into(),
                kind: SpanKind::Producer,
                attributes: vec![
                    KeyValue::new("messaging.system", SYSTEM),
                    KeyValue::new("messaging.operation.name", "send"),
                    KeyValue::new("messaging.operation.type", "send"),
                    KeyValue::new("messaging.destination.name", topic.to_owned()),
                    KeyValue::new("messaging.message.id", message.to_owned()),
                    KeyValue::new("firstcome.event.type", kind),
                ],
                links: about.map(span_context).into_iter().collect(),
            },
        };
        let open = Self::begin(self, parents, new)?;
        Some(Box::new(Under(open)))
    }
}

struct Under(Open);

impl Span for Under {
    fn context(&self) -> TraceContext {
        self.0.first()
    }

    fn end(mut self: Box<Self>, failure: Option<&str>) {
        if let Some(code) = failure {
            self.0.fail(code);
        }
        self.0.end();
    }
}

fn span_context(context: &TraceContext) -> SpanContext {
    let state = context.state.as_deref().map(TraceState::from_str);
    SpanContext::new(
        TraceId::from_bytes(context.trace),
        SpanId::from_bytes(context.span),
        TraceFlags::new(context.flags),
        true,
        // What is no state is not passed on; the trace goes on without.
        state.and_then(Result::ok).unwrap_or_default(),
    )
}

fn context(context: &SpanContext) -> TraceContext {
    let state = context.trace_state().header();
    TraceContext {
        trace: context.trace_id().to_bytes(),
        span: context.span_id().to_bytes(),
        flags: context.trace_flags().to_u8(),
        state: (!state.is_empty()).then(|| state.into()),
    }
}
