//! Real blocks of OP Sepolia and of Celo: their transactions, L1 info, headers and system
//! configurations, through every codec.

use crate::common::{bytes_of, hash_of, number_of, vectors};
use alloy_consensus::{Header, TxEnvelope};
use alloy_eips::eip2718::{Decodable2718, Encodable2718};
use alloy_primitives::{B256, Bytes, hex, keccak256};
use alloy_rlp::Decodable;
use doppio_protocol::{
    batch::{Batch, SingularBatch, SpanBatchWriter, SpanCursor, SpanParams, SpanWriteError},
    config::{ChainConfig, ChainProfile, Fork, Overrides, RollupConfig},
    deposit::{DEPOSIT_TX_TYPE, DepositTx},
    extra_data::HeaderParams,
    l1_info::{L1BlockInfo, L1InfoLayout},
    l2::{L2Block, L2BlockError},
    system_config::SystemConfig,
    upgrades::upgrades_at,
};
use doppio_test_vectors::Vectors;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

struct Fixture {
    name: String,
    chain: ChainConfig,
    parent: Header,
    time: u64,
    transactions: Vec<Bytes>,
    payload: Value,
    block_hash: B256,
}

fn fixtures(vectors: &Vectors) -> Vec<Fixture> {
    let folders = ["kona-executor", "celo-executor"];
    let names = folders.iter().flat_map(|folder| {
        let names = vectors
            .list(folder)
            .into_iter()
            .filter(|name| name.ends_with(".gz"));
        names.map(move |name| format!("{folder}/{name}"))
    });
    names.map(|name| read(vectors, name)).collect()
}

fn read(vectors: &Vectors, name: String) -> Fixture {
    let json = &vectors.json(&name)["fixture"];
    let mut rollup = json["rollup_config"].clone();
    // kona names chains that it knows, and takes Regolith for active where Canyon is
    let id = match rollup["l2_chain_id"].as_str() {
        Some("celo") => json!(42220),
        Some("celo-sepolia") => json!(11142220),
        Some(other) => panic!("{name}: chain {other}"),
        None => rollup["l2_chain_id"].clone(),
    };
    rollup["l2_chain_id"] = id;
    if rollup.get("regolith_time").is_none_or(Value::is_null) {
        rollup["regolith_time"] = json!(0);
    }
    let rollup = RollupConfig::parse(&rollup.to_string(), false)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let chain = ChainConfig::new(rollup.config, Overrides::default()).unwrap();
    let payload = json["executing_payload"].clone();
    Fixture {
        parent: serde_json::from_value(json["parent_header"].clone()).unwrap(),
        time: number_of(&payload["timestamp"]),
        transactions: payload["transactions"]
            .as_array()
            .unwrap()
            .iter()
            .map(bytes_of)
            .collect(),
        block_hash: hash_of(&json["expected_block_hash"]),
        name,
        chain,
        payload,
    }
}

fn info(fixture: &Fixture) -> L1BlockInfo {
    let deposit = DepositTx::decode(&fixture.transactions[0]).unwrap();
    L1BlockInfo::decode(
        L1InfoLayout::at(&fixture.chain, fixture.time),
        &deposit.data,
    )
    .unwrap()
}

/// A transaction's own EIP-2718 type, 0xff for legacy.
fn tx_type(tx: &Bytes) -> u8 {
    tx.first()
        .copied()
        .filter(|byte| *byte < 0x80)
        .unwrap_or(0xff)
}

#[test]
fn konas_configurations_choose_the_right_profile() {
    let Some(vectors) = vectors() else { return };
    for fixture in fixtures(&vectors) {
        let expected = if fixture.name.starts_with("celo") {
            ChainProfile::celo()
        } else {
            ChainProfile::upstream()
        };
        assert_eq!(fixture.chain.profile, expected, "{}", fixture.name);
    }
}

#[test]
fn every_transaction_is_known_to_another_codec_or_to_ours() {
    let Some(vectors) = vectors() else { return };
    let mut types = BTreeMap::new();
    for fixture in fixtures(&vectors) {
        for tx in &fixture.transactions {
            let tx_type = tx_type(tx);
            match tx_type {
                DEPOSIT_TX_TYPE => {
                    assert_eq!(DepositTx::decode(tx).unwrap().encode(), *tx);
                }
                0x7b => {}
                _ => {
                    let envelope = TxEnvelope::decode_2718_exact(tx).unwrap();
                    assert_eq!(envelope.encoded_2718(), *tx);
                }
            }
            *types.entry(tx_type).or_insert(0) += 1;
        }
    }
    let seen: Vec<u8> = types.keys().copied().collect();
    assert_eq!(seen, [0x01, 0x02, 0x7b, 0x7e, 0xff], "{types:?}");
}

#[test]
fn the_l1_info_of_each_block_is_built_again() {
    let Some(vectors) = vectors() else { return };
    for fixture in fixtures(&vectors) {
        let deposit = info(&fixture).deposit(&fixture.chain, fixture.time);
        assert_eq!(
            deposit.encode(),
            fixture.transactions[0],
            "{}",
            fixture.name
        );
    }
}

#[test]
fn the_extra_data_of_each_parent_is_read_and_written_back() {
    let Some(vectors) = vectors() else { return };
    for fixture in fixtures(&vectors) {
        let (chain, parent) = (&fixture.chain, &fixture.parent);
        let params = HeaderParams::decode(chain, parent.timestamp, &parent.extra_data).unwrap();
        assert_eq!(
            params.encode(chain, parent.timestamp),
            parent.extra_data,
            "{}",
            fixture.name
        );
        let sent = fixture.payload["eip1559Params"].as_str().map(str::to_owned);
        if chain.active(Fork::Holocene, parent.timestamp) {
            // what a block had in effect is what the next one is given
            assert_eq!(
                sent,
                Some(params.eip1559.packed().to_string()),
                "{}",
                fixture.name
            );
        }
        if chain.active(Fork::Jovian, parent.timestamp) {
            assert_eq!(fixture.payload["minBaseFee"], json!(params.min_base_fee));
        }
    }
}

/// The transactions of each block, as a batch of either kind would bring them, byte for byte.
#[test]
fn the_transactions_of_each_block_pass_through_both_kinds_of_batch() {
    let Some(vectors) = vectors() else { return };
    let mut carried = 0;
    for fixture in fixtures(&vectors) {
        let params = SpanParams::of_chain(&fixture.chain);
        let info = info(&fixture);
        let mut of_users: Vec<&Bytes> = fixture
            .transactions
            .iter()
            .filter(|tx| tx_type(tx) != DEPOSIT_TX_TYPE)
            .collect();
        let mut batch = SingularBatch {
            parent_hash: fixture.parent.hash_slow(),
            epoch_num: info.number,
            epoch_hash: info.block_hash,
            timestamp: fixture.time,
            transactions: of_users.iter().copied().collect(),
        };
        let decoded = Batch::decode(&batch.encode().into());
        assert_eq!(
            decoded,
            Ok(Batch::Singular(batch.clone())),
            "{}",
            fixture.name
        );

        let mut writer = SpanBatchWriter::new(params);
        if fixture.name.contains("53619115") {
            // A real transaction of Celo mainnet that names Alfajores' chain id. A span batch holds
            // no chain ids, so it cannot bring this one.
            let (timestamp, index) = (fixture.time, 0);
            let refused = writer.push(&batch, info.sequence_number);
            assert_eq!(refused, Err(SpanWriteError::ChainId { timestamp, index }));
            of_users.remove(0);
            batch.transactions = of_users.iter().copied().collect();
        }
        writer
            .push(&batch, info.sequence_number)
            .unwrap_or_else(|error| {
                panic!("{}: {error}", fixture.name);
            });
        let encoded = Bytes::from(writer.encode().unwrap());
        let Ok(Batch::Span(span)) = Batch::decode(&encoded) else {
            panic!("{}", fixture.name)
        };
        assert_eq!(span.first_origin_bit(), info.sequence_number == 0);
        assert!(span.matches_parent(&batch.parent_hash));
        assert!(span.matches_l1_origin(&info.block_hash));
        span.check_transactions(&params).unwrap();
        let block = SpanCursor::new(Arc::new(span), params)
            .next_block()
            .unwrap()
            .unwrap();
        assert_eq!(
            (block.timestamp, block.epoch_num),
            (fixture.time, info.number)
        );
        let read: Vec<Bytes> = block.transactions.iter().collect();
        assert!(read.iter().eq(of_users.iter().copied()), "{}", fixture.name);
        carried += read.len();
    }
    assert!(carried > 200, "{carried} transactions");
}

#[test]
fn a_celo_transaction_is_refused_by_the_upstream_profile_only() {
    let Some(vectors) = vectors() else { return };
    let celo = read(
        &vectors,
        "celo-executor/block-celo-49847887.json.gz".to_owned(),
    );
    let of_celo = celo
        .transactions
        .iter()
        .find(|tx| tx_type(tx) == 0x7b)
        .unwrap();
    let params = SpanParams::of_chain(&celo.chain);
    assert!(params.celo_dynamic_fee_v2 && !params.post_exec);
    let batch = SingularBatch {
        timestamp: celo.time,
        transactions: [of_celo].into_iter().collect(),
        ..SingularBatch::default()
    };
    let push = |params| SpanBatchWriter::new(params).push(&batch, 0);
    assert_eq!(push(params), Ok(()));
    assert!(
        push(SpanParams {
            celo_dynamic_fee_v2: false,
            ..params
        })
        .is_err()
    );
}

#[test]
fn the_system_configuration_of_a_block_is_what_its_child_was_built_with() {
    let Some(vectors) = vectors() else { return };
    // a mini chain: four blocks, the parents of the last three are the blocks before
    let numbers: Vec<u64> = (26_207_960..=26_207_963).collect();
    let blocks: Vec<Fixture> = numbers
        .iter()
        .map(|number| read(&vectors, format!("kona-executor/block-{number}.json.gz")))
        .collect();
    for pair in blocks.windows(2) {
        let (block, child) = (&pair[0], &pair[1]);
        let header = &child.parent;
        assert_eq!(header.hash_slow(), block.block_hash);
        let raw = encode_block(header, &block.transactions);
        let decoded = L2Block::decode(&raw).unwrap();
        assert_eq!(decoded.hash, block.block_hash);
        assert_eq!(decoded.header, *header);
        assert_eq!(decoded.transactions, block.transactions);
        let config = decoded.system_config(&block.chain).unwrap();
        let (info, next) = (info(block), info(child));
        assert_eq!(config.batcher, next.batcher);
        let scalars = config.ecotone_scalars().unwrap();
        assert_eq!(scalars.base_fee, next.base_fee_scalar);
        assert_eq!(scalars.blob_base_fee, next.blob_base_fee_scalar);
        assert_eq!(config.gas_limit, number_of(&child.payload["gasLimit"]));
        assert_eq!(json!(config.eip1559_params), child.payload["eip1559Params"]);
        let reference = decoded.block_ref(&block.chain).unwrap();
        assert_eq!(
            (reference.number, reference.timestamp),
            (header.number, block.time)
        );
        assert_eq!(reference.parent_hash, block.parent.hash_slow());
        assert_eq!(reference.l1_origin.hash, info.block_hash);
        assert_eq!(reference.sequence_number, info.sequence_number);
    }
}

/// The RLP of a whole block: header, transactions (legacy ones as lists), no uncles.
fn encode_block(header: &Header, transactions: &[Bytes]) -> Bytes {
    use crate::common::{list, string};
    let header = alloy_rlp::encode(header);
    let transactions: Vec<Vec<u8>> = transactions
        .iter()
        .map(|tx| {
            if tx_type(tx) == 0xff {
                tx.to_vec()
            } else {
                string(tx)
            }
        })
        .collect();
    let transactions: Vec<&[u8]> = transactions.iter().map(Vec::as_slice).collect();
    list(&[&header, &list(&transactions), &[0xc0]]).into()
}

/// Celo Sepolia 20465049: five upgrade transactions behind the L1 info, which still has the old
/// layout.
#[test]
fn the_jovian_activation_block_of_celo_sepolia_holds_our_upgrade_transactions() {
    let Some(vectors) = vectors() else { return };
    let block = read(
        &vectors,
        "celo-executor/block-celo-sepolia-20465049.json.gz".to_owned(),
    );
    assert!(block.chain.is_activation_block(Fork::Jovian, block.time));
    assert_eq!(
        L1InfoLayout::at(&block.chain, block.time),
        L1InfoLayout::Isthmus
    );
    let due: Vec<&Bytes> = upgrades_at(&block.chain, block.time)
        .flat_map(|upgrade| &upgrade.transactions)
        .collect();
    assert_eq!(due.len(), 5);
    assert!(block.transactions[1..].iter().eq(due));
}

/// The headers of eight OP Sepolia blocks, their parents' hashes, and the L1 info beside them.
#[test]
fn real_op_sepolia_headers_hash_to_their_hashes() {
    let Some(vectors) = vectors() else { return };
    let json = vectors.json("outputs/op_sepolia_real_blocks.json");
    let fixture = read(&vectors, "kona-executor/block-26207960.json.gz".to_owned());
    let mut expected_parent = None;
    for block in json.as_array().unwrap() {
        let rlp = bytes_of(&block["parent_header_rlp"]);
        let header = Header::decode(&mut rlp.as_ref()).unwrap();
        assert_eq!(keccak256(&rlp), hash_of(&block["parent_hash"]));
        assert_eq!(header.hash_slow(), hash_of(&block["parent_hash"]));
        let number = number_of(&block["l2_block"]);
        assert_eq!(header.number + 1, number);
        if let Some((parent, hash)) = expected_parent {
            assert!(number != parent + 1 || hash_of(&block["parent_hash"]) == hash);
        }
        expected_parent = Some((number, hash_of(&block["l2_block_hash"])));
        let raw = bytes_of(&block["l1_info_tx"]);
        let deposit = DepositTx::decode(&raw).unwrap();
        assert_eq!(deposit.source_hash, hash_of(&block["l1_info_source_hash"]));
        let time = number_of(&block["timestamp"]);
        let layout = L1InfoLayout::at(&fixture.chain, time);
        let info = L1BlockInfo::decode(layout, &deposit.data).unwrap();
        let expected = &block["l1_info"];
        assert_eq!(info.number, number_of(&expected["l1_number"]));
        assert_eq!(
            u64::from(info.base_fee_scalar),
            number_of(&expected["base_fee_scalar"])
        );
        assert_eq!(info.batcher.into_word(), hash_of(&expected["batcher_hash"]));
        assert_eq!(info.deposit(&fixture.chain, time).encode(), raw);
    }
}

// L2 blocks that are not what derivation can build on

#[test]
fn malformed_l2_blocks_are_refused() {
    let Some(vectors) = vectors() else { return };
    let child = read(&vectors, "kona-executor/block-26207961.json.gz".to_owned());
    let block = read(&vectors, "kona-executor/block-26207960.json.gz".to_owned());
    let raw = encode_block(&child.parent, &block.transactions);
    for end in (0..raw.len()).step_by(97) {
        assert!(matches!(
            L2Block::decode(&raw.slice(..end)),
            Err(L2BlockError::Rlp(_))
        ));
    }
    let system_config = |transactions: &[Bytes], change: fn(&mut Header)| {
        let mut header = child.parent.clone();
        change(&mut header);
        L2Block::decode(&encode_block(&header, transactions))
            .unwrap()
            .system_config(&block.chain)
    };
    assert!(system_config(&block.transactions, |_| {}).is_ok());
    assert!(matches!(
        system_config(&[], |_| {}),
        Err(L2BlockError::NoL1Info(_))
    ));
    let user = &block.transactions[1..];
    assert!(matches!(
        system_config(user, |_| {}),
        Err(L2BlockError::Deposit(_))
    ));
    let isthmus = |header: &mut Header| header.timestamp = 1_744_905_602;
    assert!(matches!(
        system_config(&block.transactions, isthmus),
        Err(L2BlockError::L1Info(_))
    ));
    let no_extra = |header: &mut Header| header.extra_data = Bytes::new();
    assert!(matches!(
        system_config(&block.transactions, no_extra),
        Err(L2BlockError::SystemConfig(_))
    ));
    let at_genesis = |header: &mut Header| header.number = 0;
    assert!(matches!(
        system_config(&block.transactions, at_genesis),
        Err(L2BlockError::WrongGenesis { number: 0, .. })
    ));
}

#[test]
fn the_genesis_block_has_the_configured_system_configuration_and_origin() {
    let genesis = Header {
        number: 20,
        ..Header::default()
    };
    let raw = encode_block(&genesis, &[]);
    let block = L2Block::decode(&raw).unwrap();
    let chain = crate::common::chain_with(|rollup| rollup.genesis.l2.hash = block.hash);
    assert_eq!(
        block.system_config(&chain),
        Ok(chain.rollup.genesis.system_config)
    );
    assert_ne!(chain.rollup.genesis.system_config, SystemConfig::default());
    let reference = block.block_ref(&chain).unwrap();
    assert_eq!(
        (reference.l1_origin, reference.sequence_number),
        (chain.rollup.genesis.l1, 0)
    );
    assert_eq!(hex::encode(block.hash), hex::encode(genesis.hash_slow()));
}
