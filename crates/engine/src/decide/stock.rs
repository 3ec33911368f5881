//! Products, goods that arrive, and requests to factories.

use std::borrow::Cow;

use commerce::{
    FailReason, Line, Millis, NewProduct, Product, ProductChange, ProductId, Reference,
    Replenishment, ReplenishmentId, ReplenishmentRefusal, Sku,
};

use super::Batch;
use crate::command::{ReceiptReply, Refusal, ReplenishmentChange, ReplenishmentReply, Reply};
use crate::entry::{Data, Kind};

impl Batch {
    pub(super) fn create_product(&mut self, new: NewProduct) -> Result<Reply, Refusal> {
        if self.loaded.products.contains_key(&new.sku) {
            return Err(Refusal::ProductExists);
        }
        let number = self.loaded.next_product;
        if number as usize > self.limits.products_max {
            return Err(Refusal::TooMany {
                what: "products",
                limit: self.limits.products_max,
            });
        }
        self.loaded.next_product += 1;
        let sku = new.sku.clone();
        let stock = new.stock;
        let product = Product::new(ProductId(number), new, self.now);
        let line = Line::new(product, std::collections::VecDeque::new());
        self.loaded.products.insert(sku.clone(), line);
        let product = &self.loaded.products[&sku].product;
        let data = Data {
            sku: Some(Cow::Borrowed(sku.as_str())),
            quantity: Some(stock),
            unit_price: Some(product.price),
            currency: Some(product.currency),
            stock: Some(product.levels()),
            ..Data::default()
        };
        let seq = self.next_seq();
        self.record(&sku, Kind::ProductCreated, seq, 0, &data, None);
        self.reorder_if_due(&sku);
        Ok(self.product_reply(&sku))
    }

    pub(super) fn change_product(
        &mut self,
        sku: &Sku,
        change: ProductChange,
    ) -> Result<Reply, Refusal> {
        let line = self.line(sku)?;
        line.product.change(change);
        let product = &self.loaded.products[sku].product;
        let data = Data {
            sku: Some(Cow::Borrowed(sku.as_str())),
            unit_price: Some(product.price),
            currency: Some(product.currency),
            stock: Some(product.levels()),
            ..Data::default()
        };
        let seq = self.next_seq();
        self.record(sku, Kind::ProductUpdated, seq, 0, &data, None);
        self.settle(sku);
        Ok(self.product_reply(sku))
    }

    fn product_reply(&self, sku: &Sku) -> Reply {
        Reply::Product(Box::new(self.loaded.products[sku].product.clone()))
    }

    pub(super) fn receive_goods(
        &mut self,
        sku: &Sku,
        quantity: u64,
        reference: &Reference,
    ) -> Result<Reply, Refusal> {
        self.line(sku)?;
        let key = (sku.clone(), reference.clone());
        if let Some((counted, _)) = self.loaded.references.get(&key) {
            if *counted != quantity {
                return Err(Refusal::ReferenceReused { quantity: *counted });
            }
            return Ok(self.receipt_reply(sku, 0, true));
        }
        let seq = self.goods_arrived(sku, quantity, reference.as_str());
        let product = self.loaded.products[sku].product.id;
        self.changes
            .references
            .push((product, reference.clone(), quantity, seq));
        self.loaded.references.insert(key, (quantity, seq));
        let granted = self.settle(sku);
        Ok(self.receipt_reply(sku, granted, false))
    }

    fn receipt_reply(&self, sku: &Sku, granted: u64, repeated: bool) -> Reply {
        Reply::Receipt(Box::new(ReceiptReply {
            product: self.loaded.products[sku].product.clone(),
            granted,
            repeated,
        }))
    }

    fn goods_arrived(&mut self, sku: &Sku, quantity: u64, reference: &str) -> u64 {
        let line = self
            .loaded
            .products
            .get_mut(sku)
            .expect("the caller has looked at this line");
        line.receive(quantity);
        let data = Data {
            sku: Some(Cow::Borrowed(sku.as_str())),
            quantity: Some(quantity),
            stock: Some(line.product.levels()),
            reference: Some(Cow::Borrowed(reference)),
            ..Data::default()
        };
        let seq = self.next_seq();
        self.record(sku, Kind::StockReceived, seq, 0, &data, None);
        seq
    }

    pub(super) fn settle_product(&mut self, sku: &Sku) -> Result<Reply, Refusal> {
        self.line(sku)?;
        Ok(Reply::Count(self.settle(sku)))
    }

    /// Gives the line what it is owed: verdicts for its head, a request to the factory if it is
    /// time. Called after everything that frees or brings units.
    pub(super) fn settle(&mut self, sku: &Sku) -> u64 {
        let before = self.loaded.products[sku].product.waiting;
        let granted = self.decide_waiting(sku);
        self.reorder_if_due(sku);
        let line = &self.loaded.products[sku];
        // Nothing decided and still something due: the store counts orders that it does not
        // have. That is for the audit to tell, and not to be tried for ever.
        if line.needs_draining() && line.product.waiting != before {
            self.unsettled.insert(sku.clone());
        }
        granted
    }

    /// Asks the factory when the reorder point is reached and nothing is on its way (rule 8).
    pub(super) fn reorder_if_due(&mut self, sku: &Sku) {
        let now = self.now;
        let product = &self.loaded.products[sku].product;
        let Some(reorder) = product.wants_replenishment(now) else {
            return;
        };
        let (product_id, factory, quantity) =
            (product.id, reorder.factory.clone(), reorder.quantity);
        let id = self.new_replenishment_id();
        let token = self.draw_token();
        let replenishment =
            Replenishment::new(id, product_id, sku.clone(), factory, quantity, token, now);
        self.loaded.replenishments.insert(id.seq, replenishment);
        self.loaded
            .products
            .get_mut(sku)
            .expect("looked at just above")
            .product
            .open_replenishment = Some(id.seq);
        self.replenishment_entry(sku, id, Kind::ReplenishmentRequested, id.seq);
    }

    fn replenishment_entry(&mut self, sku: &Sku, id: ReplenishmentId, kind: Kind, seq: u64) {
        let replenishment = &self.loaded.replenishments[&id.seq];
        let quantity = if kind == Kind::ReplenishmentReceived {
            replenishment.received
        } else {
            replenishment.quantity
        };
        let (status, reason, factory) = (
            replenishment.status,
            replenishment.reason,
            replenishment.factory.clone(),
        );
        let stock = self.loaded.products[sku].product.levels();
        let data = Data {
            sku: Some(Cow::Borrowed(sku.as_str())),
            quantity: Some(quantity),
            stock: Some(stock),
            replenishment: Some(Cow::Owned(id.to_string())),
            factory: Some(Cow::Borrowed(factory.as_str())),
            status: Some(Cow::Borrowed(status.as_str())),
            reason: reason.map(|reason| Cow::Borrowed(reason.as_str())),
            ..Data::default()
        };
        self.record(sku, kind, seq, id.seq, &data, None);
        self.dirty_replenishments.insert(id.seq);
    }

    pub(super) fn change_replenishment(
        &mut self,
        id: ReplenishmentId,
        sku: &Sku,
        change: ReplenishmentChange,
    ) -> Result<Reply, Refusal> {
        let known = self
            .loaded
            .replenishments
            .get(&id.seq)
            .is_some_and(|known| known.id() == id && known.sku == *sku);
        if !known {
            return Err(Refusal::ReplenishmentNotFound);
        }
        self.line(sku)?;
        let outcome = match change {
            ReplenishmentChange::Started => self.start_replenishment(id, sku),
            ReplenishmentChange::AttemptFailed { reason, detail } => {
                let outcome = self.replenishment(id).note_attempt(reason, &detail);
                self.dirty_replenishments.insert(id.seq);
                outcome.map(|()| true)
            }
            ReplenishmentChange::Failed {
                reason,
                detail,
                retry_at,
            } => self.fail_replenishment(id, sku, reason, &detail, retry_at),
            ReplenishmentChange::Reopen => self.reopen_replenishment(id, sku),
            ReplenishmentChange::Received { units } => self.receive_replenishment(id, sku, units),
        };
        let repeated = match outcome {
            Ok(changed) => !changed,
            Err(ReplenishmentRefusal::AlreadyReceived) => true,
            Err(ReplenishmentRefusal::ReceivedOther { received }) => {
                return Err(Refusal::ReferenceReused { quantity: received });
            }
            Err(ReplenishmentRefusal::Closed) => return Err(Refusal::ReplenishmentClosed),
            Err(ReplenishmentRefusal::AnotherIsOpen) => {
                return Err(Refusal::AnotherReplenishmentOpen);
            }
        };
        Ok(Reply::Replenishment(Box::new(ReplenishmentReply {
            replenishment: self.loaded.replenishments[&id.seq].clone(),
            on_hand: self.loaded.products[sku].product.stock.on_hand,
            repeated,
        })))
    }

    fn replenishment(&mut self, id: ReplenishmentId) -> &mut Replenishment {
        self.loaded
            .replenishments
            .get_mut(&id.seq)
            .expect("the caller has looked at it")
    }

    fn start_replenishment(
        &mut self,
        id: ReplenishmentId,
        sku: &Sku,
    ) -> Result<bool, ReplenishmentRefusal> {
        let now = self.now;
        let started = self.replenishment(id).start(now)?;
        if started {
            let seq = self.next_seq();
            self.replenishment_entry(sku, id, Kind::ReplenishmentStarted, seq);
        }
        Ok(started)
    }

    fn fail_replenishment(
        &mut self,
        id: ReplenishmentId,
        sku: &Sku,
        reason: FailReason,
        detail: &str,
        retry_at: Millis,
    ) -> Result<bool, ReplenishmentRefusal> {
        let now = self.now;
        self.replenishment(id).fail(reason, detail, now)?;
        self.close_replenishment(id, sku);
        self.loaded
            .products
            .get_mut(sku)
            .expect("looked at before")
            .product
            .replenish_not_before = retry_at;
        let seq = self.next_seq();
        self.replenishment_entry(sku, id, Kind::ReplenishmentFailed, seq);
        Ok(true)
    }

    fn reopen_replenishment(
        &mut self,
        id: ReplenishmentId,
        sku: &Sku,
    ) -> Result<bool, ReplenishmentRefusal> {
        let open = self.loaded.products[sku].product.open_replenishment;
        let was_open = self.replenishment(id).is_open();
        let another = open.is_some_and(|open| open != id.seq);
        let now = self.now;
        self.replenishment(id).reopen(another, now)?;
        if was_open {
            return Ok(false);
        }
        self.loaded
            .products
            .get_mut(sku)
            .expect("looked at before")
            .product
            .open_replenishment = Some(id.seq);
        // The same words as for a new one: what follows is the same.
        let seq = self.next_seq();
        self.replenishment_entry(sku, id, Kind::ReplenishmentRequested, seq);
        Ok(true)
    }

    fn receive_replenishment(
        &mut self,
        id: ReplenishmentId,
        sku: &Sku,
        units: u64,
    ) -> Result<bool, ReplenishmentRefusal> {
        let now = self.now;
        self.replenishment(id).receive(units, now)?;
        self.close_replenishment(id, sku);
        self.goods_arrived(sku, units, &id.to_string());
        let seq = self.next_seq();
        self.replenishment_entry(sku, id, Kind::ReplenishmentReceived, seq);
        self.settle(sku);
        Ok(true)
    }

    fn close_replenishment(&mut self, id: ReplenishmentId, sku: &Sku) {
        let product = &mut self
            .loaded
            .products
            .get_mut(sku)
            .expect("looked at before")
            .product;
        if product.open_replenishment == Some(id.seq) {
            product.open_replenishment = None;
        }
    }
}
