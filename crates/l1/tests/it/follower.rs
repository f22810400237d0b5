//! The chain read onwards: in few requests, within its bytes, through reorganisations.

use crate::fake::{Chain, Fake, RUNTIME, Rules, shown, source};
use alloy_consensus::Header;
use alloy_primitives::B256;
use doppio_l1::{Follower, FollowerOptions, L1Error, L1Event, L1Options, Reorg};
use doppio_protocol::block::BlockId;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

fn id(chain: &Chain, number: usize) -> BlockId {
    BlockId {
        hash: chain.hash(number),
        number: number as u64,
    }
}

fn follower(fakes: &[&Arc<Fake>], start: usize, change: impl FnOnce(&mut L1Options)) -> Follower {
    let start = id(&fakes[0].chain, start);
    Follower::new(source(fakes, change), start, FollowerOptions::default())
}

fn next(follower: &mut Follower) -> L1Event {
    RUNTIME.block_on(follower.next()).unwrap()
}

/// Reads blocks until there is no further one.
fn read_all(follower: &mut Follower) -> Vec<String> {
    let mut blocks = Vec::new();
    loop {
        match next(follower) {
            L1Event::Block(block) => blocks.push(shown(&block)),
            L1Event::AtHead => return blocks,
            L1Event::Reorg(reorg) => panic!("{reorg:?}"),
        }
    }
}

fn expected(chain: &Chain, from: usize) -> Vec<String> {
    let blocks = chain.expected();
    let blocks = blocks
        .iter()
        .filter(|block| block.header.number >= from as u64);
    blocks.map(shown).collect()
}

/// Blocks in place of recorded ones, from a height to another: empty, on top of each other.
fn fork(chain: &Chain, from: usize, to: usize, salt: u8) -> HashMap<usize, Value> {
    let mut parent = chain.hash(from - 1);
    let mut blocks = HashMap::new();
    for number in from..=to {
        let json = chain.blocks[number.min(chain.blocks.len() - 1)]["block"].clone();
        let mut header: Header = serde_json::from_value(json).unwrap();
        header.number = number as u64;
        header.parent_hash = parent;
        header.extra_data = vec![salt].into();
        header.transactions_root = alloy_consensus::constants::EMPTY_ROOT_HASH;
        header.receipts_root = alloy_consensus::constants::EMPTY_ROOT_HASH;
        header.withdrawals_root = Some(alloy_consensus::constants::EMPTY_ROOT_HASH);
        parent = header.hash_slow();
        let mut block = serde_json::to_value(&header).unwrap();
        block["hash"] = json!(parent);
        block["transactions"] = json!([]);
        block["withdrawals"] = json!([]);
        blocks.insert(number, json!({ "block": block, "receipts": [] }));
    }
    blocks
}

fn hash(entry: &Value) -> B256 {
    entry["block"]["hash"].as_str().unwrap().parse().unwrap()
}

#[test]
fn catching_up_takes_the_fewest_requests_that_batches_allow() {
    for name in ["expired-windows", "blobs-span-brotli-jovian"] {
        let Some(chain) = Chain::open(name) else {
            return;
        };
        let fake = Fake::start(&chain, Rules::default());
        let start = usize::try_from(chain.expected()[0].header.number).unwrap();
        let mut follower = follower(&[&fake], start, |_| ());
        assert_eq!(read_all(&mut follower), expected(&chain, start + 1));
        let blocks = chain.blocks.len() - 1 - start;
        // Batches of 20 calls, of which a block takes two; and the head at start and end.
        let fewest = blocks.div_ceil(10) + 2;
        assert!(blocks > 100);
        // blobs are fetched meanwhile: they take requests of their own, and once
        let of_blobs = fake.asked("/eth/v1/");
        assert_eq!(fake.requests() - of_blobs, fewest);
    }
}

#[test]
fn catching_up_is_much_faster_than_asking_one_by_one() {
    let Some(chain) = Chain::open("expired-windows") else {
        return;
    };
    let rules = || Rules {
        delay: Duration::from_millis(50),
        ..Rules::default()
    };
    let start = usize::try_from(chain.expected()[0].header.number).unwrap();
    let fake = Fake::start(&chain, rules());
    let begin = Instant::now();
    let mut ahead = follower(&[&fake], start, |_| ());
    let blocks = read_all(&mut ahead).len();
    let time = begin.elapsed();
    // One request for each block and one for its receipts would take this long on the wire alone.
    let one_by_one = Duration::from_millis(100) * u32::try_from(blocks).unwrap();
    assert!(time * 10 < one_by_one, "{time:?} against {one_by_one:?}");
}

#[test]
fn what_is_fetched_ahead_stays_within_its_bytes() {
    let Some(chain) = Chain::open("expired-windows") else {
        return;
    };
    let start = usize::try_from(chain.expected()[0].header.number).unwrap();
    let read = |bytes: usize| {
        // who never waits for the network has no reason to fetch further ahead
        let rules = Rules {
            delay: Duration::from_millis(20),
            ..Rules::default()
        };
        let fake = Fake::start(&chain, rules);
        let mut follower = follower(&[&fake], start, |options| {
            options.prefetch_bytes = bytes;
            // Otherwise a first batch is as long as it may be.
            options.max_batch = 4;
        });
        let mut most = 0;
        for read in 1..=100 {
            assert!(matches!(next(&mut follower), L1Event::Block(_)));
            std::thread::sleep(Duration::from_millis(2));
            let fetched = fake.asked("eth_getBlockByNumber") - 1;
            most = most.max(fetched.saturating_sub(read));
        }
        most
    };
    // A block takes about 21 kB of JSON here, taken for 1 MiB until it is known better.
    let (little, much) = (read(60_000), read(64 << 20));
    assert!(little <= 8, "{little}");
    assert!(much > 12, "{much}");
}

/// The window is adaptive: requests are sent ahead for a reader who waits for the network, and not for
/// one who is busy with what it has.
#[test]
fn more_requests_are_sent_at_a_time_only_while_the_network_is_what_is_waited_for() {
    let Some(chain) = Chain::open("expired-windows") else {
        return;
    };
    let start = usize::try_from(chain.expected()[0].header.number).unwrap();
    let at_once = |blocks: usize, delay: u64, pause: u64, most: usize| {
        let rules = Rules {
            delay: Duration::from_millis(delay),
            ..Rules::default()
        };
        let fake = Fake::start(&chain, rules);
        let mut follower = follower(&[&fake], start, |options| {
            options.max_batch = 4;
            options.max_concurrency = most;
        });
        for _ in 0..blocks {
            assert!(matches!(next(&mut follower), L1Event::Block(_)));
            std::thread::sleep(Duration::from_millis(pause));
        }
        fake.most_at_once()
    };
    let quick = at_once(80, 60, 0, 10);
    assert!((6..=10).contains(&quick), "{quick}");
    let bounded = at_once(80, 60, 0, 3);
    assert_eq!(bounded, 3);
    // two blocks come with a request, and their reader takes ten times as long as the next one
    let busy = at_once(30, 10, 50, 10);
    assert!(busy <= 4, "{busy}");
}

#[test]
fn endpoints_without_batches_and_with_short_answers_are_followed_too() {
    let Some(chain) = Chain::open("altda-span-brotli") else {
        return;
    };
    let start = usize::try_from(chain.expected()[0].header.number).unwrap();
    let all = expected(&chain, start + 1);
    for rules in [
        Rules {
            max_batch: Some(1),
            ..Rules::default()
        },
        Rules {
            max_batch: Some(7),
            ..Rules::default()
        },
        Rules {
            max_answer: Some(100_000),
            ..Rules::default()
        },
        Rules {
            missing: ["eth_getBlockReceipts"].into(),
            ..Rules::default()
        },
    ] {
        let fake = Fake::start(&chain, rules);
        let mut follower = follower(&[&fake], start, |_| ());
        assert_eq!(read_all(&mut follower), all);
        // What was refused for its length is the only thing that is asked for again.
        assert!(fake.asked("eth_getBlockByNumber") < 2 * all.len());
    }
}

#[test]
fn a_reorganisation_is_told_with_its_fork_point_at_every_depth() {
    let Some(chain) = Chain::open("hostile-inbox") else {
        return;
    };
    for depth in [1, 2, 7, 8, 9, 33, 64] {
        let tip = 150;
        let fake = Fake::start(
            &chain,
            Rules {
                head: Some(tip),
                ..Rules::default()
            },
        );
        let mut follower = follower(&[&fake], 60, |_| ());
        read_all(&mut follower);
        assert_eq!(follower.tip(), id(&chain, tip));
        // The new chain is one block longer.
        let fork = fork(&chain, tip - depth + 1, tip + 1, 1);
        let hashes: Vec<B256> = (tip - depth + 1..=tip + 1)
            .map(|number| hash(&fork[&number]))
            .collect();
        {
            let mut rules = fake.rules.lock().unwrap();
            rules.fork = fork;
            rules.head = Some(tip + 1);
        }
        let L1Event::Reorg(reorg) = next(&mut follower) else {
            panic!("{depth}");
        };
        let expected = Reorg {
            old: id(&chain, tip),
            common: id(&chain, tip - depth),
        };
        assert_eq!((reorg, reorg.depth()), (expected, depth as u64));
        for hash in hashes {
            let L1Event::Block(block) = next(&mut follower) else {
                panic!("{depth}");
            };
            assert_eq!(block.header.hash, hash);
        }
        assert!(matches!(next(&mut follower), L1Event::AtHead));
    }
}

#[test]
fn a_head_that_is_replaced_is_noticed_before_the_next_block_comes() {
    let Some(chain) = Chain::open("hostile-inbox") else {
        return;
    };
    for head in [100, 98] {
        let fake = Fake::start(
            &chain,
            Rules {
                head: Some(100),
                ..Rules::default()
            },
        );
        let mut follower = follower(&[&fake], 60, |_| ());
        read_all(&mut follower);
        {
            let mut rules = fake.rules.lock().unwrap();
            rules.fork = fork(&chain, 98, 100, 2);
            rules.head = Some(head);
        }
        let L1Event::Reorg(reorg) = next(&mut follower) else {
            panic!("{head}");
        };
        assert_eq!(reorg.common, id(&chain, 97));
    }
}

#[test]
fn an_endpoint_that_lags_is_no_reorganisation() {
    let Some(chain) = Chain::open("hostile-inbox") else {
        return;
    };
    let fake = Fake::start(
        &chain,
        Rules {
            head: Some(100),
            ..Rules::default()
        },
    );
    let mut follower = follower(&[&fake], 60, |_| ());
    read_all(&mut follower);
    fake.rules.lock().unwrap().head = Some(95);
    assert!(matches!(next(&mut follower), L1Event::AtHead));
    fake.rules.lock().unwrap().head = Some(101);
    let L1Event::Block(block) = next(&mut follower) else {
        panic!()
    };
    assert_eq!(block.header.id(), id(&chain, 101));
}

#[test]
fn a_reorganisation_below_what_is_remembered_is_an_error() {
    let Some(chain) = Chain::open("hostile-inbox") else {
        return;
    };
    let fake = Fake::start(
        &chain,
        Rules {
            head: Some(100),
            ..Rules::default()
        },
    );
    let options = FollowerOptions {
        remembered: 5,
        ..FollowerOptions::default()
    };
    let mut follower = Follower::new(source(&[&fake], |_| ()), id(&chain, 60), options);
    read_all(&mut follower);
    fake.rules.lock().unwrap().fork = fork(&chain, 90, 100, 3);
    let error = RUNTIME.block_on(follower.next()).unwrap_err();
    let L1Error::ReorgTooDeep { oldest } = error else {
        panic!("{error}")
    };
    assert_eq!(oldest, id(&chain, 96));
    // Whoever finds a new start goes on from there.
    follower.reset(id(&chain, 89));
    let L1Event::Block(block) = next(&mut follower) else {
        panic!()
    };
    assert_eq!(block.header.number, 90);
}

#[test]
fn a_reorganisation_while_catching_up_is_told_too() {
    let Some(chain) = Chain::open("hostile-inbox") else {
        return;
    };
    let fake = Fake::start(&chain, Rules::default());
    let mut follower = follower(&[&fake], 60, |options| {
        options.max_concurrency = 1;
        options.max_batch = 8;
    });
    for _ in 0..10 {
        assert!(matches!(next(&mut follower), L1Event::Block(_)));
    }
    let tip = usize::try_from(follower.tip().number).unwrap();
    let last = chain.blocks.len() - 1;
    fake.rules.lock().unwrap().fork = fork(&chain, tip - 2, last, 4);
    let mut reorgs = Vec::new();
    loop {
        match next(&mut follower) {
            L1Event::Block(_) => {}
            L1Event::Reorg(reorg) => reorgs.push(reorg),
            L1Event::AtHead => break,
        }
    }
    assert_eq!(reorgs.len(), 1);
    assert_eq!(reorgs[0].common, id(&chain, tip - 3));
    let rules = fake.rules.lock().unwrap();
    assert_eq!(follower.tip().hash, hash(&rules.fork[&last]));
}

#[test]
fn endpoints_that_contradict_each_other_are_an_error_and_no_reorganisation() {
    let Some(chain) = Chain::open("hostile-inbox") else {
        return;
    };
    // Blocks 101 on do not extend the block 100 that the same endpoint says is canonical.
    let mut odd = fork(&chain, 100, 120, 5);
    odd.remove(&100);
    let fake = Fake::start(
        &chain,
        Rules {
            fork: odd,
            ..Rules::default()
        },
    );
    let mut follower = follower(&[&fake], 100, |_| ());
    let error = RUNTIME.block_on(follower.next()).unwrap_err();
    assert!(matches!(error, L1Error::Disagreement { .. }), "{error}");
    fake.rules.lock().unwrap().fork.clear();
    assert!(matches!(next(&mut follower), L1Event::Block(_)));
}

#[test]
fn confirmations_keep_the_distance_to_the_head() {
    let Some(chain) = Chain::open("hostile-inbox") else {
        return;
    };
    let fake = Fake::start(&chain, Rules::default());
    let options = FollowerOptions {
        confirmations: 15,
        ..FollowerOptions::default()
    };
    let mut follower = Follower::new(source(&[&fake], |_| ()), id(&chain, 60), options);
    read_all(&mut follower);
    assert_eq!(follower.tip(), id(&chain, chain.blocks.len() - 1 - 15));
}

#[test]
fn an_outage_loses_nothing() {
    let Some(chain) = Chain::open("hostile-inbox") else {
        return;
    };
    let fake = Fake::start(&chain, Rules::default());
    let mut follower = follower(&[&fake], 100, |options| {
        options.max_batch = 4;
        options.max_concurrency = 2;
    });
    let mut blocks = Vec::new();
    let mut errors = 0;
    loop {
        if blocks.len() % 40 == 20 && errors < 3 {
            fake.rules.lock().unwrap().instead = vec![(500, "", "")];
        }
        match RUNTIME.block_on(follower.next()) {
            Ok(L1Event::Block(block)) => blocks.push(shown(&block)),
            Ok(L1Event::AtHead) => break,
            Ok(L1Event::Reorg(reorg)) => panic!("{reorg:?}"),
            Err(_) => errors += 1,
        }
    }
    assert!(errors > 0);
    assert_eq!(blocks, expected(&chain, 101));
}
