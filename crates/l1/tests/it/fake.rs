//! L1 access over recorded chains behind sockets.

pub(crate) use doppio_test_chain::{Chain, Fake, Rules, commitment};

use doppio_l1::{BeaconOptions, L1Options, L1Source};
use doppio_protocol::l1::L1Block;
use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};

pub(crate) static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().enable_all().build().unwrap());

/// A source over endpoints, which are beacon nodes as well.
pub(crate) fn source(fakes: &[&Arc<Fake>], change: impl FnOnce(&mut L1Options)) -> L1Source {
    let urls: Vec<String> = fakes.iter().map(|fake| fake.url.clone()).collect();
    let mut options = L1Options {
        endpoints: urls.clone(),
        patience: Duration::from_secs(3),
        beacon: BeaconOptions {
            endpoints: urls,
            ..BeaconOptions::default()
        },
        ..L1Options::default()
    };
    change(&mut options);
    L1Source::new(fakes[0].chain.rollup(), options).unwrap()
}

/// Blocks do not compare; everything they hold is shown.
pub(crate) fn shown(block: &L1Block) -> String {
    format!("{block:?}")
}
