//! `devnet.json`: what a devnet is made of, for programs.

use super::{
    NetworkError,
    options::DataAvailability,
    ports::{Port, Ports},
    roles::{CommandLine, Role},
};
use crate::{Account, ChainKeys, Contracts, DevnetError, L1_CHAIN_ID, MNEMONIC, folder};
use doppio_protocol::config::{Fork, RollupConfig};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Users that have ether on both chains.
pub(crate) const USERS: u32 = 10;

/// What is known of a role.
#[derive(Debug)]
pub(crate) struct RoleEntry<'a> {
    pub(crate) role: Role,
    pub(crate) command: &'a CommandLine,
    pub(crate) log: &'a Path,
    /// Its process; none while it does not run here.
    pub(crate) process: Option<u32>,
}

/// What does not change while a devnet runs.
#[derive(Debug)]
pub(crate) struct Description {
    fixed: Map<String, Value>,
}

impl Description {
    pub(crate) fn new(
        ports: &Ports,
        folder: &Path,
        rollup: &RollupConfig,
        contracts: &Value,
        l1_block_time: u64,
        data_availability: DataAvailability,
    ) -> Result<Self, NetworkError> {
        let url = |port| ports.url(port);
        let keys = ChainKeys::of(rollup.l2_chain_id)?;
        let users: Result<Vec<_>, DevnetError> = (0..USERS).map(Account::user).collect();
        let users: Vec<_> = users?.iter().map(account).collect();
        let file = |name: &str| folder.join("chain").join(name).display().to_string();
        let forks: Map<_, _> = Fork::ALL
            .iter()
            .filter_map(|fork| {
                let time = rollup.forks.time(*fork)?;
                Some((fork.name().to_lowercase(), json!(time)))
            })
            .collect();
        let value = json!({
            "folder": folder,
            "l1": {
                "chain_id": L1_CHAIN_ID,
                "rpc": url(Port::L1),
                "beacon": url(Port::L1),
                "block_time": l1_block_time,
                "contracts": contracts,
            },
            "l2": {
                "chain_id": rollup.l2_chain_id,
                "rpc": url(Port::L2),
                "ws": url(Port::L2Ws),
                "engine_api": url(Port::EngineAuth),
                "rollup_rpc": url(Port::Node),
                "batcher_rpc": url(Port::Batcher),
                "block_time": rollup.block_time,
                "genesis_time": rollup.genesis.l2_time,
                "forks": forks,
                "batch_inbox": rollup.batch_inbox_address,
                "data_availability": data_availability.name(),
                "espresso": "off",
            },
            "verifier": {
                "rpc": url(Port::VerifierL2),
                "engine_api": url(Port::VerifierAuth),
                "rollup_rpc": url(Port::Verifier),
            },
            "files": {
                "rollup_config": file("rollup.json"),
                "genesis": file("genesis.json"),
                "l1_chain_config": file("l1-chain-config.json"),
                "jwt_secret": file("jwt"),
            },
            "mnemonic": MNEMONIC,
            "users": users,
            "keys": {
                "deployer": account(&keys.deployer),
                "proposer": account(&keys.proposer),
                "batcher": account(&keys.batcher),
                "sequencer": account(&keys.sequencer),
                "challenger": account(&keys.challenger),
                "l2_proxy_admin_owner": account(&keys.l2_proxy_admin_owner),
                "l1_proxy_admin_owner": account(&keys.l1_proxy_admin_owner),
                "system_config_owner": account(&keys.system_config_owner),
            },
        });
        match value {
            Value::Object(fixed) => Ok(Self { fixed }),
            _ => Ok(Self { fixed: Map::new() }),
        }
    }

    /// The whole, as it is now. `process` is the devnet's own; none once it has ended.
    pub(crate) fn with_roles<'a>(
        &self,
        process: Option<u32>,
        is_ready: bool,
        roles: impl Iterator<Item = RoleEntry<'a>>,
    ) -> Value {
        let roles: Map<_, _> = roles
            .map(|entry| {
                let value = json!({
                    "process": entry.process,
                    "log": entry.log,
                    "command": entry.command.0,
                });
                (entry.role.name().to_owned(), value)
            })
            .collect();
        let mut whole = self.fixed.clone();
        whole.insert("process".to_owned(), json!(process));
        whole.insert("ready".to_owned(), json!(is_ready));
        whole.insert("roles".to_owned(), Value::Object(roles));
        Value::Object(whole)
    }
}

/// Writes `devnet.json`.
pub(crate) fn write(file: &Path, value: &Value) -> Result<(), NetworkError> {
    Ok(folder::replace(file, format!("{value:#}\n").as_bytes())?)
}

fn account(account: &Account) -> Value {
    json!({"address": account.address, "key": account.key_hex()})
}

/// The contracts of L1 by their names.
pub(crate) fn contracts(contracts: &Contracts) -> Value {
    json!({
        "SystemConfig": contracts.system_config,
        "OptimismPortal": contracts.optimism_portal,
        "L1StandardBridge": contracts.l1_standard_bridge,
        "L1CrossDomainMessenger": contracts.l1_cross_domain_messenger,
        "L1ERC721Bridge": contracts.l1_erc721_bridge,
        "OptimismMintableERC20Factory": contracts.optimism_mintable_erc20_factory,
        "DisputeGameFactory": contracts.dispute_game_factory,
        "AnchorStateRegistry": contracts.anchor_state_registry,
        "PermissionedDisputeGame": contracts.permissioned_dispute_game,
        "DelayedWETHPermissionedGame": contracts.delayed_weth_permissioned_game,
        "ETHLockbox": contracts.eth_lockbox,
        "ProxyAdmin": contracts.proxy_admin,
        "AddressManager": contracts.address_manager,
    })
}
