//! Doppio beside kona on the recorded chains: channels to batches, blocks to frames, whole
//! derivation.
//!
//! Everything lies in memory when the clock starts. All competitors of a table run in the same
//! process, on one thread, one after another in every round; the first of a round is another one
//! each time. What is and what is not in the timed part stands in `docs/BENCHMARKS.md`.
//!
//! `cargo bench -- [batches|frames|derivation] [CHAIN]` runs a part; `ROUNDS` sets the rounds.

mod batches;
mod derivation;
mod frames;
mod rounds;
mod table;

use doppio_oracle::{Chain, RECORDED};
use doppio_test_vectors::Vectors;
use std::panic::Location;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let Some(vectors) = Vectors::find("recorded") else {
        println!("there are no recorded chains");
        return Ok(());
    };
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_wanted = |names: &[&str], name: &str| {
        let mut among = wanted.iter().filter(|word| names.contains(&word.as_str()));
        wanted.iter().any(|word| word == name) || among.next().is_none()
    };
    let parts = ["batches", "frames", "derivation"];
    let chains = RECORDED
        .into_iter()
        .filter(|name| is_wanted(&RECORDED, name))
        .map(|name| Ok((name, Chain::open(&vectors.path(name))?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    // kona panics on one of the chains; the tables need not say so
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let is_kona = |place: &Location<'_>| place.file().contains("kona-protocol");
        if !info.location().is_some_and(is_kona) {
            print(info);
        }
    }));
    if is_wanted(&parts, "batches") {
        batches::run(&chains)?;
    }
    if is_wanted(&parts, "frames") {
        frames::run(&chains)?;
    }
    if is_wanted(&parts, "derivation") {
        derivation::run(&chains)?;
    }
    Ok(())
}
