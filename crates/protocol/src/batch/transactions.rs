//! The transactions of a block, as a batch brings them: opaque bytes, in one buffer.

use crate::rlp::{self, RlpError};
use alloy_primitives::Bytes;

/// A list of opaque transactions, stored as the RLP byte strings of which a singular batch is
/// made.
///
/// A hostile batch may hold tens of millions of one-byte transactions. Kept like this they cost
/// what they cost on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionList {
    strings: Bytes,
    count: usize,
}

impl TransactionList {
    /// Takes the payload of an RLP list, which must consist of byte strings.
    pub fn from_rlp_payload(strings: Bytes) -> Result<Self, RlpError> {
        let mut rest = strings.as_ref();
        let mut count = 0;
        while let Some(item) = rlp::next_element(&mut rest)? {
            item.string()?;
            count += 1;
        }
        Ok(Self { strings, count })
    }

    /// Number of transactions.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The transactions, in order. No copies.
    pub fn iter(&self) -> impl Iterator<Item = Bytes> + '_ {
        self.iter_slices()
            .map(|bytes| self.strings.slice_ref(bytes))
    }

    /// The transactions, in order, borrowed.
    pub fn iter_slices(&self) -> impl Iterator<Item = &[u8]> + '_ {
        let mut rest = self.strings.as_ref();
        // the strings were checked when the list was made
        std::iter::from_fn(move || {
            rlp::next_element(&mut rest)
                .ok()
                .flatten()
                .map(|item| item.payload)
        })
    }

    /// The payload of the RLP list.
    pub const fn rlp_payload(&self) -> &Bytes {
        &self.strings
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for TransactionList {
    fn from_iter<I: IntoIterator<Item = T>>(transactions: I) -> Self {
        let mut builder = TransactionListBuilder::default();
        for transaction in transactions {
            rlp::put_string(transaction.as_ref(), &mut builder.strings);
            builder.count += 1;
        }
        builder.finish()
    }
}

/// Collects transactions that are made in place.
#[derive(Clone, Debug, Default)]
pub struct TransactionListBuilder {
    strings: Vec<u8>,
    count: usize,
}

impl TransactionListBuilder {
    /// Makes room for transactions, headers included.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.strings.reserve(bytes);
    }

    /// Announces a transaction of `length` bytes, which the caller appends to the returned buffer.
    /// Transactions made in place are longer than one byte.
    pub(super) fn push_with_length(&mut self, length: usize) -> &mut Vec<u8> {
        debug_assert!(length > 1, "a single byte would need no header");
        rlp::put_string_header(length, &mut self.strings);
        self.count += 1;
        &mut self.strings
    }

    /// The list.
    pub fn finish(self) -> TransactionList {
        TransactionList {
            strings: self.strings.into(),
            count: self.count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_gives_back_what_it_was_made_of() {
        let transactions: [&[u8]; 5] = [&[], &[0x05], &[0x80], &[2; 60], &[0x7f; 300]];
        let list: TransactionList = transactions.iter().collect();
        assert_eq!(list.len(), 5);
        assert!(list.iter_slices().eq(transactions));
        let again = TransactionList::from_rlp_payload(list.rlp_payload().clone()).unwrap();
        assert_eq!(again, list);
    }

    #[test]
    fn a_nested_list_is_no_transaction() {
        let payload = Bytes::from_static(&[0x05, 0xc0]);
        assert_eq!(
            TransactionList::from_rlp_payload(payload),
            Err(RlpError::UnexpectedList)
        );
    }
}
