//! L1 as the rollup node reads it.

use crate::{
    beacon::Beacon,
    blob_flights::BlobFlights,
    cache::Cache,
    endpoint::{Endpoint, EndpointStatus},
    failure::{Failure, L1Error, OptionsError},
    fetch::{Blocks, ChainId, Fetched, Headers, Proof},
    meter::CacheKind,
    options::L1Options,
    pool::{Job, Pool},
    verify::{AccountProof, BlockAt, BlockJson, CheckedHeader, Label},
};
use alloy_primitives::{Address, B256};
use doppio_protocol::{L1BlockRef, blob::Blob, config::RollupConfig, l1::L1Block};
use doppio_rpc::{Http, Target};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// About how many bytes a header holds.
const HEADER_BYTES: usize = 1024;

/// L1, by endpoints of which none is believed. Clones share endpoints and cache.
///
/// `Ok(None)` says that at least one endpoint has no such thing and none has it. For a block by hash
/// that was there before, this is a reorganisation. Errors say that it is not known now; whoever asks
/// again may have an answer.
#[derive(Clone, Debug)]
pub struct L1Source {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    rollup: Arc<RollupConfig>,
    options: L1Options,
    pool: Pool,
    beacon: Beacon,
    blob_flights: BlobFlights,
    cache: Mutex<Caches>,
}

#[derive(Debug)]
struct Caches {
    blocks: Cache<Fetched>,
    headers: Cache<CheckedHeader>,
}

impl L1Source {
    /// Reads the options. No endpoint is asked yet.
    ///
    /// # Errors
    ///
    /// If an address cannot be used, or there is none, or a limit is zero.
    pub fn new(rollup: Arc<RollupConfig>, options: L1Options) -> Result<Self, OptionsError> {
        options.check()?;
        let http = Http::new();
        let endpoints = options
            .endpoints
            .iter()
            .map(|url| {
                let target = Target::parse(url);
                let target = target.map_err(|error| OptionsError::Url {
                    flag: "--l1",
                    error,
                })?;
                Ok(Arc::new(Endpoint::new(http.clone(), target, &options)))
            })
            .collect::<Result<_, OptionsError>>()?;
        let beacon = Beacon::new(http, &options)?;
        let caches = Caches {
            blocks: Cache::new(
                CacheKind::Blocks,
                options.cache_blocks,
                options.cache_bytes,
                options.meter,
            ),
            headers: Cache::new(
                CacheKind::Headers,
                options.cache_blocks,
                options.cache_blocks.saturating_mul(HEADER_BYTES),
                options.meter,
            ),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                rollup,
                pool: Pool::new(endpoints, options.patience),
                beacon,
                blob_flights: BlobFlights::default(),
                cache: Mutex::new(caches),
                options,
            }),
        })
    }

    pub(crate) fn options(&self) -> &L1Options {
        &self.inner.options
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.inner.pool
    }

    fn caches(&self) -> MutexGuard<'_, Caches> {
        self.inner
            .cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The L1's chain id, by the first endpoint's word.
    ///
    /// # Errors
    ///
    /// If no endpoint answers.
    pub async fn chain_id(&self) -> Result<u64, L1Error> {
        let id = self.inner.pool.ask(&ChainId).await?;
        id.ok_or_else(|| no_answer("the L1 chain id"))
    }

    /// What each endpoint says the L1's chain id is, in the operator's order: one of another chain would
    /// pass for a reorganisation as soon as it is asked.
    pub async fn chain_ids(&self) -> Vec<(String, Result<u64, Failure>)> {
        let mut ids = Vec::new();
        for endpoint in self.inner.pool.endpoints() {
            let id = ChainId.run(endpoint).await;
            let id =
                id.and_then(|id| id.ok_or_else(|| Failure::NotFound("the chain id".to_owned())));
            ids.push((endpoint.name().to_owned(), id));
        }
        ids
    }

    /// A header.
    ///
    /// # Errors
    ///
    /// If no endpoint gives a usable answer.
    pub async fn header(&self, at: BlockAt) -> Result<Option<CheckedHeader>, L1Error> {
        if let BlockAt::Hash(hash) = at
            && let Some(header) = self.caches().headers.get(hash)
        {
            return Ok(Some(header));
        }
        let headers = self.headers(&[at]).await?;
        Ok(headers.into_iter().flatten().next())
    }

    /// Headers, in as few requests as possible; none for those that are not there.
    ///
    /// # Errors
    ///
    /// If no endpoint gives a usable answer.
    pub async fn headers(&self, at: &[BlockAt]) -> Result<Vec<Option<CheckedHeader>>, L1Error> {
        let headers = self.inner.pool.ask(&Headers(at)).await?;
        let headers = headers.unwrap_or_else(|| vec![None; at.len()]);
        let mut caches = self.caches();
        for header in headers.iter().flatten() {
            caches
                .headers
                .insert(header.hash(), header.clone(), HEADER_BYTES);
        }
        Ok(headers)
    }

    /// A block as derivation takes it, with the receipts of all its transactions.
    ///
    /// # Errors
    ///
    /// If no endpoint gives a usable answer.
    pub async fn block(&self, at: BlockAt) -> Result<Option<Arc<L1Block>>, L1Error> {
        if let BlockAt::Hash(hash) = at
            && let Some(fetched) = self.caches().blocks.get(hash)
        {
            return Ok(Some(fetched.block));
        }
        let at = match at {
            // Receipts are not given by every label, and not of the same block for sure.
            BlockAt::Label(_) => match self.header(at).await? {
                Some(header) => BlockAt::Hash(header.hash()),
                None => return Ok(None),
            },
            at => at,
        };
        let fetched = self.fetch(&[at]).await?;
        Ok(fetched.into_iter().next().map(|fetched| fetched.block))
    }

    /// Blocks in a row with the JSON that they were read from, to be kept: up to the first that is
    /// not there, in as few requests as possible.
    ///
    /// # Errors
    ///
    /// If no endpoint gives a usable answer.
    pub async fn blocks_with_json(
        &self,
        at: &[BlockAt],
    ) -> Result<Vec<(Arc<L1Block>, BlockJson)>, L1Error> {
        let rollup = &self.inner.rollup;
        let keep = true;
        let fetched = self.inner.pool.ask(&Blocks { rollup, at, keep }).await?;
        let fetched = fetched.unwrap_or_default().into_iter();
        Ok(fetched
            .filter_map(|fetched| Some((fetched.block, fetched.json?)))
            .collect())
    }

    /// Blocks in a row, up to the first that is not there.
    pub(crate) async fn fetch(&self, at: &[BlockAt]) -> Result<Vec<Fetched>, L1Error> {
        let rollup = &self.inner.rollup;
        let keep = false;
        let job = Blocks { rollup, at, keep };
        let fetched = self.inner.pool.ask(&job).await?.unwrap_or_default();
        let mut caches = self.caches();
        for fetched in &fetched {
            let hash = fetched.block.header.hash;
            caches.blocks.insert(hash, fetched.clone(), fetched.bytes);
        }
        Ok(fetched)
    }

    /// Most calls that the endpoint which is asked first takes in a batch.
    pub(crate) fn batch_limit(&self) -> usize {
        let best = self.inner.pool.best();
        best.map_or(1, |endpoint| endpoint.batch_limit())
    }

    /// The blobs of a block with these versioned hashes, in their order.
    ///
    /// # Errors
    ///
    /// [`L1Error::BlobsMissing`] if nobody has one of them now. [`L1Error::NotCanonical`] if, besides,
    /// the block is no longer on the canonical chain: nobody may ever have it.
    pub async fn blobs(
        &self,
        block: &L1BlockRef,
        hashes: &[B256],
    ) -> Result<Vec<Box<Blob>>, L1Error> {
        if let Some(blobs) = self.inner.blob_flights.take(block.hash, hashes).await {
            return Ok(blobs);
        }
        let missing = match self.inner.beacon.blobs(block, hashes).await {
            Err(error @ L1Error::BlobsMissing { .. }) => error,
            result => return result,
        };
        // What is missing for good is told from what is late by looking at the chain, and not by
        // what one node says: it may lack what another has.
        // spec: opstack-2026-09 2 *3
        match self.header(BlockAt::Number(block.number)).await {
            Ok(header) if header.as_ref().map(CheckedHeader::hash) != Some(block.hash) => {
                Err(L1Error::NotCanonical(doppio_protocol::block::BlockId {
                    hash: block.hash,
                    number: block.number,
                }))
            }
            _ => Err(missing),
        }
    }

    /// Begins to fetch the blobs that derivation may ask for when it comes to this block.
    pub(crate) fn foresee_blobs(&self, block: &L1Block) {
        let hashes: Vec<B256> = block
            .inbox
            .iter()
            .flat_map(|inbox| inbox.transaction.blob_versioned_hashes())
            .copied()
            .collect();
        if hashes.is_empty() {
            return;
        }
        let (source, at, wanted) = (self.clone(), block.header.block_ref(), hashes.clone());
        let fetch = async move { source.inner.beacon.blobs(&at, &wanted).await };
        self.inner.blob_flights.begin(at.hash, hashes, fetch);
    }

    /// An account and slots of its storage, proven from the state root of a block.
    ///
    /// Endpoints keep state for proofs only for so long: geth and reth 128 blocks, without further
    /// settings. The block's own state root is taken at its word, and anvil's block 0 has a false one.
    ///
    /// # Errors
    ///
    /// If no endpoint gives a usable answer.
    pub async fn proof(
        &self,
        header: &CheckedHeader,
        address: Address,
        slots: &[B256],
    ) -> Result<Option<AccountProof>, L1Error> {
        let job = Proof {
            header,
            address,
            slots,
        };
        self.inner.pool.ask(&job).await
    }

    /// The newest block's header.
    ///
    /// # Errors
    ///
    /// If no endpoint gives a usable answer.
    pub async fn head(&self) -> Result<CheckedHeader, L1Error> {
        let head = self.header(BlockAt::Label(Label::Latest)).await?;
        head.ok_or_else(|| no_answer("the L1 head"))
    }

    /// How the JSON-RPC endpoints fare, in the operator's order.
    pub fn endpoints(&self) -> Vec<EndpointStatus> {
        let endpoints = self.inner.pool.endpoints().iter();
        endpoints.map(|endpoint| endpoint.status()).collect()
    }

    /// How the beacon nodes and archivers fare, in the operator's order.
    pub fn beacon_endpoints(&self) -> Vec<EndpointStatus> {
        self.inner.beacon.status()
    }
}

fn no_answer(what: &str) -> L1Error {
    L1Error::NoAnswer {
        what: what.to_owned(),
        failures: Vec::new(),
    }
}
