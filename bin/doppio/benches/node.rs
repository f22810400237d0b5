//! The rollup node as its users run it: how fast it catches up, how much memory that takes, and whether
//! a sequencer's blocks are on time.
//!
//! Each part runs the program itself and prints a table. `docs/BENCHMARKS.md`, section *Node*, says what
//! is in the figures.
//!
//! `cargo bench -p doppio --bench node -- [PART]...` runs a part: `catch-up`, `memory`, `lateness`; all
//! without. `CHAINS=a,b` chooses recorded chains, `DELAY=50` is the milliseconds after which L1 answers,
//! `L1_BLOCKS=1000` the length of the chain of `memory`, `MINUTES=5` the time of `lateness`.

#![expect(clippy::print_stdout, reason = "it is for this")]
#![expect(clippy::cast_precision_loss, reason = "figures are rounded anyway")]

#[path = "node/catch_up.rs"]
mod catch_up;
#[path = "node/lateness.rs"]
mod lateness;
#[path = "node/machine.rs"]
mod machine;
#[path = "node/made.rs"]
mod made;
#[path = "node/made_server.rs"]
mod made_server;
#[path = "node/memory.rs"]
mod memory;
#[allow(dead_code, reason = "each program of tests uses a part of it")]
#[path = "../tests/support/process.rs"]
mod process;
#[allow(dead_code, reason = "each program of tests uses a part of it")]
#[path = "../tests/support/recorded_node.rs"]
mod recorded_node;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let part = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    if part("catch-up") {
        runtime.block_on(catch_up::run())?;
    }
    if part("memory") {
        runtime.block_on(memory::run())?;
    }
    if part("lateness") {
        runtime.block_on(lateness::run())?;
    }
    Ok(())
}

/// A number that the environment may give.
fn number(variable: &str, default: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Prints the head of a table.
fn head(columns: &[&str]) {
    println!("\n| {} |", columns.join(" | "));
    println!("|{}", "---|".repeat(columns.len()));
}
