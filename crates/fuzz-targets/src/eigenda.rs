//! What comes from EigenDA, and what batchers say is there.

use alloy_primitives::{Address, U256, keccak256};
use doppio_bn254::{G1, G2, scalar};
use doppio_eigenda::{
    Certificate, Network, Parsed, Verdict,
    blob::PolynomialForm,
    frame::{read_bundle, write_bundle},
    judge,
    network::{Rules, StaleStakes, Verifier},
    parse, payload,
    state::KnownState,
    verdict::Needs,
};
use std::collections::BTreeMap;

/// A commitment: read, written back, and judged.
pub(crate) fn eigenda_commitment(data: &[u8]) {
    match parse(data) {
        Ok(Parsed::Certificate(certificate)) => {
            assert_eq!(certificate.to_commitment(), data, "one encoding");
            verdict(&certificate, data);
        }
        Ok(Parsed::BlobInfo(info)) => {
            assert_eq!(Some(info.to_rlp().as_slice()), data.get(3..));
            let _ = info.blob_header_hash();
        }
        Err(error) => {
            let _ = error.known_difference();
        }
    }
}

/// A verdict on a chain whose storage is made of hashes: it ends.
fn verdict(certificate: &Certificate, data: &[u8]) {
    let contract = Address::repeat_byte(1);
    let verifier = Verifier {
        rules: Rules::V4,
        threshold_registry: contract,
        service_manager: contract,
        registry_coordinator: contract,
        key_registry: contract,
        stake_registry: contract,
        delegation_manager: contract,
    };
    let network = Network {
        router: contract,
        verifiers: BTreeMap::from([(contract, verifier)]),
        blob_versions: BTreeMap::from([(0, 0)]),
        recency: BTreeMap::from([(0, 14_400)]),
        stale_stakes: StaleStakes::AsAtInclusion,
        form: PolynomialForm::Values,
    };
    let mut state = KnownState::default();
    for round in 0..12 {
        let verdict = judge(certificate, u64::MAX, &network, &state);
        let Verdict::Needs(Needs::State(queries)) = verdict else {
            return;
        };
        assert!(round < 11, "asks for ever");
        for query in queries {
            let hash = keccak256([data, query.slot.as_slice()].concat());
            // small numbers, the contract's address, or anything
            let value = match hash[0] % 4 {
                0 => U256::from(hash[1] % 4),
                1 => U256::from_be_bytes(contract.into_word().0),
                2 => U256::from(hash[1]) << 64,
                _ => U256::from_be_bytes(hash.0),
            };
            state.insert(query, value);
        }
    }
}

/// What `checkDACert` takes.
pub(crate) fn eigenda_abi(data: &[u8]) {
    for is_v4 in [false, true] {
        if let Ok(certificate) = Certificate::from_abi(data, is_v4) {
            assert_eq!(certificate.to_abi(), data);
        }
    }
}

/// An encoded payload; and a payload to encode.
pub(crate) fn eigenda_payload(data: &[u8]) {
    if let Ok(payload) = payload::decode(data) {
        let shortest = payload::encode(&payload).expect("what fits an encoding fits a blob");
        assert!(shortest.len() <= data.len());
        assert_eq!(shortest, data[..shortest.len()]);
    }
    let encoded = payload::encode(data).expect("short");
    assert_eq!(payload::decode_shortest(&encoded).as_deref(), Ok(data));
}

/// Points in every form.
pub(crate) fn bn254_points(data: &[u8]) {
    if let Ok(point) = G1::from_compressed(data) {
        assert_eq!(point.to_compressed(), data);
    }
    if let Ok(point) = G1::from_raw(data) {
        assert_eq!(point.to_raw(), data);
    }
    if let Ok(point) = G2::from_compressed(data) {
        assert_eq!(point.to_compressed(), data);
    }
    if let Ok(point) = G2::from_raw(data) {
        assert_eq!(point.to_raw(), data);
    }
    if let Ok(scalars) = scalar::read_all(data) {
        assert_eq!(scalar::write_all(&scalars), data);
    }
}

/// A bundle of frames. The first byte says how long they should be.
pub(crate) fn eigenda_bundle(data: &[u8]) {
    let Some((log, bundle)) = data.split_first() else {
        return;
    };
    let length = 1 << (log % 10);
    if let Ok(frames) = read_bundle(bundle, length) {
        assert_eq!(write_bundle(&frames, length), bundle);
    }
}
