//! Endpoints that lie: whatever they alter is refused, or was never read.

use crate::fake::{Chain, Fake, RUNTIME, Rules, shown, source};
use doppio_l1::verify::{
    BlockAt, BlockRead, ReceiptsAnswer, VerifyError, read_block, read_receipts,
};
use doppio_protocol::{config::RollupConfig, l1::L1Block};
use doppio_test_chain::{all_nodes, alterations, changed, is_read};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

fn read(rollup: &RollupConfig, hash: &str, entry: &Value) -> Result<Option<L1Block>, VerifyError> {
    let at = BlockAt::Hash(hash.parse().unwrap());
    let block = match read_block(at, &entry["block"].to_string())? {
        Some(BlockRead::Whole(block)) => block,
        _ => return Ok(None),
    };
    let receipts = entry["receipts"].to_string();
    let receipts = read_receipts(&block, ReceiptsAnswer::List(&receipts))?;
    Ok(receipts.map(|receipts| block.into_l1_block(rollup, receipts)))
}

/// The smallest blocks with transactions of each type, with logs, and with withdrawals alone.
fn samples() -> Option<Vec<(Arc<Chain>, usize)>> {
    let mut samples = Vec::new();
    for (name, content) in [
        ("espresso-gen2-calldata", r#""type":"0x0""#),
        ("espresso-gen2-calldata", r#""type":"0x1""#),
        ("espresso-gen2-calldata", r#""topics":["0x"#),
        ("blobs-span-brotli-jovian", r#""type":"0x3""#),
        ("hostile-inbox", r#""validatorIndex""#),
    ] {
        let chain = Chain::open(name)?;
        let texts = chain.blocks.iter().map(ToString::to_string).enumerate();
        let fitting = texts.filter(|(_, text)| text.contains(content));
        let (number, _) = fitting.min_by_key(|(_, text)| text.len())?;
        samples.push((chain, number));
    }
    Some(samples)
}

#[test]
fn every_field_of_every_answer_is_checked_or_never_read() {
    let Some(samples) = samples() else {
        return;
    };
    let mut kinds = std::collections::BTreeSet::new();
    let (mut refused, mut unread) = (0, 0);
    for (chain, number) in samples {
        let entry = &chain.blocks[number];
        let rollup = chain.rollup();
        let hash = entry["block"]["hash"].as_str().unwrap();
        let genuine = shown(&read(&rollup, hash, entry).unwrap().unwrap());
        for tx in entry["block"]["transactions"].as_array().unwrap() {
            kinds.insert(tx["type"].to_string());
        }
        for pointer in all_nodes(entry) {
            if pointer == "/block" || pointer == "/receipts" {
                continue;
            }
            let node = entry.pointer(&pointer).unwrap();
            let other = changed(node);
            for altered in alterations(entry, &pointer) {
                let result = read(&rollup, hash, &altered);
                // Only a changed value must be noticed: an absent one may say the same.
                let must_fail = is_read(entry, &pointer)
                    && other.is_some()
                    && altered.pointer(&pointer) == other.as_ref();
                match result {
                    Err(_) => refused += 1,
                    Ok(found) => {
                        assert!(!must_fail, "{number}: {pointer} is not checked: {other:?}");
                        unread += 1;
                        // A type that is not known asks for the bytes; they are checked then.
                        if let Some(found) = found {
                            assert_eq!(shown(&found), genuine, "{number}: {pointer}");
                        }
                    }
                }
            }
        }
    }
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    assert!(refused > 1000 && unread > 100, "{refused} {unread}");
}

/// A node of an answer and what takes its place.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "0x[0-9a-f]{0,80}".prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!(["0x1"])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the first endpoint alters, what comes out is genuine.
    #[test]
    fn a_hostile_endpoint_is_seen_through_and_another_one_used(
        picks in prop::collection::vec((any::<prop::sample::Index>(), any_value(), any::<bool>()), 4),
        number in 3usize..280,
    ) {
        let Some(chain) = CHAIN.clone() else {
            return Ok(());
        };
        let honest = Fake::start(&chain, Rules::default());
        for (pick, value, in_receipts) in picks {
            let method = if in_receipts { "eth_getBlockReceipts" } else { "eth_getBlockByHash" };
            let alter = move |asked: &str, result: &mut Value| {
                let nodes = all_nodes(result);
                if asked == method && !nodes.is_empty() {
                    let node = pick.get(nodes.as_slice());
                    *result.pointer_mut(node).unwrap() = value.clone();
                }
            };
            let rules = Rules { alter: Some(Box::new(alter)), ..Rules::default() };
            let hostile = Fake::start(&chain, rules);
            let source = source(&[&hostile, &honest], |_| ());
            let at = BlockAt::Hash(chain.hash(number));
            let found = RUNTIME.block_on(source.block(at)).unwrap().unwrap();
            let entry = &chain.blocks[number];
            let hash = entry["block"]["hash"].as_str().unwrap();
            let genuine = read(&chain.rollup(), hash, entry).unwrap().unwrap();
            prop_assert_eq!(shown(&found), shown(&genuine));
            prop_assert_eq!(hostile.asked("eth_getBlockByHash"), 1);
        }
    }
}

static CHAIN: std::sync::LazyLock<Option<Arc<Chain>>> =
    std::sync::LazyLock::new(|| Chain::open("espresso-gen2-calldata"));

#[test]
fn whoever_lies_is_marked_and_asked_last() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let lie = |method: &str, result: &mut Value| {
        if method == "eth_getBlockByNumber" {
            result["timestamp"] = json!("0x1");
        }
    };
    let hostile = Fake::start(
        &chain,
        Rules {
            alter: Some(Box::new(lie)),
            ..Rules::default()
        },
    );
    let honest = Fake::start(&chain, Rules::default());
    let source = source(&[&hostile, &honest], |_| ());
    for number in 10..15 {
        let block = RUNTIME.block_on(source.block(BlockAt::Number(number)));
        assert_eq!(block.unwrap().unwrap().header.number, number);
    }
    assert_eq!((hostile.requests(), honest.requests()), (1, 5));
    let status = source.endpoints();
    assert_eq!((status[0].falsehoods, status[1].falsehoods), (1, 0));
    assert!(status[0].is_distrusted && !status[1].is_distrusted);
    assert_eq!((status[0].score, status[1].score), (0, 100));
}

#[test]
fn a_liar_alone_is_never_believed_and_still_asked() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let lie = |_: &str, result: &mut Value| result["stateRoot"] = json!("0x1");
    let hostile = Fake::start(
        &chain,
        Rules {
            alter: Some(Box::new(lie)),
            ..Rules::default()
        },
    );
    let source = source(&[&hostile], |_| ());
    let ask = || RUNTIME.block_on(source.header(BlockAt::Number(5)));
    let error = ask().unwrap_err().to_string();
    assert!(error.contains("no endpoint gives L1 header 5"), "{error}");
    // It came to its senses.
    hostile.rules.lock().unwrap().alter = None;
    assert_eq!(ask().unwrap().unwrap().hash(), chain.hash(5));
}

#[test]
fn another_block_than_asked_for_is_a_lie() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let other = chain.blocks[8]["block"].clone();
    let swap = move |_: &str, result: &mut Value| *result = other.clone();
    let hostile = Fake::start(
        &chain,
        Rules {
            alter: Some(Box::new(swap)),
            ..Rules::default()
        },
    );
    for at in [BlockAt::Number(7), BlockAt::Hash(chain.hash(7))] {
        let source = source(&[&hostile], |_| ());
        let error = RUNTIME.block_on(source.header(at)).unwrap_err();
        assert!(error.to_string().contains("asked for L1 block"), "{error}");
        assert_eq!(source.endpoints()[0].falsehoods, 1);
    }
}
