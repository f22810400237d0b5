//! Blocks of public chains, each with just those parts of the state that it touches.

use alloy_consensus::Header;
use alloy_primitives::{B64, B256, Bytes, U64, keccak256, map::HashMap};
use alloy_rlp::Decodable;
use doppio_engine::{
    Attributes, ChainSpec, ChainSpecError, Node, NodeSource, SourceError, StateSource, build_block,
    decode_node, import_block,
};
use doppio_protocol::config::{ChainOpConfig, ForkTimes, RollupConfig};
use doppio_test_vectors::Vectors;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::sync::Arc;

/// What a block's execution reads, by hash.
struct Preimages {
    by_hash: HashMap<B256, Bytes>,
    parent: Header,
}

impl Preimages {
    fn new(preimages: &Value, parent: &Header) -> Self {
        let preimages: Vec<Bytes> = read(preimages);
        let by_hash = preimages
            .into_iter()
            .map(|preimage| (keccak256(&preimage), preimage));
        Self {
            by_hash: by_hash.collect(),
            parent: parent.clone(),
        }
    }
}

impl NodeSource for Preimages {
    fn node(&self, hash: &B256, _: u64) -> Result<Option<Arc<Node>>, SourceError> {
        let Some(rlp) = self.by_hash.get(hash) else {
            return Ok(None);
        };
        let node = decode_node(*hash, rlp).map_err(|error| SourceError(error.to_string()))?;
        Ok(Some(Arc::new(node)))
    }
}

impl StateSource for Preimages {
    fn code(&self, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        Ok(self.by_hash.get(hash).cloned())
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, SourceError> {
        let mut header = self.parent.clone();
        while header.number > number + 1 {
            let Some(rlp) = self.by_hash.get(&header.parent_hash) else {
                return Ok(None);
            };
            header = Header::decode(&mut &rlp[..]).map_err(|e| SourceError(e.to_string()))?;
        }
        if header.number == number {
            return Ok(Some(header.hash_slow()));
        }
        Ok((header.number == number + 1).then_some(header.parent_hash))
    }

    fn is_witness(&self) -> bool {
        true
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    timestamp: U64,
    prev_randao: B256,
    suggested_fee_recipient: alloy_primitives::Address,
    parent_beacon_block_root: Option<B256>,
    transactions: Vec<Bytes>,
    gas_limit: U64,
    eip1559_params: Option<B64>,
    min_base_fee: Option<U64>,
}

fn read<T: DeserializeOwned>(json: &Value) -> T {
    T::deserialize(json).unwrap()
}

/// Makes the block of a fixture, and then imports what was made.
#[track_caller]
fn assert_block(spec: &ChainSpec, fixture: &Value) {
    let preimages = &fixture["preimages"];
    let fixture = &fixture["fixture"];
    let parent: Header = read(&fixture["parent_header"]);
    let source = Preimages::new(preimages, &parent);
    let parent = (&parent, parent.hash_slow());
    let payload: Payload = read(&fixture["executing_payload"]);
    let attributes = Attributes {
        timestamp: payload.timestamp.to(),
        fee_recipient: payload.suggested_fee_recipient,
        prev_randao: payload.prev_randao,
        gas_limit: payload.gas_limit.to(),
        parent_beacon_block_root: payload.parent_beacon_block_root,
        eip1559_params: payload.eip1559_params,
        min_base_fee: payload.min_base_fee.map(|fee| fee.to()),
    };
    let block = build_block(spec, &source, parent, &attributes, &payload.transactions).unwrap();
    let expected: B256 = read(&fixture["expected_block_hash"]);
    assert_eq!(block.hash, expected, "block {}", block.header.number);
    let transactions = &block.transactions;
    let imported = import_block(spec, &source, parent, &block.header, transactions).unwrap();
    assert_eq!(imported.hash, expected);
}

/// A block of OP Sepolia; what the chain is comes from its rollup.json.
#[track_caller]
fn assert_op_sepolia(number: u64) {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let rollup: RollupConfig = read(&vectors.json("configs/op-sepolia.rollup.json"));
    let spec = ChainSpec::from_rollup(&rollup).unwrap();
    let fixture = vectors.json(format!("kona-executor/block-{number}.json.gz"));
    assert_block(&spec, &fixture);
}

macro_rules! op_sepolia {
    ($($test:ident: $number:literal;)*) => {
        $(
            #[test]
            fn $test() {
                assert_op_sepolia($number);
            }
        )*
    };
}

op_sepolia! {
    op_sepolia_26207960: 26_207_960;
    op_sepolia_26207961: 26_207_961;
    op_sepolia_26207962: 26_207_962;
    op_sepolia_26207963: 26_207_963;
    op_sepolia_26208384: 26_208_384;
    op_sepolia_26208858: 26_208_858;
    op_sepolia_26208927: 26_208_927;
    op_sepolia_26211680: 26_211_680;
}

/// A block of a Celo chain that holds deposits only, which Celo's EVM executes as any other: the
/// activation of Jovian, with its upgrade transactions.
#[test]
fn jovian_activation_of_celo_sepolia() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let fixture = vectors.json("celo-executor/block-celo-sepolia-20465049.json.gz");
    let rollup = &fixture["fixture"]["rollup_config"];
    let forks: ForkTimes = read(rollup);
    let params: ChainOpConfig = read(&rollup["chain_op_config"]);
    let spec = ChainSpec::new(11_142_220, forks, &params).unwrap();
    assert_block(&spec, &fixture);
}

#[test]
fn a_missing_preimage_is_not_the_blocks_fault() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let rollup: RollupConfig = read(&vectors.json("configs/op-sepolia.rollup.json"));
    let spec = ChainSpec::from_rollup(&rollup).unwrap();
    let fixture = vectors.json("kona-executor/block-26207960.json.gz");
    let parent: Header = read(&fixture["fixture"]["parent_header"]);
    let payload: Payload = read(&fixture["fixture"]["executing_payload"]);
    let mut source = Preimages::new(&fixture["preimages"], &parent);
    // an account that the block reads: the root's own node
    assert!(source.by_hash.remove(&parent.state_root).is_some());
    let attributes = Attributes {
        timestamp: payload.timestamp.to(),
        fee_recipient: payload.suggested_fee_recipient,
        prev_randao: payload.prev_randao,
        gas_limit: payload.gas_limit.to(),
        parent_beacon_block_root: payload.parent_beacon_block_root,
        eip1559_params: payload.eip1559_params,
        min_base_fee: None,
    };
    let parent = (&parent, parent.hash_slow());
    let error = build_block(&spec, &source, parent, &attributes, &payload.transactions);
    let error = error.unwrap_err();
    assert!(!error.is_invalid_block(), "{error}");
    assert!(error.to_string().contains("missing"), "{error}");
}

#[test]
fn celo_chains_are_refused_by_name() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    for (name, id) in [("celo-mainnet", 42_220), ("celo-sepolia", 11_142_220)] {
        let rollup: RollupConfig = read(&vectors.json(format!("configs/{name}.rollup.json")));
        let error = ChainSpec::from_rollup(&rollup).unwrap_err();
        assert_eq!(error, ChainSpecError::Celo(id));
        assert!(error.to_string().contains("Celo's own execution client"));
    }
}
