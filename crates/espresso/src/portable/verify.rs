//! Checking a portable proof, claim by claim.

use super::{BatcherError, FinalBlock, HotShotEvidence, PortableProof, batcher::History};
use crate::{
    batch::{DecodeError, SignedBatch},
    block_merkle::{BlockPath, HEIGHT, PathError},
    epochs::Epochs,
    finality::FinalityError,
    header::Header,
    light_client::{LightClientError, LightClientState},
    streamer::Place,
    tagged::BlockHash,
    vid::{NamespaceProofError, VidParams, verify_namespace},
};
use alloy_consensus::Header as L2Header;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_rlp::Decodable;
use std::collections::BTreeMap;
use thiserror::Error;

/// What the reader believes.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The stake tables.
    pub epochs: Epochs,
    /// What the light client's contract on L1 says, if the reader has asked it.
    pub light_client: Option<LightClientState>,
    /// L1 blocks that the reader knows to be final.
    pub l1_blocks: Vec<B256>,
    /// The rollup's namespace: its chain id.
    pub namespace: u64,
    /// The rollup's BatchAuthenticator on L1, if it keeps a history.
    pub authenticator: Option<Address>,
}

/// What a proof may claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// (a) HotShot's block is final.
    Final,
    /// (b) The batch of the L2 block is in the rollup's namespace of it.
    Included,
    /// (c) The batch is signed by who was the batcher.
    Signed,
    /// (d) The L2 block builds on the anchor.
    Linked,
    /// (e) It is the first of its number, and so are those between it and the anchor.
    First,
}

impl Claim {
    /// All claims, in order.
    pub const ALL: [Self; 5] = [
        Self::Final,
        Self::Included,
        Self::Signed,
        Self::Linked,
        Self::First,
    ];

    /// What it says.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Final => "the HotShot block is final",
            Self::Included => "the batch is in the rollup's namespace of it",
            Self::Signed => "the batch is signed by the batcher of that time",
            Self::Linked => "the L2 block builds on the anchor",
            Self::First => "the L2 block is the first of its number since the anchor",
        }
    }

    /// A name for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Final => "final",
            Self::Included => "included",
            Self::Signed => "signed",
            Self::Linked => "linked",
            Self::First => "first",
        }
    }
}

/// Why a claim does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The proof is of another rollup.
    #[error("the proof is of namespace {found}, not {expected}")]
    Namespace {
        /// The reader's.
        expected: u64,
        /// The proof's.
        found: u64,
    },
    /// The block is not final.
    #[error(transparent)]
    Finality(#[from] FinalityError),
    /// The light client's root does not show the block.
    #[error(transparent)]
    LightClient(#[from] LightClientError),
    /// The reader has not asked the light client's contract, or for another state.
    #[error("the state of the light client's contract at height {0} is not known")]
    NoLightClient(u64),
    /// The block is not an ancestor of the final one.
    #[error("HotShot block {height}: {error}")]
    Ancestor {
        /// The block.
        height: u64,
        /// What is wrong.
        error: PathError,
    },
    /// The block with the batch is missing.
    #[error("HotShot block {0} is not in the proof")]
    NoHotShotBlock(u64),
    /// (k, n) are not known without the stake table.
    #[error("into how many shares block {0} is encoded is not known")]
    NoShares(u64),
    /// The namespace proof does not hold.
    #[error("HotShot block {height}: {error}")]
    Namespaces {
        /// The block.
        height: u64,
        /// What is wrong.
        error: NamespaceProofError,
    },
    /// There is no such transaction.
    #[error("the namespace has no transaction {0}")]
    NoTransaction(usize),
    /// The transaction is no batch.
    #[error("the transaction is no batch: {0}")]
    Decode(#[from] DecodeError),
    /// The batch is of another L2 block.
    #[error("the batch is of L2 block {0}")]
    OtherBlock(B256),
    /// HotShot knew no final L1 block.
    #[error("HotShot block {0} names no final L1 block")]
    NoFinalized(u64),
    /// It is not shown who may sign.
    #[error(transparent)]
    Batcher(#[from] BatcherError),
    /// Somebody else signed.
    #[error("{signer} signed, and the batcher is {batcher:?}")]
    Signer {
        /// Who signed.
        signer: Address,
        /// Who may.
        batcher: Option<Address>,
    },
    /// An L2 header is not one.
    #[error("L2 header {0} is not the RLP of one")]
    L2Header(usize),
    /// An L2 header does not follow the one before.
    #[error("L2 header {0} does not build on the one before it")]
    Link(usize),
    /// The last L2 header is not the block's.
    #[error("the last L2 header is {0}, not the block's")]
    LinkEnd(B256),
    /// The HotShot blocks are not all since the anchor.
    #[error("HotShot block {found} stands where {expected} must")]
    Gap {
        /// What must be there.
        expected: u64,
        /// What is.
        found: u64,
    },
    /// No batch builds on an L2 block between the anchor and this one.
    #[error("no batch for L2 block {0} builds on the one before it")]
    NoBatch(u64),
    /// The first batch for a number is another.
    #[error("the first batch for L2 block {number} is {found}, at HotShot block {height}")]
    NotFirst {
        /// The number.
        number: u64,
        /// The block of the first batch.
        found: B256,
        /// Where it stands.
        height: u64,
    },
    /// Another claim is needed for this one.
    #[error("it needs that {}", .0.text())]
    Needs(Claim),
}

impl Failure {
    /// Whether the claim may hold, and the reader lacks something to know it.
    pub const fn is_unavailable(&self) -> bool {
        match self {
            Self::NoLightClient(_)
            | Self::NoShares(_)
            | Self::Batcher(BatcherError::Unknown(_)) => true,
            Self::Finality(error) => error.is_unavailable(),
            _ => false,
        }
    }
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is shown.
    Holds,
    /// The proof does not carry it.
    NotCarried,
    /// It is carried, and not shown.
    Fails(Failure),
}

/// What became of all claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    outcomes: BTreeMap<Claim, Outcome>,
}

impl Report {
    /// What became of a claim.
    pub fn outcome(&self, claim: Claim) -> &Outcome {
        self.outcomes.get(&claim).unwrap_or(&Outcome::NotCarried)
    }

    /// Whether all of these claims hold.
    pub fn holds(&self, claims: &[Claim]) -> bool {
        claims
            .iter()
            .all(|claim| *self.outcome(*claim) == Outcome::Holds)
    }
}

/// What is shown of HotShot's blocks on the way.
struct Checker<'a> {
    proof: &'a PortableProof,
    trust: &'a Trust,
    root: Result<Root<'a>, Failure>,
}

/// By what HotShot's blocks are final.
#[derive(Clone, Copy)]
enum Root<'a> {
    Header(&'a Header),
    LightClient(LightClientState),
}

impl<'a> Root<'a> {
    fn find(proof: &'a FinalBlock, trust: &Trust) -> Result<Self, Failure> {
        match proof {
            FinalBlock::Certificate(proof) => {
                Ok(Self::Header(&proof.verify(&trust.epochs)?.block_header))
            }
            FinalBlock::LightClient { height } => {
                let state = trust.light_client.filter(|state| state.height == *height);
                state
                    .map(Self::LightClient)
                    .ok_or(Failure::NoLightClient(*height))
            }
        }
    }
}

/// Checks all claims that a proof carries. A claim that rests on another holds only if that does.
pub fn verify(proof: &PortableProof, trust: &Trust) -> Report {
    let root = Root::find(&proof.final_block, trust);
    let checker = Checker { proof, trust, root };
    let mut outcomes = BTreeMap::new();
    let outcome = |result: Result<(), Failure>| match result {
        Ok(()) => Outcome::Holds,
        Err(failure) => Outcome::Fails(failure),
    };
    let carrier = checker.carrier();
    let is_final = carrier.and_then(|evidence| checker.is_final(evidence));
    let batch = checker
        .carrier()
        .and_then(|evidence| checker.batch(evidence));
    let needs = |claim, result: &Result<(), Failure>| match result {
        Ok(()) => Ok(()),
        Err(_) => Err(Failure::Needs(claim)),
    };
    // that a batch is in a block that is not final says nothing
    let included =
        needs(Claim::Final, &is_final).and(batch.as_ref().map(|_| ()).map_err(Clone::clone));
    let history = checker.history();
    let signed = history.as_ref().map(|history| {
        needs(Claim::Included, &included)?;
        let history = history.as_ref().map_err(Clone::clone)?;
        let signer = batch.as_ref().map_err(Clone::clone)?.signer;
        checker.may_sign(checker.carrier()?, history, signer)
    });
    let linked = (!proof.l2_headers.is_empty()).then(|| checker.link().map(|_| ()));
    let first = proof.complete.then(|| {
        match (&signed, &linked) {
            (None, _) => return Err(Failure::Needs(Claim::Signed)),
            (_, None) => return Err(Failure::Needs(Claim::Linked)),
            (Some(signed), Some(linked)) => {
                needs(Claim::Signed, signed)?;
                needs(Claim::Linked, linked)?;
            }
        }
        match &history {
            Some(Ok(history)) => checker.is_first(history),
            _ => Err(Failure::Needs(Claim::Signed)),
        }
    });
    let optional =
        |result: Option<Result<(), Failure>>| result.map_or(Outcome::NotCarried, outcome);
    outcomes.insert(Claim::Final, outcome(is_final));
    outcomes.insert(Claim::Included, outcome(included));
    outcomes.insert(Claim::Signed, optional(signed));
    outcomes.insert(Claim::Linked, optional(linked));
    outcomes.insert(Claim::First, optional(first));
    Report { outcomes }
}

impl<'a> Checker<'a> {
    /// The block with the batch.
    fn carrier(&self) -> Result<&'a HotShotEvidence, Failure> {
        let (expected, found) = (self.trust.namespace, self.proof.namespace);
        if expected != found {
            return Err(Failure::Namespace { expected, found });
        }
        let height = self.proof.place.height;
        let mut blocks = self.proof.hotshot.iter();
        let found = blocks.find(|evidence| evidence.header.height() == height);
        found.ok_or(Failure::NoHotShotBlock(height))
    }

    /// (a): the block is the final one, or an ancestor of it by its tree of blocks.
    fn is_final(&self, evidence: &HotShotEvidence) -> Result<(), Failure> {
        let (header, hash) = (&evidence.header, evidence.header.commit());
        let height = header.height();
        let path = evidence
            .path
            .as_deref()
            .map(|path| read_path(path, height))
            .transpose()?;
        match self.root.clone()? {
            Root::Header(last) => self.is_ancestor(last, height, &hash, path.as_ref()),
            Root::LightClient(state) => {
                let shape = Failure::Ancestor {
                    height,
                    error: PathError::Shape(0),
                };
                Ok(state.verify(header, &path.ok_or(shape)?)?)
            }
        }
    }

    fn is_ancestor(
        &self,
        last: &Header,
        height: u64,
        hash: &BlockHash,
        path: Option<&BlockPath>,
    ) -> Result<(), Failure> {
        match path {
            None if last.commit() == *hash => Ok(()),
            None => Err(Failure::Ancestor {
                height,
                error: PathError::OtherBlock,
            }),
            Some(path) => {
                let tree = &last.fields().block_merkle_tree_root;
                path.verify(height, hash, tree)
                    .map_err(|error| Failure::Ancestor { height, error })
            }
        }
    }

    fn params(&self, height: u64) -> Result<VidParams, Failure> {
        self.trust
            .epochs
            .vid_params(height)
            .ok_or(Failure::NoShares(height))
    }

    /// The namespace's transactions in a block.
    fn transactions(&self, evidence: &HotShotEvidence) -> Result<Vec<Bytes>, Failure> {
        let height = evidence.header.height();
        let namespace = evidence.namespace.as_ref();
        let params = self.params(height)?;
        verify_namespace(&evidence.header, params, self.proof.namespace, namespace)
            .map_err(|error| Failure::Namespaces { height, error })
    }

    /// (b): the batch.
    fn batch(&self, evidence: &HotShotEvidence) -> Result<SignedBatch, Failure> {
        let index = self.proof.place.index;
        let transactions = self.transactions(evidence)?;
        let payload = transactions
            .get(index)
            .ok_or(Failure::NoTransaction(index))?;
        let signed = SignedBatch::decode(payload)?;
        if signed.batch.hash != self.proof.block {
            return Err(Failure::OtherBlock(signed.batch.hash));
        }
        Ok(signed)
    }

    /// The batchers, if the proof carries them and the rollup's contract keeps them.
    fn history(&self) -> Option<Result<History, Failure>> {
        let authenticator = self.trust.authenticator?;
        let proof = self.proof.batcher.as_ref()?;
        let block = proof.l1_block();
        // a final HotShot block vouches for the L1 block that it names
        let is_named = || {
            let finalized = self
                .carrier()
                .ok()
                .and_then(|e| e.header.fields().l1_finalized);
            finalized.is_some_and(|finalized| finalized.hash == block)
        };
        Some(if self.trust.l1_blocks.contains(&block) || is_named() {
            proof.read(authenticator).map_err(Failure::from)
        } else {
            Err(BatcherError::Unknown(block).into())
        })
    }

    /// (c): whether somebody was the batcher at the L1 block that a HotShot block names.
    fn may_sign(
        &self,
        evidence: &HotShotEvidence,
        history: &History,
        signer: Address,
    ) -> Result<(), Failure> {
        let batcher = self.batcher(evidence, history)?;
        if batcher == Some(signer) {
            Ok(())
        } else {
            Err(Failure::Signer { signer, batcher })
        }
    }

    fn batcher(
        &self,
        evidence: &HotShotEvidence,
        history: &History,
    ) -> Result<Option<Address>, Failure> {
        let height = evidence.header.height();
        let finalized = evidence.header.fields().l1_finalized;
        let finalized = finalized.ok_or(Failure::NoFinalized(height))?;
        Ok(history.at(finalized.number)?)
    }

    /// (d): the hashes of the L2 blocks after the anchor.
    fn link(&self) -> Result<Vec<B256>, Failure> {
        let anchor = &self.proof.anchor;
        let (mut parent, mut number) = (anchor.hash, anchor.number);
        let mut hashes = Vec::with_capacity(self.proof.l2_headers.len());
        for (at, raw) in self.proof.l2_headers.iter().enumerate() {
            let mut rest = raw.0.as_ref();
            let header = L2Header::decode(&mut rest).map_err(|_| Failure::L2Header(at))?;
            if !rest.is_empty() {
                return Err(Failure::L2Header(at));
            }
            if header.parent_hash != parent || number.checked_add(1) != Some(header.number) {
                return Err(Failure::Link(at));
            }
            (parent, number) = (keccak256(&raw.0), header.number);
            hashes.push(parent);
        }
        if parent == self.proof.block {
            Ok(hashes)
        } else {
            Err(Failure::LinkEnd(parent))
        }
    }

    /// (e): of all batches since the anchor by who may sign, the first for each number that builds on
    /// the one before is the one of the link. One that breaks a rule of derivation counts here as any
    /// other: to know that it does takes L1's blocks, and a proof that does not hold is no harm.
    fn is_first(&self, history: &History) -> Result<(), Failure> {
        let mut candidates: BTreeMap<(u64, B256), (Place, B256)> = BTreeMap::new();
        let mut expected = self.proof.anchor.hotshot_height;
        for evidence in &self.proof.hotshot {
            let height = evidence.header.height();
            if height != expected {
                return Err(Failure::Gap {
                    expected,
                    found: height,
                });
            }
            expected = expected.saturating_add(1);
            self.is_final(evidence)?;
            for (index, payload) in self.transactions(evidence)?.iter().enumerate() {
                let Ok(signed) = SignedBatch::decode(payload) else {
                    continue;
                };
                if self.batcher(evidence, history)? != Some(signed.signer) {
                    continue;
                }
                let key = (signed.batch.number(), signed.batch.header.parent_hash);
                let place = Place { height, index };
                candidates.entry(key).or_insert((place, signed.batch.hash));
            }
        }
        let anchor = &self.proof.anchor;
        let mut parent = anchor.hash;
        for (hash, number) in self
            .link()?
            .into_iter()
            .zip(anchor.number.saturating_add(1)..)
        {
            let (place, found) = *candidates
                .get(&(number, parent))
                .ok_or(Failure::NoBatch(number))?;
            if found != hash {
                let height = place.height;
                return Err(Failure::NotFirst {
                    number,
                    found,
                    height,
                });
            }
            parent = hash;
        }
        Ok(())
    }
}

fn read_path(path: &[[B256; 2]], height: u64) -> Result<BlockPath, Failure> {
    let levels: [[B256; 2]; HEIGHT] = path.try_into().map_err(|_| Failure::Ancestor {
        height,
        error: PathError::Shape(path.len()),
    })?;
    Ok(BlockPath(levels.map(|level| level.map(|hash| hash.0))))
}
