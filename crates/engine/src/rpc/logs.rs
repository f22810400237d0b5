//! `eth_getLogs`.

use super::{
    block_json::{self, LogPlace},
    chain::{BlockHeader, Chain},
    methods::{Method, method},
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, B256, Bloom, BloomInput, Log, keccak256};
use doppio_rpc::{Params, RpcError};
use serde::{Deserialize, de::Error as _};
use serde_json::Value;

pub(super) const METHODS: &[Method] = &[method("eth_getLogs", 1, logs)];

/// Code of an answer that would be too large, as other clients have it.
const LIMIT_EXCEEDED: i64 = -32005;

/// One value, several, or any.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "neither a value of the right length nor an array of such"
)]
enum OneOf<T> {
    One(T),
    Several(Vec<Option<T>>),
}

/// Several values, of which one must be there. None at all means any.
fn values<T>(given: Option<OneOf<T>>) -> Vec<T> {
    match given {
        None => Vec::new(),
        Some(OneOf::One(value)) => vec![value],
        // null among them matches all
        Some(OneOf::Several(values)) => values
            .into_iter()
            .collect::<Option<_>>()
            .unwrap_or_default(),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterJson {
    block_hash: Option<B256>,
    from_block: Option<BlockNumberOrTag>,
    to_block: Option<BlockNumberOrTag>,
    address: Option<OneOf<Address>>,
    #[serde(default)]
    topics: Vec<Option<OneOf<B256>>>,
}

/// Which logs of which blocks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "FilterJson")]
pub(super) struct Filter {
    blocks: Blocks,
    /// Any, if none.
    addresses: Vec<Address>,
    /// By position; any, if none.
    topics: Vec<Vec<B256>>,
}

#[derive(Clone, Copy, Debug)]
enum Blocks {
    Hash(B256),
    Range(BlockNumberOrTag, BlockNumberOrTag),
}

impl Default for Blocks {
    fn default() -> Self {
        Self::Range(BlockNumberOrTag::Latest, BlockNumberOrTag::Latest)
    }
}

impl TryFrom<FilterJson> for Filter {
    type Error = serde_json::Error;

    fn try_from(json: FilterJson) -> Result<Self, serde_json::Error> {
        let blocks = match (json.block_hash, json.from_block, json.to_block) {
            (Some(hash), None, None) => Blocks::Hash(hash),
            (Some(_), ..) => {
                return Err(serde_json::Error::custom(
                    "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other",
                ));
            }
            (None, from, to) => Blocks::Range(from.unwrap_or_default(), to.unwrap_or_default()),
        };
        if json.topics.len() > 4 {
            return Err(serde_json::Error::custom("exceed max topics"));
        }
        Ok(Self {
            blocks,
            addresses: values(json.address),
            topics: json.topics.into_iter().map(values).collect(),
        })
    }
}

impl Filter {
    fn may_be_in(&self, bloom: &Bloom) -> bool {
        let has = |bytes: &[u8]| bloom.contains_input(BloomInput::Raw(bytes));
        let any = |mut list: core::slice::Iter<'_, B256>| list.any(|topic| has(&topic[..]));
        (self.addresses.is_empty() || self.addresses.iter().any(|address| has(&address[..])))
            && self
                .topics
                .iter()
                .all(|topics| topics.is_empty() || any(topics.iter()))
    }

    /// Whether it wants a log.
    pub(super) fn wants(&self, log: &Log) -> bool {
        (self.addresses.is_empty() || self.addresses.contains(&log.address))
            && self.topics.len() <= log.topics().len()
            && self
                .topics
                .iter()
                .zip(log.topics())
                .all(|(wanted, topic)| wanted.is_empty() || wanted.contains(topic))
    }

    /// Adds what it wants of a block that has just become canonical, or is so no more.
    pub(super) fn follow(
        &self,
        chain: &Chain<'_>,
        block: BlockHeader,
        removed: bool,
        found: &mut Vec<Value>,
    ) -> Result<(), RpcError> {
        let number = block.header.number;
        let asked = match self.blocks {
            Blocks::Hash(hash) => hash == block.hash,
            // labels mean what comes
            Blocks::Range(from, to) => {
                from.as_number().is_none_or(|from| from <= number)
                    && to.as_number().is_none_or(|to| number <= to)
            }
        };
        if asked {
            self.collect(chain, &block, removed, found)?;
        }
        too_many(chain, found, number)
    }

    /// Adds what it wants of a block.
    fn collect(
        &self,
        chain: &Chain<'_>,
        block: &BlockHeader,
        removed: bool,
        found: &mut Vec<Value>,
    ) -> Result<(), RpcError> {
        if !self.may_be_in(&block.header.logs_bloom) {
            return Ok(());
        }
        let transactions = chain.block(block.clone())?.transactions;
        let receipts = chain.receipts(block.hash)?;
        let mut index = 0;
        for (transaction_index, (transaction, receipt)) in
            transactions.iter().zip(&receipts).enumerate()
        {
            for log in receipt.logs() {
                if self.wants(log) {
                    let place = LogPlace {
                        block,
                        transaction: keccak256(transaction),
                        transaction_index,
                        index,
                        removed,
                    };
                    found.push(block_json::log(log, place));
                }
                index += 1;
            }
        }
        Ok(())
    }
}

/// Refuses to find any more.
fn too_many(chain: &Chain<'_>, found: &[Value], number: u64) -> Result<(), RpcError> {
    let most = chain.settings.max_logs;
    if found.len() <= most {
        return Ok(());
    }
    Err(RpcError::new(
        LIMIT_EXCEEDED,
        format!("query has more than {most} results by block {number}, ask for fewer blocks"),
    ))
}

/// The height that a number or label means.
fn height(chain: &Chain<'_>, number: BlockNumberOrTag, head: u64) -> Result<u64, RpcError> {
    match number {
        BlockNumberOrTag::Number(number) => Ok(number),
        BlockNumberOrTag::Pending => {
            Err(RpcError::invalid_params("pending logs are not supported"))
        }
        label => Ok(chain
            .by_number(label)?
            .map_or(head, |block| block.header.number)),
    }
}

fn logs(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    find(&chain, &params.required()?)
}

/// All logs that a filter wants.
pub(super) fn find(chain: &Chain<'_>, filter: &Filter) -> Result<Value, RpcError> {
    let mut found = Vec::new();
    let (from, to) = match filter.blocks {
        Blocks::Hash(hash) => {
            let block = chain
                .by_hash(hash)?
                .ok_or_else(|| RpcError::failed("unknown block"))?;
            filter.collect(chain, &block, false, &mut found)?;
            return Ok(Value::Array(found));
        }
        Blocks::Range(from, to) => {
            let head = chain.head()?.header.number;
            let range = (height(chain, from, head)?, height(chain, to, head)?);
            if range.0 > range.1 {
                return Err(RpcError::invalid_params("invalid block range params"));
            }
            if range.1 > head {
                return Err(RpcError::invalid_params(
                    "block range extends beyond current head block",
                ));
            }
            range
        }
    };
    let settings = chain.settings;
    let blocks = to.saturating_sub(from).saturating_add(1);
    if blocks > settings.max_log_blocks {
        return Err(RpcError::invalid_params(format!(
            "query covers {blocks} blocks, at most {} are allowed",
            settings.max_log_blocks
        )));
    }
    for number in from.max(settings.first_block)..=to {
        let Some(block) = chain.by_number(number.into())? else {
            break;
        };
        filter.collect(chain, &block, false, &mut found)?;
        too_many(chain, &found, number)?;
    }
    Ok(Value::Array(found))
}
