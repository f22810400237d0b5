//! What genuine endpoints give is taken, and equals what is recorded; what is known to be false is
//! refused.

use crate::fake::{Chain, Fake, RUNTIME, Rules, shown, source};
use alloy_primitives::{Address, B256, Bytes, U256, b256, keccak256};
use doppio_l1::{
    RpcKind,
    verify::{
        BlockAt, BlockJson, BlockRead, Label, ReceiptsAnswer, VerifyError, read_block, read_header,
        read_proof, read_receipts,
    },
};
use doppio_test_chain::{all_nodes, alterations};
use doppio_test_vectors::Vectors;
use serde_json::{Value, json};

const CHAINS: [&str; 8] = [
    "all-forks-calldata",
    "altda-span-brotli",
    "blobs-span-brotli-jovian",
    "calldata-singular-zlib",
    "espresso-gen2-batcher",
    "espresso-gen2-calldata",
    "expired-windows",
    "hostile-inbox",
];

#[test]
fn every_recorded_block_is_read_as_doppio_recorded_reads_it() {
    for name in CHAINS {
        let Some(chain) = Chain::open(name) else {
            return;
        };
        let rollup = chain.rollup();
        let expected = chain.expected();
        let first = usize::try_from(expected[0].header.number).unwrap();
        assert_eq!(first + expected.len(), chain.blocks.len());
        for (entry, expected) in chain.blocks[first..].iter().zip(&expected) {
            let at = BlockAt::Hash(expected.header.hash);
            let Some(BlockRead::Whole(block)) =
                read_block(at, &entry["block"].to_string()).unwrap()
            else {
                panic!("{name}: {at}")
            };
            let receipts = entry["receipts"].to_string();
            let receipts = read_receipts(&block, ReceiptsAnswer::List(&receipts));
            let block = block.into_l1_block(&rollup, receipts.unwrap().unwrap());
            assert_eq!(shown(&block), shown(expected), "{name}");
        }
    }
}

#[test]
fn all_ways_to_receipts_give_the_same_block() {
    let Some(chain) = Chain::open("espresso-gen2-calldata") else {
        return;
    };
    let expected = chain.expected();
    let busiest = expected.iter().max_by_key(|block| block.receipts.len());
    let busiest = busiest.unwrap();
    for (kind, method) in [
        (RpcKind::Standard, "eth_getBlockReceipts"),
        (RpcKind::DebugGeth, "debug_getRawReceipts"),
        (RpcKind::Parity, "parity_getBlockReceipts"),
        (RpcKind::Alchemy, "alchemy_getTransactionReceipts"),
        (RpcKind::Erigon, "erigon_getBlockReceiptsByBlockHash"),
        (RpcKind::Basic, "eth_getTransactionReceipt"),
    ] {
        let fake = Fake::start(&chain, Rules::default());
        for at in [
            BlockAt::Hash(busiest.header.hash),
            BlockAt::Number(busiest.header.number),
        ] {
            let source = source(&[&fake], |options| options.rpc_kind = kind);
            let block = RUNTIME.block_on(source.block(at)).unwrap().unwrap();
            assert_eq!(shown(&block), shown(busiest), "{kind:?}");
            // and the JSON that is kept gives it once more, also from a file
            let kept = RUNTIME.block_on(source.blocks_with_json(&[at])).unwrap();
            let [(block, json)] = &kept[..] else {
                panic!("{kind:?}: {} blocks", kept.len());
            };
            assert_eq!(shown(block), shown(busiest), "{kind:?}");
            let line = serde_json::to_string(json).unwrap();
            let json: BlockJson = serde_json::from_str(&line).unwrap();
            let read = json.read(&chain.rollup()).unwrap();
            assert_eq!(shown(&read), shown(busiest), "{kind:?}");
        }
        let asked = fake.asked(method);
        assert!(asked > 0, "{kind:?}");
        let all = fake.log.lock().unwrap().len();
        assert_eq!(asked + fake.asked("eth_getBlockBy"), all, "{kind:?}");
    }
}

#[test]
fn labels_and_heights_and_hashes_name_blocks() {
    let Some(chain) = Chain::open("hostile-inbox") else {
        return;
    };
    let fake = Fake::start(&chain, Rules::default());
    let source = source(&[&fake], |_| ());
    let head = chain.blocks.len() - 1;
    let id = |at| {
        let header = RUNTIME.block_on(source.header(at)).unwrap();
        header.map(|header| (header.id().number, header.hash()))
    };
    let block = |number: usize| Some((number as u64, chain.hash(number)));
    assert_eq!(id(BlockAt::Label(Label::Latest)), block(head));
    assert_eq!(id(BlockAt::Label(Label::Safe)), block(head - 4));
    assert_eq!(id(BlockAt::Label(Label::Finalized)), block(head - 8));
    assert_eq!(id(BlockAt::Number(17)), block(17));
    assert_eq!(id(BlockAt::Hash(chain.hash(18))), block(18));
    assert_eq!(id(BlockAt::Hash(B256::ZERO)), None);
    assert_eq!(id(BlockAt::Number(head as u64 + 1)), None);
    assert_eq!(RUNTIME.block_on(source.chain_id()).unwrap(), 900);
}

#[test]
fn what_was_verified_is_not_asked_for_again() {
    let Some(chain) = Chain::open("hostile-inbox") else {
        return;
    };
    let fake = Fake::start(&chain, Rules::default());
    let source = source(&[&fake], |options| options.cache_blocks = 2);
    let get = |number| {
        let at = BlockAt::Hash(chain.hash(number));
        RUNTIME.block_on(source.block(at)).unwrap().unwrap();
        fake.requests()
    };
    assert_eq!([get(5), get(5), get(6), get(5)], [1, 1, 2, 2]);
    // 6 was not asked for longest
    assert_eq!([get(7), get(5), get(6)], [3, 3, 4]);
}

/// Goerli's and Sepolia's blocks from op-node's own tests, good ones and corrupted ones.
#[test]
fn blocks_of_public_chains_are_judged_as_op_node_judges_them() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let (mut good, mut bad) = (0, 0);
    for folder in ["l1blocks/blocks", "l1blocks/headers"] {
        let names = vectors.list(folder);
        for name in names.iter().filter(|name| name.contains("_metadata")) {
            let expected = vectors.json(format!("{folder}/{name}"));
            let block = vectors.json(format!("{folder}/{}", name.replace("_metadata", "_data")));
            let text = block.to_string();
            let hash = block["hash"].as_str().unwrap().parse().unwrap();
            let at = BlockAt::Hash(hash);
            let is_header = folder.ends_with("headers");
            let result = if is_header {
                read_header(at, &text).map(|header| assert!(header.is_some()))
            } else {
                read_block(at, &text).map(|block| assert!(block.is_some()))
            };
            if expected["fail"] == true {
                bad += 1;
                assert!(result.is_err(), "{folder}/{name}");
            } else {
                good += 1;
                result.unwrap();
            }
        }
    }
    assert_eq!((good, bad), (4, 15));
}

#[test]
fn a_header_with_a_field_of_a_later_fork_is_refused_by_name() {
    let Some(chain) = Chain::open("hostile-inbox") else {
        return;
    };
    let mut block = chain.blocks[9]["block"].clone();
    block["inclusionListRoot"] = json!(B256::repeat_byte(7));
    // A field that the hash does not cover is none of the header's.
    let at = BlockAt::Number(9);
    assert!(read_header(at, &block.to_string()).is_ok());
    block["hash"] = json!(B256::repeat_byte(8));
    let error = read_header(at, &block.to_string()).unwrap_err().to_string();
    assert!(error.contains("L1 block 9"), "{error}");
    assert!(error.contains("(inclusionListRoot)"), "{error}");
}

#[test]
fn a_transaction_of_an_unknown_type_is_read_from_bytes_that_the_root_covers() {
    let Some(chain) = Chain::open("hostile-inbox") else {
        return;
    };
    let of_two = |entry: &&Value| entry["receipts"].as_array().unwrap().len() >= 2;
    let entry = chain.blocks.iter().find(of_two).unwrap();
    let mut block = entry["block"].clone();
    let hash = |json: &Value| json.as_str().unwrap().parse::<B256>().unwrap();
    let at = BlockAt::Hash(hash(&block["hash"]));
    let Some(BlockRead::Whole(whole)) = read_block(at, &block.to_string()).unwrap() else {
        panic!("{at}")
    };
    let doppio_protocol::l1::L1Transaction::Signed(envelope) = &whole.transactions()[1] else {
        panic!("{at}")
    };
    let bytes = alloy_eips::eip2718::Encodable2718::encoded_2718(envelope);
    // As if type 2 came after this release.
    block["transactions"][1]["type"] = json!("0x6a");
    block["transactions"][1]["to"] = json!(Address::repeat_byte(1));
    let pending = || match read_block(at, &block.to_string()).unwrap() {
        Some(BlockRead::NeedsBytes(pending)) => pending,
        _ => panic!("{at}"),
    };
    let wanted: Vec<B256> = pending().lacking().collect();
    assert_eq!(wanted, [whole.transaction_hashes()[1]]);
    let completed = pending().complete(vec![bytes.clone().into()]).unwrap();
    assert_eq!(completed.transaction_hashes(), whole.transaction_hashes());
    assert_eq!(completed.transactions()[1].to(), None);
    let kept = |bytes| {
        let line =
            json!({"block": block, "receipts": entry["receipts"], "unknown_transactions": bytes});
        let json: BlockJson = serde_json::from_str(&line.to_string()).unwrap();
        json.read(&chain.rollup())
    };
    assert_eq!(
        kept(json!([Bytes::from(bytes.clone())]))
            .unwrap()
            .header
            .hash,
        completed.header().hash()
    );
    assert!(kept(json!([])).is_err());
    let mut other = bytes;
    *other.last_mut().unwrap() ^= 1;
    for bytes in [vec![other.into()], vec![], vec![Default::default()]] {
        assert!(pending().complete(bytes).is_err());
    }
}

/// Answers of public nodes, from op-node's own tests. The first is known to be of this state root; the
/// roots of the others are the hashes of their first nodes.
#[test]
fn genuine_proofs_are_taken_and_lead_to_no_other_value() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let first = b256!("0x070ef87d6d3a8a132dfb45cbbc86daf545a45f1a0263bd28a304e465327f3557");
    let samples = vectors.json("outputs/eth_getProof_samples.json");
    let samples = samples.as_array().unwrap();
    assert_eq!(samples.len(), 3);
    for (index, proof) in samples.iter().enumerate() {
        let node: Bytes = proof["accountProof"][0].as_str().unwrap().parse().unwrap();
        let root = keccak256(node);
        if index == 0 {
            assert_eq!(root, first);
        }
        let address: Address = proof["address"].as_str().unwrap().parse().unwrap();
        let slots = proof["storageProof"].as_array().unwrap();
        let number = |value: &Value| value.as_str().unwrap().parse::<U256>().unwrap();
        let keys: Vec<B256> = slots
            .iter()
            .map(|slot| number(&slot["key"]).into())
            .collect();
        let values: Vec<U256> = slots.iter().map(|slot| number(&slot["value"])).collect();
        let read = |root, proof: &Value| read_proof(root, address, &keys, &proof.to_string());
        if index == 2 {
            // The proof of the first, said to be of another slot.
            let error = read(root, proof);
            assert!(matches!(error, Err(VerifyError::Proof { .. })));
            continue;
        }
        let good = read(root, proof).unwrap().unwrap();
        assert!(good.account.unwrap().has_code());
        assert_eq!(good.storage, values);
        let mut other_root = root;
        other_root[31] ^= 1;
        assert!(matches!(
            read(other_root, proof),
            Err(VerifyError::Proof { .. })
        ));
        assert!(read(root, &Value::Null).unwrap().is_none());
        let mut checked = 0;
        for pointer in all_nodes(proof) {
            for altered in alterations(proof, &pointer) {
                checked += 1;
                match read(root, &altered) {
                    Err(_) => {}
                    Ok(found) => assert_eq!(found.as_ref(), Some(&good), "{pointer}"),
                }
            }
        }
        assert!(checked > 50);
        assert!(read_proof(root, Address::repeat_byte(9), &keys, &proof.to_string()).is_err());
        assert!(read_proof(root, address, &[], &proof.to_string()).is_err() || keys.is_empty());
    }
}
