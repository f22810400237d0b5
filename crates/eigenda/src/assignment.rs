//! Which operator keeps which chunks of a blob.
//!
//! Of N chunks as many as the largest number of operators are left over for rounding up. Within the first quorum
//! each operator gets a run of chunks by its share of the stake. In every further quorum an operator
//! keeps what it has from the first, as far as its share goes, and gets what is lacking from the chunks
//! that nobody keeps there. What comes together is cut off where it is enough to know the whole blob.
// spec: eigenda 6.1

use alloy_primitives::{B256, U256};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// How blobs of one version are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlobParameters {
    /// Operators that a quorum may have.
    pub max_operators: u32,
    /// Chunks of a blob.
    pub chunks: u32,
    /// How many times the blob's symbols all chunks have together.
    pub coding_rate: u8,
}

impl BlobParameters {
    /// Symbols of a chunk of a blob of `length` symbols; none if the parameters are none.
    // spec: eigenda 6.1
    pub fn chunk_length(&self, length: u32) -> Option<u32> {
        let symbols = u64::from(length).checked_mul(self.coding_rate.into())?;
        let chunk_length = symbols.checked_div(self.chunks.into())?;
        u32::try_from(chunk_length.max(1)).ok()
    }

    /// Chunks from which the whole blob can be known; none if the parameters are none.
    pub fn enough(&self) -> Option<u32> {
        self.chunks.checked_div(self.coding_rate.into())
    }
}

/// The operators of a quorum, by id, with their stakes. Ids are in the order of their bytes, which is
/// that of their hexadecimal digits.
pub type Quorum = BTreeMap<B256, U256>;

/// Why chunks cannot be assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AssignmentError {
    /// More operators than the parameters allow.
    #[error("a quorum of {0} operators is too large")]
    TooManyOperators(usize),
    /// Parameters that leave no chunks, or stakes without a sum.
    #[error("the blob's parameters assign nothing")]
    Parameters,
}

/// The chunks of every operator, in the order in which it keeps them.
///
/// # Errors
///
/// If a quorum has too many operators, or the parameters are none.
pub fn assign(
    parameters: &BlobParameters,
    quorums: &BTreeMap<u8, Quorum>,
) -> Result<BTreeMap<B256, Vec<u32>>, AssignmentError> {
    let most = parameters.enough().ok_or(AssignmentError::Parameters)?;
    let most = usize::try_from(most).map_err(|_| AssignmentError::Parameters)?;
    let mut quorums = quorums.values();
    let Some(first) = quorums.next() else {
        return Ok(BTreeMap::new());
    };
    let first = base(parameters, first)?;
    let mut merged: BTreeMap<B256, Merged> = BTreeMap::new();
    for (id, chunks) in &first {
        merged.entry(*id).or_default().extend(chunks, most);
    }
    for quorum in quorums {
        // always against the first quorum, never against what has been merged
        for (id, chunks) in further(parameters, &first, quorum)? {
            merged.entry(id).or_default().extend(&chunks, most);
        }
    }
    Ok(merged
        .into_iter()
        .map(|(id, merged)| (id, merged.chunks))
        .collect())
}

#[derive(Default)]
struct Merged {
    chunks: Vec<u32>,
    known: BTreeSet<u32>,
}

impl Merged {
    fn extend(&mut self, chunks: &[u32], most: usize) {
        for chunk in chunks {
            if self.chunks.len() >= most {
                return;
            }
            if self.known.insert(*chunk) {
                self.chunks.push(*chunk);
            }
        }
    }
}

/// How many chunks each operator of a quorum keeps.
fn shares(
    parameters: &BlobParameters,
    quorum: &Quorum,
) -> Result<BTreeMap<B256, u32>, AssignmentError> {
    let operators = u32::try_from(quorum.len()).unwrap_or(u32::MAX);
    if operators > parameters.max_operators {
        return Err(AssignmentError::TooManyOperators(quorum.len()));
    }
    let spread = parameters.chunks.checked_sub(parameters.max_operators);
    let spread = U256::from(spread.ok_or(AssignmentError::Parameters)?);
    let total = quorum
        .values()
        .try_fold(U256::ZERO, |sum, stake| sum.checked_add(*stake))
        .ok_or(AssignmentError::Parameters)?;
    quorum
        .iter()
        .map(|(id, stake)| {
            let product = spread
                .checked_mul(*stake)
                .ok_or(AssignmentError::Parameters)?;
            if total.is_zero() {
                return Ok((*id, 0));
            }
            let share = u32::try_from(product.div_ceil(total));
            share
                .map(|share| (*id, share))
                .map_err(|_| AssignmentError::Parameters)
        })
        .collect()
}

/// Runs of chunks, one after the other.
fn base(
    parameters: &BlobParameters,
    quorum: &Quorum,
) -> Result<BTreeMap<B256, Vec<u32>>, AssignmentError> {
    let mut next = 0u32;
    shares(parameters, quorum)?
        .into_iter()
        .map(|(id, share)| {
            let end = next
                .checked_add(share)
                .filter(|end| *end <= parameters.chunks)
                .ok_or(AssignmentError::Parameters)?;
            let run = (next..end).collect();
            next = end;
            Ok((id, run))
        })
        .collect()
}

fn further(
    parameters: &BlobParameters,
    first: &BTreeMap<B256, Vec<u32>>,
    quorum: &Quorum,
) -> Result<BTreeMap<B256, Vec<u32>>, AssignmentError> {
    let shares = shares(parameters, quorum)?;
    let mut kept: BTreeMap<B256, Vec<u32>> = shares
        .iter()
        .map(|(id, share)| {
            let share = usize::try_from(*share).unwrap_or(usize::MAX);
            let chunks = first.get(id).map(Vec::as_slice).unwrap_or_default();
            (*id, chunks.iter().take(share).copied().collect())
        })
        .collect();
    let taken: BTreeSet<u32> = kept.values().flatten().copied().collect();
    let mut free = (0..parameters.chunks).filter(|chunk| !taken.contains(chunk));
    for (id, share) in shares {
        let chunks = kept.entry(id).or_default();
        let lacking = usize::try_from(share)
            .unwrap_or(usize::MAX)
            .saturating_sub(chunks.len());
        let before = chunks.len();
        chunks.extend(free.by_ref().take(lacking));
        if chunks.len() - before < lacking {
            return Err(AssignmentError::Parameters);
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAINNET: BlobParameters = BlobParameters {
        max_operators: 3537,
        chunks: 8192,
        coding_rate: 8,
    };

    fn quorum(stakes: &[(u8, u64)]) -> Quorum {
        let id = |n: u8| B256::with_last_byte(n);
        stakes
            .iter()
            .map(|(n, s)| (id(*n), U256::from(*s)))
            .collect()
    }

    #[test]
    fn stakes_become_runs_of_chunks() {
        let quorums = BTreeMap::from([(0, quorum(&[(1, 50), (2, 30), (3, 20)]))]);
        let assigned = assign(&MAINNET, &quorums).unwrap();
        // 4655 chunks: half of them rounded up are more than enough, so 1024 remain
        assert_eq!(
            assigned[&B256::with_last_byte(1)],
            (0..1024).collect::<Vec<_>>()
        );
        assert_eq!(
            assigned[&B256::with_last_byte(2)],
            (2328..3352).collect::<Vec<_>>()
        );
        // 20 % of 4655 are 931
        assert_eq!(
            assigned[&B256::with_last_byte(3)],
            (3725..4656).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_second_quorum_adds_to_what_the_first_has() {
        let small = BlobParameters {
            max_operators: 4,
            chunks: 16,
            coding_rate: 2,
        };
        // 12 chunks to spread. First quorum: 1 has 0..3, 2 has 3..12.
        // Second: 1 wants 6 and keeps 0, 1, 2; 3 wants 6; free are 3..16.
        let quorums = BTreeMap::from([
            (0, quorum(&[(1, 1), (2, 3)])),
            (1, quorum(&[(1, 5), (3, 5)])),
        ]);
        let assigned = assign(&small, &quorums).unwrap();
        assert_eq!(assigned[&B256::with_last_byte(1)], [0, 1, 2, 3, 4, 5]);
        // nine, cut to eight
        assert_eq!(
            assigned[&B256::with_last_byte(2)],
            [3, 4, 5, 6, 7, 8, 9, 10]
        );
        assert_eq!(assigned[&B256::with_last_byte(3)], [6, 7, 8, 9, 10, 11]);
    }

    proptest! {
        #[test]
        fn whoever_holds_22_percent_of_a_quorum_holds_enough_chunks(
            first in proptest::collection::btree_map(0u8..60, 1u64..1_000_000, 1..40),
            second in proptest::collection::btree_map(0u8..60, 1u64..1_000_000, 1..40),
            holders in any::<u64>()
        ) {
            let list = |map: &BTreeMap<u8, u64>| map.iter().map(|(n, s)| (*n, *s)).collect::<Vec<_>>();
            let quorums = BTreeMap::from([(0, quorum(&list(&first))), (1, quorum(&list(&second)))]);
            let assigned = assign(&MAINNET, &quorums).unwrap();
            for chunks in assigned.values() {
                let different: BTreeSet<_> = chunks.iter().collect();
                prop_assert_eq!(different.len(), chunks.len());
                prop_assert!(chunks.len() <= 1024);
                prop_assert!(chunks.iter().all(|chunk| *chunk < 8192));
            }
            for quorum in quorums.values() {
                let total: U256 = quorum.values().sum();
                let chosen: Vec<_> = quorum
                    .iter()
                    .enumerate()
                    .filter(|(place, _)| holders >> (place % 64) & 1 == 1)
                    .map(|(_, operator)| operator)
                    .collect();
                let held: U256 = chosen.iter().map(|(_, stake)| **stake).sum();
                let chunks: BTreeSet<_> = chosen.iter().flat_map(|(id, _)| &assigned[*id]).collect();
                if held * U256::from(100) >= total * U256::from(22) {
                    prop_assert!(chunks.len() >= 1024, "{} chunks", chunks.len());
                }
            }
        }
    }

    #[test]
    fn parameters_and_quorums_that_are_none_are_refused() {
        let one = BTreeMap::from([(0, quorum(&[(1, 1), (2, 1)]))]);
        let narrow = BlobParameters {
            max_operators: 1,
            ..MAINNET
        };
        assert_eq!(
            assign(&narrow, &one),
            Err(AssignmentError::TooManyOperators(2))
        );
        let nothing = BlobParameters {
            coding_rate: 0,
            ..MAINNET
        };
        assert_eq!(assign(&nothing, &one), Err(AssignmentError::Parameters));
        let upside_down = BlobParameters {
            chunks: 1,
            ..MAINNET
        };
        assert_eq!(assign(&upside_down, &one), Err(AssignmentError::Parameters));
        assert_eq!(assign(&MAINNET, &BTreeMap::new()), Ok(BTreeMap::new()));
        assert_eq!(MAINNET.chunk_length(1), Some(1));
        assert_eq!(MAINNET.chunk_length(524_288), Some(512));
        assert_eq!(nothing.chunk_length(8), Some(1));
        let none = BlobParameters {
            chunks: 0,
            ..MAINNET
        };
        assert_eq!(none.chunk_length(8), None);
    }
}
