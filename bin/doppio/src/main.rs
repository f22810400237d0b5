//! The command line: argument parsing and wiring only.

mod batcher;
mod chain_args;
mod check;
mod devnet;
mod engine;
mod environment;
mod execute;
mod explain;
mod log;
mod metrics;
mod node;
mod output;
mod record;
mod replay;
mod signals;
mod txmgr_args;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
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
    Batcher(Box<batcher::BatcherArgs>),
    Devnet(Box<devnet::DevnetArgs>),
    Engine(Box<engine::EngineArgs>),
    Explain(explain::ExplainArgs),
    Node(Box<node::NodeArgs>),
    Record(Box<record::RecordArgs>),
    Replay(replay::ReplayArgs),
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("node")
        && let Err(refusal) = node::refuse_what_is_not_here(arguments)
    {
        output::note(format!("error: {refusal}"));
        return ExitCode::FAILURE;
    }
    let command = Cli::command().mut_subcommand("batcher", |command| {
        environment::with_switches(environment::named_after_flags(
            command,
            batcher::ENVIRONMENT,
        ))
    });
    // of a flag that is given twice the last one counts, as with the op-stack's programs
    let command = ["batcher", "engine", "node"]
        .into_iter()
        .fold(command, |command, role| {
            command.mut_subcommand(role, |role| role.args_override_self(true))
        });
    let command = environment::with_op_stack_names(command, &|name| std::env::var_os(name));
    let Cli { command } =
        Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    let result = match command {
        Command::Batcher(args) => batcher::run(&args),
        Command::Devnet(args) => devnet::run(*args),
        Command::Engine(args) => engine::run(&args),
        Command::Explain(args) => explain::run(args),
        Command::Node(args) => node::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Replay(args) => replay::run(args),
    };
    result.unwrap_or_else(|error| {
        output::error(&*error);
        ExitCode::FAILURE
    })
}
