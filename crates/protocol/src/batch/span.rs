//! Span batches: a run of blocks, transposed.
//!
//! A span batch is read in two steps, because they fail differently. [`SpanBatch::decode`] checks
//! the structure; failing it abandons the channel. [`SpanBatch::check_transactions`] checks that
//! every transaction can be put together; failing it loses this batch only. After both, a
//! [`SpanCursor`] yields the blocks one by one out of the batch's own bytes: a span of ten million
//! blocks costs its encoding and nothing more.

use super::{
    TransactionList, TransactionListBuilder,
    bits::{self, bit},
    span_tx::{Envelope, TxFieldError, TxFields},
    varint::{VarintError, read_uvarint},
};
use crate::{
    config::{ChainConfig, MAX_SPAN_BATCH_ELEMENT_COUNT},
    rlp,
};
use alloy_primitives::{B256, Bytes};
use core::{fmt, ops::Range};
use std::sync::Arc;
use thiserror::Error;

/// Bytes that a transaction usually has besides its data: recipient, signature, small numbers and
/// the headers around them.
const ENVELOPE_BYTES: usize = 100;

/// What a chain adds to a span batch's own bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanParams {
    /// Time of the L2 genesis block.
    pub genesis_time: u64,
    /// Seconds between L2 blocks.
    pub block_time: u64,
    /// L2 chain id, which signed transactions are for.
    pub chain_id: u64,
    /// Whether transactions of type 0x7d are known.
    pub post_exec: bool,
    /// Whether transactions of type 0x7b are known.
    pub celo_dynamic_fee_v2: bool,
}

impl SpanParams {
    /// What the chain of a configuration adds.
    pub fn of_chain(chain: &ChainConfig) -> Self {
        Self {
            genesis_time: chain.rollup.genesis.l2_time,
            block_time: chain.rollup.block_time,
            chain_id: chain.rollup.l2_chain_id,
            post_exec: chain.rules.post_exec_known,
            celo_dynamic_fee_v2: chain.profile.celo_dynamic_fee_v2(),
        }
    }
}

/// A span batch whose structure is sound.
// spec: opstack 2.7
#[derive(Clone, PartialEq, Eq)]
pub struct SpanBatch {
    bytes: Bytes,
    rel_timestamp: u64,
    l1_origin_num: u64,
    parent_check: [u8; 20],
    l1_origin_check: [u8; 20],
    block_count: usize,
    tx_count: usize,
    sections: Sections,
}

/// Where each field lies in the batch's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sections {
    origin_bits: Range<usize>,
    block_tx_counts: Range<usize>,
    creation_bits: Range<usize>,
    y_parity_bits: Range<usize>,
    sigs: Range<usize>,
    tos: Range<usize>,
    datas: Range<usize>,
    nonces: Range<usize>,
    gases: Range<usize>,
    protected_bits: Range<usize>,
}

/// The fields of a span batch, for errors.
// spec: opstack 2.7 #1 #2 #3 #4 #5 #6 #7 #8 #9 #10 #11 #12 #13 #14 #15
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum SpanField {
    RelTimestamp,
    L1OriginNum,
    ParentCheck,
    L1OriginCheck,
    BlockCount,
    OriginBits,
    BlockTxCounts,
    ContractCreationBits,
    YParityBits,
    TxSigs,
    TxTos,
    TxDatas,
    TxNonces,
    TxGases,
    ProtectedBits,
}

impl fmt::Display for SpanField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RelTimestamp => "rel_timestamp",
            Self::L1OriginNum => "l1_origin_num",
            Self::ParentCheck => "parent_check",
            Self::L1OriginCheck => "l1_origin_check",
            Self::BlockCount => "block_count",
            Self::OriginBits => "origin_bits",
            Self::BlockTxCounts => "block_tx_counts",
            Self::ContractCreationBits => "contract_creation_bits",
            Self::YParityBits => "y_parity_bits",
            Self::TxSigs => "tx_sigs",
            Self::TxTos => "tx_tos",
            Self::TxDatas => "tx_datas",
            Self::TxNonces => "tx_nonces",
            Self::TxGases => "tx_gases",
            Self::ProtectedBits => "protected_bits",
        })
    }
}

/// Why bytes are no span batch. The rest of the channel is abandoned.
// spec: opstack 2.7
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SpanDecodeError {
    /// The input ends within a field.
    #[error("{0} is truncated")]
    Truncated(SpanField),
    /// A number that does not fit 64 bits.
    #[error("{0}: {1}")]
    Varint(SpanField, VarintError),
    /// More blocks or transactions than the protocol allows.
    #[error("{0} exceeds the limit of {MAX_SPAN_BATCH_ELEMENT_COUNT}")]
    TooMany(SpanField),
    /// No block at all.
    #[error("span batch has no blocks")]
    Empty,
    /// Bits beyond the list's length.
    #[error("{0} has bits beyond its length")]
    ExcessBits(SpanField),
    /// A transaction that is not a list, or whose list has a wrong header.
    #[error("tx_datas: transaction {0} is not an RLP list")]
    NotAList(usize),
    /// A transaction longer than the protocol allows.
    #[error("tx_datas: transaction {0} is longer than {MAX_SPAN_BATCH_ELEMENT_COUNT} bytes")]
    TxTooLong(usize),
}

/// Why a span batch's transactions cannot be put together. The batch is dropped, the channel goes
/// on.
// spec: opstack 2.5, opstack-2026-09 2 *7
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("transaction {index} of the span: {error}")]
pub struct SpanTxError {
    /// Position of the transaction in the span.
    pub index: usize,
    /// What is wrong with it.
    pub error: TxFieldError,
}

/// One block of a span batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanBlock {
    /// Time of the block.
    pub timestamp: u64,
    /// Height of the block's L1 origin.
    pub epoch_num: u64,
    /// The block's transactions, without deposits.
    pub transactions: TransactionList,
}

impl fmt::Debug for SpanBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanBatch")
            .field("rel_timestamp", &self.rel_timestamp)
            .field("l1_origin_num", &self.l1_origin_num)
            .field("block_count", &self.block_count)
            .field("tx_count", &self.tx_count)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// Takes fields off a batch's bytes.
struct Reader<'a> {
    whole: usize,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    const fn position(&self) -> usize {
        self.whole - self.rest.len()
    }

    fn take(&mut self, field: SpanField, length: usize) -> Result<&'a [u8], SpanDecodeError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(SpanDecodeError::Truncated(field))?;
        self.rest = rest;
        Ok(taken)
    }

    fn skip(&mut self, field: SpanField, length: usize) -> Result<Range<usize>, SpanDecodeError> {
        let start = self.position();
        self.take(field, length)?;
        Ok(start..start + length)
    }

    fn uvarint(&mut self, field: SpanField) -> Result<u64, SpanDecodeError> {
        read_uvarint(&mut self.rest).map_err(|error| SpanDecodeError::Varint(field, error))
    }

    fn uvarints(&mut self, field: SpanField, n: usize) -> Result<Range<usize>, SpanDecodeError> {
        let start = self.position();
        for _ in 0..n {
            self.uvarint(field)?;
        }
        Ok(start..self.position())
    }

    fn check20(&mut self, field: SpanField) -> Result<[u8; 20], SpanDecodeError> {
        let (check, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(SpanDecodeError::Truncated(field))?;
        self.rest = rest;
        Ok(*check)
    }

    // spec: opstack 2.7, opstack-2026-09 2 *13
    fn bits(&mut self, field: SpanField, n: usize) -> Result<Range<usize>, SpanDecodeError> {
        let start = self.position();
        let list = self.take(field, bits::byte_length(n))?;
        if bits::has_excess(list, n) {
            return Err(SpanDecodeError::ExcessBits(field));
        }
        Ok(start..self.position())
    }

    /// A number of blocks or transactions, checked before anything is done with it.
    fn element_count(&mut self, field: SpanField) -> Result<usize, SpanDecodeError> {
        let count = self.uvarint(field)?;
        if count > MAX_SPAN_BATCH_ELEMENT_COUNT {
            return Err(SpanDecodeError::TooMany(field));
        }
        usize::try_from(count).map_err(|_| SpanDecodeError::TooMany(field))
    }

    /// The data of one transaction; says whether it is a legacy transaction.
    // spec: opstack 2.7 #12
    fn tx_data(&mut self, index: usize) -> Result<bool, SpanDecodeError> {
        const LIMIT: u64 = MAX_SPAN_BATCH_ELEMENT_COUNT;
        let first = *self
            .rest
            .first()
            .ok_or(SpanDecodeError::Truncated(SpanField::TxDatas))?;
        if first <= 0x7f {
            self.rest = &self.rest[1..];
        }
        let (header, is_list, length) =
            rlp::split_header(self.rest).map_err(|_| SpanDecodeError::NotAList(index))?;
        if !is_list {
            return Err(SpanDecodeError::NotAList(index));
        }
        // the header counts towards the limit
        if length > LIMIT - header as u64 {
            return Err(SpanDecodeError::TxTooLong(index));
        }
        let length = usize::try_from(length).map_err(|_| SpanDecodeError::TxTooLong(index))?;
        self.take(SpanField::TxDatas, header + length)?;
        // A type byte of 0 in front of a list claims to be legacy too; putting such a transaction
        // together fails later.
        Ok(first > 0x7f || first == 0)
    }
}

impl SpanBatch {
    /// Decodes a batch without its type byte. Bytes behind the last field are ignored.
    // spec: opstack 2.7 #1 #2 #3 #4 #5 #6
    pub fn decode(bytes: Bytes) -> Result<Self, SpanDecodeError> {
        let mut reader = Reader {
            whole: bytes.len(),
            rest: &bytes,
        };
        let rel_timestamp = reader.uvarint(SpanField::RelTimestamp)?;
        let l1_origin_num = reader.uvarint(SpanField::L1OriginNum)?;
        let parent_check = reader.check20(SpanField::ParentCheck)?;
        let l1_origin_check = reader.check20(SpanField::L1OriginCheck)?;
        let block_count = reader.element_count(SpanField::BlockCount)?;
        if block_count == 0 {
            return Err(SpanDecodeError::Empty);
        }
        let origin_bits = reader.bits(SpanField::OriginBits, block_count)?;
        let (block_tx_counts, tx_count) = Self::decode_tx_counts(&mut reader, block_count)?;
        let mut sections = Sections {
            origin_bits,
            block_tx_counts,
            ..Sections::default()
        };
        Self::decode_txs(&bytes, &mut reader, tx_count, &mut sections)?;
        Ok(Self {
            rel_timestamp,
            l1_origin_num,
            parent_check,
            l1_origin_check,
            block_count,
            tx_count,
            sections,
            bytes,
        })
    }

    // spec: opstack 2.7 #7
    fn decode_tx_counts(
        reader: &mut Reader<'_>,
        block_count: usize,
    ) -> Result<(Range<usize>, usize), SpanDecodeError> {
        let start = reader.position();
        let mut total = 0u64;
        for _ in 0..block_count {
            // neither factor exceeds ten million, so the sum cannot overflow
            total += reader.element_count(SpanField::BlockTxCounts)? as u64;
        }
        if total > MAX_SPAN_BATCH_ELEMENT_COUNT {
            return Err(SpanDecodeError::TooMany(SpanField::BlockTxCounts));
        }
        let total = usize::try_from(total)
            .map_err(|_| SpanDecodeError::TooMany(SpanField::BlockTxCounts))?;
        Ok((start..reader.position(), total))
    }

    // spec: opstack 2.7 #8 #9 #10 #11 #12 #13 #14 #15
    fn decode_txs(
        bytes: &[u8],
        reader: &mut Reader<'_>,
        tx_count: usize,
        sections: &mut Sections,
    ) -> Result<(), SpanDecodeError> {
        sections.creation_bits = reader.bits(SpanField::ContractCreationBits, tx_count)?;
        sections.y_parity_bits = reader.bits(SpanField::YParityBits, tx_count)?;
        sections.sigs = reader.skip(SpanField::TxSigs, 64 * tx_count)?;
        let creations = bits::count(&bytes[sections.creation_bits.clone()]);
        sections.tos = reader.skip(SpanField::TxTos, 20 * (tx_count - creations))?;
        let datas = reader.position();
        let mut legacy = 0;
        for index in 0..tx_count {
            legacy += usize::from(reader.tx_data(index)?);
        }
        sections.datas = datas..reader.position();
        sections.nonces = reader.uvarints(SpanField::TxNonces, tx_count)?;
        sections.gases = reader.uvarints(SpanField::TxGases, tx_count)?;
        sections.protected_bits = reader.bits(SpanField::ProtectedBits, legacy)?;
        Ok(())
    }

    /// Checks that every transaction of the span can be put together.
    // spec: opstack 2.7 |1 |2 |3 |4 |5
    pub fn check_transactions(&self, params: &SpanParams) -> Result<(), SpanTxError> {
        let mut datas = &self.bytes[self.sections.datas.clone()];
        let creation_bits = &self.bytes[self.sections.creation_bits.clone()];
        for index in 0..self.tx_count {
            TxFields::take(&mut datas, params)
                .and_then(|fields| fields.check_recipient(bit(creation_bits, index)))
                .map_err(|error| SpanTxError { index, error })?;
        }
        Ok(())
    }

    /// Number of blocks. Never 0.
    pub const fn block_count(&self) -> usize {
        self.block_count
    }

    /// Number of transactions in all blocks.
    pub const fn tx_count(&self) -> usize {
        self.tx_count
    }

    /// Time of the first block since L2 genesis, in seconds.
    pub const fn rel_timestamp(&self) -> u64 {
        self.rel_timestamp
    }

    /// Time of block `index` of the span. The numbers come from the wire and wrap, as the
    /// reference's do.
    // spec: opstack 2.7
    pub const fn timestamp(&self, index: usize, params: &SpanParams) -> u64 {
        params
            .genesis_time
            .wrapping_add(self.rel_timestamp)
            .wrapping_add(params.block_time.wrapping_mul(index as u64))
    }

    /// Time of the last block.
    pub const fn last_timestamp(&self, params: &SpanParams) -> u64 {
        self.timestamp(self.block_count - 1, params)
    }

    /// Height of the last block's L1 origin.
    pub const fn last_epoch_num(&self) -> u64 {
        self.l1_origin_num
    }

    /// Height of the first block's L1 origin: the last one's, less the changes on the way.
    // spec: opstack 2.7
    pub fn start_epoch_num(&self) -> u64 {
        let origin_bits = self.origin_bits();
        let changes = bits::count(origin_bits) - usize::from(bit(origin_bits, 0));
        self.l1_origin_num.wrapping_sub(changes as u64)
    }

    /// Whether the first block's L1 origin differs from its parent's, by the batch's own word.
    pub fn first_origin_bit(&self) -> bool {
        bit(self.origin_bits(), 0)
    }

    fn origin_bits(&self) -> &[u8] {
        &self.bytes[self.sections.origin_bits.clone()]
    }

    /// First 20 bytes of the hash of the first block's parent.
    pub const fn parent_check(&self) -> &[u8; 20] {
        &self.parent_check
    }

    /// First 20 bytes of the hash of the last block's L1 origin.
    pub const fn l1_origin_check(&self) -> &[u8; 20] {
        &self.l1_origin_check
    }

    /// Whether `hash` is the parent's.
    pub fn matches_parent(&self, hash: &B256) -> bool {
        hash[..20] == self.parent_check
    }

    /// Whether `hash` is the last L1 origin's.
    pub fn matches_l1_origin(&self, hash: &B256) -> bool {
        hash[..20] == self.l1_origin_check
    }

    /// Bytes that the batch occupies.
    pub const fn encoded_len(&self) -> usize {
        self.bytes.0.len()
    }
}

/// Reads the blocks of a span batch in order. Costs nothing but positions.
#[derive(Clone, Debug)]
pub struct SpanCursor {
    batch: Arc<SpanBatch>,
    params: SpanParams,
    block: usize,
    epoch_num: u64,
    tx: usize,
    legacy_tx: usize,
    to: usize,
    tx_counts: usize,
    datas: usize,
    nonces: usize,
    gases: usize,
}

impl SpanCursor {
    /// A cursor before the first block. The batch's transactions must have been checked.
    pub fn new(batch: Arc<SpanBatch>, params: SpanParams) -> Self {
        let sections = &batch.sections;
        Self {
            params,
            block: 0,
            epoch_num: batch.start_epoch_num(),
            tx: 0,
            legacy_tx: 0,
            to: sections.tos.start,
            tx_counts: sections.block_tx_counts.start,
            datas: sections.datas.start,
            nonces: sections.nonces.start,
            gases: sections.gases.start,
            batch,
        }
    }

    /// The batch.
    pub const fn batch(&self) -> &Arc<SpanBatch> {
        &self.batch
    }

    /// What the chain adds to the batch.
    pub const fn params(&self) -> &SpanParams {
        &self.params
    }

    /// Position of the next block in the span.
    pub const fn position(&self) -> usize {
        self.block
    }

    /// Blocks that are left.
    pub fn remaining(&self) -> usize {
        self.batch.block_count - self.block
    }

    /// Time and L1 origin number of the next block.
    pub fn peek(&self) -> Option<(u64, u64)> {
        (self.block < self.batch.block_count).then(|| {
            (
                self.batch.timestamp(self.block, &self.params),
                self.epoch_num,
            )
        })
    }

    /// The next block. None at the end.
    pub fn next_block(&mut self) -> Option<Result<SpanBlock, SpanTxError>> {
        let (timestamp, epoch_num) = self.peek()?;
        let mut transactions = TransactionListBuilder::default();
        if let Err(error) = self.read_transactions(&mut transactions) {
            return Some(Err(error));
        }
        self.advance();
        Some(Ok(SpanBlock {
            timestamp,
            epoch_num,
            transactions: transactions.finish(),
        }))
    }

    /// Passes the next block without putting its transactions together.
    pub fn skip_block(&mut self) {
        if self.peek().is_none() {
            return;
        }
        let count = self.take_tx_count();
        let batch = Arc::clone(&self.batch);
        for _ in 0..count {
            self.take_tx(&batch);
        }
        self.advance();
    }

    fn advance(&mut self) {
        self.block += 1;
        if self.block < self.batch.block_count && bit(self.batch.origin_bits(), self.block) {
            self.epoch_num = self.epoch_num.wrapping_add(1);
        }
    }

    fn take_tx_count(&mut self) -> u64 {
        take_uvarint(&self.batch.bytes, &mut self.tx_counts)
    }

    fn read_transactions(&mut self, out: &mut TransactionListBuilder) -> Result<(), SpanTxError> {
        let batch = Arc::clone(&self.batch);
        let count = self.take_tx_count();
        out.reserve(self.next_tx_bytes(count));
        for _ in 0..count {
            let index = self.tx;
            let (mut data, envelope) = self.take_tx(&batch);
            TxFields::take(&mut data, &self.params)
                .and_then(|fields| fields.write(&envelope, out))
                .map_err(|error| SpanTxError { index, error })?;
        }
        Ok(())
    }

    /// About as many bytes as the next `count` transactions take once they are put together. In the
    /// batch they take at least two thirds of it.
    fn next_tx_bytes(&self, count: u64) -> usize {
        let datas = &self.batch.bytes[..self.batch.sections.datas.end];
        let mut position = self.datas;
        let mut bytes = 0;
        for _ in 0..count {
            bytes += take_tx_data(datas, &mut position).len() + ENVELOPE_BYTES;
        }
        bytes
    }

    /// The next transaction's data and the fields that stand elsewhere.
    fn take_tx<'a>(&mut self, batch: &'a SpanBatch) -> (&'a [u8], Envelope<'a>) {
        let bytes: &[u8] = &batch.bytes;
        let sections = &batch.sections;
        let sig = sections.sigs.start + 64 * self.tx;
        let data = take_tx_data(&bytes[..sections.datas.end], &mut self.datas);
        let is_legacy = matches!(data.first(), Some(0 | 0x80..));
        let is_protected =
            is_legacy && bit(&bytes[sections.protected_bits.clone()], self.legacy_tx);
        let to = if bit(&bytes[sections.creation_bits.clone()], self.tx) {
            None
        } else {
            self.to += 20;
            bytes.get(self.to - 20..self.to)
        };
        let envelope = Envelope {
            nonce: take_uvarint(bytes, &mut self.nonces),
            gas: take_uvarint(bytes, &mut self.gases),
            to,
            y_parity: bit(&bytes[sections.y_parity_bits.clone()], self.tx),
            is_protected,
            r: bytes.get(sig..sig + 32).unwrap_or_default(),
            s: bytes.get(sig + 32..sig + 64).unwrap_or_default(),
            chain_id: self.params.chain_id,
        };
        self.tx += 1;
        self.legacy_tx += usize::from(is_legacy);
        (data, envelope)
    }
}

/// Reads a number that was read before, when the batch was decoded.
fn take_uvarint(bytes: &[u8], position: &mut usize) -> u64 {
    let mut rest = bytes.get(*position..).unwrap_or_default();
    let value = read_uvarint(&mut rest).unwrap_or_default();
    *position = bytes.len() - rest.len();
    value
}

/// Reads a transaction's data that was read before, when the batch was decoded.
fn take_tx_data<'a>(bytes: &'a [u8], position: &mut usize) -> &'a [u8] {
    let rest = bytes.get(*position..).unwrap_or_default();
    let type_length = usize::from(matches!(rest.first(), Some(0..=0x7f)));
    let length = rlp::split_header(rest.get(type_length..).unwrap_or_default())
        .ok()
        .and_then(|(header, _, length)| Some(type_length + header + usize::try_from(length).ok()?))
        .unwrap_or_default();
    *position += length;
    rest.get(..length).unwrap_or_default()
}
