//! What the driver asks for, done: one function for each kind of question.
//!
//! An answer is the driver's; a [`Setback`] says why there is none. Whatever can be late is asked
//! again; what L1 has dropped makes the driver begin again.

use crate::{da::DaSource, meters, service::SequencerSettings};
use doppio_derive::{Found, L2Label, Lookup, PayloadAnswer, Request, Response};
use doppio_l1::{
    Follower, L1Error, L1Event, L1Source, Reorg,
    verify::{BlockAt, Label},
};
use doppio_l2::{L2Client, L2Error};
use doppio_node::{SequencerAnswer, SequencerNeed};
use doppio_protocol::{L1BlockRef, block::BlockId, config::ChainConfig, l1::L1Block};
use std::{sync::Arc, time::Instant};
use thiserror::Error;

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum Setback {
    /// It is not known now: to be asked again.
    #[error("{0}")]
    Later(String),
    /// There is nothing yet, and nothing is wrong.
    #[error("nothing yet")]
    Nothing,
    /// L1 has dropped what was built on.
    #[error("{0}")]
    Gone(String),
    /// The follower has seen a reorganisation of L1.
    #[error("L1 was reorganised: {} blocks after {} are gone", .0.depth(), .0.common)]
    Reorg(Reorg),
}

impl From<L1Error> for Setback {
    fn from(error: L1Error) -> Self {
        match error {
            L1Error::NotCanonical(_) | L1Error::ReorgTooDeep { .. } => {
                Self::Gone(error.to_string())
            }
            error => Self::Later(error.to_string()),
        }
    }
}

impl From<L2Error> for Setback {
    fn from(error: L2Error) -> Self {
        Self::Later(error.to_string())
    }
}

/// Where answers come from. Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub(crate) chain: Arc<ChainConfig>,
    pub(crate) l1: L1Source,
    pub(crate) l2: Arc<L2Client>,
    pub(crate) da: Option<DaSource>,
}

/// Blocks are shared with the cache, and seldom with anybody else.
fn owned(block: Arc<L1Block>) -> L1Block {
    Arc::unwrap_or_clone(block)
}

impl Sources {
    /// For [`Next::Lookup`](doppio_node::Next::Lookup).
    pub(crate) async fn lookup(&self, lookup: Lookup) -> Result<Found, Setback> {
        let l1 = async |at| -> Result<Option<Found>, Setback> {
            let header = self.l1.header(at).await?;
            Ok(header.map(|header| Found::L1(header.block_ref())))
        };
        let l2 = async |at| -> Result<Option<Found>, Setback> {
            Ok(self.l2.block_ref(at).await?.map(Found::L2))
        };
        let found = match lookup {
            Lookup::L1ByHash(hash) => l1(BlockAt::Hash(hash)).await?,
            Lookup::L1ByNumber(number) => l1(BlockAt::Number(number)).await?,
            Lookup::L2ByHash(hash) => l2(BlockAt::Hash(hash)).await?,
            Lookup::L2ByNumber(number) => l2(BlockAt::Number(number)).await?,
            Lookup::L2ByLabel(name) => l2(label(name)).await?,
            Lookup::SystemConfig(hash) => {
                self.l2.system_config(hash).await?.map(Found::SystemConfig)
            }
        };
        Ok(found.unwrap_or(Found::Nothing))
    }

    async fn l1_block(&self, at: BlockAt) -> Result<Option<L1Block>, Setback> {
        let start = Instant::now();
        let block = self.l1.block(at).await?;
        meters::l1_request("block", start.elapsed());
        Ok(block.map(owned))
    }

    /// For [`Next::Derivation`](doppio_node::Next::Derivation).
    pub(crate) async fn derivation(&self, request: &Request) -> Result<Response, Setback> {
        match request {
            Request::L1Block(hash) | Request::AuthBlock(hash) => {
                let block = self.l1_block(BlockAt::Hash(*hash)).await?;
                let gone = || Setback::Gone(format!("L1 block {hash} is gone"));
                block.map(Response::L1Block).ok_or_else(gone)
            }
            Request::Blobs { block, blobs } => {
                let start = Instant::now();
                let hashes: Vec<_> = blobs.iter().map(|blob| blob.versioned_hash).collect();
                let blobs = self.l1.blobs(block, &hashes).await?;
                meters::l1_request("blobs", start.elapsed());
                Ok(Response::Blobs(blobs))
            }
            Request::Payload(payload) => {
                let none = || {
                    Setback::Later(
                        "a batch is a DA commitment, and there is no DA server: give one with --altda.da-server"
                            .to_owned(),
                    )
                };
                let da = self.da.as_ref().ok_or_else(none)?;
                let answer = da.get(&self.chain.profile, payload).await;
                match answer.map_err(Setback::Later)? {
                    PayloadAnswer::Later => Err(Setback::Later("not yet".to_owned())),
                    PayloadAnswer::NotFound if payload.lost => Err(Setback::Later(format!(
                        "nobody has the data of commitment {:?} in L1 block {}, and it was never challenged: find the data and give it to the DA server; derivation waits",
                        payload.commitment, payload.l1_block
                    ))),
                    answer => Ok(Response::Payload {
                        id: payload.id,
                        answer,
                    }),
                }
            }
            Request::LaterL1Block(number) => {
                let block = self.l1_block(BlockAt::Number(*number)).await?;
                block.map(Response::L1Block).ok_or(Setback::Nothing)
            }
            Request::L2Block(number) => {
                let block = self.l2.block(BlockAt::Number(*number)).await?;
                let none = || Setback::Later(format!("the engine has no block {number}"));
                let block = block.ok_or_else(none)?;
                Ok(Response::L2Block(Box::new((*block).clone())))
            }
        }
    }

    /// For [`Next::Sequence`](doppio_node::Next::Sequence).
    // spec: opstack 4.4
    pub(crate) async fn sequence(
        &self,
        need: &SequencerNeed,
        visible: Visible,
    ) -> Result<SequencerAnswer, Setback> {
        match need {
            SequencerNeed::Origins(head) => {
                let origin = head.l1_origin;
                let current = self.l1.header(BlockAt::Hash(origin.hash)).await?;
                let current = current.map(|header| header.block_ref());
                let number = origin.number.saturating_add(1);
                let next = if visible.shows(number) {
                    self.l1.header(BlockAt::Number(number)).await?
                } else {
                    None
                };
                Ok(SequencerAnswer::Origins {
                    current,
                    next: next.map(|header| header.block_ref()),
                })
            }
            SequencerNeed::Epoch { head, origin } => {
                let config = self.l2.system_config(*head).await?;
                let lost = || Setback::Later(format!("the engine has no block {head}"));
                let config = config.ok_or_else(lost)?;
                let block = self.l1_block(BlockAt::Hash(*origin)).await?;
                let gone = || Setback::Gone(format!("L1 block {origin} is gone"));
                Ok(SequencerAnswer::Epoch {
                    config: Box::new(config),
                    block: Box::new(block.ok_or_else(gone)?),
                })
            }
        }
    }
}

/// Which L1 blocks the sequencer may see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visible {
    head: Option<u64>,
    finalized: Option<u64>,
    settings: SequencerSettings,
}

impl Visible {
    pub(crate) fn new(
        head: Option<&L1BlockRef>,
        finalized: Option<&L1BlockRef>,
        settings: SequencerSettings,
    ) -> Self {
        let number = |block: Option<&L1BlockRef>| block.map(|block| block.number);
        Self {
            head: number(head),
            finalized: number(finalized),
            settings,
        }
    }

    /// Whether a height is deep enough. The first L1 block always is: there is nothing below it to
    /// build on.
    fn shows(&self, number: u64) -> bool {
        if self.settings.use_finalized {
            return self.finalized.is_some_and(|finalized| number <= finalized);
        }
        let depth = self.settings.l1_confs;
        self.head
            .is_some_and(|head| number.saturating_add(depth) <= head)
    }
}

/// For [`Next::L1Block`](doppio_node::Next::L1Block): the block after `from`.
pub(crate) async fn next_l1_block(
    follower: &mut Follower,
    from: BlockId,
) -> Result<Response, Setback> {
    if follower.tip() != from {
        follower.reset(from);
    }
    let start = Instant::now();
    match follower.next().await? {
        L1Event::Block(block) => {
            meters::l1_request("next_block", start.elapsed());
            Ok(Response::NextL1Block(owned(block)))
        }
        L1Event::Reorg(reorg) => Err(Setback::Reorg(reorg)),
        L1Event::AtHead => Err(Setback::Nothing),
    }
}

/// L1's newest block by label, if there is one.
pub(crate) async fn labelled(l1: &L1Source, label: Label) -> Result<Option<L1BlockRef>, L1Error> {
    let start = Instant::now();
    let header = l1.header(BlockAt::Label(label)).await?;
    meters::l1_request(label.as_str(), start.elapsed());
    Ok(header.map(|header| header.block_ref()))
}

/// The name of a block among the engine's labels.
const fn label(label: L2Label) -> BlockAt {
    BlockAt::Label(match label {
        L2Label::Unsafe => Label::Latest,
        L2Label::Safe => Label::Safe,
        L2Label::Finalized => Label::Finalized,
    })
}
