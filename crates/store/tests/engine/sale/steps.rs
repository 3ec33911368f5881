//! What may happen in a sale.

use commerce::{
    FailReason, Name, NewProduct, ProductChange, Quantity, Reference, Reorder, Sku, WhenSoldOut,
};
use engine::{BodyHash, Command, PlaceOrder, ReplenishmentChange};
use proptest::prelude::*;

use super::Known;
use crate::rig::{Fail, START, email, key, new_product, sku};

/// Three people: the first is written in two ways.
pub(super) const CUSTOMERS: [&str; 4] = [
    "ada@example.com",
    "Ada@Example.com",
    "bob@example.com",
    "eve@example.com",
];

#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Seconds.
    Wait(u8),
    /// Decided together.
    Batch(Vec<Step>),
    /// The commit of this batch goes wrong.
    Crash { fail: Fail, steps: Vec<Step> },
    /// The engine goes without a word and comes again.
    Restart,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Order(Order),
    Cancel {
        order: usize,
        right_id: bool,
    },
    Create(NewProduct),
    Change {
        sku: Sku,
        change: ProductChange,
    },
    Receive {
        sku: Sku,
        units: u64,
        reference: u8,
    },
    Settle(Sku),
    Replenishment {
        number: usize,
        sku: Sku,
        change: ReplenishmentChange,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) sku: Sku,
    pub(super) units: u32,
    pub(super) customer: &'static str,
    pub(super) key: Option<u64>,
    pub(super) body: u64,
    pub(super) defer: bool,
}

impl Step {
    pub(super) fn command(&self, known: &Known) -> Command {
        match self.clone() {
            Self::Order(order) => Command::PlaceOrder(PlaceOrder {
                sku: order.sku,
                quantity: Quantity::new(order.units).unwrap(),
                customer: email(order.customer),
                key: order.key.map(key),
                body: BodyHash(order.body),
                defer: order.defer,
            }),
            Self::Cancel { order, right_id } => {
                let mut id = known.order(order);
                if !right_id {
                    id.secret.0[0] ^= 1;
                }
                Command::CancelOrder { id }
            }
            Self::Create(new) => Command::CreateProduct(Box::new(new)),
            Self::Change { sku, change } => Command::ChangeProduct {
                sku,
                change: Box::new(change),
            },
            Self::Receive {
                sku,
                units,
                reference,
            } => Command::ReceiveGoods {
                sku,
                quantity: units,
                reference: Reference::new(&format!("delivery {reference}")).unwrap(),
            },
            Self::Settle(sku) => Command::Settle { sku },
            Self::Replenishment {
                number,
                sku,
                change,
            } => Command::Replenishment {
                id: known.replenishment(number),
                sku,
                change,
            },
        }
    }

    /// Whether the engine begins a new batch behind it.
    pub(super) fn ends_batch(&self) -> bool {
        match self {
            Self::Change { change, .. } => matches!(change.purchase_limit, Some(Some(_))),
            _ => false,
        }
    }
}

fn some_sku() -> impl Strategy<Value = Sku> {
    // The last one is seldom created, and one is never.
    prop_oneof![
        8 => Just("A"), 6 => Just("B"), 2 => Just("C"), 1 => Just("D"), 1 => Just("none"),
    ]
    .prop_map(sku)
}

fn reorder() -> impl Strategy<Value = Option<Reorder>> {
    prop::option::weighted(
        0.7,
        (0u64..4, 1u64..6)
            .prop_map(|(point, quantity)| Reorder::new(point, quantity, sku("F-1")).unwrap()),
    )
}

fn when() -> impl Strategy<Value = WhenSoldOut> {
    prop_oneof![Just(WhenSoldOut::Reject), Just(WhenSoldOut::Wait)]
}

fn create() -> impl Strategy<Value = NewProduct> {
    (
        some_sku(),
        0u64..8,
        when(),
        prop::option::weighted(0.3, 1u32..8),
        prop::option::weighted(0.3, reorder()),
    )
        .prop_map(|(sku, stock, when, purchase_limit, reorder)| NewProduct {
            purchase_limit,
            reorder: reorder.flatten(),
            ..new_product(sku.as_str(), stock, when)
        })
}

fn change() -> impl Strategy<Value = ProductChange> {
    let nothing = ProductChange::default;
    prop_oneof![
        3 => when().prop_map(move |when| ProductChange {
            when_sold_out: Some(when),
            ..nothing()
        }),
        3 => prop::option::weighted(0.7, 1u32..8).prop_map(move |limit| ProductChange {
            purchase_limit: Some(limit),
            ..nothing()
        }),
        2 => reorder().prop_map(move |reorder| ProductChange {
            reorder: Some(reorder),
            ..nothing()
        }),
        1 => prop::option::of(0i64..30).prop_map(move |after| ProductChange {
            opens_at: Some(after.map(|seconds| START + seconds * 1_000)),
            ..nothing()
        }),
        1 => Just(()).prop_map(move |()| ProductChange {
            name: Some(Name::new("Other").unwrap()),
            ..nothing()
        }),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    (
        some_sku(),
        1u32..5,
        prop::sample::select(&CUSTOMERS[..]),
        prop::option::weighted(0.4, 0u64..6),
        prop::bool::weighted(0.1).prop_map(u64::from),
        prop::bool::weighted(0.3),
    )
        .prop_map(|(sku, units, customer, key, other, defer)| Order {
            // The same for the same request; sometimes something else was asked for besides.
            body: u64::from(units) + 10 * u64::from(sku.as_str().as_bytes()[0]) + 10_000 * other,
            sku,
            units,
            customer,
            key,
            defer,
        })
}

fn replenishment() -> impl Strategy<Value = ReplenishmentChange> {
    let reason = FailReason::FactoryTimeout;
    prop_oneof![
        2 => Just(ReplenishmentChange::Started),
        1 => Just(ReplenishmentChange::AttemptFailed { reason, detail: "late".to_owned() }),
        2 => (0i64..20).prop_map(move |seconds| ReplenishmentChange::Failed {
            reason,
            detail: "no".to_owned(),
            retry_at: START + seconds * 1_000,
        }),
        1 => Just(ReplenishmentChange::Reopen),
        4 => prop_oneof![4 => 1u64..8, 1 => Just(commerce::STOCK_MAX)]
            .prop_map(|units| ReplenishmentChange::Received { units }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => order().prop_map(Step::Order),
        3 => (0usize..40, prop::bool::weighted(0.9))
            .prop_map(|(order, right_id)| Step::Cancel { order, right_id }),
        1 => create().prop_map(Step::Create),
        3 => (some_sku(), change()).prop_map(|(sku, change)| Step::Change { sku, change }),
        3 => (some_sku(), 1u64..6, 0u8..8)
            .prop_map(|(sku, units, reference)| Step::Receive { sku, units, reference }),
        1 => some_sku().prop_map(Step::Settle),
        4 => (0usize..6, some_sku(), replenishment())
            .prop_map(|(number, sku, change)| Step::Replenishment { number, sku, change }),
    ]
}

/// A product or two to begin with, then anything.
pub(super) fn acts(length: usize) -> impl Strategy<Value = Vec<Act>> {
    let first = (create(), create()).prop_map(|(mut one, mut two)| {
        one.sku = sku("A");
        two.sku = sku("B");
        Act::Batch(vec![Step::Create(one), Step::Create(two)])
    });
    let steps = || prop::collection::vec(step(), 1..8);
    let fail = prop_oneof![Just(Fail::CommitLost), Just(Fail::CommitKept)];
    let act = prop_oneof![
        8 => steps().prop_map(Act::Batch),
        3 => step().prop_map(|step| Act::Batch(vec![step])),
        3 => (0u8..6).prop_map(Act::Wait),
        1 => (fail, steps()).prop_map(|(fail, steps)| Act::Crash { fail, steps }),
        1 => Just(Act::Restart),
    ];
    (first, prop::collection::vec(act, 1..length)).prop_map(|(first, rest)| {
        let mut acts = vec![first];
        acts.extend(rest);
        acts
    })
}
