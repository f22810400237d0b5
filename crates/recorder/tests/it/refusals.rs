//! What cannot be recorded, and whoever does not say the truth, is named.

use crate::support::{Folder, World, alter, partial};
use doppio_recorder::RecordError;
use serde_json::{Value, json};
use std::fs;

const CHAIN: &str = "calldata-singular-zlib";

async fn refusal(world: &World, test: &str, from: u64, to: u64) -> RecordError {
    let folder = Folder::new(test);
    let error = world.record(&folder, from, Some(to)).await.unwrap_err();
    assert!(!folder.0.exists(), "{test}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_is_none_is_refused() {
    let Some(world) = World::open(CHAIN) else {
        return;
    };
    for (from, to) in [(10, 10), (11, 10)] {
        let error = refusal(&world, "empty_range", from, to).await;
        assert!(matches!(error, RecordError::Range { .. }), "{error}");
    }
    let safe = world.safe_head();
    let error = refusal(&world, "not_safe", 10, safe + 1).await;
    let RecordError::NotSafe { to, safe: found } = error else {
        panic!("{error}")
    };
    assert_eq!((to, found), (safe + 1, safe));
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_other_chains_are_refused() {
    let Some(world) = World::open(CHAIN) else {
        return;
    };
    alter(&world.l2, "eth_chainId", |id| *id = json!("0xa"));
    let error = refusal(&world, "other_l2", 10, 20).await;
    assert!(matches!(
        error,
        RecordError::ChainId {
            key: "l2_chain_id",
            expected: 901,
            found: 10,
            ..
        }
    ));
    alter(&world.l1, "eth_chainId", |id| *id = json!("0x1"));
    let error = refusal(&world, "other_l1", 10, 20).await;
    assert!(matches!(
        error,
        RecordError::ChainId {
            key: "l1_chain_id",
            expected: 900,
            found: 1,
            ..
        }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_l2_node_that_lies_or_lacks_whole_blocks_is_named() {
    let Some(world) = World::open(CHAIN) else {
        return;
    };
    let first = json!(world.chain.recorded.l2_blocks[1].raw);
    alter(&world.l2, "debug_getRawBlock", move |raw| {
        *raw = first.clone()
    });
    let error = refusal(&world, "other_block", 10, 20).await;
    assert!(
        matches!(
            error,
            RecordError::L2Block { number: 20, .. } | RecordError::L2Block { number: 10, .. }
        ),
        "{error}"
    );
    // the last byte of the last transaction, before two empty lists
    alter(&world.l2, "debug_getRawBlock", |raw| {
        let mut text = raw.as_str().unwrap().to_owned();
        let last = text.len() - 5;
        assert!(text.ends_with("c0c0"));
        let other = if &text[last..=last] == "0" { "1" } else { "0" };
        text.replace_range(last..=last, other);
        *raw = json!(text);
    });
    let error = refusal(&world, "other_content", 10, 20).await;
    assert!(error.to_string().contains("transactions"), "{error}");
    world.l2.rules.lock().unwrap().missing = ["debug_getRawBlock"].into();
    let error = refusal(&world, "no_raw_blocks", 10, 20).await;
    assert!(matches!(error, RecordError::NoRawBlocks(_)), "{error}");
    assert!(error.to_string().contains("--http.api"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollup_node_on_another_chain_than_the_engine_is_found_out() {
    let Some(world) = World::open(CHAIN) else {
        return;
    };
    alter(
        &world.rollup,
        "optimism_outputAtBlock",
        |output: &mut Value| {
            output["blockRef"]["hash"] = output["outputRoot"].clone();
        },
    );
    let error = refusal(&world, "disagreement", 10, 30).await;
    assert!(
        matches!(error, RecordError::Disagreement { number: 20, .. }),
        "{error}"
    );
}

/// L1 is believed as little here as elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn an_l1_that_lies_is_not_recorded() {
    let Some(world) = World::open(CHAIN) else {
        return;
    };
    alter(&world.l1, "eth_getBlockReceipts", |receipts: &mut Value| {
        if let Some(status) = receipts.pointer_mut("/0/status") {
            *status = json!("0x0");
        }
    });
    let error = refusal(&world, "false_receipts", 10, 40).await;
    assert!(matches!(error, RecordError::L1(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_never_overwritten_but_an_unfinished_one_is_begun_anew() {
    let Some(world) = World::open(CHAIN) else {
        return;
    };
    let folder = Folder::new("overwritten");
    let unfinished = partial(&folder.0);
    fs::create_dir_all(&unfinished).unwrap();
    fs::write(unfinished.join("safe.jsonl.gz"), "what is left of a crash").unwrap();
    world.record(&folder, 10, Some(20)).await.unwrap();
    assert!(!unfinished.exists());
    assert!(folder.replay().all_match());
    let error = world.writer(&folder).unwrap_err();
    assert!(error.to_string().contains("is there already"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_fail_for_a_while_are_asked_again() {
    let Some(world) = World::open(CHAIN) else {
        return;
    };
    for fake in [&world.l1, &world.l2, &world.rollup] {
        fake.rules.lock().unwrap().instead = vec![(502, "", "bad gateway")];
    }
    let folder = Folder::new("flaky");
    world.record(&folder, 10, Some(20)).await.unwrap();
    assert!(folder.replay().all_match());
}
