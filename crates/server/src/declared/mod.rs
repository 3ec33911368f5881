//! Queues and topics that the settings file declares: there when the server takes its first
//! request, with the attributes that the file gives them.
//!
//! What always holds: what the file does not name is left as it is, attributes as well as whole
//! queues; a declaration that cannot be had stops the start with the name of the setting.
//!
//! - `settings`: what stands in the file; `values`: the forms in which a value may stand there
//! - `check`: what can be told without a store
//! - `apply`: makes it so

mod apply;
mod check;
mod settings;
mod values;

pub use apply::apply;
pub use check::check;
pub use settings::{DeclaredQueue, DeclaredTopic};

#[cfg(test)]
mod tests;
