//! A product as the shop sets it up, and what its line has come to.

use serde::{Deserialize, Serialize};

use crate::Millis;
use crate::customer::Email;
use crate::grants::Grants;
use crate::ids::ProductId;
use crate::money::{Currency, Money};
use crate::proof::{Hash, genesis};
use crate::stock::{STOCK_MAX, Stock, StockLevels};
use crate::text::{Invalid, Name, checked_text};

pub const PURCHASE_LIMIT_MAX: u32 = 1_000_000;
pub const POINT_MAX: u64 = STOCK_MAX;
pub const REORDER_QUANTITY_MAX: u64 = STOCK_MAX;

fn check_sku(text: &str) -> Result<(), Invalid> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(())
    } else {
        Err(Invalid::new(
            "must be 1 to 64 of the characters A-Z a-z 0-9 . _ -",
        ))
    }
}

checked_text!(
    /// A product's name to machines: 1 to 64 of `A-Z a-z 0-9 . _ -`. Factories are named the
    /// same way.
    Sku,
    check_sku
);

/// What happens to an order for more than there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenSoldOut {
    /// It is `sold_out`, finally.
    #[default]
    Reject,
    /// It keeps its place in the line and is granted in order when goods arrive.
    Wait,
}

/// When to ask which factory for how much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reorder {
    /// Ask when what is available, less what is waited for, is at or below this.
    pub point: u64,
    pub quantity: u64,
    pub factory: Sku,
}

impl Reorder {
    pub fn new(point: u64, quantity: u64, factory: Sku) -> Result<Self, (&'static str, Invalid)> {
        if point > POINT_MAX {
            return Err((
                "reorder.point",
                Invalid::new(format!("must be 0 to {POINT_MAX}")),
            ));
        }
        if !(1..=REORDER_QUANTITY_MAX).contains(&quantity) {
            return Err((
                "reorder.quantity",
                Invalid::new(format!("must be 1 to {REORDER_QUANTITY_MAX}")),
            ));
        }
        Ok(Self {
            point,
            quantity,
            factory,
        })
    }
}

/// A product as it is first described, every part checked.
#[derive(Debug, Clone)]
pub struct NewProduct {
    pub sku: Sku,
    pub name: Name,
    pub price: Money,
    pub currency: Currency,
    /// 0 to [`STOCK_MAX`].
    pub stock: u64,
    /// 1 to [`PURCHASE_LIMIT_MAX`].
    pub purchase_limit: Option<u32>,
    pub when_sold_out: WhenSoldOut,
    pub opens_at: Option<Millis>,
    pub reorder: Option<Reorder>,
    pub ad_manager: Option<Email>,
}

/// What may be changed afterwards; `Some(None)` removes an optional part.
#[derive(Debug, Clone, Default)]
pub struct ProductChange {
    pub name: Option<Name>,
    pub price: Option<Money>,
    pub purchase_limit: Option<Option<u32>>,
    pub when_sold_out: Option<WhenSoldOut>,
    pub opens_at: Option<Option<Millis>>,
    pub reorder: Option<Option<Reorder>>,
    pub ad_manager: Option<Option<Email>>,
}

/// A product and the state of its line. This is what a store keeps of it, as JSON with the
/// version in `v`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    pub v: u8,
    pub id: ProductId,
    pub sku: Sku,
    pub name: Name,
    pub price: Money,
    pub currency: Currency,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchase_limit: Option<u32>,
    pub when_sold_out: WhenSoldOut,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reorder: Option<Reorder>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "email")]
    pub ad_manager: Option<Email>,
    pub created_at: Millis,

    pub stock: Stock,
    /// The place of the newest order: 0 before the first.
    pub last_place: u64,
    /// Orders that have no verdict yet, and the units they ask for.
    pub waiting: u64,
    pub waiting_units: u64,
    /// The newest entry of the line and its hash (rule 11).
    pub last_seq: u64,
    pub last_hash: Hash,
    /// The open replenishment, by the sequence in its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_replenishment: Option<u64>,
    /// After a failure: no new replenishment before this.
    #[serde(default)]
    pub replenish_not_before: Millis,
    /// How fast those are served who wait for stock.
    #[serde(default)]
    pub grants: Grants,
}

/// The present version of a stored product.
const VERSION: u8 = 1;

impl Product {
    pub fn new(id: ProductId, new: NewProduct, now: Millis) -> Self {
        assert!(new.stock <= STOCK_MAX, "the bound is checked before");
        let mut stock = Stock::default();
        stock.receive(new.stock);
        Self {
            v: VERSION,
            id,
            last_hash: genesis(new.sku.as_str()),
            sku: new.sku,
            name: new.name,
            price: new.price,
            currency: new.currency,
            purchase_limit: new.purchase_limit,
            when_sold_out: new.when_sold_out,
            opens_at: new.opens_at,
            reorder: new.reorder,
            ad_manager: new.ad_manager,
            created_at: now,
            stock,
            last_place: 0,
            waiting: 0,
            waiting_units: 0,
            last_seq: 0,
            open_replenishment: None,
            replenish_not_before: 0,
            grants: Grants::default(),
        }
    }

    pub fn change(&mut self, change: ProductChange) {
        let ProductChange {
            name,
            price,
            purchase_limit,
            when_sold_out,
            opens_at,
            reorder,
            ad_manager,
        } = change;
        if let Some(name) = name {
            self.name = name;
        }
        if let Some(price) = price {
            self.price = price;
        }
        if let Some(limit) = purchase_limit {
            self.purchase_limit = limit;
        }
        if let Some(when) = when_sold_out {
            self.when_sold_out = when;
        }
        if let Some(opens_at) = opens_at {
            self.opens_at = opens_at;
        }
        if let Some(reorder) = reorder {
            self.reorder = reorder;
            self.replenish_not_before = 0;
        }
        if let Some(ad_manager) = ad_manager {
            self.ad_manager = ad_manager;
        }
    }

    pub fn levels(&self) -> StockLevels {
        StockLevels {
            on_hand: self.stock.on_hand,
            reserved: self.stock.reserved,
            allocated: self.stock.allocated,
            waiting: self.waiting,
            waiting_units: self.waiting_units,
            last_place: self.last_place,
        }
    }

    /// Whether to ask the factory now: what is available, less what is waited for, has reached
    /// the reorder point, and nothing is on its way already (rule 8). Waiting orders count,
    /// otherwise a head that wants more than is left would wait for ever.
    pub fn wants_replenishment(&self, now: Millis) -> Option<&Reorder> {
        let reorder = self.reorder.as_ref()?;
        if self.open_replenishment.is_some() || now < self.replenish_not_before {
            return None;
        }
        let position = self.stock.available().saturating_sub(self.waiting_units);
        (position <= reorder.point).then_some(reorder)
    }

    /// How many seconds until `units` more have been granted, as it looks now; none before a rate was
    /// measured.
    pub fn estimate_s(&self, units: u64, now: Millis) -> Option<u64> {
        self.grants.estimate_s(units, now)
    }
}

mod email {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::customer::Email;

    pub(super) fn serialize<S: Serializer>(
        email: &Option<Email>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match email {
            Some(email) => serializer.serialize_some(email.as_str()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Email>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        Ok(text.map(|text| Email::from_stored(&text)))
    }
}
