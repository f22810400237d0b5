//! Blobs beside a transaction.

use crate::fake::RUNTIME;
use alloy_eips::eip7594::BlobTransactionSidecarVariant;
use alloy_rlp::Header;
use doppio_l1::txmgr::{
    LocalSigner, Sidecar, Signer,
    machine::{Fees, SidecarVersion, UnsignedTx, ZERO_BLOB_HASH},
    with_sidecar,
};
use doppio_protocol::blob::{BLOB_SIZE, Blob};
use std::sync::Arc;

/// The first of the accounts that everybody knows.
const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// Two blobs whose field elements are below the order.
fn blobs() -> Vec<Arc<Blob>> {
    (1..3)
        .map(|seed| {
            let mut blob = [0; BLOB_SIZE];
            for (place, byte) in blob.iter_mut().enumerate() {
                if place % 32 != 0 {
                    *byte = seed + u8::try_from(place / 32 % 7).unwrap();
                }
            }
            Arc::new(blob)
        })
        .collect()
}

/// The lengths of the items of a list.
fn items(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    let mut list = Header::decode_bytes(&mut bytes, true).unwrap();
    assert!(bytes.is_empty());
    while !list.is_empty() {
        let before = list;
        let header = Header::decode(&mut list).unwrap();
        list = &list[header.payload_length..];
        items.push(before[..before.len() - list.len()].to_vec());
    }
    items
}

#[test]
fn make_sidecar_has_one_proof_or_128_for_each_blob() {
    for (version, proofs) in [(SidecarVersion::Blob, 1), (SidecarVersion::Cells, 128)] {
        let mut sidecar = Sidecar::new(blobs()).unwrap();
        let form = sidecar.form(version).unwrap();
        // c-kzg's own verdict on what it made
        let settings = c_kzg::ethereum_kzg_settings(0);
        form.validate(sidecar.hashes(), settings).unwrap();
        let count = match &*form {
            BlobTransactionSidecarVariant::Eip4844(form) => form.proofs.len(),
            BlobTransactionSidecarVariant::Eip7594(form) => form.cell_proofs.len(),
        };
        assert_eq!(count, 2 * proofs);
    }
}

#[test]
fn a_blob_that_is_none_has_no_sidecar() {
    let mut blob = [0; BLOB_SIZE];
    blob[0] = 0xff;
    assert!(Sidecar::new(vec![Arc::new(blob)]).is_err());
}

#[test]
fn the_blob_of_zeros_has_the_hash_that_cancellations_name() {
    assert_eq!(Sidecar::of_zeros().unwrap().hashes(), [ZERO_BLOB_HASH]);
}

#[test]
fn a_transaction_is_handed_in_with_its_blobs_in_both_forms() {
    let mut sidecar = Sidecar::new(blobs()).unwrap();
    let tx = UnsignedTx {
        chain_id: 900,
        nonce: 0,
        to: Some(Default::default()),
        value: Default::default(),
        data: Default::default(),
        gas_limit: 21_000,
        fees: Fees {
            tip_cap: 1,
            fee_cap: 2,
            blob_fee_cap: 3,
        },
        blob_hashes: sidecar.hashes().to_vec(),
    };
    let signer = LocalSigner::from_hex(KEY).unwrap();
    let signed = RUNTIME.block_on(signer.sign(tx)).unwrap();
    for (version, count) in [(SidecarVersion::Blob, 4), (SidecarVersion::Cells, 5)] {
        let raw = with_sidecar(&signed.raw, &sidecar.form(version).unwrap()).unwrap();
        // 03 ‖ rlp[tx, blobs, commitments, proofs], or with the byte 01 behind the transaction
        assert_eq!(raw[0], 3);
        let items = items(&raw[1..]);
        assert_eq!(items.len(), count);
        assert_eq!(items[0], signed.raw[1..]);
        if version == SidecarVersion::Cells {
            assert_eq!(items[1], [1]);
        }
        let proofs = items.last().unwrap();
        let list = Header::decode(&mut &proofs[..]).unwrap();
        // each proof is 48 bytes behind one of length
        let expected = if version == SidecarVersion::Cells {
            256
        } else {
            2
        };
        assert_eq!(list.payload_length, expected * 49);
    }
    assert!(
        with_sidecar(
            &signed.raw[1..],
            &sidecar.form(SidecarVersion::Blob).unwrap()
        )
        .is_err()
    );
}
