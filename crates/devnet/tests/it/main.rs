//! The L1 for tests, started for real: what it says is checked by `doppio-l1`, which believes nothing,
//! and by decoders that know nothing of how it was written.

mod batcher;
mod beacon;
mod blocks;
mod chain;
mod contracts;
mod life;
mod support;
