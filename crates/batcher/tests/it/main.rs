//! What the batcher does, seen from outside.

#[path = "../../../derive/tests/it/support.rs"]
#[allow(dead_code, reason = "shared with the tests of doppio-derive")]
mod support;

mod channels;
mod model;
mod options;
mod orders;
mod property;
mod statuses;
mod windows;
