//! A second, naive encoder of span batches, written from the specification's table: what the
//! codec is compared with, and what malformed batches are made with.

use crate::common::{Kind, Parts, int, list, string, uvarint};
use alloy_primitives::{Bytes, U256, keccak256};
use doppio_protocol::{
    batch::{SingularBatch, SpanBatch, SpanBatchWriter, SpanField, SpanWriteError},
    rlp,
};

/// The fields of a span batch, each encoded, in the order of the specification's table.
#[derive(Clone, Debug)]
pub(crate) struct Raw(pub(crate) [Vec<u8>; 15]);

/// One block of a span.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    pub(crate) new_origin: bool,
    pub(crate) txs: Vec<(Kind, Parts)>,
}

/// Time of the spans' first block, after genesis.
pub(crate) const REL_TIMESTAMP: u64 = 300;
/// L1 origin of the spans' last block.
pub(crate) const L1_ORIGIN: u64 = 5_000;
/// What both checks are cut out of.
pub(crate) const PARENT: [u8; 32] = [0xaa; 32];
pub(crate) const ORIGIN: [u8; 32] = [0xbb; 32];

/// The integer whose bit i is the list's bit i, big-endian.
pub(crate) fn bitlist(bits: &[bool]) -> Vec<u8> {
    let mut out = vec![0; bits.len().div_ceil(8)];
    let last = out.len().wrapping_sub(1);
    for (index, _) in bits.iter().enumerate().filter(|(_, bit)| **bit) {
        out[last - index / 8] |= 1 << (index % 8);
    }
    out
}

fn number(n: U256) -> Vec<u8> {
    let mut out = Vec::new();
    rlp::put_uint(&n.to_be_bytes::<32>(), &mut out);
    out
}

/// The element of `tx_datas`.
pub(crate) fn tx_data(kind: Kind, parts: &Parts) -> Vec<u8> {
    let value = number(parts.value);
    let fee = number(U256::from(parts.fee));
    let tip = number(U256::from(parts.tip));
    let data = string(&parts.input);
    let slots: Vec<Vec<u8>> = parts
        .slots
        .iter()
        .map(|slot| string(slot.as_slice()))
        .collect();
    let slots: Vec<&[u8]> = slots.iter().map(Vec::as_slice).collect();
    let access = list(&[&list(&[&string(&[0xac; 20]), &list(&slots)])]);
    let typed = |tx_type: u8, fields: &[&[u8]]| [&[tx_type], list(fields).as_slice()].concat();
    match kind {
        Kind::Unprotected | Kind::Legacy => list(&[&value, &fee, &data]),
        Kind::Eip2930 => typed(1, &[&value, &fee, &data, &access]),
        Kind::Eip1559 => typed(2, &[&value, &tip, &fee, &data, &access]),
        Kind::Eip7702 => {
            let authorization = list(&[
                &int(parts.chain_id),
                &string(&[0xa7; 20]),
                &int(parts.nonce),
                &int(1),
                &number(parts.r),
                &number(parts.s),
            ]);
            typed(
                4,
                &[&value, &tip, &fee, &data, &access, &list(&[&authorization])],
            )
        }
        Kind::Celo => typed(
            0x7b,
            &[&value, &tip, &fee, &data, &access, &string(&[0xcc; 20])],
        ),
        Kind::PostExec => parts.encode(kind).to_vec(),
    }
}

impl Raw {
    /// Encodes blocks, field by field.
    pub(crate) fn new(blocks: &[Block]) -> Self {
        let txs: Vec<_> = blocks.iter().flat_map(|block| &block.txs).collect();
        let signed = |kind: &Kind| *kind != Kind::PostExec;
        let to = |(kind, parts): &&(Kind, Parts)| parts.to.filter(|_| signed(kind));
        let bits = |bit: &dyn Fn(&&(Kind, Parts)) -> bool| {
            bitlist(&txs.iter().map(bit).collect::<Vec<_>>())
        };
        let words = |(kind, parts): &&(Kind, Parts)| {
            let zero = [[0; 32]; 2];
            let [r, s] = if signed(kind) {
                [parts.r.to_be_bytes::<32>(), parts.s.to_be_bytes()]
            } else {
                zero
            };
            [r, s].concat()
        };
        let varint = |value: &dyn Fn(&Parts) -> u64| -> Vec<u8> {
            let value =
                |(kind, parts): &&(Kind, Parts)| if signed(kind) { value(parts) } else { 0 };
            txs.iter().map(value).flat_map(uvarint).collect()
        };
        let legacy: Vec<bool> = txs
            .iter()
            .filter(|(kind, _)| matches!(kind, Kind::Unprotected | Kind::Legacy))
            .map(|(kind, _)| *kind == Kind::Legacy)
            .collect();
        let origins: Vec<bool> = blocks.iter().map(|block| block.new_origin).collect();
        Self([
            uvarint(REL_TIMESTAMP),
            uvarint(L1_ORIGIN),
            PARENT[..20].to_vec(),
            ORIGIN[..20].to_vec(),
            uvarint(blocks.len() as u64),
            bitlist(&origins),
            blocks
                .iter()
                .flat_map(|block| uvarint(block.txs.len() as u64))
                .collect(),
            bits(&|tx| to(tx).is_none()),
            bits(&|(kind, parts)| signed(kind) && parts.y_parity),
            txs.iter().flat_map(words).collect(),
            txs.iter().filter_map(to).flat_map(|to| to.0).collect(),
            txs.iter()
                .flat_map(|(kind, parts)| tx_data(*kind, parts))
                .collect(),
            varint(&|parts| parts.nonce),
            varint(&|parts| parts.gas),
            bitlist(&legacy),
        ])
    }

    /// The same batch with one field changed.
    pub(crate) fn with(mut self, field: SpanField, bytes: Vec<u8>) -> Self {
        self.0[field as usize] = bytes;
        self
    }

    /// A field.
    pub(crate) fn field(&self, field: SpanField) -> &[u8] {
        &self.0[field as usize]
    }

    /// The batch without its type byte.
    pub(crate) fn bytes(&self) -> Bytes {
        self.0.concat().into()
    }

    /// What the codec makes of it.
    pub(crate) fn decode(&self) -> Result<SpanBatch, doppio_protocol::batch::SpanDecodeError> {
        SpanBatch::decode(self.bytes())
    }
}

/// The fields in order.
pub(crate) const FIELDS: [SpanField; 15] = [
    SpanField::RelTimestamp,
    SpanField::L1OriginNum,
    SpanField::ParentCheck,
    SpanField::L1OriginCheck,
    SpanField::BlockCount,
    SpanField::OriginBits,
    SpanField::BlockTxCounts,
    SpanField::ContractCreationBits,
    SpanField::YParityBits,
    SpanField::TxSigs,
    SpanField::TxTos,
    SpanField::TxDatas,
    SpanField::TxNonces,
    SpanField::TxGases,
    SpanField::ProtectedBits,
];

/// A block with one transaction of each kind, and several creations.
pub(crate) fn mixed() -> Vec<(Kind, Parts)> {
    let mut txs: Vec<_> = Kind::ALL
        .into_iter()
        .map(|kind| (kind, Parts::default()))
        .collect();
    for (index, (kind, parts)) in txs.iter_mut().enumerate() {
        parts.nonce = 100 + 50 * index as u64;
        parts.y_parity = index % 2 == 0;
        parts.r = U256::from_be_bytes(keccak256([index as u8]).0);
        if matches!(kind, Kind::Legacy | Kind::Eip1559) {
            parts.to = None;
        }
    }
    txs
}

/// Four blocks over two origins.
pub(crate) fn sample() -> Vec<Block> {
    vec![
        Block {
            new_origin: false,
            txs: mixed(),
        },
        Block {
            new_origin: true,
            txs: Vec::new(),
        },
        Block {
            new_origin: false,
            txs: mixed(),
        },
        Block {
            new_origin: true,
            txs: vec![(Kind::Eip1559, Parts::default())],
        },
    ]
}

/// The singular batches that a span of `blocks` stands for. The hashes that a span does not hold
/// are zero.
pub(crate) fn singulars(blocks: &[Block]) -> Vec<SingularBatch> {
    let changes = |blocks: &[Block]| blocks.iter().filter(|block| block.new_origin).count() as u64;
    (0..blocks.len())
        .map(|index| {
            let txs = &blocks[index].txs;
            let last = index + 1 == blocks.len();
            SingularBatch {
                parent_hash: if index == 0 {
                    PARENT.into()
                } else {
                    Default::default()
                },
                epoch_num: L1_ORIGIN - changes(&blocks[index + 1..]),
                epoch_hash: if last {
                    ORIGIN.into()
                } else {
                    Default::default()
                },
                timestamp: crate::common::GENESIS_TIME
                    + REL_TIMESTAMP
                    + crate::common::BLOCK_TIME * index as u64,
                transactions: txs
                    .iter()
                    .map(|(kind, parts)| parts.encode(*kind))
                    .collect(),
            }
        })
        .collect()
}

/// Writes blocks with the codec.
pub(crate) fn write(blocks: &[Block]) -> Result<Vec<u8>, SpanWriteError> {
    let mut writer = SpanBatchWriter::new(crate::common::span_params());
    for (block, batch) in blocks.iter().zip(singulars(blocks)) {
        writer.push(&batch, u64::from(!block.new_origin))?;
    }
    writer.encode()
}
