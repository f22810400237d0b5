//! Data in blobs.

use crate::common::{hash_of, number_of, vectors};
use alloy_primitives::{hex, keccak256};
use doppio_protocol::blob::{
    BLOB_SIZE, Blob, BlobError, MAX_BLOB_DATA_SIZE, decode_blob, encode_blob,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::io::Read;

/// A blob that begins with these bytes.
fn blob(start: &[u8]) -> Box<Blob> {
    let mut blob = Box::new([0; BLOB_SIZE]);
    blob[..start.len()].copy_from_slice(start);
    blob
}

/// Every length where the encoding changes its shape, and its neighbours.
fn lengths() -> impl Iterator<Item = usize> {
    let rounds = [1, 2, 3, 500, 1023]
        .into_iter()
        .flat_map(|n| 127 * n - 6..127 * n);
    [
        0, 1, 26, 27, 28, 29, 58, 59, 60, 61, 90, 91, 92, 122, 123, 124,
    ]
    .into_iter()
    .chain(rounds)
    .chain([130_042, 130_043, 130_044])
}

// opstack 11 I, blob decode: invalid version, length, field element

#[test]
fn decode_invalid_version() {
    let mut encoded = encode_blob(b"this is a test of invalid blob decoding").unwrap();
    for version in 1..=u8::MAX {
        encoded[1] = version;
        assert_eq!(decode_blob(&encoded), Err(BlobError::Version(version)));
    }
}

#[test]
fn decode_invalid_length() {
    assert_eq!(
        decode_blob(&blob(&[0, 0, 1, 0xfb, 0xfd])),
        Err(BlobError::Length(130_045))
    );
    assert_eq!(
        decode_blob(&blob(&[0, 0, 0xff, 0xff, 0xff])),
        Err(BlobError::Length(0xff_ffff))
    );
    assert_eq!(
        decode_blob(&blob(&[0, 0, 1, 0xfb, 0xfc])),
        Ok(vec![0; 130_044])
    );
}

#[test]
fn decode_invalid_field_element_in_every_element_that_is_read() {
    let encoded = encode_blob(&[1; 500]).unwrap();
    let elements = 504usize.div_ceil(127) * 4;
    for element in 1..elements {
        for bit in [0x80, 0x40, 0xc0] {
            let mut broken = encoded.clone();
            broken[32 * element] |= bit;
            assert_eq!(
                decode_blob(&broken),
                Err(BlobError::FieldElement(32 * element))
            );
        }
    }
    // behind the data it is a byte that is not zero, as any other
    let mut beyond = encoded;
    beyond[32 * elements] |= 0x80;
    assert_eq!(decode_blob(&beyond), Err(BlobError::Padding));
}

/// op-node's TestBlobNonEncodedHighBits: the first element's high bits are not part of it.
#[test]
fn the_high_bits_of_the_first_element_are_not_looked_at() {
    for bit in [0x80, 0x40, 0xc0] {
        let mut encoded = encode_blob(b"data").unwrap();
        encoded[0] |= bit;
        assert_eq!(decode_blob(&encoded), Ok(b"data".to_vec()));
    }
}

/// op-node's TestExtraneousData; field I34.
#[test]
fn every_other_bit_behind_the_data_is_refused() {
    for start in [[0x30, 0, 0, 0, 0], [0x01, 0, 0, 0, 0]] {
        assert_eq!(decode_blob(&blob(&start)), Err(BlobError::Padding));
    }
    let one = |place: usize| {
        let mut blob = blob(&[]);
        blob[place] = 1;
        decode_blob(&blob)
    };
    assert!(
        (5..128)
            .chain((128..BLOB_SIZE).step_by(509))
            .all(|place| one(place).is_err())
    );
    assert_eq!(one(BLOB_SIZE - 1), Err(BlobError::Padding));
}

/// op-node's TestDecodeTestVectors and TestEncodeTestVectors: 27 bytes fill the first element, 28
/// spill into the first bytes of others.
#[test]
fn small_blobs_have_the_known_bytes() {
    let filled = |first: u8, length: u8, count: usize, more: &[u8]| {
        let start = [&[first, 0, 0, 0, length][..], &vec![0xff; count], more].concat();
        blob(&start)
    };
    let empty = blob(&[]);
    assert_eq!(encode_blob(&[]), Ok(empty.clone()));
    assert_eq!(decode_blob(&empty), Ok(Vec::new()));
    assert_eq!(encode_blob(&[0xff; 27]), Ok(filled(0, 27, 27, &[])));
    assert_eq!(encode_blob(&[0xff; 28]), Ok(filled(0x3f, 28, 27, &[0x30])));
    let thirty_two = filled(0x3f, 32, 27, &[0x30, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(decode_blob(&thirty_two), Ok(vec![0xff; 32]));
    assert_eq!(decode_blob(&blob(&[0, 0, 0, 0, 1])), Ok(vec![0]));
    assert_eq!(
        encode_blob(&vec![0; 130_044]),
        Ok(blob(&[0, 0, 1, 0xfb, 0xfc]))
    );
}

#[test]
fn too_long_data_is_not_encoded() {
    for length in [MAX_BLOB_DATA_SIZE + 1, BLOB_SIZE] {
        assert_eq!(
            encode_blob(&vec![0; length]),
            Err(BlobError::TooLarge(length))
        );
    }
}

#[test]
fn a_real_blob_decodes_and_encodes_again() {
    let Some(vectors) = vectors() else { return };
    let sample: Box<Blob> = vectors
        .bytes("blobs/op_blob_sample.bin")
        .try_into()
        .unwrap();
    let expected = &vectors.json("blobs/expected.json")["op_blob_sample.bin"];
    let data = decode_blob(&sample).unwrap();
    assert_eq!(data.len() as u64, number_of(&expected["data_len"]));
    assert_eq!(keccak256(&data), hash_of(&expected["data_keccak"]));
    let mut inflated = Vec::new();
    flate2::read::ZlibDecoder::new(data.as_slice())
        .read_to_end(&mut inflated)
        .unwrap();
    assert_eq!(keccak256(inflated), hash_of(&expected["inflated_keccak"]));
    assert_eq!(encode_blob(&data), Ok(sample));
}

#[test]
fn synthetic_blobs_have_the_independently_computed_hashes() {
    let Some(vectors) = vectors() else { return };
    let expected = vectors.json("blobs/expected.json");
    for case in expected["synthetic_encode"].as_array().unwrap() {
        let length = number_of(&case["data_len"]);
        let data: Vec<u8> = (0..length).map(|i| (7 * i + 3) as u8).collect();
        let encoded = encode_blob(&data).unwrap();
        assert_eq!(
            keccak256(encoded.as_slice()),
            hash_of(&case["blob_keccak"]),
            "{length}"
        );
        assert_eq!(
            hex::encode_prefixed(&encoded[..128]),
            case["first_128"],
            "{length}"
        );
        assert_eq!(decode_blob(&encoded), Ok(data));
    }
}

/// The sidecars are not OP data; their commitments give the versioned hashes by which blobs are
/// asked for. Commitment against blob needs KZG, which is not here.
#[test]
fn sidecars_have_blobs_of_the_right_size_and_commitments_of_version_1() {
    let Some(vectors) = vectors() else { return };
    let sidecars = vectors.json("beacon/blob_sidecars_7422094_goerli.json.gz");
    let sidecars = sidecars["data"].as_array().unwrap();
    assert_eq!(sidecars.len(), 5);
    for sidecar in sidecars {
        let blob = hex::decode(sidecar["blob"].as_str().unwrap()).unwrap();
        let blob: Box<Blob> = blob.try_into().unwrap();
        let commitment = hex::decode(sidecar["kzg_commitment"].as_str().unwrap()).unwrap();
        assert_eq!(commitment.len(), 48);
        let mut versioned: [u8; 32] = Sha256::digest(&commitment).into();
        versioned[0] = 1;
        assert_eq!(versioned[0], 1);
        // whatever they hold, the decoder says one thing or the other
        if let Ok(data) = decode_blob(&blob) {
            assert_eq!(encode_blob(&data).unwrap(), blob);
        }
    }
}

#[test]
fn data_of_every_length_class_is_kept() {
    for length in lengths() {
        for data in [vec![0xff; length], (0..length).map(|i| i as u8).collect()] {
            let encoded = encode_blob(&data).unwrap();
            assert!(encoded.chunks(32).all(|element| element[0] & 0xc0 == 0));
            assert_eq!(decode_blob(&encoded), Ok(data), "{length}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 5))]

    #[test]
    fn what_is_written_is_read(length in 0..=MAX_BLOB_DATA_SIZE, seed in any::<u64>()) {
        let mut state = seed | 1;
        let data: Vec<u8> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 56) as u8
            })
            .collect();
        prop_assert_eq!(decode_blob(&encode_blob(&data).unwrap()), Ok(data));
    }

    /// FuzzDetectNonBijectivity: one blob for each data, but for the two bits that are not read.
    #[test]
    fn what_is_accepted_is_written_back_but_for_two_bits(
        data in proptest::collection::vec(any::<u8>(), 0..400),
        flips in proptest::collection::vec((0usize..600, 0u8..8), 0..3),
    ) {
        let mut blob = encode_blob(&data).unwrap();
        for (place, bit) in flips {
            blob[place] ^= 1 << bit;
        }
        if let Ok(decoded) = decode_blob(&blob) {
            blob[0] &= 0x3f;
            prop_assert_eq!(encode_blob(&decoded).unwrap(), blob);
        }
    }
}
