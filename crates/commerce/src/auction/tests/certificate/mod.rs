//! Certificates of real auctions are right, and whatever is changed in one is found.

mod bytes;
mod ended;
mod forged;
mod formats;
mod generate;
mod lines;
mod public;
mod recorder;
mod recorder_close;
mod right;
mod words;

use super::super::certificate::{Checker, EntryText, Verified, Violations, verify};
use super::*;
