//! Orders: placed, decided, cancelled.

use std::borrow::Cow;

use commerce::{
    Admission, Admitted, CustomerHash, Email, OrderId, ProductId, Quantity, Sku, Verdict,
    commit_to_buyer,
};

use super::Batch;
use crate::command::{KeyHash, OrderReply, PlaceOrder, Refusal, Reply, Standing};
use crate::entry::{Buyer, Data, Kind, OrderRecord, OrderStatus};
use crate::ports::{Counted, OrderChange};

impl Batch {
    /// In this order, which is part of the API: the key, the product, the number of keys, then
    /// what the line says (not open yet, purchase limit).
    pub(super) fn place_order(&mut self, order: PlaceOrder) -> Result<Reply, Refusal> {
        if let Some(key) = order.key
            && let Some(seq) = self.seq_of_key(key)
        {
            let earlier = self.find_order(seq).ok_or(Refusal::OrderNotFound)?;
            if earlier.body != order.body {
                return Err(Refusal::KeyReused);
            }
            return Ok(self.order_reply(earlier, None, true));
        }
        let customer = order.customer.customer();
        let limit = self.line(&order.sku)?.product.purchase_limit;
        let bought_key = (limit.is_some()).then(|| (order.sku.clone(), customer));
        if order.key.is_some() {
            let held = self.loaded.key_holders.get(&customer).copied().unwrap_or(0);
            if held >= self.limits.keys_per_customer {
                return Err(Refusal::TooManyKeys {
                    limit: self.limits.keys_per_customer,
                });
            }
        }
        // Deferred orders stand before this one: they get their verdicts first.
        self.decide_waiting(&order.sku);
        let bought = bought_key
            .as_ref()
            .and_then(|key| self.loaded.bought.get(key).copied())
            .unwrap_or(0);
        let seq = self.last_seq + 1;
        let admission = Admission {
            order: seq,
            quantity: order.quantity,
            customer: order.customer.clone(),
            bought,
            defer: order.defer,
        };
        let now = self.now;
        let admitted = self
            .line(&order.sku)?
            .admit(&admission, now)
            .map_err(|refusal| match refusal {
                commerce::Refusal::NotOpenYet { opens_at } => Refusal::NotOpenYet { opens_at },
                commerce::Refusal::PurchaseLimit { limit, bought } => Refusal::PurchaseLimit {
                    limit,
                    bought,
                    sku: order.sku.clone(),
                },
            })?;
        let id = self.new_order_id();
        assert_eq!(id.seq, seq, "one sequence for the place and the id");
        let record = self.admitted(&order, id, admitted);
        if let Some(key) = order.key {
            self.new_keys.insert(key, seq);
            *self.loaded.key_holders.entry(customer).or_default() += 1;
        }
        if let (Some(key), true) = (bought_key, record.status != OrderStatus::SoldOut) {
            *self.loaded.bought.entry(key).or_default() += order.quantity.units();
        }
        let standing = (record.status == OrderStatus::Pending).then(|| self.standing_last(&record));
        self.reorder_if_due(&order.sku);
        Ok(self.order_reply(record, standing, false))
    }

    /// Writes down what became of an admitted order.
    fn admitted(&mut self, order: &PlaceOrder, id: OrderId, admitted: Admitted) -> OrderRecord {
        let (kind, status) = match admitted {
            Admitted::Accepted { .. } => (Kind::OrderAccepted, OrderStatus::Accepted),
            Admitted::SoldOut { .. } => (Kind::OrderSoldOut, OrderStatus::SoldOut),
            Admitted::Pending { .. } => (Kind::OrderPlaced, OrderStatus::Pending),
        };
        let place = admitted.place();
        let product = &self.loaded.products[&order.sku].product;
        let (unit_price, currency, line) = (product.price, product.currency, product.id);
        let commitment = hex(commit_to_buyer(id.secret, &order.customer));
        let data = Data {
            sku: Some(Cow::Borrowed(order.sku.as_str())),
            place: Some(place),
            quantity: Some(order.quantity.units()),
            unit_price: Some(unit_price),
            currency: Some(currency),
            buyer: Some(Cow::Borrowed(
                std::str::from_utf8(&commitment).expect("hexadecimal"),
            )),
            stock: Some(product.levels()),
            ..Data::default()
        };
        let buyer = Buyer {
            customer: order.customer.shared(),
            secret: Some(id.secret),
            key: order.key,
            body: order.body,
        };
        self.record(&order.sku, kind, id.seq, id.seq, &data, Some(buyer));
        let units = match admitted {
            Admitted::Accepted { .. } | Admitted::Pending { .. } => signed(order.quantity),
            Admitted::SoldOut { .. } => 0,
        };
        self.count(id.seq, order.key, order.customer.customer(), line, units);
        let pending = status == OrderStatus::Pending;
        if pending {
            self.changes.waiting_added.push((
                line,
                commerce::Waiting {
                    place,
                    order: id.seq,
                    quantity: order.quantity,
                    customer: order.customer.shared(),
                },
            ));
        }
        let record = OrderRecord {
            id,
            product: line,
            sku: order.sku.clone(),
            place,
            quantity: order.quantity,
            customer: order.customer.shared(),
            unit_price,
            currency,
            status,
            placed_at: self.now,
            decided_at: (!pending).then_some(self.now),
            cancelled_at: None,
            key: order.key,
            body: order.body,
            last_seq: id.seq,
        };
        if order.key.is_some() || pending {
            self.new_orders.insert(id.seq, record.clone());
        }
        record
    }

    /// Notes what an entry means for the look-ups.
    pub(super) fn count(
        &mut self,
        order: u64,
        key: Option<KeyHash>,
        customer: CustomerHash,
        product: ProductId,
        delta: i32,
    ) {
        if key.is_some() || delta != 0 {
            self.changes.counted.push(Counted {
                order,
                key,
                customer,
                product,
                delta,
                at: self.now,
            });
        }
    }

    /// How an order stands that is the last of its line.
    fn standing_last(&self, order: &OrderRecord) -> Standing {
        let product = &self.loaded.products[&order.sku].product;
        assert_eq!(product.last_place, order.place, "the newest place");
        Standing {
            ahead: product.waiting - 1,
            ahead_units: product.waiting_units - order.quantity.units(),
            estimate_s: product.estimate_s(product.waiting_units, self.now),
        }
    }

    fn order_reply(&self, order: OrderRecord, standing: Option<Standing>, replay: bool) -> Reply {
        let product = (self.loaded.products.get(&order.sku)).map(|line| &line.product);
        Reply::Order(Box::new(OrderReply {
            available: product.map_or(0, |product| product.stock.available()),
            when_sold_out: product.map(|product| product.when_sold_out),
            standing,
            order,
            replay,
        }))
    }

    pub(super) fn find_order(&self, seq: u64) -> Option<OrderRecord> {
        self.new_orders
            .get(&seq)
            .or_else(|| self.loaded.orders.get(&seq))
            .cloned()
    }

    pub(super) fn cancel_order(&mut self, id: OrderId) -> Result<Reply, Refusal> {
        let mut order = self.find_order(id.seq).ok_or(Refusal::OrderNotFound)?;
        if order.id != id {
            return Err(Refusal::OrderNotFound);
        }
        let line = self.line(&order.sku)?;
        match order.status {
            OrderStatus::Cancelled => return Ok(self.order_reply(order, None, true)),
            OrderStatus::SoldOut | OrderStatus::Rejected | OrderStatus::Expired => {
                return Err(Refusal::NotCancellable);
            }
            OrderStatus::Accepted => line.cancel_accepted(order.quantity),
            OrderStatus::Pending => {
                line.cancel_waiting(order.id.seq, order.quantity);
                self.changes
                    .waiting_removed
                    .push((order.product, order.place));
            }
        }
        let was = order.status;
        order.status = OrderStatus::Cancelled;
        order.cancelled_at = Some(self.now);
        self.gave_back(&order);
        let email = Email::from_stored(&order.customer);
        self.cancellation_entry(&mut order, was, &email);
        let sku = order.sku.clone();
        self.settle(&sku);
        Ok(self.order_reply(order, None, false))
    }

    /// The customer has fewer units of a limited product than before.
    fn gave_back(&mut self, order: &OrderRecord) {
        let customer = Email::from_stored(&order.customer).customer();
        self.count(
            order.id.seq,
            None,
            customer,
            order.product,
            -signed(order.quantity),
        );
        if let Some(bought) = self.loaded.bought.get_mut(&(order.sku.clone(), customer)) {
            *bought = bought.saturating_sub(order.quantity.units());
        }
    }

    /// Gives the head of the line its verdicts, as many as are loaded and due. Returns how many
    /// were granted.
    pub(super) fn decide_waiting(&mut self, sku: &Sku) -> u64 {
        let mut granted = 0;
        let mut granted_units = 0;
        loop {
            let Some(line) = self.loaded.products.get_mut(sku) else {
                return 0;
            };
            let Some(verdict) = line.decide_head() else {
                break;
            };
            if verdict.accepted {
                granted += 1;
                if line.waited_for_stock(verdict.order.place) {
                    granted_units += verdict.order.quantity.units();
                }
            }
            self.verdict(sku, &verdict);
        }
        let now = self.now;
        if let Some(line) = self.loaded.products.get_mut(sku)
            && granted_units > 0
        {
            line.granted(granted_units, now);
        }
        granted
    }

    fn verdict(&mut self, sku: &Sku, verdict: &Verdict) {
        let product = &self.loaded.products[sku].product;
        let waiting = &verdict.order;
        let (kind, status) = if verdict.accepted {
            (Kind::OrderAccepted, OrderStatus::Accepted)
        } else {
            (Kind::OrderSoldOut, OrderStatus::SoldOut)
        };
        let line = product.id;
        let data = Data {
            sku: Some(Cow::Owned(sku.as_str().to_owned())),
            place: Some(waiting.place),
            quantity: Some(waiting.quantity.units()),
            stock: Some(product.levels()),
            ..Data::default()
        };
        let buyer = Buyer {
            customer: waiting.customer.clone(),
            secret: None,
            key: None,
            body: crate::command::BodyHash(0),
        };
        let seq = self.next_seq();
        self.record(sku, kind, seq, waiting.order, &data, Some(buyer));
        self.changes.waiting_removed.push((line, waiting.place));
        let now = self.now;
        self.changes.order_changes.push(OrderChange {
            order: waiting.order,
            status,
            decided_at: Some(now),
            cancelled_at: None,
            last_seq: seq,
        });
        for orders in [&mut self.new_orders, &mut self.loaded.orders] {
            if let Some(order) = orders.get_mut(&waiting.order) {
                order.status = status;
                order.decided_at = Some(now);
                order.last_seq = seq;
            }
        }
        if !verdict.accepted {
            let customer = Email::from_stored(&waiting.customer).customer();
            self.count(
                waiting.order,
                None,
                customer,
                line,
                -signed(waiting.quantity),
            );
            if let Some(bought) = self.loaded.bought.get_mut(&(sku.clone(), customer)) {
                *bought = bought.saturating_sub(waiting.quantity.units());
            }
        }
    }

    fn cancellation_entry(&mut self, order: &mut OrderRecord, was: OrderStatus, email: &Email) {
        let product = &self.loaded.products[&order.sku].product;
        let sku = order.sku.clone();
        let data = Data {
            sku: Some(Cow::Borrowed(sku.as_str())),
            place: Some(order.place),
            quantity: Some(order.quantity.units()),
            stock: Some(product.levels()),
            was: Some(Cow::Borrowed(was.as_str())),
            ..Data::default()
        };
        let buyer = Buyer {
            customer: email.shared(),
            secret: None,
            key: None,
            body: crate::command::BodyHash(0),
        };
        let seq = self.next_seq();
        self.record(
            &sku,
            Kind::OrderCancelled,
            seq,
            order.id.seq,
            &data,
            Some(buyer),
        );
        order.last_seq = seq;
        self.changes.order_changes.push(OrderChange {
            order: order.id.seq,
            status: order.status,
            decided_at: order.decided_at,
            cancelled_at: order.cancelled_at,
            last_seq: seq,
        });
        let orders = if self.new_orders.contains_key(&order.id.seq) {
            &mut self.new_orders
        } else {
            &mut self.loaded.orders
        };
        orders.insert(order.id.seq, order.clone());
    }
}

fn signed(quantity: Quantity) -> i32 {
    i32::try_from(quantity.get()).expect("an order is for a million units at most")
}

/// Lower-case hexadecimal on the stack: the hot path makes one for every order.
pub(crate) fn hex(bytes: [u8; 16]) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 32];
    for (i, byte) in bytes.iter().enumerate() {
        text[2 * i] = DIGITS[usize::from(byte >> 4)];
        text[2 * i + 1] = DIGITS[usize::from(byte & 15)];
    }
    text
}
