//! Genuine data: mainnet, the Decaf testnet, a recorded chain of five validators, and the reference
//! objects of Espresso's own tests. Where it comes from: the README of the vectors.

use alloy_primitives::{Bytes, U256};
use base64::{Engine, engine::general_purpose::STANDARD};
use doppio_espresso::{
    block_merkle::{BlockTree, PathNode, read_path},
    certificate::{Certificate, FinalCertificate, QuorumCertificate},
    chain_config::ChainConfig,
    circuit_root,
    epochs::Epochs,
    finality::{CertificatePair, Finality, LeafProof},
    header::{FeeInfo, Header, L1BlockInfo},
    leaf::LeafQueryData,
    light_client::LightClientState,
    namespace::{NsTable, Transaction, read_transactions},
    stake_table::{CertificateError, StakeTable},
    tagged::{BlockHash, MerkleCommitment, PayloadCommitment},
    vid::{
        self, NamespaceAnswer, NamespaceProof, NamespaceProofError, Scheme, VidCommon, VidParams,
    },
};
use doppio_test_vectors::Vectors;
use serde::de::DeserializeOwned;
use serde_json::Value;

const NETWORK: &str = "espresso-network-2026";

fn vectors() -> Option<Vectors> {
    Vectors::find("espresso")
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn header(vectors: &Vectors, name: &str) -> Header {
    read(&vectors.json(name))
}

fn params(common: &Value) -> VidParams {
    let VidCommon::V1(common) = read(common) else {
        panic!("AvidM")
    };
    VidParams::new(common.total_weights, common.recovery_threshold).unwrap()
}

#[test]
fn headers_have_the_commitments_of_espressos_reference_tests() {
    let Some(vectors) = vectors() else { return };
    for (name, expected) in [
        (
            "esp-seq-2025/v1/header.json",
            "BLOCK~dh1KpdvvxSvnnPpOi2yI3DOg8h6ltr2Kv13iRzbQvtN2",
        ),
        (
            "esp-seq-2025/v2/header.json",
            "BLOCK~V0GJjL19nCrlm9n1zZ6gaOKEekSMCT6uR5P-h7Gi6UJR",
        ),
        (
            "espresso-network-2026/v4_header_reconstructed.json",
            "BLOCK~hPVq9NasWW1vVYGGGr0PSRv1TV3nUV_8ARw5fWHlQLx3",
        ),
        (
            "espresso-network-2026/v6_header.json",
            "BLOCK~nAVIoY9ekw8WPwzHnLwTgsPZ1qvBox-WQev4nhcrLoZP",
        ),
        // chain 912559, and chain 1: computed by the scripts beside the vectors
        (
            "esp-go-2025/resp/header.json",
            "BLOCK~aTme5rw6iy3O2b9EX77inVofN6aurD0NlJ--vY4s2kqj",
        ),
        (
            "espresso-network-2026/mainnet_header_26050100.json",
            "BLOCK~5Iyf4o7gd7bDnxwuZFb1GjEvhX-yjavRLGyx2QAUHtkF",
        ),
    ] {
        assert_eq!(
            header(&vectors, name).commit().to_string(),
            expected,
            "{name}"
        );
    }
}

#[test]
fn a_header_of_0_7_has_its_commitment_with_the_hash_of_the_constants_snapshot() {
    let Some(vectors) = vectors() else { return };
    let v7 = header(&vectors, "espresso-network-2026/v7_header_interim.json");
    // what stood in the reference when the constant was written
    let expected = "BLOCK~W_EVcweDtXQrM0WyefIOfbRaMN-bfW7oBy8NVJ7eOZgz";
    let v6 = header(&vectors, "espresso-network-2026/v6_header.json");
    let payload = v6.fields().payload_commitment;
    let hashes = [
        v6.fields().next_stake_table_hash,
        Some(
            "STAKE_TABLE~z-GU-RiVPZ4cFwAiJJz-p_U63cxsyETAB0nfxq-ypQrG"
                .parse()
                .unwrap(),
        ),
        None,
    ];
    let payloads = [payload, v7.fields().payload_commitment];
    let with = |payload, hash| {
        let changed = v7.with(|fields| {
            fields.payload_commitment = payload;
            fields.next_stake_table_hash = hash;
        });
        changed.unwrap().commit().to_string()
    };
    let found = payloads
        .iter()
        .flat_map(|payload| hashes.map(|hash| with(*payload, hash)));
    assert_eq!(found.filter(|hash| hash == expected).count(), 1);
}

#[test]
fn headers_print_as_they_were_read() {
    let Some(vectors) = vectors() else { return };
    // printed by a node: equal to the byte
    let text = vectors.text("espresso-network-2026/mainnet_header_26050100.json");
    let mainnet: Header = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&mainnet).unwrap(), text.trim_end());
    // printed again by somebody, with keys in order: equal as values
    for name in [
        "esp-seq-2025/v1/header.json",
        "esp-seq-2025/v2/header.json",
        "esp-go-2025/header0_1.json",
        "esp-go-2025/header0_2.json",
        "esp-go-2025/header0_3.json",
        "esp-go-2025/resp/header.json",
        "espresso-network-2026/v6_header.json",
        "espresso-network-2026/v7_header_interim.json",
        "espresso-network-2026/v4_header_reconstructed.json",
    ] {
        let json = vectors.json(name);
        let printed = serde_json::to_value(read::<Header>(&json)).unwrap();
        assert_eq!(printed, json, "{name}");
    }
}

#[test]
fn small_objects_have_the_commitments_of_espressos_reference_tests() {
    let Some(vectors) = vectors() else { return };
    let json = |name: &str| vectors.json(format!("esp-seq-2025/v1/{name}.json"));
    let transaction: Transaction = read(&json("transaction"));
    assert_eq!(
        transaction.commit().to_string(),
        "TX~EikfLslj3g6sIWRZYpN6ZuU1gadN77AHXmRA56yNnPrQ"
    );
    assert_eq!(
        read::<NsTable>(&json("ns_table")).commit().to_string(),
        "NSTABLE~tMW0-hGn0563bgYgvsO9r95f2AUiTD_2tvjDOuGRwNA5"
    );
    assert_eq!(
        read::<L1BlockInfo>(&json("l1_block")).commit().to_string(),
        "L1BLOCK~4HpzluLK2Isz3RdPNvNrDAyQcWOF2c9JeLZzVNLmfpQ9"
    );
    assert_eq!(
        read::<FeeInfo>(&json("fee_info")).commit().to_string(),
        "FEE_INFO~xCCeTjJClBtwtOUrnAmT65LNTQGceuyjSJHUFfX6VRXR"
    );
    assert_eq!(
        read::<ChainConfig>(&json("chain_config"))
            .commit(1)
            .to_string(),
        "CHAIN_CONFIG~L6HmMktJbvnEGgpmRrsiYvQmIBstSj9UtDM7eNFFqYFO"
    );
    let v6 = header(&vectors, "espresso-network-2026/v6_header.json");
    assert_eq!(
        v6.fields().chain_config.commit(6).to_string(),
        "CHAIN_CONFIG~eGc90bEB8zFN4GTo2nForM7pox7r4OiHd2LrtgotiNMO"
    );
}

#[test]
fn leaves_and_certificates_of_0_6_have_the_commitments_of_the_reference_tests() {
    let Some(vectors) = vectors() else { return };
    let text = vectors.text(format!("{NETWORK}/v6_leaf_query_data.json"));
    let data: LeafQueryData = serde_json::from_str(&text).unwrap();
    let commit = data.leaf.commit();
    assert_eq!(
        commit.to_string(),
        "COMMIT~PSvstiv-RMM6R2GKO9D63OWHPxmofX2vNLOQxqkHR9L5"
    );
    assert_eq!(data.qc.data.leaf_commit, commit);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(&data).unwrap(), json);
    let cert: FinalCertificate = read(&vectors.json(format!("{NETWORK}/v6_cert2.json")));
    assert_eq!(cert.data.leaf_commit, commit);
    let printed = doppio_espresso::tagged::print("COMMIT", &cert.commit());
    assert_eq!(
        printed,
        "COMMIT~ZrFSunOs0uh4WCkPvJQzw1JB8qRqvhfyVIb7sH4Nr8MC"
    );
}

fn chain(vectors: &Vectors) -> Vec<Value> {
    let json = vectors.json(format!("{NETWORK}/legacy_v4_blocks_0_3.json"));
    json.as_array().unwrap().clone()
}

fn table(vectors: &Vectors) -> StakeTable {
    let text = vectors.text(format!("{NETWORK}/legacy_v4_stake_table.json"));
    StakeTable::from_json(&text).unwrap()
}

#[test]
fn the_recorded_chain_has_its_hashes_roots_and_commitments() {
    let Some(vectors) = vectors() else { return };
    let mut tree = BlockTree::default();
    for (height, block) in chain(&vectors).iter().enumerate() {
        let data: LeafQueryData = read(&block["leaf"]);
        assert_eq!(serde_json::to_value(&data).unwrap(), block["leaf"]);
        assert_eq!(data.qc.data.leaf_commit, data.leaf.commit());
        let header = &data.leaf.block_header;
        let hash: BlockHash = read(&block["block"]["hash"]);
        assert_eq!(header.commit(), hash);
        assert_eq!(header.fields().block_merkle_tree_root, tree.commitment());
        tree.append(&hash);
        if height > 0 {
            assert_eq!(data.qc.vote_commitment.0, data.qc.message());
        }
        let payload = block["block"]["payload"]["raw_payload"].as_str().unwrap();
        let payload = STANDARD.decode(payload).unwrap();
        let params = params(&block["vid_common"]["common"]);
        let expected = if height == 0 {
            VidParams::GENESIS
        } else {
            table(&vectors).vid_params().unwrap()
        };
        assert_eq!(params, expected);
        let commitment = vid::commit(Scheme::AvidM, params, &header.fields().ns_table, &payload);
        assert_eq!(commitment, Some(header.fields().payload_commitment));
    }
}

/// Every field of a certificate with something else in it.
fn mutations(qc: &QuorumCertificate) -> Vec<(&'static str, QuorumCertificate)> {
    let json = serde_json::to_value(qc).unwrap();
    let mut out = Vec::new();
    let mut change = |name, change: &dyn Fn(&mut Value)| {
        let mut other = json.clone();
        change(&mut other);
        let changed: QuorumCertificate = serde_json::from_value(other).unwrap();
        assert_ne!(&changed, qc, "{name}");
        out.push((name, changed));
    };
    let other = doppio_espresso::tagged::Commit([9; 32]).to_string();
    change("leaf", &|json| {
        json["data"]["leaf_commit"] = other.clone().into()
    });
    change("epoch", &|json| json["data"]["epoch"] = 2.into());
    change("no epoch", &|json| json["data"]["epoch"] = Value::Null);
    change("height", &|json| json["data"]["block_number"] = 77.into());
    change("vote", &|json| {
        json["vote_commitment"] = other.clone().into()
    });
    change("view", &|json| json["view_number"] = 99.into());
    change("unsigned", &|json| json["signatures"] = Value::Null);
    change("signers", &|json| {
        let bits = json["signatures"][1]["data"][0].as_u64().unwrap();
        json["signatures"][1]["data"][0] = (!bits & 0b11111).into();
    });
    change("all signers", &|json| {
        json["signatures"][1]["data"][0] = 0b11111.into()
    });
    change("fewer bits", &|json| {
        json["signatures"][1]["bits"] = 4.into()
    });
    change("more bits", &|json| {
        json["signatures"][1]["bits"] = 6.into()
    });
    out
}

#[test]
fn the_recorded_quorum_certificates_are_signed_by_the_stake_table() {
    let Some(vectors) = vectors() else { return };
    let table = table(&vectors);
    assert_eq!(table.threshold(), U256::from(4));
    for block in chain(&vectors).iter().skip(1) {
        let qc: QuorumCertificate = read(&block["leaf"]["qc"]);
        assert_eq!(table.verify(&qc), Ok(()));
        for (name, other) in mutations(&qc) {
            // consistent again, as a forger would have it
            let signatures = other.signatures.clone();
            let forged = Certificate::new(other.data, other.view_number, signatures);
            if name == "all signers" && forged == qc {
                continue;
            }
            assert!(table.verify(&other).is_err(), "{name}");
            assert!(
                forged == qc || table.verify(&forged).is_err(),
                "{name}, forged"
            );
        }
    }
    let unsigned: QuorumCertificate = read(&chain(&vectors)[0]["leaf"]["qc"]);
    let unsigned = Certificate::new(unsigned.data, 0, None);
    assert_eq!(table.verify(&unsigned), Err(CertificateError::Unsigned));
}

#[test]
fn a_recorded_block_is_final_by_the_certificates_after_it() {
    let Some(vectors) = vectors() else { return };
    let blocks = chain(&vectors);
    let leaf = |at: usize| read::<LeafQueryData>(&blocks[at]["leaf"]);
    let pair = |qc| {
        Box::new(CertificatePair {
            qc,
            next_epoch_qc: None,
        })
    };
    let proof = LeafProof {
        leaves: vec![leaf(1).leaf],
        proof: Finality::HotStuff2 {
            committing_qc: pair(leaf(1).qc),
            deciding_qc: pair(leaf(2).qc),
            deciding_leaf: Some(Box::new(leaf(2).leaf)),
        },
    };
    let epochs = Epochs::new(1000, 5).with(1, table(&vectors));
    assert_eq!(proof.verify(&epochs), Ok(&leaf(1).leaf));
    // through a later leaf, too
    let longer = LeafProof {
        leaves: vec![leaf(1).leaf, leaf(2).leaf],
        proof: Finality::HotStuff2 {
            committing_qc: pair(leaf(2).qc),
            deciding_qc: pair(leaf(3).qc),
            deciding_leaf: None,
        },
    };
    assert_eq!(longer.verify(&epochs), Ok(&leaf(1).leaf));
    // and not without the table, or by certificates of other leaves
    assert!(
        proof
            .verify(&Epochs::new(1000, 5))
            .unwrap_err()
            .is_unavailable()
    );
    let mut other = longer;
    other.leaves.swap(0, 1);
    assert!(other.verify(&epochs).is_err());
    let json = serde_json::to_string(&proof).unwrap();
    assert_eq!(serde_json::from_str::<LeafProof>(&json).unwrap(), proof);
}

#[test]
fn a_decaf_block_holds_the_transactions_that_its_service_said() {
    let Some(vectors) = vectors() else { return };
    let header = header(&vectors, "esp-go-2025/resp/header.json");
    let common = vectors.json("esp-go-2025/resp/vid_common.json");
    let answer = vectors.json("esp-go-2025/resp/transaction_in_block.json");
    let params = params(&common["common"]);
    assert_eq!(params, VidParams::of_weights(1100).unwrap());
    let answer: NamespaceAnswer = read(&answer);
    let namespace = answer.transactions[0].namespace;
    let proven = vid::check_answer(&header, params, namespace, &answer).unwrap();
    assert_eq!(proven.len(), answer.transactions.len());
    // no other namespace is in it, by the header alone
    let nothing = NamespaceAnswer {
        proof: None,
        transactions: Vec::new(),
    };
    assert_eq!(
        vid::check_answer(&header, params, namespace + 1, &nothing),
        Ok(vec![])
    );
    // and what a liar might say
    assert!(vid::check_answer(&header, params, namespace, &nothing).is_err());
    assert!(vid::check_answer(&header, params, namespace + 1, &answer).is_err());
    let mut shorter = answer.clone();
    shorter.transactions.pop();
    assert!(vid::check_answer(&header, params, namespace, &shorter).is_err());
    let mut swapped = answer.clone();
    swapped.transactions[0].payload = Bytes::from_static(b"other");
    assert!(vid::check_answer(&header, params, namespace, &swapped).is_err());
    // one polynomial holds it all, so only the number of shares tells
    let wrong = VidParams::of_weights(1101).unwrap();
    assert!(vid::check_answer(&header, wrong, namespace, &answer).is_err());
}

#[test]
fn espressos_namespace_proof_of_avidm_holds() {
    let Some(vectors) = vectors() else { return };
    let json = vectors.json("esp-go-2025/namespace_proof_test_data.json");
    let proof: NamespaceProof = read(&json["ns_proof"]);
    let commitment: PayloadCommitment = read(&json["vid_commit"]);
    let table: Vec<u8> = read(&json["ns_table"]);
    let base = header(&vectors, "esp-go-2025/resp/header.json");
    let header = base.with(|fields| {
        fields.payload_commitment = commitment;
        fields.ns_table = NsTable {
            bytes: table.into(),
        };
    });
    let params = params(&json["vid_common"]);
    let namespace = json["namespace"].as_u64().unwrap();
    let proven = vid::verify_namespace(&header.unwrap(), params, namespace, Some(&proof)).unwrap();
    assert_eq!(proven.len(), 3);
}

fn payload(vectors: &Vectors) -> (NsTable, Bytes) {
    let json = vectors.json("esp-seq-2025/v1/payload.json");
    let raw = STANDARD
        .decode(json["raw_payload"].as_str().unwrap())
        .unwrap();
    (read(&json["ns_table"]), raw.into())
}

#[test]
fn the_reference_payload_has_its_commitments() {
    let Some(vectors) = vectors() else { return };
    let (table, payload) = payload(&vectors);
    for (scheme, name) in [
        (Scheme::AvidmGf2, "v6_header"),
        (Scheme::AvidmGf2Full, "v7_header_interim"),
    ] {
        let header = header(&vectors, &format!("{NETWORK}/{name}.json"));
        let found = vid::commit(scheme, VidParams::GENESIS, &table, &payload);
        assert_eq!(found, Some(header.fields().payload_commitment), "{name}");
    }
    let found = vid::commit(Scheme::AvidM, VidParams::GENESIS, &table, &payload);
    let expected = "AvidMCommit~GVev7Msgzxsj2Kfx6HfqnNoK4USAnZ602eXda3Ic0zrY";
    assert_eq!(found.unwrap().to_string(), expected);
}

#[test]
fn espressos_namespace_proof_of_avidm_gf2_holds_and_is_what_we_make() {
    let Some(vectors) = vectors() else { return };
    let json = vectors.json(format!("{NETWORK}/v6_ns_proof_V2.json"));
    let proof: NamespaceProof = read(&json["proof"]);
    let (table, payload) = payload(&vectors);
    let params = VidParams::new(10, 4).unwrap();
    let commitment = vid::commit(Scheme::AvidmGf2, params, &table, &payload).unwrap();
    assert_eq!(
        commitment.to_string(),
        "AvidmGf2Commit~tVw_CyIHddlAAX2pYG8vH7j_iUAcb6nXX_VQTwU2OICz"
    );
    let namespace = u64::from(table.entries().unwrap()[0].namespace);
    let made = vid::prove_namespace(Scheme::AvidmGf2, params, &table, &payload, namespace);
    assert_eq!(made.as_ref(), Some(&proof));
    let base = header(&vectors, "espresso-network-2026/v6_header.json");
    let header = base.with(|fields| {
        fields.payload_commitment = commitment;
        fields.ns_table = table.clone();
    });
    let header = header.unwrap();
    let proven = vid::verify_namespace(&header, params, namespace, Some(&proof)).unwrap();
    let range = table.entries().unwrap()[0].range.clone();
    let bytes = payload.slice(range.start as usize..range.end as usize);
    assert_eq!(proven, read_transactions(&bytes));
    // of each field another value
    let NamespaceProof::V2(bytes) = &proof else {
        panic!("AvidmGf2")
    };
    let verify = |change: &dyn Fn(&mut vid::ProofBytes)| {
        let mut other = bytes.clone();
        change(&mut other);
        let other = NamespaceProof::V2(other);
        vid::verify_namespace(&header, params, namespace, Some(&other)).unwrap_err()
    };
    use NamespaceProofError as Error;
    assert_eq!(
        verify(&|proof| proof.ns_index = 1),
        Error::Index {
            expected: 0,
            found: 1
        }
    );
    let length = bytes.ns_payload.len();
    assert_eq!(
        verify(&|proof| proof.ns_payload = proof.ns_payload.slice(1..)),
        Error::Length {
            expected: length,
            found: length - 1
        }
    );
    let flipped = |proof: &mut vid::ProofBytes| {
        let mut bytes = proof.ns_payload.to_vec();
        bytes[100] ^= 1;
        proof.ns_payload = bytes.into();
    };
    assert_eq!(verify(&flipped), Error::Commitment);
    assert_eq!(
        verify(&|proof| proof.ns_proof.0[40] ^= 1),
        Error::Commitment
    );
    assert_eq!(verify(&|proof| proof.ns_proof.0.push(0)), Error::Path(3));
    assert_eq!(verify(&|proof| proof.ns_proof.0.clear()), Error::Path(3));
    let other = NamespaceProof::V1(bytes.clone());
    assert_eq!(
        vid::verify_namespace(&header, params, namespace, Some(&other)),
        Err(Error::OtherScheme(header.version()))
    );
}

#[test]
fn blocks_to_0_2_are_answered_with_an_unsupported_version() {
    let Some(vectors) = vectors() else { return };
    for name in ["v1", "v2"] {
        let header = header(&vectors, &format!("esp-seq-2025/{name}/header.json"));
        let entries = header.fields().ns_table.entries().unwrap();
        let namespace = u64::from(entries[0].namespace);
        let proof = NamespaceProof::V0(Value::Null);
        let version = header.version();
        assert_eq!(
            vid::verify_namespace(&header, VidParams::GENESIS, namespace, Some(&proof)),
            Err(NamespaceProofError::UnsupportedVersion(version))
        );
    }
}

/// The light client's contract has the root of a tree of 22 blocks, and block 7 is among them.
#[test]
fn a_block_is_shown_by_the_light_clients_root() {
    let Some(vectors) = vectors() else { return };
    let json = vectors.json("esp-go-2025/merkle_proof_test_data.json");
    let header: Header = read(&json["header"]);
    let nodes: Vec<PathNode> = match &json["proof"] {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        list => read(list),
    };
    assert_eq!(serde_json::to_value(&nodes).unwrap(), json["proof"]);
    let tree: MerkleCommitment = read(&json["block_merkle_root"]);
    let path = read_path(&nodes, header.height(), &header.commit()).unwrap();
    assert_eq!(
        path.verify(header.height(), &header.commit(), &tree),
        Ok(())
    );
    let root = STANDARD
        .decode(json["hotshot_commitment"].as_str().unwrap())
        .unwrap();
    let root = U256::from_le_slice(&root);
    assert_eq!(circuit_root(&tree), root);
    let state = LightClientState {
        view: 1,
        height: tree.leaves(),
        root,
    };
    assert_eq!(state.verify(&header, &path), Ok(()));
    let mut abi = U256::from(1).to_be_bytes_vec();
    abi.extend(U256::from(22).to_be_bytes::<32>());
    abi.extend(root.to_be_bytes::<32>());
    assert_eq!(LightClientState::from_abi(&abi), Ok(state));
    // of each part another value
    let other = header.with(|fields| fields.timestamp += 1).unwrap();
    assert!(state.verify(&other, &path).is_err());
    let lower = LightClientState { height: 7, ..state };
    assert!(lower.verify(&header, &path).is_err());
    let other = LightClientState {
        height: 23,
        ..state
    };
    assert!(other.verify(&header, &path).is_err());
    let other = LightClientState {
        root: root + U256::ONE,
        ..state
    };
    assert!(other.verify(&header, &path).is_err());
}
