//! Certificates, hashes and payloads of real networks.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use doppio_bn254::{
    bls,
    srs::{G1Srs, ceremony},
};
use doppio_eigenda::{
    Certificate, Parsed,
    abi::AbiError,
    assignment::BlobParameters,
    blob::{self, BlobError, PolynomialForm},
    blob_info::{BatchFacts, BatchMetadata, BlobInfo, BlobInfoError, BlobQuorum},
    certificate::{BatchHeader, BlobCertificate, BlobCommitment, BlobHeader, Version},
    commitment::{KnownDifference, ParseError},
    coordinates::{G1Coordinates, G2Coordinates},
    frame::{FrameBytesError, read_bundle, write_bundle},
    hashes::payment_header_hash,
    merkle, parse, payload,
    requests::{ChunkRequest, anchor, get_chunks, get_validator_chunks, payment_state, signer},
    state::{element, key, mapped, variable},
    verdict::check_inclusion,
};
use doppio_protocol::rlp;
use doppio_test_vectors::Vectors;
use serde_json::Value;
use std::collections::BTreeMap;

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn bytes(value: &Value) -> Bytes {
    let digits = text(value);
    let padded = format!("{}{digits}", if digits.len() % 2 == 1 { "0" } else { "" });
    padded.parse().unwrap()
}

fn hash(value: &Value) -> B256 {
    text(value).parse().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn u256(value: &Value) -> U256 {
    match value {
        Value::String(digits) => U256::from_str_radix(digits, 10).unwrap(),
        number => number.to_string().parse().unwrap(),
    }
}

fn g1(value: &Value) -> G1Coordinates {
    G1Coordinates {
        x: u256(&list(value)[0]),
        y: u256(&list(value)[1]),
    }
}

fn g2(value: &Value) -> G2Coordinates {
    let pair = |value: &Value| [u256(&list(value)[0]), u256(&list(value)[1])];
    G2Coordinates {
        x: pair(&value["X"]),
        y: pair(&value["Y"]),
    }
}

fn numbers(value: &Value) -> Vec<u32> {
    let numbers = list(value).iter().map(number);
    numbers.map(|n| u32::try_from(n).unwrap()).collect()
}

fn certificate(commitment: &[u8]) -> Certificate {
    match parse(commitment) {
        Ok(Parsed::Certificate(certificate)) => *certificate,
        other => panic!("{other:?}"),
    }
}

const NAMES: [&str; 6] = [
    "hokulea_v2_calldata",
    "mainnet_v3_tool",
    "sepolia_v2_tool",
    "sepolia_v3_tool",
    "sepolia_v3_tx1",
    "sepolia_v3_tx2",
];

fn header(value: &Value) -> BlobHeader {
    let commitment = &value["commitment"];
    BlobHeader {
        version: u16::try_from(number(&value["version"])).unwrap(),
        quorum_numbers: bytes(&value["quorumNumbers"]),
        commitment: BlobCommitment {
            commitment: g1(&commitment["commitment"]),
            length_commitment: g2(&commitment["lengthCommitment"]),
            length_proof: g2(&commitment["lengthProof"]),
            length: u32::try_from(number(&commitment["length"])).unwrap(),
        },
        payment_header_hash: hash(&value["paymentHeaderHash"]),
    }
}

#[test]
fn real_certificates_are_read_field_by_field_and_written_back() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    for name in NAMES {
        let vector = vectors.exact_json(format!("certs/{name}.json"));
        let commitment = bytes(&vector["altdaCommitmentHex"]);
        let read = certificate(&commitment);
        assert_eq!(read.to_commitment(), commitment, "{name}");
        let expected = &vector["cert"];
        assert_eq!(
            u64::from(read.version.contract()),
            number(&expected["certVersion"]).max(3)
        );
        assert_eq!(
            read.batch,
            BatchHeader {
                batch_root: hash(&expected["batchHeader"]["batchRoot"]),
                reference_block: u32::try_from(number(
                    &expected["batchHeader"]["referenceBlockNumber"]
                ))
                .unwrap(),
            }
        );
        let inclusion = &expected["blobInclusionInfo"];
        let blob = &inclusion["blobCertificate"];
        let expected_blob = BlobCertificate {
            header: header(&blob["blobHeader"]),
            signature: bytes(&blob["signature"]),
            relay_keys: numbers(&blob["relayKeys"]),
        };
        assert_eq!(read.blob.certificate, expected_blob, "{name}");
        assert_eq!(
            u64::from(read.blob.blob_index),
            number(&inclusion["blobIndex"])
        );
        assert_eq!(
            read.blob.inclusion_proof,
            bytes(&inclusion["inclusionProof"])
        );
        let signers = &expected["nonSignerStakesAndSignature"];
        let attestation = &read.attestation;
        let points = |value: &Value| list(value).iter().map(g1).collect::<Vec<_>>();
        assert_eq!(
            attestation.non_signer_bitmap_indices,
            numbers(&signers["nonSignerQuorumBitmapIndices"])
        );
        assert_eq!(
            attestation.non_signer_keys,
            points(&signers["nonSignerPubkeys"])
        );
        assert_eq!(attestation.quorum_keys, points(&signers["quorumApks"]));
        assert_eq!(attestation.signers_key, g2(&signers["apkG2"]));
        assert_eq!(attestation.signature, g1(&signers["sigma"]));
        assert_eq!(
            attestation.quorum_key_indices,
            numbers(&signers["quorumApkIndices"])
        );
        assert_eq!(
            attestation.total_stake_indices,
            numbers(&signers["totalStakeIndices"])
        );
        let stakes = list(&signers["nonSignerStakeIndices"]);
        assert_eq!(
            attestation.non_signer_stake_indices,
            stakes.iter().map(numbers).collect::<Vec<_>>()
        );
        assert_eq!(read.signed_quorums, bytes(&expected["signedQuorumNumbers"]));
    }
}

#[test]
fn real_certificates_hash_to_what_was_derived() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    for name in NAMES {
        let vector = vectors.exact_json(format!("certs/{name}.json"));
        let certificate = certificate(&bytes(&vector["altdaCommitmentHex"]));
        let derived = &vector["derived"];
        let blob = &certificate.blob.certificate;
        assert_eq!(blob.header.blob_key(), hash(&derived["blobKey"]), "{name}");
        assert_eq!(blob.hash(), hash(&derived["blobCertificateHash"]));
        assert_eq!(certificate.batch.hash(), hash(&derived["batchHeaderHash"]));
        assert_eq!(check_inclusion(&certificate), Ok(()), "{name}");
        let account: Address = text(&derived["accountRecoveredFromBlobKeySignature"])
            .parse()
            .unwrap();
        assert_eq!(signer(&blob.header, &blob.signature), Some(account));
        let ids: Vec<B256> = certificate
            .attestation
            .non_signer_keys
            .iter()
            .map(G1Coordinates::hash)
            .collect();
        let expected: Vec<B256> = list(&derived["nonSignerOperatorIds"])
            .iter()
            .map(hash)
            .collect();
        assert_eq!(ids, expected, "{name}");
        let signers = certificate.attestation.signers_key.point().unwrap();
        let signature = certificate.attestation.signature.point().unwrap();
        assert!(bls::verify(
            &signers,
            &certificate.batch.hash().0,
            &signature
        ));
    }
}

#[test]
fn certificates_have_the_abi_form_that_was_encoded_elsewhere() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    for name in NAMES {
        let vector = vectors.exact_json(format!("certs/{name}.json"));
        let certificate = certificate(&bytes(&vector["altdaCommitmentHex"]));
        let file = if certificate.version == Version::V2 {
            format!("certs/{name}.as_v3.abi.hex")
        } else {
            format!("certs/{name}.abi.hex")
        };
        let abi: Bytes = vectors.text(file).trim().parse().unwrap();
        assert_eq!(certificate.to_abi(), abi, "{name}");
        let read = Certificate::from_abi(&abi, false).unwrap();
        let as_v3 = Certificate {
            version: Version::V3,
            ..certificate
        };
        assert_eq!(read, as_v3);
        // a V3 is no V4, and nothing may be added
        assert!(Certificate::from_abi(&abi, true).is_err());
        let longer = [abi.as_ref(), &[0; 32]].concat();
        assert_eq!(
            Certificate::from_abi(&longer, false),
            Err(AbiError::NotCanonical)
        );
        for cut in (0..abi.len()).step_by(31) {
            assert!(Certificate::from_abi(&abi[..cut], false).is_err());
        }
    }
    let mut fourth = 0;
    for name in vectors.list("certs/synthetic_v4") {
        let vector = vectors.json(format!("certs/synthetic_v4/{name}"));
        let commitment = bytes(&vector["altdaCommitment"]);
        let certificate = certificate(&commitment);
        assert_eq!(certificate.version, Version::V4 { offchain: 0 });
        assert_eq!(certificate.to_commitment(), commitment);
        let abi = bytes(&vector["abi"]);
        assert_eq!(certificate.to_abi(), abi);
        assert_eq!(Certificate::from_abi(&abi, true), Ok(certificate));
        fourth += 1;
    }
    assert_eq!(fourth, 3);
}

#[test]
fn known_hashes_come_out() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let vector = vectors.exact_json("misc/hashes.json");
    let mut compared = BTreeMap::new();
    for entry in list(&vector) {
        if entry["checked"] != true {
            continue;
        }
        let kind = text(&entry["kind"]);
        let computed = match kind {
            "paymentHeaderHash" => payment_header_hash(
                &text(&entry["accountId"]).parse().unwrap(),
                i64::try_from(number(&entry["timestamp"])).unwrap(),
                u256(&entry["cumulativePayment"]),
            ),
            "batchHeaderHash" => BatchHeader {
                batch_root: hash(&entry["batchRoot"]),
                reference_block: u32::try_from(number(&entry["referenceBlockNumber"])).unwrap(),
            }
            .hash(),
            "blobKey" => header(&entry["header"]).blob_key(),
            "blobCertificateHash" => BlobCertificate {
                header: header(&entry["header"]),
                signature: bytes(&entry["signature"]),
                relay_keys: numbers(&entry["relayKeys"]),
            }
            .hash(),
            "operatorId" => g1(&entry["pubkeyG1"]).hash(),
            "storageKey mapping" => mapped(key(number(&entry["key"])), variable(5)),
            "storageKey mapping->dynamic array elem" => {
                element(mapped(key(0x123u64), variable(10)), 5)
            }
            "storageKey mapping->mapping->dynamic array elem" => element(
                mapped(key(0x789u64), mapped(key(0x456u64), variable(15))),
                3,
            ),
            _ => continue,
        };
        assert_eq!(computed, hash(&entry["hash"]), "{kind}");
        *compared.entry(kind.to_owned()).or_insert(0) += 1;
    }
    assert_eq!(compared.len(), 8, "{compared:?}");
}

#[test]
fn a_deep_inclusion_proof_holds_for_its_leaf_only() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    for entry in list(&vectors.exact_json("misc/merkle_inclusion.json")) {
        let index = u32::try_from(number(&entry["index"])).unwrap();
        // the vector's leaf is hashed once more on the way in, or it is the node itself
        let proof = bytes(&entry["proof"]);
        let leaf = hash(&entry["leaf"]);
        let root = Some(hash(&entry["root"]));
        let holds = merkle::root_of(leaf, index, &proof) == root
            || merkle::root_of(keccak256(leaf), index, &proof) == root;
        assert_eq!(holds, entry["expected"] == true);
    }
}

#[test]
fn payloads_are_encoded_as_elsewhere_and_other_encodings_are_refused() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let vector = vectors.json("encoding/payload_codec_v0.json");
    for case in list(&vector["encode"]) {
        let (plain, encoded) = (bytes(&case["payload"]), bytes(&case["encodedPayload"]));
        assert_eq!(
            payload::encode(&plain).unwrap(),
            encoded,
            "{}",
            case["name"]
        );
        assert_eq!(payload::decode(&encoded).unwrap(), plain);
        if let Some(blob) = case.get("blobCoefficients") {
            let coefficients = PolynomialForm::Values.coefficients(&encoded).unwrap();
            let written = doppio_bn254::scalar::write_all(&coefficients);
            assert_eq!(written, bytes(blob));
        }
    }
    let refused = list(&vector["decodeMustFail"]);
    assert_eq!(refused.len(), 7);
    for case in refused {
        let encoded = bytes(&case["encodedPayload"]);
        assert!(payload::decode(&encoded).is_err(), "{}", case["name"]);
    }
}

/// From the transaction on L1 down to the frame: nothing but the blob's bytes comes from outside.
#[test]
fn the_blobs_of_real_certificates_hold_frames() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let file = vectors.bytes("srs/mainnet_g1_65536.point");
    let srs = G1Srs::from_compressed(&file, &ceremony::G1_65536).unwrap();
    for name in ["sepolia_v3_tx1", "sepolia_v3_tx2"] {
        let vector = vectors.exact_json(format!("certs/{name}.json"));
        let certificate = certificate(&bytes(&vector["altdaCommitmentHex"]));
        let commitment = &certificate.blob.certificate.header.commitment;
        let point = commitment.commitment.point().unwrap();
        let length = usize::try_from(commitment.length).unwrap();
        let vector = vectors.exact_json(format!("encoding/{name}.payload.json"));
        let blob_bytes = bytes(&vector["blobCoefficients"]);
        let coefficients = blob::verify(&srs, &blob_bytes, length, &point).unwrap();
        let form = PolynomialForm::Values;
        assert_eq!(
            form.encoded_payload(&coefficients).unwrap(),
            bytes(&vector["encodedPayload"])
        );
        let payload = form.payload(&coefficients).unwrap();
        assert_eq!(payload, bytes(&vector["payload"]));
        assert_eq!(payload[0], 0);
        let channel = hash_prefix(&vector["frames"][0]["channelId"]);
        assert_eq!(payload[1..17], channel[..]);
        let mut other = blob_bytes.to_vec();
        other[40] ^= 1;
        assert_eq!(
            blob::verify(&srs, &other, length, &point),
            Err(BlobError::Commitment)
        );
    }
}

fn hash_prefix(value: &Value) -> Vec<u8> {
    bytes(value).to_vec()
}

#[test]
fn real_inbox_transactions_are_read_or_dropped_for_a_reason() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let vector = vectors.exact_json("misc/inbox_transactions.json");
    let mut results = BTreeMap::new();
    for transaction in list(&vector["txs"]) {
        let input = bytes(&transaction["input"]);
        let result = match input.first() {
            // the derivation version byte, which is derivation's
            Some(1) => match parse(&input[1..]) {
                Ok(Parsed::Certificate(_)) => "certificate",
                Ok(Parsed::BlobInfo(_)) => "blob info",
                Err(ParseError::Layer(0x0c)) => "other layer",
                Err(error) => panic!("{}: {error}", transaction["name"]),
            },
            Some(0xed) => "no commitment",
            None => "nothing",
            Some(other) => panic!("{other}"),
        };
        *results.entry(result).or_insert(0) += 1;
    }
    assert_eq!(
        results,
        BTreeMap::from([
            ("certificate", 3),
            ("no commitment", 1),
            ("nothing", 1),
            ("other layer", 1)
        ])
    );
}

/// The rows of section 1.6 of the sheet, in its order. All are dropped but the first version.
#[test]
fn where_readers_differ_we_drop_and_say_so() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let vector = vectors.json("certs/sepolia_v3_tx1.json");
    let good = bytes(&vector["altdaCommitmentHex"]).to_vec();
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        parse(&bytes).unwrap_err()
    };
    let layer = changed(|b| b[1] = 7);
    assert_eq!(layer, ParseError::Layer(7));
    assert_eq!(layer.known_difference(), Some(KnownDifference::OtherLayer));
    let celestia = parse(&[1, 0x0c, 0xce, 0, 0]).unwrap_err();
    assert_eq!(
        celestia.known_difference(),
        Some(KnownDifference::OtherLayer)
    );
    let version = changed(|b| b[2] = 4);
    assert_eq!(version, ParseError::Version(4));
    assert_eq!(
        version.known_difference(),
        Some(KnownDifference::UnknownVersion)
    );
    let empty = changed(|b| b.truncate(3));
    assert_eq!(empty, ParseError::Empty);
    assert_eq!(empty.known_difference(), Some(KnownDifference::EmptyBody));
    let garbage = changed(|b| b[3] = 0xff);
    assert!(matches!(garbage, ParseError::Rlp(_)));
    assert_eq!(garbage.known_difference(), None);
    let trailing = changed(|b| b.push(0));
    assert_eq!(trailing, ParseError::Trailing(1));
    assert_eq!(
        trailing.known_difference(),
        Some(KnownDifference::TrailingBytes)
    );
    // x of the commitment, with a byte in front: every list around it is a byte longer
    let wide = wide_coordinate(&vector);
    assert_eq!(wide.known_difference(), Some(KnownDifference::WideNumber));
    let keccak = parse(&[[0].as_slice(), &[7; 32]].concat()).unwrap_err();
    assert_eq!(keccak, ParseError::Type(0));
    assert_eq!(parse(&[9, 0, 2]), Err(ParseError::Type(9)));
    assert_eq!(parse(&[]), Err(ParseError::Truncated));
    assert_eq!(parse(&[1, 0]), Err(ParseError::Truncated));
    // what one version's bytes mean is nothing to another
    assert!(matches!(changed(|b| b[2] = 1), ParseError::Rlp(_)));
    assert!(matches!(changed(|b| b[2] = 3), ParseError::Rlp(_)));
    assert!(matches!(changed(|b| b[2] = 0), ParseError::Rlp(_)));
}

/// The real certificate with 2^256 added to a coordinate, which Go's RLP and ABI pass on as it was.
fn wide_coordinate(vector: &Value) -> ParseError {
    let good = bytes(&vector["altdaCommitmentHex"]);
    let x = certificate(&good).attestation.signature.x;
    let mut wide = good[..3].to_vec();
    let mut rest = &good[3..];
    let whole = rlp::next_item(&mut rest).unwrap();
    widen(&whole, &x.to_be_bytes::<32>(), &mut wide);
    parse(&wide).unwrap_err()
}

/// Writes an item again, with a byte in front of every string that is the number.
fn widen(item: &rlp::Item<'_>, number: &[u8], out: &mut Vec<u8>) {
    if !item.is_list {
        let front: &[u8] = if item.payload == number { &[1] } else { &[] };
        rlp::put_string(&[front, item.payload].concat(), out);
        return;
    }
    let (mut payload, mut elements) = (Vec::new(), item.payload);
    while let Some(element) = rlp::next_element(&mut elements).unwrap() {
        widen(&element, number, &mut payload);
    }
    rlp::put_list_header(payload.len(), out);
    out.extend(payload);
}

/// Cut off anywhere, and with any byte changed, a commitment is dropped or is another one.
#[test]
fn i31_no_bytes_stop_the_reader() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    for name in NAMES {
        let vector = vectors.exact_json(format!("certs/{name}.json"));
        let good = bytes(&vector["altdaCommitmentHex"]);
        for cut in 0..good.len() {
            assert!(parse(&good[..cut]).is_err(), "{name} {cut}");
        }
        for place in 0..good.len() {
            let mut changed = good.to_vec();
            changed[place] ^= 0x55;
            match parse(&changed) {
                Ok(Parsed::Certificate(certificate)) => {
                    assert_eq!(certificate.to_commitment(), changed);
                }
                Ok(Parsed::BlobInfo(info)) => {
                    assert_eq!(info.to_rlp()[..], changed[3..]);
                }
                Err(_) => {}
            }
        }
    }
}

#[test]
fn a_certificate_of_the_first_version_is_held_against_what_l1_confirmed() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let vector = vectors.exact_json("misc/v1_holesky_blobinfo.json");
    let commitment = bytes(&vector["commitment"]);
    let Ok(Parsed::BlobInfo(info)) = parse(&commitment) else {
        panic!("no blob info");
    };
    assert_eq!(info.to_rlp()[..], commitment[3..]);
    assert_eq!(info.blob_header_hash(), hash(&vector["blobHeaderHash"]));
    let computed = info.batch.metadata_hash();
    assert_eq!(computed, hash(&vector["batchMetadataHashComputed"]));
    let confirmed = hash(&vector["onchainBatchMetadataHash"]);
    let facts = |metadata_hash| BatchFacts {
        metadata_hash,
        required: vec![0, 1],
        confirmation_thresholds: vec![55, 55],
    };
    assert_eq!(
        info.verify(&facts(confirmed)),
        Err(BlobInfoError::Batch {
            computed,
            confirmed
        })
    );
    // had L1 confirmed this very batch, it would count
    assert_eq!(info.verify(&facts(computed)), Ok(()));

    let changed = |change: fn(&mut BlobInfo)| {
        let mut info = (*info).clone();
        change(&mut info);
        let metadata_hash = info.batch.metadata_hash();
        info.verify(&facts(metadata_hash))
    };
    assert_eq!(
        changed(|info| info.blob_index ^= 1),
        Err(BlobInfoError::Inclusion)
    );
    assert_eq!(
        changed(|info| info.data_length += 1),
        Err(BlobInfoError::Inclusion)
    );
    assert_eq!(
        changed(|info| info.quorum_indexes = Bytes::from_static(&[1, 0])),
        Err(BlobInfoError::QuorumPlace(0))
    );
    assert_eq!(
        changed(|info| info.batch.signed_percentages = Bytes::from_static(&[54, 99])),
        Err(BlobInfoError::Signed(0))
    );
    // enough signed for the blob's threshold, and the network wants more
    let strict = |required, confirmation_thresholds| BatchFacts {
        metadata_hash: computed,
        required,
        confirmation_thresholds,
    };
    assert_eq!(
        info.verify(&strict(vec![], vec![0, 56])),
        Err(BlobInfoError::Unsafe(1))
    );
    assert_eq!(info.verify(&strict(vec![0], vec![])), Ok(()));
    assert_eq!(
        info.verify(&strict(vec![0, 2], vec![55, 55])),
        Err(BlobInfoError::Required(2))
    );
}

/// Thresholds of a certificate of the first version that is put together anew.
#[test]
fn a_first_certificate_needs_its_thresholds_in_order_and_met() {
    let quorum = |adversary_threshold, confirmation_threshold| BlobQuorum {
        number: 4,
        adversary_threshold,
        confirmation_threshold,
        chunk_length: 1,
    };
    let verdict = |quorum: BlobQuorum, signed: &'static [u8]| {
        let mut info = BlobInfo {
            commitment_x: B256::ZERO,
            commitment_y: B256::ZERO,
            data_length: 1,
            quorums: vec![quorum],
            batch_id: 1,
            blob_index: 0,
            batch: BatchMetadata {
                batch_root: B256::ZERO,
                quorum_numbers: Bytes::from_static(&[0, 4]),
                signed_percentages: Bytes::from_static(signed),
                reference_block: 1,
                signatory_record_hash: B256::ZERO,
                fee: Bytes::new(),
                confirmation_block: 2,
                batch_header_hash: B256::ZERO,
            },
            inclusion_proof: Bytes::new(),
            quorum_indexes: Bytes::from_static(&[1]),
        };
        info.batch.batch_root = keccak256(info.blob_header_hash());
        info.verify(&BatchFacts {
            metadata_hash: info.batch.metadata_hash(),
            required: vec![4],
            confirmation_thresholds: vec![90],
        })
    };
    assert_eq!(verdict(quorum(33, 55), &[0, 55]), Ok(()));
    assert_eq!(
        verdict(quorum(33, 55), &[100, 54]),
        Err(BlobInfoError::Signed(4))
    );
    assert_eq!(
        verdict(quorum(33, 55), &[100]),
        Err(BlobInfoError::Signed(4))
    );
    assert_eq!(
        verdict(quorum(55, 55), &[0, 100]),
        Err(BlobInfoError::Thresholds(4))
    );
}

#[test]
fn bundles_are_read_and_written_as_elsewhere() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    for name in vectors.list("encoding") {
        if !name.starts_with("frames_") {
            continue;
        }
        let vector = vectors.json(format!("encoding/{name}"));
        let length = usize::try_from(number(&vector["chunkLength"])).unwrap();
        let bundle = bytes(&vector["bundleGnarkHex"]);
        let frames = read_bundle(&bundle, length).unwrap();
        let expected = list(&vector["frames"]);
        assert_eq!(frames.len(), expected.len());
        for (frame, expected) in frames.iter().zip(expected) {
            assert_eq!(
                frame.proof.to_compressed()[..],
                bytes(&expected["proof"])[..]
            );
        }
        assert_eq!(write_bundle(&frames, length), bundle);
        assert!(matches!(
            read_bundle(&bundle, length * 2),
            Err(FrameBytesError::ChunkLength { .. })
        ));
        assert!(matches!(
            read_bundle(&bundle[..bundle.len() - 1], length),
            Err(FrameBytesError::Length { .. })
        ));
        let mut other = bundle.to_vec();
        other[7] = 2;
        assert_eq!(read_bundle(&other, length), Err(FrameBytesError::Format(2)));
    }
}

/// The hashes of requests have no published answers; their parts are put together here once more.
#[test]
fn requests_are_hashed_from_their_parts() {
    let (blob, operator) = (B256::repeat_byte(1), B256::repeat_byte(2));
    let expected = [
        b"disperser.DisperseBlobRequest".as_slice(),
        &U256::from(11_155_111).to_be_bytes::<32>(),
        &[0, 0, 0, 9],
        blob.as_slice(),
    ];
    let found = anchor(U256::from(11_155_111), 9, &blob);
    assert_eq!(found, keccak256(expected.concat()));

    let requests = [
        ChunkRequest::Indices {
            blob_key: blob,
            indices: vec![5, 6],
        },
        ChunkRequest::Range {
            blob_key: blob,
            start: 7,
            end: 8,
        },
    ];
    let four = |n: u32| n.to_be_bytes().to_vec();
    let key = [four(32), blob.to_vec()].concat();
    let expected = [
        b"relay.GetChunksRequest".to_vec(),
        four(32),
        operator.to_vec(),
        four(2),
        b"i".to_vec(),
        key.clone(),
        four(2),
        four(5),
        four(6),
        b"r".to_vec(),
        key.clone(),
        four(7),
        four(8),
    ];
    assert_eq!(
        get_chunks(&operator, &requests),
        keccak256(expected.concat())
    );
    let expected = [
        b"relay.GetValidatorChunksRequest".to_vec(),
        four(32),
        operator.to_vec(),
        key,
        four(77),
    ];
    assert_eq!(
        get_validator_chunks(&operator, &blob, 77),
        keccak256(expected.concat())
    );
    let account = Address::repeat_byte(3);
    assert_ne!(payment_state(&account, 1), payment_state(&account, 2));
    let mainnet = BlobParameters {
        max_operators: 3537,
        chunks: 8192,
        coding_rate: 8,
    };
    assert_eq!(mainnet.enough(), Some(1024));
}
