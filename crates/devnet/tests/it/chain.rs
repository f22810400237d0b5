//! The files of an L2 chain.

use crate::support::{folder, on_demand};
use doppio_devnet::{ChainOptions, ForkSchedule, L2_CHAIN_IDS, Programs, ROLLUP_START, Supersim};
use doppio_engine::Genesis;
use doppio_protocol::config::{BlobSchedule, Fork, L1Fork, RollupConfig};
use doppio_test_vectors::Vectors;
use std::fs;

#[test]
fn supersim_has_the_state_that_the_recorded_chains_began_with() {
    let Some(vectors) = Vectors::find("recorded") else {
        return;
    };
    let supersim = Supersim::open(&Programs::find().unwrap().supersim).unwrap();
    let genesis = supersim.genesis(901).unwrap();
    assert_eq!(genesis["alloc"], vectors.json("alloc-901.json.gz"));
}

#[tokio::test]
async fn files_say_what_l1_and_the_engine_say() {
    let l1 = on_demand().await;
    let folder = folder("files");
    let options = ChainOptions {
        forks: ForkSchedule::default().with(Fork::Jovian, Some(36)),
        block_time: 2,
        max_sequencer_drift: 77,
        seq_window_size: 11,
        channel_timeout: 12,
        ..ChainOptions::default()
    };
    let chain = l1.chain(&folder, options).await.unwrap();

    let text = fs::read_to_string(&chain.rollup_path).unwrap();
    let parsed = RollupConfig::parse(&text, false).unwrap();
    assert_eq!((&parsed.config, parsed.warnings.len()), (chain.rollup(), 0));
    let rollup = parsed.config;
    assert_eq!(rollup.check(), Ok(()));
    let numbers = [
        rollup.block_time,
        rollup.max_sequencer_drift,
        rollup.seq_window_size,
        rollup.channel_timeout,
    ];
    assert_eq!(numbers, [2, 77, 11, 12]);

    let begin = l1.rpc().block(ROLLUP_START).await.unwrap();
    assert_eq!(
        (rollup.genesis.l1, rollup.genesis.l2_time),
        (begin.id(), begin.timestamp)
    );
    assert_eq!(rollup.forks.isthmus, Some(0));
    assert_eq!(rollup.forks.jovian, Some(begin.timestamp + 36));
    assert_eq!(rollup.forks.karst, None);

    // as `doppio engine --genesis` reads it
    let text = fs::read_to_string(&chain.genesis_path).unwrap();
    let genesis = Genesis::parse(&text, None).unwrap();
    assert_eq!(genesis.hash, rollup.genesis.l2.hash);
    assert_eq!(genesis.header.timestamp, begin.timestamp);
    assert_eq!(genesis.spec.forks, rollup.forks);

    let text = fs::read_to_string(&chain.l1_config_path).unwrap();
    let schedule = BlobSchedule::from_l1_chain_config(&text).unwrap();
    assert_eq!(schedule, chain.config.l1_blob_schedule);
    let last = schedule.steps().last().unwrap();
    assert_eq!(
        (last.fork, last.time, last.update_fraction),
        (L1Fork::Bpo2, 0, 11_684_671)
    );
    assert_eq!(fs::read_to_string(&chain.jwt_path).unwrap().len(), 64);

    // what op-node's rollup.json had, which op-deployer made
    if let Some(vectors) = Vectors::find("recorded") {
        let recorded = vectors.text("calldata-singular-zlib/rollup.json");
        let recorded = RollupConfig::parse(&recorded, false).unwrap().config;
        assert_eq!(rollup.genesis.system_config, recorded.genesis.system_config);
        assert_eq!(rollup.batch_inbox_address, recorded.batch_inbox_address);
        assert_eq!(
            rollup.deposit_contract_address,
            recorded.deposit_contract_address
        );
        assert_eq!(
            rollup.l1_system_config_address,
            recorded.l1_system_config_address
        );
        assert_eq!(rollup.chain_op_config, recorded.chain_op_config);
    }
}

#[tokio::test]
async fn a_chain_that_begins_before_ecotone_has_scalars_of_that_time() {
    let l1 = on_demand().await;
    let options = ChainOptions {
        forks: ForkSchedule::at_genesis(Fork::Regolith).with(Fork::Canyon, Some(20)),
        ..ChainOptions::default()
    };
    let chain = l1.chain(&folder("early"), options).await.unwrap();
    let Some(vectors) = Vectors::find("recorded") else {
        return;
    };
    let recorded = vectors.text("all-forks-calldata/rollup.json");
    let recorded = RollupConfig::parse(&recorded, false).unwrap().config;
    let found = chain.rollup().genesis.system_config;
    assert_eq!(found, recorded.genesis.system_config);
}

#[tokio::test]
async fn there_are_five_chains_with_contracts_of_their_own() {
    let l1 = on_demand().await;
    let mut portals = Vec::new();
    for chain_id in L2_CHAIN_IDS {
        let options = ChainOptions {
            chain_id,
            ..ChainOptions::default()
        };
        let folder = folder(&format!("chain-{chain_id}"));
        let chain = l1.chain(&folder, options).await.unwrap();
        let rollup = chain.rollup();
        assert_eq!(
            (rollup.l2_chain_id, chain.genesis.spec.chain_id),
            (chain_id, chain_id)
        );
        assert_eq!(
            rollup.genesis.system_config.batcher,
            chain.keys.batcher.address
        );
        let code = l1.code(chain.contracts.optimism_portal).await.unwrap();
        assert!(!code.is_empty());
        portals.push(chain.contracts.optimism_portal);
    }
    portals.sort_unstable();
    portals.dedup();
    assert_eq!(portals.len(), 5);
}
