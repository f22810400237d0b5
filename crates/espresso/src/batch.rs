//! Batches on Espresso: one L2 block each, signed by the batcher's L1 key.
//!
//! ```text
//! payload = signature(65) ‖ body
//! body    = RLP [ header, [parent, epoch number, epoch hash, time, [transactions]], L1 info, signer ]
//! ```
//!
//! Anybody may write to a namespace, so reading is strict and total. It is the same for every
//! generation of the rollup's contracts. What is signed is the hash of the body alone: neither chain
//! nor namespace are in it, so a batch of another chain with the same batcher reads well, and is told
//! apart only by its parent and L1 origin.
// spec: espresso 1.1

use crate::namespace::Transaction;
use alloy_consensus::{Header, crypto::secp256k1::recover_signer_unchecked};
use alloy_primitives::{Address, B256, Bytes, Signature, U256, keccak256};
use alloy_rlp::{Decodable, Encodable};
use doppio_protocol::{
    L2BlockRef,
    batch::SingularBatch,
    block::BlockId,
    config::ChainConfig,
    deposit::{DepositTx, DepositTxError},
    l1_info::{L1BlockInfo, L1InfoError, L1InfoLayout},
    rlp::{self, RlpError},
};
use thiserror::Error;

/// Bytes of a signature.
pub const SIGNATURE: usize = 65;

/// Why bytes are no batch.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Shorter than a signature.
    #[error("{0} bytes are too few for a signature")]
    Short(usize),
    /// No key makes this signature.
    #[error("no signer can be recovered from the signature")]
    Signature,
    /// A part is not the RLP that stands there.
    #[error("{part}: {error}")]
    Rlp {
        /// Which part.
        part: &'static str,
        /// What is wrong.
        error: RlpError,
    },
    /// Something follows the body.
    #[error("{0} bytes follow the body")]
    Trailing(usize),
    /// The header is not the RLP of one, or not its only encoding.
    #[error("the header is not the RLP of an L2 header")]
    Header,
    /// The batch is not one.
    #[error("the batch's {0}")]
    Batch(doppio_protocol::batch::SingularError),
    /// The L1 info is missing.
    #[error("the L1 info deposit is missing")]
    NoDeposit,
}

/// Why a batch that is well-formed contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ContentError {
    /// The block's first transaction is no deposit.
    #[error("the L1 info: {0}")]
    Deposit(#[from] DepositTxError),
    /// The deposit is not the L1 info of the block's time.
    #[error("the L1 info: {0}")]
    L1Info(#[from] L1InfoError),
    /// Header and batch have different parents.
    #[error("the batch's parent is not the header's")]
    Parent,
    /// Header and batch have different times.
    #[error("the batch's time is not the header's")]
    Time,
    /// L1 info and batch have different L1 origins.
    #[error("the batch's L1 origin is not that of the L1 info")]
    Origin,
    /// A transaction is not one type byte and one list, or one list.
    #[error("transaction {0} is not the encoding of one")]
    Transaction(usize),
}

/// An L2 block as it stands on Espresso.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EspressoBatch {
    /// The block's header, as the batcher says.
    pub header: Header,
    /// What goes to L1.
    pub batch: SingularBatch,
    /// The block's first transaction.
    pub l1_info_deposit: Bytes,
    /// What stands where a signer's address may stand. Nothing reads it.
    pub signer_field: Address,
    /// Hash of the header.
    pub hash: B256,
}

/// A batch and who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBatch {
    /// The batch.
    pub batch: EspressoBatch,
    /// The address of the key that signed it.
    pub signer: Address,
    /// The signature.
    pub signature: [u8; SIGNATURE],
    /// What was signed: the hash of the body.
    pub body_hash: B256,
}

/// The account that signed a hash. A large s counts, as it does for go-ethereum's `Ecrecover`.
fn signer_of(hash: B256, signature: &[u8; SIGNATURE]) -> Option<Address> {
    let (r, rest) = signature.split_first_chunk::<32>()?;
    let (s, v) = rest.split_first_chunk::<32>()?;
    let parity = match v {
        [0] => false,
        [1] => true,
        _ => return None,
    };
    let [r, s] = [r, s].map(|half| U256::from_be_bytes(*half));
    recover_signer_unchecked(&Signature::new(r, s, parity), hash).ok()
}

impl SignedBatch {
    /// Reads a transaction's payload.
    ///
    /// # Errors
    ///
    /// If it is no batch; the first rule that is broken is named.
    // spec: espresso 1.2
    pub fn decode(payload: &Bytes) -> Result<Self, DecodeError> {
        let short = DecodeError::Short(payload.len());
        let (signature, body) = payload.split_first_chunk::<SIGNATURE>().ok_or(short)?;
        let body_hash = keccak256(body);
        let signer = signer_of(body_hash, signature).ok_or(DecodeError::Signature)?;
        let batch = EspressoBatch::decode(&payload.slice(SIGNATURE..))?;
        Ok(Self {
            batch,
            signer,
            signature: *signature,
            body_hash,
        })
    }

    /// The transaction's payload.
    pub fn encode(&self) -> Bytes {
        let mut out = self.signature.to_vec();
        out.extend_from_slice(&self.batch.encode());
        out.into()
    }

    /// The transaction that is submitted.
    pub fn transaction(&self, namespace: u64) -> Transaction {
        Transaction {
            namespace,
            payload: self.encode(),
        }
    }
}

impl EspressoBatch {
    /// Reads a body.
    fn decode(body: &Bytes) -> Result<Self, DecodeError> {
        let at = |part| move |error| DecodeError::Rlp { part, error };
        let mut rest = body.as_ref();
        let mut fields = rlp::next_item(&mut rest)
            .and_then(|item| item.list())
            .map_err(at("body"))?;
        if !rest.is_empty() {
            return Err(DecodeError::Trailing(rest.len()));
        }
        let mut next = |part| rlp::next_item(&mut fields).map_err(at(part));
        let header = next("header")?;
        let batch = next("batch")?;
        let deposit = next("L1 info")?.string().map_err(at("L1 info"))?;
        let signer = next("signer")?.fixed::<20>().map_err(at("signer"))?;
        if !fields.is_empty() {
            return Err(at("body")(RlpError::WrongElementCount));
        }
        if deposit.is_empty() {
            return Err(DecodeError::NoDeposit);
        }
        let hash = keccak256(header.raw);
        let header = decode_header(header.raw).ok_or(DecodeError::Header)?;
        let batch =
            SingularBatch::decode(&body.slice_ref(batch.raw)).map_err(DecodeError::Batch)?;
        Ok(Self {
            header,
            batch,
            l1_info_deposit: body.slice_ref(deposit),
            signer_field: signer.into(),
            hash,
        })
    }

    /// The body, which is what is signed.
    pub fn encode(&self) -> Bytes {
        let mut fields = Vec::new();
        self.header.encode(&mut fields);
        // a batch's first byte is its type, which does not stand here
        fields.extend(self.batch.encode().iter().skip(1));
        rlp::put_string(&self.l1_info_deposit, &mut fields);
        rlp::put_string(self.signer_field.as_slice(), &mut fields);
        let mut out = Vec::with_capacity(fields.len() + 9);
        rlp::put_list_header(fields.len(), &mut out);
        out.extend_from_slice(&fields);
        out.into()
    }

    /// What the batcher's key signs: a hash without any prefix.
    pub fn signing_hash(&self) -> B256 {
        keccak256(self.encode())
    }

    /// The batch with a signature over [`Self::signing_hash`]; none if nobody's.
    pub fn signed(self, signature: [u8; SIGNATURE]) -> Option<SignedBatch> {
        let body_hash = self.signing_hash();
        let signer = signer_of(body_hash, &signature)?;
        Some(SignedBatch {
            batch: self,
            signer,
            signature,
            body_hash,
        })
    }

    /// What tells batches apart for the Go programs: header and first transaction. The streamer goes by
    /// all that is signed: of two batches that differ in their transactions alone one may be good.
    pub fn id(&self) -> B256 {
        let deposit = keccak256(&self.l1_info_deposit);
        keccak256([self.hash.0, deposit.0].as_flattened())
    }

    /// Height of the block.
    pub const fn number(&self) -> u64 {
        self.header.number
    }

    /// The block's L1 origin.
    pub const fn l1_origin(&self) -> BlockId {
        self.batch.epoch()
    }

    /// Bytes in memory, about.
    pub fn size(&self) -> usize {
        let transactions: usize = self.batch.transactions.iter_slices().map(<[u8]>::len).sum();
        1024 + transactions + self.l1_info_deposit.len() + self.header.extra_data.len()
    }

    /// Checks that header, L1 info and batch say the same, and gives the block's place.
    ///
    /// # Errors
    ///
    /// If they do not.
    // spec: espresso 1.2
    pub fn check_content(&self, chain: &ChainConfig) -> Result<L2BlockRef, ContentError> {
        let deposit = DepositTx::decode(&self.l1_info_deposit)?;
        let layout = L1InfoLayout::at(chain, self.header.timestamp);
        let info = L1BlockInfo::decode(layout, &deposit.data)?;
        if self.batch.parent_hash != self.header.parent_hash {
            return Err(ContentError::Parent);
        }
        if self.batch.timestamp != self.header.timestamp {
            return Err(ContentError::Time);
        }
        let l1_origin = BlockId {
            hash: info.block_hash,
            number: info.number,
        };
        if self.l1_origin() != l1_origin {
            return Err(ContentError::Origin);
        }
        let mut transactions = self.batch.transactions.iter_slices();
        if let Some(at) = transactions.position(|transaction| !is_transaction(transaction)) {
            return Err(ContentError::Transaction(at));
        }
        Ok(L2BlockRef {
            hash: self.hash,
            number: self.header.number,
            parent_hash: self.header.parent_hash,
            timestamp: self.header.timestamp,
            l1_origin,
            sequence_number: info.sequence_number,
        })
    }
}

/// Whether bytes have the form that all transactions have, those of later forks and of other chains
/// included: a list, or a type and a list.
fn is_transaction(bytes: &[u8]) -> bool {
    let mut rest = match bytes.first() {
        Some(0..0x80) => bytes.get(1..).unwrap_or_default(),
        _ => bytes,
    };
    rlp::next_item(&mut rest).is_ok_and(|item| item.is_list) && rest.is_empty()
}

/// Reads a header that is written in the one way in which its hash is computed.
fn decode_header(raw: &[u8]) -> Option<Header> {
    let mut rest = raw;
    let header = Header::decode(&mut rest).ok()?;
    (rest.is_empty() && alloy_rlp::encode(&header) == raw).then_some(header)
}
