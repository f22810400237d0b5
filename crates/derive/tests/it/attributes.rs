//! From a batch to attributes (opstack 11 H; opstack 3.8).

use crate::support::*;
use alloy_primitives::{Address, B64, B256, Bytes, U256};
use doppio_derive::{
    CriticalReason, Epoch, EpochUpdates, PipelineError, ResetReason, build_attributes,
};
use doppio_protocol::{
    L2BlockRef,
    attributes::PayloadAttributes,
    config::{ChainConfig, Fork, ForkTimes, RollupConfig},
    deposit::{DepositLogError, DepositSource, DepositTx, encode_deposit_log},
    extra_data::Eip1559Params,
    l1::{L1Block, L1Header},
    l1_info::{L1BlockInfo, L1InfoLayout},
    system_config::{CONFIG_UPDATE, SystemConfig},
    upgrades,
};
use std::sync::Arc;

/// A block in the middle of an epoch.
fn parent(chain: &ChainConfig, time: u64) -> L2BlockRef {
    L2BlockRef {
        hash: B256::repeat_byte(0x77),
        number: 77,
        parent_hash: B256::repeat_byte(0x76),
        timestamp: time,
        l1_origin: chain.rollup.genesis.l1,
        sequence_number: 5,
    }
}

/// The parent's L1 origin, and the block after it with these transactions.
fn origins(
    chain: &Arc<ChainConfig>,
    transactions: impl IntoIterator<Item = L1Tx>,
) -> (L1Header, L1Block) {
    let mut l1 = L1::new(chain);
    let same = l1.blocks[0].header;
    l1.add(transactions);
    (same, l1.head().clone())
}

fn user_deposit(n: u8) -> DepositTx {
    DepositTx {
        source_hash: B256::ZERO,
        from: Address::repeat_byte(n),
        to: (n.is_multiple_of(2)).then(|| Address::repeat_byte(n + 1)),
        mint: U256::from(n),
        value: U256::from(1000),
        gas: 100_000,
        is_system: false,
        data: Bytes::from(vec![n; usize::from(n)]),
    }
}

/// What the deposit becomes on L2.
fn derived_deposit(n: u8, l1_block_hash: B256, log_index: u64) -> Bytes {
    DepositTx {
        source_hash: DepositSource::User {
            l1_block_hash,
            log_index,
        }
        .hash(),
        ..user_deposit(n)
    }
    .encode()
}

/// Attributes on a parent in the middle of an epoch: in the same one, or in the next.
fn build(
    chain: &Arc<ChainConfig>,
    time: u64,
    transactions: Option<Vec<L1Tx>>,
) -> Result<PayloadAttributes, PipelineError> {
    let config = chain.rollup.genesis.system_config;
    build_with(chain, &config, time, transactions)
}

fn build_with(
    chain: &Arc<ChainConfig>,
    config: &SystemConfig,
    time: u64,
    transactions: Option<Vec<L1Tx>>,
) -> Result<PayloadAttributes, PipelineError> {
    let parent = parent(chain, time);
    let next = transactions.is_some();
    let (same, block) = origins(chain, transactions.unwrap_or_default());
    let updates = EpochUpdates::of_block(chain, &block);
    let epoch = if next {
        Epoch::Next(&block.header, &updates)
    } else {
        Epoch::Same(&same)
    };
    build_attributes(chain, &parent, config, epoch).map(|built| built.attributes)
}

/// L2 time of a parent that may adopt the next L1 block.
const LATE: u64 = GENESIS_TIME + L1_BLOCK_TIME;

fn info(chain: &ChainConfig, attributes: &PayloadAttributes) -> L1BlockInfo {
    let deposit = DepositTx::decode(&attributes.deposits[0]).unwrap();
    let layout = L1InfoLayout::at(chain, attributes.timestamp);
    L1BlockInfo::decode(layout, &deposit.data).unwrap()
}

#[test]
fn same_origin_again() {
    let chain = chain(rollup(Fork::Jovian));
    let attributes = build(&chain, LATE, None).unwrap();
    let (origin, _) = origins(&chain, []);
    assert_eq!(attributes.timestamp, LATE + 2);
    assert_eq!(attributes.prev_randao, origin.mix_hash);
    assert_eq!(
        attributes.suggested_fee_recipient,
        "0x4200000000000000000000000000000000000011"
            .parse::<Address>()
            .unwrap()
    );
    assert_eq!(
        attributes.parent_beacon_block_root,
        origin.parent_beacon_block_root
    );
    assert!(attributes.no_tx_pool);
    assert_eq!(attributes.deposits.len(), 1);
    let info = info(&chain, &attributes);
    assert_eq!(info.sequence_number, 6);
    assert_eq!((info.number, info.block_hash), (100, origin.hash));
}

#[test]
fn next_origin_without_deposits() {
    let chain = chain(rollup(Fork::Jovian));
    let attributes = build(&chain, LATE, Some(Vec::new())).unwrap();
    assert_eq!(attributes.deposits.len(), 1);
    let info = info(&chain, &attributes);
    assert_eq!((info.sequence_number, info.number), (0, 101));
}

#[test]
fn next_origin_with_deposits_in_order_of_their_logs() {
    let chain = chain(rollup(Fork::Jovian));
    let deposit = |n| encode_deposit_log(PORTAL, &user_deposit(n));
    let other_topic = log(PORTAL, vec![B256::ZERO], Bytes::new());
    let elsewhere = encode_deposit_log(SYSTEM_CONFIG, &user_deposit(9));
    let transactions = vec![
        L1Tx::with_logs(vec![deposit(1), other_topic, deposit(2)]),
        L1Tx::with_logs(vec![deposit(3)]).reverted(),
        L1Tx::with_logs(vec![elsewhere, deposit(4)]),
    ];
    let (_, block) = origins(&chain, transactions.clone());
    let hash = block.header.hash;
    let attributes = build(&chain, LATE, Some(transactions)).unwrap();
    // the index counts all logs of the block, those that do not count too
    assert_eq!(
        attributes.deposits[1..],
        [
            derived_deposit(1, hash, 0),
            derived_deposit(2, hash, 2),
            derived_deposit(4, hash, 5),
        ]
    );
}

#[test]
fn a_malformed_deposit_stops_derivation() {
    let chain = chain(rollup(Fork::Jovian));
    let mut event = encode_deposit_log(PORTAL, &user_deposit(1));
    let mut topics = event.topics().to_vec();
    topics[3] = B256::with_last_byte(1);
    event.data.set_topics_unchecked(topics);
    let error = build(
        &chain,
        LATE,
        Some(vec![L1Tx::with_logs(vec![event.clone()])]),
    )
    .unwrap_err();
    assert!(matches!(
        error,
        PipelineError::Critical(CriticalReason::Deposit {
            log_index: 0,
            error: DepositLogError::Version,
            ..
        })
    ));
    // the pipeline says so when it comes to the epoch, not when it reads the block
    let mut l1 = L1::new(&chain);
    l1.add([L1Tx::with_logs(vec![event])]);
    let mut node = Node::new(&l1);
    node.run_to_end();
    node.l1.add_empty(25);
    assert!(matches!(
        node.run(),
        End::Failed(PipelineError::Critical(CriticalReason::Deposit { .. }))
    ));
    assert_eq!(node.pipeline.safe_head().l1_origin.number, 100);
}

#[test]
fn inconsistent_next_height_origin() {
    let chain = chain(rollup(Fork::Jovian));
    let (_, mut block) = origins(&chain, []);
    block.header.parent_hash = B256::repeat_byte(9);
    let updates = EpochUpdates::of_block(&chain, &block);
    let error = build_attributes(
        &chain,
        &parent(&chain, LATE),
        &chain.rollup.genesis.system_config,
        Epoch::Next(&block.header, &updates),
    )
    .unwrap_err();
    assert!(matches!(
        error,
        PipelineError::Reset(ResetReason::EpochMismatch { .. })
    ));
}

#[test]
fn inconsistent_equal_height_origin() {
    let chain = chain(rollup(Fork::Jovian));
    let (mut same, _) = origins(&chain, []);
    same.hash = B256::repeat_byte(9);
    let error = build_attributes(
        &chain,
        &parent(&chain, LATE),
        &chain.rollup.genesis.system_config,
        Epoch::Same(&same),
    )
    .unwrap_err();
    assert!(matches!(
        error,
        PipelineError::Reset(ResetReason::EpochMismatch { .. })
    ));
}

// kona: broken_time_invariant
#[test]
fn a_block_is_not_older_than_its_origin() {
    let chain = chain(rollup(Fork::Jovian));
    // the next L1 block is at +12; a block at +12 may adopt it, one at +10 may not
    assert!(build(&chain, GENESIS_TIME + 10, Some(Vec::new())).is_ok());
    let error = build(&chain, GENESIS_TIME + 8, Some(Vec::new())).unwrap_err();
    assert!(matches!(
        error,
        PipelineError::Reset(ResetReason::BeforeOrigin { l2_time, l1_time })
            if l2_time + 2 == l1_time
    ));
}

// kona: without_forks / canyon / ecotone / fjord field presence
#[test]
fn fields_appear_with_their_forks() {
    for fork in Fork::ALL.into_iter().filter(|fork| *fork < Fork::Lagoon) {
        let chain = chain(rollup(fork));
        let attributes = build(&chain, LATE, None).unwrap();
        assert_eq!(attributes.has_withdrawals, fork >= Fork::Canyon, "{fork}");
        assert_eq!(
            attributes.parent_beacon_block_root.is_some(),
            fork >= Fork::Ecotone,
            "{fork}"
        );
        assert_eq!(
            attributes.eip1559.is_some(),
            fork >= Fork::Holocene,
            "{fork}"
        );
        assert_eq!(
            attributes.min_base_fee.is_some(),
            fork >= Fork::Jovian,
            "{fork}"
        );
    }
}

#[test]
fn an_origin_without_a_beacon_root_gives_the_zero_root() {
    let chain = chain(rollup(Fork::Jovian));
    let (mut same, _) = origins(&chain, []);
    same.parent_beacon_block_root = None;
    let config = &chain.rollup.genesis.system_config;
    let built = build_attributes(&chain, &parent(&chain, LATE), config, Epoch::Same(&same));
    let attributes = built.unwrap().attributes;
    assert_eq!(attributes.parent_beacon_block_root, Some(B256::ZERO));
}

// holocene 1559 params; minimum base fee param
#[test]
fn fee_parameters_are_those_of_the_system_config() {
    let chain = chain(rollup(Fork::Jovian));
    let config = SystemConfig {
        eip1559_params: B64::from(0x0102_0304_0506_0708_u64.to_be_bytes()),
        min_base_fee: 1234,
        gas_limit: 7_000_000,
        ..chain.rollup.genesis.system_config
    };
    let attributes = build_with(&chain, &config, LATE, None).unwrap();
    assert_eq!(
        attributes.eip1559,
        Some(Eip1559Params {
            denominator: 0x0102_0304,
            elasticity: 0x0506_0708
        })
    );
    assert_eq!(attributes.min_base_fee, Some(1234));
    assert_eq!(attributes.gas_limit, 7_000_000);
}

/// An update of the system configuration.
fn update(kind: u64, payload: &[u8]) -> alloy_primitives::Log {
    let word = |n: u64| B256::from(U256::from(n));
    let data = [
        word(32).as_slice(),
        word(payload.len() as u64).as_slice(),
        payload,
    ]
    .concat();
    log(
        SYSTEM_CONFIG,
        vec![CONFIG_UPDATE, B256::ZERO, word(kind)],
        data,
    )
}

#[test]
fn updates_in_the_next_origin_hold_from_its_first_block_on() {
    let chain = chain(rollup(Fork::Jovian));
    let batcher = STRANGER.address().into_word();
    let transactions = vec![
        L1Tx::with_logs(vec![
            update(2, &B256::from(U256::from(5_000_000)).0),
            update(0, &batcher.0),
            update(6, &B256::from(U256::from(99)).0),
            // malformed: changes nothing here either
            update(2, &[0xff; 32]),
        ]),
        L1Tx::with_logs(vec![update(2, &B256::from(U256::from(1)).0)]).reverted(),
    ];
    let attributes = build(&chain, LATE, Some(transactions)).unwrap();
    assert_eq!(attributes.gas_limit, 5_000_000);
    assert_eq!(attributes.min_base_fee, Some(99));
    assert_eq!(info(&chain, &attributes).batcher, STRANGER.address());
    let before = build(&chain, LATE, None).unwrap();
    assert_eq!(before.gas_limit, 30_000_000);
    assert_eq!(info(&chain, &before).batcher, BATCHER.address());
}

#[test]
fn an_unknown_scalar_version_stops_derivation() {
    let chain = chain(rollup(Fork::Jovian));
    let config = SystemConfig {
        scalar: B256::repeat_byte(2),
        ..chain.rollup.genesis.system_config
    };
    assert!(matches!(
        build_with(&chain, &config, LATE, None),
        Err(PipelineError::Critical(CriticalReason::Scalar(_)))
    ));
}

// regolith: exactly; almost; inactive; L1 time before; way before; L2 after
#[test]
fn l1_info_changes_its_form_with_the_time_of_the_l2_block() {
    let with_regolith = |time: u64| {
        let mut rollup = rollup(Fork::Regolith);
        rollup.forks = ForkTimes {
            regolith: Some(time),
            ..ForkTimes::default()
        };
        chain(rollup)
    };
    for (activation, parent_time, regolith) in [
        (LATE, LATE - 2, true),
        (LATE, LATE - 3, false),
        (LATE + 100, LATE, false),
        (LATE, LATE + 1000, true),
    ] {
        let chain = with_regolith(activation);
        let attributes = build(&chain, parent_time, None).unwrap();
        let deposit = DepositTx::decode(&attributes.deposits[0]).unwrap();
        assert_eq!(deposit.is_system, !regolith);
        let gas = if regolith { 1_000_000 } else { 150_000_000 };
        assert_eq!(deposit.gas, gas);
    }
}

/// A chain on which `fork` comes after genesis.
fn activating(fork: Fork, time: u64, change: impl FnOnce(&mut RollupConfig)) -> Arc<ChainConfig> {
    let mut rollup = rollup(fork);
    rollup.forks.set(fork, Some(time));
    change(&mut rollup);
    chain(rollup)
}

// opstack 3.8 #4, opstack-2026-09 3.8 *1
#[test]
fn an_activation_block_holds_the_upgrade_after_the_deposits_and_none_other_does() {
    for (fork, count, gas) in [
        (Fork::Canyon, 0, 0),
        (Fork::Ecotone, 6, 0),
        (Fork::Fjord, 3, 0),
        (Fork::Granite, 0, 0),
        (Fork::Holocene, 0, 0),
        (Fork::Isthmus, 8, 0),
        (Fork::Jovian, 5, 0),
        (Fork::Karst, 31, 55_370_657),
    ] {
        let chain = activating(fork, LATE + 2, |_| {});
        let deposit = encode_deposit_log(PORTAL, &user_deposit(1));
        let deposits = || Some(vec![L1Tx::with_logs(vec![deposit.clone()])]);
        let at = |time| build(&chain, time, deposits()).unwrap();
        let upgrade = upgrades::upgrade(fork, chain.profile.isthmus_l1_block);
        assert_eq!(upgrade.transactions.len(), count, "{fork}");
        let activation = at(LATE);
        assert_eq!(activation.deposits.len(), 2 + count, "{fork}");
        assert_eq!(activation.deposits[2..], upgrade.transactions[..], "{fork}");
        assert_eq!(activation.gas_limit, 30_000_000 + gas, "{fork}");
        for other in [LATE - 2, LATE + 2] {
            let attributes = at(other);
            assert_eq!(attributes.deposits.len(), 2, "{fork}");
            assert_eq!(attributes.gas_limit, 30_000_000, "{fork}");
        }
    }
}

#[test]
fn a_fork_at_genesis_has_no_activation_block() {
    let chain = chain(rollup(Fork::Karst));
    let attributes = build(&chain, GENESIS_TIME, None).unwrap();
    assert_eq!(attributes.deposits.len(), 1);
}

#[test]
fn upgrades_of_one_block_come_oldest_fork_first() {
    let chain = activating(Fork::Karst, LATE + 2, |rollup| {
        rollup.forks.jovian = Some(LATE + 2);
        rollup.forks.isthmus = Some(LATE + 2);
    });
    let attributes = build(&chain, LATE, None).unwrap();
    let expected: Vec<Bytes> = [Fork::Isthmus, Fork::Jovian, Fork::Karst]
        .iter()
        .flat_map(|fork| {
            let upgrade = upgrades::upgrade(*fork, chain.profile.isthmus_l1_block);
            upgrade.transactions.clone()
        })
        .collect();
    assert_eq!(attributes.deposits[1..], expected[..]);
}

// opstack 0.3 *5 *6
#[test]
fn the_gas_of_karst_is_given_to_one_block_only() {
    for keep in [false, true] {
        let chain = activating(Fork::Karst, GENESIS_TIME + 4, |rollup| {
            rollup.keep_karst_upgrade_gas = keep;
        });
        let mut l1 = L1::new(&chain);
        let mut sequencer = Sequencer::new(&l1);
        let batches: Vec<_> = (0..4).map(|_| sequencer.block([])).collect();
        l1.add([L1Tx::inbox(singular_item(1, &batches))]);
        let mut node = Node::new(&l1);
        node.run_to_end();
        let limits: Vec<_> = node
            .derived
            .iter()
            .map(|derived| derived.attributes.gas_limit - 30_000_000)
            .collect();
        let rest = if keep { 55_370_657 } else { 0 };
        assert_eq!(limits, [0, 55_370_657, rest, rest], "{keep}");
    }
}

#[test]
fn the_blob_base_fee_is_the_origins_own() {
    let chain = chain(rollup(Fork::Jovian));
    let (mut same, _) = origins(&chain, []);
    let config = &chain.rollup.genesis.system_config;
    let mut fee = |excess| {
        same.excess_blob_gas = excess;
        let built = build_attributes(&chain, &parent(&chain, LATE), config, Epoch::Same(&same));
        built.unwrap().info.blob_base_fee
    };
    // BPO2's update fraction: e^(excess / 11,684,671)
    assert_eq!(fee(Some(0)), U256::from(1));
    assert_eq!(fee(Some(11_684_671 * 10)), U256::from(22_026));
    assert_eq!(fee(None), U256::from(1));
}

#[test]
fn the_da_footprint_scalar_is_400_where_nobody_set_it() {
    let chain = chain(rollup(Fork::Jovian));
    let scalar = |set| {
        let config = SystemConfig {
            da_footprint_gas_scalar: set,
            ..chain.rollup.genesis.system_config
        };
        let attributes = build_with(&chain, &config, LATE, None).unwrap();
        info(&chain, &attributes).da_footprint_gas_scalar
    };
    assert_eq!(scalar(0), 400);
    assert_eq!(scalar(7), 7);
}

#[test]
fn the_first_block_of_a_fork_has_the_older_l1_info() {
    for (fork, old, new) in [
        (Fork::Ecotone, L1InfoLayout::Bedrock, L1InfoLayout::Ecotone),
        (Fork::Isthmus, L1InfoLayout::Ecotone, L1InfoLayout::Isthmus),
        (Fork::Jovian, L1InfoLayout::Isthmus, L1InfoLayout::Jovian),
        (Fork::Karst, L1InfoLayout::Jovian, L1InfoLayout::Jovian),
    ] {
        let chain = activating(fork, LATE + 2, |_| {});
        let selector = |time| {
            let attributes = build(&chain, time, None).unwrap();
            let deposit = DepositTx::decode(&attributes.deposits[0]).unwrap();
            deposit.data[..4].to_vec()
        };
        assert_eq!(selector(LATE), old.selector(), "{fork}");
        assert_eq!(selector(LATE + 2), new.selector(), "{fork}");
    }
}

// opstack 3.8: deposits-only replacement; kona: as_deposits_{multi, none, only, no_txs}
#[test]
fn from_holocene_on_an_invalid_block_is_replaced_by_its_deposits() {
    let chain = chain(rollup(Fork::Holocene));
    let mut l1 = L1::new(&chain);
    l1.add_empty(1);
    let mut sequencer = Sequencer::new(&l1);
    let first = sequencer.block([l2_tx(1)]);
    let second = sequencer.block([l2_tx(2)]);
    l1.add([L1Tx::inbox(singular_item(1, &[first, second]))]);
    let mut node = Node::new(&l1);
    node.engine.refuses = Some(l2_tx(1));
    node.run_to_end();
    // the refused ones, their replacement, and nothing more of the channel
    assert_eq!(node.derived_transactions(), [vec![l2_tx(1)], vec![]]);
    assert_eq!(node.reason_names(), ["channel_flushed"]);
    assert_eq!(node.safe_number(), 1);
    let [refused, replacement] = node.derived.as_slice() else {
        panic!()
    };
    assert_eq!(replacement.attributes, refused.attributes.deposits_only());
    assert!(replacement.attributes.is_deposits_only());
    assert_eq!(replacement.parent, refused.parent);
}

#[test]
fn before_holocene_an_invalid_block_is_left_out_and_the_next_batch_tried() {
    let chain = chain(rollup(Fork::Granite));
    let mut l1 = L1::new(&chain);
    l1.add_empty(1);
    let mut sequencer = Sequencer::new(&l1);
    let refused = sequencer.block([l2_tx(1)]);
    let mut other = Sequencer::new(&l1);
    let good = other.block([l2_tx(2)]);
    l1.add([
        L1Tx::inbox(singular_item(1, &[refused])),
        L1Tx::inbox(singular_item(2, &[good])),
    ]);
    let mut node = Node::new(&l1);
    node.engine.refuses = Some(l2_tx(1));
    node.run_to_end();
    assert_eq!(
        node.derived_transactions(),
        [vec![l2_tx(1)], vec![l2_tx(2)]]
    );
    assert_eq!(node.pipeline.safe_head(), &other.head);
}

#[test]
fn before_holocene_an_invalid_block_takes_its_span_back() {
    let chain = chain(rollup(Fork::Granite));
    let mut l1 = L1::new(&chain);
    l1.add_empty(1);
    let mut sequencer = Sequencer::new(&l1);
    let batches: Vec<_> = (0..4).map(|n| sequencer.block([l2_tx(n)])).collect();
    l1.add([L1Tx::inbox(item(1, &[span(&chain, 100, &batches)]))]);
    let mut node = Node::new(&l1);
    node.engine.refuses = Some(l2_tx(2));
    node.run_to_end();
    // two blocks were derived and are pending no more
    assert_eq!(node.safe_number(), 0);
    assert_eq!(node.pipeline.pending_safe_head().number, 0);
    assert_eq!(node.derived.len(), 3);
}

#[test]
fn deposits_that_the_engine_refuses_stop_derivation() {
    let chain = chain(rollup(Fork::Holocene));
    let mut l1 = L1::new(&chain);
    l1.add_empty(25);
    let mut node = Node::new(&l1);
    // whatever the first block holds
    node.engine.refuses = {
        let mut probe = Node::new(&l1);
        probe.run_to_end();
        Some(probe.derived[0].attributes.deposits[0].clone())
    };
    assert!(matches!(
        node.run(),
        End::Failed(PipelineError::Critical(
            CriticalReason::DepositsOnlyInvalid(_)
        ))
    ));
}
