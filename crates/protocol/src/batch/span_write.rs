//! Writing span batches, block by block.

use super::{
    POST_EXEC_TX_TYPE, SET_CODE_TX_TYPE, SPAN_BATCH_TYPE, SingularBatch, SpanParams,
    bits::BitList,
    put_uvarint,
    span_tx::{TxFieldError, TxFields},
};
use crate::{
    config::MAX_SPAN_BATCH_ELEMENT_COUNT,
    rlp::{self, Item, RlpError},
};
use alloy_primitives::U256;
use thiserror::Error;

/// Builds a span batch out of consecutive singular batches.
// spec: opstack 2.7
#[derive(Clone, Debug)]
pub struct SpanBatchWriter {
    params: SpanParams,
    first: Option<First>,
    last_timestamp: u64,
    last_epoch_num: u64,
    l1_origin_check: [u8; 20],
    block_count: u64,
    tx_count: u64,
    origin_bits: BitList,
    block_tx_counts: Vec<u8>,
    txs: Txs,
}

#[derive(Clone, Copy, Debug)]
struct First {
    timestamp: u64,
    parent_check: [u8; 20],
}

#[derive(Clone, Debug, Default)]
struct Txs {
    creation_bits: BitList,
    y_parity_bits: BitList,
    sigs: Vec<u8>,
    tos: Vec<u8>,
    datas: Vec<u8>,
    nonces: Vec<u8>,
    gases: Vec<u8>,
    protected_bits: BitList,
}

/// Why a block does not fit into a span batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SpanWriteError {
    /// The span would have no blocks.
    #[error("a span batch has at least one block")]
    Empty,
    /// The block is before L2 genesis.
    #[error("block at time {0} is before L2 genesis")]
    BeforeGenesis(u64),
    /// The block does not follow the one before it.
    #[error("block at time {found} does not follow the span, whose next block is at {expected}")]
    NotConsecutive {
        /// Time that the span's next block has.
        expected: u64,
        /// Time of the block.
        found: u64,
    },
    /// The block's L1 origin does not follow the one before it.
    #[error("L1 origin {found} does not follow L1 origin {previous}")]
    Epoch {
        /// Of the block before.
        previous: u64,
        /// Of the block.
        found: u64,
    },
    /// More blocks or transactions than the protocol allows.
    #[error("the span would exceed {MAX_SPAN_BATCH_ELEMENT_COUNT} blocks or transactions")]
    TooMany,
    /// A transaction that a span batch cannot carry.
    #[error("transaction {index} of the block at time {timestamp}: {error}")]
    Transaction {
        /// Time of the block.
        timestamp: u64,
        /// Position in the batch.
        index: usize,
        /// What is wrong with it.
        error: TxFieldError,
    },
    /// A transaction for another chain.
    #[error("transaction {index} of the block at time {timestamp} is signed for another chain")]
    ChainId {
        /// Time of the block.
        timestamp: u64,
        /// Position in the batch.
        index: usize,
    },
}

impl SpanBatchWriter {
    /// An empty span.
    pub fn new(params: SpanParams) -> Self {
        Self {
            params,
            first: None,
            last_timestamp: 0,
            last_epoch_num: 0,
            l1_origin_check: [0; 20],
            block_count: 0,
            tx_count: 0,
            origin_bits: BitList::default(),
            block_tx_counts: Vec::new(),
            txs: Txs::default(),
        }
    }

    /// Number of blocks so far.
    pub const fn block_count(&self) -> u64 {
        self.block_count
    }

    /// Appends a block. On an error the span is as it was.
    pub fn push(
        &mut self,
        batch: &SingularBatch,
        sequence_number: u64,
    ) -> Result<(), SpanWriteError> {
        self.check_position(batch)?;
        let tx_count = self.tx_count + batch.transactions.len() as u64;
        if self.block_count == MAX_SPAN_BATCH_ELEMENT_COUNT
            || tx_count > MAX_SPAN_BATCH_ELEMENT_COUNT
        {
            return Err(SpanWriteError::TooMany);
        }
        let before = self.txs.lengths();
        for (index, transaction) in batch.transactions.iter_slices().enumerate() {
            let timestamp = batch.timestamp;
            if let Err(error) = self.txs.push(&self.params, transaction) {
                self.txs.truncate(before);
                return Err(match error {
                    PushError::ChainId => SpanWriteError::ChainId { timestamp, index },
                    PushError::Field(error) => SpanWriteError::Transaction {
                        timestamp,
                        index,
                        error,
                    },
                });
            }
        }
        let origin_changed = match self.first {
            None => sequence_number == 0,
            Some(_) => batch.epoch_num > self.last_epoch_num,
        };
        self.first.get_or_insert_with(|| First {
            timestamp: batch.timestamp,
            parent_check: first_20(&batch.parent_hash.0),
        });
        self.origin_bits.push(origin_changed);
        put_uvarint(batch.transactions.len() as u64, &mut self.block_tx_counts);
        self.l1_origin_check = first_20(&batch.epoch_hash.0);
        self.last_timestamp = batch.timestamp;
        self.last_epoch_num = batch.epoch_num;
        self.block_count += 1;
        self.tx_count = tx_count;
        Ok(())
    }

    fn check_position(&self, batch: &SingularBatch) -> Result<(), SpanWriteError> {
        let found = batch.timestamp;
        if found < self.params.genesis_time {
            return Err(SpanWriteError::BeforeGenesis(found));
        }
        if self.first.is_none() {
            return Ok(());
        }
        let expected = self.last_timestamp.saturating_add(self.params.block_time);
        if found != expected {
            return Err(SpanWriteError::NotConsecutive { expected, found });
        }
        let previous = self.last_epoch_num;
        if !(previous..=previous.saturating_add(1)).contains(&batch.epoch_num) {
            return Err(SpanWriteError::Epoch {
                previous,
                found: batch.epoch_num,
            });
        }
        Ok(())
    }

    /// Encodes the span with its type byte.
    pub fn encode(&self) -> Result<Vec<u8>, SpanWriteError> {
        let first = self.first.ok_or(SpanWriteError::Empty)?;
        let txs = &self.txs;
        let mut out = vec![SPAN_BATCH_TYPE];
        put_uvarint(first.timestamp - self.params.genesis_time, &mut out);
        put_uvarint(self.last_epoch_num, &mut out);
        out.extend_from_slice(&first.parent_check);
        out.extend_from_slice(&self.l1_origin_check);
        put_uvarint(self.block_count, &mut out);
        self.origin_bits.encode(&mut out);
        out.extend_from_slice(&self.block_tx_counts);
        txs.creation_bits.encode(&mut out);
        txs.y_parity_bits.encode(&mut out);
        for bytes in [&txs.sigs, &txs.tos, &txs.datas, &txs.nonces, &txs.gases] {
            out.extend_from_slice(bytes);
        }
        txs.protected_bits.encode(&mut out);
        Ok(out)
    }
}

fn first_20(hash: &[u8; 32]) -> [u8; 20] {
    let mut check = [0; 20];
    check.copy_from_slice(&hash[..20]);
    check
}

enum PushError {
    ChainId,
    Field(TxFieldError),
}

fn field(field: &'static str) -> impl Fn(RlpError) -> PushError {
    move |error| PushError::Field(TxFieldError::Field { field, error })
}

impl Txs {
    /// Lengths of all parts: bit lists in bits, the others in bytes.
    const fn lengths(&self) -> [usize; 8] {
        [
            self.creation_bits.len(),
            self.y_parity_bits.len(),
            self.protected_bits.len(),
            self.sigs.len(),
            self.tos.len(),
            self.datas.len(),
            self.nonces.len(),
            self.gases.len(),
        ]
    }

    fn truncate(&mut self, lengths: [usize; 8]) {
        let [
            creation,
            y_parity,
            protected,
            sigs,
            tos,
            datas,
            nonces,
            gases,
        ] = lengths;
        self.creation_bits.truncate(creation);
        self.y_parity_bits.truncate(y_parity);
        self.protected_bits.truncate(protected);
        self.sigs.truncate(sigs);
        self.tos.truncate(tos);
        self.datas.truncate(datas);
        self.nonces.truncate(nonces);
        self.gases.truncate(gases);
    }

    fn push(&mut self, params: &SpanParams, transaction: &[u8]) -> Result<(), PushError> {
        match transaction.split_first() {
            Some((&POST_EXEC_TX_TYPE, payload)) => {
                self.push_parts(params, Some(POST_EXEC_TX_TYPE), payload, &Parts::UNSIGNED)
            }
            Some((&tx_type @ 0..=0x7f, list)) => self.push_typed(params, tx_type, list),
            Some(_) => self.push_legacy(params, transaction),
            None => Err(field("transaction")(RlpError::Truncated)),
        }
    }

    fn push_legacy(&mut self, params: &SpanParams, transaction: &[u8]) -> Result<(), PushError> {
        let [nonce, gas_price, gas, to, value, data, v, r, s] = elements(transaction)?;
        let v = U256::from_be_slice(v.uint(32).map_err(field("v"))?);
        let unprotected = v == U256::from(27) || v == U256::from(28);
        let y_parity = if unprotected {
            v == U256::from(28)
        } else {
            let id_and_parity = v.checked_sub(U256::from(35)).ok_or(PushError::ChainId)?;
            if id_and_parity >> 1 != U256::from(params.chain_id) {
                return Err(PushError::ChainId);
            }
            id_and_parity.bit(0)
        };
        let parts =
            Parts::signed(&nonce, &gas, &to, y_parity, &r, &s)?.protected(Some(!unprotected));
        let list = list_of(&[value.raw, gas_price.raw, data.raw]);
        self.push_parts(params, None, &list, &parts)
    }

    fn push_typed(
        &mut self,
        params: &SpanParams,
        tx_type: u8,
        list: &[u8],
    ) -> Result<(), PushError> {
        let (chain_id, y, parts, data) = match tx_type {
            0x01 => {
                let [id, nonce, price, gas, to, value, data, access, y, r, s] = elements(list)?;
                let parts = Parts::signed(&nonce, &gas, &to, false, &r, &s)?;
                (
                    id,
                    y,
                    parts,
                    list_of(&[value.raw, price.raw, data.raw, access.raw]),
                )
            }
            0x02 => {
                let [id, nonce, tip, fee, gas, to, value, data, access, y, r, s] = elements(list)?;
                let parts = Parts::signed(&nonce, &gas, &to, false, &r, &s)?;
                (
                    id,
                    y,
                    parts,
                    list_of(&[value.raw, tip.raw, fee.raw, data.raw, access.raw]),
                )
            }
            // SetCode, and Celo's type: one more field behind the access list
            _ => {
                let [
                    id,
                    nonce,
                    tip,
                    fee,
                    gas,
                    to,
                    value,
                    data,
                    access,
                    more,
                    y,
                    r,
                    s,
                ] = elements(list)?;
                let parts = Parts::signed(&nonce, &gas, &to, false, &r, &s)?;
                let fields = [value.raw, tip.raw, fee.raw, data.raw, access.raw, more.raw];
                (id, y, parts, list_of(&fields))
            }
        };
        if chain_id.u64().map_err(field("chainId"))? != params.chain_id {
            return Err(PushError::ChainId);
        }
        let y_parity = match y.u64().map_err(field("yParity"))? {
            0 => false,
            1 => true,
            _ => return Err(field("yParity")(RlpError::WrongLength(1))),
        };
        self.push_parts(params, Some(tx_type), &data, &Parts { y_parity, ..parts })
    }

    fn push_parts(
        &mut self,
        params: &SpanParams,
        tx_type: Option<u8>,
        list: &[u8],
        parts: &Parts<'_>,
    ) -> Result<(), PushError> {
        let start = self.datas.len();
        self.datas.extend(tx_type);
        self.datas.extend_from_slice(list);
        // what readers will check
        let mut written = &self.datas[start..];
        TxFields::take(&mut written, params)
            .and_then(|fields| {
                let is_set_code = tx_type == Some(SET_CODE_TX_TYPE);
                fields.check_recipient(is_set_code && parts.to.is_empty())
            })
            .map_err(PushError::Field)?;
        if !written.is_empty() {
            return Err(field("transaction")(RlpError::WrongElementCount));
        }
        self.creation_bits.push(parts.to.is_empty());
        self.y_parity_bits.push(parts.y_parity);
        for part in [parts.r, parts.s] {
            let mut word = [0; 32];
            word[32 - part.len()..].copy_from_slice(part);
            self.sigs.extend_from_slice(&word);
        }
        self.tos.extend_from_slice(parts.to);
        put_uvarint(parts.nonce, &mut self.nonces);
        put_uvarint(parts.gas, &mut self.gases);
        if let Some(protected) = parts.protected {
            self.protected_bits.push(protected);
        }
        Ok(())
    }
}

/// The fields of a transaction that stand apart from its data.
#[derive(Clone, Copy)]
struct Parts<'a> {
    nonce: u64,
    gas: u64,
    to: &'a [u8],
    y_parity: bool,
    r: &'a [u8],
    s: &'a [u8],
    protected: Option<bool>,
}

impl<'a> Parts<'a> {
    const UNSIGNED: Self = Self {
        nonce: 0,
        gas: 0,
        to: &[],
        y_parity: false,
        r: &[],
        s: &[],
        protected: None,
    };

    fn signed(
        nonce: &Item<'a>,
        gas: &Item<'a>,
        to: &Item<'a>,
        y_parity: bool,
        r: &Item<'a>,
        s: &Item<'a>,
    ) -> Result<Self, PushError> {
        let to = to.string().map_err(field("to"))?;
        if !matches!(to.len(), 0 | 20) {
            return Err(field("to")(RlpError::WrongLength(to.len())));
        }
        Ok(Self {
            nonce: nonce.u64().map_err(field("nonce"))?,
            gas: gas.u64().map_err(field("gas"))?,
            to,
            y_parity,
            r: r.uint(32).map_err(field("r"))?,
            s: s.uint(32).map_err(field("s"))?,
            protected: None,
        })
    }

    const fn protected(self, protected: Option<bool>) -> Self {
        Self { protected, ..self }
    }
}

/// The elements of the one list that `bytes` must be.
fn elements<const N: usize>(mut bytes: &[u8]) -> Result<[Item<'_>; N], PushError> {
    let error = field("transaction");
    let mut list = rlp::next_item(&mut bytes)
        .and_then(|item| item.list())
        .map_err(&error)?;
    let mut elements = [Item {
        is_list: false,
        payload: &[],
        raw: &[],
    }; N];
    for element in &mut elements {
        *element = rlp::next_element(&mut list)
            .and_then(|item| item.ok_or(RlpError::WrongElementCount))
            .map_err(&error)?;
    }
    if bytes.is_empty() && list.is_empty() {
        Ok(elements)
    } else {
        Err(error(RlpError::WrongElementCount))
    }
}

fn list_of(encoded: &[&[u8]]) -> Vec<u8> {
    let payload: usize = encoded.iter().map(|bytes| bytes.len()).sum();
    let mut out = Vec::with_capacity(9 + payload);
    rlp::put_list_header(payload, &mut out);
    encoded
        .iter()
        .for_each(|bytes| out.extend_from_slice(bytes));
    out
}
