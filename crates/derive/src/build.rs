//! From a batch to payload attributes.

use crate::{
    epochs::EpochUpdates,
    step::{CriticalReason, PipelineError, ResetReason},
};
use doppio_protocol::{
    L2BlockRef,
    attributes::{PayloadAttributes, SEQUENCER_FEE_VAULT},
    batch::{SingularBatch, TransactionList},
    config::{ChainConfig, Fork},
    l1::L1Header,
    l1_info::{DEFAULT_DA_FOOTPRINT_GAS_SCALAR, L1BlockInfo, L1InfoLayout},
    system_config::SystemConfig,
    upgrades,
};

/// The L1 origin of a block to be built.
#[derive(Clone, Copy, Debug)]
pub enum Epoch<'a> {
    /// That of its parent.
    Same(&'a L1Header),
    /// The L1 block after its parent's, whose deposits and updates the block takes.
    Next(&'a L1Header, &'a EpochUpdates),
}

/// Attributes, and the L1 information in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// What to build.
    pub attributes: PayloadAttributes,
    /// What the first transaction says.
    pub info: L1BlockInfo,
}

/// Builds the attributes of the block after `parent`, with deposits only: a verifier adds the
/// batch's transactions, a sequencer opens the transaction pool.
///
/// `config` is the system configuration as of the parent.
// spec: opstack 3.8
pub fn build_attributes(
    chain: &ChainConfig,
    parent: &L2BlockRef,
    config: &SystemConfig,
    epoch: Epoch<'_>,
) -> Result<Built, PipelineError> {
    let mut config = *config;
    let (header, deposits, sequence_number) = match epoch {
        // spec: opstack 3.8 #2
        Epoch::Same(header) => {
            if header.hash != parent.l1_origin.hash {
                return Err(epoch_mismatch(parent, header));
            }
            (header, &[][..], parent.sequence_number + 1)
        }
        Epoch::Next(header, body) => {
            if header.parent_hash != parent.l1_origin.hash {
                return Err(epoch_mismatch(parent, header));
            }
            let deposits = body.deposits.as_ref().map_err(Clone::clone)?;
            for log in &body.config_updates {
                // Malformed updates were reported when the L1 block was read; here as there they
                // change nothing.
                let _ = config.apply_log(chain, log, header.timestamp);
            }
            (header, deposits.as_slice(), 0)
        }
    };
    // spec: opstack 3.8 #3
    let timestamp = parent.timestamp + chain.rollup.block_time;
    if timestamp < header.timestamp {
        return Err(ResetReason::BeforeOrigin {
            l2_time: timestamp,
            l1_time: header.timestamp,
        }
        .into());
    }
    let info = l1_info(chain, &config, header, sequence_number, timestamp)?;
    // spec: opstack 3.8 #4
    let mut forced = vec![info.deposit(chain, timestamp).encode()];
    forced.extend_from_slice(deposits);
    let mut gas_limit = config.gas_limit;
    for upgrade in upgrades::upgrades_at(chain, timestamp) {
        forced.extend_from_slice(&upgrade.transactions);
        // spec: opstack 0.3 *5, opstack-2026-09 3.8 *1
        gas_limit = gas_limit.wrapping_add(upgrade.gas);
    }
    // spec: opstack 3.8 #5 |1 |2 |3 |4 |5 |6 |7 |8 |9
    let attributes = PayloadAttributes {
        timestamp,
        prev_randao: header.mix_hash,
        suggested_fee_recipient: SEQUENCER_FEE_VAULT,
        has_withdrawals: chain.active(Fork::Canyon, timestamp),
        parent_beacon_block_root: chain
            .active(Fork::Ecotone, timestamp)
            .then(|| header.parent_beacon_block_root.unwrap_or_default()),
        deposits: forced,
        transactions: TransactionList::default(),
        no_tx_pool: true,
        gas_limit,
        eip1559: chain
            .active(Fork::Holocene, timestamp)
            .then(|| config.eip1559()),
        min_base_fee: chain
            .active(Fork::Jovian, timestamp)
            .then_some(config.min_base_fee),
    };
    Ok(Built { attributes, info })
}

fn epoch_mismatch(parent: &L2BlockRef, header: &L1Header) -> PipelineError {
    ResetReason::EpochMismatch {
        parent_origin: parent.l1_origin,
        epoch: header.id(),
    }
    .into()
}

/// What an L2 block says of L1: the fields of its layout, and no others.
// spec: opstack 3.11
fn l1_info(
    chain: &ChainConfig,
    config: &SystemConfig,
    header: &L1Header,
    sequence_number: u64,
    l2_time: u64,
) -> Result<L1BlockInfo, CriticalReason> {
    let layout = L1InfoLayout::at(chain, l2_time);
    let mut info = L1BlockInfo {
        number: header.number,
        time: header.timestamp,
        base_fee: header.base_fee,
        block_hash: header.hash,
        sequence_number,
        batcher: config.batcher,
        ..L1BlockInfo::default()
    };
    if layout == L1InfoLayout::Bedrock {
        info.l1_fee_overhead = config.overhead;
        info.l1_fee_scalar = config.scalar;
    } else {
        let scalars = config.ecotone_scalars()?;
        info.blob_base_fee = chain.blob_base_fee(header, l2_time)?;
        info.base_fee_scalar = scalars.base_fee;
        info.blob_base_fee_scalar = scalars.blob_base_fee;
    }
    if layout >= L1InfoLayout::Isthmus {
        (info.operator_fee_scalar, info.operator_fee_constant) = config.operator_fee();
    }
    if layout >= L1InfoLayout::Jovian {
        info.da_footprint_gas_scalar = match config.da_footprint_gas_scalar {
            0 => DEFAULT_DA_FOOTPRINT_GAS_SCALAR,
            scalar => scalar,
        };
    }
    Ok(info)
}

/// Adds a batch's transactions.
// spec: opstack 3.8 #4
pub(crate) fn with_batch(built: &mut Built, batch: &SingularBatch) {
    built.attributes.transactions = batch.transactions.clone();
}
