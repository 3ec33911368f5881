//! The routes. A handler is an extractor, one call of the engine, one conversion; a new
//! resource is one file here, or one folder.

pub mod args;
pub mod auctions;
mod callbacks;
mod consumers;
pub mod error;
mod health;
mod live;
mod ops;
pub mod orders;
mod pages;
mod products;
mod queues;
mod replenishments;
mod router;
pub mod views;
pub mod workers;

pub use router::{openapi, router};
