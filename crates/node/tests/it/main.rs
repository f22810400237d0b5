//! The driver on recorded chains with the embedded engine, and on made-up ones with a model.

mod backup;
mod chaos;
mod consolidation;
mod derivation;
mod driver;
mod engine_answers;
mod engines;
mod finality;
mod fork_choice;
mod gaps;
mod l1;
mod origin;
mod recovery;
mod reorgs;
mod sequencer;
mod stopping;
mod unsafe_blocks;
mod world;
