//! Everything against values that others computed: the ceremony's points, the reference's tables, and
//! what was certified on Sepolia and mainnet.

use doppio_bn254::{
    Domain, Fk20, G1, G2, Scalar,
    bls::{self, PublicKey},
    kzg::{BlobCommitments, KzgError, VerifierKey, commit, commit_blob, open, verify_opening},
    multiproof::{FrameClaim, prove, verify, verify_batch},
    reed_solomon::FrameShape,
    scalar,
    srs::{G1Srs, G2Srs, SrsDigest, SrsError, ceremony},
};
use doppio_test_vectors::Vectors;
use serde_json::Value;
use std::{array, sync::OnceLock};

fn hex(text: &str) -> Vec<u8> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    (0..digits.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap())
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// A decimal number, as a string or a JSON number, as 32 big-endian bytes.
fn decimal(value: &Value) -> [u8; 32] {
    let digits = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    let mut bytes = [0u8; 32];
    for digit in digits.bytes() {
        let mut carry = u32::from(digit - b'0');
        for byte in bytes.iter_mut().rev() {
            let sum = u32::from(*byte) * 10 + carry;
            *byte = u8::try_from(sum & 0xff).unwrap();
            carry = sum >> 8;
        }
        assert_eq!(carry, 0);
    }
    bytes
}

fn g1(value: &Value) -> G1 {
    let [x, y] = array::from_fn(|i| decimal(&list(value)[i]));
    G1::from_coordinates(&x, &y).unwrap()
}

fn g2(value: &Value) -> G2 {
    let pair = |names: [&str; 2]| {
        let part = names.iter().find_map(|name| value.get(*name)).unwrap();
        array::from_fn::<_, 2, _>(|i| decimal(&list(part)[i]))
    };
    let (x, y) = (pair(["X", "X_imag_real"]), pair(["Y", "Y_imag_real"]));
    G2::from_coordinates([&x[0], &x[1]], [&y[0], &y[1]]).unwrap()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).into()
}

/// Any file of points, whose digest is computed here: tests may.
fn digest(bytes: &[u8], point: usize) -> SrsDigest {
    SrsDigest {
        points: bytes.len() / point,
        sha256: sha256(bytes),
    }
}

fn mainnet(vectors: &Vectors) -> &'static G1Srs {
    static SRS: OnceLock<G1Srs> = OnceLock::new();
    SRS.get_or_init(|| {
        let file = vectors.bytes("srs/mainnet_g1_65536.point");
        G1Srs::from_compressed(&file, &ceremony::G1_65536).unwrap()
    })
}

fn test_tau(vectors: &Vectors) -> (G1Srs, G2Srs) {
    let file = vectors.bytes("srs/test_tau_g1_3000.point");
    let g1 = G1Srs::from_compressed(&file, &digest(&file, 32)).unwrap();
    let file = vectors.bytes("srs/test_tau_g2_3000.point");
    let g2 = G2Srs::from_compressed(&file, &digest(&file, 64)).unwrap();
    (g1, g2)
}

/// A key for frames over the test SRS: powers of two in G2 are among its points.
fn test_key(g2: &G2Srs) -> VerifierKey {
    let powers: Vec<u8> = (0..11)
        .flat_map(|log| g2.point(1 << log).unwrap().to_compressed())
        .collect();
    VerifierKey::from_compressed(&[], &powers).unwrap()
}

#[test]
fn the_ceremonys_points_are_read_and_written_back() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let srs = mainnet(&vectors);
    assert_eq!(srs.len(), 65_536);
    assert_eq!(srs.point(0), Some(G1::generator()));
    let file = vectors.bytes("srs/mainnet_g1_65536.point");
    assert_eq!(srs.to_compressed(), file);
    let first = vectors.bytes("srs/mainnet_g1_3000.point");
    assert_eq!(first, file[..first.len()]);
    let cache = srs.to_cache();
    assert_eq!(
        G1Srs::from_cache(&cache, &ceremony::G1_65536).unwrap(),
        *srs
    );
    // the longer file of the ceremony is another
    assert_eq!(
        G1Srs::from_compressed(&file, &ceremony::G1).unwrap_err(),
        SrsError::Length {
            expected: 524_288 * 32,
            found: file.len()
        }
    );
    let mut changed = file;
    changed[1_000_000] ^= 1;
    assert_eq!(
        G1Srs::from_compressed(&changed, &ceremony::G1_65536).unwrap_err(),
        SrsError::Digest
    );
}

#[test]
fn the_digests_are_the_ones_that_eigenda_publishes() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let published = vectors.text("srs/upstream_sha256_current.txt");
    for (name, digest) in [
        ("g1.point", ceremony::G1),
        ("g2.point", ceremony::G2),
        ("g2.trailing.point", ceremony::G2_TRAILING),
    ] {
        let line = published
            .lines()
            .find(|line| line.split_whitespace().nth(1) == Some(name));
        let hash = line.unwrap().split_whitespace().next().unwrap();
        assert_eq!(hex(hash), digest.sha256, "{name}");
    }
}

#[test]
fn the_built_in_key_is_the_ceremonys() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let (g1_reverse, g2_powers) = VerifierKey::ceremony().unwrap().to_compressed();
    assert_eq!(g2_powers, vectors.bytes("srs/mainnet_g2.point.powerOf2"));
    let reverse = vectors.json("srs/g1_reverse_power_of_2.json");
    let reverse: Vec<u8> = (0..28)
        .flat_map(|log| hex(text(&reverse[log.to_string()])))
        .collect();
    assert_eq!(g1_reverse, reverse);
    // and its points belong to the ceremony's powers in G1: e([τ^4], G2) = e(G1, [τ^4])
    let srs = mainnet(&vectors);
    for log in 0..16 {
        let bytes = &g2_powers[64 * log..64 * (log + 1)];
        let pairs = [
            (srs.point(1 << log).unwrap(), G2::generator()),
            (-G1::generator(), G2::from_compressed(bytes).unwrap()),
        ];
        assert!(doppio_bn254::pairing_product_is_one(&pairs), "{log}");
    }
}

const CERTIFICATES: [&str; 6] = [
    "hokulea_v2_calldata",
    "mainnet_v3_tool",
    "sepolia_v2_tool",
    "sepolia_v3_tool",
    "sepolia_v3_tx1",
    "sepolia_v3_tx2",
];

fn commitments(certificate: &Value) -> BlobCommitments {
    let blob = &certificate["cert"]["blobInclusionInfo"]["blobCertificate"]["blobHeader"];
    let blob = &blob["commitment"];
    BlobCommitments {
        commitment: g1(&blob["commitment"]),
        length_commitment: g2(&blob["lengthCommitment"]),
        length_proof: g2(&blob["lengthProof"]),
        length: usize::try_from(blob["length"].as_u64().unwrap()).unwrap(),
    }
}

#[test]
fn the_lengths_of_real_blobs_are_proven_and_no_shorter_ones() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let key = VerifierKey::ceremony().unwrap();
    for name in CERTIFICATES {
        let certificate = vectors.exact_json(format!("certs/{name}.json"));
        let commitments = commitments(&certificate);
        assert_eq!(commitments.verify(&key), Ok(()), "{name}");
        let shorter = BlobCommitments {
            length: commitments.length / 2,
            ..commitments
        };
        let expected = if commitments.length == 1 {
            KzgError::Length(0)
        } else {
            KzgError::LengthProof
        };
        assert_eq!(shorter.verify(&key), Err(expected), "{name}");
    }
}

#[test]
fn points_of_certificates_have_gnarks_compressed_form() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    for name in CERTIFICATES {
        let certificate = vectors.exact_json(format!("certs/{name}.json"));
        let compressed = &certificate["derived"]["gnarkCompressed"];
        let blob = commitments(&certificate);
        let expect = |name: &str| hex(text(&compressed[name]));
        assert_eq!(blob.commitment.to_compressed()[..], expect("commitment"));
        assert_eq!(
            blob.length_commitment.to_compressed()[..],
            expect("lengthCommitment")
        );
        assert_eq!(blob.length_proof.to_compressed()[..], expect("lengthProof"));
        let attestation = &certificate["cert"]["nonSignerStakesAndSignature"];
        let apk = g2(&attestation["apkG2"]);
        assert_eq!(apk.to_compressed()[..], expect("apkG2"));
        assert_eq!(G2::from_compressed(&expect("apkG2")), Ok(apk));
        let sigma = g1(&attestation["sigma"]);
        assert_eq!(G1::from_compressed(&expect("sigma")), Ok(sigma));
    }
}

#[test]
fn real_blobs_have_the_commitments_that_were_certified() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    for name in ["sepolia_v3_tx1", "sepolia_v3_tx2"] {
        let payload = vectors.exact_json(format!("encoding/{name}.payload.json"));
        let values = scalar::read_all(&hex(text(&payload["encodedPayload"]))).unwrap();
        let domain = Domain::new(values.len()).unwrap();
        let coefficients = domain.interpolate(&values).unwrap();
        let bytes = hex(text(&payload["blobCoefficients"]));
        assert_eq!(scalar::write_all(&coefficients), bytes);
        let commitment = commit(mainnet(&vectors), &coefficients).unwrap();
        assert_eq!(commitment, g1(&payload["commitmentG1"]));
        let certificate = vectors.exact_json(format!("certs/{name}.json"));
        assert_eq!(commitment, commitments(&certificate).commitment);

        // an opening over the ceremony's SRS
        let key = VerifierKey::ceremony().unwrap();
        let point = Scalar::from(7);
        let (value, proof) = open(mainnet(&vectors), &coefficients, point).unwrap();
        assert_eq!(
            verify_opening(&key, &commitment, point, value, &proof),
            Ok(())
        );
    }
}

#[test]
fn frames_and_proofs_are_those_that_were_computed_elsewhere() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let (srs1, srs2) = test_tau(&vectors);
    let key = test_key(&srs2);
    let names = vectors.list("encoding");
    let names: Vec<_> = names.iter().filter(|n| n.starts_with("frames_")).collect();
    assert_eq!(names.len(), 4);
    for name in names {
        let vector = vectors.json(format!("encoding/{name}"));
        let blob: Vec<u8> = list(&vector["blobCoefficientsBE"])
            .iter()
            .flat_map(|element| hex(text(element)))
            .collect();
        let blob = scalar::read_all(&blob).unwrap();
        let number = |name: &str| usize::try_from(vector[name].as_u64().unwrap()).unwrap();
        let shape = FrameShape::new(number("numChunks"), number("chunkLength")).unwrap();
        let commitment = commit(&srs1, &blob).unwrap();
        assert_eq!(
            commitment.to_compressed()[..],
            hex(text(&vector["commitment"]))
        );
        let length_commitment = srs2.sum(0, &blob).unwrap();
        assert_eq!(
            length_commitment.to_compressed()[..],
            hex(text(&vector["lengthCommitment"]))
        );
        let frames = shape.encode(&blob).unwrap();
        let table = Fk20::new(&srs1, blob.len(), shape.chunk_length()).unwrap();
        let proofs = table.prove(&shape, &blob).unwrap();
        let mut claims = Vec::new();
        for expected in list(&vector["frames"]) {
            let index = usize::try_from(expected["frame"].as_u64().unwrap()).unwrap();
            let coset = usize::try_from(expected["coset"].as_u64().unwrap()).unwrap();
            assert_eq!(shape.coset(index), coset, "{name}");
            let coefficients: Vec<u8> = list(&expected["coeffs"])
                .iter()
                .flat_map(|element| hex(text(element)))
                .collect();
            assert_eq!(scalar::write_all(&frames[index]), coefficients, "{name}");
            let proof = proofs[index];
            assert_eq!(proof.to_compressed()[..], hex(text(&expected["proof"])));
            assert_eq!(prove(&srs1, &shape, &blob, index), Ok(proof));
            let frame = frames[index].as_slice();
            claims.push(FrameClaim {
                commitment,
                index,
                frame,
                proof,
            });
        }
        assert_eq!(claims.len(), shape.chunks());
        assert_eq!(verify(&key, &srs1, &shape, &claims[1]), Ok(()));
        assert_eq!(verify_batch(&key, &srs1, &shape, &claims), Ok(()));
        // the last frames, as many as are needed
        let needed = shape.needed(blob.len()).unwrap();
        let some: Vec<(usize, &[Scalar])> = claims
            .iter()
            .rev()
            .take(needed)
            .map(|claim| (claim.index, claim.frame))
            .collect();
        assert_eq!(shape.decode(blob.len(), &some).unwrap(), blob);
    }
}

/// The reference keeps its tables in files: each row's points, and a line feed.
#[test]
fn tables_are_those_of_the_reference() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let (srs, _) = test_tau(&vectors);
    let mut compared = 0;
    for name in vectors.list("srs") {
        let Some(numbers) = name.strip_prefix("test_tau_dimE") else {
            continue;
        };
        let mut numbers = numbers.split('.');
        let rows: usize = numbers.next().unwrap().parse().unwrap();
        let coset = numbers.next().unwrap().strip_prefix("coset").unwrap();
        let chunk_length: usize = coset.parse().unwrap();
        if rows * chunk_length > srs.len() {
            continue;
        }
        let table = Fk20::new(&srs, rows * chunk_length, chunk_length).unwrap();
        let mut file = Vec::new();
        for s in 0..chunk_length {
            for point in table.row(s).unwrap() {
                file.extend(point.to_compressed());
            }
            file.push(b'\n');
        }
        assert!(file == vectors.bytes(format!("srs/{name}")), "{name}");
        compared += 1;
    }
    assert_eq!(compared, 5);
}

#[test]
fn the_powers_of_the_test_srs_are_those_of_its_files() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let (_, srs) = test_tau(&vectors);
    let powers = vectors.bytes("srs/test_tau_g2.point.powerOf2_768");
    for (log, point) in powers.chunks(64).enumerate().take(11) {
        assert_eq!(srs.point(1 << log).unwrap().to_compressed()[..], *point);
    }
}

#[test]
fn operators_of_real_networks_signed_their_batches() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    for name in CERTIFICATES {
        let certificate = vectors.exact_json(format!("certs/{name}.json"));
        let derived = &certificate["derived"];
        let hash: [u8; 32] = hex(text(&derived["batchHeaderHash"])).try_into().unwrap();
        assert_eq!(
            bls::hash_to_point(&hash),
            g1(&derived["hashToG1"]),
            "{name}"
        );
        let attestation = &certificate["cert"]["nonSignerStakesAndSignature"];
        let (apk, sigma) = (g2(&attestation["apkG2"]), g1(&attestation["sigma"]));
        assert!(bls::verify(&apk, &hash, &sigma), "{name}");
        // not in the last byte: the next number may map to the same point
        let mut other = hash;
        other[0] ^= 1;
        assert!(!bls::verify(&apk, &other, &sigma), "{name}");
        if derived["combinedPairingCheck"].as_bool() == Some(true) {
            let gamma = hex(text(&derived["gamma"])
                .trim_start_matches("0x")
                .pad()
                .as_str());
            let weight = scalar::from_be(&gamma.try_into().unwrap()).unwrap();
            let key = PublicKey {
                g1: g1(&derived["signersApkG1"]),
                g2: apk,
            };
            assert!(bls::verify_with_both(&key, &hash, &sigma, weight), "{name}");
            let swapped = PublicKey { g1: -key.g1, ..key };
            assert!(!bls::verify_with_both(&swapped, &hash, &sigma, weight));
        }
    }
}

trait Pad {
    fn pad(&self) -> String;
}

impl Pad for str {
    /// 64 hexadecimal digits.
    fn pad(&self) -> String {
        format!("{self:0>64}")
    }
}

#[test]
fn an_aggregate_over_two_quorums_holds() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let vector = vectors.exact_json("misc/bls_two_quorums_no_nonsigners.json");
    let hash: [u8; 32] = hex(text(&vector["batchHeaderHash"])).try_into().unwrap();
    assert_eq!(bls::hash_to_point(&hash), g1(&vector["hashToG1"]));
    let key = PublicKey {
        g1: list(&vector["quorumApks"]).iter().map(g1).sum(),
        g2: g2(&vector["apkG2"]),
    };
    let sigma = g1(&vector["sigma"]);
    assert!(bls::verify(&key.g2, &hash, &sigma));
    assert!(bls::verify_with_both(&key, &hash, &sigma, Scalar::from(99)));
}

#[test]
fn all_commitments_over_the_test_srs_belong_together() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let (g1, g2) = test_tau(&vectors);
    let blob: Vec<Scalar> = (1..=2048u64).map(Scalar::from).collect();
    // no file has its trailing powers; the leading ones stand in, so only the first equation can hold
    let commitments = commit_blob(&g1, &g2, &g2, &blob).unwrap();
    assert_eq!(commitments.length, 2048);
    let pairs = [
        (commitments.commitment, G2::generator()),
        (-G1::generator(), commitments.length_commitment),
    ];
    assert!(doppio_bn254::pairing_product_is_one(&pairs));
}

/// Numbers that gnark reduced: the files of rust-kzg-bn254.
#[test]
fn bytes_reduce_to_the_numbers_that_others_got() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let bytes = vectors.bytes("encoding/rust-kzg-bn254/blobs.txt");
    let numbers = vectors.text("encoding/rust-kzg-bn254/blobs-from-fr.txt");
    let numbers: Vec<&str> = numbers
        .split(|c: char| !c.is_ascii_digit())
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(numbers.len(), bytes.len() / 32);
    for (bytes, number) in bytes.chunks(32).zip(numbers) {
        let reduced = scalar::from_be_reduced(bytes.try_into().unwrap());
        let expected = decimal(&Value::String(number.to_owned()));
        assert_eq!(scalar::to_be(&reduced), expected);
    }
}
