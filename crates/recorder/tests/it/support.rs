//! A recorded chain behind sockets, and recordings of it.

use core::time::Duration;
use doppio_l1::{BeaconOptions, L1Options, L1Source};
use doppio_protocol::config::{ChainConfig, Overrides};
use doppio_recorded::{
    OpenOptions, RecordedChain, RecordingWriter, Replay, ReplayReport, WriteError,
};
use doppio_recorder::{Peers, RecordError, RecordOptions, RecordSummary, RollupNode, record};
use doppio_rpc::{Client, ClientOptions, Http, Target};
use doppio_test_chain::{Chain, Fake, Role, Rules};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A chain and who serves it.
pub(crate) struct World {
    pub(crate) chain: Arc<Chain>,
    pub(crate) l1: Arc<Fake>,
    pub(crate) rollup: Arc<Fake>,
    pub(crate) l2: Arc<Fake>,
    pub(crate) da: Arc<Fake>,
    pub(crate) config: Arc<ChainConfig>,
    pub(crate) has_da: bool,
}

/// A folder that is gone with its guard.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        let _ = fs::remove_dir_all(partial(&folder));
        Self(folder)
    }

    /// Derives the recording again.
    pub(crate) fn replay(&self) -> ReplayReport {
        Replay::new(&self.open()).run(|_| {}).unwrap()
    }

    pub(crate) fn open(&self) -> RecordedChain {
        RecordedChain::open(&self.0, OpenOptions::default()).unwrap()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }
}

/// What a recording is called until it is whole.
pub(crate) fn partial(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
        let _ = fs::remove_dir_all(partial(&self.0));
    }
}

impl World {
    /// Serves a chain; none, and said loudly, without the vectors.
    pub(crate) fn open(name: &str) -> Option<Self> {
        let chain = Chain::open(name)?;
        let start = |role| Fake::start_as(role, &chain, Rules::default());
        Some(Self {
            l1: start(Role::L1),
            rollup: start(Role::Rollup),
            l2: start(Role::L2),
            da: start(Role::Da),
            config: Arc::clone(&chain.recorded.chain),
            has_da: true,
            chain,
        })
    }

    pub(crate) fn peers(&self) -> Peers {
        let http = Http::new();
        let target = |fake: &Fake| Target::parse(&fake.url).unwrap();
        let client = |fake| {
            let options = ClientOptions::default();
            Arc::new(Client::new(http.clone(), target(fake), options))
        };
        let options = L1Options {
            endpoints: vec![self.l1.url.clone()],
            patience: Duration::from_millis(200),
            beacon: BeaconOptions {
                endpoints: vec![self.l1.url.clone()],
                ..BeaconOptions::default()
            },
            ..L1Options::default()
        };
        Peers {
            l1: L1Source::new(self.chain.rollup(), options).unwrap(),
            rollup: RollupNode(client(&self.rollup)),
            l2: client(&self.l2),
            da: self.has_da.then(|| target(&self.da)),
            patience: Duration::from_secs(1),
        }
    }

    /// Records from one L2 block to another.
    pub(crate) async fn record(
        &self,
        folder: &Folder,
        from: u64,
        to: Option<u64>,
    ) -> Result<RecordSummary, RecordError> {
        let writer = self.writer(folder).unwrap();
        let options = RecordOptions { from, to };
        record(&self.peers(), &self.config, &options, writer, |_| {}).await
    }

    /// A folder with the configuration's files.
    pub(crate) fn writer(&self, folder: &Folder) -> Result<RecordingWriter, WriteError> {
        let writer = RecordingWriter::create(&folder.0)?;
        // as the rollup node serves it, with the keys that only Espresso's and Celo's nodes have
        let rollup = self.rollup.chain.rollup_json().to_string();
        writer.text("rollup.json", &rollup)?;
        writer.text("l1-chain-config.json", self.chain.l1_chain_config())?;
        Ok(writer)
    }

    /// The newest block that the served node says is safe before its newest L1 block.
    pub(crate) fn safe_head(&self) -> u64 {
        let safe = self.chain.safe().last().unwrap();
        safe["safe"]["number"].as_u64().unwrap()
    }

    /// A chain configuration with other overrides.
    pub(crate) fn with(mut self, overrides: Overrides) -> Self {
        let overrides = Overrides {
            l1_blob_schedule: Some(self.config.l1_blob_schedule.clone()),
            ..overrides
        };
        let config = ChainConfig::new(self.config.rollup.clone(), overrides);
        self.config = Arc::new(config.unwrap());
        self
    }
}

/// The answers of a call, changed.
pub(crate) fn alter(
    fake: &Fake,
    method: &'static str,
    mut change: impl FnMut(&mut Value) + Send + 'static,
) {
    fake.rules.lock().unwrap().alter = Some(Box::new(move |called, answer| {
        if called == method {
            change(answer);
        }
    }));
}
