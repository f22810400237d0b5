//! `kill -9` while the node derives: it goes on where it was, and the chain is that of a node that never
//! died.

use crate::{process::say, recorded::Recorded};
use alloy_primitives::keccak256;
use doppio_test_chain::{Fake, Rules};
use std::{collections::BTreeSet, thread::sleep, time::Duration};

/// How often the node dies.
const DEATHS: u64 = 12;
const HEADS: [&str; 3] = ["unsafe_l2", "safe_l2", "finalized_l2"];

/// Heights of blocks that the node said it derived, in a log.
fn derived(log: &str) -> Vec<u64> {
    let said = [
        "a block was derived",
        "the derived block is the one that was there",
    ];
    log.lines()
        .filter(|line| said.iter().any(|words| line.contains(words)))
        .map(|line| {
            let (_, height) = line.rsplit_once(':').unwrap();
            let digits = height.trim();
            digits.parse().unwrap_or_else(|_| panic!("{line}"))
        })
        .collect()
}

/// Lets a node derive a chain, and kills it at moments that follow from a seed. All that it derived must
/// still be there, but for a block at most.
///
/// Not for `hostile-inbox`: a batch there comes before its time and is dropped for good, but fits for
/// whoever begins just before it, op-node included (`recorded`: `mid_chain.rs`).
fn survive(chain: &str) {
    let Some(recorded) = Recorded::open(chain, &format!("kills-{chain}")) else {
        return;
    };
    let l1 = Fake::start(&recorded.chain, Rules::default());
    let mut command = recorded.command("data", &[&l1.url], &[&l1.url]);
    command.args(["--log.level", "info,doppio_node_service=debug"]);
    command.arg("--safedb.path").arg(recorded.path("safedb"));
    let mut node = recorded.start("node", command);
    let (last, _) = recorded.last();
    let mut deaths_on_the_way = BTreeSet::new();
    for round in 0..DEATHS {
        // Alive until the heads are found, and then for some blocks: how fast they come is the machine's
        // affair. Now and then it has no time to derive any.
        recorded.reach(&mut node, "unsafe_l2", 0);
        let begin = node.head("safe_l2").unwrap();
        let blocks = u64::from(keccak256(round.to_be_bytes())[0]) % (last / DEATHS);
        while node.head("safe_l2").unwrap() < last.min(begin + blocks) {
            node.process.assert_running();
            sleep(Duration::from_millis(2));
        }
        let before = node.heads(HEADS).unwrap();
        let [unsafe_head, safe, finalized] = before;
        assert!(finalized <= safe && safe <= unsafe_head, "{before:?}");
        if safe < last {
            deaths_on_the_way.insert(safe);
        }
        let said = node.process.log().len();
        node.process.kill_and_restart();
        recorded.reach(&mut node, "unsafe_l2", 0);
        let after = node.heads(HEADS).unwrap();
        assert!(after[2] >= finalized, "{before:?}, then {after:?}");
        // what was derived last becomes durable with the next block
        assert!(after[0] + 1 >= unsafe_head, "{before:?}, then {after:?}");
        let log = node.process.log();
        let again = derived(&log[said..]).into_iter().min();
        assert!(
            again.is_none_or(|height| height > finalized),
            "block {again:?} was derived again, and {finalized} was final"
        );
    }
    recorded.assert_derived(&mut node);
    // and the safe heads by L1 block are still op-node's, wherever they are known
    let mut known = 0;
    for line in recorded.chain.safe() {
        let number = line["l1"].as_u64().unwrap();
        let asked = serde_json::json!([crate::rpc::quantity(number)]);
        let Ok(found) = node.rpc.try_call("optimism_safeHeadAtL1Block", asked) else {
            continue;
        };
        assert_eq!(found["safeHead"], line["safe"], "after L1 block {number}");
        known += 1;
    }
    assert!(known > 50, "{known}");
    say(&format!(
        "killed on the way at safe heads {deaths_on_the_way:?} of {last}"
    ));
    assert!(deaths_on_the_way.len() > 3, "{deaths_on_the_way:?}");
}

/// What is final is never derived again, no head goes back, and the chain is op-node's.
#[test]
fn a_node_that_is_killed_while_it_derives_goes_on_where_it_was() {
    survive("calldata-singular-zlib");
}

/// Through all forks, from Regolith to Jovian.
#[test]
fn a_node_that_is_killed_while_forks_activate_goes_on_where_it_was() {
    survive("all-forks-calldata");
}
