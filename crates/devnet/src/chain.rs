//! An L2 chain on this L1: its configuration, its first block, its accounts.

use crate::{
    Account, Call, ChainKeys, ConfigChange, Contracts, Deposit, DevL1, DevnetError, ForkSchedule,
    L1_CHAIN_ID, ROLLUP_START, Receipt, Rpc, Supersim,
    contracts::{LOGGER, read, read_number},
    folder, hardforks,
};
use alloy_primitives::{Address, B64, B256, Bytes, b256};
use doppio_engine::Genesis as L2Genesis;
use doppio_protocol::{
    block::BlockId,
    config::{
        AltDaConfig, BlobSchedule, ChainConfig, ChainOpConfig, Fork, Genesis, Overrides,
        RollupConfig,
    },
    extra_data::Eip1559Params,
    system_config::SystemConfig,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The secret of every Engine API on this machine.
const JWT_SECRET: &str = "646f7070696f646f7070696f646f7070696f646f7070696f646f7070696f2121";

/// Fee overhead of chains that begin before Ecotone, in gas: 2,100.
const BEDROCK_OVERHEAD: B256 =
    b256!("0000000000000000000000000000000000000000000000000000000000000834");
/// Fee scalar of chains that begin before Ecotone, in millionths: 1.
const BEDROCK_SCALAR: B256 =
    b256!("00000000000000000000000000000000000000000000000000000000000f4240");

/// What an L2 chain is to be like.
#[derive(Clone, Debug)]
pub struct ChainOptions {
    /// Which of supersim's chains: 901 to 905.
    pub chain_id: u64,
    /// When forks activate.
    pub forks: ForkSchedule,
    /// Seconds between L2 blocks.
    pub block_time: u64,
    /// Seconds that L2 time may run ahead of its L1 origin, before Fjord.
    pub max_sequencer_drift: u64,
    /// L1 blocks within which a batch must be included.
    pub seq_window_size: u64,
    /// L1 blocks within which a channel must be completed, before Granite.
    pub channel_timeout: u64,
    /// Alt-DA parameters, if the chain uses it.
    pub alt_da: Option<AltDaConfig>,
}

impl Default for ChainOptions {
    fn default() -> Self {
        Self {
            chain_id: 901,
            forks: ForkSchedule::default(),
            block_time: 1,
            max_sequencer_drift: 600,
            seq_window_size: 3600,
            channel_timeout: 300,
            alt_da: None,
        }
    }
}

/// An L2 chain, and the files that say so.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its configuration: rollup.json, and the blob schedule of this L1.
    pub config: ChainConfig,
    /// Its first block and state.
    pub genesis: L2Genesis,
    /// Its contracts on L1.
    pub contracts: Contracts,
    /// Who runs it.
    pub keys: ChainKeys,
    /// `rollup.json`: `--rollup.config`.
    pub rollup_path: PathBuf,
    /// `genesis.json`: op-geth's `init`, and `doppio engine --genesis`.
    pub genesis_path: PathBuf,
    /// `l1-chain-config.json`: `--rollup.l1-chain-config`.
    pub l1_config_path: PathBuf,
    /// `jwt`: a secret for the Engine API.
    pub jwt_path: PathBuf,
}

/// What a chain's files are made of.
#[derive(Debug)]
pub(crate) struct ChainSource<'a> {
    /// L1, which has block [`ROLLUP_START`].
    pub(crate) l1: &'a Rpc,
    pub(crate) supersim: Supersim,
    /// L1's chain configuration.
    pub(crate) l1_config: &'a Value,
}

impl Chain {
    pub(crate) async fn write(
        source: ChainSource<'_>,
        folder: &Path,
        options: ChainOptions,
    ) -> Result<Self, DevnetError> {
        let ChainSource {
            l1,
            supersim,
            l1_config,
        } = source;
        let contracts = supersim.contracts(options.chain_id)?;
        let found: u64 =
            read_number(l1, contracts.system_config, "l2ChainId()", ROLLUP_START).await?;
        if found != options.chain_id {
            return Err(DevnetError::OtherChain {
                expected: options.chain_id,
                found,
            });
        }
        let start = l1.block(ROLLUP_START).await?;
        let genesis = supersim.genesis(options.chain_id)?;
        let genesis = hardforks::l2_genesis(genesis, &options.forks, start.timestamp);
        let chain_op_config = chain_op_config(&genesis)?;
        let genesis_json = genesis.to_string();
        drop(genesis);
        let genesis = L2Genesis::parse(&genesis_json, None)?;
        let mut system_config = system_config(l1, &contracts).await?;
        if options.forks.after(Fork::Ecotone) != Some(0) {
            // Before Ecotone the contract's packed scalars would be one huge number.
            system_config.overhead = BEDROCK_OVERHEAD;
            system_config.scalar = BEDROCK_SCALAR;
        }
        let inbox = read(l1, contracts.system_config, "batchInbox()", ROLLUP_START).await?;
        let rollup = RollupConfig {
            genesis: Genesis {
                l1: start.id(),
                l2: BlockId {
                    hash: genesis.hash,
                    number: genesis.header.number,
                },
                l2_time: start.timestamp,
                system_config,
            },
            block_time: options.block_time,
            max_sequencer_drift: options.max_sequencer_drift,
            seq_window_size: options.seq_window_size,
            channel_timeout: options.channel_timeout,
            l1_chain_id: L1_CHAIN_ID,
            l2_chain_id: options.chain_id,
            forks: options.forks.times(start.timestamp),
            keep_karst_upgrade_gas: false,
            batch_inbox_address: Address::from_word(inbox),
            deposit_contract_address: contracts.optimism_portal,
            l1_system_config_address: contracts.system_config,
            chain_op_config: Some(chain_op_config),
            alt_da: options.alt_da,
            pectra_blob_schedule_time: None,
            cel2_time: None,
            espresso_enforcement_time: None,
            espresso_time: None,
            batch_authenticator_address: None,
            batch_auth_lookback_window: None,
            fjord_max_sequencer_drift: None,
        };
        let l1_config = l1_config.to_string();
        let overrides = Overrides {
            l1_blob_schedule: Some(BlobSchedule::from_l1_chain_config(&l1_config)?),
            ..Overrides::default()
        };
        let rollup_json = format!("{:#}", rollup.to_json());
        let config = ChainConfig::new(rollup, overrides)?;
        fs::create_dir_all(folder).map_err(DevnetError::io(folder))?;
        Ok(Self {
            config,
            genesis,
            contracts,
            keys: ChainKeys::of(options.chain_id)?,
            rollup_path: folder::write(folder, "rollup.json", &rollup_json)?,
            genesis_path: folder::write(folder, "genesis.json", &genesis_json)?,
            l1_config_path: folder::write(folder, "l1-chain-config.json", &l1_config)?,
            jwt_path: folder::write(folder, "jwt", JWT_SECRET)?,
        })
    }

    /// rollup.json.
    pub const fn rollup(&self) -> &RollupConfig {
        &self.config.rollup
    }

    /// Makes a deposit, and waits until it is in an L1 block; the receipt.
    ///
    /// # Errors
    ///
    /// As [`DevL1::include`], or if anvil refuses it.
    pub async fn deposit(
        &self,
        l1: &DevL1,
        from: Account,
        deposit: &Deposit,
    ) -> Result<Receipt, DevnetError> {
        l1.execute(from, &deposit.call(&self.contracts)).await
    }

    /// Changes the SystemConfig, and waits until the change is in an L1 block; the receipt.
    ///
    /// What supersim's contract has no function for is logged all the same: for one transaction, the
    /// contract has other code.
    ///
    /// # Errors
    ///
    /// As [`DevL1::include`], or if anvil refuses it.
    pub async fn change_config(
        &self,
        l1: &DevL1,
        change: ConfigChange,
    ) -> Result<Receipt, DevnetError> {
        let (owner, contract) = (self.keys.system_config_owner, self.contracts.system_config);
        if let Some(data) = change.setter() {
            return l1.execute(owner, &Call::contract(contract, data)).await;
        }
        let code = l1.code(contract).await?;
        let data = change.logged().unwrap_or_default();
        l1.set_code(contract, &Bytes::from_static(&LOGGER)).await?;
        let logged = l1.execute(owner, &Call::contract(contract, data)).await;
        l1.set_code(contract, &code).await?;
        logged
    }
}

/// The SystemConfig at the block that the rollup begins after, by the contract's own word.
async fn system_config(rpc: &Rpc, contracts: &Contracts) -> Result<SystemConfig, DevnetError> {
    let contract = contracts.system_config;
    let word = |signature| read(rpc, contract, signature, ROLLUP_START);
    let params = Eip1559Params {
        denominator: read_number(rpc, contract, "eip1559Denominator()", ROLLUP_START).await?,
        elasticity: read_number(rpc, contract, "eip1559Elasticity()", ROLLUP_START).await?,
    };
    let scalar: u32 = read_number(rpc, contract, "operatorFeeScalar()", ROLLUP_START).await?;
    let constant: u64 = read_number(rpc, contract, "operatorFeeConstant()", ROLLUP_START).await?;
    let mut operator_fee_params = B256::ZERO;
    operator_fee_params[20..24].copy_from_slice(&scalar.to_be_bytes());
    operator_fee_params[24..].copy_from_slice(&constant.to_be_bytes());
    let eip1559_params: B64 = params.packed();
    Ok(SystemConfig {
        batcher: Address::from_word(word("batcherHash()").await?),
        overhead: word("overhead()").await?,
        scalar: word("scalar()").await?,
        gas_limit: read_number(rpc, contract, "gasLimit()", ROLLUP_START).await?,
        eip1559_params,
        operator_fee_params,
        min_base_fee: 0,
        da_footprint_gas_scalar: 0,
    })
}

/// The EIP-1559 parameters of genesis.json.
fn chain_op_config(genesis: &Value) -> Result<ChainOpConfig, DevnetError> {
    let config = genesis.pointer("/config/optimism").cloned();
    serde_json::from_value(config.unwrap_or_default())
        .map_err(|error| DevnetError::Genesis(doppio_engine::GenesisError::Json(error)))
}
