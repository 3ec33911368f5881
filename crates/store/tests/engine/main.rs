//! The engine over real stores: what it answers, what it leaves behind, and what becomes of
//! both when it is killed in between.
//!
//! `sale`, `letters` and `traffic` run random workloads against models that are written straight
//! from the rules; the other modules look at one promise each. `shared` has two engines on one
//! store.

#[cfg(test)]
mod auctions;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod edits;
#[cfg(test)]
mod envelopes;
#[cfg(test)]
mod failure;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod letters;
#[cfg(test)]
mod lines;
#[cfg(test)]
mod mailbox;
#[cfg(test)]
mod parcels;
#[cfg(test)]
mod queues;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod remembering;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod sale;
#[cfg(test)]
mod sealed;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod topics;
#[cfg(test)]
mod traffic;
#[cfg(test)]
mod waiting;
