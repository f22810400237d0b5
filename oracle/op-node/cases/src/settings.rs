//! Random rollup configurations: forks at genesis and in the middle, small windows.

use crate::{
    l1::{INBOX, KEYS, L1_CHAIN_ID, L2_CHAIN_ID, PORTAL, SYSTEM_CONFIG, genesis_header},
    random::Random,
};
use alloy_primitives::{B64, B256};
use doppio_protocol::{
    BlockId,
    config::{BlobSchedule, ChainConfig, Fork, ForkTimes, Genesis, Overrides, RollupConfig},
    system_config::SystemConfig,
};
use std::sync::Arc;

/// Forks whose rules this comparison covers: all but Lagoon, at which Doppio stops.
const LAST: Fork = Fork::Karst;

/// What is random about a whole chain.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) chain: Arc<ChainConfig>,
    /// Time of the block where the rollup starts, on L1 and on L2.
    pub(crate) genesis_time: u64,
    /// Seconds between L1 blocks, at most.
    pub(crate) l1_block_time: u64,
    /// L1 blocks after the first.
    pub(crate) l1_blocks: usize,
    /// How often something is wrong, in percent, at each place where it can be.
    pub(crate) hostility: u64,
    /// How many L2 blocks hold a transaction that the engine refuses, in percent.
    pub(crate) refusals: u64,
    /// How often the sequencer stays with an L1 origin although it could advance, in percent.
    pub(crate) laziness: u64,
    /// Whether nodes restart and L1 is reorganised.
    pub(crate) resets: bool,
}

impl Settings {
    pub(crate) fn random(random: &mut Random) -> Self {
        // beside a time after all of L1's forks, times just before each of them
        let genesis_time = match random.below(8) {
            0 => {
                random.pick(&[
                    1_710_338_135,
                    1_746_612_311,
                    1_764_798_551,
                    1_765_290_071,
                    1_767_747_671,
                ]) - random.range(0, 200)
            }
            _ => 1_800_000_000,
        };
        let block_time = random.pick(&[1, 2, 2, 2, 2, 3, 12]);
        let l1_block_time = random.pick(&[4, 12, 12, 12, 12, 24]).max(block_time);
        let l1_blocks = match random.below(8) {
            0 => random.range(50, 90),
            _ => random.range(4, 40),
        } as usize;
        let header = genesis_header(genesis_time);
        let rollup = RollupConfig {
            genesis: Genesis {
                l1: header.id(),
                l2: BlockId {
                    hash: B256::repeat_byte(0xa0),
                    number: random.pick(&[0, 0, 17]),
                },
                l2_time: genesis_time,
                system_config: system_config(random),
            },
            block_time,
            max_sequencer_drift: match random.below(3) {
                0 => random.range(1, 40),
                1 => random.range(10, 120),
                _ => 600,
            },
            seq_window_size: match random.below(3) {
                0 => random.range(2, 5),
                1 => random.range(4, 12),
                _ => random.range(10, 40),
            },
            channel_timeout: random.range(1, 12),
            l1_chain_id: L1_CHAIN_ID,
            l2_chain_id: L2_CHAIN_ID,
            forks: forks(random, genesis_time, l1_block_time, l1_blocks as u64),
            keep_karst_upgrade_gas: random.percent(10),
            batch_inbox_address: INBOX,
            deposit_contract_address: PORTAL,
            l1_system_config_address: SYSTEM_CONFIG,
            chain_op_config: None,
            alt_da: None,
            pectra_blob_schedule_time: random
                .percent(15)
                .then(|| genesis_time + random.range(0, 300)),
            cel2_time: None,
            espresso_enforcement_time: None,
            espresso_time: None,
            batch_authenticator_address: None,
            batch_auth_lookback_window: None,
            fjord_max_sequencer_drift: None,
        };
        let overrides = Overrides {
            l1_blob_schedule: BlobSchedule::of_public_l1(1),
            ..Overrides::default()
        };
        Self {
            chain: Arc::new(ChainConfig::new(rollup, overrides).expect("a valid configuration")),
            genesis_time,
            l1_block_time,
            l1_blocks,
            hostility: random.pick(&[0, 1, 1, 2, 3, 5, 10, 30]),
            refusals: random.pick(&[0, 0, 1, 3, 10]),
            laziness: random.pick(&[0, 5, 10, 50, 90, 98]),
            resets: random.percent(30),
        }
    }
}

fn system_config(random: &mut Random) -> SystemConfig {
    let mut scalar = B256::with_last_byte(7);
    match random.below(4) {
        // Bedrock's, with and without padding that Ecotone does not know
        0 => scalar[20] = random.pick(&[0, 0, 1]),
        _ => {
            scalar[0] = 1;
            scalar[26] = random.next() as u8;
        }
    }
    let mut config = SystemConfig {
        batcher: KEYS[0].address(),
        overhead: B256::with_last_byte(random.pick(&[0, 188])),
        scalar,
        gas_limit: random.pick(&[30_000_000, 60_000_000, 5_000]),
        eip1559_params: B64::ZERO,
        operator_fee_params: B256::ZERO,
        min_base_fee: 0,
        da_footprint_gas_scalar: 0,
    };
    if random.percent(40) {
        config.eip1559_params = B64::new([0, 0, 0, 50, 0, 0, 0, 4]);
        config.operator_fee_params[23] = 9;
        config.operator_fee_params[30] = 3;
        config.min_base_fee = 77;
        config.da_footprint_gas_scalar = random.pick(&[0, 1, 800]);
    }
    config
}

/// Forks until a random one at genesis, then up to three in the middle.
fn forks(random: &mut Random, genesis_time: u64, l1_block_time: u64, l1_blocks: u64) -> ForkTimes {
    let all: Vec<_> = Fork::ALL.into_iter().filter(|fork| *fork <= LAST).collect();
    let mut forks = ForkTimes::default();
    let at_genesis = random.below(all.len() + 1);
    for fork in &all[..at_genesis] {
        let time = random.pick(&[0, 0, 0, genesis_time]);
        forks.set(*fork, Some(time.max(last_time(&forks))));
    }
    let later = random.weighted(&[3, 4, 2, 1]);
    for fork in all[at_genesis..].iter().take(later) {
        let from = last_time(&forks).max(genesis_time);
        let in_the_middle = from > genesis_time;
        let time = from + random.range(1, l1_block_time * l1_blocks / 2);
        let time = match *fork {
            // Where the fork before it activates in the same L1 block, op-node forgets to replace
            // its stages: see the README. There is an L1 block in any two block times.
            Fork::Holocene if in_the_middle => time.max(from + 2 * l1_block_time),
            _ if in_the_middle && random.percent(20) => from,
            _ => time,
        };
        forks.set(*fork, Some(time));
    }
    forks
}

fn last_time(forks: &ForkTimes) -> u64 {
    Fork::ALL
        .into_iter()
        .filter_map(|fork| forks.time(fork))
        .max()
        .unwrap_or_default()
}
