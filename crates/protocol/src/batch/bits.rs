//! Bit lists of span batches.
//!
//! A list of n bits is the integer whose bit i is the list's bit i, big-endian in ⌈n/8⌉ bytes: the
//! first bit of the list is the lowest bit of the *last* byte.

/// Bytes of a list of `bits` bits.
pub(super) const fn byte_length(bits: usize) -> usize {
    bits.div_ceil(8)
}

/// Whether bits beyond the list's length are set, which is an error.
// spec: opstack 2.7
pub(super) fn has_excess(list: &[u8], bits: usize) -> bool {
    match (list.first(), bits % 8) {
        (Some(first), used @ 1..) => first >> used != 0,
        _ => false,
    }
}

/// Bit `index` of the list.
pub(super) fn bit(list: &[u8], index: usize) -> bool {
    list.len()
        .checked_sub(1 + index / 8)
        .is_some_and(|position| (list[position] >> (index % 8)) & 1 == 1)
}

/// Number of set bits.
pub(super) fn count(list: &[u8]) -> usize {
    list.iter().map(|byte| byte.count_ones() as usize).sum()
}

/// A list under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct BitList {
    bytes_low_first: Vec<u8>,
    len: usize,
}

impl BitList {
    pub(super) fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(8) {
            self.bytes_low_first.push(0);
        }
        if let Some(byte) = self.bytes_low_first.last_mut() {
            *byte |= u8::from(bit) << (self.len % 8);
        }
        self.len += 1;
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Forgets all bits from `len` on.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.bytes_low_first.truncate(byte_length(self.len));
        if let (Some(byte), used @ 1..) = (self.bytes_low_first.last_mut(), self.len % 8) {
            *byte &= (1 << used) - 1;
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.bytes_low_first.iter().rev());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_bit_is_the_lowest_of_the_last_byte() {
        let list = [0b10, 0b1];
        assert_eq!((0..10).map(|i| bit(&list, i)).filter(|bit| *bit).count(), 2);
        assert!(bit(&list, 0) && bit(&list, 9));
        assert!(!bit(&list, 16) && !bit(&[], 0));
    }

    // opstack 11 E: kona span_bitlist_bitlen, span_bitlist_bitlen_shrink and
    // bitlist_big_endian_zero_extended

    #[test]
    fn span_bitlist_bitlen_counts_from_the_highest_set_bit() {
        for highest in 0..40 {
            let mut list = BitList::default();
            (0..=highest).for_each(|index| list.push(index == highest));
            let mut bytes = Vec::new();
            list.encode(&mut bytes);
            assert!(!has_excess(&bytes, highest + 1));
            if byte_length(highest) == bytes.len() {
                assert!(has_excess(&bytes, highest), "one bit less does not hold it");
            }
        }
    }

    #[test]
    fn span_bitlist_bitlen_shrink_forgets_the_bits_behind() {
        let mut list = BitList::default();
        (0..17).for_each(|_| list.push(true));
        for (length, expected) in [
            (9, vec![1, 0xff]),
            (8, vec![0xff]),
            (3, vec![7]),
            (0, vec![]),
        ] {
            list.truncate(length);
            let mut bytes = Vec::new();
            list.encode(&mut bytes);
            assert_eq!(bytes, expected);
        }
    }

    #[test]
    fn bitlist_big_endian_zero_extended() {
        let mut list = BitList::default();
        list.push(true);
        (0..16).for_each(|_| list.push(false));
        let mut bytes = Vec::new();
        list.encode(&mut bytes);
        assert_eq!(bytes, [0, 0, 1]);
    }

    #[test]
    fn bits_beyond_the_length_are_seen() {
        assert!(has_excess(&[0b100], 2));
        assert!(!has_excess(&[0b10], 2));
        assert!(!has_excess(&[0xff], 8));
        assert!(has_excess(&[0x02, 0xff], 9));
        assert!(!has_excess(&[], 0));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bits in proptest::collection::vec(any::<bool>(), 0..40)) {
            let mut list = BitList::default();
            bits.iter().for_each(|bit| list.push(*bit));
            list.push(true);
            list.push(true);
            list.truncate(bits.len());
            prop_assert_eq!(list.len(), bits.len());
            let mut bytes = Vec::new();
            list.encode(&mut bytes);
            prop_assert_eq!(bytes.len(), byte_length(bits.len()));
            prop_assert!(!has_excess(&bytes, bits.len()));
            prop_assert_eq!(count(&bytes), bits.iter().filter(|bit| **bit).count());
            for (index, expected) in bits.iter().enumerate() {
                prop_assert_eq!(bit(&bytes, index), *expected);
            }
        }
    }
}
