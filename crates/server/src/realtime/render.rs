//! Events as clients read them. Rendered once, shared by all who listen.

use std::sync::{Arc, OnceLock};

use commerce::{LineId, Millis};
use engine::{BidStep, Data, Entry, OrderStatus};
use serde::Serialize;

use crate::adapters::rfc3339;

/// The levels of a product's stock as clients read them.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockView {
    pub on_hand: u64,
    pub reserved: u64,
    pub allocated: u64,
    pub available: u64,
    pub waiting: u64,
    pub waiting_units: u64,
    pub last_place: u64,
}

impl StockView {
    pub fn of(levels: commerce::StockLevels) -> Self {
        Self {
            on_hand: levels.on_hand,
            reserved: levels.reserved,
            allocated: levels.allocated,
            available: levels.available(),
            waiting: levels.waiting,
            waiting_units: levels.waiting_units,
            last_place: levels.last_place,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventView<'a> {
    seq: u64,
    r#type: &'static str,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replenishment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    factory: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter_queue: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receive_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<StockView>,
}

/// An entry with the JSON that everybody sees, made when the first one wants it.
pub struct Rendered {
    pub entry: Arc<Entry>,
    json: OnceLock<Arc<str>>,
    left: OnceLock<Option<Left>>,
}

/// An order that waits no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    pub place: u64,
    pub units: u64,
}

impl Left {
    /// A verdict on an order that waited, or its cancellation.
    fn of(entry: &Entry) -> Option<Self> {
        // What is decided as it comes never waited.
        if entry.subject == entry.seq {
            return None;
        }
        match entry.kind.order_status()? {
            OrderStatus::Pending => return None,
            OrderStatus::Accepted
            | OrderStatus::SoldOut
            | OrderStatus::Rejected
            | OrderStatus::Expired
            | OrderStatus::Cancelled => {}
        }
        let data = entry.data();
        if data.was.as_deref() == Some("accepted") {
            return None;
        }
        Some(Self {
            place: data.place?,
            units: data.quantity.unwrap_or(0),
        })
    }
}

impl Rendered {
    pub fn new(entry: Arc<Entry>) -> Self {
        Self {
            entry,
            json: OnceLock::new(),
            left: OnceLock::new(),
        }
    }

    /// Read once for all who stand in the same line.
    pub fn left(&self) -> Option<Left> {
        *self.left.get_or_init(|| Left::of(&self.entry))
    }

    /// The number of the bid that it takes back.
    pub fn retracted(&self) -> Option<u64> {
        match self.entry.kind.bid_step() {
            Some(BidStep::Retracted) => self.entry.auction_data().no,
            Some(BidStep::Placed | BidStep::Accepted | BidStep::Refused) | None => None,
        }
    }

    pub fn json(&self) -> Arc<str> {
        Arc::clone(self.json.get_or_init(|| render(&self.entry).into()))
    }

    pub fn live(&self) -> LiveEvent {
        LiveEvent {
            seq: self.entry.seq,
            name: self.entry.kind.as_str(),
            json: self.json(),
        }
    }
}

fn render(entry: &Entry) -> String {
    match entry.line {
        LineId::System | LineId::Product(_) => render_goods(entry),
        LineId::Auction(_) => render_auction(entry),
    }
}

/// The whole public side, as it was hashed: everything that anybody may see is in it, and
/// nothing else. Times in it are milliseconds.
fn render_auction(entry: &Entry) -> String {
    let (seq, kind, at) = (entry.seq, entry.kind.as_str(), rfc3339(entry.at));
    let members = entry
        .data
        .strip_prefix('{')
        .expect("the public side is an object with an auction in it");
    format!(r#"{{"seq":{seq},"type":"{kind}","at":"{at}",{members}"#)
}

fn render_goods(entry: &Entry) -> String {
    let Data {
        sku,
        place,
        quantity,
        unit_price: _,
        currency: _,
        buyer: _,
        stock,
        reference,
        replenishment,
        factory,
        status,
        reason,
        queue,
        dead_letter_queue,
        message_id,
        receive_count,
        was: _,
    } = entry.data();
    let view = EventView {
        seq: entry.seq,
        r#type: entry.kind.as_str(),
        at: rfc3339(entry.at),
        sku: sku.as_deref(),
        place,
        quantity,
        reference: reference.as_deref(),
        replenishment: replenishment.as_deref(),
        factory: factory.as_deref(),
        status: status.as_deref(),
        reason: reason.as_deref(),
        queue: queue.as_deref(),
        dead_letter_queue: dead_letter_queue.as_deref(),
        message_id: message_id.as_deref(),
        receive_count,
        stock: stock.map(StockView::of),
    };
    serde_json::to_string(&view).expect("texts and numbers have a JSON form")
}

/// Something as it stands, and what every event carries.
pub(super) fn whole(seq: u64, name: &'static str, at: Millis, view: &impl Serialize) -> LiveEvent {
    let mut json = serde_json::to_string(view).expect("a view has a JSON form");
    let at = rfc3339(at);
    json.insert_str(1, &format!(r#""seq":{seq},"type":"{name}","at":"{at}","#));
    LiveEvent {
        seq,
        name,
        json: json.into(),
    }
}

/// One event on its way to one listener.
#[derive(Debug, Clone)]
pub struct LiveEvent {
    /// What to resume after.
    pub seq: u64,
    pub name: &'static str,
    pub json: Arc<str>,
}
