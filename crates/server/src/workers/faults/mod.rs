//! The consumers of the shop with what may go wrong beside them: their process dies at each step,
//! messages come twice and in another order, a neighbour is away for an hour.
//!
//! What is tested is each consumer as it is, over its own databases and the sale's engine. Only
//! the queue is one in memory, with the same rules, so that hours pass in a moment. Afterwards the
//! effects are those of a fold over the events, written here a second time in the plainest way.
//!
//! - `dying`: a process that dies where it is told to
//! - `neighbour`: a web server that can be away
//! - `worlds`: each consumer with its events and the fold
//! - `crashes`, `outages`, `poison`, `factory`, `alerts`: the tests

mod alerts;
mod crashes;
mod dying;
mod factory;
mod neighbour;
mod outages;
mod poison;
mod worlds;
