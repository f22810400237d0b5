//! Recorded chains, derived again: as they are, and with something in them changed.

mod conformance;
mod support;
mod tampered;
