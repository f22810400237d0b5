//! An execution engine, as others ask it: blocks, proofs, and for the rollup node the Engine API.
//!
//! Blocks come as opaque transaction bytes, so that chains with transaction types of their own can be
//! followed. What an engine says of a block must have the block's hash.

use alloy_consensus::{Header, proofs::ordered_trie_root_encoded};
use alloy_primitives::{B256, Bytes};
use core::fmt;
use doppio_node::{EngineAnswer, EngineCall, engine_answer, engine_request};
use doppio_protocol::{
    L2BlockRef,
    config::ChainConfig,
    l2::{L2Block, L2BlockError},
    output::{L2_TO_L1_MESSAGE_PASSER, OutputV0},
    system_config::SystemConfig,
};
use doppio_rpc::{CallError, Caller, code};
use doppio_verify::{BlockAt, read_header, read_pending_block, read_proof};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};
use thiserror::Error;

/// Blocks that are kept because they are asked for soon again.
const RECENT_BLOCKS: usize = 32;
/// Bytes of transactions that are kept with them.
const RECENT_BYTES: usize = 32 << 20;

/// Why the engine gives no answer that can be used. It may later.
#[derive(Debug, Error)]
pub enum L2Error {
    /// The call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// An answer that is none.
    #[error("the engine's answer to {method}: {reason}")]
    Malformed {
        /// The method.
        method: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A block that is not what its hash says.
    #[error("the engine's block {at} is not what it should be: {reason}")]
    Block {
        /// How it was asked for.
        at: BlockAt,
        /// What is wrong.
        reason: String,
    },
    /// A block that no block of this chain can be.
    #[error("the engine's block {hash}: {error}")]
    Foreign {
        /// The block.
        hash: B256,
        /// Why.
        error: L2BlockError,
    },
    /// The state of a block is not there any more.
    #[error(
        "the engine has no state of L2 block {0} any more: an archive node is needed for output roots of old blocks"
    )]
    NoState(B256),
}

/// An execution engine.
pub struct L2Client {
    chain: Arc<ChainConfig>,
    caller: Arc<dyn Caller>,
    recent: Mutex<VecDeque<Arc<L2Block>>>,
    /// The first of [`WAYS`] that the endpoint is not known to lack.
    way: AtomicU8,
}

/// How a block's bytes are had. Which methods there are depends on the endpoint: an authenticated one
/// need not have `debug_`, a public one has no `engine_`.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// `debug_getRawBlock`.
    Raw,
    /// The header from `eth_`, the transactions from `engine_getPayloadBodiesByHashV1`.
    Bodies,
    /// From the JSON of `eth_getBlockBy*`; a transaction of a type that is not known by
    /// `eth_getRawTransactionByHash`.
    Json,
}

const WAYS: [Way; 3] = [Way::Raw, Way::Bodies, Way::Json];

impl fmt::Debug for L2Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("L2Client")
            .field("engine", &self.caller.name())
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct BodyJson {
    transactions: Vec<Bytes>,
}

/// How JSON-RPC names a block.
fn parameter(at: BlockAt) -> Value {
    match at {
        BlockAt::Hash(hash) => json!(hash),
        BlockAt::Number(number) => json!(format!("{number:#x}")),
        BlockAt::Label(label) => json!(label.as_str()),
    }
}

/// Whether an error says that there is no such block.
fn says_absent(error: &CallError) -> bool {
    let CallError::Rpc { error, .. } = error else {
        return false;
    };
    // of a method, "not available" means another thing
    if error.code == code::METHOD_NOT_FOUND {
        return false;
    }
    let words = error.message.to_lowercase();
    ["not found", "unknown block", "not available"]
        .iter()
        .any(|phrase| words.contains(phrase))
}

fn is_unknown_method(error: &CallError) -> bool {
    matches!(error, CallError::Rpc { error, .. } if error.code == code::METHOD_NOT_FOUND)
}

impl L2Client {
    /// An engine. Nothing is asked yet.
    pub fn new(chain: Arc<ChainConfig>, caller: Arc<dyn Caller>) -> Self {
        Self {
            chain,
            caller,
            recent: Mutex::default(),
            way: AtomicU8::new(0),
        }
    }

    /// What may be shown of where it is.
    pub fn name(&self) -> &str {
        self.caller.name()
    }

    /// Makes a call that has no method of its own here.
    ///
    /// # Errors
    ///
    /// If the engine does not answer, or with an error.
    pub async fn ask(&self, method: &str, params: Vec<Value>) -> Result<Value, CallError> {
        self.caller.call(method, params).await
    }

    /// A call of the Engine API.
    ///
    /// # Errors
    ///
    /// If there is no answer, or none that an engine gives: it is to be made again. Errors that the
    /// engine answers with are answers.
    pub async fn call(&self, call: &EngineCall) -> Result<EngineAnswer, L2Error> {
        let (method, params) = engine_request(&self.chain, call);
        let answer = match self.caller.call(method, params).await {
            Ok(result) => Ok(result),
            Err(CallError::Rpc { error, .. }) => Err((error.code, error.message)),
            Err(error @ CallError::NoAnswer { .. }) => return Err(error.into()),
        };
        let answer =
            engine_answer(&self.chain, call, answer).map_err(|error| L2Error::Malformed {
                method,
                reason: error.to_string(),
            })?;
        // both will be asked for: as the parent of the next block, or by readers
        match (call, &answer) {
            (EngineCall::NewPayload(block), _) | (_, EngineAnswer::Payload(block)) => {
                self.remember(block);
            }
            _ => {}
        }
        Ok(answer)
    }

    fn remember(&self, block: &Arc<L2Block>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.iter().any(|known| known.hash == block.hash) {
            return;
        }
        recent.push_back(Arc::clone(block));
        let size = |block: &Arc<L2Block>| -> usize {
            block.transactions.iter().map(|bytes| bytes.len()).sum()
        };
        while recent.len() > RECENT_BLOCKS || recent.iter().map(size).sum::<usize>() > RECENT_BYTES
        {
            recent.pop_front();
        }
    }

    fn recalled(&self, hash: B256) -> Option<Arc<L2Block>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.iter().find(|block| block.hash == hash).cloned()
    }

    /// A block; none if the engine says that it has none.
    ///
    /// # Errors
    ///
    /// If the engine does not answer, or with another block.
    pub async fn block(&self, at: BlockAt) -> Result<Option<Arc<L2Block>>, L2Error> {
        if let BlockAt::Hash(hash) = at
            && let Some(block) = self.recalled(hash)
        {
            return Ok(Some(block));
        }
        let known = usize::from(self.way.load(Ordering::Relaxed));
        let mut lacking = None;
        for (index, way) in (0u8..).zip(WAYS).skip(known) {
            let found = match way {
                Way::Raw => self.raw_block(at).await,
                Way::Bodies => self.block_in_parts(at).await,
                Way::Json => self.block_of_json(at).await,
            };
            match found {
                Err(L2Error::Call(error)) if is_unknown_method(&error) => {
                    tracing::debug!(%error, "another way to blocks is taken");
                    lacking = Some(L2Error::Call(error));
                }
                found => {
                    self.way.store(index, Ordering::Relaxed);
                    return found;
                }
            }
        }
        lacking.map_or(Ok(None), Err)
    }

    async fn raw_block(&self, at: BlockAt) -> Result<Option<Arc<L2Block>>, L2Error> {
        const METHOD: &str = "debug_getRawBlock";
        let raw = match self.caller.call(METHOD, vec![parameter(at)]).await {
            Ok(Value::Null) => return Ok(None),
            Ok(raw) => raw,
            Err(error) if says_absent(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let raw: Bytes = serde_json::from_value(raw).map_err(|error| L2Error::Malformed {
            method: METHOD,
            reason: error.to_string(),
        })?;
        if raw.is_empty() {
            // how some engines say that there is none
            return Ok(None);
        }
        let block = L2Block::decode(&raw).map_err(|error| L2Error::Block {
            at,
            reason: error.to_string(),
        })?;
        self.checked(at, block).map(Some)
    }

    async fn block_in_parts(&self, at: BlockAt) -> Result<Option<Arc<L2Block>>, L2Error> {
        const BODIES: &str = "engine_getPayloadBodiesByHashV1";
        let Some((hash, header)) = self.header(at).await? else {
            return Ok(None);
        };
        let bodies = self.caller.call(BODIES, vec![json!([hash])]).await?;
        let bodies: [Option<BodyJson>; 1] =
            serde_json::from_value(bodies).map_err(|error| L2Error::Malformed {
                method: BODIES,
                reason: error.to_string(),
            })?;
        let [Some(body)] = bodies else {
            return Ok(None);
        };
        let block = L2Block {
            hash,
            header,
            transactions: body.transactions,
        };
        self.checked(at, block).map(Some)
    }

    async fn block_of_json(&self, at: BlockAt) -> Result<Option<Arc<L2Block>>, L2Error> {
        const TRANSACTION: &str = "eth_getRawTransactionByHash";
        let json = match self.block_json(at, true).await? {
            Some(json) => json.to_string(),
            None => return Ok(None),
        };
        let wrong = |error: doppio_verify::VerifyError| L2Error::Block {
            at,
            reason: error.to_string(),
        };
        let Some(pending) = read_pending_block(at, &json).map_err(wrong)? else {
            return Ok(None);
        };
        let mut bytes = Vec::with_capacity(pending.lacking().len());
        for hash in pending.lacking() {
            let raw = self.caller.call(TRANSACTION, vec![json!(hash)]).await?;
            let raw: Bytes = serde_json::from_value(raw).map_err(|error| L2Error::Malformed {
                method: TRANSACTION,
                reason: error.to_string(),
            })?;
            bytes.push(raw);
        }
        let (header, transactions) = pending.complete_encoded(bytes).map_err(wrong)?;
        let block = L2Block {
            hash: header.hash(),
            header: header.header().clone(),
            transactions,
        };
        self.checked(at, block).map(Some)
    }

    /// What `eth_getBlockBy*` says; none if there is no such block.
    async fn block_json(&self, at: BlockAt, whole: bool) -> Result<Option<Value>, L2Error> {
        let method = match at {
            BlockAt::Hash(_) => "eth_getBlockByHash",
            _ => "eth_getBlockByNumber",
        };
        match self
            .caller
            .call(method, vec![parameter(at), json!(whole)])
            .await
        {
            Ok(Value::Null) => Ok(None),
            Ok(json) => Ok(Some(json)),
            Err(error) if says_absent(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A block's hash and header; none if the engine has none.
    ///
    /// # Errors
    ///
    /// If the engine does not answer, or with a header that has another hash.
    pub async fn header(&self, at: BlockAt) -> Result<Option<(B256, Header)>, L2Error> {
        let Some(header) = self.block_json(at, false).await? else {
            return Ok(None);
        };
        let header = read_header(at, &header.to_string()).map_err(|error| L2Error::Block {
            at,
            reason: error.to_string(),
        })?;
        Ok(header.map(|header| (header.hash(), header.header().clone())))
    }

    /// A block whose header's hash is computed, once its transactions are the header's as well.
    fn checked(&self, at: BlockAt, block: L2Block) -> Result<Arc<L2Block>, L2Error> {
        let wrong = |reason: String| L2Error::Block { at, reason };
        match at {
            BlockAt::Hash(hash) if block.hash != hash => {
                return Err(wrong(format!("it hashes to {}", block.hash)));
            }
            BlockAt::Number(number) if block.header.number != number => {
                return Err(wrong(format!("its height is {}", block.header.number)));
            }
            _ => {}
        }
        let root = ordered_trie_root_encoded(&block.transactions);
        if root != block.header.transactions_root {
            return Err(wrong(
                "it has other transactions than its header".to_owned(),
            ));
        }
        let block = Arc::new(block);
        self.remember(&block);
        Ok(block)
    }

    /// A block's place in both chains; none if the engine has no such block.
    ///
    /// # Errors
    ///
    /// As [`L2Client::block`]; and if the block cannot be one of this chain.
    pub async fn block_ref(&self, at: BlockAt) -> Result<Option<L2BlockRef>, L2Error> {
        let Some(block) = self.block(at).await? else {
            return Ok(None);
        };
        let found = block.block_ref(&self.chain);
        found.map(Some).map_err(|error| L2Error::Foreign {
            hash: block.hash,
            error,
        })
    }

    /// The system configuration as of a block; none if the engine has no such block.
    ///
    /// # Errors
    ///
    /// As [`L2Client::block_ref`].
    pub async fn system_config(&self, hash: B256) -> Result<Option<SystemConfig>, L2Error> {
        let Some(block) = self.block(BlockAt::Hash(hash)).await? else {
            return Ok(None);
        };
        let found = block.system_config(&self.chain);
        found
            .map(Some)
            .map_err(|error| L2Error::Foreign { hash, error })
    }

    /// What L1 learns of a block; none if the engine has no such block.
    ///
    /// # Errors
    ///
    /// If the engine does not answer, or no longer has the block's state and it is needed: before
    /// Isthmus the root is proven from it.
    // spec: opstack 8.1
    pub async fn output(&self, hash: B256) -> Result<Option<OutputV0>, L2Error> {
        const METHOD: &str = "eth_getProof";
        let at = BlockAt::Hash(hash);
        let Some((_, header)) = self.header(at).await? else {
            return Ok(None);
        };
        let output = |message_passer_storage_root| OutputV0 {
            state_root: header.state_root,
            message_passer_storage_root,
            block_hash: hash,
        };
        // from Isthmus on the header has it; the root of no withdrawals before means nothing
        if header.requests_hash.is_some()
            && let Some(root) = header.withdrawals_root
        {
            return Ok(Some(output(root)));
        }
        let params = vec![json!(L2_TO_L1_MESSAGE_PASSER), json!([]), json!(hash)];
        let proof = match self.caller.call(METHOD, params).await {
            Ok(Value::Null) => return Err(L2Error::NoState(hash)),
            Ok(proof) => proof,
            Err(CallError::Rpc { error, .. }) if error.code != code::METHOD_NOT_FOUND => {
                tracing::debug!(%error, %hash, "no proof");
                return Err(L2Error::NoState(hash));
            }
            Err(error) => return Err(error.into()),
        };
        let proof = read_proof(
            header.state_root,
            L2_TO_L1_MESSAGE_PASSER,
            &[],
            &proof.to_string(),
        );
        let malformed = |reason: String| L2Error::Malformed {
            method: METHOD,
            reason,
        };
        let proof = proof.map_err(|error| malformed(error.to_string()))?;
        let account = proof
            .and_then(|proof| proof.account)
            .ok_or_else(|| malformed(format!("{L2_TO_L1_MESSAGE_PASSER} is no account")))?;
        Ok(Some(output(account.storage_root)))
    }

    /// The names of the engine's methods, as `engine_exchangeCapabilities` gives them.
    ///
    /// # Errors
    ///
    /// If the engine does not answer.
    pub async fn capabilities(&self) -> Result<Vec<String>, L2Error> {
        const METHOD: &str = "engine_exchangeCapabilities";
        let names = self.caller.call(METHOD, vec![json!([])]).await?;
        serde_json::from_value(names).map_err(|error| L2Error::Malformed {
            method: METHOD,
            reason: error.to_string(),
        })
    }

    /// The chain id.
    ///
    /// # Errors
    ///
    /// If the engine does not answer.
    pub async fn chain_id(&self) -> Result<u64, L2Error> {
        const METHOD: &str = "eth_chainId";
        let id = self.caller.call(METHOD, Vec::new()).await?;
        let id: Result<doppio_rpc::Quantity64, _> = serde_json::from_value(id);
        id.map(|id| id.0).map_err(|error| L2Error::Malformed {
            method: METHOD,
            reason: error.to_string(),
        })
    }
}
