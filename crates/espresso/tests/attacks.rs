//! Two payloads of one commitment: what a service could prove if it named the length or the shares.

use alloy_primitives::Bytes;
use doppio_espresso::{
    header::Header,
    namespace::NsTable,
    tagged::MerkleProofBytes,
    vid::{
        self, NamespaceProof, NamespaceProofError, ProofBytes, Scheme, VidParams, verify_namespace,
    },
};
use doppio_test_vectors::Vectors;

fn table(length: usize) -> NsTable {
    NsTable::new(&[(901, length)]).unwrap()
}

fn commitment(scheme: Scheme, n: u32, k: u32, payload: &[u8]) -> String {
    let params = VidParams::new(n, k).unwrap();
    vid::commit(scheme, params, &table(payload.len()), payload)
        .unwrap()
        .to_string()
}

/// Checks what a verifier says to `other`, offered for the commitment to `payload` made with (n, k).
fn refused(
    scheme: Scheme,
    minor: u16,
    (n, k): (u32, u32),
    payload: &[u8],
    other: &[u8],
    others_k: u32,
) {
    let Some(vectors) = Vectors::find("espresso") else {
        return;
    };
    let name = if minor == 6 {
        "espresso-network-2026/v6_header.json"
    } else {
        "esp-go-2025/resp/header.json"
    };
    let header: Header = serde_json::from_value(vectors.json(name)).unwrap();
    let params = VidParams::new(n, k).unwrap();
    let own = table(payload.len());
    let header = header.with(|fields| {
        fields.payload_commitment = vid::commit(scheme, params, &own, payload).unwrap();
        fields.ns_table = own;
    });
    let header = header.unwrap();
    let proof = |bytes: &[u8]| {
        let proof = ProofBytes {
            ns_index: 0,
            ns_payload: Bytes::copy_from_slice(bytes),
            ns_proof: MerkleProofBytes(vec![0; 8]),
        };
        if minor == 6 {
            NamespaceProof::V2(proof)
        } else {
            NamespaceProof::V1(proof)
        }
    };
    assert!(verify_namespace(&header, params, 901, Some(&proof(payload))).is_ok());
    let (expected, found) = (payload.len(), other.len());
    let error = Err(NamespaceProofError::Length { expected, found });
    assert_eq!(
        verify_namespace(&header, params, 901, Some(&proof(other))),
        error
    );
    // also with the liar's own number of shares
    let params = VidParams::new(n, others_k).unwrap();
    assert_eq!(
        verify_namespace(&header, params, 901, Some(&proof(other))),
        error
    );
}

#[test]
fn two_payloads_of_one_commitment_are_told_apart_by_length_and_shares() {
    // AvidM: after each two coefficients a third, zero
    let (n, k) = (5, 2);
    let payload: Vec<u8> = (0..100_u8)
        .map(|byte| byte.wrapping_mul(37) ^ 0x5a)
        .collect();
    let mut padded = payload.clone();
    padded.push(1);
    padded.resize(padded.len().next_multiple_of(62), 0);
    let mut other: Vec<u8> = padded
        .chunks(62)
        .flat_map(|chunk| [chunk, &[0; 31]].concat())
        .collect();
    while other.last() == Some(&0) {
        other.pop();
    }
    assert_eq!(other.pop(), Some(1));
    assert_eq!(other.len(), 131);
    assert_eq!(
        commitment(Scheme::AvidM, n, k, &payload),
        commitment(Scheme::AvidM, n, k + 1, &other)
    );
    refused(Scheme::AvidM, 3, (n, k), &payload, &other, k + 1);

    // AvidmGf2: all shares in a row are the original shares of another
    let (n, k) = (10_u32, 4_u32);
    let found = (0_u32..100_000).find_map(|seed| {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let payload: Vec<u8> = (0..101).map(|_| next()).collect();
        let mut padded = payload.clone();
        padded.push(1);
        padded.resize(26 * 4, 0);
        let originals: Vec<&[u8]> = padded.chunks(26).collect();
        let recovery = reed_solomon_simd::encode(4, 6, &originals).unwrap();
        let mut other = padded.clone();
        other.extend(recovery.iter().flatten());
        while other.last() == Some(&0) {
            other.pop();
        }
        // the other payload must end with the one that ends every payload
        (other.pop() == Some(1)).then_some((payload, other))
    });
    let (payload, other) = found.unwrap();
    assert_eq!(
        commitment(Scheme::AvidmGf2, n, k, &payload),
        commitment(Scheme::AvidmGf2, n, n, &other)
    );
    refused(Scheme::AvidmGf2, 6, (n, k), &payload, &other, n);
    // 0.7 commits to the lengths and to the shares
    assert_ne!(
        commitment(Scheme::AvidmGf2Full, n, k, &payload),
        commitment(Scheme::AvidmGf2Full, n, n, &other)
    );
}
