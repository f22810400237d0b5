//! The flags of `doppio devnet`.

use clap::{ArgAction, Args, Subcommand, ValueEnum};
use core::time::Duration;
use doppio_devnet::network::{DataAvailability, ForkTime, Port, PortRange, Role};
use doppio_protocol::{config::Fork, duration::parse_duration};
use std::path::PathBuf;

/// Run a whole chain on this machine: L1 (anvil with the OP Stack's contracts), a sequencer with its
/// engine, a batcher, and a second node that derives the chain from L1 alone. Each is a process of its
/// own, with a log. Ctrl-C stops everything
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_long_help = "\
Once all answer, the URLs are printed (L2 RPC, L1 RPC, ...), and DIR/devnet.json has them for programs,
with every address, key and command. Ten users have 10,000 ETH on both chains.

Each role's command is printed too. A role that is ended can be started again by hand with it, as it
was or with other flags; it is not started again by itself. --program has another program take a role
from the start, and --without leaves the role to you. The roles are l1, engine, node, batcher,
verifier-engine and verifier.

L1 is kept every few seconds and at the end: what is final is never lost. After kill -9 the rest of it
may be, which is a reorganisation of L1 for all roles. L1's own methods, beside anvil's, are
devnet_reorg DEPTH [\"same\"|\"empty\"], devnet_mine N, devnet_skipSlots N, devnet_pause, devnet_resume.

Examples:
  doppio devnet
  doppio devnet --dir my-chain --da calldata --fork karst=+40
  doppio devnet --dir other --ports 20000
  doppio devnet --exec 'cast block-number'
  doppio devnet traffic --rate 20")]
pub(crate) struct DevnetArgs {
    #[command(subcommand)]
    pub(super) command: Option<DevnetCommand>,

    #[command(flatten)]
    pub(super) network: NetworkArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum DevnetCommand {
    L1(L1Args),
    Traffic(TrafficArgs),
}

#[derive(Debug, Args)]
pub(super) struct NetworkArgs {
    /// Where batches go
    #[arg(long, env = "DOPPIO_DEVNET_DA", value_enum, default_value_t = Da::Blobs)]
    pub(super) da: Da,

    /// Whether blocks are confirmed by Espresso
    #[arg(long, env = "DOPPIO_DEVNET_ESPRESSO", value_enum, default_value_t = Espresso::Off)]
    pub(super) espresso: Espresso,

    /// Folder of the devnet; a chain that is there goes on. Without it, the folder is devnet in
    /// $DOPPIO_HOME, and each start is a new chain
    #[arg(long, env = "DOPPIO_DEVNET_DIR", value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,

    /// When a fork activates, in seconds after the chain's first block; never for never. Forks up to
    /// Isthmus are there from the start, and Jovian is at +20
    #[arg(long = "fork", value_name = "NAME=+SECONDS|never", value_parser = parse_fork)]
    pub(super) forks: Vec<ForkTime>,

    /// Seconds between L2 blocks [default: 1]
    #[arg(long, env = "DOPPIO_DEVNET_BLOCK_TIME", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(super) block_time: Option<u64>,

    /// Seconds between L1 blocks [default: 2]
    #[arg(long, env = "DOPPIO_DEVNET_L1_BLOCK_TIME", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(super) l1_block_time: Option<u64>,

    /// Ports: numbered from FIRST on, or any that are free. Default: 8545 for L1, 9545 for L2, ...
    #[arg(long, env = "DOPPIO_DEVNET_PORTS", value_name = "FIRST|free")]
    pub(super) ports: Option<PortRange>,

    /// A single port: l1, l2, l2-ws, engine-auth, node, batcher, verifier-l2, verifier-auth, verifier
    #[arg(long = "port", value_name = "NAME=PORT", value_parser = parse_port)]
    pub(super) port: Vec<(Port, u16)>,

    /// Run a shell command once the chain is there, with its URLs and a user's key in the environment
    /// (L1_RPC_URL, L2_RPC_URL, PRIVATE_KEY, DEVNET_JSON, ...); then stop, and exit as the command did
    #[arg(long, value_name = "CMD")]
    pub(super) exec: Option<String>,

    /// Do not start a role: somebody else does
    #[arg(long, value_name = "ROLE", action = ArgAction::Append)]
    pub(super) without: Vec<Role>,

    /// Run a role by another program, which takes the same flags (op-node, op-batcher)
    #[arg(long = "program", value_name = "ROLE=PATH", value_parser = parse_program)]
    pub(super) programs: Vec<(Role, PathBuf)>,

    /// Give a role one more argument, behind its own
    #[arg(long = "arg", value_name = "ROLE=ARGUMENT", value_parser = parse_argument)]
    pub(super) arguments: Vec<(Role, String)>,

    /// Print one JSON object once the chain is there: what is in devnet.json. All else goes to stderr
    #[arg(long)]
    pub(super) json: bool,
}

/// Run L1 alone: anvil with the OP Stack's contracts, and a beacon node in front of it. What is in the
/// folder goes on. Stops on SIGINT and SIGTERM
#[derive(Debug, Args)]
pub(super) struct L1Args {
    /// Folder where the chain is kept
    #[arg(long, value_name = "DIR")]
    pub(super) dir: PathBuf,

    /// Port of JSON-RPC and of the beacon node
    #[arg(long, value_name = "PORT", default_value_t = Port::L1.default_number())]
    pub(super) port: u16,

    /// Seconds of a slot; of a chain that goes on, the same as before
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(super) block_time: u64,

    /// Blocks from the head to the safe block, and from there to the finalized one
    #[arg(long, value_name = "BLOCKS", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(super) slots_per_epoch: u64,

    /// How often the chain is kept
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_duration)]
    pub(super) save_interval: Duration,

    /// anvil's executable. Default: the one that npm installed
    #[arg(long, value_name = "FILE", requires = "supersim")]
    pub(super) anvil: Option<PathBuf>,

    /// supersim's executable, out of which the contracts are read. Default: the one that npm installed
    #[arg(long, value_name = "FILE", requires = "anvil")]
    pub(super) supersim: Option<PathBuf>,

    /// What is logged to stderr
    #[arg(
        long,
        env = "DOPPIO_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub(super) log: String,
}

/// Make load on a devnet that runs: transfers, token transfers, storage, contracts, large calldata,
/// deposits. Exits with 0 if all of it is in blocks. Ctrl-C ends it
#[derive(Debug, Args)]
pub(super) struct TrafficArgs {
    /// Transactions a second
    #[arg(long, value_name = "R", default_value_t = 5.0, value_parser = parse_rate)]
    pub(super) rate: f64,

    /// For how long [default: until Ctrl-C]
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub(super) duration: Option<Duration>,

    /// What the transactions follow from
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,

    /// Folder of the devnet. Default: devnet in $DOPPIO_HOME
    #[arg(long, env = "DOPPIO_DEVNET_DIR", value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,

    /// Print one JSON object at the end, and nothing else
    #[arg(long)]
    pub(super) json: bool,
}

/// Where batches go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Da {
    /// Blobs of L1
    Blobs,
    /// Calldata of L1
    Calldata,
}

impl From<Da> for DataAvailability {
    fn from(da: Da) -> Self {
        match da {
            Da::Blobs => Self::Blobs,
            Da::Calldata => Self::Calldata,
        }
    }
}

/// Whether there is Espresso.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Espresso {
    /// No
    Off,
}

/// The two sides of `NAME=VALUE`.
fn pair(text: &str) -> Result<(&str, &str), String> {
    text.split_once('=')
        .ok_or_else(|| "there is no = in it".to_owned())
}

fn parse_fork(text: &str) -> Result<ForkTime, String> {
    let (name, time) = pair(text)?;
    // The last one is known by name only: no block of it is derived.
    let known = || Fork::ALL.into_iter().filter(|fork| *fork < Fork::Lagoon);
    let fork = known().find(|fork| fork.name().eq_ignore_ascii_case(name));
    let fork = fork.ok_or_else(|| {
        let names: Vec<_> = known().map(|fork| fork.name().to_lowercase()).collect();
        format!(
            "there is no fork {name}; the forks are {}",
            names.join(", ")
        )
    })?;
    let seconds = || time.strip_prefix('+')?.parse().ok();
    let after = match time {
        "never" => None,
        _ => Some(seconds().ok_or("take +SECONDS, after the first block, or never")?),
    };
    Ok(ForkTime { fork, after })
}

fn parse_port(text: &str) -> Result<(Port, u16), String> {
    let (name, number) = pair(text)?;
    match number.parse() {
        Ok(number) if number > 0 => Ok((name.parse()?, number)),
        _ => Err(format!("{number} is no port")),
    }
}

fn parse_program(text: &str) -> Result<(Role, PathBuf), String> {
    let (role, program) = pair(text)?;
    Ok((role.parse()?, program.into()))
}

fn parse_argument(text: &str) -> Result<(Role, String), String> {
    let (role, argument) = pair(text)?;
    Ok((role.parse()?, argument.to_owned()))
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 10_000.0 => Ok(rate),
        _ => Err("take a number above 0, and 10000 at most".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_is_a_name_and_a_time_after_the_first_block() {
        let time = parse_fork("karst=+40").unwrap();
        assert_eq!((time.fork, time.after), (Fork::Karst, Some(40)));
        let time = parse_fork("Jovian=never").unwrap();
        assert_eq!((time.fork, time.after), (Fork::Jovian, None));
        for wrong in [
            "karst",
            "karst=40",
            "karst=+",
            "karst=+-1",
            "lagoon=+50",
            "london=+1",
        ] {
            assert!(parse_fork(wrong).is_err(), "{wrong}");
        }
        assert!(parse_fork("london=+1").unwrap_err().contains("jovian"));
    }

    #[test]
    fn what_is_named_by_role_or_port_is_split_at_the_first_equals_sign() {
        assert_eq!(parse_port("l2=9000"), Ok((Port::L2, 9000)));
        assert!(parse_port("l2=0").is_err() && parse_port("l3=1").is_err());
        let (role, argument) = parse_argument("batcher=--poll-interval=1s").unwrap();
        assert_eq!((role, &*argument), (Role::Batcher, "--poll-interval=1s"));
        assert!(parse_program("sequencer=/bin/true").is_err());
        assert!(parse_rate("0").is_err() && parse_rate("NaN").is_err());
    }
}
