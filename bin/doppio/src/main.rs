//! The command line: argument parsing and wiring only.

mod chain_args;
mod engine;
mod execute;
mod explain;
mod metrics;
mod output;
mod replay;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// An OP Stack rollup in one program, with EigenDA as its data layer and Espresso as its
/// confirmation layer. It trusts neither and verifies both.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Engine(Box<engine::EngineArgs>),
    Explain(explain::ExplainArgs),
    Replay(replay::ReplayArgs),
}

fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let result = match command {
        Command::Engine(args) => engine::run(&args),
        Command::Explain(args) => explain::run(args),
        Command::Replay(args) => replay::run(args),
    };
    result.unwrap_or_else(|error| {
        output::error(&*error);
        ExitCode::FAILURE
    })
}
