//! The routes. A handler is an extractor, one call of the engine, one conversion; a new
//! resource is one file here, or one folder.

pub mod args;
pub mod auctions;
mod callbacks;
pub mod error;
mod health;
mod live;
mod ops;
pub mod orders;
mod pages;
pub mod parcels;
mod products;
mod queues;
mod replenishments;
mod router;
pub mod views;

pub use router::{openapi, router};
