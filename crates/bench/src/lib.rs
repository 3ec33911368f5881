//! Measures the server against the floor of its own HTTP stack, in one run on one machine.
//!
//! What always holds here: every answer is checked and a wrong one is an error that fails the
//! run; a system's own count of what it took must equal what was answered to the generator;
//! only loopback addresses are ever loaded; every run is bounded in requests and in time; the
//! warm-up is not counted. A comparison is made of cells that ran next to each other in the
//! same round, and the median of those ratios is what is reported.
//!
//! What it does not know: the server's crates. It speaks to programs over sockets, so that the
//! same generator loads the server, the echo and Redis, and nothing is measured from inside.
//!
//! - [`template`], [`http`], [`resp`]: the bytes of a request and of an answer
//! - [`load`]: the closed-loop generator
//! - [`process`], [`clock`], [`probe`]: what `/proc`, the clock and the disk say
//! - [`cli`]: the command line
//! - [`rows`]: what is measured, as data; [`systems`]: the programs that are measured
//! - [`suite`], [`memory`]: the two measurements; [`report`]: their tables
//! - [`backlog`], [`polls`]: a queue that is very long, and one that many wait for; [`fan_out`]: a
//!   topic that many queues hear; [`sqs`]: the calls around them; [`closings`]: auctions that end together;
//!   [`followups`]: what consumers do with very many orders; [`watchers`]: what very many who watch
//!   cost a sale; [`verdicts`]: how soon one of very many who wait is told

pub mod backlog;
pub mod cli;
pub mod clock;
pub mod closings;
pub mod error;
pub mod fan_out;
pub mod followups;
pub mod http;
pub mod load;
pub mod memory;
pub mod polls;
pub mod probe;
pub mod process;
pub mod queue;
pub mod report;
pub mod resp;
pub mod rows;
pub mod scaling;
mod sends;
pub mod sqs;
mod streams;
pub mod suite;
pub mod systems;
pub mod template;
pub mod verdicts;
pub mod watchers;

#[cfg(test)]
mod tests;
