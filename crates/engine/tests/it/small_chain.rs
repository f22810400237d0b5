//! Small chains of our own making, for rules that no genuine block shows: a few accounts, a few
//! contracts, one block. Beside ours, the crates' own executor can run the same block.

use alloy_consensus::{Header, SignableTransaction, TxEip1559, crypto::secp256k1::sign_message};
use alloy_eips::Encodable2718;
use alloy_evm::{
    EvmFactory,
    block::{BlockExecutionError, BlockExecutor},
    eth::NextEvmEnvAttributes,
};
use alloy_hardforks::ForkCondition;
use alloy_op_evm::{
    OpBlockExecutionCtx, OpBlockExecutor, OpEvmFactory, OpTx, block::OpAlloyReceiptBuilder,
    env::evm_env_for_op_next_block,
};
use alloy_op_hardforks::{OpChainHardforks, OpHardfork};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address};
use doppio_engine::{
    Attributes, BlockError, BlockExecution, BlockInput, ChainSpec, ExecutedBlock, Genesis,
    MemoryStore, StateAt, build_block, decode_transactions,
};
use doppio_protocol::{
    config::{ChainOpConfig, Fork, ForkTimes},
    deposit::DepositTx,
};
use op_alloy_consensus::{OpReceiptEnvelope, OpTxEnvelope};
use revm::{
    database::{State, WrapDatabaseRef},
    inspector::NoOpInspector,
};
use serde_json::{Map, Value, json};

/// Chain id.
pub(crate) const CHAIN_ID: u64 = 901;
/// Time of the first block; the next one comes two seconds later.
pub(crate) const GENESIS_TIME: u64 = 1_000_000;
/// Time of the block after the first.
pub(crate) const TIME: u64 = GENESIS_TIME + 2;
/// Who gets the priority fees.
pub(crate) const FEE_RECIPIENT: Address = address!("4200000000000000000000000000000000000011");
/// The contract that holds what L1's fees are made of.
pub(crate) const L1_BLOCK: &str = "0x4200000000000000000000000000000000000015";
/// OP Mainnet's parameters.
pub(crate) const PARAMS: ChainOpConfig = ChainOpConfig {
    eip1559_elasticity: 6,
    eip1559_denominator: 50,
    eip1559_denominator_canyon: Some(250),
};

/// Fork times in which everything up to `fork` is active at the first block.
pub(crate) fn forks_up_to(fork: Fork) -> ForkTimes {
    let mut forks = ForkTimes::default();
    for earlier in Fork::ALL.into_iter().filter(|earlier| *earlier <= fork) {
        *time_of(&mut forks, earlier) = Some(0);
    }
    forks
}

/// The same, and `fork` activates in the block after the first.
pub(crate) fn forks_activating(fork: Fork) -> ForkTimes {
    let mut forks = forks_up_to(fork);
    *time_of(&mut forks, fork) = Some(TIME);
    forks
}

fn time_of(forks: &mut ForkTimes, fork: Fork) -> &mut Option<u64> {
    match fork {
        Fork::Regolith => &mut forks.regolith,
        Fork::Canyon => &mut forks.canyon,
        Fork::Delta => &mut forks.delta,
        Fork::Ecotone => &mut forks.ecotone,
        Fork::Fjord => &mut forks.fjord,
        Fork::Granite => &mut forks.granite,
        Fork::Holocene => &mut forks.holocene,
        Fork::Isthmus => &mut forks.isthmus,
        Fork::Jovian => &mut forks.jovian,
        Fork::Karst => &mut forks.karst,
        Fork::Lagoon => &mut forks.lagoon,
    }
}

pub(crate) fn spec(forks: ForkTimes) -> ChainSpec {
    ChainSpec::new(CHAIN_ID, forks, &PARAMS).unwrap()
}

/// The forks, as the crates take them.
fn hardforks(forks: &ForkTimes) -> OpChainHardforks {
    let at = |time: Option<u64>| time.map_or(ForkCondition::Never, ForkCondition::Timestamp);
    OpChainHardforks::new(OpHardfork::VARIANTS.iter().map(|fork| {
        let condition = match fork {
            OpHardfork::Bedrock => ForkCondition::Block(0),
            OpHardfork::Regolith => at(forks.regolith),
            OpHardfork::Canyon => at(forks.canyon),
            OpHardfork::Ecotone => at(forks.ecotone),
            OpHardfork::Fjord => at(forks.fjord),
            OpHardfork::Granite => at(forks.granite),
            OpHardfork::Holocene => at(forks.holocene),
            OpHardfork::Isthmus => at(forks.isthmus),
            OpHardfork::Jovian => at(forks.jovian),
            OpHardfork::Karst => at(forks.karst),
            _ => ForkCondition::Never,
        };
        (*fork, condition)
    }))
}

/// A key of a user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User(pub(crate) u8);

impl User {
    fn key(self) -> B256 {
        B256::with_last_byte(self.0)
    }

    pub(crate) fn address(self) -> Address {
        // the address is found as the sender of what the key signs
        let hash = B256::repeat_byte(1);
        sign_message(self.key(), hash)
            .unwrap()
            .recover_address_from_prehash(&hash)
            .unwrap()
    }

    /// Signs a transaction.
    pub(crate) fn sign(self, transaction: TxEip1559) -> Bytes {
        let signature = sign_message(self.key(), transaction.signature_hash()).unwrap();
        OpTxEnvelope::from(transaction.into_signed(signature))
            .encoded_2718()
            .into()
    }
}

/// A transaction of no priority fee that pays whatever the base fee is.
pub(crate) fn call(nonce: u64, to: Address, gas_limit: u64) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit,
        max_fee_per_gas: 1_000_000_000_000,
        max_priority_fee_per_gas: 0,
        to: TxKind::Call(to),
        ..TxEip1559::default()
    }
}

/// A deposit that calls `to`.
pub(crate) fn deposit(to: Address, gas: u64, data: Bytes) -> DepositTx {
    DepositTx {
        source_hash: B256::repeat_byte(0x5d),
        from: address!("00000000000000000000000000000000000000d0"),
        to: Some(to),
        gas,
        data,
        ..DepositTx::default()
    }
}

/// What the crates make of a transaction.
pub(crate) type PlainResult = Result<OpReceiptEnvelope, BlockExecutionError>;

/// A chain of one block.
#[derive(Debug)]
pub(crate) struct SmallChain {
    pub(crate) forks: ForkTimes,
    pub(crate) genesis: Genesis,
    pub(crate) store: MemoryStore,
}

impl SmallChain {
    /// A chain whose users are rich, with `alloc` beside them.
    pub(crate) fn new(forks: ForkTimes, alloc: Value) -> Self {
        let Value::Object(mut accounts) = alloc else {
            panic!("alloc must be an object")
        };
        for user in 1..4 {
            let balance = json!({ "balance": "0xffffffffffffffffffffffff" });
            accounts.insert(User(user).address().to_string(), balance);
        }
        Self::with_accounts(forks, accounts)
    }

    /// A chain of exactly these accounts.
    pub(crate) fn with_accounts(forks: ForkTimes, accounts: Map<String, Value>) -> Self {
        let genesis = genesis(spec(forks), accounts);
        let store = MemoryStore::with_genesis(&genesis).unwrap();
        Self {
            forks,
            genesis,
            store,
        }
    }

    /// The attributes of the next block.
    pub(crate) fn attributes(&self) -> Attributes {
        let active = |fork| self.genesis.spec.active(fork, TIME);
        Attributes {
            timestamp: TIME,
            fee_recipient: FEE_RECIPIENT,
            prev_randao: B256::repeat_byte(7),
            gas_limit: 60_000_000,
            parent_beacon_block_root: active(Fork::Ecotone).then(|| B256::repeat_byte(9)),
            eip1559_params: active(Fork::Holocene).then(Default::default),
            min_base_fee: active(Fork::Jovian).then_some(0),
        }
    }

    pub(crate) fn parent(&self) -> (&Header, B256) {
        (&self.genesis.header, self.genesis.hash)
    }

    /// Makes the next block of these transactions.
    pub(crate) fn build(&self, transactions: &[Bytes]) -> Result<ExecutedBlock, BlockError> {
        build_block(
            &self.genesis.spec,
            &self.store,
            self.parent(),
            &self.attributes(),
            transactions,
        )
    }

    pub(crate) fn input(&self) -> BlockInput {
        let parent = &self.genesis.header;
        let attributes = self.attributes();
        attributes.input(&self.genesis.spec, parent).unwrap()
    }

    /// Begins the next block.
    pub(crate) fn begin<'a>(
        &'a self,
        state: StateAt<&'a MemoryStore>,
    ) -> BlockExecution<'a, &'a MemoryStore> {
        let spec = &self.genesis.spec;
        BlockExecution::begin(spec, state, self.parent(), self.input()).unwrap()
    }

    pub(crate) fn state(&self) -> StateAt<&MemoryStore> {
        StateAt::new(&self.store, self.genesis.header.state_root)
    }

    /// What the crates' own executor makes of these transactions, one after the other.
    pub(crate) fn plain(&self, transactions: &[Bytes]) -> Vec<PlainResult> {
        self.run_plain(transactions, false)
    }

    /// The same while an inspector looks on, as for traces.
    pub(crate) fn plain_inspected(&self, transactions: &[Bytes]) -> Vec<PlainResult> {
        self.run_plain(transactions, true)
    }

    fn run_plain(&self, transactions: &[Bytes], inspected: bool) -> Vec<PlainResult> {
        let hardforks = hardforks(&self.forks);
        let input = self.input();
        let attributes = NextEvmEnvAttributes {
            timestamp: input.timestamp,
            suggested_fee_recipient: input.fee_recipient,
            prev_randao: input.prev_randao,
            gas_limit: input.gas_limit,
            slot_number: None,
        };
        let (parent, parent_hash) = self.parent();
        let env =
            evm_env_for_op_next_block(parent, attributes, input.base_fee, &hardforks, CHAIN_ID);
        let state = self.state();
        let db = State::builder()
            .with_database(WrapDatabaseRef(&state))
            .with_bundle_update()
            .build();
        let factory = OpEvmFactory::<OpTx>::default();
        let evm = if inspected {
            factory.create_evm_with_inspector(db, env, NoOpInspector)
        } else {
            factory.create_evm(db, env)
        };
        let context = OpBlockExecutionCtx {
            parent_hash,
            parent_beacon_block_root: input.parent_beacon_block_root,
            extra_data: input.extra_data,
        };
        let receipts = OpAlloyReceiptBuilder::default();
        let mut executor = OpBlockExecutor::new(evm, context, hardforks, receipts);
        executor.apply_pre_execution_changes().unwrap();
        decode_transactions(transactions)
            .unwrap()
            .into_iter()
            .map(|transaction| {
                executor.execute_transaction(transaction)?;
                Ok(executor.receipts().last().unwrap().clone())
            })
            .collect()
    }
}

/// A first block of these accounts.
pub(crate) fn genesis(spec: ChainSpec, alloc: Map<String, Value>) -> Genesis {
    let extra_data = if spec.active(Fork::Jovian, GENESIS_TIME) {
        "0x01000000fa000000060000000000000000"
    } else if spec.active(Fork::Holocene, GENESIS_TIME) {
        "0x00000000fa00000006"
    } else {
        "0x424544524f434b" // as the first blocks of early chains have it
    };
    let json = json!({
        "timestamp": format!("{GENESIS_TIME:#x}"),
        "gasLimit": "0x1c9c380",
        "extraData": extra_data,
        "difficulty": "0x0",
        "alloc": alloc,
    });
    Genesis::parse_with(&json.to_string(), None, spec).unwrap()
}

/// A word of storage.
pub(crate) fn word(value: impl TryInto<U256>) -> String {
    let value = value.try_into().unwrap_or_else(|_| panic!("a word"));
    B256::from(value).to_string()
}

#[test]
fn users_are_their_keys() {
    // the address of the private key 1 is known to everybody
    let one = address!("7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
    assert_eq!(User(1).address(), one);
}
