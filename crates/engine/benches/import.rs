//! Import of blocks: Doppio's engine in process and over the Engine API, beside op-geth.
//!
//! The chains are three that are made here, of 200 blocks of 30 Mgas (transfers, token transfers,
//! storage writes), and the recorded ones. Each is imported into a fresh database on disk: in
//! process, once as a whole and once part by part; and over HTTP, where op-geth gets the same bytes
//! from the same client. `docs/BENCHMARKS.md` says what is in the figures.
//!
//! `cargo bench -p doppio-engine --bench import -- [PART|CHAIN]...` runs a part (`process`, `http`)
//! or a chain; `BLOCKS` sets the number of full blocks, `ROUNDS` how often each is
//! imported.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is for this")]
#![expect(clippy::cast_precision_loss, reason = "figures are rounded anyway")]

#[path = "import/chain.rs"]
mod chain;
#[path = "import/client.rs"]
mod client;
#[path = "import/contracts.rs"]
mod contracts;
#[path = "import/engines.rs"]
mod engines;
#[path = "import/in_process.rs"]
mod in_process;

use chain::{Chain, Kind};
use doppio_test_vectors::Vectors;
use engines::Contender;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((engines::SERVE, rest)) = arguments
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    {
        return engines::serve(rest);
    }
    let Some(vectors) = Vectors::find("recorded") else {
        return Ok(());
    };
    let wanted: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let parts = ["process", "http"];
    let part = |name| wanted.contains(&name) || !parts.iter().any(|part| wanted.contains(part));
    let chains: Vec<&str> = wanted
        .iter()
        .copied()
        .filter(|name| !parts.contains(name))
        .collect();
    let chain = |name: &str| chains.is_empty() || chains.contains(&name);
    let scratch = Scratch::new()?;
    let contenders = Contender::all();
    head();
    for kind in Kind::ALL.into_iter().filter(|kind| chain(kind.name())) {
        let made = chain::make(&vectors, kind, number("BLOCKS", 200))?;
        run(
            &scratch,
            &made,
            &contenders,
            (part("process"), part("http")),
        )?;
    }
    for name in vectors.list("") {
        if chain(&name) && vectors.path(&name).join("genesis.json").exists() {
            let recorded = Chain::recorded(&vectors, &name)?;
            run(
                &scratch,
                &recorded,
                &contenders,
                (part("process"), part("http")),
            )?;
        }
    }
    Ok(())
}

fn number(variable: &str, default: usize) -> usize {
    let set = std::env::var(variable).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn head() {
    let columns = [
        "chain",
        "blocks",
        "Mgas",
        "who",
        "s",
        "CPU s",
        "Mgas/s",
        "blocks/s",
        "parts, ms per block",
        "KiB per block",
    ];
    println!("| {} |", columns.join(" | "));
    println!("|{}", "---|".repeat(columns.len()));
}

/// Prints a row.
fn row(chain: &Chain, best: &Best) {
    let blocks = chain.measured().len();
    let seconds = best.time.as_secs_f64();
    println!(
        "| {} | {blocks} | {:.0} | {} | {seconds:.2} | {:.2} | {:.0} | {:.0} | {} | {:.0} |",
        chain.name,
        chain.mgas(),
        best.who,
        best.cpu.as_secs_f64(),
        chain.mgas() / seconds,
        blocks as f64 / seconds,
        best.parts,
        best.growth / 1024.0,
    );
}

/// The fastest of several imports in one way.
struct Best {
    who: String,
    time: Duration,
    cpu: Duration,
    parts: String,
    growth: f64,
}

/// Imports a chain in every way that is wanted, one after the other in every round, so that each
/// has its share of what else the machine does; the fastest round counts.
fn run(
    scratch: &Scratch,
    chain: &Chain,
    contenders: &[Contender],
    (process, http): (bool, bool),
) -> Result<(), Failure> {
    let calls = client::calls(chain);
    let mut best: Vec<Best> = Vec::new();
    for _ in 0..number("ROUNDS", 1) {
        let mut all = Vec::new();
        if process {
            all.push(in_process(scratch, chain)?);
        }
        for contender in contenders.iter().filter(|_| http) {
            all.push(over_http(scratch, chain, &calls, contender)?);
        }
        for (index, now) in all.into_iter().enumerate() {
            match best.get_mut(index) {
                Some(best) if now.time < best.time => *best = now,
                Some(_) => {}
                None => best.push(now),
            }
        }
    }
    for best in &best {
        row(chain, best);
    }
    Ok(())
}

/// Milliseconds for each block.
fn per_block(chain: &Chain, time: Duration) -> f64 {
    time.as_secs_f64() * 1e3 / chain.measured().len() as f64
}

fn in_process(scratch: &Scratch, chain: &Chain) -> Result<Best, Failure> {
    let whole = in_process::whole(&scratch.fresh()?, chain)?;
    let parts = in_process::parts(&scratch.fresh()?, chain)?;
    let parts = format!(
        "senders {:.1}, execution {:.1}, state root {:.1}, database {:.1}",
        per_block(chain, parts.senders),
        per_block(chain, parts.execution),
        per_block(chain, parts.state_root),
        per_block(chain, parts.write),
    );
    Ok(Best {
        who: "Doppio, in process".to_owned(),
        time: whole.time,
        cpu: whole.cpu,
        parts,
        growth: whole.growth,
    })
}

fn over_http(
    scratch: &Scratch,
    chain: &Chain,
    calls: &[client::Calls],
    contender: &Contender,
) -> Result<Best, Failure> {
    let empty = contender.start(&scratch.fresh()?, chain)?;
    let folder = empty.data();
    empty.stop()?;
    let size = contender.size(&folder)?;
    let engine = contender.start(&scratch.fresh()?, chain)?;
    let cpu = engine.cpu()?;
    let times = client::import(engine.port, calls)?;
    let cpu = engine.cpu()? - cpu;
    engine.stop()?;
    let grown = contender.size(&folder)?.saturating_sub(size);
    Ok(Best {
        who: contender.name().to_owned(),
        time: times.whole(),
        cpu,
        parts: format!(
            "newPayload {:.1}, forkchoiceUpdated {:.1}",
            per_block(chain, times.new_payload),
            per_block(chain, times.fork_choice),
        ),
        growth: grown as f64 / chain.blocks.len() as f64,
    })
}

/// A folder that is deleted at the end. `SCRATCH` says where.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        let parent = std::env::var_os("SCRATCH").map_or_else(std::env::temp_dir, PathBuf::from);
        let folder = parent.join(format!("doppio-import-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    /// An empty folder. What was there before is gone.
    fn fresh(&self) -> Result<PathBuf, Failure> {
        let folder: &Path = &self.0.join("run");
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        Ok(folder.to_owned())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // what is left is in the way of nothing
        let _ = fs::remove_dir_all(&self.0);
    }
}
