//! The factory over real HTTP on this machine, with a server in the shop's place.

mod crash;
mod requests;
mod rules;
mod support;
mod work;
