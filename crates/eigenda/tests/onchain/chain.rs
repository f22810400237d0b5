//! An EVM with blocks but no consensus: contracts are deployed and called at a block that one names.

use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_sol_types::{SolCall, SolValue};
use revm::{
    Context, DatabaseRef, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext,
    context::{
        TxEnv,
        result::{ExecutionResult, Output},
    },
    database::{CacheDB, EmptyDB},
    primitives::hardfork::SpecId,
};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The state after a block.
#[derive(Clone, Default)]
pub(crate) struct Chain {
    state: CacheDB<EmptyDB>,
    pub(crate) block: u64,
}

/// What a call gave: its output, or what it reverted with.
pub(crate) type Called = Result<Bytes, Bytes>;

impl Chain {
    /// An empty state.
    pub(crate) fn at(block: u64) -> Self {
        Self {
            block,
            ..Self::default()
        }
    }

    fn execute(&mut self, from: Address, to: TxKind, data: Bytes, keep: bool) -> Called {
        let (block, state) = (self.block, &mut self.state);
        let context = Context::mainnet()
            .with_db(state)
            .modify_cfg_chained(|cfg| {
                cfg.set_spec_and_mainnet_gas_params(SpecId::PRAGUE);
                cfg.disable_nonce_check = true;
            })
            .modify_block_chained(|env| {
                env.number = U256::from(block);
                env.timestamp = U256::from(block * 12);
            });
        let transaction = TxEnv::builder()
            .caller(from)
            .kind(to)
            .data(data)
            .gas_limit(40_000_000)
            .build()
            .unwrap();
        let mut evm = context.build_mainnet();
        let result = if keep {
            evm.transact_commit(transaction).unwrap()
        } else {
            evm.transact_one(transaction).unwrap()
        };
        match result {
            ExecutionResult::Success { output, .. } => Ok(match output {
                Output::Call(data) => data,
                Output::Create(_, address) => address.unwrap().into_array().into(),
            }),
            ExecutionResult::Revert { output, .. } => Err(output),
            ExecutionResult::Halt { reason, .. } => panic!("{reason:?}"),
        }
    }

    /// Sends a transaction that must succeed.
    pub(crate) fn send<C: SolCall>(&mut self, from: Address, to: Address, call: &C) {
        let data = call.abi_encode().into();
        let result = self.execute(from, TxKind::Call(to), data, true);
        assert!(result.is_ok(), "{}: {result:?}", C::SIGNATURE);
    }

    /// Deploys a contract of `contracts/artifacts`.
    pub(crate) fn deploy<A: SolValue>(
        &mut self,
        from: Address,
        name: &str,
        arguments: &A,
    ) -> Address
    where
        for<'a> <A::SolType as alloy_sol_types::SolType>::Token<'a>:
            alloy_sol_types::abi::TokenSeq<'a>,
    {
        let code = [bytecode(name).as_ref(), &arguments.abi_encode_params()].concat();
        let result = self.execute(from, TxKind::Create, code.into(), true);
        Address::from_slice(&result.unwrap_or_else(|output| panic!("{name}: {output}")))
    }

    /// Calls a contract at `block`, as `eth_call` does.
    pub(crate) fn call<C: SolCall>(
        &mut self,
        block: u64,
        to: Address,
        call: &C,
    ) -> Result<C::Return, Bytes> {
        let own = core::mem::replace(&mut self.block, block);
        let data = call.abi_encode().into();
        let result = self.execute(Address::ZERO, TxKind::Call(to), data, false);
        self.block = own;
        result.map(|output| C::abi_decode_returns(&output).unwrap())
    }

    /// The value of a slot.
    pub(crate) fn storage(&self, address: Address, slot: B256) -> U256 {
        self.state.storage_ref(address, slot.into()).unwrap()
    }

    /// Writes a slot, as no transaction would.
    pub(crate) fn write(&mut self, address: Address, slot: B256, value: U256) {
        let written = self
            .state
            .insert_account_storage(address, slot.into(), value);
        written.unwrap();
    }
}

/// The folder of the contracts.
pub(crate) fn contracts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts")
}

/// An artifact that is committed.
pub(crate) fn artifact(name: &str) -> Value {
    let path = contracts().join("artifacts").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    serde_json::from_str(&text).unwrap()
}

fn bytecode(name: &str) -> Bytes {
    artifact(name)["bytecode"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}
