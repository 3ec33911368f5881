//! The rules of selling, and nothing else.
//!
//! A [`Line`] is one product with the head of its waiting orders; it decides who gets what.
//! An [`Auction`](auction::Auction) decides who wins at which price. A [`Replenishment`] is one
//! request to a factory. All are plain values: no clock, no
//! randomness, no I/O, no async. Time and identifiers come in with the call, decisions go out
//! as values, and a rule that is broken is a panic, because carrying on would sell what is not
//! there.

pub mod auction;
mod customer;
mod digest;
mod grants;
mod ids;
mod line;
mod money;
mod product;
mod proof;
mod replenishment;
mod stock;
mod text;

pub use customer::{CustomerHash, Email};
pub use digest::digest;
pub use grants::Grants;
pub use ids::{
    AuctionId, BidId, IdError, LineId, OrderId, ProductId, ReplenishmentId, SECRET_BYTES, Secret,
};
pub use line::{Admission, Admitted, DRAIN_MAX, Line, Refusal, Verdict, Waiting};
pub use money::{Currency, Money, PRICE_MAX};
pub use product::{
    NewProduct, POINT_MAX, PURCHASE_LIMIT_MAX, Product, ProductChange, REORDER_QUANTITY_MAX,
    Reorder, Sku, WhenSoldOut,
};
pub use proof::{Hash, chain, commit_to_buyer, genesis};
pub use replenishment::{
    FailReason, Replenishment, ReplenishmentRefusal, ReplenishmentStatus, Token,
};
pub use stock::{Quantity, STOCK_MAX, Stock, StockLevels};
pub use text::{Invalid, Name, Reference};

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Millis = i64;
