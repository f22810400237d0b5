//! `doppio record`: a live chain becomes a folder that can be derived again.

use crate::{
    node::{L1Args, chain::NodeChainArgs, l1_source},
    output::{self, CommandError},
};
use clap::Args;
use core::time::Duration;
use doppio_protocol::duration::parse_duration;
use doppio_recorded::RecordingWriter;
use doppio_recorder::{Peers, RecordOptions, RecordProgress, RecordSummary, RollupNode, record};
use doppio_rpc::{Client, ClientOptions, Http, Target};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode, sync::Arc};

/// Longest answer of the rollup node or the L2 node that is read, in bytes.
const MAX_ANSWER: usize = 128 << 20;

/// Record a live chain from its nodes' RPCs, into a folder that doppio replay derives again: L1
/// blocks, blobs and payloads, L2 blocks, output roots, safe heads. Doppio's own derivation runs
/// along; where it differs from the chain, that is said, and recorded all the same. Exits with 0 once
/// the folder is whole
#[derive(Debug, Args)]
#[command(after_long_help = "\
The range is given in L2 blocks. The first one is safe already; derivation goes on from it, as a
rollup node does after a restart. On L1 the recording begins a channel timeout before the first
block's origin, and ends where the last block is safe: the rollup node knows, if it keeps safe heads
(op-node --safedb.path).

The folder is written as DIR.partial and has its name once it is whole; begun anew, a recording
removes what an earlier attempt left there.

Example:
  doppio record --l1 URL --l1.beacon URL --rollup-rpc URL --l2 URL --from 1000 --to 2000 DIR
  doppio replay DIR")]
pub(crate) struct RecordArgs {
    /// Folder to write
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// The L2 block that is safe already: the one after it is the first that is derived
    #[arg(long, value_name = "L2 BLOCK")]
    from: u64,

    /// The last L2 block. Default: the rollup node's safe head
    #[arg(long, value_name = "L2 BLOCK")]
    to: Option<u64>,

    /// The rollup node (op-node, doppio node)
    #[arg(long, env = "DOPPIO_RECORD_ROLLUP_RPC", value_name = "URL")]
    rollup_rpc: String,

    /// An L2 node that offers debug_getRawBlock (op-geth --http.api eth,debug)
    #[arg(long = "l2", env = "DOPPIO_RECORD_L2", value_name = "URL")]
    l2: String,

    /// The DA server, where batches are commitments
    #[arg(
        long = "altda.da-server",
        env = "DOPPIO_NODE_ALTDA_DA_SERVER",
        value_name = "URL"
    )]
    da_server: Option<String>,

    /// How long a question is asked again that nobody answers
    #[arg(
        long,
        env = "DOPPIO_RECORD_PATIENCE",
        value_name = "DURATION",
        default_value = "10m",
        value_parser = parse_duration
    )]
    patience: Duration,

    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    chain: NodeChainArgs,

    #[command(flatten)]
    l1: L1Args,
}

/// Runs the command.
pub(crate) fn run(args: &RecordArgs) -> Result<ExitCode, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run_async(args))
}

async fn run_async(args: &RecordArgs) -> Result<ExitCode, CommandError> {
    let writer = RecordingWriter::create(&args.folder)?;
    let http = Http::new();
    let client = |url: &str| -> Result<Arc<Client>, CommandError> {
        let options = ClientOptions {
            max_answer_bytes: MAX_ANSWER,
            ..ClientOptions::default()
        };
        let target = Target::parse(url)?;
        Ok(Arc::new(Client::new(http.clone(), target, options)))
    };
    let rollup = client(&args.rollup_rpc)?;
    let server = rollup.name().to_owned();
    let rollup = RollupNode(rollup);
    let served = rollup.rollup_config().await?;
    let chain = args.chain.read_or_served(&server, &served)?;
    for warning in &chain.warnings {
        output::note(format!("warning: {warning}"));
    }
    writer.text("rollup.json", &format!("{:#}\n", chain.rollup_json))?;
    for (name, text) in args.chain.files(&chain.config)? {
        writer.text(name, &text)?;
    }
    let peers = Peers {
        l1: l1_source(&args.l1, &chain.config)?,
        rollup,
        l2: client(&args.l2)?,
        da: args.da_server.as_deref().map(Target::parse).transpose()?,
        patience: args.patience,
    };
    let options = RecordOptions {
        from: args.from,
        to: args.to,
    };
    let bar = progress_bar();
    let summary = record(&peers, &chain.config, &options, writer, |progress| {
        show(&bar, progress);
    })
    .await;
    bar.finish_and_clear();
    let summary = summary?;
    if args.json {
        output::line(as_json(&summary).to_string());
    } else {
        print(args, &summary);
    }
    Ok(ExitCode::SUCCESS)
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    // hidden by itself where stderr is no terminal
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} L1 blocks  {msg}") {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, progress: RecordProgress) {
    let (first, last) = progress.l1_range;
    bar.set_length(last.saturating_sub(first).saturating_add(1));
    bar.set_position(progress.l1.saturating_sub(first).saturating_add(1));
    bar.set_message(format!("L2 block {}", progress.l2));
}

fn as_json(summary: &RecordSummary) -> Value {
    json!({
        "l1_blocks": summary.l1_blocks,
        "l2_blocks": summary.l2_blocks,
        "looked_up": summary.looked_up,
        "blobs": summary.blobs,
        "payloads": summary.payloads,
        "safe_heads": summary.safe_heads,
        "output_roots": summary.output_roots,
        "derived": { "matched": summary.equal, "mismatched": summary.different },
        "first_mismatch": summary.first_difference,
        "notes": summary.notes,
    })
}

fn print(args: &RecordArgs, summary: &RecordSummary) {
    for note in &summary.notes {
        output::note(format!("note: {note}"));
    }
    if let Some(difference) = &summary.first_difference {
        output::note(format!(
            "warning: Doppio derives another chain: {difference}"
        ));
    }
    output::line(format!("folder       {}", args.folder.display()));
    output::line(format!(
        "L1 blocks    {}, with {} blobs and {} payloads",
        summary.l1_blocks, summary.blobs, summary.payloads
    ));
    output::line(format!(
        "L2 blocks    {}, and {} before them that derivation looks up",
        summary.l2_blocks, summary.looked_up
    ));
    output::line(format!(
        "recorded     {} safe heads, {} output roots",
        summary.safe_heads, summary.output_roots
    ));
    output::line(format!(
        "derived      {} equal, {} different",
        summary.equal, summary.different
    ));
}
