//! AvidmGf2: shares of a Reed-Solomon code over GF(2^16).

use super::{VidParams, tree};

/// The root of a namespace; none if the code has no such numbers of shares.
// spec: espresso 3.6
pub(super) fn root(params: VidParams, bytes: &[u8]) -> Option<[u8; 32]> {
    let (k, n) = (params.k(), params.n());
    let share = (bytes.len() + 1).div_ceil(k).next_multiple_of(2);
    // a one ends the bytes, and zeros fill the last share
    let mut padded = Vec::with_capacity(k * share);
    padded.extend_from_slice(bytes);
    padded.push(1);
    padded.resize(k * share, 0);
    let originals = padded.chunks(share);
    let recovery = if n > k {
        reed_solomon_simd::encode(k, n - k, originals.clone()).ok()?
    } else {
        Vec::new()
    };
    let all = originals.chain(recovery.iter().map(Vec::as_slice));
    let digests: Vec<[u8; 32]> = all.map(|share| blake3::hash(share).into()).collect();
    Some(tree::BLAKE3.root(&digests))
}

/// The last leaf of a payload from 0.7 on.
pub(super) fn common(params: VidParams, lengths: &[usize]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"NS_AVIDM_GF2_COMMON");
    let mut number = |number: u64| {
        hasher.update(&number.to_le_bytes());
    };
    number(u64::from(params.recovery_threshold));
    number(u64::from(params.total_weights));
    number(lengths.len() as u64);
    for length in lengths {
        number(*length as u64);
    }
    hasher.finalize().into()
}
