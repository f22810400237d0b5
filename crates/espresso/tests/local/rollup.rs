//! A rollup whose batcher's key is known.

use crate::local::{Recording, limits};
use alloy_consensus::{Header, crypto::secp256k1::sign_message};
use alloy_primitives::{Address, B256, Bytes};
use doppio_espresso::{
    batch::{EspressoBatch, SIGNATURE, SignedBatch},
    streamer::Checkpoint,
};
use doppio_protocol::{
    L1BlockRef, L2BlockRef, batch::SingularBatch, config::ChainConfig, l1_info::L1BlockInfo,
};

/// The batcher's key, and a stranger's.
pub(crate) const BATCHER: B256 = B256::repeat_byte(7);
pub(crate) const STRANGER: B256 = B256::repeat_byte(8);

pub(crate) struct Rollup {
    pub(crate) chain: ChainConfig,
    pub(crate) start: Checkpoint,
    pub(crate) l1: Vec<L1BlockRef>,
}

/// How a block differs from the plain one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Twist {
    pub(crate) salt: u8,
    pub(crate) transactions: Vec<Bytes>,
    pub(crate) later: u64,
    pub(crate) origin_hash: Option<B256>,
    pub(crate) sequence: Option<u64>,
}

impl Rollup {
    pub(crate) fn new(recording: &Recording) -> Self {
        let start = recording.start();
        Self {
            chain: recording.config(limits()).chain,
            start: Checkpoint {
                hotshot_height: 0,
                ..start
            },
            l1: recording.l1.values().copied().collect(),
        }
    }

    pub(crate) fn address(key: B256) -> Address {
        let signature = sign_message(key, B256::ZERO).unwrap();
        alloy_consensus::crypto::secp256k1::recover_signer(&signature, B256::ZERO).unwrap()
    }

    pub(crate) fn sign(batch: EspressoBatch, key: B256) -> SignedBatch {
        let signature = sign_message(key, batch.signing_hash()).unwrap();
        let mut bytes = [0; SIGNATURE];
        bytes[..32].copy_from_slice(&signature.r().to_be_bytes::<32>());
        bytes[32..64].copy_from_slice(&signature.s().to_be_bytes::<32>());
        bytes[64] = u8::from(signature.v());
        batch.signed(bytes).unwrap()
    }

    /// The block after `parent` with this L1 origin, not signed.
    pub(crate) fn block(
        &self,
        parent: &L2BlockRef,
        origin: u64,
        twist: &Twist,
    ) -> (EspressoBatch, L2BlockRef) {
        let l1 = self.l1[origin as usize];
        let sequence = if parent.l1_origin.number == origin {
            parent.sequence_number + 1
        } else {
            0
        };
        let timestamp = parent.timestamp + self.chain.rollup.block_time + twist.later;
        let header = Header {
            parent_hash: parent.hash,
            number: parent.number + 1,
            timestamp,
            extra_data: vec![twist.salt; 9].into(),
            base_fee_per_gas: Some(1),
            withdrawals_root: Some(B256::ZERO),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(B256::ZERO),
            ..Header::default()
        };
        let hash = header.hash_slow();
        let block_hash = twist.origin_hash.unwrap_or(l1.hash);
        let info = L1BlockInfo {
            number: origin,
            time: l1.timestamp,
            block_hash,
            sequence_number: twist.sequence.unwrap_or(sequence),
            ..L1BlockInfo::default()
        };
        let batch = EspressoBatch {
            batch: SingularBatch {
                parent_hash: parent.hash,
                epoch_num: origin,
                epoch_hash: block_hash,
                timestamp,
                transactions: twist.transactions.iter().cloned().collect(),
            },
            l1_info_deposit: info.deposit(&self.chain, timestamp).encode(),
            signer_field: Address::ZERO,
            hash,
            header,
        };
        let block = L2BlockRef {
            hash,
            number: parent.number + 1,
            parent_hash: parent.hash,
            timestamp,
            l1_origin: l1.id(),
            sequence_number: sequence,
        };
        (batch, block)
    }

    /// The same, signed by the batcher.
    pub(crate) fn batch(
        &self,
        parent: &L2BlockRef,
        origin: u64,
        twist: &Twist,
    ) -> (SignedBatch, L2BlockRef) {
        let (batch, block) = self.block(parent, origin, twist);
        (Self::sign(batch, BATCHER), block)
    }
}
