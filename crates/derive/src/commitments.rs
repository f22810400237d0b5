//! Data items that stand for data elsewhere: alt-DA commitments.

use crate::{
    challenges::{ChallengeStatus, Challenges},
    drops::DropReason,
    step::{PayloadAnswer, PayloadId, PayloadRequest, Request, SupplyError},
};
use alloy_primitives::{Bytes, keccak256};
use doppio_protocol::{
    L1BlockRef,
    commitment::{Commitment, DERIVATION_VERSION_1},
    config::{AltDaConfig, ChainConfig, CommitmentType},
    l1::L1Block,
};

/// A commitment whose payload takes its place.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    id: PayloadId,
    commitment: Commitment,
    l1_block: L1BlockRef,
    answer: Answer,
}

#[derive(Clone, Debug)]
enum Answer {
    /// None yet.
    Open,
    /// Nobody has the data. It is worth asking again once L1 is read to this height.
    NotFound(u64),
    /// The payload, or why there is none.
    Known(Result<Bytes, String>),
}

/// What has become of a commitment.
#[derive(Clone, Debug)]
pub(crate) enum Resolved {
    /// The data item that it stands for.
    Item(Bytes),
    /// Nothing: it does not count.
    Dropped(DropReason),
    /// It is not known yet.
    Need(Request),
}

impl Pending {
    pub(crate) const fn new(id: PayloadId, commitment: Commitment, l1_block: L1BlockRef) -> Self {
        Self {
            id,
            commitment,
            l1_block,
            answer: Answer::Open,
        }
    }

    pub(crate) const fn id(&self) -> PayloadId {
        self.id
    }

    pub(crate) const fn commitment(&self) -> &Commitment {
        &self.commitment
    }

    /// Whether there is no answer yet.
    pub(crate) const fn is_open(&self) -> bool {
        !matches!(self.answer, Answer::Known(_))
    }

    /// The request for the payload.
    pub(crate) fn request(&self, chain: &ChainConfig, challenges: &Challenges) -> PayloadRequest {
        let inclusion = self.l1_block.number;
        PayloadRequest {
            id: self.id,
            commitment: self.commitment.clone(),
            l1_block: self.l1_block,
            lost: matches!(self.answer, Answer::NotFound(_))
                && challenges.is_past_challenging(chain, &self.commitment, inclusion),
        }
    }

    /// Takes an answer of the DA layer.
    // spec: opstack 3.15
    pub(crate) fn supply(
        &mut self,
        answer: PayloadAnswer,
        challenges: &Challenges,
    ) -> Result<(), SupplyError> {
        match answer {
            PayloadAnswer::Later => {}
            PayloadAnswer::NotFound => {
                if let Some(next) = challenges.next_to_read() {
                    self.answer = Answer::NotFound(next);
                }
            }
            PayloadAnswer::Dropped(reason) => self.answer = Answer::Known(Err(reason)),
            PayloadAnswer::Payload(bytes) => {
                if matches!(self.commitment, Commitment::Keccak(hash) if keccak256(&bytes) != hash)
                {
                    return Err(SupplyError::PayloadMismatch);
                }
                self.answer = Answer::Known(Ok(bytes));
            }
        }
        Ok(())
    }

    /// What has become of the commitment, as far as L1 was read.
    // spec: opstack 3.15
    pub(crate) fn resolve(&self, chain: &ChainConfig, challenges: &Challenges) -> Resolved {
        match challenges.status(&self.commitment, self.l1_block.number) {
            ChallengeStatus::Expired => return Resolved::Dropped(DropReason::ChallengeExpired),
            ChallengeStatus::Resolved(input) => return self.check(chain, Ok(input)),
            ChallengeStatus::Unchallenged | ChallengeStatus::Active => {}
        }
        if let Answer::Known(answer) = &self.answer {
            return self.check(chain, answer.clone());
        }
        let request = self.request(chain, challenges);
        Resolved::Need(match (&self.answer, challenges.next_to_read()) {
            // Once the data is lost the reference stops for good. Waiting is as safe, and ends
            // when the data turns up.
            (Answer::NotFound(height), Some(next)) if next <= *height && !request.lost => {
                Request::LaterL1Block(next)
            }
            _ => Request::Payload(request),
        })
    }

    /// The payload, which stands for the commitment from then on.
    // spec: opstack 2.8 |8, opstack 3.15
    fn check(&self, chain: &ChainConfig, answer: Result<Bytes, String>) -> Resolved {
        let payload = match answer {
            Ok(payload) => payload,
            Err(reason) => return Resolved::Dropped(DropReason::Payload(reason)),
        };
        let (size, limit) = (payload.len(), chain.keccak_max_input_size());
        if matches!(self.commitment, Commitment::Keccak(_)) && size as u64 > limit {
            return Resolved::Dropped(DropReason::PayloadTooLarge { size, limit });
        }
        Resolved::Item(payload)
    }
}

/// The commitment that a data item is, if it is one.
// spec: opstack 2.1 |2
pub(crate) fn read_commitment(
    alt_da: &AltDaConfig,
    data: &Bytes,
) -> Result<Option<Commitment>, DropReason> {
    match data.first() {
        None => Err(DropReason::EmptyItem),
        Some(&DERIVATION_VERSION_1) => {
            let commitment =
                Commitment::decode(&data.slice(1..)).map_err(DropReason::Commitment)?;
            // spec: opstack-2026-09 3.15 *3
            let commitment_type = match commitment {
                Commitment::Keccak(_) => CommitmentType::Keccak,
                Commitment::Generic(_) => CommitmentType::Generic,
            };
            if commitment_type != alt_da.da_commitment_type {
                return Err(DropReason::CommitmentType);
            }
            Ok(Some(commitment))
        }
        // Frames on Ethereum itself: the batcher fell back.
        Some(_) => Ok(None),
    }
}

/// The alt-DA commitments in an L1 block, whoever posted them: what retrieval may ask for once it
/// reads the block, so that payloads can be fetched ahead. Blobs are not looked into.
pub fn foresee_commitments(chain: &ChainConfig, block: &L1Block) -> Vec<Commitment> {
    let Some(alt_da) = &chain.rollup.alt_da else {
        return Vec::new();
    };
    block
        .inbox
        .iter()
        .filter_map(|inbox| {
            read_commitment(alt_da, &inbox.transaction.input())
                .ok()
                .flatten()
        })
        .collect()
}
