//! The rules of a sale, read out loud: a list of orders that is searched from the front every
//! time, and the number of units that ever arrived.
//!
//! No sums are kept. What is available is what arrived less what accepted orders hold; a line
//! is the orders without a verdict, by place. The only thing taken from the engine rather than
//! from the rules is when a deferred order is looked at: before the next order for its product,
//! after whatever else happens to it, and at the latest behind its batch.

use commerce::{Millis, ReplenishmentStatus, Sku, WhenSoldOut};
use engine::{Limits, OrderStatus, ReplenishmentChange};

use super::steps::{self, Order, Step};

#[derive(Debug)]
pub(super) struct ModelOrder {
    pub(super) sku: Sku,
    pub(super) place: u64,
    pub(super) units: u64,
    pub(super) customer: &'static str,
    pub(super) key: Option<u64>,
    pub(super) body: u64,
    pub(super) status: OrderStatus,
    pub(super) placed_at: Millis,
    pub(super) was_decided: bool,
    pub(super) was_accepted: bool,
}

#[derive(Debug)]
pub(super) struct ModelProduct {
    pub(super) sku: Sku,
    received: u64,
    when: WhenSoldOut,
    limit: Option<u32>,
    opens_at: Option<Millis>,
    reorder: Option<commerce::Reorder>,
    not_before: Millis,
    references: Vec<(u8, u64)>,
}

#[derive(Debug)]
pub(super) struct ModelReplenishment {
    pub(super) sku: Sku,
    pub(super) quantity: u64,
    pub(super) status: ReplenishmentStatus,
    pub(super) received: u64,
}

/// What must be answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Order {
        number: usize,
        place: u64,
        status: OrderStatus,
        replay: bool,
        available: u64,
    },
    Product {
        on_hand: u64,
        allocated: u64,
        waiting: u64,
    },
    Receipt {
        granted: u64,
        repeated: bool,
        on_hand: u64,
    },
    Replenishment {
        status: ReplenishmentStatus,
        repeated: bool,
        received: u64,
        on_hand: u64,
    },
    Count(u64),
    OverLimit {
        limit: u32,
        bought: u64,
    },
    Refused(&'static str),
}

pub(super) struct Levels {
    pub(super) on_hand: u64,
    pub(super) allocated: u64,
    pub(super) waiting: u64,
    pub(super) waiting_units: u64,
    pub(super) places: u64,
}

pub(super) struct Model {
    pub(super) now: Millis,
    pub(super) orders: Vec<ModelOrder>,
    pub(super) products: Vec<ModelProduct>,
    pub(super) replenishments: Vec<ModelReplenishment>,
    limits: Limits,
    /// How many orders and replenishments had been answered when the batch began: nobody can
    /// name the others.
    answered: (usize, usize),
}

use Expected::Refused;

impl Model {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            now: 0,
            orders: Vec::new(),
            products: Vec::new(),
            replenishments: Vec::new(),
            limits,
            answered: (0, 0),
        }
    }

    pub(super) fn begin_batch(&mut self, now: Millis) {
        self.now = now;
        self.answered = (self.orders.len(), self.replenishments.len());
    }

    pub(super) fn find(&self, sku: &str, place: u64) -> usize {
        self.orders
            .iter()
            .position(|order| order.sku.as_str() == sku && order.place == place)
            .unwrap_or_else(|| panic!("place {place} of {sku} is not in the model"))
    }

    /// The orders of a product that have no verdict, in place order.
    pub(super) fn line(&self, sku: &Sku) -> impl Iterator<Item = (usize, &ModelOrder)> {
        self.orders
            .iter()
            .enumerate()
            .filter(move |(_, order)| order.sku == *sku && order.status == OrderStatus::Pending)
    }

    pub(super) fn open_replenishment(&self, sku: &Sku) -> Option<usize> {
        self.replenishments
            .iter()
            .position(|r| r.sku == *sku && is_open(r.status))
    }

    pub(super) fn levels(&self, product: &ModelProduct) -> Levels {
        let all = || self.orders.iter().filter(|order| order.sku == product.sku);
        let units = |status| -> u64 {
            let with = all().filter(|order| order.status == status);
            with.map(|order| order.units).sum()
        };
        Levels {
            on_hand: product.received,
            allocated: units(OrderStatus::Accepted),
            waiting: self.line(&product.sku).count() as u64,
            waiting_units: units(OrderStatus::Pending),
            places: all().count() as u64,
        }
    }

    /// For every limited product and every customer: one that cannot be accepted.
    pub(super) fn orders_over_limits(&self) -> Vec<Step> {
        let limited = self
            .products
            .iter()
            .filter_map(|p| Some((p.sku.clone(), p.limit?)));
        let all = limited.flat_map(|(sku, limit)| {
            steps::CUSTOMERS.map(|customer| {
                Step::Order(Order {
                    sku: sku.clone(),
                    units: limit + 1,
                    customer,
                    key: None,
                    body: 0,
                    defer: false,
                })
            })
        });
        all.collect()
    }

    fn product(&mut self, sku: &Sku) -> Option<&mut ModelProduct> {
        self.products.iter_mut().find(|product| product.sku == *sku)
    }

    fn product_at(&self, sku: &Sku) -> &ModelProduct {
        let found = self.products.iter().find(|product| product.sku == *sku);
        found.expect("the caller has looked")
    }

    fn available(&self, sku: &Sku) -> u64 {
        let levels = self.levels(self.product_at(sku));
        levels.on_hand - levels.allocated
    }

    /// The verdict that the head of the line could have now.
    fn due(&self, sku: &Sku) -> Option<(usize, OrderStatus)> {
        let (number, head) = self.line(sku).next()?;
        if head.units <= self.available(sku) {
            Some((number, OrderStatus::Accepted))
        } else if self.product_at(sku).when == WhenSoldOut::Reject {
            Some((number, OrderStatus::SoldOut))
        } else {
            None
        }
    }

    /// Gives the line what it is owed. How many were granted.
    fn settle_line(&mut self, sku: &Sku) -> u64 {
        let mut granted = 0;
        while let Some((number, status)) = self.due(sku) {
            let order = &mut self.orders[number];
            order.status = status;
            order.was_decided = true;
            order.was_accepted = status == OrderStatus::Accepted;
            granted += u64::from(order.was_accepted);
        }
        granted
    }

    fn ask_factory(&mut self, sku: &Sku) {
        let product = self.product_at(sku);
        let Some(reorder) = &product.reorder else {
            return;
        };
        let quantity = reorder.quantity;
        let position = self
            .available(sku)
            .saturating_sub(self.levels(product).waiting_units);
        let due = position <= reorder.point && self.now >= product.not_before;
        if due && self.open_replenishment(sku).is_none() {
            self.replenishments.push(ModelReplenishment {
                sku: sku.clone(),
                quantity,
                status: ReplenishmentStatus::Requested,
                received: 0,
            });
        }
    }

    fn settle(&mut self, sku: &Sku) -> u64 {
        let granted = self.settle_line(sku);
        self.ask_factory(sku);
        granted
    }

    /// Deferred orders have had their verdicts when the next batch begins.
    pub(super) fn end_batch(&mut self) {
        for sku in self.skus() {
            if self.due(&sku).is_some() {
                self.settle(&sku);
            }
        }
    }

    pub(super) fn end_batch_after(&mut self, step: &Step) {
        if step.ends_batch() {
            self.end_batch();
        }
    }

    /// A start looks at every line that may be owed something.
    pub(super) fn restart(&mut self) {
        for sku in self.skus() {
            self.settle(&sku);
        }
    }

    /// As the engine goes through them.
    fn skus(&self) -> Vec<Sku> {
        let mut skus: Vec<Sku> = self.products.iter().map(|p| p.sku.clone()).collect();
        skus.sort();
        skus
    }

    pub(super) fn apply(&mut self, step: &Step) -> Expected {
        match step {
            Step::Order(order) => self.order(order),
            Step::Cancel { order, right_id } => self.cancel(*order, *right_id),
            Step::Create(new) => {
                if self.product(&new.sku).is_some() {
                    return Refused("product_exists");
                }
                if self.products.len() == self.limits.products_max {
                    return Refused("too_many");
                }
                self.products.push(ModelProduct {
                    sku: new.sku.clone(),
                    received: new.stock,
                    when: new.when_sold_out,
                    limit: new.purchase_limit,
                    opens_at: new.opens_at,
                    reorder: new.reorder.clone(),
                    not_before: 0,
                    references: Vec::new(),
                });
                self.ask_factory(&new.sku);
                self.product_reply(&new.sku)
            }
            Step::Change { sku, change } => {
                let Some(product) = self.product(sku) else {
                    return Refused("product_not_found");
                };
                let change = change.clone();
                product.limit = change.purchase_limit.unwrap_or(product.limit);
                product.when = change.when_sold_out.unwrap_or(product.when);
                product.opens_at = change.opens_at.unwrap_or(product.opens_at);
                if let Some(reorder) = change.reorder {
                    product.reorder = reorder;
                    product.not_before = 0;
                }
                self.settle(sku);
                self.product_reply(sku)
            }
            Step::Receive {
                sku,
                units,
                reference,
            } => self.receive(sku, *units, *reference),
            Step::Settle(sku) => {
                if self.product(sku).is_none() {
                    return Refused("product_not_found");
                }
                Expected::Count(self.settle(sku))
            }
            Step::Replenishment {
                number,
                sku,
                change,
            } => self.replenishment(*number, sku, change),
        }
    }

    fn product_reply(&self, sku: &Sku) -> Expected {
        let levels = self.levels(self.product_at(sku));
        Expected::Product {
            on_hand: levels.on_hand,
            allocated: levels.allocated,
            waiting: levels.waiting,
        }
    }

    fn order_reply(&self, number: usize, replay: bool) -> Expected {
        let order = &self.orders[number];
        Expected::Order {
            number,
            place: order.place,
            status: order.status,
            replay,
            available: self.available(&order.sku),
        }
    }

    fn order(&mut self, order: &Order) -> Expected {
        let retention = Millis::try_from(self.limits.key_retention.as_millis()).unwrap();
        let since = self.now - retention;
        let is_live = |known: &&ModelOrder| known.key.is_some() && known.placed_at >= since;
        let same_person = |known: &&ModelOrder| known.customer.eq_ignore_ascii_case(order.customer);
        if order.key.is_some() {
            // The newest: an older one with this key would have been found before it.
            let earlier = self
                .orders
                .iter()
                .rposition(|known| is_live(&known) && known.key == order.key);
            if let Some(number) = earlier {
                if self.orders[number].body != order.body {
                    return Refused("idempotency_key_reused");
                }
                return self.order_reply(number, true);
            }
        }
        if self.product(&order.sku).is_none() {
            return Refused("product_not_found");
        }
        let held = self.orders.iter().filter(is_live).filter(same_person);
        if order.key.is_some() && held.count() >= self.limits.keys_per_customer as usize {
            return Refused("too_many_keys");
        }
        self.settle_line(&order.sku);
        let product = self.product_at(&order.sku);
        if product.opens_at.is_some_and(|opens_at| self.now < opens_at) {
            return Refused("not_open_yet");
        }
        let bought: u64 = self
            .orders
            .iter()
            .filter(|known| known.sku == order.sku)
            .filter(same_person)
            .filter(|known| matches!(known.status, OrderStatus::Pending | OrderStatus::Accepted))
            .map(|known| known.units)
            .sum();
        let units = u64::from(order.units);
        if let Some(limit) = product.limit
            && bought + units > u64::from(limit)
        {
            return Expected::OverLimit { limit, bought };
        }
        let first_in_line = self.line(&order.sku).next().is_none();
        self.orders.push(ModelOrder {
            sku: order.sku.clone(),
            place: self.levels(product).places + 1,
            units,
            customer: order.customer,
            key: order.key,
            body: order.body,
            status: OrderStatus::Pending,
            placed_at: self.now,
            was_decided: false,
            was_accepted: false,
        });
        if first_in_line && !order.defer {
            self.settle_line(&order.sku);
        }
        self.ask_factory(&order.sku);
        self.order_reply(self.orders.len() - 1, false)
    }

    fn cancel(&mut self, number: usize, right_id: bool) -> Expected {
        let can_be_named = right_id && number < self.answered.0;
        let Some(order) = self.orders.get_mut(number).filter(|_| can_be_named) else {
            return Refused("order_not_found");
        };
        match order.status {
            OrderStatus::Cancelled => return self.order_reply(number, true),
            OrderStatus::SoldOut => return Refused("not_cancellable"),
            _ => order.status = OrderStatus::Cancelled,
        }
        let sku = order.sku.clone();
        self.settle(&sku);
        self.order_reply(number, false)
    }

    fn receive(&mut self, sku: &Sku, units: u64, reference: u8) -> Expected {
        let Some(product) = self.product(sku) else {
            return Refused("product_not_found");
        };
        let known = product.references.iter().find(|known| known.0 == reference);
        let repeated = match known {
            Some((_, counted)) if *counted != units => return Refused("reference_reused"),
            Some(_) => true,
            None => {
                product.references.push((reference, units));
                product.received += units;
                false
            }
        };
        Expected::Receipt {
            granted: if repeated { 0 } else { self.settle(sku) },
            repeated,
            on_hand: self.product_at(sku).received,
        }
    }

    fn replenishment(
        &mut self,
        number: usize,
        sku: &Sku,
        change: &ReplenishmentChange,
    ) -> Expected {
        use ReplenishmentStatus::{Failed, InProduction, Received, Requested};

        if number >= self.answered.1 {
            return Refused("replenishment_not_found");
        }
        let another_open = self
            .open_replenishment(sku)
            .is_some_and(|open| open != number);
        let Some(known) = self
            .replenishments
            .get_mut(number)
            .filter(|r| r.sku == *sku)
        else {
            return Refused("replenishment_not_found");
        };
        let mut repeated = false;
        let was = known.status;
        match (change, was) {
            (ReplenishmentChange::Received { units }, Requested | InProduction | Failed) => {
                known.status = Received;
                known.received = *units;
                self.product(sku).unwrap().received += units;
                self.settle(sku);
            }
            (ReplenishmentChange::Received { units }, Received) if *units != known.received => {
                return Refused("reference_reused");
            }
            (ReplenishmentChange::Received { .. } | ReplenishmentChange::Reopen, Received) => {
                repeated = true;
            }
            (ReplenishmentChange::Started, Requested) => known.status = InProduction,
            (ReplenishmentChange::Started, InProduction) => repeated = true,
            (ReplenishmentChange::AttemptFailed { .. }, Requested) => {}
            (ReplenishmentChange::Failed { retry_at, .. }, Requested | InProduction) => {
                known.status = Failed;
                self.product(sku).unwrap().not_before = *retry_at;
            }
            (ReplenishmentChange::Reopen, Requested | InProduction) => repeated = true,
            (ReplenishmentChange::Reopen, Failed) if another_open => {
                return Refused("another_replenishment_open");
            }
            (ReplenishmentChange::Reopen, Failed) => known.status = Requested,
            (
                ReplenishmentChange::Started | ReplenishmentChange::Failed { .. },
                Received | Failed,
            )
            | (ReplenishmentChange::AttemptFailed { .. }, InProduction | Received | Failed) => {
                return Refused("replenishment_closed");
            }
        }
        Expected::Replenishment {
            status: self.replenishments[number].status,
            repeated,
            received: self.replenishments[number].received,
            on_hand: self.product_at(sku).received,
        }
    }
}

fn is_open(status: ReplenishmentStatus) -> bool {
    match status {
        ReplenishmentStatus::Requested | ReplenishmentStatus::InProduction => true,
        ReplenishmentStatus::Received | ReplenishmentStatus::Failed => false,
    }
}
