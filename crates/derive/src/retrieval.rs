//! The data items of an L1 block: what its inbox transactions carry, in order.

use crate::{
    authorization::{AuthWindow, Authorization, BLOB_TX_TYPE},
    challenges::Challenges,
    commitments::{Pending, Resolved, read_commitment},
    drops::{DropLog, DropReason, InboxVerdict},
    pull::{Pull, Stop, bug},
    step::{BlobRef, PayloadAnswer, PayloadId, PayloadRequest, Request, SupplyError},
};
use alloy_primitives::{Address, Bytes};
use doppio_protocol::{
    L1BlockRef,
    blob::{Blob, decode_blob},
    config::ChainConfig,
    l1::L1Block,
};
use std::collections::VecDeque;

/// Retrieval of one L1 block's data.
// spec: opstack 2.3, opstack 3.1
#[derive(Clone, Debug, Default)]
pub(crate) enum Retrieval {
    /// The block has not been looked at.
    Unopened(Box<L1Block>, Address),
    /// Its transactions have been judged.
    Open(OpenBlock),
    /// It has no more data.
    #[default]
    Done,
}

/// An L1 block whose transactions have been judged.
#[derive(Clone, Debug)]
pub(crate) struct OpenBlock {
    block: L1BlockRef,
    items: VecDeque<Item>,
    /// Blobs that are missing, in order; the items that are to be filled with them are those that
    /// are [`Item::Blob`].
    missing_blobs: Vec<BlobRef>,
    next_item: u32,
}

#[derive(Clone, Debug)]
enum Item {
    Data(Bytes),
    Blob,
    Commitment(Pending),
}

impl Retrieval {
    /// Retrieval of a new L1 block; `batcher` is the SystemConfig's, as of the block.
    pub(crate) fn new(block: L1Block, batcher: Address) -> Self {
        Self::Unopened(Box::new(block), batcher)
    }

    /// The next data item.
    // spec: opstack 2.1, opstack 2.3
    pub(crate) fn next(
        &mut self,
        chain: &ChainConfig,
        window: &AuthWindow,
        challenges: &mut Challenges,
        log: &mut DropLog,
    ) -> Pull<Bytes> {
        if let Self::Unopened(block, batcher) = self {
            *self = Self::Open(OpenBlock::new(chain, block, *batcher, window, log)?);
        }
        let Self::Open(open) = self else {
            return Err(Stop::OutOfData);
        };
        if !open.missing_blobs.is_empty() {
            let blobs = open.missing_blobs.clone();
            return Err(Stop::Need(Request::Blobs {
                block: open.block,
                blobs,
            }));
        }
        let next = open.next(chain, challenges, log);
        if matches!(next, Err(Stop::OutOfData)) {
            *self = Self::Done;
        }
        next
    }

    /// Takes the blobs that were asked for.
    // spec: opstack-2026-09 2 *1
    pub(crate) fn supply_blobs(
        &mut self,
        chain: &ChainConfig,
        blobs: Vec<Box<Blob>>,
        log: &mut DropLog,
    ) -> Result<(), SupplyError> {
        let Self::Open(open) = self else {
            return Err(SupplyError::NotAsked("a blob"));
        };
        let expected = open.missing_blobs.len();
        if expected == 0 {
            return Err(SupplyError::NotAsked("a blob"));
        }
        if blobs.len() != expected {
            return Err(SupplyError::BlobCount {
                expected,
                found: blobs.len(),
            });
        }
        open.fill(chain, blobs, log);
        Ok(())
    }

    /// Takes an answer about a payload.
    pub(crate) fn supply_payload(
        &mut self,
        id: PayloadId,
        answer: PayloadAnswer,
        challenges: &Challenges,
    ) -> Result<(), SupplyError> {
        let items = match self {
            Self::Open(open) => Some(open.items.iter_mut()),
            _ => None,
        };
        items
            .into_iter()
            .flatten()
            .find_map(|item| match item {
                Item::Commitment(pending) if pending.id() == id => Some(pending),
                _ => None,
            })
            .ok_or(SupplyError::NotAsked("a payload"))?
            .supply(answer, challenges)
    }

    /// The payloads of the block that are not known yet, in order. Any of them may be supplied.
    pub(crate) fn payload_requests(
        &self,
        chain: &ChainConfig,
        challenges: &Challenges,
    ) -> impl Iterator<Item = PayloadRequest> {
        let items = match self {
            Self::Open(open) => Some(open.items.iter()),
            _ => None,
        };
        items.into_iter().flatten().filter_map(|item| match item {
            Item::Commitment(pending) if pending.is_open() => {
                Some(pending.request(chain, challenges))
            }
            _ => None,
        })
    }
}

impl OpenBlock {
    /// Judges the block's transactions. Everything the judgement needs is asked for first, so that
    /// nothing is judged twice.
    // spec: opstack 2.3
    fn new(
        chain: &ChainConfig,
        block: &L1Block,
        batcher: Address,
        window: &AuthWindow,
        log: &mut DropLog,
    ) -> Pull<Self> {
        let authorization = Authorization::new(chain, block, batcher, window)?;
        let reads_blobs = Authorization::reads_blobs(chain, block.header.timestamp);
        let mut open = Self {
            block: block.header.block_ref(),
            items: VecDeque::new(),
            missing_blobs: Vec::new(),
            next_item: 0,
        };
        for inbox in &block.inbox {
            let verdict = authorization.check(block, inbox);
            log.record_verdict(InboxVerdict {
                l1: block.header.id(),
                index: inbox.index,
                verdict,
            });
            if verdict.is_err() {
                continue;
            }
            let transaction = &inbox.transaction;
            if reads_blobs && transaction.tx_type() == BLOB_TX_TYPE {
                for (index, hash) in
                    (inbox.first_blob_index..).zip(transaction.blob_versioned_hashes())
                {
                    open.missing_blobs.push(BlobRef {
                        index,
                        versioned_hash: *hash,
                    });
                    open.items.push_back(Item::Blob);
                }
            } else {
                let input = transaction.input();
                let length = input.len() - authorization.calldata_suffix();
                let item = Item::Data(input.slice(..length));
                open.items.push_back(item);
            }
        }
        open.find_commitments(chain, log);
        Ok(open)
    }

    /// Puts the blobs' data in the place of the blobs; those that hold none are left out.
    // spec: opstack 2.2
    fn fill(&mut self, chain: &ChainConfig, blobs: Vec<Box<Blob>>, log: &mut DropLog) {
        let mut blobs = blobs.into_iter();
        self.items = core::mem::take(&mut self.items)
            .into_iter()
            .filter_map(|item| match item {
                Item::Blob => match decode_blob(&*blobs.next()?) {
                    Ok(data) => Some(Item::Data(data.into())),
                    Err(error) => {
                        log.record(self.block.id(), DropReason::Blob(error));
                        None
                    }
                },
                other => Some(other),
            })
            .collect();
        self.missing_blobs.clear();
        self.find_commitments(chain, log);
    }

    /// Recognises the alt-DA commitments among the items, so that all of their payloads can be
    /// asked for at once.
    // spec: opstack 2.1 |2, opstack 3.15
    fn find_commitments(&mut self, chain: &ChainConfig, log: &mut DropLog) {
        let Some(alt_da) = &chain.rollup.alt_da else {
            return;
        };
        if !self.missing_blobs.is_empty() {
            return;
        }
        let l1_hash = self.block.hash;
        let next_item = &mut self.next_item;
        self.items = core::mem::take(&mut self.items)
            .into_iter()
            .filter_map(|item| {
                let Item::Data(data) = item else {
                    return Some(item);
                };
                match read_commitment(alt_da, &data) {
                    Ok(None) => Some(Item::Data(data)),
                    Ok(Some(commitment)) => {
                        let item = *next_item;
                        *next_item += 1;
                        let id = PayloadId { l1_hash, item };
                        Some(Item::Commitment(Pending::new(id, commitment, self.block)))
                    }
                    Err(reason) => {
                        log.record(self.block.id(), reason);
                        None
                    }
                }
            })
            .collect();
    }

    fn next(
        &mut self,
        chain: &ChainConfig,
        challenges: &mut Challenges,
        log: &mut DropLog,
    ) -> Pull<Bytes> {
        while let Some(item) = self.items.front() {
            let taken = match item {
                Item::Data(data) => Ok(data.clone()),
                Item::Commitment(pending) => match pending.resolve(chain, challenges) {
                    Resolved::Need(request) => return Err(Stop::Need(request)),
                    Resolved::Item(data) => {
                        challenges.use_commitment(pending.commitment().clone(), self.block);
                        Ok(data)
                    }
                    Resolved::Dropped(reason) => Err(reason),
                },
                // blobs are filled in before the first item is taken
                Item::Blob => return Err(bug("a blob was not filled in")),
            };
            self.items.pop_front();
            match taken {
                Ok(data) => return Ok(data),
                Err(reason) => log.record(self.block.id(), reason),
            }
        }
        Err(Stop::OutOfData)
    }
}
