//! Rescue over BN254's scalars: how the light client's contract on L1 hashes the blocks' tree.
// spec: espresso 3.5

use crate::{rescue_keys::ROUND_KEYS, tagged::MerkleCommitment};
use alloy_primitives::U256;
use doppio_bn254::Scalar;
use halo2curves::ff::{Field, PrimeField};

type State = [Scalar; 4];

/// The matrix that mixes the state, as signed numbers.
const MDS: [[i64; 4]; 4] = [
    [-15_625, -2_437_500, -317_281_250, -39_977_437_500],
    [19_500, 3_026_375, 393_529_500, 49_574_560_750],
    [-4_030, -609_180, -78_806_805, -9_917_451_180],
    [156, 20_306, 2_558_556, 320_327_931],
];

/// The exponent that takes fifth roots, least significant word first.
const FIFTH_ROOT: [u64; 4] = [
    0xcfe7_f7a9_8ccc_cccd,
    0x535c_b9d3_9494_5a0d,
    0x9373_6af8_679a_ad17,
    0x26b6_a528_b427_b354,
];

/// Bytes that become one scalar.
const CHUNK: usize = 31;

fn signed(number: i64) -> Scalar {
    let size = Scalar::from(number.unsigned_abs());
    if number < 0 { -size } else { size }
}

fn add(state: &mut State, other: &State) {
    for (to, from) in state.iter_mut().zip(other) {
        *to += from;
    }
}

fn permute(state: &mut State) {
    let Some((first, rest)) = ROUND_KEYS.split_first() else {
        return;
    };
    add(state, first);
    for (step, keys) in rest.iter().enumerate() {
        for element in state.iter_mut() {
            *element = if step % 2 == 0 {
                element.pow_vartime(FIFTH_ROOT)
            } else {
                element.square().square() * *element
            };
        }
        let row = |row: [i64; 4]| {
            let products = row.iter().zip(state.iter());
            products
                .map(|(factor, element)| signed(*factor) * element)
                .sum()
        };
        *state = MDS.map(row);
        add(state, keys);
    }
}

/// The sponge's first element for any number of scalars.
fn hash(input: &[Scalar]) -> Scalar {
    let mut padded = input.to_vec();
    padded.push(Scalar::ONE);
    padded.resize(padded.len().next_multiple_of(3), Scalar::ZERO);
    let mut state = [Scalar::ZERO; 4];
    for block in padded.chunks(3) {
        for (to, from) in state.iter_mut().zip(block) {
            *to += from;
        }
        permute(&mut state);
    }
    state[0]
}

/// The scalar that bytes stand for, little-endian; of more than 31 bytes the first 31 count.
pub(crate) fn scalar(bytes: &[u8]) -> Scalar {
    let mut words = [0_u64; 4];
    for (at, byte) in bytes.iter().take(CHUNK).enumerate() {
        if let Some(word) = words.get_mut(at / 8) {
            *word |= u64::from(*byte) << (8 * (at % 8));
        }
    }
    Scalar::from_raw(words)
}

/// What the contract stores for a tree of blocks: `blockCommRoot`.
pub fn circuit_root(tree: &MerkleCommitment) -> U256 {
    let elements: Vec<Scalar> = tree.0.chunks(CHUNK).map(scalar).collect();
    let repr: [u8; 32] = hash(&elements).to_repr().into();
    U256::from_le_bytes(repr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use doppio_test_vectors::Vectors;

    #[test]
    fn the_permutation_of_zeros_is_jellyfishs() {
        let Some(vectors) = Vectors::find("espresso") else {
            return;
        };
        let json = vectors.json("rescue_bn254_fr_constants.json");
        let mut state = [Scalar::ZERO; 4];
        permute(&mut state);
        let found = state.map(|element| {
            let repr: [u8; 32] = element.to_repr().into();
            U256::from_le_bytes(repr).to_string()
        });
        let expected = json["check_perm_of_zero"].as_array().unwrap();
        assert!(expected.iter().eq(found.iter()));
    }
}
