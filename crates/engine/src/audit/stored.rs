//! What a store keeps beside the log, against what the log gives: products, waiting lines, the
//! state of every order, the keys that were used.
//!
//! A live server goes on while it is looked at, so a difference counts only when both sides
//! stand at the same entry.

use std::collections::HashSet;
use std::time::Duration;

use commerce::{Currency, LineId, Millis, Money, ProductId, Sku, Waiting, WhenSoldOut};

use super::{Audit, Violation};
use crate::entry::{Buyer, Entry};
use crate::ports::StoreError;

/// How often a product that changes while it is compared is looked at again.
const LOOKS: usize = 50;
/// How long a live server may take to give the head of a line what it is owed, times [`LOOKS`].
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Places of a line whose count of those before is looked at, about.
const PLACES_COUNTED: usize = 64;

impl Audit<'_> {
    /// Rule 5: what is stored of an order is its newest verdict, and nothing but an entry
    /// changes it.
    pub(super) fn stored_status(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let Some(expected) = entry.kind.order_status() else {
            return Ok(());
        };
        let first = entry.subject == entry.seq;
        if !first {
            let order = self.stored_entry(entry.subject)?;
            let ordered = order.and_then(|order| order.buyer);
            let customer =
                |buyer: &Option<Buyer>| buyer.as_ref().map(|buyer| buyer.customer.clone());
            if ordered.is_some() && customer(&ordered) != customer(&entry.buyer) {
                self.broken(11, entry, "is stored under another buyer than its order");
            }
        }
        match self.reader.order_change(entry.subject)? {
            None if first => {}
            None => self.broken(5, entry, "is a verdict that the order does not show"),
            // A later entry made this change; it is compared there.
            Some(change) if change.last_seq > entry.seq => {
                let made_by = self.stored_entry(change.last_seq)?;
                if made_by.is_none_or(|made_by| made_by.subject != entry.subject) {
                    self.broken(5, entry, "is of an order that was changed without an entry");
                }
            }
            Some(change) => {
                if first || change.last_seq != entry.seq || change.status != expected {
                    self.broken(
                        5,
                        entry,
                        format!("is not what the order shows: {}", change.status.as_str()),
                    );
                }
            }
        }
        Ok(())
    }

    /// Rule 6: a key is found as long as it is kept, and a customer has as many units as the log says.
    pub(super) fn compare_look_ups(&mut self, now: Millis) -> Result<(), StoreError> {
        // A clock that was set back: nothing is older than the newest entry says.
        let now = now.max(self.last_at);
        let since = now.saturating_sub(self.key_retention);
        let mut after = 0;
        loop {
            let mut broken = Vec::new();
            let mut note = |seq, what| broken.push((seq, what));
            let next = self.reader.check_look_ups(after, since, &mut note)?;
            for (seq, what) in broken {
                self.tell(Violation {
                    rule: 6,
                    sku: None,
                    seq: Some(seq),
                    place: None,
                    what,
                });
            }
            match next {
                Some(next) => after = next,
                None => return Ok(()),
            }
        }
    }

    /// The products and waiting lines as stored are what their history gives.
    pub(super) fn compare_products(&mut self) -> Result<(), StoreError> {
        let mut after: Option<Sku> = None;
        let mut stored: HashSet<LineId> = HashSet::new();
        loop {
            let page = self.reader.products(after.as_ref(), 100)?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.sku.clone());
            for product in page {
                stored.insert(product.id.into());
                self.compare_product(&product.sku)?;
            }
        }
        // Products that a live server makes meanwhile may have sorted before the last page.
        let unseen: Vec<(LineId, String)> = self
            .lines
            .iter()
            .filter(|(id, _)| !stored.contains(id))
            .map(|(id, line)| (*id, line.sku.clone()))
            .collect();
        for (id, sku) in unseen {
            let found = match Sku::new(&sku) {
                Ok(sku) => self.reader.product(&sku)?,
                Err(_) => None,
            };
            if found.is_none_or(|found| LineId::from(found.id) != id) {
                self.tell(Violation {
                    rule: 1,
                    sku: Some(sku),
                    seq: None,
                    place: None,
                    what: "has a history and is not stored".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// A place before which the store counts others than stand there, of those that are looked at:
    /// the first, the last, and some in between.
    fn miscounted(
        &self,
        product: ProductId,
        waiting: &[Waiting],
    ) -> Result<Option<u64>, StoreError> {
        let every = waiting.len() / PLACES_COUNTED + 1;
        let mut before = (0, 0);
        for (nth, waits) in waiting.iter().enumerate() {
            if nth % every == 0 || nth + 1 == waiting.len() {
                let ahead = self.reader.ahead(product, waits.place)?;
                if (ahead.orders, ahead.units) != before {
                    return Ok(Some(waits.place));
                }
            }
            before = (before.0 + 1, before.1 + waits.quantity.units());
        }
        let all = self.reader.ahead(product, u64::MAX)?;
        let after = waiting.last().map_or(1, |last| last.place + 1);
        Ok(((all.orders, all.units) != before).then_some(after))
    }

    fn compare_product(&mut self, sku: &Sku) -> Result<(), StoreError> {
        // On a live store the product moves on while it is looked at; look again until both
        // sides stand at the same entry.
        for look in 1..=LOOKS {
            let Some(product) = self.reader.product(sku)? else {
                return Ok(());
            };
            // A product and its newest entry are one commit, and this product was read after
            // all the entries that are known so far.
            let known = self.lines.get(&product.id.into());
            if known.is_some_and(|line| product.last_seq < line.last_seq) {
                self.told_of(sku, 1, "is stored as it was before its newest entries");
                return Ok(());
            }
            let waiting = self.reader.waiting(product.id, 0, usize::MAX >> 1)?;
            let miscounted = self.miscounted(product.id, &waiting)?;
            self.read_on()?;
            let Some(line) = self.lines.get(&product.id.into()) else {
                self.told_of(sku, 11, "has no history");
                return Ok(());
            };
            if product.last_seq > line.last_seq {
                self.told_of(sku, 11, "ends with an entry that is not in the log");
                return Ok(());
            }
            if product.last_seq < line.last_seq {
                continue;
            }
            let stored = (
                product.stock.on_hand,
                product.stock.reserved,
                product.stock.allocated,
                product.stock.received,
                product.last_place,
                product.waiting,
                product.waiting_units,
                product.last_hash,
            );
            let history = (
                line.received,
                0,
                line.allocated,
                line.received,
                line.last_place,
                line.pending.len() as u64,
                line.pending_units,
                line.hash,
            );
            let same_replenishment = product.open_replenishment == line.open_replenishment;
            let same_line = waiting
                .iter()
                .map(|w| (w.place, w.order, w.quantity.units()))
                .eq(line
                    .pending
                    .values()
                    .map(|(seq, pending)| (pending.place, *seq, pending.units)));
            let free = line.received.saturating_sub(line.allocated);
            let is_told = |(price, currency): (Money, Option<Currency>)| {
                price == product.price && currency.is_none_or(|c| c == product.currency)
            };
            let same_price = line.price.is_none_or(is_told);
            let owed = line
                .pending
                .values()
                .next()
                .is_some_and(|(_, head)| head.units <= free)
                && product.when_sold_out == WhenSoldOut::Wait;
            if owed && look < LOOKS {
                // A live server gives it in its next commit; a stopped one has had the time.
                std::thread::sleep(LOOK_AGAIN);
                continue;
            }
            if stored != history {
                self.told_of(sku, 1, "is stored differently from what its history gives");
            }
            if !same_price {
                self.told_of(
                    sku,
                    11,
                    "is stored with another price than its history gives",
                );
            }
            for waits in &waiting {
                let order = self.stored_entry(waits.order)?;
                let buyer = order.and_then(|order| order.buyer);
                if buyer.is_some_and(|buyer| buyer.customer != waits.customer) {
                    self.told_of(
                        sku,
                        3,
                        "has a waiting line with another customer than ordered",
                    );
                }
            }
            if !same_line {
                self.told_of(sku, 3, "has a waiting line that its history does not give");
            }
            if let Some(place) = miscounted.filter(|_| same_line) {
                self.tell(Violation {
                    rule: 3,
                    sku: Some(sku.to_string()),
                    seq: None,
                    place: Some(place),
                    what: "others are counted before it than stand there".to_owned(),
                });
            }
            if !same_replenishment {
                self.told_of(
                    sku,
                    8,
                    "has another open replenishment than its history gives",
                );
            }
            if owed {
                self.told_of(
                    sku,
                    2,
                    "withholds units that the head of its line could have",
                );
            }
            return Ok(());
        }
        Ok(())
    }

    fn told_of(&mut self, sku: &Sku, rule: u8, what: &str) {
        self.tell(Violation {
            rule,
            sku: Some(sku.to_string()),
            seq: None,
            place: None,
            what: what.to_owned(),
        });
    }
}
