//! The line against a model that a reader can check by eye: a list of orders that is searched
//! from the front, every time, for whatever the rules say.

use proptest::prelude::*;

use super::*;
use crate::ids::ProductId;
use crate::money::{Currency, Money};
use crate::product::{NewProduct, Product, Sku};
use crate::text::Name;

fn product(stock: u64, when: WhenSoldOut, limit: Option<u32>, opens_at: Option<Millis>) -> Product {
    let new = NewProduct {
        sku: Sku::new("A-1").unwrap(),
        name: Name::new("Thing").unwrap(),
        price: Money::new(100).unwrap(),
        currency: Currency::new("EUR").unwrap(),
        stock,
        purchase_limit: limit,
        when_sold_out: when,
        opens_at,
        reorder: None,
        ad_manager: None,
    };
    Product::new(ProductId(1), new, 0)
}

fn admission(order: u64, quantity: u32, bought: u64, defer: bool) -> Admission {
    Admission {
        order,
        quantity: Quantity::new(quantity).unwrap(),
        customer: Email::new("a@b.example").unwrap(),
        bought,
        defer,
    }
}

#[test]
fn refusals_come_in_order_and_take_no_place() {
    let mut line = Line::new(
        product(5, WhenSoldOut::Reject, Some(2), Some(100)),
        VecDeque::new(),
    );
    assert_eq!(
        line.admit(&admission(1, 3, 0, false), 99),
        Err(Refusal::NotOpenYet { opens_at: 100 })
    );
    assert_eq!(
        line.admit(&admission(1, 3, 0, false), 100),
        Err(Refusal::PurchaseLimit {
            limit: 2,
            bought: 0
        })
    );
    assert_eq!(
        line.admit(&admission(1, 1, 2, false), 100),
        Err(Refusal::PurchaseLimit {
            limit: 2,
            bought: 2
        })
    );
    assert_eq!(line.product.last_place, 0);
    assert_eq!(
        line.admit(&admission(1, 2, 0, false), 100),
        Ok(Admitted::Accepted { place: 1 })
    );
}

#[test]
fn the_head_blocks_those_behind_it() {
    let mut line = Line::new(product(1, WhenSoldOut::Wait, None, None), VecDeque::new());
    assert_eq!(
        line.admit(&admission(1, 2, 0, false), 0),
        Ok(Admitted::Pending { place: 1 })
    );
    // One unit is there and would be enough, but somebody stands before this order.
    assert_eq!(
        line.admit(&admission(2, 1, 0, false), 0),
        Ok(Admitted::Pending { place: 2 })
    );
    assert_eq!(line.decide_head(), None);
    line.receive(1);
    let first = line.decide_head().unwrap();
    assert!(first.accepted);
    assert_eq!(first.order.place, 1);
    assert_eq!(line.decide_head(), None);
}

#[test]
fn only_who_found_too_little_waits_for_stock() {
    let mut line = Line::new(product(5, WhenSoldOut::Wait, None, None), VecDeque::new());
    let admit = |line: &mut Line, orders: std::ops::RangeInclusive<u64>| {
        for order in orders {
            line.admit(&admission(order, 1, 0, true), 0).unwrap();
        }
    };
    let granted = |line: &mut Line| {
        let verdicts = std::iter::from_fn(|| line.decide_head());
        let places: Vec<u64> = verdicts.map(|verdict| verdict.order.place).collect();
        let waited = |place: &&u64| line.waited_for_stock(**place);
        let waited: Vec<u64> = places.iter().filter(waited).copied().collect();
        (places, waited)
    };
    admit(&mut line, 1..=6);
    assert_eq!(granted(&mut line), (vec![1, 2, 3, 4, 5], vec![]));
    admit(&mut line, 7..=7);
    line.receive(4);
    // They find what the receipt leaves over.
    admit(&mut line, 8..=9);
    assert_eq!(granted(&mut line), (vec![6, 7, 8, 9], vec![6, 7]));
    // Units that somebody gives back are stock as well.
    admit(&mut line, 10..=11);
    assert_eq!(granted(&mut line), (vec![], vec![]));
    line.cancel_accepted(Quantity::new(1).unwrap());
    assert_eq!(granted(&mut line), (vec![10], vec![10]));
    line.receive(1);
    assert_eq!(granted(&mut line), (vec![11], vec![11]));
    // Goods that come between an order and its verdict.
    line.receive(1);
    admit(&mut line, 12..=13);
    line.receive(1);
    assert_eq!(granted(&mut line), (vec![12, 13], vec![]));
}

#[test]
fn who_stood_behind_a_head_that_leaves_has_waited() {
    let mut line = Line::new(product(1, WhenSoldOut::Wait, None, None), VecDeque::new());
    line.admit(&admission(1, 2, 0, false), 0).unwrap();
    line.admit(&admission(2, 1, 0, false), 0).unwrap();
    line.cancel_waiting(1, Quantity::new(2).unwrap());
    let second = line.decide_head().unwrap().order;
    assert!(line.waited_for_stock(second.place));
}

/// One step of a random sale.
#[derive(Debug, Clone)]
enum Step {
    Order { quantity: u32, defer: bool },
    Receive(u64),
    Cancel(usize),
    Drain(usize),
    Switch(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1u32..5, any::<bool>()).prop_map(|(quantity, defer)| Step::Order { quantity, defer }),
        1 => (1u64..6).prop_map(Step::Receive),
        2 => any::<usize>().prop_map(Step::Cancel),
        2 => (1usize..4).prop_map(Step::Drain),
        1 => any::<bool>().prop_map(Step::Switch),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Pending,
    Accepted,
    SoldOut,
    Cancelled,
}

/// The rules, read out loud: a list of orders and a number of units.
#[derive(Default)]
struct Model {
    orders: Vec<(u32, Status)>,
    received: u64,
    wait: bool,
}

impl Model {
    fn free(&self) -> u64 {
        let held: u64 = self
            .orders
            .iter()
            .filter(|(_, status)| *status == Status::Accepted)
            .map(|(quantity, _)| u64::from(*quantity))
            .sum();
        self.received - held
    }

    fn decide_first_pending(&mut self) -> bool {
        let free = self.free();
        let wait = self.wait;
        let Some((quantity, status)) = self
            .orders
            .iter_mut()
            .find(|(_, status)| *status == Status::Pending)
        else {
            return false;
        };
        if u64::from(*quantity) <= free {
            *status = Status::Accepted;
        } else if wait {
            return false;
        } else {
            *status = Status::SoldOut;
        }
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn a_line_does_what_the_rules_say(stock in 0u64..8, wait: bool, steps in prop::collection::vec(step(), 1..60)) {
        let when = if wait { WhenSoldOut::Wait } else { WhenSoldOut::Reject };
        let mut line = Line::new(product(stock, when, None, None), VecDeque::new());
        let mut model = Model { received: stock, wait, ..Model::default() };
        let mut status: Vec<Status> = Vec::new();
        for step in steps {
            match step {
                Step::Order { quantity, defer } => {
                    let id = status.len() as u64 + 1;
                    let got = line.admit(&admission(id, quantity, 0, defer), 0).unwrap();
                    prop_assert_eq!(got.place(), id, "places have no gap");
                    status.push(match got {
                        Admitted::Accepted { .. } => Status::Accepted,
                        Admitted::SoldOut { .. } => Status::SoldOut,
                        Admitted::Pending { .. } => Status::Pending,
                    });
                    let undecided = model.orders.iter().any(|(_, s)| *s == Status::Pending);
                    model.orders.push((quantity, Status::Pending));
                    if !undecided && !defer {
                        model.decide_first_pending();
                    }
                }
                Step::Receive(units) => {
                    line.receive(units);
                    model.received += units;
                }
                Step::Cancel(at) => {
                    if model.orders.is_empty() { continue; }
                    let at = at % model.orders.len();
                    let (quantity, was) = model.orders[at];
                    match was {
                        Status::Pending => line.cancel_waiting(at as u64 + 1, Quantity::new(quantity).unwrap()),
                        Status::Accepted => line.cancel_accepted(Quantity::new(quantity).unwrap()),
                        Status::SoldOut | Status::Cancelled => continue,
                    }
                    model.orders[at].1 = Status::Cancelled;
                    status[at] = Status::Cancelled;
                }
                Step::Drain(most) => {
                    for _ in 0..most {
                        let verdict = line.decide_head();
                        prop_assert_eq!(verdict.is_some(), model.decide_first_pending());
                        if let Some(verdict) = verdict {
                            let at = usize::try_from(verdict.order.order).unwrap() - 1;
                            status[at] = if verdict.accepted { Status::Accepted } else { Status::SoldOut };
                        }
                    }
                }
                Step::Switch(wait) => {
                    model.wait = wait;
                    line.product.when_sold_out = if wait { WhenSoldOut::Wait } else { WhenSoldOut::Reject };
                }
            }
            let expected: Vec<Status> = model.orders.iter().map(|(_, s)| *s).collect();
            prop_assert_eq!(&status, &expected);
            prop_assert_eq!(line.product.stock.available(), model.free());
            let pending = expected.iter().filter(|s| **s == Status::Pending).count() as u64;
            prop_assert_eq!(line.product.waiting, pending);
        }
    }
}
