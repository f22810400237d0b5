//! The pipeline as its users see it: L1 blocks in, attributes, requests and drops out.
//!
//! One program for all of them, because linking is slower than testing.

mod alt_da;
mod attributes;
mod attributes_queue;
mod authorization;
mod basics;
mod batch_queue;
mod batch_stage;
mod batch_stages;
mod channel_reader;
mod channels;
mod data_sources;
mod deviations;
mod finality;
mod hostile;
mod plans;
mod reset;
mod support;
mod sync_start;
mod traversal;
mod world;
