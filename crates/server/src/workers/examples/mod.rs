//! What `docs/CONSUMERS.md` shows, as it stands there; `faults` runs it.

pub(super) mod sold_units;
