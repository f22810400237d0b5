//! Random hostile L1 chains, and what Doppio derives from them, as JSON lines for the Go program
//! that derives them with op-node.
//!
//! `cases SEED COUNT` writes the chains of COUNT seeds from SEED on. `cases show SEED` prints one
//! trace, with attributes and reasons of drops. `cases drops SEED COUNT` counts the reasons for
//! which data was dropped: what the chains reach.

mod batcher;
mod engine;
mod events;
mod l1;
mod node;
mod random;
mod sequencer;
mod settings;

use alloy_consensus::{TxEip1559, TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, TxKind, U256, hex};
use batcher::{Batcher, Pool};
use doppio_protocol::{batch::SET_CODE_TX_TYPE, config::Fork};
use l1::{KEYS, L1, L1Tx, L2_CHAIN_ID};
use node::Node;
use random::Random;
use sequencer::Sequencer;
use serde_json::{Value, json};
use settings::Settings;
use std::{
    collections::{BTreeMap, HashSet},
    io::{BufWriter, Write},
    sync::Arc,
};

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let number = |index: usize, default| {
        arguments
            .get(index)
            .map_or(default, |text| text.parse().expect("a number"))
    };
    let pool = pool();
    let mut out = BufWriter::new(std::io::stdout().lock());
    match arguments.first().map(String::as_str) {
        Some("show") => {
            let (_, node) = run(&pool, number(1, 1), true);
            for line in node.trace {
                writeln!(out, "{line}").expect("standard output");
            }
        }
        Some("drops") => {
            let (seed, count): (u64, u64) = (number(1, 1), number(2, 100));
            let mut drops = BTreeMap::new();
            for seed in seed..seed + count {
                for (name, count) in run(&pool, seed, false).1.drops {
                    *drops.entry(name).or_insert(0) += count;
                }
            }
            for (name, count) in drops {
                writeln!(out, "{count:8} {name}").expect("standard output");
            }
        }
        _ => {
            let (seed, count): (u64, u64) = (number(0, 1), number(1, 100));
            for seed in seed..seed + count {
                let (json, _) = run(&pool, seed, false);
                writeln!(out, "{json}").expect("standard output");
            }
        }
    }
}

fn pool() -> Pool {
    let mut random = Random::new(0);
    let mut pool = Pool::default();
    for nonce in 0..60 {
        let transaction = l2_transaction(&mut random, nonce);
        if transaction.first() == Some(&SET_CODE_TX_TYPE) {
            pool.set_code.push(transaction);
        } else if pool.refused.len() < 3 {
            pool.refused.push(transaction);
        } else {
            pool.transactions.push(transaction);
        }
    }
    pool
}

/// A transaction of a random type; different numbers give different ones.
fn l2_transaction(random: &mut Random, nonce: u64) -> Bytes {
    let key = random.pick(&KEYS);
    let chain_id = L2_CHAIN_ID;
    let length = random.below(60);
    let input: Bytes = random.bytes(length).into();
    let to = if random.percent(15) {
        TxKind::Create
    } else {
        TxKind::Call(random.address())
    };
    let value = U256::from(random.next() >> random.below(64));
    let gas_limit = random.next() >> random.range(1, 50);
    let envelope = match random.below(5) {
        kind @ 0..=1 => key.sign(TxLegacy {
            chain_id: [Some(chain_id), None][kind],
            nonce,
            to,
            value,
            gas_limit,
            input,
            ..TxLegacy::default()
        }),
        2 => key.sign(TxEip2930 {
            chain_id,
            nonce,
            to,
            value,
            gas_limit,
            input,
            ..TxEip2930::default()
        }),
        3 => key.sign(TxEip7702 {
            chain_id,
            nonce,
            to: Address::repeat_byte(7),
            value,
            gas_limit,
            input,
            ..TxEip7702::default()
        }),
        _ => key.sign(TxEip1559 {
            chain_id,
            nonce,
            to,
            value,
            gas_limit,
            input,
            ..TxEip1559::default()
        }),
    };
    envelope.encoded_2718().into()
}

/// Makes the chain of a seed, and derives it meanwhile.
fn run(pool: &Pool, seed: u64, verbose: bool) -> (Value, Node) {
    let random = &mut Random::new(seed);
    let settings = Settings::random(random);
    let Settings {
        chain,
        hostility,
        resets,
        ..
    } = &settings;
    let mut l1 = L1::new(chain, settings.genesis_time);
    let refused: HashSet<_> = pool.refused.iter().cloned().collect();
    let mut node = Node::new(chain, Arc::new(refused), verbose);
    let mut sequencer = Sequencer::new(
        Arc::clone(chain),
        *node.pipeline.safe_head(),
        chain.rollup.genesis.system_config,
    );
    let mut batcher = Batcher::new(chain, *hostility, KEYS[0]);
    let mut script = vec![json!({ "head": 0 })];
    node.run(&l1);
    for _ in 0..settings.l1_blocks {
        if *resets && random.percent(6) {
            l1.reorganise(random.range(1, 5) as usize);
            go_on_from_derived(&mut sequencer, &node, &l1);
        }
        make_blocks(random, pool, &settings, &mut sequencer, &node, &l1);
        let transactions = l1_block(random, &settings, &mut sequencer, &mut batcher, &mut l1);
        let after = match random.below(6) {
            0 => random.range(1, settings.l1_block_time),
            1 => settings.l1_block_time * 2,
            _ => settings.l1_block_time,
        };
        l1.add(random, after, transactions);
        script.push(json!({ "head": l1.json.len() - 1 }));
        node.run(&l1);
        let at_head = node
            .pipeline
            .origin()
            .is_some_and(|origin| origin.hash == l1.head().header.hash);
        if *resets && at_head && !node.stopped && random.percent(8) {
            script.push(json!({ "restart": true }));
            node.trace.push("restart".to_owned());
            node.find_heads(&l1);
            node.run(&l1);
        }
        if node.stopped {
            break;
        }
        if random.percent(if lost(&sequencer, &node) { 50 } else { 2 }) {
            go_on_from_derived(&mut sequencer, &node, &l1);
        }
        if random.percent(30)
            && let Some(key) = KEYS
                .into_iter()
                .find(|key| key.address() == node.pipeline.system_config().batcher)
        {
            batcher.key = key;
        }
    }
    let blobs: serde_json::Map<_, _> = l1
        .blobs
        .iter()
        .map(|(hash, blob)| {
            let end = blob
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |n| n + 1);
            (hash.to_string(), hex::encode_prefixed(&blob[..end]).into())
        })
        .collect();
    let json = json!({
        "seed": seed,
        "config": chain.rollup.to_json(),
        "blocks": l1.json,
        "blobs": blobs,
        "script": script,
        "refused": pool.refused,
        "trace": node.trace,
        "derived": node.derived,
    });
    (json, node)
}

/// Whether the sequencer's blocks are not those that were derived.
fn lost(sequencer: &Sequencer, node: &Node) -> bool {
    let safe = node.pipeline.safe_head();
    let made = sequencer
        .made
        .iter()
        .rev()
        .find(|made| made.block.number <= safe.number);
    sequencer.head.number <= safe.number
        || made.is_some_and(|made| {
            let derived = node.engine.by_number(made.block.number);
            derived.is_some_and(|derived| derived.hash != made.block.hash)
        })
}

/// Lets the sequencer build on the newest derived block whose L1 origin is canonical.
fn go_on_from_derived(sequencer: &mut Sequencer, node: &Node, l1: &L1) {
    let mut head = Some(*node.pipeline.safe_head());
    while let Some(block) = head {
        let origin = l1.by_number(block.l1_origin.number);
        if origin.is_some_and(|origin| origin.header.hash == block.l1_origin.hash)
            && let Some(config) = node.engine.config(&block.hash)
        {
            sequencer.go_on_from(block, config);
            return;
        }
        head = node
            .engine
            .by_hash(&block.parent_hash)
            .and_then(|parent| node.engine.reference(parent));
    }
}

/// Lets the sequencer follow L1's time, not always with success.
fn make_blocks(
    random: &mut Random,
    pool: &Pool,
    settings: &Settings,
    sequencer: &mut Sequencer,
    node: &Node,
    l1: &L1,
) {
    let slack = random.pick(&[0, 0, 0, 12, 40]);
    let until = l1.head().header.timestamp + settings.l1_block_time + slack;
    let mut count = if random.percent(10) { 0 } else { 40 };
    while count > 0 && sequencer.head.timestamp + settings.chain.rollup.block_time <= until {
        count -= 1;
        let hostility = settings.hostility;
        let time = sequencer.head.timestamp + settings.chain.rollup.block_time;
        let isthmus = settings.chain.active(Fork::Isthmus, time);
        let transactions = pool.draw(random, isthmus, hostility, settings.refusals);
        let refused = |tx: &Bytes| node.engine.refused.contains(tx);
        if sequencer
            .make(random, l1, settings.laziness, transactions, refused)
            .is_none()
        {
            go_on_from_derived(sequencer, node, l1);
            return;
        }
    }
}

/// The transactions of the next L1 block.
fn l1_block(
    random: &mut Random,
    settings: &Settings,
    sequencer: &mut Sequencer,
    batcher: &mut Batcher,
    l1: &mut L1,
) -> Vec<L1Tx> {
    let mut transactions = if random.percent(80) {
        batcher.post(random, sequencer, l1)
    } else {
        Vec::new()
    };
    let mut logs = Vec::new();
    for _ in 0..random.weighted(&[5, 2, 1, 1]) {
        logs.push(events::deposit(random));
    }
    if random.percent(10) {
        logs.push(events::config_update(random, settings.hostility));
    }
    if random.permille(settings.hostility / 3) {
        logs.push(events::no_deposit(random));
    }
    while !logs.is_empty() {
        let some = random.range(1, logs.len() as u64) as usize;
        let mut transaction = L1Tx::with_logs(random, logs.drain(..some).collect());
        transaction.success = !random.percent(5);
        let at = random.below(transactions.len() + 1);
        transactions.insert(at, transaction);
    }
    transactions
}
