//! The driver on recorded chains with the embedded engine, and on made-up ones with a model.

mod backup;
mod driver;
mod engine_answers;
mod engines;
mod fork_choice;
mod gaps;
mod l1;
mod origin;
mod recovery;
mod sequencer;
mod stopping;
mod unsafe_blocks;
mod world;
