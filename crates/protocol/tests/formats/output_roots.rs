//! Output roots.

use crate::common::{hash_of, number_of, vectors};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, U256, b256, keccak256};
use doppio_protocol::output::{L2_TO_L1_MESSAGE_PASSER, OutputV0};

#[test]
fn the_root_of_the_vector() {
    let Some(vectors) = vectors() else { return };
    let json = vectors.json("outputs/output_v0.json");
    let output = OutputV0 {
        state_root: hash_of(&json["stateRoot"]),
        message_passer_storage_root: hash_of(&json["messagePasserStorageRoot"]),
        block_hash: hash_of(&json["blockHash"]),
    };
    assert_eq!(
        output.root(),
        b256!("ee71f7339a6143212e6df5c2581f5c4ca193245c178176e6a025ab983843f0e6")
    );
    let preimage = output.preimage();
    assert_eq!(preimage[..32], [0; 32]);
    assert_eq!(preimage[32..36], [1, 2, 3, 0]);
    assert_eq!(preimage[64..68], [4, 5, 6, 0]);
    assert_eq!(preimage[96..100], [7, 8, 9, 0]);
}

#[test]
fn the_root_at_a_real_block() {
    let Some(vectors) = vectors() else { return };
    let json = vectors.json("outputs/output_at_block.json");
    let header: Header = serde_json::from_value(json["header"].clone()).unwrap();
    let block_hash = header.hash_slow();
    assert_eq!(block_hash, hash_of(&json["header"]["hash"]));
    let output = OutputV0 {
        state_root: header.state_root,
        message_passer_storage_root: hash_of(&json["account_proof"]["storageHash"]),
        block_hash,
    };
    assert_eq!(output.root(), hash_of(&json["expected"]["outputRoot"]));
}

/// op-node's own roots, every 20th block of each recorded chain.
#[test]
fn roots_of_recorded_chains() {
    let Some(recorded) = doppio_test_vectors::Vectors::find("recorded") else {
        return;
    };
    let mut seen = 0;
    for chain in ["calldata-singular-zlib", "all-forks-calldata"] {
        for line in recorded.text(format!("{chain}/l2.jsonl.gz")).lines() {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            let Some(root) = json.get("output_root") else {
                continue;
            };
            let raw: Bytes = json["raw"].as_str().unwrap().parse().unwrap();
            let block = doppio_protocol::l2::L2Block::decode(&raw).unwrap();
            assert_eq!(block.hash, hash_of(&json["hash"]));
            let output = OutputV0 {
                state_root: block.header.state_root,
                message_passer_storage_root: hash_of(&json["withdrawal_storage_root"]),
                block_hash: block.hash,
            };
            assert_eq!(
                output.root(),
                hash_of(root),
                "{chain} {}",
                block.header.number
            );
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} roots");
}

/// A withdrawal's storage slot in the contract whose storage root the output commits to: the log
/// holds the hash of its own fields.
#[test]
fn a_withdrawals_hash_is_the_hash_of_its_fields() {
    let Some(vectors) = vectors() else { return };
    let receipt = vectors.json("withdrawals/bridge-withdrawal.json");
    let passed = keccak256("MessagePassed(uint256,address,address,uint256,uint256,bytes,bytes32)");
    let log = receipt["logs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|log| hash_of(&log["topics"][0]) == passed)
        .unwrap();
    let contract: Address = log["address"].as_str().unwrap().parse().unwrap();
    assert_eq!(contract, L2_TO_L1_MESSAGE_PASSER);
    let data: Bytes = log["data"].as_str().unwrap().parse().unwrap();
    let word = |index: usize| B256::from_slice(&data[32 * index..32 * (index + 1)]);
    let length = U256::from_be_bytes(word(4).0).to::<usize>();
    let mut preimage = Vec::new();
    (1..4).for_each(|topic| preimage.extend(hash_of(&log["topics"][topic])));
    preimage.extend(word(0));
    preimage.extend(word(1));
    // the offset of the bytes is counted from the six words, not from the log's four
    preimage.extend(U256::from(6 * 32).to_be_bytes::<32>());
    preimage.extend(&data[4 * 32..5 * 32 + length.next_multiple_of(32)]);
    assert_eq!(keccak256(preimage), word(3));
    assert!(number_of(&receipt["status"]) == 1);
}
