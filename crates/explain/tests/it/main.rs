//! Explanations of genuine, constructed and hostile bytes.
//!
//! One program for all of them, because linking is slower than testing.

mod breaks;
mod certificates;
mod forms;
mod genuine;
mod properties;
mod recorded;
mod support;
