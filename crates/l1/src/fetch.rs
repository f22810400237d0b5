//! What is asked of an endpoint for each kind of question, and the way from answers to values.

use crate::{
    endpoint::Endpoint,
    failure::Failure,
    pool::Job,
    receipts_method::{ReceiptsMethod, quantity},
    rpc::Call,
    verify::{
        AccountProof, BlockAt, BlockJson, BlockRead, CheckedBlock, CheckedHeader, PendingBlock,
        ReceiptsAnswer, VerifyError, read_block, read_header, read_proof, read_receipts,
        read_receipts_with_gas,
    },
};
use alloy_primitives::{Address, B256, Bytes, U256};
use doppio_protocol::{
    config::RollupConfig,
    l1::{L1Block, L1Receipt},
};
use serde_json::{json, value::RawValue};
use std::{fmt, sync::Arc};

/// A verified block, and about how many bytes it holds.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) block: Arc<L1Block>,
    pub(crate) bytes: usize,
    /// What it was read from, if that is kept.
    pub(crate) json: Option<BlockJson>,
}

/// Headers.
pub(crate) struct Headers<'a>(pub(crate) &'a [BlockAt]);

impl fmt::Display for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        name(f, "header", self.0)
    }
}

impl Job for Headers<'_> {
    type Output = Vec<Option<CheckedHeader>>;

    async fn run(&self, endpoint: &Endpoint) -> Result<Option<Self::Output>, Failure> {
        let calls: Vec<Call> = self.0.iter().map(|at| block_call(*at, false)).collect();
        let answers = endpoint.calls(&calls).await?;
        let mut headers = Vec::with_capacity(answers.len());
        for (at, answer) in self.0.iter().zip(answers) {
            headers.push(read_header(*at, answer?.get())?);
        }
        // Somebody else may have what this one lacks.
        Ok(headers.iter().any(Option::is_some).then_some(headers))
    }
}

/// Blocks as derivation takes them. Absent ones end the list.
pub(crate) struct Blocks<'a> {
    pub(crate) rollup: &'a Arc<RollupConfig>,
    pub(crate) at: &'a [BlockAt],
    /// Whether to keep the JSON.
    pub(crate) keep: bool,
}

impl fmt::Display for Blocks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        name(f, "block", self.at)
    }
}

fn name(f: &mut fmt::Formatter<'_>, what: &str, at: &[BlockAt]) -> fmt::Result {
    match at {
        [at] => write!(f, "L1 {what} {at}"),
        [first, .., last] => write!(f, "L1 {what}s {first} to {last}"),
        [] => write!(f, "no L1 {what}"),
    }
}

impl Job for Blocks<'_> {
    type Output = Vec<Fetched>;

    async fn run(&self, endpoint: &Endpoint) -> Result<Option<Self::Output>, Failure> {
        // Receipts come with the blocks where the method takes the same names.
        let method = endpoint.receipts_method();
        let mut calls = Vec::with_capacity(2 * self.at.len());
        for at in self.at {
            calls.push(block_call(*at, true));
            calls.extend(method.call(*at));
        }
        let mut answers = endpoint.calls(&calls).await?.into_iter();
        let mut parts = Vec::with_capacity(self.at.len());
        for at in self.at {
            let block = answers.next().unwrap_or(Err(Failure::Ending))?;
            let receipts = match method.call(*at).and_then(|_| answers.next()) {
                None | Some(Err(Failure::NotFound(_))) => None,
                Some(Ok(receipts)) => Some(receipts),
                Some(Err(failure)) if is_lacking(&failure) && endpoint.lacks(method) => None,
                Some(Err(failure)) => return Err(failure),
            };
            parts.push((*at, block, receipts));
        }
        let rollup = Arc::clone(self.rollup);
        let keep = self.keep;
        let mut stages = blocking(move || {
            let mut stages = Vec::with_capacity(parts.len());
            for (at, block, receipts) in parts {
                match read(&rollup, at, block, receipts.as_deref(), method, keep)? {
                    Some(stage) => stages.push(stage),
                    None => break,
                }
            }
            Ok(stages)
        })
        .await?;
        for stage in &mut stages {
            if let Stage::Bytes(pending, read) = stage {
                let lacking: Vec<B256> = pending.lacking().collect();
                let found = transactions(endpoint, &lacking).await?;
                let mut read = read.clone();
                if let Some(json) = &mut read.json {
                    json.unknown_transactions.clone_from(&found);
                }
                *stage = Stage::Receipts(pending.clone().complete(found)?, read);
            }
        }
        let blocks = receipts_by_hash(endpoint, self.rollup, stages).await?;
        Ok((!blocks.is_empty()).then_some(blocks))
    }
}

/// Whether a failure says that the endpoint has no such method, or not with such parameters.
const fn is_lacking(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Unsupported(_)
            | Failure::Refused {
                code: -32602 | -32600,
                ..
            }
    )
}

/// How far a block is read, and from what.
enum Stage {
    Done(Fetched),
    /// Its receipts are lacking.
    Receipts(CheckedBlock, Read),
    /// Bytes of its transactions are lacking.
    Bytes(PendingBlock, Read),
}

/// What was read of a block so far.
#[derive(Clone)]
struct Read {
    /// How many bytes of JSON it took.
    bytes: usize,
    /// The JSON, if it is kept; without receipts as long as they are lacking.
    json: Option<BlockJson>,
}

impl Read {
    fn block(json: Box<RawValue>, keep: bool) -> Self {
        Self {
            bytes: json.get().len(),
            json: keep.then(|| BlockJson {
                block: json,
                receipts: RawValue::NULL.to_owned(),
                unknown_transactions: Vec::new(),
            }),
        }
    }

    /// With the results that gave the receipts.
    fn with_receipts(mut self, answer: ReceiptsAnswer<'_>) -> Self {
        self.bytes += answer.bytes();
        if let Some(json) = &mut self.json
            && let Ok(receipts) = RawValue::from_string(answer.to_list())
        {
            json.receipts = receipts;
        }
        self
    }
}

fn read(
    rollup: &RollupConfig,
    at: BlockAt,
    json: Box<RawValue>,
    receipts: Option<&RawValue>,
    method: ReceiptsMethod,
    keep: bool,
) -> Result<Option<Stage>, VerifyError> {
    let block = read_block(at, json.get())?;
    let read = Read::block(json, keep);
    let block = match block {
        None => return Ok(None),
        Some(BlockRead::NeedsBytes(pending)) => return Ok(Some(Stage::Bytes(pending, read))),
        Some(BlockRead::Whole(block)) => block,
    };
    let results: Vec<&str> = receipts.iter().map(|json| json.get()).collect();
    let answer = match (block.transactions().is_empty(), results.is_empty()) {
        // Nodes differ in what they say of a block without transactions.
        (true, _) => ReceiptsAnswer::Each(&[]),
        (false, true) => return Ok(Some(Stage::Receipts(block, read))),
        (false, false) => method.answer(&results),
    };
    match read_receipts(&block, answer) {
        Ok(Some(receipts)) => {
            let read = read.with_receipts(answer);
            Ok(Some(done(rollup, block, receipts, read)))
        }
        Ok(None) => Ok(Some(Stage::Receipts(block, read))),
        // By height, block and receipts may be of two chains while L1 reorganises.
        Err(VerifyError::Root { .. } | VerifyError::ReceiptCount { .. })
            if matches!(at, BlockAt::Number(_)) && !block.transactions().is_empty() =>
        {
            Ok(Some(Stage::Receipts(block, read)))
        }
        Err(error) => Err(error),
    }
}

fn done(
    rollup: &RollupConfig,
    block: CheckedBlock,
    receipts: Vec<L1Receipt>,
    Read { bytes, json }: Read,
) -> Stage {
    let block = Arc::new(block.into_l1_block(rollup, receipts));
    Stage::Done(Fetched { block, bytes, json })
}

/// Gets the receipts that are lacking, by the blocks' hashes. Ends before a block whose receipts the
/// endpoint does not have.
async fn receipts_by_hash(
    endpoint: &Endpoint,
    rollup: &Arc<RollupConfig>,
    mut stages: Vec<Stage>,
) -> Result<Vec<Fetched>, Failure> {
    loop {
        let method = endpoint.receipts_method();
        let mut calls = Vec::new();
        for stage in &stages {
            if let Stage::Receipts(block, _) = stage {
                calls.extend(method.calls(block));
            }
        }
        let mut results = Vec::with_capacity(calls.len());
        let mut is_given_up = false;
        for answer in endpoint.calls(&calls).await? {
            match answer {
                Ok(result) => results.push(result),
                Err(Failure::NotFound(_)) => results.push(RawValue::NULL.to_owned()),
                Err(failure) if is_lacking(&failure) && endpoint.lacks(method) => {
                    is_given_up = true;
                }
                Err(failure) => return Err(failure),
            }
        }
        if is_given_up {
            continue;
        }
        let rollup = Arc::clone(rollup);
        stages = blocking(move || with_receipts(&rollup, method, stages, &results)).await?;
        let mut blocks = Vec::with_capacity(stages.len());
        for stage in stages {
            match stage {
                Stage::Done(fetched) => blocks.push(fetched),
                Stage::Receipts(..) | Stage::Bytes(..) => break,
            }
        }
        return Ok(blocks);
    }
}

/// Completes the stages that lack receipts, as far as the endpoint has them.
fn with_receipts(
    rollup: &RollupConfig,
    method: ReceiptsMethod,
    stages: Vec<Stage>,
    results: &[Box<RawValue>],
) -> Result<Vec<Stage>, VerifyError> {
    let mut results = results.iter().map(|result| result.get());
    stages
        .into_iter()
        .map(|stage| match stage {
            Stage::Receipts(block, read) => {
                let count = method.calls(&block).len();
                let results: Vec<&str> = results.by_ref().take(count).collect();
                let answer = method.answer(&results);
                Ok(match read_receipts(&block, answer)? {
                    Some(receipts) => done(rollup, block, receipts, read.with_receipts(answer)),
                    None => Stage::Receipts(block, read),
                })
            }
            stage => Ok(stage),
        })
        .collect()
}

/// Canonical bytes of transactions of a type that this release does not know.
async fn transactions(endpoint: &Endpoint, hashes: &[B256]) -> Result<Vec<Bytes>, Failure> {
    let call = |hash: &B256| Call::new("eth_getRawTransactionByHash", json!([hash]));
    let calls: Vec<Call> = hashes.iter().map(call).collect();
    endpoint
        .calls(&calls)
        .await?
        .into_iter()
        .map(|answer| {
            let answer = answer?;
            serde_json::from_str(answer.get())
                .map_err(|error| Failure::Malformed(error.to_string()))
        })
        .collect()
}

/// A whole block by its hash, and its receipts, each with the gas that the block used up to it. None
/// if the endpoint does not have all of it.
pub(crate) async fn whole_block(
    endpoint: &Endpoint,
    at: BlockAt,
) -> Result<Option<(CheckedBlock, Vec<(L1Receipt, u64)>)>, Failure> {
    let json = endpoint.call(block_call(at, true)).await?;
    let block = match blocking(move || read_block(at, json.get())).await? {
        None => return Ok(None),
        Some(BlockRead::Whole(block)) => block,
        Some(BlockRead::NeedsBytes(pending)) => {
            let lacking: Vec<B256> = pending.lacking().collect();
            pending.complete(transactions(endpoint, &lacking).await?)?
        }
    };
    let block = Arc::new(block);
    loop {
        let method = endpoint.receipts_method();
        let answers = endpoint.calls(&method.calls(&block)).await?;
        let answers: Result<Vec<_>, Failure> = answers.into_iter().collect();
        let results = match answers {
            Ok(results) => results,
            Err(Failure::NotFound(_)) => return Ok(None),
            Err(failure) if is_lacking(&failure) && endpoint.lacks(method) => continue,
            Err(failure) => return Err(failure),
        };
        let checked = Arc::clone(&block);
        let receipts = blocking(move || {
            let results: Vec<&str> = results.iter().map(|json| json.get()).collect();
            read_receipts_with_gas(&checked, method.answer(&results))
        });
        let receipts = receipts.await?;
        return Ok(receipts.map(|receipts| (Arc::unwrap_or_clone(block), receipts)));
    }
}

/// An account and slots of its storage, in the state of a block whose header is checked.
pub(crate) struct Proof<'a> {
    pub(crate) header: &'a CheckedHeader,
    pub(crate) address: Address,
    pub(crate) slots: &'a [B256],
}

impl fmt::Display for Proof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a proof of {} at L1 block {}",
            self.address,
            self.header.id()
        )
    }
}

impl Job for Proof<'_> {
    type Output = AccountProof;

    async fn run(&self, endpoint: &Endpoint) -> Result<Option<AccountProof>, Failure> {
        // By height: many nodes take no hash here. The state root says whether it is our block.
        let number = quantity(self.header.id().number);
        let params = json!([self.address, self.slots, number]);
        let answer = endpoint.call(Call::new("eth_getProof", params)).await?;
        let root = self.header.header().state_root;
        Ok(read_proof(root, self.address, self.slots, answer.get())?)
    }
}

/// The chain's id.
pub(crate) struct ChainId;

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the L1 chain id")
    }
}

impl Job for ChainId {
    type Output = u64;

    async fn run(&self, endpoint: &Endpoint) -> Result<Option<u64>, Failure> {
        let answer = endpoint.call(Call::new("eth_chainId", json!([]))).await?;
        let id: U256 = serde_json::from_str(answer.get())
            .map_err(|error| Failure::Malformed(error.to_string()))?;
        u64::try_from(id)
            .map(Some)
            .map_err(|error| Failure::Malformed(error.to_string()))
    }
}

pub(crate) fn block_call(at: BlockAt, with_transactions: bool) -> Call {
    match at {
        BlockAt::Hash(hash) => Call::new("eth_getBlockByHash", json!([hash, with_transactions])),
        BlockAt::Number(number) => Call::new(
            "eth_getBlockByNumber",
            json!([quantity(number), with_transactions]),
        ),
        BlockAt::Label(label) => Call::new(
            "eth_getBlockByNumber",
            json!([label.as_str(), with_transactions]),
        ),
    }
}

/// Verifies on a thread where it does not hold up the network.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VerifyError> + Send + 'static,
) -> Result<T, Failure> {
    let result = tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Failure::Ending)?;
    Ok(result?)
}
