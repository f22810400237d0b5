//! Which transactions to the inbox count.
//!
//! Five rules, one place: nothing else in derivation knows who may post.

use crate::{
    drops::InboxRefusal,
    pull::{Pull, Stop},
    step::Request,
};
use alloy_primitives::{Address, B256, b256, keccak256};
use doppio_protocol::{
    config::{ActiveAuth, BatchAuth, ChainConfig, Fork, SignatureForm},
    deposit::DEPOSIT_TX_TYPE,
    l1::{InboxTransaction, L1Block, L1Transaction},
};
use std::collections::{BTreeMap, VecDeque};

/// EIP-2718 type byte of blob transactions.
pub(crate) const BLOB_TX_TYPE: u8 = 3;

/// Bytes of the signature that the inline form keeps at the end of the calldata.
// spec: espresso 5.5
pub const INLINE_SIGNATURE_LENGTH: usize = 65;

/// Topic 0 of generation 2's `BatchInfoAuthenticated(bytes32)`.
// spec: opstack 2.9 |2
pub const BATCH_INFO_AUTHENTICATED: B256 =
    b256!("ee0d07d204d979d28885955e59a46f754c4db7378b7df1a95123525aac6e3f80");
/// Topic 0 of generation 3's and 4's `BatchInfoAuthenticated(bytes32,address)`.
// spec: opstack 2.9 |2
pub const BATCH_INFO_AUTHENTICATED_BY: B256 =
    b256!("731978a77d438b0ea35a9034fb28d9cf9372e1649f18c213110adcfab65c5c5c");

/// The commitment of an inbox transaction that authentication is about.
// spec: opstack 2.9 |4, espresso 5.1
pub fn batch_commitment(transaction: &L1Transaction) -> B256 {
    if transaction.tx_type() == BLOB_TX_TYPE {
        keccak256(transaction.blob_versioned_hashes().concat())
    } else {
        keccak256(transaction.input())
    }
}

/// Authentications in one L1 block: commitment to caller. Generation 2 names no caller.
type BlockEvents = BTreeMap<B256, Address>;

/// Reads the authentications out of a block.
// spec: opstack 2.9 |2 |8, espresso 5.4
fn events_of(block: &L1Block, auth: &BatchAuth) -> BlockEvents {
    let mut events = BlockEvents::new();
    for (_, log) in block.logs() {
        match auth {
            BatchAuth::AuthEvent { authenticator, .. } if log.address == *authenticator => {
                if let [BATCH_INFO_AUTHENTICATED, commitment, ..] = log.topics() {
                    events.insert(*commitment, Address::ZERO);
                }
            }
            BatchAuth::AuthEventCaller { authenticator }
            | BatchAuth::AuthEventCallerDelayed { authenticator }
                if log.address == *authenticator =>
            {
                if let [BATCH_INFO_AUTHENTICATED_BY, caller, ..] = log.topics()
                    && let Some(commitment) = log.data.data.first_chunk::<32>()
                {
                    // a later log of the block takes the place of an earlier one
                    events.insert(B256::from(commitment), Address::from_word(*caller));
                }
            }
            _ => {}
        }
    }
    events
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct AuthBlock {
    hash: B256,
    parent_hash: B256,
    number: u64,
    events: BlockEvents,
}

/// The authentications of the L1 block that is read and of those before it, as far as the rule
/// looks back. Consecutive by parent hash, so an L1 reorganisation cannot mix two chains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuthWindow {
    /// Newest last.
    blocks: VecDeque<AuthBlock>,
}

impl AuthWindow {
    /// Takes the L1 block that is read next.
    pub(crate) fn push(&mut self, chain: &ChainConfig, block: &L1Block) {
        let lookback = chain.batch_auth.lookback();
        if lookback == 0 {
            return;
        }
        self.blocks.push_back(Self::reduce(chain, block));
        while self.blocks.len() as u64 > lookback + 1 {
            self.blocks.pop_front();
        }
    }

    fn reduce(chain: &ChainConfig, block: &L1Block) -> AuthBlock {
        AuthBlock {
            hash: block.header.hash,
            parent_hash: block.header.parent_hash,
            number: block.header.number,
            events: events_of(block, &chain.batch_auth.rule),
        }
    }

    /// Takes a block before the oldest one; says whether it was wanted.
    pub(crate) fn extend_back(&mut self, chain: &ChainConfig, block: &L1Block) -> bool {
        match self.blocks.front() {
            Some(oldest) if oldest.parent_hash == block.header.hash => {
                self.blocks.push_front(Self::reduce(chain, block));
                true
            }
            _ => false,
        }
    }

    /// Checks that the window reaches back far enough, or asks for the block before it.
    // spec: opstack 2.9 |5
    fn check_complete(&self, lookback: u64) -> Pull<()> {
        match self.blocks.front() {
            Some(oldest) if (self.blocks.len() as u64) <= lookback && oldest.number > 0 => {
                Err(Stop::Need(Request::AuthBlock(oldest.parent_hash)))
            }
            _ => Ok(()),
        }
    }

    /// The newest authentication of a commitment.
    fn find(&self, commitment: &B256) -> Option<Address> {
        self.blocks
            .iter()
            .rev()
            .find_map(|block| block.events.get(commitment))
            .copied()
    }
}

/// Decides about the inbox transactions of one L1 block.
pub(crate) struct Authorization<'a> {
    chain: &'a ChainConfig,
    active: ActiveAuth,
    batcher: Address,
    window: &'a AuthWindow,
}

impl<'a> Authorization<'a> {
    /// The rule for an L1 block; `batcher` is the SystemConfig's, as of the block. Asks for what
    /// the rule needs.
    pub(crate) fn new(
        chain: &'a ChainConfig,
        block: &L1Block,
        batcher: Address,
        window: &'a AuthWindow,
    ) -> Pull<Self> {
        let active = chain.batch_auth.at(block.header.timestamp);
        // a block without transactions to the inbox needs no window
        if !block.inbox.is_empty() {
            match active.rule {
                BatchAuth::AuthEvent {
                    window: lookback, ..
                } => window.check_complete(lookback)?,
                BatchAuth::AuthEventCaller { .. } => {
                    window.check_complete(chain.batch_auth.lookback())?;
                }
                _ => {}
            }
        }
        Ok(Self {
            chain,
            active,
            batcher,
            window,
        })
    }

    /// Whether a transaction to the inbox counts.
    // spec: opstack 2.3, opstack 2.9 |1 |3
    pub(crate) fn check(
        &self,
        block: &L1Block,
        inbox: &InboxTransaction,
    ) -> Result<(), InboxRefusal> {
        let transaction = &inbox.transaction;
        let tx_type = transaction.tx_type();
        if tx_type > BLOB_TX_TYPE && tx_type != DEPOSIT_TX_TYPE {
            return Err(InboxRefusal::Type(tx_type));
        }
        if tx_type == BLOB_TX_TYPE && !self.active.blobs {
            return Err(InboxRefusal::Blobs);
        }
        match self.active.rule {
            BatchAuth::Sender => match self.sender(transaction) {
                None => Err(InboxRefusal::Signature),
                Some(found) if found != self.batcher => Err(InboxRefusal::Sender {
                    found,
                    batcher: self.batcher,
                }),
                Some(_) => Ok(()),
            },
            BatchAuth::InboxContract { signature } => {
                let receipt = block.receipts.get(inbox.index as usize);
                if !receipt.is_some_and(|receipt| receipt.success) {
                    return Err(InboxRefusal::Reverted);
                }
                let length = transaction.input().len();
                if signature == SignatureForm::Inline && length < INLINE_SIGNATURE_LENGTH {
                    return Err(InboxRefusal::SignatureMissing(length));
                }
                Ok(())
            }
            BatchAuth::AuthEvent { .. } => {
                let commitment = batch_commitment(transaction);
                match self.window.find(&commitment) {
                    Some(_) => Ok(()),
                    None => Err(InboxRefusal::NotAuthenticated(commitment)),
                }
            }
            BatchAuth::AuthEventCaller { .. } | BatchAuth::AuthEventCallerDelayed { .. } => {
                let commitment = batch_commitment(transaction);
                match self.window.find(&commitment) {
                    None => Err(InboxRefusal::NotAuthenticated(commitment)),
                    Some(caller) => match self.sender(transaction) {
                        Some(found) if found == caller => Ok(()),
                        found => Err(InboxRefusal::Caller { found, caller }),
                    },
                }
            }
        }
    }

    fn sender(&self, transaction: &L1Transaction) -> Option<Address> {
        transaction.sender(self.chain.rollup.l1_chain_id)
    }

    /// Bytes at the end of calldata that are no data.
    // spec: espresso 5.5
    pub(crate) const fn calldata_suffix(&self) -> usize {
        match self.active.rule {
            BatchAuth::InboxContract {
                signature: SignatureForm::Inline,
            } => INLINE_SIGNATURE_LENGTH,
            _ => 0,
        }
    }

    /// Whether blob transactions bring their blobs; before Ecotone their calldata counts.
    // spec: opstack 2.3
    pub(crate) const fn reads_blobs(chain: &ChainConfig, l1_time: u64) -> bool {
        chain.active(Fork::Ecotone, l1_time)
    }
}
