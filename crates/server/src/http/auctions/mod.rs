//! Auctions and bids.
//!
//! - `create` and `find`: auctions are made, listed, read, cancelled
//! - `bids`: bids come in; `own_bid`: one bid by its secret id; `list`: all of an auction
//! - `aftermath`: who paid, who will not, who is asked next
//! - `certificate`: everything that happened, for anybody to verify
//!
//! What always holds here: nobody but the operators' `aftermath` and the bidder of a bid reads
//! a bidder's name; a maximum, a reserve price and the amounts of a sealed format are read by
//! nobody else before the close.

mod aftermath;
mod args;
mod bid_views;
mod bids;
mod certificate;
mod create;
mod find;
mod list;
mod numbers;
mod own_bid;
pub mod refusals;
mod shown;
mod views;

use utoipa_axum::router::OpenApiRouter;

pub use self::bid_views::BidView;
pub use self::bids::straight;
pub use self::find::{find, find_or_refuse};
pub use self::list::read_shown;
pub use self::own_bid::{find as find_bid, find_or_refuse as find_bid_or_refuse};
pub use self::shown::ShownAuctionView;
use crate::state::App;

/// What bidders and everybody else call.
pub fn public() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(find::public())
        .merge(bids::public())
        .merge(own_bid::public())
        .merge(list::public())
        .merge(certificate::public())
}

/// What the seller's own systems do.
pub fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(create::operator())
        .merge(find::operator())
        .merge(aftermath::operator())
}
