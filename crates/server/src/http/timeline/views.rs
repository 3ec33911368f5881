//! A time line as it is answered.

use engine::OrderRecord;
use serde::Serialize;
use utoipa::ToSchema;

use crate::adapters::Time;

/// Who knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Source {
    // Of one moment, the sale comes first: the others follow from it.
    Sale,
    Mileage,
    Vip,
    Parcel,
    Mail,
    Webhook,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TimelineView {
    order: TimelineOrderView,
    /// The oldest first.
    pub(super) items: Vec<TimelineItem>,
    /// Databases that are away: `customers` (mileage, vip), `effects` (parcel, mail, webhook).
    /// What they know is not in the list.
    pub(super) missing: Vec<&'static str>,
    /// Sources that know more than is shown.
    pub(super) more: Vec<Source>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TimelineOrderView {
    id: String,
    seq: u64,
    status: &'static str,
    sku: String,
    quantity: u64,
    /// The fingerprint of the e-mail address.
    customer: String,
}

/// One thing that happened.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TimelineItem {
    #[schema(value_type = String, format = "date-time")]
    pub(super) at: Time,
    pub(super) source: Source,
    /// `order.accepted`, `mileage.given`, `mileage.taken_back`, `units.counted`,
    /// `units.taken_back`, `vip.reached`, `parcel.packed`; of an e-mail its kind, of a webhook
    /// its event's type.
    #[schema(example = "order.accepted")]
    pub(super) what: String,
    pub(super) detail: TimelineDetail,
    /// What became of it: of an entry the order's status after it, of a parcel its step, of an
    /// e-mail, a webhook or a notice how far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<&'static str>,
}

/// What is known of it. Members that do not belong to it are absent.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TimelineDetail {
    /// Of the entry or event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seq: Option<u64>,
    /// Negative when they were taken back, as `units`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) points: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) units: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tracking_id: Option<String>,
    /// Where the parcel was, in the carrier's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) location: Option<String>,
    /// The e-mail's, the webhook's or the notice's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    /// The fingerprint of an e-mail address, or the endpoint's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attempts: Option<u32>,
    /// When it was over: sent, delivered, told or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "date-time")]
    pub(super) ended_at: Option<Time>,
    /// When it is tried again, at the earliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "date-time")]
    pub(super) next_at: Option<Time>,
    /// The endpoint's last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<u16>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// 0, or the number of the replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replay: Option<i64>,
}

impl TimelineView {
    pub(super) fn new(order: TimelineOrderView) -> Self {
        Self {
            order,
            items: Vec::new(),
            missing: Vec::new(),
            more: Vec::new(),
        }
    }
}

impl TimelineOrderView {
    pub(super) fn new(order: &OrderRecord) -> Self {
        Self {
            id: order.id.to_string(),
            seq: order.id.seq,
            status: order.status.as_str(),
            sku: order.sku.to_string(),
            quantity: order.quantity.units(),
            customer: mail::hashed(&order.customer).to_string(),
        }
    }
}

impl TimelineItem {
    pub(super) fn new(
        at: i64,
        source: Source,
        what: impl Into<String>,
        status: Option<&'static str>,
        detail: TimelineDetail,
    ) -> Self {
        Self {
            at: Time(at),
            source,
            what: what.into(),
            detail,
            status,
        }
    }
}
