//! Starting an L1, and reading it as a node does.

use alloy_primitives::B256;
use doppio_devnet::{Chain, ChainOptions, DevL1, DevL1Options, Mining};
use doppio_l1::{L1Options, L1Source, verify::BlockAt};
use doppio_protocol::{config::RollupConfig, l1::L1Block};
use std::{path::PathBuf, sync::Arc};

/// An L1 that makes blocks when it is told to.
pub(crate) async fn on_demand() -> DevL1 {
    let options = DevL1Options {
        mining: Mining::OnDemand,
        ..DevL1Options::default()
    };
    start(options).await
}

pub(crate) async fn start(options: DevL1Options) -> DevL1 {
    match DevL1::start(options).await {
        Ok(l1) => l1,
        Err(error) => panic!("{error}"),
    }
}

/// A folder of a test, empty.
pub(crate) fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("devnet-{name}"));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// The default chain, written into a folder of the test's name.
pub(crate) async fn chain(l1: &DevL1, name: &str) -> Chain {
    let options = ChainOptions::default();
    l1.chain(&folder(name), options).await.unwrap()
}

/// L1 as a node reads it.
pub(crate) fn source(l1: &DevL1, rollup: &RollupConfig) -> L1Source {
    let mut options = L1Options {
        endpoints: vec![l1.rpc_url().to_owned()],
        ..L1Options::default()
    };
    options.beacon.endpoints = vec![l1.beacon_url().to_owned()];
    L1Source::new(Arc::new(rollup.clone()), options).unwrap()
}

pub(crate) async fn block(source: &L1Source, hash: B256) -> Arc<L1Block> {
    source.block(BlockAt::Hash(hash)).await.unwrap().unwrap()
}
