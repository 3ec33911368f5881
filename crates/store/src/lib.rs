//! The stores that keep what the engine decides, and the suite that every store passes.
//!
//! A store is an implementation of `engine::ports::{Store, Reader}`. It may cache as it likes;
//! it never decides. `conformance` is the contract as tests: a new store is one folder that
//! passes it.

mod bought;
#[cfg(test)]
mod conformance;
mod gone;
mod lookups;
pub mod memory;
pub mod sqlite;
