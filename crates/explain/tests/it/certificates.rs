//! EigenDA certificates: every field, and every check.

use alloy_primitives::{Address, B256, Bytes};
use doppio_explain::{
    BlobContent, Certificate, CertificateContent, CheckVerdict, CommitmentKind, Content,
    Explanation, Form, Options, StateOf, explain,
};
use doppio_test_vectors::Vectors;
use serde_json::Value;

const REAL: [&str; 6] = [
    "hokulea_v2_calldata",
    "mainnet_v3_tool",
    "sepolia_v2_tool",
    "sepolia_v3_tool",
    "sepolia_v3_tx1",
    "sepolia_v3_tx2",
];

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A certificate as posted, and what is told of it.
fn told(commitment: &[u8]) -> (Explanation, Certificate) {
    let explanation = explain(&[[&[1], commitment].concat().into()], &Options::default());
    assert_eq!(explanation.form, Some(Form::Inbox), "{explanation}");
    let Some(Content::Inbox(inbox)) = &explanation.content else {
        panic!("{explanation}");
    };
    let commitment = inbox.items.items[0].commitment.as_ref().unwrap();
    let CommitmentKind::Generic {
        certificate: Some(certificate),
        ..
    } = &commitment.kind
    else {
        panic!("{explanation}");
    };
    let certificate = (**certificate).clone();
    (explanation, certificate)
}

fn blob(certificate: &Certificate) -> &BlobContent {
    match &certificate.content {
        Some(CertificateContent::Blob(content)) => content,
        other => panic!("{other:?}"),
    }
}

fn broken(certificate: &Certificate) -> Vec<&'static str> {
    let checks = certificate.checks.iter();
    let checks = checks.filter(|check| matches!(check.verdict, CheckVerdict::Broken { .. }));
    checks.map(|check| check.name).collect()
}

#[test]
fn a_real_certificate_is_told_field_by_field_and_only_l1_is_lacking() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    for name in REAL {
        let vector = vectors.exact_json(format!("certs/{name}.json"));
        let commitment: Bytes = text(&vector["altdaCommitmentHex"]).parse().unwrap();
        let (explanation, certificate) = told(&commitment);
        assert!(explanation.sound, "{explanation}");
        assert_eq!(certificate.broken, None);
        assert_eq!(certificate.length, commitment.len() as u64 - 3);
        let version = if name.contains("v2") { "V2" } else { "V3" };
        assert_eq!(certificate.name, Some(version));

        let (content, derived) = (blob(&certificate), &vector["derived"]);
        let hash = |name: &str| text(&derived[name]).parse::<B256>().unwrap();
        assert_eq!(content.blob_key, hash("blobKey"));
        assert_eq!(content.batch_header_hash, hash("batchHeaderHash"));
        assert_eq!(content.batch_root, hash("computedRoot"));
        let account = text(&derived["accountRecoveredFromBlobKeySignature"]);
        assert_eq!(content.account, Some(account.parse::<Address>().unwrap()));
        let expected = derived["nonSigners"].as_u64().unwrap();
        assert_eq!(content.non_signers.len() as u64, expected);
        for (place, non_signer) in content.non_signers.iter().enumerate() {
            let id = text(&derived["nonSignerOperatorIds"][place]);
            assert_eq!(non_signer.id, id.parse::<B256>().unwrap());
        }

        // whatever can be checked here holds, also the proof of length by the ceremony's SRS
        assert_eq!(broken(&certificate), Vec::<&str>::new(), "{name}");
        let holds =
            |check: &&doppio_explain::CertificateCheck| check.verdict == CheckVerdict::Holds;
        assert_eq!(certificate.checks.iter().filter(holds).count(), 9, "{name}");
        let asked: Vec<&str> = certificate
            .needed
            .iter()
            .map(|state| state.contract)
            .collect();
        for contract in [
            "certificate verifier router",
            "certificate verifier",
            "threshold registry",
            "registry coordinator",
            "key registry",
            "stake registry",
        ] {
            assert!(asked.contains(&contract), "{name}: {asked:?}");
        }
        let manager = certificate
            .needed
            .iter()
            .find(|s| s.contract == "service manager");
        assert_eq!(manager.unwrap().of, StateOf::InclusionBlock);

        let printed = explanation.to_string();
        for expected in [
            format!("blob key {}", content.blob_key),
            format!("requested by account {}", content.account.unwrap()),
            "holds     the blob is in the batch (eigenda 5.1)".to_owned(),
            "needs L1  keys and stakes stand in L1's histories (eigenda 5.1)".to_owned(),
        ] {
            assert!(printed.contains(&expected), "{expected}\n{printed}");
        }
    }
}

#[test]
fn what_breaks_is_told_by_its_check() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let vector = vectors.exact_json("certs/sepolia_v3_tx1.json");
    let good: Bytes = text(&vector["altdaCommitmentHex"]).parse().unwrap();
    let (_, certificate) = told(&good);
    let changed = |part: &[u8]| {
        let place = good.windows(part.len()).position(|window| window == part);
        let mut changed = good.to_vec();
        changed[place.unwrap() + part.len() - 1] ^= 1;
        let (explanation, certificate) = told(&changed);
        assert!(certificate.broken.is_some());
        (explanation.to_string(), certificate)
    };
    let content = blob(&certificate);
    let (printed, other) = changed(content.payment_header_hash.as_slice());
    assert_eq!(broken(&other), ["the blob is in the batch"]);
    assert!(
        printed.contains("BROKEN    the blob is in the batch"),
        "{printed}"
    );
    assert!(
        printed.contains("DOES NOT COUNT: the blob certificate is not in the batch"),
        "{printed}"
    );
    // a certificate that cannot count needs nothing of L1
    assert!(other.needed.is_empty());
    let (_, other) = changed(&content.signers_signature[..32]);
    let expected = [
        "lists and points of the attestation",
        "the signature holds under the key that is told",
    ];
    assert_eq!(broken(&other), expected);
    let (_, other) = changed(&content.batch_root[..]);
    let expected = [
        "the blob is in the batch",
        "the signature holds under the key that is told",
    ];
    assert_eq!(broken(&other), expected);

    for (bytes, difference) in [
        ([&good[..], &[0]].concat(), Some("trailing_bytes")),
        (good[..good.len() - 1].to_vec(), None),
        (vec![1, 0, 7, 0xc0], Some("unknown_version")),
        (vec![1, 0, 2], Some("empty_body")),
    ] {
        let (explanation, certificate) = told(&bytes);
        assert!(certificate.broken.is_some() && certificate.content.is_none());
        assert!(explanation.to_string().contains("DOES NOT COUNT"));
        assert_eq!(certificate.known_difference, difference);
    }
}

#[test]
fn fourth_and_first_versions_are_told_too() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let mut fourth = 0;
    for name in vectors.list("certs/synthetic_v4") {
        if !name.ends_with(".json") {
            continue;
        }
        let vector = vectors.exact_json(format!("certs/synthetic_v4/{name}"));
        let Some(commitment) = vector["altdaCommitment"].as_str() else {
            continue;
        };
        let (explanation, certificate) = told(&commitment.parse::<Bytes>().unwrap());
        assert_eq!(certificate.name, Some("V4"), "{explanation}");
        let content = blob(&certificate);
        assert_eq!(content.offchain_rules, Some(0));
        let last = u64::from(content.reference_block) + 14_400;
        assert_eq!(content.last_inclusion_block, Some(last));
        fourth += 1;
    }
    assert!(fourth > 0);

    let vector = vectors.exact_json("misc/v1_holesky_blobinfo.json");
    let (explanation, certificate) = told(&text(&vector["commitment"]).parse::<Bytes>().unwrap());
    assert_eq!(certificate.known_difference, Some("first_version"));
    let Some(CertificateContent::First(content)) = &certificate.content else {
        panic!("{explanation}");
    };
    let expected = text(&vector["batchMetadataHashComputed"]);
    assert_eq!(content.metadata_hash, expected.parse::<B256>().unwrap());
    assert_eq!(broken(&certificate), Vec::<&str>::new());
    assert!(
        explanation
            .to_string()
            .contains("needs L1  L1 has confirmed this batch")
    );
}
