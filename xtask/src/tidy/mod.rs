//! `cargo xtask tidy`: the rules of the house that no compiler checks.
//!
//! A rule reads files and answers with what is wrong, one sentence a problem, beginning
//! with the place. Rules know nothing of each other, and none of them changes a file.
//!
//! - `crates`: which crate may know which, and what every manifest says
//! - `codes`: every error code has its page, every page its code
//! - `examples`: pages show files as they are
//! - `links`: what documents point at is there
//! - `sources`: nothing left to be written, nothing impure in the pure crates

mod codes;
mod crates;
mod examples;
mod links;
mod manifest;
mod run;
mod sources;

pub(crate) use run::{check, main};
