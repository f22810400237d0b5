//! What other nodes answer: L1, its beacon nodes, execution engines.

use crate::chain::chains;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use doppio_l2::L2Client;
use doppio_node::{EngineAnswer, EngineCall, engine_answer};
use doppio_protocol::l2::L2Block;
use doppio_rpc::{CallError, Caller, Calling, RpcError};
use doppio_verify::{
    BlockAt, BlockRead, Label, ReceiptsAnswer, read_blobs, read_block, read_header, read_proof,
    read_receipts,
};
use serde_json::Value;
use std::{
    collections::VecDeque,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};
use tokio::runtime::{Builder, Runtime};

/// A block's JSON, a line break, its receipts'.
pub(crate) fn l1_block(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let (block, receipts) = text.split_once('\n').unwrap_or((text, "null"));
    let at = BlockAt::Label(Label::Latest);
    if let Ok(Some(header)) = read_header(at, block) {
        assert_eq!(header.header().hash_slow(), header.hash());
        let other = BlockAt::Hash(keccak256(header.hash()));
        assert!(
            read_header(other, block).is_err(),
            "another block was asked for"
        );
    }
    let block = match read_block(at, block) {
        Ok(Some(BlockRead::Whole(block))) => block,
        Ok(Some(BlockRead::NeedsBytes(pending))) => {
            let bytes = vec![Bytes::from_static(&[0x7f, 1]); pending.lacking().len()];
            assert!(pending.complete(bytes).is_err(), "these are nobody's bytes");
            return;
        }
        _ => return,
    };
    for answer in [
        ReceiptsAnswer::List(receipts),
        ReceiptsAnswer::Wrapped(receipts),
        ReceiptsAnswer::Raw(receipts),
        ReceiptsAnswer::Each(&[receipts]),
    ] {
        if let Ok(Some(receipts)) = read_receipts(&block, answer) {
            assert_eq!(receipts.len(), block.transactions().len());
            for chain in chains() {
                let _ = block.clone().into_l1_block(&chain.rollup, receipts.clone());
            }
        }
    }
}

/// The answer to `eth_getProof`, under the root that its first node has.
pub(crate) fn l1_proof(data: &[u8]) {
    let Ok(json) = core::str::from_utf8(data) else {
        return;
    };
    let value: Value = serde_json::from_str(json).unwrap_or_default();
    let first: Option<Bytes> = serde_json::from_value(value["accountProof"][0].clone()).ok();
    let root = first.map(keccak256).unwrap_or_default();
    let address: Address = serde_json::from_value(value["address"].clone()).unwrap_or_default();
    for slots in [&[][..], &[B256::ZERO]] {
        if let Ok(Some(proof)) = read_proof(root, address, slots, json) {
            assert_eq!(proof.storage.len(), slots.len());
        }
    }
}

/// The answer of a beacon node to a question for blobs.
pub(crate) fn beacon_blobs(data: &[u8]) {
    let Ok(json) = core::str::from_utf8(data) else {
        return;
    };
    let hashes = [B256::ZERO, B256::repeat_byte(1)];
    if let Ok(blobs) = read_blobs(&hashes, json) {
        // no input is as long as a blob
        assert!(blobs.iter().all(Option::is_none));
    }
}

/// Which call, and the JSON of its answer.
pub(crate) fn engine_answers(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    let Ok(answer) = serde_json::from_slice::<Value>(rest) else {
        return;
    };
    let call = match kind % 3 {
        0 => EngineCall::ForkChoice {
            head: B256::ZERO,
            safe: B256::ZERO,
            finalized: B256::ZERO,
            attributes: None,
        },
        1 => EngineCall::GetPayload {
            id: [0; 8],
            timestamp: 1_800_000_002,
        },
        _ => EngineCall::NewPayload(Arc::new(L2Block {
            hash: B256::ZERO,
            header: Default::default(),
            transactions: Vec::new(),
        })),
    };
    for chain in chains() {
        if let Ok(EngineAnswer::Payload(block)) = engine_answer(chain, &call, Ok(answer.clone())) {
            assert_eq!(block.header.hash_slow(), block.hash);
        }
        if let (Some(code), Some(message)) = (answer["code"].as_i64(), answer["message"].as_str()) {
            let error = Err((code, message.to_owned()));
            assert!(matches!(
                engine_answer(chain, &call, error),
                Ok(EngineAnswer::Error(_))
            ));
        }
    }
}

/// An engine that gives these answers, one after the other.
#[derive(Debug)]
struct Answers(Mutex<VecDeque<Value>>);

impl Caller for Answers {
    fn name(&self) -> &str {
        "bytes"
    }

    fn call<'a>(&'a self, method: &'a str, _: Vec<Value>) -> Calling<'a> {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answers.pop_front().unwrap_or_default();
        let error = answer["error"]["code"].as_i64().map(|code| {
            let message = answer["error"]["message"].as_str().unwrap_or_default();
            CallError::Rpc {
                server: "bytes".to_owned(),
                method: method.to_owned(),
                error: RpcError::new(code, message),
            }
        });
        Box::pin(async move { error.map_or(Ok(answer), Err) })
    }
}

/// What is asked, and a list of answers.
pub(crate) fn l2_answers(data: &[u8]) {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));
    let Some((asked, rest)) = data.split_first() else {
        return;
    };
    let Ok(answers) = serde_json::from_slice::<VecDeque<Value>>(rest) else {
        return;
    };
    let chain = Arc::new(chains()[usize::from(asked / 8) % chains().len()].clone());
    let client = L2Client::new(chain, Arc::new(Answers(Mutex::new(answers))));
    RUNTIME.block_on(async {
        match asked % 8 {
            0 => {
                if let Ok(Some(block)) = client.block(BlockAt::Number(1)).await {
                    assert_eq!(block.header.number, 1);
                    assert_eq!(block.header.hash_slow(), block.hash);
                }
            }
            1 => {
                let hash = B256::repeat_byte(1);
                assert!(!matches!(
                    client.block(BlockAt::Hash(hash)).await,
                    Ok(Some(_))
                ));
            }
            2 => drop(client.header(BlockAt::Label(Label::Latest)).await),
            3 => drop(client.block_ref(BlockAt::Label(Label::Safe)).await),
            4 => drop(client.capabilities().await),
            5 => drop(client.chain_id().await),
            6 => {
                // a block by its label, which is then known by its hash
                if let Ok(Some(block)) = client.block(BlockAt::Label(Label::Latest)).await {
                    let again = client.block(BlockAt::Hash(block.hash)).await;
                    assert_eq!(again.ok().flatten(), Some(Arc::clone(&block)));
                    let _ = client.system_config(block.hash).await;
                    let _ = client.output(block.hash).await;
                }
            }
            _ => drop(client.output(B256::ZERO).await),
        }
    });
}
