//! Which chain the flags give, and when they give none.

use super::*;
use clap::{CommandFactory, FromArgMatches, Parser};
use doppio_protocol::config::{AuthRule, BatchAuth, CheckError, Fork};

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    chain: NodeChainArgs,
}

fn args(flags: &[&str]) -> NodeChainArgs {
    let flags = ["node"].iter().chain(flags);
    Cli::try_parse_from(flags).unwrap().chain
}

fn chain(flags: &[&str]) -> NodeChain {
    args(flags).read().unwrap()
}

fn refusal(flags: &[&str]) -> NodeChainError {
    args(flags).read().unwrap_err()
}

/// A file that is gone with its guard.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("doppio-chain-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// OP Mainnet's configuration, on another L1.
fn on_l1(chain_id: u64) -> String {
    let mut rollup = Network::find("op-mainnet")
        .unwrap()
        .rollup_config()
        .unwrap();
    rollup.l1_chain_id = chain_id;
    rollup.to_json().to_string()
}

const L1_900: &str = r#"{"chainId":900,"cancunTime":0,
    "blobSchedule":{"cancun":{"baseFeeUpdateFraction":5}}}"#;

#[test]
fn a_name_a_chain_id_and_a_file_give_the_same_chain() {
    let by_name = chain(&["--network", "op-mainnet"]);
    assert_eq!(by_name.config.rollup.l2_chain_id, 10);
    assert_eq!(by_name.warnings, Vec::<String>::new());
    let file = File::new("same.json", &by_name.config.rollup.to_json().to_string());
    for flags in [["--network", "10"], ["--rollup.config", file.path()]] {
        let other = chain(&flags);
        assert_eq!(other.config.config_id(), by_name.config.config_id());
    }
}

#[test]
fn exactly_one_of_name_and_file_is_needed() {
    assert!(matches!(refusal(&[]), NodeChainError::NotGiven));
    let both = ["--network", "op-mainnet", "--rollup.config", "rollup.json"];
    assert!(matches!(refusal(&both), NodeChainError::BothGiven));
    let unknown = refusal(&["--network", "base-mainnet"]);
    assert!(unknown.to_string().contains("--rollup.config"), "{unknown}");
    let missing = refusal(&["--rollup.config", "/nonexistent/rollup.json"]);
    assert!(
        missing
            .to_string()
            .starts_with("/nonexistent/rollup.json: ")
    );
    let file = File::new("broken.json", r#"{"genesis":{},"no_such_key":1}"#);
    let broken = refusal(&["--rollup.config", file.path()]).to_string();
    assert!(
        broken.contains(file.path()) && broken.contains("no_such_key"),
        "{broken}"
    );
}

#[test]
fn an_l1_that_nobody_knows_needs_its_configuration_and_it_must_be_its_own() {
    let rollup = File::new("private.json", &on_l1(900));
    let error = refusal(&["--rollup.config", rollup.path()]);
    assert!(matches!(
        error,
        NodeChainError::Chain(ChainConfigError::UnknownL1(900))
    ));
    assert!(
        error.to_string().contains("--rollup.l1-chain-config"),
        "{error}"
    );
    let l1 = File::new("l1.json", L1_900);
    let read = |rollup: &File, l1: &File| {
        let flags = ["--rollup.config", rollup.path()];
        args(&[&flags[..], &["--rollup.l1-chain-config", l1.path()]].concat()).read()
    };
    let schedule = read(&rollup, &l1).unwrap().config.l1_blob_schedule.clone();
    assert_eq!(schedule.steps()[0].update_fraction, 5);
    let other = File::new("other.json", &on_l1(901));
    assert!(matches!(
        read(&other, &l1),
        Err(NodeChainError::L1Config {
            error: L1ConfigError::ChainId {
                expected: 901,
                found: 900
            },
            ..
        })
    ));
}

/// As in op-node, which does not even read the file.
#[test]
fn what_is_known_of_a_public_l1_holds_against_the_file_and_that_is_said() {
    let l1 = File::new("public.json", &L1_900.replace("900", "1"));
    let flags = ["--network", "10", "--rollup.l1-chain-config", l1.path()];
    let chain = chain(&flags);
    assert_eq!(
        Some(chain.config.l1_blob_schedule.clone()),
        BlobSchedule::of_public_l1(1)
    );
    assert!(
        chain.warnings[0].contains(l1.path()),
        "{:?}",
        chain.warnings
    );
}

#[test]
fn every_override_of_op_node_is_taken_and_said() {
    let mut seen = 0;
    for fork in Fork::ALL.into_iter().skip(1) {
        let name = fork.name().to_lowercase();
        let before = Network::find("op-mainnet")
            .unwrap()
            .rollup_config()
            .unwrap();
        // no other time is legal between two forks for all of them
        let time = before
            .forks
            .time(fork)
            .map_or(2_000_000_000, |time| time + 1);
        let flag = format!("--override.{name}={time}");
        let chain = chain(&["--network", "op-mainnet", &flag]);
        let mut expected = before;
        expected.forks.set(fork, Some(time));
        assert_eq!(chain.config.rollup, expected);
        assert_eq!(chain.warnings.len(), 1);
        assert!(chain.warnings[0].contains(&format!("{name}_time")));
        seen += 1;
    }
    assert_eq!(seen, 10);
    let pectra = "--override.pectrablobschedule=0x10";
    let chain = chain(&["--network", "op-mainnet", pectra]);
    assert_eq!(chain.config.rollup.pectra_blob_schedule_time, Some(16));
}

#[test]
fn keeping_the_karst_gas_is_yes_or_no_or_the_configurations() {
    let keep = |network: &str, flag: &[&str]| {
        let flags = [&["--network", network], flag].concat();
        chain(&flags).config.rollup.keep_karst_upgrade_gas
    };
    let flag = "--override.keep-karst-upgrade-gas";
    let no = format!("{flag}=false");
    assert!(keep("op-mainnet", &[]) && !keep("op-mainnet", &[&no]));
    assert!(!keep("mode-mainnet", &[]) && keep("mode-mainnet", &[flag]));
    let maybe = format!("{flag}=maybe");
    assert!(Cli::try_parse_from(["node", &maybe]).is_err());
}

#[test]
fn overrides_that_make_an_illegal_configuration_are_refused_by_its_rule() {
    let error = refusal(&["--network", "op-mainnet", "--override.isthmus=1"]);
    assert!(matches!(
        error,
        NodeChainError::Chain(ChainConfigError::Check(CheckError::ForkOrder { .. }))
    ));
    assert!(error.to_string().contains("Isthmus"), "{error}");
}

/// op-node's start-up check, and both ways out of it.
#[test]
fn an_old_chain_on_sepolia_without_pectra_blob_schedule_is_refused() {
    let camp = ["--network", "camp-sepolia"];
    assert!(matches!(
        refusal(&camp),
        NodeChainError::PectraBlobScheduleMissing
    ));
    let ways = [
        "--ignore-missing-pectra-blob-schedule",
        "--override.pectrablobschedule=5",
    ];
    for flag in ways {
        let time = chain(&[&camp[..], &[flag]].concat());
        assert_eq!(
            time.config.rollup.pectra_blob_schedule_time.is_some(),
            flag == ways[1]
        );
    }
}

#[test]
fn what_op_node_cannot_be_told_is_told_as_to_replay() {
    let chain = chain(&["--network=10", "--profile=celo", "--batch-auth=sender"]);
    assert_eq!(chain.config.profile.name, "celo");
    assert_eq!(chain.config.batch_auth.rule, BatchAuth::Sender);
    let error = refusal(&["--network=10", "--batch-auth=auth-event", "--auth-from=1"]);
    assert!(matches!(
        error,
        NodeChainError::Chain(ChainConfigError::AuthenticatorMissing(name))
            if name == AuthRule::AuthEvent.name()
    ));
    let error = refusal(&["--network=10", "--profile=nobodys"]);
    assert!(matches!(error, NodeChainError::Profile(_)));
}

/// op-node's names of the environment, but for the prefix.
#[test]
fn every_flag_of_op_node_has_its_variable() {
    let command = Cli::command();
    let mut seen = 0;
    for arg in command.get_arguments() {
        let (Some(long), Some(env)) = (arg.get_long(), arg.get_env()) else {
            continue;
        };
        let env = env.to_str().unwrap();
        let Some(rest) = env.strip_prefix("DOPPIO_NODE_") else {
            assert!(env.starts_with("DOPPIO_CHAIN_"), "{env}");
            continue;
        };
        assert_eq!(rest, long.to_uppercase().replace(['.', '-'], "_"));
        seen += 1;
    }
    assert_eq!(seen, 16);
    let _ = Cli::from_arg_matches(&command.get_matches_from(["node"]));
}
