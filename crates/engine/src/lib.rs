//! The engine: commands in, decisions out, one commit a batch.
//!
//! ```text
//! Command -> [ bounded queue ] -> load what the batch touches -> decide, in order, in memory
//!                                    -> one commit, one fsync -> reply to each caller, feed
//! ```
//!
//! - [`Engine`] is the handle that HTTP handlers, workers and timers hold. It proposes commands
//!   and reads; it never writes.
//! - `sequencer` is the single writer: a thread of its own that drains, decides, commits.
//! - `decide` joins `commerce` and `messaging` in one commit, with no clock and no I/O.
//! - [`ports`] is all that is known of a store, a clock and randomness.
//! - [`feed`] hands committed entries to whoever listens, by sequence; [`run_others`] tells it of
//!   those that another process has committed.
//! - [`trace`] says which request a command is part of, for those who watch.
//! - [`audit`] replays a store and says which rule is broken where.
//!
//! What is deliberately not here: HTTP, SQL, and any state between two batches. A store may
//! cache; the engine must not, because on a shared store another process decides too.

pub mod auction;
mod auction_json;
pub mod audit;
mod command;
mod company;
mod decide;
mod engine;
mod entry;
pub mod feed;
mod flow;
pub mod json;
mod others;
mod pace;
mod policy;
pub mod ports;
mod reads;
mod relay;
mod remembering;
mod room;
mod sequencer;
pub mod trace;
mod waits;

pub use command::{
    Aftermath, BidMessage, BodyHash, Command, CreateAuction, Envelope, FilterPart, KeyHash, Offer,
    OrderReply, OwnSubscription, PARCEL_NOTES_MAX, ParcelNote, PlaceBid, PlaceOrder, Publish,
    QueueSpec, ReceiptReply, Refusal, Relay, ReplenishmentChange, ReplenishmentReply, Reply,
    Standing, SubscriptionChange, TopicSettings,
};
pub use engine::{Engine, EngineError, Limits};
pub use entry::{BidStep, Buyer, Data, Entry, Family, Kind, OrderRecord, OrderStatus};
pub use flow::{Counts, Flow, Flows, TopicCounts, TopicFlows};
pub use others::run_others;
pub use policy::{PolicyEdit, PolicyRefusal};
pub use reads::reads_at_once;
pub use relay::{
    TOPIC_AUCTIONS, TOPIC_CUSTOMERS, TOPIC_OPERATIONS, TOPIC_ORDERS, TOPIC_PARCELS, TOPIC_STOCK,
    run_relay, told,
};
pub use room::Room;
pub use waits::{Waiter, Waits, run_waits};
