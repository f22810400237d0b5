//! Chains that op-geth executed: every hash is its hash.

use crate::chain::Chain;
use doppio_engine::{MemoryStore, import_block};

/// Executes a chain from its genesis on.
#[track_caller]
fn assert_executed(name: &str) {
    let Some(chain) = Chain::open(name) else {
        return;
    };
    let genesis = &chain.genesis;
    let mut store = MemoryStore::with_genesis(genesis).unwrap();
    let mut parent = (genesis.header.clone(), genesis.hash);
    let mut roots = 0;
    for block in &chain.blocks {
        let (header, hash) = (&block.header, block.hash);
        let parent_block = (&parent.0, parent.1);
        let imported = import_block(
            &genesis.spec,
            &store,
            parent_block,
            header,
            &block.transactions,
        )
        .unwrap_or_else(|error| panic!("{name}, block {}: {error}", header.number));
        assert_eq!(imported.hash, hash);
        if let Some(root) = block.output_root {
            assert_eq!(imported.output_root(), root);
            roots += 1;
        }
        store.add(&imported.executed.state).unwrap();
        store.set_block_hash(header.number, hash);
        parent = (imported.header, hash);
    }
    assert!(chain.blocks.len() > 100 && roots > 10, "{name}");
}

macro_rules! chains {
    ($($test:ident: $chain:literal;)*) => {
        $(
            #[test]
            fn $test() {
                assert_executed($chain);
            }
        )*
    };
}

chains! {
    calldata_singular_zlib: "calldata-singular-zlib";
    blobs_span_brotli_jovian: "blobs-span-brotli-jovian";
    altda_span_brotli: "altda-span-brotli";
    all_forks_calldata: "all-forks-calldata";
    expired_windows: "expired-windows";
    hostile_inbox: "hostile-inbox";
    espresso_gen2_calldata: "espresso-gen2-calldata";
    espresso_gen2_batcher: "espresso-gen2-batcher";
}
