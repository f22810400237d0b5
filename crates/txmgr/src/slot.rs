//! One nonce: a transaction in all its versions.

use crate::{
    CallId, FailReason, Fees, Inclusion, Millis, RequestId, SendState, Signed, TxKind, TxRequest,
    UnsignedTx, ZERO_BLOB_HASH,
};
use alloy_primitives::{Address, B256, Bytes, U256};
use doppio_protocol::block::BlockId;
use std::sync::Arc;

/// What a version does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// What the request asks for.
    Payload,
    /// Nothing: it uses up the nonce.
    Nothing,
    /// Something that was sent before the start, or by somebody else.
    Foreign,
}

/// A signed version.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) hash: B256,
    /// None for one that is only known by its hash.
    pub(crate) signed: Option<Signed>,
    pub(crate) does: Does,
    pub(crate) kind: TxKind,
    pub(crate) gas_limit: u64,
    pub(crate) fees: Fees,
    pub(crate) blob_hashes: Arc<[B256]>,
    /// Whether it may be in a pool: not if all endpoints refused it.
    pub(crate) is_out: bool,
}

/// What a transaction does, without nonce and fees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) does: Does,
    pub(crate) to: Option<Address>,
    pub(crate) value: U256,
    pub(crate) data: Bytes,
    pub(crate) blob_hashes: Arc<[B256]>,
    /// None if it is yet to be estimated.
    pub(crate) gas_limit: Option<u64>,
}

/// Gas of a transfer.
const TRANSFER_GAS: u64 = 21_000;

impl Content {
    pub(crate) fn of(request: &TxRequest) -> Self {
        Self {
            does: Does::Payload,
            to: request.to,
            value: request.value,
            data: request.data.clone(),
            blob_hashes: request.blob_hashes.as_slice().into(),
            gas_limit: request.gas_limit,
        }
    }

    /// An empty transfer to ourselves.
    pub(crate) fn nothing(address: Address, kind: TxKind) -> Self {
        let blob_hashes: &[B256] = match kind {
            TxKind::Plain => &[],
            TxKind::Blob => &[ZERO_BLOB_HASH],
        };
        Self {
            does: Does::Nothing,
            to: Some(address),
            value: U256::ZERO,
            data: Bytes::new(),
            blob_hashes: blob_hashes.into(),
            gas_limit: Some(TRANSFER_GAS),
        }
    }

    /// The request again, of a transaction that was not handed in.
    pub(crate) fn to_request(&self, estimates: bool) -> TxRequest {
        TxRequest {
            to: self.to,
            value: self.value,
            data: self.data.clone(),
            blob_hashes: self.blob_hashes.to_vec(),
            gas_limit: self.gas_limit.filter(|_| !estimates),
        }
    }

    pub(crate) fn kind(&self) -> TxKind {
        if self.blob_hashes.is_empty() {
            TxKind::Plain
        } else {
            TxKind::Blob
        }
    }
}

/// The request that a nonce was taken for.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) id: RequestId,
    /// Set once it is given up.
    pub(crate) given_up: Option<FailReason>,
    /// When it is given up if it is not mined; none for never.
    pub(crate) send_deadline: Option<Millis>,
    /// Whether its gas is estimated anew when it is bumped.
    pub(crate) estimates: bool,
}

/// What a slot waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Idle,
    Estimating(CallId),
    Signing(CallId),
    /// The version with this index.
    Publishing(CallId, usize),
}

/// How a nonce was used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mined {
    /// By this version.
    Version(usize, Inclusion),
    /// By a transaction that is not known; the height at which that was seen.
    Unknown(u64),
}

impl Mined {
    pub(crate) const fn height(&self) -> u64 {
        match self {
            Self::Version(_, inclusion) => inclusion.block.number,
            Self::Unknown(height) => *height,
        }
    }
}

/// A nonce that was given out, or was in the pool at the start.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) nonce: u64,
    /// None for what is in nobody's name: leftovers, and what clears the pool.
    pub(crate) owner: Option<Owner>,
    /// What the next version does.
    pub(crate) content: Content,
    /// Oldest first.
    pub(crate) versions: Vec<Version>,
    pub(crate) state: SendState,
    pub(crate) step: Step,
    pub(crate) mined: Option<Mined>,
    /// When it was found to be mined by one of its versions.
    pub(crate) mined_at: Millis,
    /// Whether the block that it was found in is known to be canonical, since the last doubt.
    pub(crate) is_checked: bool,
    /// Whether it was known to be canonical together with all others of which this is said: if one of
    /// them is canonical, so are those below it.
    pub(crate) was_checked: bool,
    /// Whether its end was told.
    pub(crate) has_ended: bool,
    /// Whether a version is to be signed.
    pub(crate) wants_version: bool,
    /// Whether this is because a pool asked for more, which is heeded once between two timers.
    pub(crate) was_underpriced: bool,
    /// When its newest version is handed in; none while nothing is to be handed in.
    pub(crate) publish_at: Option<Millis>,
    /// When it is bumped. Counted from when it became the next that can be mined.
    pub(crate) bump_at: Option<Millis>,
    /// When something that failed is tried again.
    pub(crate) retry_at: Millis,
    /// Failures to have it signed or its gas estimated, one after the other.
    pub(crate) failures: u64,
    /// Refusals as too high a nonce, one after the other.
    pub(crate) nonce_too_high: u64,
    /// Whether something that uses up its nonce for nothing was handed in at least once, or cannot be
    /// paid.
    pub(crate) cancel_was_tried: bool,
    /// What the last refusal said.
    pub(crate) last_words: String,
    /// When a round first found that the nonce is used and none of the versions on the chain.
    pub(crate) missing_since: Option<Millis>,
    /// Rounds in a row that found the nonce to be free, though it was seen to be used.
    pub(crate) free_rounds: u64,
    /// What is being signed.
    pub(crate) making: Option<UnsignedTx>,
    /// Whether the gas limit was estimated for the version to be.
    pub(crate) gas_is_fresh: bool,
    /// Whether nothing new may be sent before it is mined.
    pub(crate) bars: bool,
    /// The call that looks for its versions.
    pub(crate) look_up: Option<CallId>,
    /// Whether its versions are to be looked for.
    pub(crate) wants_look_up: bool,
}

impl Slot {
    pub(crate) fn new(
        nonce: u64,
        owner: Option<Owner>,
        content: Content,
        state: SendState,
    ) -> Self {
        Self {
            nonce,
            owner,
            content,
            versions: Vec::new(),
            state,
            step: Step::Idle,
            mined: None,
            mined_at: 0,
            is_checked: false,
            was_checked: false,
            has_ended: false,
            wants_version: true,
            was_underpriced: false,
            publish_at: None,
            bump_at: None,
            retry_at: 0,
            failures: 0,
            nonce_too_high: 0,
            cancel_was_tried: false,
            last_words: String::new(),
            missing_since: None,
            free_rounds: 0,
            making: None,
            gas_is_fresh: true,
            bars: false,
            look_up: None,
            wants_look_up: false,
        }
    }

    pub(crate) fn id(&self) -> Option<RequestId> {
        self.owner.as_ref().map(|owner| owner.id)
    }

    pub(crate) fn given_up(&self) -> Option<&FailReason> {
        self.owner.as_ref()?.given_up.as_ref()
    }

    pub(crate) const fn is_mined(&self) -> bool {
        self.mined.is_some()
    }

    /// Whether it is the request of somebody, and is still wanted.
    pub(crate) fn is_wanted(&self) -> bool {
        self.owner
            .as_ref()
            .is_some_and(|owner| owner.given_up.is_none())
    }

    /// Whether a version of it may be in a pool.
    pub(crate) fn is_out(&self) -> bool {
        matches!(self.step, Step::Publishing(..)) || self.versions.iter().any(|one| one.is_out)
    }

    /// The version that is handed in: the newest that does what is wanted, and is of the kind that
    /// is wanted.
    pub(crate) fn current(&self) -> Option<(usize, &Version)> {
        let (does, kind) = (self.content.does, self.content.kind());
        let mut versions = self.versions.iter().enumerate().rev();
        versions.find(|(_, one)| one.signed.is_some() && one.does == does && one.kind == kind)
    }

    /// The newest version of the kind that is wanted, whatever it does; of any kind if there is none.
    pub(crate) fn newest(&self) -> Option<(usize, &Version)> {
        let kind = self.content.kind();
        let signed = self.versions.iter().enumerate().rev();
        let mut signed = signed.filter(|(_, one)| one.signed.is_some());
        let newest = signed.clone().next();
        signed.find(|(_, one)| one.kind == kind).or(newest)
    }

    /// The kind of transaction that pools have under this nonce; none if that is not known.
    pub(crate) fn pool_kind(&self) -> Option<TxKind> {
        let out = self.versions.iter().rev().find(|one| one.is_out);
        match (out, self.owner.is_some()) {
            (Some(version), _) => Some(version.kind),
            (None, true) => Some(self.content.kind()),
            (None, false) => None,
        }
    }

    /// What its versions cost at most, and the one that is being signed: one of them is mined.
    pub(crate) fn worst_cost(&self) -> u128 {
        let made = self
            .versions
            .iter()
            .map(|one| one.fees.worst_cost(one.gas_limit, one.blob_hashes.len()));
        let making = self
            .making
            .iter()
            .map(|tx| tx.fees.worst_cost(tx.gas_limit, tx.blob_hashes.len()));
        made.chain(making).max().unwrap_or_default()
    }

    /// The block that one of its versions was found in.
    pub(crate) const fn block(&self) -> Option<BlockId> {
        match &self.mined {
            Some(Mined::Version(_, inclusion)) => Some(inclusion.block),
            _ => None,
        }
    }

    /// What was paid for it; none if it is not mined, or by somebody else's.
    pub(crate) fn cost(&self) -> Option<u128> {
        match &self.mined {
            Some(Mined::Version(index, inclusion)) => {
                let version = self.versions.get(*index)?;
                version.signed.as_ref().map(|_| inclusion.cost())
            }
            _ => None,
        }
    }

    /// Whether it used up its nonce for what it was asked for.
    pub(crate) fn payload(&self) -> Option<&Inclusion> {
        match &self.mined {
            Some(Mined::Version(index, inclusion)) => {
                let does = self.versions.get(*index).map(|one| one.does);
                (does == Some(Does::Payload)).then_some(inclusion)
            }
            _ => None,
        }
    }
}

impl Slot {
    /// There is no new version: the old one is handed in again.
    pub(crate) fn keep_old_version(&mut self, now: Millis) {
        self.wants_version = false;
        self.gas_is_fresh = false;
        self.publish_at = Some(now);
    }

    /// It was mined, and is no longer: it goes to the pools again. What was given up when it was mined
    /// already still has to be replaced.
    pub(crate) fn is_open_again(&mut self, now: Millis) {
        self.mined = None;
        self.has_ended = false;
        self.missing_since = None;
        self.state.not_mined();
        self.publish_at = Some(now);
        self.bump_at = None;
        self.wants_version = self.given_up().is_some() && self.current().is_none();
    }

    /// When it is handed in again, unless it is mined.
    pub(crate) const fn hand_in_at(&mut self, time: Millis) {
        if self.mined.is_none() {
            self.publish_at = Some(time);
        }
    }

    /// A version may be in a pool.
    pub(crate) fn is_out_now(&mut self, index: usize) {
        if let Some(version) = self.versions.get_mut(index) {
            version.is_out = true;
        }
    }

    /// A pool has a version.
    pub(crate) fn accept(&mut self, index: usize) {
        self.is_out_now(index);
        self.state.accepted();
        self.nonce_too_high = 0;
    }
}
