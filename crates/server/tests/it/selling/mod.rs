//! Selling over HTTP: what every route answers, keys, lines, limits, movements.

mod keys;
mod line;
mod movements;
mod products;
mod routes;
