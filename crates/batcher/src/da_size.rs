//! How many bytes a block is estimated to need on L1.

/// What a batch has beside its transactions, about.
// spec: opstack 7.3
pub(crate) const BATCH_OVERHEAD: u64 = 70;
/// What a transaction has in a batch beside its own bytes, about.
const TX_OVERHEAD: u64 = 2;

/// Bytes of a block as op-batcher counts them.
// spec: opstack 7.3
pub(crate) fn raw_size<T: AsRef<[u8]>>(transactions: &[T]) -> u64 {
    let sizes = transactions.iter().map(|tx| tx.as_ref().len() as u64);
    BATCH_OVERHEAD + sizes.map(|size| size + TX_OVERHEAD).sum::<u64>()
}

/// Estimated bytes of a block on L1.
// spec: opstack 7.3
pub(crate) fn estimate<T: AsRef<[u8]>>(transactions: &[T]) -> u64 {
    let sizes = transactions.iter().map(|tx| estimate_tx(tx.as_ref()));
    BATCH_OVERHEAD + sizes.sum::<u64>()
}

/// Fjord's estimate: linear in what FastLZ would make of the transaction, and 100 at least.
// spec: opstack 7.3
fn estimate_tx(transaction: &[u8]) -> u64 {
    let scaled = (fastlz_len(transaction) as u64).saturating_mul(836_500);
    scaled.saturating_sub(42_585_600).max(100_000_000) / 1_000_000
}

/// Slots of FastLZ's table of places.
const PLACES: usize = 1 << 13;
/// How far back a match may reach.
const REACH: usize = 1 << 13;

/// Bytes that FastLZ (level 1) would make of `input`, counted without making them.
pub(crate) fn fastlz_len(input: &[u8]) -> usize {
    let mut places = [0_usize; PLACES];
    // where matches can begin at most
    let end = input.len().saturating_sub(13);
    let (mut size, mut literals_from, mut at) = (0, 0, 2);
    while let Some((place, found)) = find_match(input, &mut places, at, end) {
        size += literals_len(found - literals_from);
        let length = match_len(input, place + 3, found + 3, end + 9);
        size += 3 * ((length - 1) / 262) + if (length - 1) % 262 >= 6 { 3 } else { 2 };
        at = found + length;
        for _ in 0..2 {
            remember(input, &mut places, at);
            at += 1;
        }
        literals_from = at;
    }
    size + literals_len(input.len().saturating_sub(literals_from))
}

/// The next place from `at` on whose three bytes stood before, and where.
fn find_match(
    input: &[u8],
    places: &mut [usize; PLACES],
    at: usize,
    end: usize,
) -> Option<(usize, usize)> {
    for found in at..end {
        let three = three_bytes(input, found)?;
        let place = core::mem::replace(places.get_mut(slot(three))?, found);
        // the place behind a match's beginning must be one where a match could begin
        if found + 1 < end && found - place < REACH && three_bytes(input, place) == Some(three) {
            return Some((place, found));
        }
    }
    None
}

fn remember(input: &[u8], places: &mut [usize; PLACES], at: usize) {
    if let Some(three) = three_bytes(input, at)
        && let Some(place) = places.get_mut(slot(three))
    {
        *place = at;
    }
}

fn three_bytes(input: &[u8], at: usize) -> Option<u32> {
    let [a, b, c] = *input.get(at..)?.first_chunk::<3>()?;
    Some(u32::from_le_bytes([a, b, c, 0]))
}

const fn slot(three: u32) -> usize {
    (three.wrapping_mul(2_654_435_769) >> 19) as usize
}

/// Equal bytes from two places on, and the first that differs.
fn match_len(input: &[u8], place: usize, at: usize, end: usize) -> usize {
    let most = end.saturating_sub(at);
    let pairs = input.iter().skip(place).zip(input.iter().skip(at));
    let equal = pairs.take(most).take_while(|(a, b)| a == b).count();
    (equal + 1).min(most)
}

/// Bytes of a run of literals: one more for each 32.
const fn literals_len(count: usize) -> usize {
    count + count.div_ceil(32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::hex;

    /// A contract call of Base, and what op-geth's and the FastLZ contract's algorithm make of it.
    const CALL: &str = "02f901550a758302df1483be21b88304743f94f80e51afb613d764fa61751affd3313c190a86bb870151\
        bd62fd12adb8e41ef24f3f00000000000000000000000000000000000000000000000000000000000000\
        6e000000000000000000000000af88d065e77c8cc2239327c5edb3a432268e5831000000000000000000\
        000000000000000000000000000000000000000003c1e500000000000000000000000000000000000000\
        000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
        0000a000000000000000000000000000000000000000000000000000000000000000148c89ed219d02f1\
        a5be012c689b4f5b731827bebe000000000000000000000000c001a033fd89cb37c31b2cba46b6466e04\
        0c61fc9b2a3675a7f5f493ebd5ad77c497f8a07cdf65680e238392693019b4092f610222e71b7cec0644\
        9cb922b93b6a12744e";

    #[test]
    fn fastlz_lengths_are_those_of_the_reference() {
        assert_eq!(fastlz_len(&[]), 0);
        assert_eq!(fastlz_len(&[0; 1000]), 21);
        assert_eq!(fastlz_len(&[42; 1000]), 21);
        assert_eq!(fastlz_len(&hex!("FACADE")), 4);
        assert_eq!(fastlz_len(&hex::decode(CALL).unwrap()), 202);
    }

    #[test]
    fn bytes_without_repeats_never_become_shorter() {
        let bytes: Vec<u8> = (0..=255).collect();
        let lengths: Vec<usize> = (1..=256).map(|end| fastlz_len(&bytes[..end])).collect();
        assert!(lengths.is_sorted_by(|a, b| a < b), "{lengths:?}");
    }

    #[test]
    fn an_empty_block_counts_70_bytes() {
        let none: [&[u8]; 0] = [];
        assert_eq!(raw_size(&none), 70);
        assert_eq!(estimate(&none), 70);
    }

    #[test]
    fn a_small_transaction_counts_100_bytes_and_a_large_one_by_its_fastlz_length() {
        assert_eq!(estimate(&[[0_u8; 90]]), 70 + 100);
        // (202 * 836,500 - 42,585,600) / 1,000,000
        assert_eq!(estimate(&[hex::decode(CALL).unwrap()]), 70 + 126);
        assert_eq!(raw_size(&[[0_u8; 90]]), 70 + 90 + 2);
    }
}
