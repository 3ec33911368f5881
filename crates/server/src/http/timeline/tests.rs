//! One list of given parts: its order, its bounds, and what it says of what is not there.

use std::sync::Arc;

use commerce::{Currency, LineId, Millis, Money, OrderId, ProductId, Quantity, Secret, Sku};
use effects::DatabaseError;
use effects::customers::{MileageEntry, OrderCounts, UnitsEntry};
use effects::mails::{Kept, Mail, Status};
use engine::{BodyHash, Entry, Kind, OrderRecord, OrderStatus};

use super::story::{Story, told};
use super::views::{Source, TimelineOrderView, TimelineView};

const ADA: &str = "ada@example.com";

fn order(status: OrderStatus, decided_at: Millis, cancelled_at: Option<Millis>) -> OrderRecord {
    OrderRecord {
        id: OrderId {
            seq: 7,
            secret: Secret([1; 10]),
        },
        product: ProductId(1),
        sku: Sku::new("A-1").unwrap(),
        place: 1,
        quantity: Quantity::new(2).unwrap(),
        customer: Arc::from(ADA),
        unit_price: Money::new(100).unwrap(),
        currency: Currency::new("EUR").unwrap(),
        status,
        placed_at: 10,
        decided_at: Some(decided_at),
        cancelled_at,
        key: None,
        body: BodyHash(0),
        last_seq: 9,
    }
}

fn entry(seq: u64, kind: Kind, at: Millis) -> Entry {
    Entry {
        seq,
        line: LineId::Product(ProductId(1)),
        prev: seq - 1,
        kind,
        at,
        subject: 7,
        data: Arc::from("{}"),
        hash: [0; 32],
        buyer: None,
        sealed: None,
    }
}

fn mail(no: u64) -> Mail {
    Mail {
        no,
        new: Kept {
            id: format!("m-{no}"),
            kind: "order.accepted".to_owned(),
            recipient: ADA.to_owned(),
            lang: "en".to_owned(),
            order_seq: Some(7),
            event: 7,
            after: None,
            subject: String::new(),
            text: String::new(),
            html: String::new(),
            created_at: 30,
        },
        status: Status::Sent,
        attempts: 1,
        deferrals: 0,
        claimed_at: None,
        last_error: None,
        sent_at: Some(31),
    }
}

fn away<T>() -> Result<T, DatabaseError> {
    Err(DatabaseError {
        path: "somewhere".to_owned(),
        what: "away".to_owned(),
    })
}

fn story(entries: Vec<Entry>) -> Story {
    Story {
        entries,
        counts: Ok(OrderCounts::default()),
        parcel: Ok(None),
        mails: Ok(Vec::new()),
        deliveries: Ok(Vec::new()),
    }
}

fn told_of(order: &OrderRecord, story: Story) -> TimelineView {
    told(TimelineOrderView::new(order), order, story, 2)
}

fn facts(line: &TimelineView) -> Vec<(Millis, Source, &str)> {
    let items = line.items.iter();
    items
        .map(|item| (item.at.0, item.source, item.what.as_str()))
        .collect()
}

#[test]
fn of_one_moment_the_sale_comes_first() {
    let order = order(OrderStatus::Accepted, 10, None);
    let counts = OrderCounts {
        mileage: vec![MileageEntry {
            id: 1,
            cause: "order:7:accepted".to_owned(),
            order_seq: Some(7),
            points: 4,
            at: 10,
        }],
        units: vec![UnitsEntry {
            units: 2,
            seq: 7,
            at: 10,
        }],
        notice: None,
    };
    let story = Story {
        counts: Ok(counts),
        mails: Ok(vec![mail(1)]),
        ..story(vec![entry(7, Kind::OrderAccepted, 10)])
    };
    let line = told_of(&order, story);
    assert_eq!(
        facts(&line),
        [
            (10, Source::Sale, "order.accepted"),
            (10, Source::Mileage, "mileage.given"),
            (10, Source::Vip, "units.counted"),
            (30, Source::Mail, "order.accepted"),
        ]
    );
    assert!(line.missing.is_empty() && line.more.is_empty());
}

#[test]
fn a_database_that_is_away_is_named_once() {
    let order = order(OrderStatus::Accepted, 10, None);
    let story = Story {
        entries: vec![entry(7, Kind::OrderAccepted, 10)],
        counts: away(),
        parcel: away(),
        mails: away(),
        deliveries: away(),
    };
    let line = told_of(&order, story);
    assert_eq!(line.missing, ["customers", "effects"]);
    assert_eq!(facts(&line), [(10, Source::Sale, "order.accepted")]);
}

#[test]
fn more_than_the_bound_is_cut_and_said() {
    let order = order(OrderStatus::Accepted, 10, None);
    let mails = Story {
        mails: Ok(vec![mail(1), mail(2), mail(3)]),
        ..story(Vec::new())
    };
    let line = told_of(&order, mails);
    assert_eq!((line.items.len(), line.more), (2, vec![Source::Mail]));
    let within = Story {
        mails: Ok(vec![mail(1), mail(2)]),
        ..story(Vec::new())
    };
    assert_eq!(told_of(&order, within).more, []);
}

#[test]
fn a_verdict_too_far_away_in_its_line_is_shown_without_its_number() {
    let placed = || entry(7, Kind::OrderPlaced, 10);
    let gone = || entry(9, Kind::OrderCancelled, 50);
    let cancelled = order(OrderStatus::Cancelled, 20, Some(50));
    let all = [
        (10, Source::Sale, "order.placed"),
        (20, Source::Sale, "order.accepted"),
        (50, Source::Sale, "order.cancelled"),
    ];
    let near = vec![placed(), entry(8, Kind::OrderAccepted, 20), gone()];
    let line = told_of(&cancelled, story(near));
    assert_eq!(facts(&line), all);
    assert_eq!(line.items[1].detail.seq, Some(8));
    let line = told_of(&cancelled, story(vec![placed(), gone()]));
    assert_eq!(facts(&line), all);
    assert_eq!(line.items[1].detail.seq, None);
    // One that was cancelled while it waited never had a verdict.
    let waited = OrderRecord {
        decided_at: None,
        ..cancelled
    };
    let line = told_of(&waited, story(vec![placed(), gone()]));
    assert_eq!(line.items.len(), 2);
}

#[test]
fn an_order_accepted_at_once_and_cancelled_has_two_entries() {
    let cancelled = order(OrderStatus::Cancelled, 10, Some(10));
    let entries = vec![
        entry(7, Kind::OrderAccepted, 10),
        entry(9, Kind::OrderCancelled, 10),
    ];
    let line = told_of(&cancelled, story(entries));
    assert_eq!(line.items.len(), 2, "in the same millisecond too");
}
