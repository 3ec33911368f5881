//! The whole server over real HTTP: the real binary, started, stopped and killed.
//!
//! One binary of tests. What every test has in common is in `harness`; each module is one part
//! of what the server promises.

#[cfg(test)]
mod access;
#[cfg(test)]
mod auctions;
#[cfg(test)]
mod aws;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod consumers;
#[cfg(test)]
mod customers;
#[cfg(test)]
mod deploy;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod live;
#[cfg(test)]
mod mails;
#[cfg(test)]
mod measuring;
#[cfg(test)]
mod observing;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod parcels;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod queues;
#[cfg(test)]
mod restock;
#[cfg(test)]
mod rush;
#[cfg(test)]
mod selling;
#[cfg(test)]
mod sns;
#[cfg(test)]
mod starting;
#[cfg(test)]
mod store_files;
#[cfg(test)]
mod timeline;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod webhooks;
#[cfg(test)]
mod websocket;
