//! Recorded chains, block by block.

use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes};
use doppio_engine::Genesis;
use doppio_protocol::l2::L2Block;
use doppio_test_vectors::Vectors;
use serde_json::Value;

/// A block as op-geth made it.
#[derive(Clone, Debug)]
pub(crate) struct RecordedBlock {
    pub(crate) hash: B256,
    pub(crate) header: Header,
    pub(crate) transactions: Vec<Bytes>,
    /// On some blocks.
    pub(crate) output_root: Option<B256>,
}

/// A recorded chain.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) genesis: Genesis,
    /// From block 1 on.
    pub(crate) blocks: Vec<RecordedBlock>,
}

impl Chain {
    /// Opens a chain; none, and said loudly, without the vectors.
    pub(crate) fn open(name: &str) -> Option<Self> {
        let vectors = Vectors::find("recorded")?;
        let alloc = vectors.text("alloc-901.json.gz");
        let genesis = vectors.text(format!("{name}/genesis.json"));
        let genesis = Genesis::parse(&genesis, Some(&alloc)).unwrap();
        let text = vectors.text(format!("{name}/l2.jsonl.gz"));
        let mut blocks: Vec<_> = text.lines().map(read_block).collect();
        assert_eq!(blocks.remove(0).hash, genesis.hash, "{name}: genesis");
        Some(Self { genesis, blocks })
    }
}

fn read_block(line: &str) -> RecordedBlock {
    let line: Value = serde_json::from_str(line).unwrap();
    let raw: Bytes = line["raw"].as_str().unwrap().parse().unwrap();
    let block = L2Block::decode(&raw).unwrap();
    assert_eq!(line["hash"], block.hash.to_string());
    RecordedBlock {
        hash: block.hash,
        header: block.header,
        transactions: block.transactions,
        output_root: line["output_root"]
            .as_str()
            .map(|root| root.parse().unwrap()),
    }
}
