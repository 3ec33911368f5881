//! What operators read of queues: the wire forms of depth, flow, settings and moves.

use std::collections::{BTreeMap, HashMap};

use commerce::Millis;
use engine::ports::{MoveStatus, MoveTask, Queue, QueueDepth};
use engine::{Counts, Flow};
use messaging::{DeduplicationScope, QueueConfig, RedriveAllow, ThroughputLimit};
use serde::Serialize;
use utoipa::ToSchema;

use crate::adapters::rfc3339;
use crate::http::views::seconds_between;

/// Which queues have which one for their dead letters.
pub(in crate::http) struct Sources<'a>(HashMap<&'a str, Vec<&'a str>>);

impl<'a> Sources<'a> {
    pub(in crate::http) fn of(depths: &'a [QueueDepth]) -> Self {
        let mut sources: HashMap<&str, Vec<&str>> = HashMap::new();
        for depth in depths {
            if let Some(redrive) = &depth.queue.config.redrive {
                let names = sources.entry(&redrive.dead_letter_queue).or_default();
                names.push(&depth.queue.name);
            }
        }
        Self(sources)
    }

    /// Whether dead letters come here.
    pub(in crate::http) fn feed(&self, queue: &str) -> bool {
        self.0.contains_key(queue)
    }
}

/// Messages in the last minute.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PerMinuteView {
    sent: u64,
    received: u64,
    deleted: u64,
}

/// Messages since the server started.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TotalsView {
    sent: u64,
    sent_bytes: u64,
    deduplicated: u64,
    received: u64,
    empty_receives: u64,
    deleted: u64,
}

impl TotalsView {
    pub(super) fn new(counts: &Counts) -> Self {
        Self {
            sent: counts.sent,
            sent_bytes: counts.sent_bytes,
            deduplicated: counts.deduplicated,
            received: counts.received,
            empty_receives: counts.empty_receives,
            deleted: counts.deleted,
        }
    }
}

/// A queue at this moment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct QueueView {
    name: String,
    #[schema(example = "standard")]
    kind: &'static str,
    total: u64,
    visible: u64,
    in_flight: u64,
    delayed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_age_seconds: Option<u64>,
    per_minute: PerMinuteView,
    /// Where a message goes that was received too often.
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter_queue: Option<String>,
    /// How often it may be received before.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_receive_count: Option<u32>,
    /// The queues whose dead letters come here.
    dead_letter_source_queues: Vec<String>,
    /// Messages are on their way out of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    moving: Option<MoveView>,
}

impl QueueView {
    pub(super) fn new(
        depth: &QueueDepth,
        sources: &Sources<'_>,
        flow: Option<&Flow>,
        now: Millis,
    ) -> Self {
        let queue = &depth.queue;
        let redrive = queue.config.redrive.as_ref();
        let passed = flow.map(|flow| flow.last_minute).unwrap_or_default();
        let running = |task: &&MoveTask| task.status == MoveStatus::Running;
        Self {
            name: queue.name.clone(),
            kind: if queue.config.is_fifo() {
                "fifo"
            } else {
                "standard"
            },
            total: depth.visible + depth.in_flight + depth.delayed,
            visible: depth.visible,
            in_flight: depth.in_flight,
            delayed: depth.delayed,
            oldest_age_seconds: depth.oldest_sent_at.map(|sent| seconds_between(sent, now)),
            per_minute: PerMinuteView {
                sent: passed.sent,
                received: passed.received,
                deleted: passed.deleted,
            },
            dead_letter_queue: redrive.map(|redrive| redrive.dead_letter_queue.clone()),
            max_receive_count: redrive.map(|redrive| redrive.max_receive_count),
            dead_letter_source_queues: sources
                .0
                .get(queue.name.as_str())
                .map(|names| names.iter().map(|name| (*name).to_owned()).collect())
                .unwrap_or_default(),
            moving: queue.moves.iter().find(running).map(MoveView::new),
        }
    }
}

/// Messages on their way out of a dead-letter queue, or a way that has ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MoveView {
    id: String,
    #[schema(example = "running")]
    status: &'static str,
    /// Absent: each goes back to where it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<String>,
    /// Messages a second; absent: as fast as it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<u32>,
    moved: u64,
    /// Counted when it was started.
    to_move: u64,
    started_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

impl MoveView {
    pub(super) fn new(task: &MoveTask) -> Self {
        Self {
            id: task.id.clone(),
            status: match task.status {
                MoveStatus::Running => "running",
                MoveStatus::Completed => "completed",
                MoveStatus::Cancelled => "cancelled",
                MoveStatus::Failed => "failed",
            },
            destination: task.destination.clone(),
            rate: task.rate,
            moved: task.moved,
            to_move: task.to_move,
            started_at: rfc3339(task.started_at),
            failure: task.failure.clone(),
        }
    }
}

/// What only a FIFO queue has.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FifoView {
    content_based_deduplication: bool,
    #[schema(example = "queue")]
    deduplication_scope: &'static str,
    #[schema(example = "perQueue")]
    throughput_limit: &'static str,
}

/// Which queues may send their dead letters here.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RedriveAllowView {
    #[schema(example = "allowAll")]
    permission: &'static str,
    source_queues: Vec<String>,
}

/// The attributes of a queue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SettingsView {
    visibility_timeout_seconds: u32,
    delay_seconds: u32,
    retention_seconds: u32,
    maximum_message_bytes: u32,
    receive_wait_seconds: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    fifo: Option<FifoView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redrive_allow: Option<RedriveAllowView>,
    /// Who else may do what, as it was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
}

impl SettingsView {
    fn new(queue: &Queue) -> Self {
        let QueueConfig {
            visibility_timeout_s,
            delay_s,
            retention_s,
            message_bytes_max,
            receive_wait_s,
            redrive: _,
            fifo,
        } = &queue.config;
        Self {
            visibility_timeout_seconds: *visibility_timeout_s,
            delay_seconds: *delay_s,
            retention_seconds: *retention_s,
            maximum_message_bytes: *message_bytes_max,
            receive_wait_seconds: *receive_wait_s,
            fifo: fifo.as_ref().map(|fifo| FifoView {
                content_based_deduplication: fifo.content_based_deduplication,
                deduplication_scope: match fifo.deduplication_scope {
                    DeduplicationScope::Queue => "queue",
                    DeduplicationScope::MessageGroup => "messageGroup",
                },
                throughput_limit: match fifo.throughput_limit {
                    ThroughputLimit::PerQueue => "perQueue",
                    ThroughputLimit::PerMessageGroupId => "perMessageGroupId",
                },
            }),
            redrive_allow: queue.more.redrive_allow.as_ref().map(redrive_allow),
            policy: queue.more.policy.clone(),
        }
    }
}

fn redrive_allow(allow: &RedriveAllow) -> RedriveAllowView {
    let (permission, source_queues) = match allow {
        RedriveAllow::AllowAll => ("allowAll", Vec::new()),
        RedriveAllow::DenyAll => ("denyAll", Vec::new()),
        RedriveAllow::ByQueue(names) => ("byQueue", names.clone()),
    };
    RedriveAllowView {
        permission,
        source_queues,
    }
}

/// A queue with everything that is known of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct QueueDetail {
    #[serde(flatten)]
    queue: QueueView,
    settings: SettingsView,
    tags: BTreeMap<String, String>,
    /// The account that made it, if that is not the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    created_at: String,
    modified_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    purged_at: Option<String>,
    since_start: TotalsView,
    /// The last ten, newest first.
    moves: Vec<MoveView>,
}

impl QueueDetail {
    pub(super) fn new(view: QueueView, queue: &Queue, flow: &Flow) -> Self {
        Self {
            queue: view,
            settings: SettingsView::new(queue),
            tags: queue.more.tags.clone(),
            owner: queue.more.owner.clone(),
            created_at: rfc3339(queue.created_at),
            modified_at: rfc3339(queue.modified_at),
            purged_at: queue.purged_at.map(rfc3339),
            since_start: TotalsView::new(&flow.total),
            moves: queue.moves.iter().map(MoveView::new).collect(),
        }
    }
}
