//! Executing the transactions of a block.
//!
//! The EVM and the OP Stack's changes to it are op-revm and alloy-op-evm; here they are made exact
//! where they differ from op-reth (opstack-2026-09, Annex B).

use crate::{
    chain_spec::{ChainSpec, ChainSpecError},
    state::{StateAt, StateError, StateSource, StateUpdate},
    transaction::BlockTransaction,
};
use alloy_consensus::Header;
use alloy_eips::Typed2718;
use alloy_evm::{
    Evm, EvmEnv, EvmFactory,
    block::{BlockExecutionError, BlockExecutor, BlockValidationError},
    eth::NextEvmEnvAttributes,
    precompiles::{DynPrecompile, PrecompilesMap},
};
use alloy_op_evm::{
    OpBlockExecutionCtx, OpBlockExecutor, OpEvm, OpEvmContext, OpEvmFactory, OpTx,
    block::OpAlloyReceiptBuilder, env::evm_env_for_op_next_block,
};
use alloy_op_hardforks::OpChainHardforks;
use alloy_primitives::{Address, B256, Bytes, U256};
use doppio_protocol::{config::Fork, deposit::DEPOSIT_TX_TYPE};
use op_alloy_consensus::{OpReceiptEnvelope, OpTxEnvelope};
use op_revm::{
    L1BlockInfo, OpSpecId,
    constants::{L1_BLOCK_CONTRACT, L1_SCALAR_SLOT},
};
use revm::{
    Database, Inspector,
    context_interface::JournalTr,
    database::{BundleState, State, WrapDatabaseRef, states::bundle_state::BundleRetention},
    database_interface::bal::EvmDatabaseError,
    inspector::NoOpInspector,
    precompile::{
        EthPrecompileResult, PrecompileFn, PrecompileHalt, PrecompileId, bn254, call_eth_precompile,
    },
};
use thiserror::Error;

/// What a block is executed with, beside its transactions and its parent.
#[derive(Clone, Debug)]
pub struct BlockInput {
    /// Time in seconds since the Unix epoch.
    pub timestamp: u64,
    /// Who gets the priority fees.
    pub fee_recipient: Address,
    /// L1's randomness.
    pub prev_randao: B256,
    /// Gas limit.
    pub gas_limit: u64,
    /// Base fee in wei.
    pub base_fee: u64,
    /// From Ecotone on.
    pub parent_beacon_block_root: Option<B256>,
    /// Extra data of the header.
    pub extra_data: Bytes,
}

/// What execution gave.
#[derive(Clone, Debug)]
pub struct Executed {
    /// Receipts, one for each transaction.
    pub receipts: Vec<OpReceiptEnvelope>,
    /// Gas used.
    pub gas_used: u64,
    /// Data footprint from Jovian on; before, 0.
    pub da_footprint: u64,
    /// The new state.
    pub state: StateUpdate,
}

/// Why a block was not executed.
#[derive(Debug, Error)]
pub enum ExecuteError {
    /// A transaction that the block must not have. The block is invalid.
    #[error("transaction {index} is invalid: {reason}")]
    Transaction {
        /// Position in the block.
        index: usize,
        /// Why.
        reason: String,
    },
    /// A transaction for which the block has no gas or no data footprint left. The block is invalid.
    #[error("transaction {index} does not fit into the block: {reason}")]
    NoRoom {
        /// Position in the block.
        index: usize,
        /// What there is too little of.
        reason: String,
    },
    /// A transaction of a user in the block that activates a fork. The block is invalid.
    #[error(
        "transaction {index} is of type {tx_type:#04x}, but the block activates {fork}: it may \
         only hold deposits"
    )]
    ActivationBlock {
        /// Position in the block.
        index: usize,
        /// EIP-2718 type.
        tx_type: u8,
        /// The fork.
        fork: Fork,
    },
    /// A block that this engine cannot execute. Not the block's fault.
    #[error(transparent)]
    Chain(#[from] ChainSpecError),
    /// The state cannot be read. Not the block's fault.
    #[error(transparent)]
    State(#[from] StateError),
    /// The EVM failed in a way that no transaction can cause.
    #[error("the EVM failed: {0}")]
    Internal(String),
}

impl ExecuteError {
    /// Whether the block is to blame, on every node alike.
    pub const fn is_invalid_block(&self) -> bool {
        matches!(
            self,
            Self::Transaction { .. } | Self::NoRoom { .. } | Self::ActivationBlock { .. }
        )
    }
}

pub(crate) type Db<S> = State<WrapDatabaseRef<StateAt<S>>>;
type BlockEvm<S, I> = OpEvm<Db<S>, I, PrecompilesMap, OpTx>;
type Executor<S, I> = OpBlockExecutor<BlockEvm<S, I>, OpAlloyReceiptBuilder, OpChainHardforks>;
/// What an inspector sees of the EVM.
type Context<S> = OpEvmContext<Db<S>>;

/// A block that is being executed, transaction by transaction. An inspector `I` can look on while
/// some of them run.
pub struct BlockExecution<'a, S: StateSource, I = NoOpInspector> {
    spec: &'a ChainSpec,
    executor: Executor<S, I>,
    /// The fork that the block activates and that bars users' transactions.
    activates: Option<Fork>,
}

impl<S: StateSource, I> core::fmt::Debug for BlockExecution<'_, S, I> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("BlockExecution")
            .field("executed", &self.executor.receipts.len())
            .finish_non_exhaustive()
    }
}

/// A block whose execution was put aside between two transactions. Unlike one that goes on, it may
/// move to another thread and lends nothing.
pub struct PausedExecution<S: StateSource> {
    db: Db<S>,
    env: EvmEnv<OpSpecId>,
    context: OpBlockExecutionCtx,
    receipts: Vec<OpReceiptEnvelope>,
    gas_used: u64,
    da_footprint: u64,
    activates: Option<Fork>,
}

impl<S: StateSource> core::fmt::Debug for PausedExecution<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PausedExecution")
            .field("executed", &self.receipts.len())
            .finish_non_exhaustive()
    }
}

impl<S: StateSource> PausedExecution<S> {
    /// Goes on with the block.
    pub fn resume(self, spec: &ChainSpec) -> BlockExecution<'_, S> {
        let mut executor = executor(spec, self.db, self.env, self.context, NoOpInspector);
        executor.receipts = self.receipts;
        executor.gas_used = self.gas_used;
        executor.da_footprint_used = self.da_footprint;
        BlockExecution {
            spec,
            executor,
            activates: self.activates,
        }
    }
}

/// An executor of the crate, at the beginning of a block.
fn executor<S: StateSource, I: Inspector<Context<S>>>(
    spec: &ChainSpec,
    db: Db<S>,
    env: EvmEnv<OpSpecId>,
    context: OpBlockExecutionCtx,
    inspector: I,
) -> Executor<S, I> {
    let time = env.block_env.timestamp.saturating_to();
    let factory = OpEvmFactory::<OpTx>::default();
    let mut evm = factory.create_evm_with_inspector(db, env, inspector);
    evm.disable_inspector();
    if spec.active(Fork::Karst, time) {
        limit_pairing(evm.components_mut().2);
    }
    let receipts = OpAlloyReceiptBuilder::default();
    OpBlockExecutor::new(evm, context, spec.hardforks().clone(), receipts)
}

impl<'a, S: StateSource> BlockExecution<'a, S> {
    /// Begins the block after `parent`, in the state that the parent left.
    pub fn begin(
        spec: &'a ChainSpec,
        state: StateAt<S>,
        parent: (&Header, B256),
        input: BlockInput,
    ) -> Result<Self, ExecuteError> {
        Self::begin_inspected(spec, state, parent, input, NoOpInspector)
    }

    /// Puts the block aside.
    pub fn pause(self) -> PausedExecution<S> {
        let OpBlockExecutor {
            ctx,
            evm,
            receipts,
            gas_used,
            da_footprint_used,
            ..
        } = self.executor;
        let (db, env) = evm.finish();
        PausedExecution {
            db,
            env,
            context: ctx,
            receipts,
            gas_used,
            da_footprint: da_footprint_used,
            activates: self.activates,
        }
    }
}

impl<'a, S: StateSource, I: Inspector<Context<S>>> BlockExecution<'a, S, I> {
    /// Begins the block with an inspector, which is not asked before
    /// [`execute_inspected`](Self::execute_inspected).
    pub(crate) fn begin_inspected(
        spec: &'a ChainSpec,
        state: StateAt<S>,
        parent: (&Header, B256),
        input: BlockInput,
        inspector: I,
    ) -> Result<Self, ExecuteError> {
        let (parent, parent_hash) = parent;
        spec.check_executable(parent.number)?;
        let time = input.timestamp;
        let attributes = NextEvmEnvAttributes {
            timestamp: time,
            suggested_fee_recipient: input.fee_recipient,
            prev_randao: input.prev_randao,
            gas_limit: input.gas_limit,
            slot_number: None,
        };
        let env = evm_env_for_op_next_block(
            parent,
            attributes,
            input.base_fee,
            spec.hardforks(),
            spec.chain_id,
        );
        let db = State::builder()
            .with_database(WrapDatabaseRef(state))
            .with_bundle_update()
            .build();
        let context = OpBlockExecutionCtx {
            parent_hash,
            parent_beacon_block_root: input.parent_beacon_block_root,
            extra_data: input.extra_data,
        };
        let mut executor = executor(spec, db, env, context, inspector);
        executor
            .apply_pre_execution_changes()
            .map_err(|error| ExecuteError::Internal(error.to_string()))?;
        Ok(Self {
            spec,
            executor,
            activates: activated(spec, parent.timestamp, time),
        })
    }

    /// Executes a transaction. If it is refused, the block is as it was before.
    pub fn execute(&mut self, transaction: &BlockTransaction) -> Result<(), ExecuteError> {
        let index = self.executor.receipts.len();
        let tx_type = transaction.value().ty();
        let is_deposit = tx_type == DEPOSIT_TX_TYPE;
        // spec: opstack-2026-09 B #3
        if let Some(fork) = self.activates
            && !is_deposit
        {
            return Err(ExecuteError::ActivationBlock {
                index,
                tx_type,
                fork,
            });
        }
        self.check_deposit(index, transaction)?;
        self.price_first_ecotone_block(transaction)?;
        // The limit of a transaction's gas is not for deposits. The crate spares them the check, but
        // not the cap on what the first frame may spend.
        // spec: opstack-2026-09 B #2
        self.executor.evm_mut().cfg.tx_gas_limit_cap = is_deposit.then_some(u64::MAX);
        let result = self
            .executor
            .execute_transaction_without_commit(transaction.clone())
            .and_then(|result| self.executor.commit_transaction(result));
        match result {
            Ok(_) => Ok(()),
            Err(error) => {
                // Or what it warmed would be warm for the next one. The crates see to this only
                // when nobody inspects.
                // spec: opstack-2026-09 B #8
                let journal = &mut self.executor.evm_mut().journaled_state;
                journal.discard_tx();
                journal.finalize();
                Err(refusal(index, error))
            }
        }
    }

    /// Executes a transaction while an inspector looks on, and gives the inspector back.
    pub(crate) fn execute_inspected(
        &mut self,
        transaction: &BlockTransaction,
        inspector: I,
    ) -> Result<I, ExecuteError> {
        let evm = self.executor.evm_mut();
        let idle = core::mem::replace(evm.components_mut().1, inspector);
        evm.enable_inspector();
        let result = self.execute(transaction);
        let evm = self.executor.evm_mut();
        evm.disable_inspector();
        let inspector = core::mem::replace(evm.components_mut().1, idle);
        result.map(|()| inspector)
    }

    /// The state that the transactions so far have left.
    pub(crate) fn database(&mut self) -> &mut Db<S> {
        self.executor.evm_mut().components_mut().0
    }

    /// Logs of the transactions so far.
    pub(crate) fn log_count(&self) -> usize {
        let receipts = self.executor.receipts.iter();
        receipts.map(|receipt| receipt.logs().len()).sum()
    }

    /// What the transactions so far have changed.
    pub(crate) fn into_changes(self) -> BundleState {
        let (mut db, _) = self.executor.evm.finish();
        db.merge_transitions(BundleRetention::PlainState);
        db.take_bundle()
    }

    /// Checks of deposits that the crates do not make.
    fn check_deposit(
        &self,
        index: usize,
        transaction: &BlockTransaction,
    ) -> Result<(), ExecuteError> {
        let OpTxEnvelope::Deposit(deposit) = transaction.value().inner() else {
            return Ok(());
        };
        let block = self.executor.evm().block();
        let regolith = self
            .spec
            .active(Fork::Regolith, block.timestamp.saturating_to());
        let reason = match (regolith, deposit.is_system_transaction) {
            (true, true) => "a system deposit, which there are none of since Regolith",
            // before Regolith only system deposits are spared the block's gas limit; the crate
            // spares all, and what is left of the limit underflows
            (false, false)
                if deposit.gas_limit > block.gas_limit.saturating_sub(self.executor.gas_used) =>
            {
                "its gas limit is above what is left of the block's"
            }
            _ => return Ok(()),
        };
        Err(ExecuteError::Transaction {
            index,
            reason: reason.to_owned(),
        })
    }

    /// Sets the L1 fee of a transaction in the block that activates Ecotone, where the contract
    /// does not hold the new parameters yet and the old rule goes on. The crate knows the case, but
    /// takes the scalar for 0, and does not know it if Fjord is active as well.
    fn price_first_ecotone_block(
        &mut self,
        transaction: &BlockTransaction,
    ) -> Result<(), ExecuteError> {
        let bytes = transaction.encoded_bytes();
        let context = self.executor.evm_mut().ctx_mut();
        let spec = context.cfg.spec;
        if !spec.is_enabled_in(OpSpecId::ECOTONE) || bytes.first() == Some(&DEPOSIT_TX_TYPE) {
            return Ok(());
        }
        let db = &mut context.journaled_state.database;
        let info = &mut context.chain;
        let number = context.block.number;
        if info.l2_block != Some(number) {
            *info = L1BlockInfo::try_fetch(db, number, spec).map_err(unread)?;
        }
        let unset = info.l1_blob_base_fee.is_none_or(|fee| fee.is_zero());
        if info.empty_ecotone_scalars && unset {
            let scalar = db
                .storage(L1_BLOCK_CONTRACT, L1_SCALAR_SLOT)
                .map_err(unread)?;
            let overhead = info.l1_fee_overhead.unwrap_or_default();
            let fee = info
                .data_gas(bytes, OpSpecId::REGOLITH)
                .saturating_add(overhead)
                .saturating_mul(info.l1_base_fee)
                .saturating_mul(scalar);
            info.tx_l1_cost = Some(fee / U256::from(1_000_000));
        }
        Ok(())
    }

    /// Gas that the transactions so far have used.
    pub const fn gas_used(&self) -> u64 {
        self.executor.gas_used
    }

    /// Data footprint of the transactions so far; 0 before Jovian.
    pub const fn da_footprint(&self) -> u64 {
        self.executor.da_footprint_used
    }

    /// Ends the block.
    pub fn finish(self) -> Result<Executed, ExecuteError> {
        let (evm, result) = self
            .executor
            .finish()
            .map_err(|error| ExecuteError::Internal(error.to_string()))?;
        let (mut db, _) = evm.finish();
        db.merge_transitions(BundleRetention::PlainState);
        let bundle = db.take_bundle();
        let WrapDatabaseRef(before) = &db.database;
        let state = before.apply(&bundle)?;
        Ok(Executed {
            receipts: result.receipts,
            gas_used: result.gas_used,
            da_footprint: result.blob_gas_used,
            state,
        })
    }
}

/// The fork from Jovian on that a block activates.
fn activated(spec: &ChainSpec, parent_time: u64, time: u64) -> Option<Fork> {
    [Fork::Jovian, Fork::Karst]
        .into_iter()
        .find(|fork| spec.activates(*fork, parent_time, time))
}

/// Most bytes that the pairing precompile takes from Karst on: 300 pairs.
// spec: opstack-2026-09 B #1
const KARST_PAIRING_MAX_INPUT: usize = 300 * bn254::PAIR_ELEMENT_LEN;

pub(crate) fn limit_pairing(precompiles: &mut PrecompilesMap) {
    let pairing: PrecompileFn =
        |input, gas, reservoir| Ok(call_eth_precompile(run_pairing, input, gas, reservoir));
    let pairing = DynPrecompile::from((PrecompileId::Bn254Pairing, pairing));
    precompiles.apply_precompile(&bn254::pair::ADDRESS, |_| Some(pairing));
}

fn run_pairing(input: &[u8], gas: u64) -> EthPrecompileResult {
    if input.len() > KARST_PAIRING_MAX_INPUT {
        return Err(PrecompileHalt::Bn254PairLength);
    }
    bn254::run_pair(
        input,
        bn254::pair::ISTANBUL_PAIR_PER_POINT,
        bn254::pair::ISTANBUL_PAIR_BASE,
        gas,
    )
}

/// Sorts what the executor's database says.
fn unread(error: EvmDatabaseError<StateError>) -> ExecuteError {
    match error {
        EvmDatabaseError::Database(error) => error.into(),
        error @ EvmDatabaseError::Bal(_) => ExecuteError::Internal(error.to_string()),
    }
}

/// Sorts what the executor says.
fn refusal(index: usize, error: BlockExecutionError) -> ExecuteError {
    match error {
        BlockExecutionError::Validation(BlockValidationError::InvalidTx { error, .. }) => {
            ExecuteError::Transaction {
                index,
                reason: error.to_string(),
            }
        }
        BlockExecutionError::Validation(error) => ExecuteError::NoRoom {
            index,
            reason: error.to_string(),
        },
        BlockExecutionError::Internal(error) => ExecuteError::Internal(error.to_string()),
    }
}
