//! Namespaces: how a HotShot block's payload holds the transactions of many rollups.
// spec: espresso 3.3

use crate::{
    commit::Builder,
    number::base64_bytes,
    tagged::{NsTableHash, TxHash},
};
use alloy_primitives::Bytes;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use thiserror::Error;

const WORD: usize = 4;

/// A transaction of a rollup.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Transaction {
    /// The rollup's namespace. Only below 2^32 can a block hold it.
    pub namespace: u64,
    /// What the rollup makes of it.
    #[serde(with = "base64_bytes")]
    pub payload: Bytes,
}

impl Transaction {
    /// The commitment by which services name it.
    // spec: espresso 3.2
    pub fn commit(&self) -> TxHash {
        let builder = Builder::new("Transaction").u64_field("namespace", self.namespace);
        TxHash(builder.var(&self.payload).finish())
    }
}

/// Why a chain can have no namespace, or a table is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NamespaceError {
    /// The number has more than 32 bits, and the table's entries have 32.
    #[error("{0} is no namespace: a block's table has 32 bits for it")]
    TooLarge(u64),
    /// The table has another length than its number of entries needs.
    #[error("a namespace table of {found} bytes does not hold what it announces")]
    Length {
        /// Bytes of the table.
        found: usize,
    },
    /// An entry does not end after the one before it.
    #[error("entry {0} of the namespace table does not end after the one before it")]
    Offset(usize),
    /// A namespace is not above the one before it.
    #[error("entry {0} of the namespace table is not in ascending order")]
    Order(usize),
}

/// Where a namespace is in a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NsEntry {
    /// The namespace.
    pub namespace: u32,
    /// Its bytes in the payload.
    pub range: Range<u32>,
}

impl NsEntry {
    /// Number of its bytes.
    pub const fn length(&self) -> usize {
        self.range.end.saturating_sub(self.range.start) as usize
    }
}

/// The table of namespaces, as the header holds it; not yet checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NsTable {
    /// The bytes that the header commits to.
    #[serde(with = "base64_bytes")]
    pub bytes: Bytes,
}

/// A number of 32 bits, as a namespace of a table.
///
/// # Errors
///
/// If it has more bits.
pub fn table_namespace(namespace: u64) -> Result<u32, NamespaceError> {
    u32::try_from(namespace).map_err(|_| NamespaceError::TooLarge(namespace))
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes
        .as_chunks::<WORD>()
        .0
        .iter()
        .map(|word| u32::from_le_bytes(*word))
}

impl NsTable {
    /// The table of these namespaces with this many bytes each; they must be in ascending order.
    ///
    /// # Errors
    ///
    /// If they are not, one is empty, or all together have 4 GiB or more.
    pub fn new(namespaces: &[(u32, usize)]) -> Result<Self, NamespaceError> {
        let mut bytes = Vec::with_capacity(WORD + 2 * WORD * namespaces.len());
        let count = u32::try_from(namespaces.len());
        let count = count.map_err(|_| NamespaceError::Length { found: usize::MAX })?;
        bytes.extend_from_slice(&count.to_le_bytes());
        let mut end = 0_u32;
        for (at, (namespace, length)) in namespaces.iter().enumerate() {
            let length = u32::try_from(*length).map_err(|_| NamespaceError::Offset(at))?;
            end = end.checked_add(length).ok_or(NamespaceError::Offset(at))?;
            bytes.extend_from_slice(&namespace.to_le_bytes());
            bytes.extend_from_slice(&end.to_le_bytes());
        }
        let table = Self {
            bytes: bytes.into(),
        };
        table.entries().map(|_| table.clone())
    }

    /// The entries, in order.
    ///
    /// # Errors
    ///
    /// If the table is not well-formed. No quorum signs a header with such a table.
    pub fn entries(&self) -> Result<Vec<NsEntry>, NamespaceError> {
        let length = NamespaceError::Length {
            found: self.bytes.len(),
        };
        let (count, rest) = self.bytes.split_first_chunk::<WORD>().ok_or(length)?;
        let count = u32::from_le_bytes(*count) as usize;
        if count.checked_mul(2 * WORD) != Some(rest.len()) {
            return Err(length);
        }
        let mut entries: Vec<NsEntry> = Vec::with_capacity(count);
        let mut numbers = words(rest);
        while let (Some(namespace), Some(end)) = (numbers.next(), numbers.next()) {
            let at = entries.len();
            let start = entries.last().map_or(0, |last| last.range.end);
            if end <= start {
                return Err(NamespaceError::Offset(at));
            }
            if entries
                .last()
                .is_some_and(|last| namespace <= last.namespace)
            {
                return Err(NamespaceError::Order(at));
            }
            let range = start..end;
            entries.push(NsEntry { namespace, range });
        }
        Ok(entries)
    }

    /// The commitment in the header.
    pub fn commit(&self) -> NsTableHash {
        NsTableHash(Builder::new("NSTABLE").var(&self.bytes).finish())
    }
}

/// The transactions in the bytes of a namespace.
///
/// Any bytes are some list of transactions, as they are to Espresso's nodes: a table that announces
/// more than there is is cut, and what it points to outside of the bytes is empty.
pub fn read_transactions(payload: &Bytes) -> Vec<Bytes> {
    let Some((count, rest)) = payload.split_first_chunk::<WORD>() else {
        return Vec::new();
    };
    let announced = u32::from_le_bytes(*count) as usize;
    let count = announced.min(rest.len() / WORD);
    let bodies = announced.saturating_mul(WORD).saturating_add(WORD);
    let mut start = 0;
    let mut transactions = Vec::with_capacity(count);
    for end in words(rest).take(count) {
        let end = end as usize;
        let to = bodies.saturating_add(end).min(payload.len());
        let from = bodies.saturating_add(start).min(to);
        transactions.push(payload.slice(from..to));
        start = end;
    }
    transactions
}

/// The bytes of a namespace that holds these transactions; none if they have 4 GiB or more.
pub fn write_transactions(transactions: &[Bytes]) -> Option<Bytes> {
    let mut out = Vec::new();
    out.extend_from_slice(&u32::try_from(transactions.len()).ok()?.to_le_bytes());
    let mut end = 0_u32;
    for transaction in transactions {
        end = end.checked_add(u32::try_from(transaction.len()).ok()?)?;
        out.extend_from_slice(&end.to_le_bytes());
    }
    for transaction in transactions {
        out.extend_from_slice(transaction);
    }
    Some(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_chain_id_of_more_than_32_bits_has_no_namespace() {
        assert_eq!(table_namespace(u64::from(u32::MAX)), Ok(u32::MAX));
        let above = u64::from(u32::MAX) + 1;
        assert_eq!(table_namespace(above), Err(NamespaceError::TooLarge(above)));
    }

    #[test]
    fn a_table_in_disorder_is_refused_by_its_rule() {
        let table = |words: &[u32]| NsTable {
            bytes: words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        };
        let entries = |words: &[u32]| table(words).entries();
        assert_eq!(entries(&[0]), Ok(vec![]));
        assert_eq!(entries(&[]), Err(NamespaceError::Length { found: 0 }));
        assert_eq!(
            entries(&[2, 1, 9]),
            Err(NamespaceError::Length { found: 12 })
        );
        assert_eq!(
            entries(&[1, 1, 9, 3]),
            Err(NamespaceError::Length { found: 16 })
        );
        assert_eq!(entries(&[1, 1, 0]), Err(NamespaceError::Offset(0)));
        assert_eq!(entries(&[2, 1, 9, 2, 9]), Err(NamespaceError::Offset(1)));
        assert_eq!(entries(&[2, 1, 9, 1, 10]), Err(NamespaceError::Order(1)));
        assert_eq!(entries(&[2, 5, 9, 1, 10]), Err(NamespaceError::Order(1)));
        assert!(entries(&[2, 1, 9, 5, 10]).is_ok());
    }

    #[test]
    fn hostile_tables_of_transactions_give_empty_ones() {
        let read = |words: &[u32]| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            read_transactions(&bytes.into())
        };
        assert!(read(&[]).is_empty());
        assert!(read(&[0, 7]).is_empty());
        // more announced than there is: the bodies would begin behind the end
        assert_eq!(read(&[u32::MAX, 1, 2]), vec![Bytes::new(); 2]);
        // an end behind the bytes, and one before the last
        assert_eq!(
            read(&[2, 99, 1, 7]),
            [Bytes::from(7_u32.to_le_bytes()), Bytes::new()]
        );
    }

    proptest! {
        #[test]
        fn transactions_read_as_written(list: Vec<Vec<u8>>) {
            let list: Vec<Bytes> = list.into_iter().map(Bytes::from).collect();
            prop_assert_eq!(read_transactions(&write_transactions(&list).unwrap()), list);
        }

        #[test]
        fn any_bytes_are_transactions_within_them(bytes: Vec<u8>) {
            let length = bytes.len();
            let read = read_transactions(&bytes.into());
            prop_assert!(read.len() <= length / 4);
            prop_assert!(read.iter().all(|transaction| transaction.len() <= length));
        }
    }
}
