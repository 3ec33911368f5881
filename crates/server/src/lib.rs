//! The server `firstcome`: HTTP, live answers, pages, workers, and the command line.
//!
//! Handlers convert and call the engine; workers and timers propose commands. Nothing here
//! decides about stock, places or messages, and nothing here writes to a store.

#![expect(
    unused_qualifications,
    reason = "utoipa's path macro qualifies the parameter types it is given"
)]
#![expect(
    unreachable_pub,
    reason = "the library is the binary's inside; what is public ends at its modules"
)]

pub mod adapters;
mod alarm;
mod audit_cli;
mod aws;
mod backup_cli;
mod budget;
pub mod cli;
pub mod config;
mod declared;
mod demo;
pub mod foreign;
pub mod http;
pub mod listen;
mod mailer;
mod queues_cli;
pub mod realtime;
mod request_form;
pub mod serve;
mod shortcut;
mod socket;
mod sqs;
mod state;
mod telemetry;
mod traces;
mod webhook;
mod workers;
