//! Import into a fresh database on disk, without HTTP: as a whole, and in parts.

use crate::{Failure, chain::Chain, engines};
use alloy_primitives::B256;
use doppio_engine::{
    BlockExecution, BlockInput, BranchOf, ChainUpdate, Engine, EngineSettings, ExecutedBlock,
    ForkChoice, Labels, StateAt, Status, Store, decode_transactions,
};
use redb::Database;
use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// Name of the database.
pub(crate) const FILE: &str = "engine.redb";
/// Memory for redb, as `doppio engine` has it by default.
pub(crate) const CACHE: usize = 1 << 30;

/// What an import took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Whole {
    pub(crate) time: Duration,
    /// Time on all cores.
    pub(crate) cpu: Duration,
    /// Bytes by which the database grew, per block.
    pub(crate) growth: f64,
}

/// What the parts of an import took, one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts {
    pub(crate) senders: Duration,
    pub(crate) execution: Duration,
    pub(crate) state_root: Duration,
    pub(crate) write: Duration,
}

fn open(folder: &Path, chain: &Chain) -> Result<Store, Failure> {
    fs::create_dir_all(folder)?;
    Ok(Store::open(&folder.join(FILE), &chain.genesis, CACHE)?)
}

/// Imports a chain as a rollup node does it: each block, and then the fork choice.
pub(crate) fn whole(folder: &Path, chain: &Chain) -> Result<Whole, Failure> {
    drop(open(folder, chain)?);
    let before = used_bytes(folder)?;
    let mut engine = Engine::new(
        chain.genesis.clone(),
        open(folder, chain)?,
        &EngineSettings::default(),
    )?;
    let mut time = Duration::ZERO;
    let cpu = engines::cpu("self")?;
    for (index, block) in chain.blocks.iter().enumerate() {
        let start = Instant::now();
        let status = engine.new_payload(block.hash, &block.header, &block.transactions)?;
        if status != Status::Valid {
            return Err(format!("block {}: {status:?}", block.header.number).into());
        }
        let choice = ForkChoice {
            head: block.hash,
            safe: B256::ZERO,
            finalized: B256::ZERO,
        };
        engine.forkchoice_updated(&choice, None)?;
        if index >= chain.unmeasured {
            time += start.elapsed();
        }
    }
    let cpu = engines::cpu("self")? - cpu;
    drop(engine);
    let grown = used_bytes(folder)?.saturating_sub(before);
    Ok(Whole {
        time,
        cpu,
        growth: grown as f64 / chain.blocks.len() as f64,
    })
}

/// Bytes of the pages of the database that are in use; the file grows by leaps.
pub(crate) fn used_bytes(folder: &Path) -> Result<u64, Failure> {
    let database = Database::open(folder.join(FILE))?;
    let stats = database.begin_write()?.stats()?;
    Ok(stats.allocated_pages() * stats.page_size() as u64)
}

/// Imports a chain part by part. What checks the header against the results is not in it.
pub(crate) fn parts(folder: &Path, chain: &Chain) -> Result<Parts, Failure> {
    let store = Arc::new(open(folder, chain)?);
    let spec = &chain.genesis.spec;
    let mut parent = (chain.genesis.header.clone(), chain.genesis.hash);
    let mut times = Parts::default();
    for (index, block) in chain.blocks.iter().enumerate() {
        let header = &block.header;
        let mut marks = [Instant::now(); 5];
        let transactions = decode_transactions(&block.transactions)?;
        marks[1] = Instant::now();
        let input = BlockInput {
            timestamp: header.timestamp,
            fee_recipient: header.beneficiary,
            prev_randao: header.mix_hash,
            gas_limit: header.gas_limit,
            base_fee: header.base_fee_per_gas.unwrap_or_default(),
            parent_beacon_block_root: header.parent_beacon_block_root,
            extra_data: header.extra_data.clone(),
        };
        let branch = BranchOf::new(Arc::clone(&store), (parent.0.number, parent.1));
        let state = StateAt::new(branch, parent.0.state_root);
        let mut execution = BlockExecution::begin(spec, state, (&parent.0, parent.1), input)?;
        for transaction in &transactions {
            execution.execute(transaction)?;
        }
        marks[2] = Instant::now();
        let executed = execution.finish()?;
        marks[3] = Instant::now();
        if executed.state.root != header.state_root {
            return Err(format!("block {}: another state root", header.number).into());
        }
        let executed = ExecutedBlock {
            hash: block.hash,
            header: header.clone(),
            transactions: block.transactions.clone(),
            executed,
        };
        let start = Instant::now();
        store.add_block(&executed)?;
        store.update_chain(&ChainUpdate {
            removed: Vec::new(),
            added: vec![(header.number, block.hash)],
            labels: Labels {
                head: block.hash,
                safe: B256::ZERO,
                finalized: B256::ZERO,
            },
        })?;
        marks[4] = marks[3] + start.elapsed();
        parent = (executed.header, block.hash);
        if index >= chain.unmeasured {
            times.senders += marks[1] - marks[0];
            times.execution += marks[2] - marks[1];
            times.state_root += marks[3] - marks[2];
            times.write += marks[4] - marks[3];
        }
    }
    Ok(times)
}
