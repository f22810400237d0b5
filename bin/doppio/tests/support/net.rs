//! Two nodes on one L1, and what is common to all tests.

use crate::process::{Deadline, Folder, Process, free_ports, say};
use alloy_primitives::B256;
use doppio_devnet::{
    Account, Call, Chain, ChainOptions, DevL1, DevL1Options, DevnetError, Programs, Rpc, Wallet,
    testing::{BatchOptions, TestBatcher},
};
use serde_json::{Value, json};
use std::{process::Command, time::Duration};

/// How long a test may take.
const LIMIT: Duration = Duration::from_secs(150);

/// What differs from test to test.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) l1: DevL1Options,
    pub(crate) chain: ChainOptions,
    /// More flags of the sequencer.
    pub(crate) sequencer: Vec<String>,
    /// More flags of the verifier.
    pub(crate) verifier: Vec<String>,
    /// The verifier has an engine in a process of its own.
    pub(crate) separate_engine: bool,
}

/// A rollup node that runs, and its engine.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) process: Process,
    /// `optimism_*` and `admin_*`.
    pub(crate) rpc: Rpc,
    /// `eth_*` and `debug_*` of its engine.
    pub(crate) l2: Rpc,
    pub(crate) engine: Option<Process>,
}

/// Everything that runs.
pub(crate) struct Net {
    pub(crate) deadline: Deadline,
    pub(crate) sequencer: Node,
    pub(crate) verifier: Node,
    pub(crate) batcher: TestBatcher,
    pub(crate) chain: Chain,
    pub(crate) l1: DevL1,
    pub(crate) folder: Folder,
}

/// A number in hexadecimal.
pub(crate) fn quantity(number: u64) -> Value {
    json!(format!("{number:#x}"))
}

/// Whether anvil and supersim are there; says loudly if they are not.
fn has_programs(test: &str) -> bool {
    match Programs::find() {
        Ok(_) => true,
        Err(error) => {
            say(&format!("\n*** NOT TESTED: {test}: {error} ***"));
            false
        }
    }
}

impl Node {
    pub(crate) fn start(
        name: &'static str,
        l1: &DevL1,
        chain: &Chain,
        folder: &Folder,
        separate_engine: bool,
        flags: &[String],
    ) -> Self {
        let [rpc_port, l2_port, auth_port] = free_ports();
        let data = folder.path(name);
        let serve = |command: &mut Command| {
            command
                .arg("--genesis")
                .arg(&chain.genesis_path)
                .arg("--datadir")
                .arg(&data)
                .args(["--db.cache", "64", "--http"])
                .args(["--http.port", &l2_port.to_string()])
                .args(["--http.api", "eth,net,web3,debug,txpool,miner"]);
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_doppio"));
        command
            .arg("node")
            .args(["--l1", l1.rpc_url(), "--l1.beacon", l1.beacon_url()])
            .args(["--l1.http-poll-interval", "200ms"])
            .args(["--l1.epoch-poll-interval", "500ms"])
            .arg("--rollup.config")
            .arg(&chain.rollup_path)
            .arg("--rollup.l1-chain-config")
            .arg(&chain.l1_config_path)
            .args(["--rpc.addr", "127.0.0.1"])
            .args(["--rpc.port", &rpc_port.to_string()])
            .args(["--rpc.enable-admin", "--p2p.disable"])
            .arg("--safedb.path")
            .arg(folder.path(&format!("{name}-safedb")))
            .args(flags);
        let engine = separate_engine.then(|| {
            let mut engine = Command::new(env!("CARGO_BIN_EXE_doppio"));
            engine.arg("engine");
            serve(&mut engine);
            engine
                .args(["--authrpc.port", &auth_port.to_string()])
                .arg("--authrpc.jwtsecret")
                .arg(&chain.jwt_path);
            command
                .args(["--l2", &format!("http://127.0.0.1:{auth_port}")])
                .arg("--l2.jwt-secret")
                .arg(&chain.jwt_path);
            Process::start(&format!("{name}-engine"), engine, folder)
        });
        if engine.is_none() {
            serve(&mut command);
        }
        // where the engine is elsewhere, it must answer before the node's checks
        if separate_engine {
            let deadline = Deadline::after(LIMIT);
            deadline.wait("the engine listens", || {
                std::net::TcpStream::connect(("127.0.0.1", auth_port))
                    .map_err(|error| error.to_string())
            });
        }
        Self {
            name,
            process: Process::start(name, command, folder),
            rpc: Rpc::new(&format!("http://127.0.0.1:{rpc_port}")).unwrap(),
            l2: Rpc::new(&format!("http://127.0.0.1:{l2_port}")).unwrap(),
            engine,
        }
    }

    /// `optimism_syncStatus`.
    pub(crate) async fn status(&self) -> Result<Value, String> {
        let status = self.rpc.call("optimism_syncStatus", json!([])).await;
        status.map_err(|error| error.to_string())
    }

    /// The height of a head: `unsafe_l2`, `safe_l2`, `finalized_l2`, …
    pub(crate) async fn head(&self, head: &str) -> Result<u64, String> {
        let status = self.status().await?;
        status[head]["number"]
            .as_u64()
            .ok_or_else(|| format!("no {head}: {status}"))
    }

    /// Hash of the canonical L2 block of a height.
    pub(crate) async fn hash(&self, number: u64) -> Option<B256> {
        let block = self
            .l2
            .call("eth_getBlockByNumber", json!([quantity(number), false]))
            .await
            .ok()?;
        serde_json::from_value(block["hash"].clone()).ok()
    }
}

impl Net {
    /// Starts everything; none, and said loudly, without npm's packages.
    pub(crate) async fn start(test: &str, plan: Plan) -> Option<Self> {
        if !has_programs(test) {
            return None;
        }
        let deadline = Deadline::after(LIMIT);
        let folder = Folder::new(&format!("e2e-{test}"));
        let l1 = DevL1::start(plan.l1).await.unwrap();
        let chain = l1.chain(&folder.path("chain"), plan.chain).await.unwrap();
        let mut flags = plan.sequencer;
        flags.extend(["--sequencer.enabled", "--sequencer.l1-confs=0"].map(str::to_owned));
        let sequencer = Node::start("sequencer", &l1, &chain, &folder, false, &flags);
        let verifier = Node::start(
            "verifier",
            &l1,
            &chain,
            &folder,
            plan.separate_engine,
            &plan.verifier,
        );
        let wallet = l1.wallet(chain.keys.batcher);
        let batcher = TestBatcher::new(sequencer.l2.clone(), wallet, chain.config.clone());
        let net = Self {
            deadline,
            sequencer,
            verifier,
            batcher,
            chain,
            l1,
            folder,
        };
        for node in [&net.sequencer, &net.verifier] {
            net.until(&format!("the {} has heads", node.name), async || {
                let status = node.status().await?;
                // all zeros before the heads are found
                match status["unsafe_l2"]["timestamp"].as_u64() {
                    Some(time) if time > 0 => Ok(()),
                    _ => Err(status.to_string()),
                }
            })
            .await;
        }
        Some(net)
    }

    /// Asks again and again until there is an answer.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        mut ask: impl AsyncFnMut() -> Result<T, String>,
    ) -> T {
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(error) => self.deadline.check(what, &error),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until a head of a node is at least at a height.
    pub(crate) async fn reach(&self, node: &Node, head: &str, height: u64) {
        self.until(
            &format!("{head} of the {} is {height}", node.name),
            async || match node.head(head).await? {
                found if found >= height => Ok(()),
                found => Err(format!("it is {found}")),
            },
        )
        .await;
    }

    /// Posts what the sequencer has and L1 has not given back yet, and waits until it is in L1.
    pub(crate) async fn post_rest(&self, options: &BatchOptions) -> u64 {
        let (hashes, last) = loop {
            let first = self.sequencer.head("safe_l2").await.unwrap() + 1;
            let last = self.sequencer.head("unsafe_l2").await.unwrap();
            if first > last {
                return last;
            }
            match self.batcher.post(first..=last, options).await {
                Ok(hashes) => break (hashes, last),
                // While a sequencer recovers it takes back blocks, also between two questions.
                Err(error @ DevnetError::NoL2Block(_)) => {
                    self.deadline
                        .check("the blocks are there", &error.to_string());
                }
                Err(error) => panic!("nothing was posted: {error}"),
            }
        };
        for receipt in self.l1.include(&hashes).await.unwrap() {
            receipt.succeeded().unwrap();
        }
        last
    }

    /// Posts until a height is safe in both nodes.
    pub(crate) async fn make_safe(&self, height: u64, options: &BatchOptions) {
        self.reach(&self.sequencer, "unsafe_l2", height).await;
        loop {
            self.post_rest(options).await;
            for _ in 0..30 {
                let safe = self.verifier.head("safe_l2").await.unwrap_or_default();
                let own = self.sequencer.head("safe_l2").await.unwrap_or_default();
                if safe.min(own) >= height {
                    return;
                }
                self.deadline.check(
                    "both nodes derive what was posted",
                    &format!("{safe} {own}"),
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Posts without end.
    pub(crate) async fn keep_posting(&self, options: &BatchOptions) -> ! {
        loop {
            self.post_rest(options).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Posts all that there is, until nothing of it is on its way: the height that is safe in both.
    pub(crate) async fn settle(&self, options: &BatchOptions) -> u64 {
        let last = self.post_rest(options).await;
        self.reach(&self.sequencer, "safe_l2", last).await;
        self.reach(&self.verifier, "safe_l2", last).await;
        last
    }

    /// The versioned hashes of transactions' blobs.
    pub(crate) async fn blob_hashes(&self, transactions: &[B256]) -> Vec<B256> {
        let mut hashes = Vec::new();
        for hash in transactions {
            let params = json!([hash]);
            let found = self.l1.rpc().call("eth_getTransactionByHash", params).await;
            let found = found.unwrap()["blobVersionedHashes"].clone();
            hashes.extend(serde_json::from_value::<Vec<B256>>(found).unwrap());
        }
        hashes
    }

    /// Blocks and outputs of both nodes are the same up to a height.
    pub(crate) async fn assert_same(&self, last: u64) {
        for height in 0..=last {
            let [ours, theirs] = [&self.sequencer, &self.verifier].map(|node| async move {
                let raw = node.l2.call("debug_getRawBlock", json!([quantity(height)]));
                let raw = raw.await.unwrap();
                let params = json!([quantity(height)]);
                let output = node.rpc.call("optimism_outputAtBlock", params).await;
                let mut output = output.unwrap();
                output["syncStatus"] = Value::Null;
                (raw, output)
            });
            let (ours, theirs) = (ours.await, theirs.await);
            assert!(
                ours == theirs,
                "block {height} differs: {} {}",
                ours.1,
                theirs.1
            );
        }
    }

    /// A user of L2, who sends to a node.
    pub(crate) fn user(&self, index: u32, node: &Node) -> Wallet {
        let account = Account::user(index).unwrap();
        Wallet::new(node.l2.clone(), self.chain.rollup().l2_chain_id, account)
    }

    /// A user's transaction goes into a block of the sequencer: the block's height.
    pub(crate) async fn transact(&self, user: &Wallet) -> u64 {
        let call = Call::data(user.account().address, vec![0x5a; 100].into());
        let hash = user.send(&call).await.unwrap();
        let receipt = user.rpc().wait_for(hash, LIMIT).await.unwrap();
        receipt.succeeded().unwrap().block_number
    }
}
