//! Doppio's pipeline with a driver that keeps a trace of everything that happens.
//!
//! The Go program writes the same lines for op-node.

use crate::{engine::Engine, l1::L1};
use alloy_primitives::{Bytes, hex};
use doppio_derive::{
    DropReason, FindResetPoint, Found, Heads, L2Label, Lookup, Outcome, Pipeline, PipelineError,
    Request, ResetPoint, Response, Search, Step, SyncStart, SyncStartOptions,
};
use doppio_protocol::{
    L2BlockRef,
    config::{ChainConfig, Fork},
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// Resets after which a run is given up.
const MAX_RESETS: usize = 20;

/// A node that derives.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) pipeline: Pipeline,
    pub(crate) engine: Engine,
    chain: Arc<ChainConfig>,
    /// What happened, line by line.
    pub(crate) trace: Vec<String>,
    /// Derived blocks.
    pub(crate) derived: usize,
    /// How often data was dropped, by reason and by the stages that dropped it.
    pub(crate) drops: BTreeMap<String, usize>,
    /// Write attributes into the trace.
    verbose: bool,
    resets: usize,
    /// Nothing more will happen.
    pub(crate) stopped: bool,
}

fn name(block: &L2BlockRef) -> String {
    format!("{} {}", block.number, hex::encode(block.hash))
}

impl Node {
    pub(crate) fn new(
        chain: &Arc<ChainConfig>,
        refused: Arc<HashSet<Bytes>>,
        verbose: bool,
    ) -> Self {
        let genesis = &chain.rollup.genesis;
        let point = ResetPoint {
            safe_head: L2BlockRef {
                hash: genesis.l2.hash,
                number: genesis.l2.number,
                parent_hash: Default::default(),
                timestamp: genesis.l2_time,
                l1_origin: genesis.l1,
                sequence_number: 0,
            },
            safe_config: genesis.system_config,
            l1_start: genesis.l1,
            l1_start_config: genesis.system_config,
        };
        Self {
            pipeline: Pipeline::new(Arc::clone(chain), point),
            engine: Engine::new(chain, refused),
            chain: Arc::clone(chain),
            trace: Vec::new(),
            derived: 0,
            drops: BTreeMap::new(),
            verbose,
            resets: 0,
            stopped: false,
        }
    }

    /// Stops for good.
    fn stop(&mut self, why: &str) {
        self.trace.push(format!("stopped: {why}"));
        self.stopped = true;
    }

    /// Derives until L1 has no more.
    pub(crate) fn run(&mut self, l1: &L1) {
        while !self.stopped {
            match self.pipeline.step() {
                Err(PipelineError::Reset(reason)) => {
                    if self.verbose {
                        self.trace.push(format!("# {reason}"));
                    }
                    self.trace.push("reset".to_owned());
                    self.find_heads(l1);
                }
                Err(PipelineError::Critical(reason)) => {
                    if self.verbose {
                        self.trace.push(format!("# {reason}"));
                    }
                    self.stop("critical");
                }
                Ok(Step::Attributes(derived)) => {
                    let outcome = self.engine.execute(&derived);
                    let verdict = match &outcome {
                        Outcome::Accepted { hash, .. } => hex::encode(hash),
                        Outcome::Invalid => "refused".to_owned(),
                    };
                    self.trace.push(format!(
                        "block {} on {} origin {}+{} from {} {} {} txs: {verdict}",
                        derived.parent.number + 1,
                        hex::encode(&derived.parent.hash[..4]),
                        derived.l1_origin.number,
                        derived.sequence_number,
                        derived.derived_from.number,
                        if derived.concluding {
                            "concluding"
                        } else {
                            "pending"
                        },
                        derived.attributes.transaction_count(),
                    ));
                    if self.verbose {
                        let json = serde_json::to_string(&derived.attributes).expect("plain data");
                        self.trace.push(format!("# {json}"));
                    }
                    self.derived += 1;
                    if self.pipeline.executed(outcome).is_err() {
                        self.stop("temporary");
                    }
                }
                Ok(Step::Exhausted(origin)) => {
                    self.count_drops(origin.timestamp);
                    let Some(next) = l1.by_number(origin.number + 1) else {
                        self.trace.push(format!(
                            "read {} safe {} pending {}",
                            origin.number,
                            name(self.pipeline.safe_head()),
                            name(self.pipeline.pending_safe_head()),
                        ));
                        return;
                    };
                    let response = Response::NextL1Block(next.clone());
                    self.pipeline.supply(response).expect("what was asked for");
                }
                Ok(Step::Need(request)) => {
                    let Some(response) = self.answer(l1, &request) else {
                        self.stop("unanswered");
                        return;
                    };
                    self.pipeline.supply(response).expect("what was asked for");
                }
            }
        }
    }

    fn count_drops(&mut self, l1_time: u64) {
        let stages = if self.chain.active(Fork::Holocene, l1_time) {
            "holocene"
        } else {
            "bedrock"
        };
        for drop in self.pipeline.drops().take() {
            if self.verbose {
                self.trace.push(format!("# dropped: {drop:?}"));
            }
            let name = match &drop.reason {
                DropReason::Batch(reason) => format!("batch {reason:?}"),
                DropReason::Frame(reason) => format!("frame {reason:?}"),
                reason => reason.name().to_owned(),
            };
            let name = name.split([' ', '(']).take(2).collect::<Vec<_>>().join(" ");
            *self.drops.entry(format!("{stages} {name}")).or_default() += 1;
        }
    }

    fn answer(&self, l1: &L1, request: &Request) -> Option<Response> {
        match request {
            Request::L1Block(hash) => l1.by_hash(hash).cloned().map(Response::L1Block),
            Request::Blobs { blobs, .. } => blobs
                .iter()
                .map(|blob| l1.blobs.get(&blob.versioned_hash).cloned())
                .collect::<Option<_>>()
                .map(Response::Blobs),
            Request::L2Block(number) => self
                .engine
                .by_number(*number)
                .cloned()
                .map(|block| Response::L2Block(Box::new(block))),
            _ => None,
        }
    }

    /// Finds the heads again and begins anew: after a reset, and after a restart.
    pub(crate) fn find_heads(&mut self, l1: &L1) {
        self.resets += 1;
        if self.resets > MAX_RESETS {
            self.stop("too many resets");
            return;
        }
        let Some(heads) = self.search_heads(l1) else {
            self.stop("no heads");
            return;
        };
        self.trace.push(format!(
            "heads unsafe {} safe {}",
            name(&heads.unsafe_head),
            name(&heads.safe)
        ));
        self.engine.cut_above(heads.unsafe_head.number);
        let Some(point) = self.search_reset_point(l1, heads.safe) else {
            self.stop("no reset point");
            return;
        };
        self.pipeline.reset(point);
    }

    fn search_heads(&self, l1: &L1) -> Option<Heads> {
        let mut search = SyncStart::new(Arc::clone(&self.chain), SyncStartOptions::default());
        loop {
            match search.step().ok()? {
                Search::Found(heads) => return Some(heads),
                Search::Need(lookup) => search.supply(self.look_up(l1, lookup)).ok()?,
            }
        }
    }

    fn search_reset_point(&self, l1: &L1, safe: L2BlockRef) -> Option<ResetPoint> {
        let mut search = FindResetPoint::new(Arc::clone(&self.chain), safe);
        loop {
            match search.step().ok()? {
                Search::Found(point) => return Some(point),
                Search::Need(lookup) => search.supply(self.look_up(l1, lookup)).ok()?,
            }
        }
    }

    fn look_up(&self, l1: &L1, lookup: Lookup) -> Found {
        let l2 = |block| self.engine.reference(block).map(Found::L2);
        match lookup {
            Lookup::L1ByHash(hash) => l1.by_hash(&hash).map(|l1| Found::L1(l1.header.block_ref())),
            Lookup::L1ByNumber(number) => l1
                .by_number(number)
                .map(|l1| Found::L1(l1.header.block_ref())),
            Lookup::L2ByHash(hash) => self.engine.by_hash(&hash).and_then(l2),
            Lookup::L2ByNumber(number) => self.engine.by_number(number).and_then(l2),
            Lookup::L2ByLabel(L2Label::Finalized) => None,
            Lookup::L2ByLabel(L2Label::Safe) => Some(Found::L2(*self.pipeline.safe_head())),
            Lookup::L2ByLabel(L2Label::Unsafe) => self.engine.head().map(Found::L2),
            Lookup::SystemConfig(hash) => self.engine.config(&hash).map(Found::SystemConfig),
        }
        .unwrap_or(Found::Nothing)
    }
}
