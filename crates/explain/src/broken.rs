//! Where in a batch its decoding fails.
//!
//! The decoders name the field. Here the batch is walked up to that field, so that its position
//! and what stands before it can be told. Positions count from the batch's type byte.

use crate::tree::Field;
use alloy_primitives::hex;
use doppio_protocol::{
    batch::{BatchError, SingularError, SpanDecodeError, SpanField, read_uvarint},
    rlp,
};

/// Where a batch breaks.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// The fields before.
    pub(crate) fields: Vec<Field>,
    /// Path of the field that breaks.
    pub(crate) field: String,
    /// Where it begins.
    pub(crate) offset: usize,
}

/// Finds the field for which a batch was refused.
pub(crate) fn find(string: &[u8], error: &BatchError) -> Place {
    match error {
        BatchError::Empty => Place::default(),
        BatchError::UnknownType(_) => Place {
            field: "batch_type".to_owned(),
            ..Place::default()
        },
        BatchError::Singular(error) => singular(string, error),
        BatchError::Span(error) => span(string, error),
    }
}

// spec: opstack 2.6
fn singular(string: &[u8], error: &SingularError) -> Place {
    const FIELDS: [&str; 5] = [
        "parent_hash",
        "epoch_number",
        "epoch_hash",
        "timestamp",
        "transactions",
    ];
    let mut place = Place {
        field: "rlp".to_owned(),
        offset: 1,
        fields: Vec::new(),
    };
    let mut content = string.get(1..).unwrap_or_default();
    let Ok(list) = rlp::next_item(&mut content).and_then(|item| item.list()) else {
        return place;
    };
    let mut rest = list;
    // the list ends where its item ends
    let end = string.len() - content.len();
    for name in FIELDS {
        place.offset = end - rest.len();
        place.field = name.to_owned();
        if name == error.field {
            if name == "transactions"
                && let Some((index, offset)) = broken_transaction(rest)
            {
                place.field = format!("transactions[{index}]");
                place.offset += offset;
            }
            return place;
        }
        let Ok(Some(item)) = rlp::next_element(&mut rest) else {
            return place;
        };
        let value = match item.string() {
            Ok(bytes) if bytes.len() <= 8 => item.u64().map(|n| n.to_string()).unwrap_or_default(),
            Ok(bytes) => hex::encode_prefixed(bytes),
            Err(_) => format!("list of {} bytes", item.payload.len()),
        };
        place.fields.push(Field {
            name: name.to_owned(),
            offset: place.offset as u64,
            value,
        });
    }
    // all fields are sound, and something follows them
    place.field = "rlp".to_owned();
    place.offset = end - rest.len();
    place
}

/// The first element of the list at the front of `bytes` that is no RLP string: its position, and
/// where it begins. None if the list itself is broken.
fn broken_transaction(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut rest = bytes;
    let list = rlp::next_item(&mut rest)
        .and_then(|item| item.list())
        .ok()?;
    let end = bytes.len() - rest.len();
    let mut rest = list;
    let mut index = 0;
    loop {
        let offset = end - rest.len();
        let element = rlp::next_element(&mut rest);
        match element.and_then(|item| item.map(|item| item.string()).transpose()) {
            Ok(Some(_)) => index += 1,
            Ok(None) => return None,
            Err(_) => return Some((index, offset)),
        }
    }
}

/// Walks the fields of a span batch.
struct SpanWalk<'a> {
    string: &'a [u8],
    rest: &'a [u8],
}

/// The walk came to an end of its bytes, or to something that is not what must be there.
struct Stuck;

impl<'a> SpanWalk<'a> {
    fn new(string: &'a [u8]) -> Self {
        Self {
            string,
            rest: string.get(1..).unwrap_or_default(),
        }
    }

    const fn offset(&self) -> usize {
        self.string.len() - self.rest.len()
    }

    fn uvarint(&mut self) -> Result<u64, Stuck> {
        read_uvarint(&mut self.rest).map_err(|_| Stuck)
    }

    /// So many numbers; their sum.
    fn uvarints(&mut self, count: u64) -> Result<u64, Stuck> {
        let mut sum = 0u64;
        for _ in 0..count {
            sum = sum.saturating_add(self.uvarint()?);
        }
        Ok(sum)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Stuck> {
        let length = usize::try_from(length).map_err(|_| Stuck)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Stuck)?;
        self.rest = rest;
        Ok(taken)
    }

    fn bits(&mut self, count: u64) -> Result<u64, Stuck> {
        let bits = self.take(count.div_ceil(8))?;
        Ok(bits.iter().map(|byte| u64::from(byte.count_ones())).sum())
    }

    /// One transaction's data; says whether it is a legacy transaction's.
    fn tx_data(&mut self) -> Result<bool, Stuck> {
        let mut rest = self.rest;
        let first = *rest.first().ok_or(Stuck)?;
        if first <= 0x7f {
            rest = &rest[1..];
        }
        let (header, is_list, length) = rlp::split_header(rest).map_err(|_| Stuck)?;
        if !is_list {
            return Err(Stuck);
        }
        let length = length.checked_add(header as u64).ok_or(Stuck)?;
        let start = self.rest;
        self.rest = rest;
        self.take(length).inspect_err(|_| self.rest = start)?;
        Ok(first > 0x7f || first == 0)
    }

    /// The data of so many transactions; says how many of them are legacy transactions.
    fn tx_datas(&mut self, count: u64) -> Result<u64, (u64, Stuck)> {
        let mut legacy = 0;
        for index in 0..count {
            legacy += u64::from(self.tx_data().map_err(|stuck| (index, stuck))?);
        }
        Ok(legacy)
    }

    /// Walks to `stop`, or to the end, and notes each field on the way.
    // spec: opstack 2.7
    fn walk(&mut self, stop: Option<SpanField>, counts: &mut Counts, fields: &mut Vec<Field>) {
        for field in SPAN_FIELDS {
            if stop == Some(field) {
                return;
            }
            let offset = self.offset() as u64;
            let Ok(value) = self.field(field, counts) else {
                return;
            };
            let name = field.to_string();
            fields.push(Field {
                name,
                offset,
                value,
            });
        }
    }

    /// Walks into a field that is a list, to the element that breaks; its position.
    fn walk_into(&mut self, error: &SpanDecodeError, counts: &Counts) -> Option<u64> {
        match error {
            SpanDecodeError::Varint(SpanField::BlockTxCounts, _) => self.numbers(counts.blocks),
            SpanDecodeError::Varint(SpanField::TxNonces | SpanField::TxGases, _) => {
                self.numbers(counts.txs)
            }
            SpanDecodeError::Truncated(SpanField::TxDatas) => {
                self.tx_datas(counts.txs).err().map(|(index, Stuck)| index)
            }
            SpanDecodeError::NotAList(index) | SpanDecodeError::TxTooLong(index) => {
                // those before are sound
                let _ = self.tx_datas(*index as u64);
                Some(*index as u64)
            }
            _ => None,
        }
    }

    /// Walks over numbers to the one that breaks.
    fn numbers(&mut self, count: u64) -> Option<u64> {
        (0..count).find(|_| self.uvarint().is_err())
    }

    fn field(&mut self, field: SpanField, counts: &mut Counts) -> Result<String, Stuck> {
        let txs = counts.txs;
        Ok(match field {
            SpanField::RelTimestamp | SpanField::L1OriginNum => self.uvarint()?.to_string(),
            SpanField::ParentCheck | SpanField::L1OriginCheck => {
                hex::encode_prefixed(self.take(20)?)
            }
            SpanField::BlockCount => {
                counts.blocks = self.uvarint()?;
                counts.blocks.to_string()
            }
            SpanField::OriginBits => format!("{} set", self.bits(counts.blocks)?),
            SpanField::BlockTxCounts => {
                counts.txs = self.uvarints(counts.blocks)?;
                format!("{} transactions in all", counts.txs)
            }
            SpanField::ContractCreationBits => {
                counts.creations = self.bits(txs)?;
                format!("{} set", counts.creations)
            }
            SpanField::YParityBits => format!("{} set", self.bits(txs)?),
            SpanField::TxSigs => {
                self.take(txs.saturating_mul(64))?;
                format!("{txs} signatures")
            }
            SpanField::TxTos => {
                let recipients = txs.saturating_sub(counts.creations);
                self.take(recipients.saturating_mul(20))?;
                format!("{recipients} recipients")
            }
            SpanField::TxNonces | SpanField::TxGases => {
                self.uvarints(txs)?;
                format!("{txs} numbers")
            }
            SpanField::ProtectedBits => format!("{} set", self.bits(counts.legacy)?),
            SpanField::TxDatas => {
                counts.legacy = self.tx_datas(txs).map_err(|(_, stuck)| stuck)?;
                format!("{txs} transactions, {} of them legacy", counts.legacy)
            }
        })
    }
}

/// What the fields before say of the size of those behind.
#[derive(Default)]
struct Counts {
    blocks: u64,
    txs: u64,
    creations: u64,
    legacy: u64,
}

const SPAN_FIELDS: [SpanField; 15] = [
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

fn span(string: &[u8], error: &SpanDecodeError) -> Place {
    let stop = match error {
        SpanDecodeError::Truncated(field)
        | SpanDecodeError::Varint(field, _)
        | SpanDecodeError::TooMany(field)
        | SpanDecodeError::ExcessBits(field) => *field,
        SpanDecodeError::Empty => SpanField::BlockCount,
        SpanDecodeError::NotAList(_) | SpanDecodeError::TxTooLong(_) => SpanField::TxDatas,
    };
    let mut walk = SpanWalk::new(string);
    let mut counts = Counts::default();
    let mut fields = Vec::new();
    walk.walk(Some(stop), &mut counts, &mut fields);
    let index = walk.walk_into(error, &counts);
    Place {
        fields,
        field: match index {
            Some(index) => format!("{stop}[{index}]"),
            None => stop.to_string(),
        },
        offset: walk.offset(),
    }
}

/// Bytes behind the last field of a sound span batch.
pub(crate) fn span_trailing(string: &[u8]) -> u64 {
    let mut walk = SpanWalk::new(string);
    walk.walk(None, &mut Counts::default(), &mut Vec::new());
    walk.rest.len() as u64
}

/// Where the data of a transaction begins in a sound span batch.
pub(crate) fn tx_data_offset(string: &[u8], index: usize) -> usize {
    let mut walk = SpanWalk::new(string);
    let mut counts = Counts::default();
    walk.walk(Some(SpanField::TxDatas), &mut counts, &mut Vec::new());
    let _ = walk.tx_datas(index as u64);
    walk.offset()
}
