//! `doppio explain`: what bytes hold, layer by layer.

use crate::{
    chain_args::read_profile,
    output::{self, CommandError},
};
use clap::Args;
use doppio_explain::{
    Chain, Detail, Explanation, Form, Options, Rules, explain, parse_hex, parse_input,
};
use doppio_protocol::config::{ChainProfile, RollupConfig};
use std::{
    fs::File,
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Most that is read, in bytes.
const MAX_INPUT: u64 = 256 << 20;

/// Print what bytes hold, layer by layer, down to L2 transactions; or where and by which rule they
/// break. Exits with 0 when all of it reads, with 1 when it breaks or fits no form
#[derive(Debug, Args)]
#[command(after_long_help = "\
Forms, in the order in which they are tried:
  blob          exactly 131,072 bytes
  inbox         what an inbox transaction carries: 00 and frames, or 01 and an alt-DA commitment
  commitment    an alt-DA commitment without the derivation version byte 01 in front
  channel       a channel's bytes, compressed with zlib or brotli
  decompressed  what a channel decompresses to: RLP strings with a batch in each
  batch         one batch: 00 (singular) or 01 (span), and its content
  transaction   a signed transaction of L1 or L2 (EIP-2718)
The form that gets deepest before it breaks is taken. Where none gets anywhere, each is listed with
the rule that breaks. Rules are those of the newest forks unless --l1-time says otherwise; whether
a batch fits the safe head is not looked at.

A span batch leaves out the chain id, the genesis time and the block time. Give --rollup.config, or
the three flags, to see whole transactions, their senders and absolute times.

Examples:
  doppio explain 0x00a1b2...
  cast tx HASH input | doppio explain --rollup.config rollup.json -
  doppio explain --json --as channel channel.bin")]
pub(crate) struct ExplainArgs {
    /// Hexadecimal (with or without 0x), a file, or - for standard input
    ///
    /// A file holds the bytes as they are, or as hexadecimal text with white space anywhere.
    /// Several lines that all begin with 0x are the data of several transactions to the inbox, in
    /// their order on L1: frames of one channel are put together across them. At most 256 MiB.
    #[arg(value_name = "WHAT")]
    what: String,

    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,

    /// Print long lists whole (up to 200,000 entries)
    #[arg(long)]
    all: bool,

    /// The form that the bytes have, instead of finding it out
    #[arg(long = "as", value_name = "FORM")]
    form: Option<Form>,

    /// The chain's rollup.json
    #[arg(long = "rollup.config", value_name = "FILE")]
    rollup_config: Option<PathBuf>,

    /// Accept keys of rollup.json that no supported node knows
    #[arg(long = "rollup.ignore-unknown-keys")]
    ignore_unknown_keys: bool,

    /// Chain profile: upstream, celo, or a file. Default: by chain
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,

    /// Time of the L1 block that the bytes are from, in seconds since the Unix epoch: the rules of
    /// the forks of that time hold. Needs --rollup.config
    #[arg(long, value_name = "SECONDS", requires = "rollup_config")]
    l1_time: Option<u64>,

    /// L2 chain id, instead of rollup.json's
    #[arg(long, value_name = "ID")]
    l2_chain_id: Option<u64>,

    /// Time of the L2 genesis block, in seconds since the Unix epoch, instead of rollup.json's
    #[arg(long, value_name = "SECONDS")]
    genesis_l2_time: Option<u64>,

    /// Seconds between L2 blocks, instead of rollup.json's
    #[arg(long, value_name = "SECONDS")]
    block_time: Option<u64>,
}

/// Runs the command.
pub(crate) fn run(args: ExplainArgs) -> Result<ExitCode, CommandError> {
    let options = args.options()?;
    let data = read(&args.what)?;
    let explanation = explain(&data, &options);
    print(&explanation, args.json)?;
    Ok(if explanation.sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl ExplainArgs {
    fn options(&self) -> Result<Options, CommandError> {
        let config = match &self.rollup_config {
            None => None,
            Some(path) => Some(self.read_config(path)?),
        };
        let profile = match (&self.profile, &config) {
            (Some(name), _) => read_profile(name)?,
            (None, Some(config)) => ChainProfile::of_chain(config),
            (None, None) => ChainProfile::upstream(),
        };
        let rules = match (&config, self.l1_time) {
            (Some(config), Some(l1_time)) => Rules::at(config, &profile, l1_time),
            _ => Rules::newest(&profile),
        };
        let known = config.as_ref().map(Chain::of).unwrap_or_default();
        Ok(Options {
            form: self.form,
            rules,
            chain: Chain {
                chain_id: self.l2_chain_id.or(known.chain_id),
                genesis_l2_time: self.genesis_l2_time.or(known.genesis_l2_time),
                block_time: self.block_time.or(known.block_time),
                ..known
            },
            detail: if self.json || self.all {
                Detail::FULL
            } else {
                Detail::SHORT
            },
            ..Options::default()
        })
    }

    fn read_config(&self, path: &Path) -> Result<RollupConfig, CommandError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let parsed = RollupConfig::parse(&text, self.ignore_unknown_keys)?;
        for warning in parsed.warnings {
            output::note(format!("warning: {warning}"));
        }
        parsed.config.check()?;
        Ok(parsed.config)
    }
}

/// The data items that an argument names.
fn read(what: &str) -> Result<Vec<alloy_primitives::Bytes>, CommandError> {
    if what == "-" {
        let content = read_limited(io::stdin().lock())?;
        return Ok(parse_input(
            &content.ok_or_else(|| too_large("standard input"))?,
        ));
    }
    let path = Path::new(what);
    // not only regular files: a pipe has a name, too
    if !what.starts_with("0x") && path.exists() {
        let named = |error| format!("{what}: {error}");
        let file = File::open(path).map_err(named)?;
        // of a file the size is known before anything is read, of a pipe it is not
        let size = file.metadata().map_err(named)?.len();
        let content = if size > MAX_INPUT {
            None
        } else {
            read_limited(file).map_err(named)?
        };
        return Ok(parse_input(&content.ok_or_else(|| too_large(what))?));
    }
    parse_hex(what).map_err(|error| {
        let shown: String = what.chars().take(40).collect();
        let dots = if shown.len() < what.len() { "…" } else { "" };
        format!("{shown}{dots} is no file, and not hexadecimal either: {error}").into()
    })
}

fn too_large(what: &str) -> String {
    format!(
        "{what} has more than {} MiB, which is the limit",
        MAX_INPUT >> 20
    )
}

/// Everything there is to read; none if it is too much.
fn read_limited(input: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    input.take(MAX_INPUT + 1).read_to_end(&mut content)?;
    Ok((content.len() as u64 <= MAX_INPUT).then_some(content))
}

fn print(explanation: &Explanation, json: bool) -> Result<(), CommandError> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if json {
        serde_json::to_writer(&mut out, explanation)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))
    } else {
        write!(out, "{explanation}")
    };
    match written.and_then(|()| out.flush()) {
        // a reader that has gone away is no failure of ours
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
