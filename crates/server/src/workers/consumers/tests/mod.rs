//! The runtime against a queue with faults to order, in time that passes by itself.

mod crashes;
mod failing;
mod fifo;
mod history;
mod outages;
mod pace;
mod queue;
mod recall;
pub(in crate::workers) mod rig;
