//! `doppio replay`: derive a recorded chain again.

use crate::{
    chain_args::ChainArgs,
    execute::Executor,
    output::{self, CommandError},
};
use clap::Args;
use doppio_engine::{Genesis, MemoryChain};
use doppio_recorded::{OpenOptions, RecordedChain, Replay, ReplayReport};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode, time::Instant};

/// Derive a recorded chain from its L1 blocks, and compare every L2 block, safe head and inbox
/// verdict with the recording. Exits with 0 only when all match. A folder with a start.json begins
/// mid-chain
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Folder of the recorded chain
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,

    /// Execute every derived block, and compare block hashes and output roots too. Needs the
    /// folder's genesis.json
    #[arg(long)]
    execute: bool,

    #[command(flatten)]
    chain: ChainArgs,
}

/// Runs the command.
pub(crate) fn run(args: ReplayArgs) -> Result<ExitCode, CommandError> {
    let started = Instant::now();
    let options = OpenOptions {
        ignore_unknown_keys: args.chain.ignore_unknown_keys,
        overrides: args.chain.overrides()?,
    };
    let recorded = RecordedChain::open(&args.folder, options)?;
    for warning in &recorded.warnings {
        output::note(format!("warning: {warning}"));
    }
    let mut executor = if args.execute {
        Some(executor(&recorded)?)
    } else {
        None
    };
    let bar = progress_bar(&recorded);
    let start = recorded.start().safe_head.number;
    let mut replay = Replay::new(&recorded);
    if let Some(executor) = &mut executor {
        replay = replay.executing(executor);
    }
    let report = replay.run(|progress| {
        bar.set_position(progress.l2_number.saturating_sub(start));
        bar.set_message(format!("L1 block {}", progress.l1_number));
    });
    bar.finish_and_clear();
    let report = report?;
    let seconds = started.elapsed().as_secs_f64();
    if args.json {
        output::line(as_json(&report, seconds).to_string());
    } else {
        print(&recorded, &report, seconds);
    }
    Ok(if report.all_match() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// An engine at the recording's start.
fn executor(recorded: &RecordedChain) -> Result<Executor, CommandError> {
    if !recorded.is_whole() {
        let start = recorded.start().safe_head.number;
        let text = format!(
            "the recording begins at L2 block {start}, whose state it does not hold: its blocks \
             can be derived, but not executed (--execute)"
        );
        return Err(text.into());
    }
    let (genesis, alloc) = recorded.genesis()?;
    let genesis = Genesis::parse(&genesis, alloc.as_deref())?;
    let expected = recorded.chain.rollup.genesis.l2.hash;
    if genesis.hash != expected {
        let found = genesis.hash;
        let text = format!("genesis.json gives block {found}, but rollup.json says {expected}");
        return Err(text.into());
    }
    Ok(Executor(MemoryChain::new(genesis)?))
}

fn progress_bar(recorded: &RecordedChain) -> ProgressBar {
    let last = recorded.l2_blocks.last().map_or(0, |block| block.number);
    let bar = ProgressBar::new(last.saturating_sub(recorded.start().safe_head.number));
    // hidden by itself where stderr is no terminal
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} L2 blocks  {msg}") {
        bar.set_style(style);
    }
    bar
}

fn as_json(report: &ReplayReport, seconds: f64) -> Value {
    json!({
        "l1_blocks": report.l1_blocks,
        "derived": report.derived,
        "matched": report.matched,
        "mismatched": report.mismatched,
        "replaced": report.replaced,
        "output_roots": { "matched": report.output_roots.0, "mismatched": report.output_roots.1 },
        "safe_heads": { "matched": report.safe_heads.0, "mismatched": report.safe_heads.1 },
        "verdicts": { "matched": report.verdicts.0, "mismatched": report.verdicts.1 },
        "dropped": report.dropped,
        "seconds": seconds,
    })
}

fn print(recorded: &RecordedChain, report: &ReplayReport, seconds: f64) {
    for mismatch in &report.mismatches {
        output::line(format!("{mismatch}"));
    }
    output::line(format!("config id    {}", recorded.chain.config_id()));
    output::line(format!("L1 blocks    {}", report.l1_blocks));
    output::line(format!(
        "L2 blocks    {} derived, {} equal, {} different, {} replaced by their deposits",
        report.derived, report.matched, report.mismatched, report.replaced
    ));
    if report.output_roots != (0, 0) {
        output::line(format!(
            "output roots {} equal, {} different",
            report.output_roots.0, report.output_roots.1
        ));
    }
    output::line(format!(
        "safe heads   {} equal, {} different",
        report.safe_heads.0, report.safe_heads.1
    ));
    if recorded.verdict_count() > 0 {
        output::line(format!(
            "verdicts     {} equal, {} different",
            report.verdicts.0, report.verdicts.1
        ));
    }
    for (reason, count) in &report.dropped {
        output::line(format!("dropped      {count} x {reason}"));
    }
    let deriving = report.deriving.as_secs_f64();
    output::line(format!(
        "time         {seconds:.2} s, {deriving:.3} s of it in derivation"
    ));
}
