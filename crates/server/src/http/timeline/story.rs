//! From what each part knows to one list. Pure.

use effects::DatabaseError;
use effects::customers::{Notice, OrderCounts};
use effects::mails::Mail;
use effects::parcels::{Parcel, ParcelChange};
use effects::webhooks::Delivery;
use engine::{Entry, OrderRecord, OrderStatus};

use super::views::{Source, TimelineDetail, TimelineItem, TimelineOrderView, TimelineView};
use crate::adapters::Time;

/// What was read.
pub(super) struct Story {
    /// Of the log, about the order.
    pub(super) entries: Vec<Entry>,
    pub(super) counts: Result<OrderCounts, DatabaseError>,
    pub(super) parcel: Result<Option<(Parcel, Vec<ParcelChange>)>, DatabaseError>,
    pub(super) mails: Result<Vec<Mail>, DatabaseError>,
    pub(super) deliveries: Result<Vec<Delivery>, DatabaseError>,
}

/// The order was admitted by it, and its verdict follows.
pub(super) fn is_undecided(entry: &Entry) -> bool {
    entry.kind.order_status() == Some(OrderStatus::Pending)
}

fn is_verdict(entry: &Entry) -> bool {
    match entry.kind.order_status() {
        Some(OrderStatus::Pending | OrderStatus::Cancelled) | None => false,
        Some(
            OrderStatus::Accepted
            | OrderStatus::SoldOut
            | OrderStatus::Rejected
            | OrderStatus::Expired,
        ) => true,
    }
}

/// `rows_max` e-mails and as many deliveries are shown.
pub(super) fn told(
    view: TimelineOrderView,
    order: &OrderRecord,
    story: Story,
    rows_max: usize,
) -> TimelineView {
    let mut line = TimelineView::new(view);
    line.items.extend(of_sale(order, &story.entries));
    if let Some(counts) = known(story.counts, "customers", &mut line) {
        line.items.extend(of_counts(counts));
    }
    if let Some(Some((parcel, changes))) = known(story.parcel, "effects", &mut line) {
        let steps = changes.into_iter().map(|change| of_step(&parcel, change));
        line.items.extend(steps);
    }
    if let Some(mails) = known(story.mails, "effects", &mut line) {
        if mails.len() > rows_max {
            line.more.push(Source::Mail);
        }
        line.items.extend(mails.iter().take(rows_max).map(of_mail));
    }
    if let Some(deliveries) = known(story.deliveries, "effects", &mut line) {
        if deliveries.len() > rows_max {
            line.more.push(Source::Webhook);
        }
        let shown = deliveries.into_iter().take(rows_max);
        line.items.extend(shown.map(of_delivery));
    }
    // Stable: what one source knows of one moment stays as it was.
    line.items.sort_by_key(|item| (item.at.0, item.source));
    line
}

/// Which file is away, and why, is for the log.
fn known<T>(
    read: Result<T, DatabaseError>,
    database: &'static str,
    line: &mut TimelineView,
) -> Option<T> {
    match read {
        Ok(found) => Some(found),
        Err(error) => {
            tracing::warn!(%error, database, "a time line is shown without a database");
            if !line.missing.contains(&database) {
                line.missing.push(database);
            }
            None
        }
    }
}

fn of_sale(order: &OrderRecord, entries: &[Entry]) -> Vec<TimelineItem> {
    let mut items: Vec<TimelineItem> = entries
        .iter()
        .map(|entry| {
            let detail = TimelineDetail {
                seq: Some(entry.seq),
                ..TimelineDetail::default()
            };
            let status = entry.kind.order_status().map(OrderStatus::as_str);
            TimelineItem::new(entry.at, Source::Sale, entry.kind.as_str(), status, detail)
        })
        .collect();
    // The verdict was too far away in its line to be found. Only what was accepted can be
    // cancelled after its verdict.
    let has_verdict = entries.iter().any(is_verdict);
    if let Some(at) = order.decided_at
        && order.cancelled_at.is_some()
        && !has_verdict
    {
        let status = OrderStatus::Accepted.as_str();
        let kind = engine::Kind::OrderAccepted.as_str();
        let detail = TimelineDetail::default();
        let item = TimelineItem::new(at, Source::Sale, kind, Some(status), detail);
        items.insert(items.len().min(1), item);
    }
    items
}

fn of_counts(counts: OrderCounts) -> Vec<TimelineItem> {
    let mut items = Vec::new();
    for entry in counts.mileage {
        // An order that is worth nothing gives 0 points and takes 0 back: the cause tells them apart.
        let what = if entry.cause.ends_with(":cancelled") {
            "mileage.taken_back"
        } else {
            "mileage.given"
        };
        let detail = TimelineDetail {
            points: Some(entry.points),
            ..TimelineDetail::default()
        };
        items.push(TimelineItem::new(
            entry.at,
            Source::Mileage,
            what,
            None,
            detail,
        ));
    }
    for entry in counts.units {
        let what = if entry.units < 0 {
            "units.taken_back"
        } else {
            "units.counted"
        };
        let detail = TimelineDetail {
            units: Some(entry.units),
            seq: Some(entry.seq),
            ..TimelineDetail::default()
        };
        items.push(TimelineItem::new(entry.at, Source::Vip, what, None, detail));
    }
    items.extend(counts.notice.map(of_notice));
    items
}

fn of_notice(notice: Notice) -> TimelineItem {
    let state = notice.state;
    let status = match (state.queued_at, state.told_at) {
        (_, Some(_)) => "told",
        (Some(_), None) => "queued",
        (None, None) => "waiting",
    };
    let detail = TimelineDetail {
        id: Some(notice.id),
        units: Some(notice.units),
        ended_at: state.told_at.map(Time),
        ..TimelineDetail::default()
    };
    TimelineItem::new(notice.at, Source::Vip, "vip.reached", Some(status), detail)
}

fn of_step(parcel: &Parcel, change: ParcelChange) -> TimelineItem {
    let status = change.status.as_str();
    let detail = TimelineDetail {
        tracking_id: Some(parcel.tracking_id.clone()),
        location: change.place,
        ..TimelineDetail::default()
    };
    let what = format!("parcel.{status}");
    TimelineItem::new(change.at, Source::Parcel, what, Some(status), detail)
}

fn of_mail(mail: &Mail) -> TimelineItem {
    let detail = TimelineDetail {
        id: Some(mail.new.id.clone()),
        seq: Some(mail.new.event),
        to: Some(::mail::hashed(&mail.new.recipient).to_string()),
        attempts: Some(mail.attempts),
        ended_at: mail.sent_at.map(Time),
        error: mail.last_error.clone(),
        ..TimelineDetail::default()
    };
    let status = Some(mail.status.as_str());
    TimelineItem::new(
        mail.new.created_at,
        Source::Mail,
        mail.new.kind.as_str(),
        status,
        detail,
    )
}

fn of_delivery(delivery: Delivery) -> TimelineItem {
    let last = delivery.attempts.last();
    let detail = TimelineDetail {
        id: Some(delivery.event),
        to: Some(delivery.endpoint),
        attempts: Some(delivery.attempts_made),
        ended_at: delivery.ended_at.map(Time),
        next_at: delivery.next_at.map(Time),
        answer: last.and_then(|attempt| attempt.status),
        error: last.and_then(|attempt| attempt.error.clone()),
        replay: (delivery.replay != 0).then_some(delivery.replay),
        ..TimelineDetail::default()
    };
    let status = Some(delivery.status.as_str());
    TimelineItem::new(
        delivery.created_at,
        Source::Webhook,
        delivery.kind,
        status,
        detail,
    )
}
