//! The routes. A handler is an extractor, one call of the engine, one conversion; a new
//! resource is one file here, or one folder.

mod alerts;
pub mod args;
pub mod auctions;
mod callbacks;
mod consumers;
mod customers;
pub mod error;
mod health;
mod live;
mod mails;
mod ops;
pub mod orders;
mod pages;
pub mod parcels;
mod products;
mod purchase;
mod queries;
mod queues;
mod replenishments;
mod router;
mod timeline;
mod verdict;
pub mod views;
mod webhooks;
pub mod workers;

pub(crate) use router::shortcut;
pub use router::{openapi, router};
