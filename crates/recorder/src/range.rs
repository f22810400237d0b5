//! Where a recording begins and ends, on both chains.

use crate::{
    error::RecordError,
    peers::{L2At, Peers},
    record::RecordOptions,
};
use doppio_derive::{FindResetPoint, Found, Lookup, ResetPoint, Search};
use doppio_l1::verify::{BlockAt, CheckedHeader};
use doppio_protocol::{config::ChainConfig, l2::L2Block};
use doppio_recorded::RecordedL2Block;
use std::sync::Arc;

/// What is recorded.
#[derive(Debug)]
pub(crate) struct Range {
    /// The block that is safe already.
    pub(crate) first_l2: RecordedL2Block,
    /// Where derivation begins.
    pub(crate) start: ResetPoint,
    /// The last L2 block.
    pub(crate) last_l2: u64,
    /// The first L1 block: before the start by what authentication looks back.
    pub(crate) first_l1: u64,
    /// The last L1 block, or the last one that it can be.
    pub(crate) last_l1: u64,
    /// Whether the rollup node knows which block was safe when; otherwise in its words, why not.
    pub(crate) safe_heads: Result<(), String>,
}

impl Range {
    pub(crate) async fn find(
        peers: &Peers,
        chain: &Arc<ChainConfig>,
        options: &RecordOptions,
    ) -> Result<Self, RecordError> {
        check_chain_ids(peers, chain).await?;
        let status = peers.patiently(|| peers.rollup.sync_status()).await?;
        // the L1 block of which the status speaks may only be half derived
        let derived = status.current_l1.number.saturating_sub(1);
        let known = safe_at(peers, derived).await?;
        let safe = *known.as_ref().unwrap_or(&status.safe_l2.number);
        let from = options.from;
        let last_l2 = options.to.unwrap_or(safe);
        let genesis = chain.rollup.genesis.l2.number;
        if from < genesis || from >= last_l2 {
            return Err(RecordError::Range {
                from,
                to: last_l2,
                genesis,
            });
        }
        if last_l2 > safe {
            return Err(RecordError::NotSafe { to: last_l2, safe });
        }
        let (first_l2, block) = peers.l2_block(L2At::Number(from)).await?;
        let start = find_start(peers, chain, &block).await?;
        let lookback = chain.batch_auth.lookback();
        let (_, last) = peers.l2_block(L2At::Number(last_l2)).await?;
        let origin = block_ref(chain, &last)?.l1_origin.number;
        let window = origin.saturating_add(chain.rollup.seq_window_size);
        let (last_l1, safe_heads) = match known {
            Ok(_) => (find_end(peers, origin, derived, last_l2).await?, Ok(())),
            Err(reason) => (window.min(status.current_l1.number), Err(reason)),
        };
        Ok(Self {
            first_l2,
            start,
            last_l2,
            first_l1: start.l1_start.number.saturating_sub(lookback),
            last_l1,
            safe_heads,
        })
    }
}

async fn check_chain_ids(peers: &Peers, chain: &ChainConfig) -> Result<(), RecordError> {
    let rollup = &chain.rollup;
    let l1 = peers
        .patiently(|| async { Ok(peers.l1.chain_id().await?) })
        .await?;
    let l2 = peers.patiently(|| peers.l2_chain_id()).await?;
    let l2_name = peers.l2.name().to_owned();
    for (server, key, expected, found) in [
        ("L1".to_owned(), "l1_chain_id", rollup.l1_chain_id, l1),
        (l2_name, "l2_chain_id", rollup.l2_chain_id, l2),
    ] {
        if expected != found {
            return Err(RecordError::ChainId {
                server,
                key,
                expected,
                found,
            });
        }
    }
    Ok(())
}

/// The height of the safe head once an L1 block had been derived; or why the rollup node does not
/// know.
async fn safe_at(peers: &Peers, l1: u64) -> Result<Result<u64, String>, RecordError> {
    let found = peers.patiently(|| peers.rollup.safe_head_at(l1)).await?;
    Ok(found.map(|safe| safe.number))
}

/// The first L1 block with which `last_l2` is safe, up to `derived`, with which it is.
async fn find_end(
    peers: &Peers,
    origin: u64,
    derived: u64,
    last_l2: u64,
) -> Result<u64, RecordError> {
    let (mut low, mut high) = (origin, derived);
    while low < high {
        let middle = low + (high - low) / 2;
        // what is from before the node kept safe heads was not safe, as far as is known
        match safe_at(peers, middle).await? {
            Ok(safe) if safe >= last_l2 => high = middle,
            _ => low = middle + 1,
        }
    }
    Ok(high)
}

/// Where op-node would go on if a block were its safe head.
async fn find_start(
    peers: &Peers,
    chain: &Arc<ChainConfig>,
    safe_head: &L2Block,
) -> Result<ResetPoint, RecordError> {
    let mut find = FindResetPoint::new(Arc::clone(chain), block_ref(chain, safe_head)?);
    loop {
        let lookup = match find.step()? {
            Search::Found(point) => return Ok(point),
            Search::Need(lookup) => lookup,
        };
        let found = match lookup {
            Lookup::L1ByHash(hash) => {
                let header = peers
                    .patiently(|| async { Ok(peers.l1.header(BlockAt::Hash(hash)).await?) })
                    .await?;
                header.map_or(Found::Nothing, |header: CheckedHeader| {
                    Found::L1(header.block_ref())
                })
            }
            Lookup::L2ByHash(hash) => {
                let (_, block) = peers.l2_block(L2At::Hash(hash)).await?;
                Found::L2(block_ref(chain, &block)?)
            }
            Lookup::SystemConfig(hash) => {
                let (_, block) = peers.l2_block(L2At::Hash(hash)).await?;
                let config = block.system_config(chain);
                Found::SystemConfig(config.map_err(|error| foreign(&block, &error))?)
            }
            // not asked for by this search
            Lookup::L1ByNumber(_) | Lookup::L2ByNumber(_) | Lookup::L2ByLabel(_) => Found::Nothing,
        };
        if find.supply(found).is_err() {
            return Err(RecordError::Ending);
        }
    }
}

fn foreign(block: &L2Block, error: &doppio_protocol::l2::L2BlockError) -> RecordError {
    RecordError::L2Block {
        number: block.header.number,
        reason: error.to_string(),
    }
}

fn block_ref(
    chain: &ChainConfig,
    block: &L2Block,
) -> Result<doppio_protocol::L2BlockRef, RecordError> {
    block
        .block_ref(chain)
        .map_err(|error| foreign(block, &error))
}
