//! Whether both sides have the same chain, and were content.

use crate::{
    l2::{Net, NodeKind},
    process::say,
    rpc::{number, quantity},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What op-node says of itself, whatever the engine, and how often at most; each was seen with
/// op-geth as well.
const HARMLESS: [(&str, usize); 5] = [
    // a flag's default
    (
        "syncmode.offset-el-safe is ineffective unless --syncmode=execution-layer; ignoring configured value",
        1,
    ),
    // how it starts; a second time there would be a reason
    ("Deriver system is resetting", 1),
    ("Sequencer encountered reset signal, aborting work", 1),
    // while its sequencer is behind, it wants a second block on a head that has one already. The
    // engine is not asked
    ("dropping stale sequencer build start", usize::MAX),
    (
        "Engine rejected stale build attempt, waiting for next head update",
        usize::MAX,
    ),
];

/// Transactions by type, and how many of them failed.
pub(crate) type Transactions = BTreeMap<u64, (u64, u64)>;

/// The type of deposits.
pub(crate) const DEPOSIT: u64 = 0x7e;

/// Every block with its transactions, every receipt, and every output, from the first block to
/// block `last`, are the same on both sides.
pub(crate) fn assert_same_chain(net: &Net, last: u64) -> Transactions {
    let mut transactions = Transactions::new();
    for height in 0..=last {
        let height = quantity(height);
        let same = |method, params: Value| {
            let [one, other] = net
                .engines
                .each_ref()
                .map(|engine| engine.rpc.call(method, params.clone()));
            assert_eq!(one, other, "{method} {height}");
            one
        };
        let block = same("eth_getBlockByNumber", json!([height, true]));
        let receipts = same("eth_getBlockReceipts", json!([height]));
        let lists = [&block["transactions"], &receipts].map(Value::as_array);
        assert_eq!(lists[0].map(Vec::len), lists[1].map(Vec::len), "{height}");
        for receipt in lists[1].into_iter().flatten() {
            let (all, failed) = transactions.entry(number(&receipt["type"])).or_default();
            *all += 1;
            *failed += u64::from(receipt["status"] == "0x0");
        }
        let [one, other] = net.nodes.each_ref().map(|node| {
            let mut output = node.rpc.call("optimism_outputAtBlock", json!([height]));
            // where the node itself is by now
            output["syncStatus"] = Value::Null;
            output
        });
        assert_eq!(one, other, "optimism_outputAtBlock {height}");
        assert_eq!(one["blockRef"]["hash"], block["hash"], "{height}");
        assert_eq!(one["stateRoot"], block["stateRoot"], "{height}");
    }
    say(&format!(
        "blocks 0 to {last} are the same, and their outputs"
    ));
    for (kind, (all, failed)) in &transactions {
        say(&format!(
            "  type {kind:#x}: {all} transactions, {failed} of them failed"
        ));
    }
    transactions
}

/// No op-node complained of anything that has to do with its engine.
pub(crate) fn assert_no_complaints(net: &Net) {
    let op_nodes = net
        .nodes
        .iter()
        .filter(|node| node.kind == NodeKind::OpNode);
    for node in op_nodes {
        let mut complaints = node.complaints();
        for (message, times) in &complaints {
            say(&format!(
                "  {} op-node, {times} times: {message}",
                node.name
            ));
        }
        for (message, most) in HARMLESS {
            if complaints.get(message).is_some_and(|times| *times <= most) {
                complaints.remove(message);
            }
        }
        assert!(
            complaints.is_empty(),
            "the {}'s op-node complained: {complaints:#?}",
            node.name,
        );
    }
}
