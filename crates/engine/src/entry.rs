//! The log: what happened, in one order for everything.
//!
//! ```text
//! seq | line | prev | kind | at | subject | data (JSON) | hash | customer secret key body | sealed
//!  |     |      |                   |         |            |      |                          +- of auctions:
//!  |     |      |                   |         |            |      |     shown once it is over; `data` has its hash
//!  |     |      |                   |         |            |      +- only on orders and bids; never shown
//!  |     |      |                   |         |            +- BLAKE3 chain of the line (rule 11)
//!  |     |      |                   |         +- what anybody may see; hashed as it is
//!  |     |      |                   +- the order, bid or replenishment it is about, by sequence
//!  |     |      +- the entry before it in the same line: a line is read backwards by it
//!  |     +- the product or the auction, or 0 for what concerns neither
//!  +- 1, 2, 3 ... over all lines, in commit order
//! ```
//! An order or a bid *is* its first entry: the sequence in its id finds it. Later entries about it point
//! back by `subject`.

use std::borrow::Cow;
use std::sync::Arc;

use commerce::{
    Currency, Hash, LineId, Millis, Money, OrderId, ProductId, Quantity, Secret, Sku, StockLevels,
};
use serde::{Deserialize, Serialize};

use crate::auction::{AuctionData, Sealed};
use crate::command::{BodyHash, KeyHash};
use crate::json::Object;

macro_rules! kinds {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        /// What an entry says. The numbers are stored: never reuse one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Kind { $($name = $number),* }

        impl Kind {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name that events carry.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            pub const fn number(self) -> u8 {
                self as u8
            }

            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    ProductCreated = 1, "product.created";
    ProductUpdated = 2, "product.updated";
    OrderPlaced = 10, "order.placed";
    OrderAccepted = 11, "order.accepted";
    OrderSoldOut = 12, "order.sold_out";
    OrderCancelled = 13, "order.cancelled";
    StockReceived = 20, "stock.received";
    ReplenishmentRequested = 30, "replenishment.requested";
    ReplenishmentStarted = 31, "replenishment.started";
    ReplenishmentReceived = 32, "replenishment.received";
    ReplenishmentFailed = 33, "replenishment.failed";
    MessageDeadLettered = 40, "message.dead_lettered";
    AuctionCreated = 50, "auction.created";
    AuctionOpened = 51, "auction.opened";
    AuctionClosingSoon = 52, "auction.closing_soon";
    AuctionClosed = 53, "auction.closed";
    AuctionCancelled = 54, "auction.cancelled";
    AuctionSettled = 55, "auction.settled";
    AuctionForfeited = 56, "auction.forfeited";
    AuctionOffered = 57, "auction.offered";
    AuctionOfferAnswered = 58, "auction.offer_answered";
    BidPlaced = 60, "bid.placed";
    BidAccepted = 61, "bid.accepted";
    BidRefused = 62, "bid.refused";
    BidRetracted = 63, "bid.retracted";
    ParcelCreated = 70, "parcel.created";
    ParcelMoved = 71, "parcel.moved";
}

/// What an entry says of a bid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BidStep {
    /// Admitted: the verdict follows.
    Placed,
    Accepted,
    Refused,
    Retracted,
}

/// What entries of one kind are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// A product, its stock, a replenishment.
    Goods,
    Order,
    Auction,
    Bid,
    Operations,
    /// The parcel of an order: a note, so that those who listen hear of it.
    Parcel,
}

impl Kind {
    /// Whether it is a verdict on an order, or the order's admission.
    pub const fn is_order(self) -> bool {
        match self.family() {
            Family::Order => true,
            Family::Goods | Family::Operations | Family::Auction | Family::Bid | Family::Parcel => {
                false
            }
        }
    }

    /// What an order is after it; none for what says nothing of an order.
    pub const fn order_status(self) -> Option<OrderStatus> {
        match self {
            Self::OrderPlaced => Some(OrderStatus::Pending),
            Self::OrderAccepted => Some(OrderStatus::Accepted),
            Self::OrderSoldOut => Some(OrderStatus::SoldOut),
            Self::OrderCancelled => Some(OrderStatus::Cancelled),
            Self::ProductCreated
            | Self::ProductUpdated
            | Self::StockReceived
            | Self::ReplenishmentRequested
            | Self::ReplenishmentStarted
            | Self::ReplenishmentReceived
            | Self::ReplenishmentFailed
            | Self::MessageDeadLettered
            | Self::AuctionCreated
            | Self::AuctionOpened
            | Self::AuctionClosingSoon
            | Self::AuctionClosed
            | Self::AuctionCancelled
            | Self::AuctionSettled
            | Self::AuctionForfeited
            | Self::AuctionOffered
            | Self::AuctionOfferAnswered
            | Self::BidPlaced
            | Self::BidAccepted
            | Self::BidRefused
            | Self::BidRetracted
            | Self::ParcelCreated
            | Self::ParcelMoved => None,
        }
    }

    /// What it says of a bid; none for what says nothing of a bid.
    pub const fn bid_step(self) -> Option<BidStep> {
        match self {
            Self::BidPlaced => Some(BidStep::Placed),
            Self::BidAccepted => Some(BidStep::Accepted),
            Self::BidRefused => Some(BidStep::Refused),
            Self::BidRetracted => Some(BidStep::Retracted),
            Self::ProductCreated
            | Self::ProductUpdated
            | Self::OrderPlaced
            | Self::OrderAccepted
            | Self::OrderSoldOut
            | Self::OrderCancelled
            | Self::StockReceived
            | Self::ReplenishmentRequested
            | Self::ReplenishmentStarted
            | Self::ReplenishmentReceived
            | Self::ReplenishmentFailed
            | Self::MessageDeadLettered
            | Self::AuctionCreated
            | Self::AuctionOpened
            | Self::AuctionClosingSoon
            | Self::AuctionClosed
            | Self::AuctionCancelled
            | Self::AuctionSettled
            | Self::AuctionForfeited
            | Self::AuctionOffered
            | Self::AuctionOfferAnswered
            | Self::ParcelCreated
            | Self::ParcelMoved => None,
        }
    }

    /// What it is about.
    pub const fn family(self) -> Family {
        match self {
            Self::OrderPlaced | Self::OrderAccepted | Self::OrderSoldOut | Self::OrderCancelled => {
                Family::Order
            }
            Self::ProductCreated
            | Self::ProductUpdated
            | Self::StockReceived
            | Self::ReplenishmentRequested
            | Self::ReplenishmentStarted
            | Self::ReplenishmentReceived
            | Self::ReplenishmentFailed => Family::Goods,
            Self::MessageDeadLettered => Family::Operations,
            Self::AuctionCreated
            | Self::AuctionOpened
            | Self::AuctionClosingSoon
            | Self::AuctionClosed
            | Self::AuctionCancelled
            | Self::AuctionSettled
            | Self::AuctionForfeited
            | Self::AuctionOffered
            | Self::AuctionOfferAnswered => Family::Auction,
            Self::BidPlaced | Self::BidAccepted | Self::BidRefused | Self::BidRetracted => {
                Family::Bid
            }
            Self::ParcelCreated | Self::ParcelMoved => Family::Parcel,
        }
    }
}

/// What an entry carries for everybody to see. Which fields are there depends on the kind; the
/// order of the fields is the order of the stored bytes, so new ones are added at the end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Data<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub sku: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Binds the decision to the buyer; see `commerce::commit_to_buyer`.
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub buyer: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<StockLevels>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub reference: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub replenishment: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub factory: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub status: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub reason: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub queue: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub dead_letter_queue: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub message_id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive_count: Option<u64>,
    /// The status of an order before it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub was: Option<Cow<'a, str>>,
}

/// What the data of most entries take, in bytes.
const DATA_BYTES: usize = 256;

impl Data<'_> {
    /// The bytes that are stored and hashed: what `serde_json` writes. Those of an order, which most
    /// entries are, are put together here.
    pub(crate) fn to_json(&self) -> String {
        let Self {
            sku,
            place,
            quantity,
            unit_price,
            currency,
            buyer,
            stock,
            reference: None,
            replenishment: None,
            factory: None,
            status: None,
            reason: None,
            queue: None,
            dead_letter_queue: None,
            message_id: None,
            receive_count: None,
            was: None,
        } = self
        else {
            return serde_json::to_string(self).expect("numbers and texts have a JSON form");
        };
        let mut json = Object::with_capacity(DATA_BYTES);
        if let Some(sku) = sku {
            json.text("sku", sku);
        }
        if let Some(place) = place {
            json.number("place", *place);
        }
        if let Some(quantity) = quantity {
            json.number("quantity", *quantity);
        }
        if let Some(price) = unit_price {
            json.number("unitPrice", price.minor());
        }
        if let Some(currency) = currency {
            json.plain("currency", currency.as_str());
        }
        if let Some(buyer) = buyer {
            json.text("buyer", buyer);
        }
        if let Some(stock) = *stock {
            json.numbers("stock", &<[u64; 6]>::from(stock));
        }
        json.finish()
    }
}

/// The private side of an order's or a bid's entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Buyer {
    pub customer: Arc<str>,
    /// Only on the entry that made the order.
    pub secret: Option<Secret>,
    pub key: Option<KeyHash>,
    pub body: BodyHash,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub seq: u64,
    pub line: LineId,
    /// The entry before it in the same line, 0 for the first.
    pub prev: u64,
    pub kind: Kind,
    pub at: Millis,
    /// The order or bid (its first entry), the replenishment or the auction this is about; 0 for
    /// none.
    pub subject: u64,
    /// [`Data`] as canonical JSON, or [`AuctionData`] in the line of an auction.
    pub data: Arc<str>,
    pub hash: Hash,
    pub buyer: Option<Buyer>,
    /// [`Sealed`] as JSON: not to be shown before the auction is over.
    pub sealed: Option<Arc<str>>,
}

impl Entry {
    /// Whether everything in it can be read. A store asks this of every entry that it reads, so that
    /// a damaged one is an error of that read; nobody else need.
    ///
    /// # Errors
    /// What is wrong, and with which entry.
    pub fn check(&self) -> Result<(), String> {
        let seq = self.seq;
        if !self.data.starts_with('{') {
            return Err(format!("entry {seq} holds data that is no object"));
        }
        let cannot = |error| format!("entry {seq} holds data that cannot be read: {error}");
        let belongs = match (self.kind.family(), self.line) {
            (Family::Goods, LineId::Product(_)) => {
                let _: Data<'_> = serde_json::from_str(&self.data).map_err(cannot)?;
                true
            }
            (Family::Order, LineId::Product(_)) => {
                let data: Data<'_> = serde_json::from_str(&self.data).map_err(cannot)?;
                let is_one = |units| u32::try_from(units).is_ok_and(|n| Quantity::new(n).is_ok());
                if !data.quantity.is_some_and(is_one) {
                    return Err(format!("entry {seq} has a quantity that no order has"));
                }
                true
            }
            (Family::Operations | Family::Parcel, LineId::System) => {
                let _: Data<'_> = serde_json::from_str(&self.data).map_err(cannot)?;
                true
            }
            (Family::Auction | Family::Bid, LineId::Auction(_)) => {
                let _: AuctionData<'_> = serde_json::from_str(&self.data).map_err(cannot)?;
                if let Some(sealed) = self.sealed.as_deref() {
                    let _: Sealed<'_> = serde_json::from_str(sealed).map_err(cannot)?;
                }
                true
            }
            (
                Family::Goods
                | Family::Order
                | Family::Operations
                | Family::Parcel
                | Family::Auction
                | Family::Bid,
                LineId::Product(_) | LineId::System | LineId::Auction(_),
            ) => false,
        };
        if !belongs {
            let kind = self.kind.as_str();
            return Err(format!("entry {seq} is in no line that has {kind}"));
        }
        Ok(())
    }

    /// Reads the public side.
    ///
    /// # Panics
    /// When it cannot be read: a store hands out only what passes [`check`](Self::check).
    pub fn data(&self) -> Data<'_> {
        serde_json::from_str(&self.data).expect("it was checked when it was read")
    }

    /// Reads the public side of an entry of an auction.
    ///
    /// # Panics
    /// As [`data`](Self::data), and for an entry of another line.
    pub fn auction_data(&self) -> AuctionData<'_> {
        serde_json::from_str(&self.data).expect("it was checked when it was read")
    }

    /// Reads what is sealed, if anything is.
    ///
    /// # Panics
    /// As [`data`](Self::data).
    pub fn sealed(&self) -> Option<Sealed<'_>> {
        let sealed = self.sealed.as_deref()?;
        Some(serde_json::from_str(sealed).expect("it was checked when it was read"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    Pending,
    Accepted,
    SoldOut,
    Rejected,
    Expired,
    Cancelled,
}

impl OrderStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::SoldOut => "sold_out",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    pub const fn number(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Accepted => 1,
            Self::SoldOut => 2,
            Self::Rejected => 3,
            Self::Expired => 4,
            Self::Cancelled => 5,
        }
    }

    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Pending),
            1 => Some(Self::Accepted),
            2 => Some(Self::SoldOut),
            3 => Some(Self::Rejected),
            4 => Some(Self::Expired),
            5 => Some(Self::Cancelled),
            _ => None,
        }
    }
}

/// An order as it stands: its first entry and what came of it since.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderRecord {
    pub id: OrderId,
    pub product: ProductId,
    pub sku: Sku,
    pub place: u64,
    pub quantity: Quantity,
    pub customer: Arc<str>,
    pub unit_price: Money,
    pub currency: Currency,
    pub status: OrderStatus,
    pub placed_at: Millis,
    pub decided_at: Option<Millis>,
    pub cancelled_at: Option<Millis>,
    pub key: Option<KeyHash>,
    pub body: BodyHash,
    /// The newest entry about it.
    pub last_seq: u64,
}

impl OrderRecord {
    /// An order as its first entry left it; none for an entry that made no order.
    pub fn from_entry(entry: &Entry) -> Option<Self> {
        // A later entry about an order points back to the one that made it.
        if entry.subject != entry.seq {
            return None;
        }
        let status = entry.kind.order_status()?;
        let buyer = entry.buyer.as_ref()?;
        let data = entry.data();
        Some(Self {
            id: OrderId {
                seq: entry.seq,
                secret: buyer.secret?,
            },
            product: entry.line.product()?,
            sku: Sku::new(data.sku.as_deref()?).ok()?,
            place: data.place?,
            quantity: Quantity::new(u32::try_from(data.quantity?).ok()?).ok()?,
            customer: Arc::clone(&buyer.customer),
            unit_price: data.unit_price?,
            currency: data.currency?,
            status,
            placed_at: entry.at,
            decided_at: (status != OrderStatus::Pending).then_some(entry.at),
            cancelled_at: None,
            key: buyer.key,
            body: buyer.body,
            last_seq: entry.seq,
        })
    }

    /// What an entry makes of this order. One about something else, and one that is in it already,
    /// change nothing: whoever hears of every entry in turn need not read the order again.
    pub fn follow(&mut self, entry: &Entry) {
        let Some(status) = entry.kind.order_status() else {
            return;
        };
        if entry.subject != self.id.seq || entry.seq <= self.last_seq {
            return;
        }
        match status {
            OrderStatus::Cancelled => self.cancelled_at = Some(entry.at),
            OrderStatus::Pending
            | OrderStatus::Accepted
            | OrderStatus::SoldOut
            | OrderStatus::Rejected
            | OrderStatus::Expired => self.decided_at = Some(entry.at),
        }
        self.status = status;
        self.last_seq = entry.seq;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn data() -> impl Strategy<Value = Data<'static>> {
        let text = || prop::option::of(any::<String>().prop_map(Cow::Owned));
        let number = || prop::option::of(any::<u64>());
        let price = (0..=1_000_000_000_i64).prop_map(|minor| Money::new(minor).expect("in range"));
        let currency = "[A-Z]{3}".prop_map(|text| Currency::new(&text).expect("three letters"));
        let stock = any::<[u64; 6]>().prop_map(StockLevels::from);
        let of_an_order = (
            (text(), text()),
            (number(), number()),
            prop::option::of(price),
            prop::option::of(currency),
            prop::option::of(stock),
        );
        // Of most entries nothing else; of some one more.
        let more = prop::option::of((0..10_u8, any::<String>(), any::<u64>()));
        (of_an_order, more).prop_map(|(order, more)| {
            let ((sku, buyer), (place, quantity), unit_price, currency, stock) = order;
            let mut data = Data {
                sku,
                place,
                quantity,
                unit_price,
                currency,
                buyer,
                stock,
                ..Data::default()
            };
            let Some((which, text, number)) = more else {
                return data;
            };
            let text = Some(Cow::Owned(text));
            match which {
                0 => data.reference = text,
                1 => data.replenishment = text,
                2 => data.factory = text,
                3 => data.status = text,
                4 => data.reason = text,
                5 => data.queue = text,
                6 => data.dead_letter_queue = text,
                7 => data.message_id = text,
                8 => data.receive_count = Some(number),
                _ => data.was = text,
            }
            data
        })
    }

    proptest! {
        /// What is hashed must be the same bytes for ever.
        #[test]
        fn data_is_written_as_serde_json_writes_it(data in data()) {
            let expected = serde_json::to_string(&data).expect("it has a JSON form");
            prop_assert_eq!(data.to_json(), expected);
        }
    }
}
