//! Recorded chains, derived again: as they are, and with something in them changed.

mod conformance;
mod mid_chain;
mod support;
mod tampered;
