//! Live: op-node and op-batcher, unchanged, on `doppio engine`, with op-geth beside it.
//!
//! The tests want a folder of other people's programs, named by `DOPPIO_PEERS`, with
//!
//! | file | from |
//! |---|---|
//! | `op-node`, `op-batcher` | Go module `github.com/ethereum-optimism/optimism` v1.19.6: `go build` of `./op-node/cmd` and `./op-batcher/cmd` in a copy of the module. The module lacks `op-core/superchain/superchain-configs.zip`: take `superchain/superchain-configs.zip` of op-geth's module, and write its SHA-256 into the `.sha256` file beside it |
//! | `op-geth` | Go module `github.com/ethereum-optimism/op-geth` v1.101702.3 (or its rc.7): `go build ./cmd/geth` |
//!
//! and L1 as all tests have it (`doppio-devnet`, with npm's packages).
//!
//! Where one is missing, the tests say so on stderr and end. Nothing of it is part of this
//! repository. A test takes about a minute, and at most five. It leaves no process behind, unless it
//! is killed itself, and its logs only if it fails.

mod compare;
mod l1;
mod l2;
mod peers;
#[allow(dead_code, reason = "each program of tests uses a part of it")]
#[path = "../support/process.rs"]
mod process;
#[path = "../support/rpc.rs"]
mod rpc;
mod users;

use compare::DEPOSIT;
use l2::{BatcherKind, EngineKind, Net, NodeKind, Plan};
use peers::Peers;
use std::sync::{Mutex, PoisonError};
use users::Users;

/// Blocks that must be the same.
const BLOCKS: u64 = 200;

/// Times of the forks, in seconds after the first block: Regolith, Canyon, Delta, Ecotone, Fjord,
/// Granite, Holocene, Isthmus, Jovian.
const ALL_FORKS: &[u64] = &[0, 20, 30, 44, 66, 81, 100, 121, 151];
/// The contracts of the first block know nothing of Jovian: its upgrade transactions must run.
const JOVIAN_SOON: &[u64] = &[0, 0, 0, 0, 0, 0, 0, 0, 10];
/// The same, and Karst in the middle.
const KARST_TOO: &[u64] = &[0, 0, 0, 0, 0, 0, 0, 0, 10, 100];

/// One test at a time: each has seven processes.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs a chain to block [`BLOCKS`] and compares; `meanwhile` happens while it grows.
fn run(plan: &Plan, meanwhile: impl FnOnce(&mut Net)) -> Option<Net> {
    let peers = Peers::find()?;
    let mut net = Net::start(&peers, plan);
    let users = Users::start(net.engines[0].rpc);
    meanwhile(&mut net);
    net.wait_for(0, "unsafe_l2", BLOCKS);
    net.wait_for(0, "safe_l2", BLOCKS);
    net.wait_for(1, "safe_l2", BLOCKS);
    net.wait_for(1, "finalized_l2", 1);
    let transactions = compare::assert_same_chain(&net, BLOCKS);
    let (deposits, failed) = transactions.get(&DEPOSIT).copied().unwrap_or_default();
    // each block has one from the node itself
    assert!(deposits > BLOCKS && failed > 0);
    if users.is_some() {
        // legacy, with an access list, EIP-1559, EIP-7702
        for kind in [0, 1, 2, 4] {
            assert!(
                transactions.contains_key(&kind),
                "no transaction of type {kind}"
            );
        }
    }
    Some(net)
}

#[test]
fn op_geth_derives_what_op_node_sequences_on_doppio() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = Plan {
        name: "doppio-sequences",
        forks: ALL_FORKS,
        blobs: false,
        behind: 140,
        engines: [EngineKind::Doppio, EngineKind::OpGeth],
        nodes: [NodeKind::OpNode; 2],
        batcher: BatcherKind::OpBatcher,
    };
    if let Some(net) = run(&plan, |_| {}) {
        compare::assert_no_complaints(&net);
    }
}

#[test]
fn doppio_derives_what_op_node_sequences_on_op_geth() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = Plan {
        name: "op-geth-sequences",
        forks: JOVIAN_SOON,
        blobs: true,
        behind: 140,
        engines: [EngineKind::OpGeth, EngineKind::Doppio],
        nodes: [NodeKind::OpNode; 2],
        batcher: BatcherKind::OpBatcher,
    };
    if let Some(net) = run(&plan, |_| {}) {
        compare::assert_no_complaints(&net);
        // what op-node and op-geth say is a recording that Doppio derives alike, from within the
        // chain on
        net.assert_recording_replays(1, 0, 120, BLOCKS);
    }
}

/// op-geth has no Karst: the engines are both ours, and it is op-node that must be content.
#[test]
fn op_node_takes_doppio_through_karst() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = Plan {
        name: "karst",
        forks: KARST_TOO,
        blobs: true,
        behind: 180,
        engines: [EngineKind::Doppio, EngineKind::Doppio],
        nodes: [NodeKind::OpNode; 2],
        batcher: BatcherKind::OpBatcher,
    };
    if let Some(net) = run(&plan, |_| {}) {
        compare::assert_no_complaints(&net);
    }
}

/// What the rollup node says while its engine is away is not looked at.
#[test]
fn an_engine_that_is_killed_comes_back_and_op_node_goes_on() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = Plan {
        name: "doppio-is-killed",
        forks: JOVIAN_SOON,
        blobs: true,
        behind: 180,
        engines: [EngineKind::Doppio, EngineKind::OpGeth],
        nodes: [NodeKind::OpNode; 2],
        batcher: BatcherKind::OpBatcher,
    };
    run(&plan, |net| {
        for height in [20, 80, 140, 185] {
            net.wait_for(0, "unsafe_l2", height);
            net.kill_and_restart_engine();
        }
    });
}

#[test]
fn doppio_follows_what_op_node_and_op_batcher_make() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = Plan {
        name: "doppio-node-follows",
        forks: ALL_FORKS,
        blobs: false,
        behind: 140,
        engines: [EngineKind::OpGeth, EngineKind::OpGeth],
        nodes: [NodeKind::OpNode, NodeKind::Doppio],
        batcher: BatcherKind::OpBatcher,
    };
    if let Some(net) = run(&plan, |_| {}) {
        // through all forks, from what Doppio's node says
        net.assert_recording_replays(1, 1, 0, BLOCKS);
    }
}

#[test]
fn op_node_follows_what_doppio_sequences() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = Plan {
        name: "doppio-node-sequences",
        forks: ALL_FORKS,
        blobs: false,
        behind: 140,
        engines: [EngineKind::OpGeth, EngineKind::OpGeth],
        nodes: [NodeKind::Doppio, NodeKind::OpNode],
        batcher: BatcherKind::OpBatcher,
    };
    if let Some(net) = run(&plan, |_| {}) {
        compare::assert_no_complaints(&net);
    }
}

/// `RestartOpGeth` of op-node's end-to-end tests: op-geth keeps its newest blocks in memory, so a killed
/// one comes back with an old head. Our node finds that out and goes on, and what others derive is one
/// chain.
#[test]
fn doppio_goes_on_with_an_op_geth_that_was_killed_and_has_lost_blocks() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = Plan {
        name: "op-geth-is-killed",
        forks: JOVIAN_SOON,
        blobs: true,
        behind: 140,
        engines: [EngineKind::OpGeth, EngineKind::OpGeth],
        nodes: [NodeKind::Doppio, NodeKind::Doppio],
        batcher: BatcherKind::OpBatcher,
    };
    run(&plan, |net| {
        let mut lost = 0;
        for (engine, height) in [(0, 40), (1, 60), (0, 120), (1, 150)] {
            net.wait_for(engine, "unsafe_l2", height);
            lost += net.kill_op_geth(engine);
        }
        assert!(lost > 0, "op-geth kept everything: nothing was tested");
    });
}

/// op-geth and op-node on both sides: nothing of ours but the batcher, at its defaults.
#[test]
fn op_node_and_op_geth_follow_what_our_batcher_posts() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, forks, blobs) in [
        ("doppio-batcher-calldata", ALL_FORKS, false),
        ("doppio-batcher-blobs", JOVIAN_SOON, true),
    ] {
        let plan = Plan {
            name,
            forks,
            blobs,
            behind: 140,
            engines: [EngineKind::OpGeth, EngineKind::OpGeth],
            nodes: [NodeKind::OpNode; 2],
            batcher: BatcherKind::Doppio,
        };
        if let Some(net) = run(&plan, |_| {}) {
            compare::assert_no_complaints(&net);
        }
    }
}
