//! The ways to a block's receipts, and which endpoints have them.

use crate::{
    rpc::Call,
    verify::{BlockAt, CheckedBlock, ReceiptsAnswer},
};
use alloy_primitives::B256;
use serde_json::{Value, json};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// A way to receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReceiptsMethod {
    EthBlock,
    DebugRaw,
    ParityBlock,
    AlchemyBlock,
    ErigonBlock,
    EachTransaction,
}

use ReceiptsMethod::{AlchemyBlock, DebugRaw, EachTransaction, ErigonBlock, EthBlock, ParityBlock};

/// Kind of an L1 endpoint, as op-node's `--l1.rpckind` names it. It says which way to receipts is
/// tried first; one that the endpoint lacks is given up for the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it: they are op-node's")]
pub enum RpcKind {
    Alchemy,
    QuickNode,
    Infura,
    Parity,
    Nethermind,
    DebugGeth,
    Erigon,
    /// Receipts one by one.
    Basic,
    /// Whatever works.
    Any,
    /// `eth_getBlockReceipts`, or receipts one by one.
    #[default]
    Standard,
}

/// Not a kind of endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no kind of L1 endpoint: take one of alchemy, quicknode, infura, parity, nethermind, debug_geth, erigon, basic, any, standard"
)]
pub struct UnknownRpcKind(pub String);

impl FromStr for RpcKind {
    type Err = UnknownRpcKind;

    fn from_str(name: &str) -> Result<Self, UnknownRpcKind> {
        Ok(match name {
            "alchemy" => Self::Alchemy,
            "quicknode" => Self::QuickNode,
            "infura" => Self::Infura,
            "parity" => Self::Parity,
            "nethermind" => Self::Nethermind,
            "debug_geth" => Self::DebugGeth,
            "erigon" => Self::Erigon,
            "basic" => Self::Basic,
            "any" => Self::Any,
            "standard" => Self::Standard,
            _ => return Err(UnknownRpcKind(name.to_owned())),
        })
    }
}

impl RpcKind {
    /// The ways to receipts that such an endpoint may have, best first.
    pub(crate) const fn receipts_methods(self) -> &'static [ReceiptsMethod] {
        match self {
            Self::Alchemy => &[AlchemyBlock, EthBlock, EachTransaction],
            Self::QuickNode | Self::DebugGeth => &[DebugRaw, EthBlock, EachTransaction],
            Self::Infura | Self::Standard => &[EthBlock, EachTransaction],
            Self::Parity | Self::Nethermind => &[ParityBlock, EthBlock, EachTransaction],
            Self::Erigon => &[ErigonBlock, EthBlock, EachTransaction],
            Self::Basic => &[EachTransaction],
            Self::Any => &[
                EthBlock,
                DebugRaw,
                ParityBlock,
                AlchemyBlock,
                ErigonBlock,
                EachTransaction,
            ],
        }
    }
}

impl ReceiptsMethod {
    const fn name(self) -> &'static str {
        match self {
            EthBlock => "eth_getBlockReceipts",
            DebugRaw => "debug_getRawReceipts",
            ParityBlock => "parity_getBlockReceipts",
            AlchemyBlock => "alchemy_getTransactionReceipts",
            ErigonBlock => "erigon_getBlockReceiptsByBlockHash",
            EachTransaction => "eth_getTransactionReceipt",
        }
    }

    /// The call for a block of which nothing else is known yet; none if the method needs more.
    pub(crate) fn call(self, at: BlockAt) -> Option<Call> {
        let params = match (self, at) {
            (EachTransaction, _) | (_, BlockAt::Label(_)) | (ErigonBlock, BlockAt::Number(_)) => {
                return None;
            }
            (AlchemyBlock, BlockAt::Hash(hash)) => json!([{ "blockHash": hash }]),
            (AlchemyBlock, BlockAt::Number(number)) => {
                json!([{ "blockNumber": quantity(number) }])
            }
            (_, BlockAt::Hash(hash)) => json!([hash]),
            (_, BlockAt::Number(number)) => json!([quantity(number)]),
        };
        Some(Call::new(self.name(), params))
    }

    /// The calls for a block that is known.
    pub(crate) fn calls(self, block: &CheckedBlock) -> Vec<Call> {
        match self.call(BlockAt::Hash(block.header().hash())) {
            Some(call) => vec![call],
            None => block
                .transaction_hashes()
                .iter()
                .map(|hash: &B256| Call::new(self.name(), json!([hash])))
                .collect(),
        }
    }

    /// What the results of [`calls`](Self::calls) are.
    pub(crate) fn answer<'a>(self, results: &'a [&'a str]) -> ReceiptsAnswer<'a> {
        match (self, results) {
            (EthBlock | ParityBlock | ErigonBlock, [list]) => ReceiptsAnswer::List(list),
            (AlchemyBlock, [object]) => ReceiptsAnswer::Wrapped(object),
            (DebugRaw, [list]) => ReceiptsAnswer::Raw(list),
            _ => ReceiptsAnswer::Each(results),
        }
    }
}

impl fmt::Display for ReceiptsMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A number as JSON-RPC writes it.
pub(crate) fn quantity(number: u64) -> Value {
    Value::String(format!("{number:#x}"))
}
