//! A rollup node that follows a recorded chain, which is served to it over HTTP.

use crate::process::{Deadline, Folder, Process, free_ports};
use alloy_primitives::{B256, Bytes};
use doppio_devnet::Rpc;
use doppio_test_chain::{Chain, Fake, Role, Rules};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    sync::Arc,
    time::Duration,
};

/// L1, its beacon node and the DA server of a recorded chain.
pub(crate) struct Served {
    pub(crate) chain: Arc<Chain>,
    pub(crate) l1: Arc<Fake>,
    /// What the node is given as `--l1`.
    pub(crate) l1_urls: String,
    pub(crate) beacon: Arc<Fake>,
    pub(crate) da: Arc<Fake>,
}

impl Served {
    /// Serves a chain; each answer takes this long.
    pub(crate) fn start(chain: &Arc<Chain>, delay: Duration) -> Self {
        let rules = || Rules {
            delay,
            // of state nothing was recorded
            missing: ["eth_getProof"].into(),
            ..Rules::default()
        };
        let l1 = Fake::start(chain, rules());
        Self {
            chain: Arc::clone(chain),
            l1_urls: l1.url.clone(),
            l1,
            beacon: Fake::start(chain, rules()),
            da: Fake::start_as(Role::Da, chain, rules()),
        }
    }

    /// Height of the newest L1 block.
    pub(crate) fn head(&self) -> u64 {
        self.chain.blocks.len() as u64 - 1
    }
}

/// What a node is told of its chain, and of whom it is to ask.
pub(crate) struct NodePlan {
    pub(crate) rollup: String,
    pub(crate) l1_chain_config: String,
    pub(crate) genesis: String,
    pub(crate) alloc: String,
    /// `--l1`.
    pub(crate) l1: String,
    /// `--l1.beacon`.
    pub(crate) beacon: String,
    /// `--altda.da-server`.
    pub(crate) da: Option<String>,
}

impl From<&Served> for NodePlan {
    fn from(served: &Served) -> Self {
        let chain = &served.chain;
        let (genesis, alloc) = chain.recorded.genesis().unwrap();
        let has_da = chain.recorded.chain.rollup.alt_da.is_some();
        Self {
            rollup: chain.rollup_json().to_string(),
            l1_chain_config: chain.l1_chain_config().to_owned(),
            genesis,
            alloc: alloc.unwrap(),
            l1: served.l1_urls.clone(),
            beacon: served.beacon.url.clone(),
            da: has_da.then(|| served.da.url.clone()),
        }
    }
}

/// A rollup node with the engine in its process.
pub(crate) struct RecordedNode {
    pub(crate) process: Process,
    pub(crate) rpc: Rpc,
    pub(crate) l2: Rpc,
    metrics_port: u16,
    deadline: Deadline,
}

impl RecordedNode {
    /// Starts it on an empty database in the folder. `flags` come last.
    pub(crate) fn start(
        plan: &NodePlan,
        folder: &Folder,
        flags: &[&str],
        deadline: Deadline,
    ) -> Self {
        let [rpc_port, l2_port, metrics_port] = free_ports();
        let mut command = Command::new(env!("CARGO_BIN_EXE_doppio"));
        command
            .arg("node")
            .args(["--l1", &plan.l1, "--l1.beacon", &plan.beacon])
            .arg("--rollup.config")
            .arg(folder.write("rollup.json", &plan.rollup))
            .arg("--rollup.l1-chain-config")
            .arg(folder.write("l1-chain-config.json", &plan.l1_chain_config))
            .arg("--genesis")
            .arg(folder.write("genesis.json", &plan.genesis))
            .arg("--genesis.alloc")
            .arg(folder.write("alloc.json", &plan.alloc))
            .arg("--datadir")
            .arg(folder.path("data"))
            .arg("--safedb.path")
            .arg(folder.path("safedb"))
            .args(["--http", "--http.port", &l2_port.to_string()])
            .args(["--http.api", "eth,debug"])
            .args(["--rpc.addr", "127.0.0.1"])
            .args(["--rpc.port", &rpc_port.to_string()])
            .args(["--metrics.enabled", "--metrics.addr", "127.0.0.1"])
            .args(["--metrics.port", &metrics_port.to_string()])
            .arg("--p2p.disable");
        if let Some(da) = &plan.da {
            command.args(["--altda.enabled", "--altda.da-server", da]);
        }
        command.args(flags);
        Self {
            process: Process::start("node", command, folder),
            rpc: Rpc::new(&format!("http://127.0.0.1:{rpc_port}")).unwrap(),
            l2: Rpc::new(&format!("http://127.0.0.1:{l2_port}")).unwrap(),
            metrics_port,
            deadline,
        }
    }

    /// What `/metrics` says.
    pub(crate) fn metrics(&self) -> Result<String, String> {
        let failed = |error: std::io::Error| error.to_string();
        let address = ("127.0.0.1", self.metrics_port);
        let mut stream = TcpStream::connect(address).map_err(failed)?;
        let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request).map_err(failed)?;
        let mut text = String::new();
        stream.read_to_string(&mut text).map_err(failed)?;
        Ok(text)
    }

    /// Waits until an L1 block is wholly derived, and there is nothing else to do.
    pub(crate) async fn derived(&mut self, l1: u64) {
        loop {
            self.process.assert_running();
            let error = match self.rpc.call("optimism_syncStatus", json!([])).await {
                Ok(status) if status["current_l1"]["number"] == l1 => {
                    let metrics = self.metrics().unwrap_or_default();
                    if metrics
                        .lines()
                        .any(|line| line == "op_node_default_derivation_idle 1")
                    {
                        return;
                    }
                    "derivation is not idle".to_owned()
                }
                Ok(status) => status["current_l1"].to_string(),
                Err(error) => error.to_string(),
            };
            self.deadline
                .check(&format!("L1 block {l1} is derived"), &error);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Compares every L2 block, and the safe head at every L1 block, with the recording. Gives the
    /// number of each.
    pub(crate) async fn compare(&self, chain: &Chain) -> (usize, usize) {
        let quantity = |number: u64| json!([format!("{number:#x}")]);
        let last = chain.safe().last().unwrap();
        let safe = last["safe"]["number"].as_u64().unwrap();
        let mut blocks = 0;
        for block in &chain.recorded.l2_blocks {
            if block.number > safe {
                break;
            }
            let ours: Bytes = self
                .l2
                .get("debug_getRawBlock", quantity(block.number))
                .await
                .unwrap();
            assert_eq!(ours, block.raw, "L2 block {}", block.number);
            let found: Value = self
                .l2
                .call(
                    "eth_getBlockByNumber",
                    json!([format!("{:#x}", block.number), false]),
                )
                .await
                .unwrap();
            assert_eq!(
                found["hash"],
                json!(block.hash),
                "L2 block {}",
                block.number
            );
            if let Some(root) = block.output_root {
                let found = self
                    .rpc
                    .call("optimism_outputAtBlock", quantity(block.number));
                let found: B256 =
                    serde_json::from_value(found.await.unwrap()["outputRoot"].clone()).unwrap();
                assert_eq!(found, root, "output root of L2 block {}", block.number);
            }
            blocks += 1;
        }
        for line in chain.safe() {
            let l1 = line["l1"].as_u64().unwrap();
            let found = self
                .rpc
                .call("optimism_safeHeadAtL1Block", quantity(l1))
                .await
                .unwrap();
            assert_eq!(
                found["safeHead"], line["safe"],
                "the safe head at L1 block {l1}"
            );
        }
        (blocks, chain.safe().len())
    }
}
