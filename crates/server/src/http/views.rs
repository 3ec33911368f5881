//! What clients read: the wire forms of products, orders and the rest.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use commerce::{Currency, Millis, Product, Replenishment, Sku};
use engine::json::Object;
use engine::{OrderRecord, Standing};
use serde::Serialize;
use utoipa::ToSchema;

use crate::adapters::{Time, rfc3339};

/// What an order's JSON usually takes.
const ORDER_JSON_BYTES: usize = 384;

/// An answer whose JSON was put together by hand.
pub fn written(status: StatusCode, json: String) -> Response {
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// Says of an answer that it is the one to an earlier request.
pub fn mark_replay(response: &mut Response, replay: bool) {
    if replay {
        response
            .headers_mut()
            .insert("idempotent-replay", HeaderValue::from_static("true"));
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReorderView {
    pub point: u64,
    pub quantity: u64,
    pub factory: String,
}

/// A product and the state of its line.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductView {
    #[schema(example = "CP-502101")]
    pub sku: String,
    pub name: String,
    /// Minor units of the currency.
    pub price: i64,
    #[schema(example = "KRW")]
    pub currency: String,
    pub on_hand: u64,
    pub reserved: u64,
    pub allocated: u64,
    pub available: u64,
    /// The place of the newest order.
    pub last_place: u64,
    /// Orders without a verdict.
    pub waiting: u64,
    pub waiting_units: u64,
    #[schema(example = "wait")]
    pub when_sold_out: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase_limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reorder: Option<ReorderView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ad_manager: Option<String>,
    /// The open one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replenishment: Option<ReplenishmentView>,
    /// Units granted per minute to orders that waited for stock, as measured from grant to grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_rate: Option<f64>,
    pub created_at: String,
}

impl ProductView {
    pub fn new(product: &Product, replenishment: Option<&Replenishment>) -> Self {
        let stock = product.stock;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a measured rate, shown with one decimal"
        )]
        let per_minute = |rate: u64| (rate as f64 / 100.0).round() / 10.0;
        Self {
            sku: product.sku.to_string(),
            name: product.name.to_string(),
            price: product.price.minor(),
            currency: product.currency.to_string(),
            on_hand: stock.on_hand,
            reserved: stock.reserved,
            allocated: stock.allocated,
            available: stock.available(),
            last_place: product.last_place,
            waiting: product.waiting,
            waiting_units: product.waiting_units,
            when_sold_out: match product.when_sold_out {
                commerce::WhenSoldOut::Reject => "reject",
                commerce::WhenSoldOut::Wait => "wait",
            },
            purchase_limit: product.purchase_limit,
            opens_at: product.opens_at.map(rfc3339),
            reorder: product.reorder.as_ref().map(|reorder| ReorderView {
                point: reorder.point,
                quantity: reorder.quantity,
                factory: reorder.factory.to_string(),
            }),
            ad_manager: product.ad_manager.as_ref().map(ToString::to_string),
            replenishment: replenishment.map(ReplenishmentView::new),
            grant_rate: product.grants.rate().map(per_minute),
            created_at: rfc3339(product.created_at),
        }
    }
}

/// An order as its buyer reads it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderView {
    #[schema(example = "ord_0000000r3k2m9q0x7d4c1v5b8n")]
    pub id: String,
    #[schema(value_type = String)]
    pub sku: Sku,
    pub quantity: u32,
    #[schema(value_type = String)]
    pub customer: Arc<str>,
    #[schema(example = "accepted")]
    pub status: &'static str,
    /// Its number in the product's line.
    pub place: u64,
    pub unit_price: i64,
    #[schema(value_type = String)]
    pub currency: Currency,
    #[schema(value_type = String, format = "date-time")]
    pub placed_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "date-time")]
    pub decided_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "date-time")]
    pub cancelled_at: Option<Time>,
    /// Undecided orders before it; only while pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead_units: Option<u64>,
    /// From the measured rate of grants, and longer while nothing is granted; absent when none was
    /// measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate_seconds: Option<u64>,
    /// Null when there is none (yet). Absent in the answer to an order, and when it cannot be
    /// told now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parcel: Option<Option<ParcelBrief>>,
}

/// How far the parcel of an order is.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParcelBrief {
    #[schema(example = "trk_2m9q0x7d4c1v5b8n")]
    pub tracking_id: String,
    /// `created`, `packed`, `in_transit`, `delivered` or `returned`.
    #[schema(example = "in_transit")]
    pub status: &'static str,
    #[schema(value_type = String, format = "date-time")]
    pub changed_at: Time,
}

impl OrderView {
    pub fn new(order: &OrderRecord, standing: Option<Standing>) -> Self {
        Self {
            id: order.id.to_string(),
            sku: order.sku.clone(),
            quantity: order.quantity.get(),
            customer: Arc::clone(&order.customer),
            status: order.status.as_str(),
            place: order.place,
            unit_price: order.unit_price.minor(),
            currency: order.currency,
            placed_at: Time(order.placed_at),
            decided_at: order.decided_at.map(Time),
            cancelled_at: order.cancelled_at.map(Time),
            ahead: standing.map(|standing| standing.ahead),
            ahead_units: standing.map(|standing| standing.ahead_units),
            estimate_seconds: standing.and_then(|standing| standing.estimate_s),
            parcel: None,
        }
    }

    /// What `serde_json` writes. There is no answer that more are given of, so it is put together
    /// here.
    pub fn to_json(&self) -> String {
        let Self {
            id,
            sku,
            quantity,
            customer,
            status,
            place,
            unit_price,
            currency,
            placed_at,
            decided_at,
            cancelled_at,
            ahead,
            ahead_units,
            estimate_seconds,
            parcel: None,
        } = self
        else {
            return serde_json::to_string(self).expect("an order has a JSON form");
        };
        let mut json = Object::with_capacity(ORDER_JSON_BYTES);
        json.plain("id", id);
        json.text("sku", sku.as_str());
        json.number("quantity", *quantity);
        json.text("customer", customer);
        json.plain("status", status);
        json.number("place", *place);
        json.number("unitPrice", *unit_price);
        json.plain("currency", currency.as_str());
        placed_at.with_text(|text| json.plain("placedAt", text));
        if let Some(at) = decided_at {
            at.with_text(|text| json.plain("decidedAt", text));
        }
        if let Some(at) = cancelled_at {
            at.with_text(|text| json.plain("cancelledAt", text));
        }
        json.number_if("ahead", *ahead);
        json.number_if("aheadUnits", *ahead_units);
        json.number_if("estimateSeconds", *estimate_seconds);
        json.finish()
    }

    /// With what is known of its parcel.
    #[must_use]
    pub fn with_parcel(mut self, parcel: Option<Option<ParcelBrief>>) -> Self {
        self.parcel = parcel;
        self
    }
}

/// A request to a factory.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplenishmentView {
    pub id: String,
    pub sku: String,
    pub factory: String,
    pub quantity: u64,
    #[schema(example = "in_production")]
    pub status: &'static str,
    pub attempts: u32,
    /// What really came.
    pub received: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    pub requested_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<String>,
}

impl ReplenishmentView {
    pub fn new(replenishment: &Replenishment) -> Self {
        Self {
            id: replenishment.id().to_string(),
            sku: replenishment.sku.to_string(),
            factory: replenishment.factory.to_string(),
            quantity: replenishment.quantity,
            status: replenishment.status.as_str(),
            attempts: replenishment.attempts,
            received: replenishment.received,
            reason: replenishment.reason.map(commerce::FailReason::as_str),
            detail: replenishment.detail.clone(),
            requested_at: rfc3339(replenishment.requested_at),
            started_at: replenishment.started_at.map(rfc3339),
            closed_at: replenishment.closed_at.map(rfc3339),
        }
    }
}

/// An error (RFC 9457). Some codes add members; see `docs/ERRORS`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemView {
    pub r#type: String,
    pub title: String,
    pub status: u16,
    #[schema(example = "invalid_field")]
    pub code: String,
    pub detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// Seconds between two moments, never negative.
pub fn seconds_between(from: Millis, to: Millis) -> u64 {
    u64::try_from((to - from) / 1000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moment() -> impl Strategy<Value = Time> {
        (0..4_000_000_000_000_i64).prop_map(Time)
    }

    fn order() -> impl Strategy<Value = OrderView> {
        let number = || prop::option::of(any::<u64>());
        let moments = (
            moment(),
            prop::option::of(moment()),
            prop::option::of(moment()),
        );
        let texts = ("[0-9a-z]{26}", "[A-Za-z0-9._-]{1,64}", any::<String>());
        let numbers = (any::<u32>(), any::<u64>(), 0..=i64::MAX);
        let parcel = prop::option::of(prop::option::of(moment()));
        (
            texts,
            numbers,
            moments,
            (number(), number(), number()),
            parcel,
        )
            .prop_map(|(texts, numbers, moments, standing, parcel)| OrderView {
                id: format!("ord_{}", texts.0),
                sku: Sku::new(&texts.1).expect("it has the form of one"),
                quantity: numbers.0,
                customer: texts.2.into(),
                status: "accepted",
                place: numbers.1,
                unit_price: numbers.2,
                currency: Currency::new("KRW").expect("it is one"),
                placed_at: moments.0,
                decided_at: moments.1,
                cancelled_at: moments.2,
                ahead: standing.0,
                ahead_units: standing.1,
                estimate_seconds: standing.2,
                parcel: parcel.map(|brief| {
                    brief.map(|changed_at| ParcelBrief {
                        tracking_id: "trk_2m9q0x7d4c1v5b8n".to_owned(),
                        status: "packed",
                        changed_at,
                    })
                }),
            })
    }

    proptest! {
        #[test]
        fn an_order_is_written_as_serde_json_writes_it(order in order()) {
            let expected = serde_json::to_string(&order).expect("it has a JSON form");
            prop_assert_eq!(order.to_json(), expected);
        }
    }
}
