//! A recorded chain's files, and the node on it.

use crate::{
    process::{Deadline, Folder, Process, free_ports},
    rpc::{Rpc, number, quantity},
};
use doppio_test_chain::Chain;
use doppio_test_vectors::Vectors;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

/// How long a test may take.
const LIMIT: Duration = Duration::from_secs(240);

/// A chain, and its files in the test's folder.
pub(crate) struct Recorded {
    pub(crate) chain: Arc<Chain>,
    pub(crate) folder: Folder,
    pub(crate) deadline: Deadline,
}

/// A node that runs.
pub(crate) struct Node {
    pub(crate) process: Process,
    pub(crate) rpc: Rpc,
}

impl Recorded {
    /// A chain for a test; none, and said loudly, without the vectors.
    pub(crate) fn open(chain: &str, test: &str) -> Option<Self> {
        let vectors = Vectors::find("recorded")?;
        let folder = Folder::new(&format!("node-{test}"));
        let genesis = vectors.text(format!("{chain}/genesis.json"));
        let chain = Chain::open(chain)?;
        folder.write("genesis.json", &genesis);
        folder.write("alloc.json", &vectors.text("alloc-901.json.gz"));
        folder.write("rollup.json", &chain.rollup_json().to_string());
        folder.write("l1.json", chain.l1_chain_config());
        Some(Self {
            chain,
            folder,
            deadline: Deadline::after(LIMIT),
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    /// `doppio node` with the embedded engine, its data in a folder of a name.
    pub(crate) fn command(&self, data: &str, l1: &[&str], beacon: &[&str]) -> Command {
        let mut command = self.bare(&self.path("rollup.json"), l1, beacon);
        command
            .arg("--rollup.l1-chain-config")
            .arg(self.path("l1.json"))
            .arg("--genesis")
            .arg(self.path("genesis.json"))
            .arg("--genesis.alloc")
            .arg(self.path("alloc.json"))
            .arg("--datadir")
            .arg(self.path(data))
            .args(["--db.cache", "64"]);
        command
    }

    /// `doppio node` without an engine.
    pub(crate) fn bare(&self, rollup: &Path, l1: &[&str], beacon: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doppio"));
        command
            .args(["node", "--p2p.disable", "--l1", &l1.join(",")])
            .arg("--rollup.config")
            .arg(rollup)
            .args(["--l1.http-poll-interval", "100ms"])
            .args(["--l1.epoch-poll-interval", "100ms"])
            .args(["--rpc.addr", "127.0.0.1"]);
        if beacon.is_empty() {
            command.arg("--l1.beacon.ignore");
        } else {
            command.args(["--l1.beacon", &beacon.join(",")]);
        }
        command
    }

    /// Starts a command of [`Self::command`].
    pub(crate) fn start(&self, name: &str, mut command: Command) -> Node {
        let [port] = free_ports();
        command.args(["--rpc.port", &port.to_string()]);
        Node {
            process: Process::start(name, command, &self.folder),
            rpc: Rpc { port },
        }
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, mut command: Command) -> Output {
        let output = command.output().unwrap();
        self.deadline.check("a command ends", "");
        output
    }

    /// The last L2 block that is recorded and safe, and its hash.
    pub(crate) fn last(&self) -> (u64, Value) {
        let safe = self.chain.safe().last().unwrap()["safe"]["number"]
            .as_u64()
            .unwrap();
        let block = self.chain.recorded.l2_blocks.last().unwrap();
        assert!(block.number <= safe);
        (block.number, json!(block.hash))
    }

    /// Waits until a node has derived everything, which must be what is recorded: each block names its
    /// parent, so the last one's hash says all.
    pub(crate) fn assert_derived(&self, node: &mut Node) {
        let (last, hash) = self.last();
        self.reach(node, "safe_l2", last);
        let output = node
            .rpc
            .call("optimism_outputAtBlock", json!([quantity(last)]));
        assert_eq!(output["blockRef"]["hash"], hash, "{output}");
    }

    /// Waits until a head of a node is at least at a height.
    pub(crate) fn reach(&self, node: &mut Node, head: &str, height: u64) {
        self.deadline.wait(&format!("{head} is {height}"), || {
            node.process.assert_running();
            let found = node.head(head)?;
            if found >= height {
                Ok(())
            } else {
                Err(format!("it is {found}"))
            }
        });
    }
}

impl Node {
    /// The heights of some heads at one time: `unsafe_l2`, `safe_l2`, `finalized_l2`, …
    pub(crate) fn heads<const N: usize>(&self, heads: [&str; N]) -> Result<[u64; N], String> {
        let status = self.rpc.try_call("optimism_syncStatus", json!([]))?;
        // all zeros before the heads are found
        if heads.iter().any(|head| status[head]["timestamp"] == 0) {
            return Err(format!("no {heads:?} yet: {status}"));
        }
        Ok(heads.map(|head| number(&status[head]["number"])))
    }

    /// The height of a head.
    pub(crate) fn head(&self, head: &str) -> Result<u64, String> {
        self.heads([head]).map(|[height]| height)
    }
}
