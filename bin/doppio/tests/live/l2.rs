//! L2: two engines, a rollup node on each, a batcher. One node sequences, the other one derives
//! from L1 what the first one made; there is nothing else between them.

use crate::{
    l1::L1,
    peers::Peers,
    process::{Deadline, Folder, Process, free_ports, say},
    rpc::{Rpc, number},
};
use doppio_devnet::{ChainOptions, ForkSchedule};
use doppio_protocol::config::Fork;
use serde_json::{Value, json};
use std::{collections::BTreeMap, process::Command, time::Duration};

/// How long a test may take.
const LIMIT: Duration = Duration::from_secs(280);

/// What is different from test to test.
pub(crate) struct Plan {
    /// Name of the test's folder.
    pub(crate) name: &'static str,
    /// When each fork activates, in order, in seconds after the chain's first block. Forks beyond the
    /// last of these never do.
    pub(crate) forks: &'static [u64],
    /// How far in the past the chain begins, in seconds. The sequencer makes as many blocks as fast
    /// as it can; later ones come once a second.
    pub(crate) behind: u64,
    /// The batcher posts blobs, which there are from Ecotone on; else calldata.
    pub(crate) blobs: bool,
    /// Whose engine the sequencer has, and whose the verifier.
    pub(crate) engines: [EngineKind; 2],
    /// Whose rollup node the sequencer is, and whose the verifier.
    pub(crate) nodes: [NodeKind; 2],
    /// Whose batcher.
    pub(crate) batcher: BatcherKind,
}

/// Whose batcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatcherKind {
    Doppio,
    OpBatcher,
}

/// Whose rollup node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    Doppio,
    OpNode,
}

/// Whose engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EngineKind {
    Doppio,
    OpGeth,
}

/// An execution engine that runs.
pub(crate) struct Engine {
    name: String,
    pub(crate) rpc: Rpc,
    pub(crate) process: Process,
    auth_port: u16,
}

/// A rollup node that runs.
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) name: String,
    pub(crate) rpc: Rpc,
    pub(crate) process: Process,
}

/// Everything that runs. The first of two is always the sequencer's.
pub(crate) struct Net {
    pub(crate) deadline: Deadline,
    pub(crate) engines: [Engine; 2],
    pub(crate) nodes: [Node; 2],
    batcher: Process,
    l1: L1,
    // last: the others write to it until they are dropped
    folder: Folder,
}

impl Net {
    pub(crate) fn start(peers: &Peers, plan: &Plan) -> Self {
        let deadline = Deadline::after(LIMIT);
        let folder = Folder::new(&format!("live-{}", plan.name));
        let mut forks = ForkSchedule::at_genesis(Fork::Regolith);
        for (fork, after) in Fork::ALL.into_iter().zip(plan.forks) {
            forks = forks.with(fork, Some(*after));
        }
        let options = ChainOptions {
            forks,
            ..ChainOptions::default()
        };
        let l1 = L1::start(&folder.path(""), plan.behind, options);
        let engines = [
            Engine::start(plan.engines[0], "sequencer-engine", peers, &folder),
            Engine::start(plan.engines[1], "verifier-engine", peers, &folder),
        ];
        for engine in &engines {
            let block = deadline.wait(&format!("{} answers", engine.name), || {
                let params = json!(["0x0", false]);
                engine.rpc.try_call("eth_getBlockByNumber", params)
            });
            let expected = json!(l1.chain.genesis.hash);
            assert_eq!(block["hash"], expected, "the {}'s first block", engine.name);
        }
        let nodes = [
            Node::start(plan.nodes[0], "sequencer", &engines[0], &l1, peers, &folder),
            Node::start(plan.nodes[1], "verifier", &engines[1], &l1, peers, &folder),
        ];
        for node in &nodes {
            deadline.wait(&format!("{} answers", node.name), || {
                node.rpc.try_call("optimism_syncStatus", json!([]))
            });
        }
        let batcher = batcher(plan, &l1, &engines[0], &nodes[0], peers, &folder);
        Self {
            deadline,
            engines,
            nodes,
            batcher,
            l1,
            folder,
        }
    }

    /// Records a part of the chain from a rollup node and an engine, and derives it again.
    pub(crate) fn assert_recording_replays(&self, node: usize, engine: usize, from: u64, to: u64) {
        let folder = self.folder.path("recording");
        let l1 = self.l1.url();
        let record = Command::new(env!("CARGO_BIN_EXE_doppio"))
            .args(["record", "--json", "--l1", l1, "--l1.beacon", l1])
            .args(["--rollup-rpc", &self.nodes[node].rpc.url()])
            .args(["--l2", &self.engines[engine].rpc.url()])
            .arg("--rollup.l1-chain-config")
            .arg(&self.l1.chain.l1_config_path)
            .args(["--from", &from.to_string(), "--to", &to.to_string()])
            .arg(&folder)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&record.stderr);
        assert!(record.status.success(), "{text}");
        let summary: Value = serde_json::from_slice(&record.stdout).unwrap();
        assert_eq!(summary["notes"], json!([]), "{summary}");
        let derived = json!({"matched": to - from, "mismatched": 0});
        assert_eq!(summary["derived"], derived, "{summary}");
        let replay = Command::new(env!("CARGO_BIN_EXE_doppio"))
            .args(["replay", "--json"])
            .arg(&folder)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&replay.stderr);
        assert!(replay.status.success(), "{text}");
        let replay: Value = serde_json::from_slice(&replay.stdout).unwrap();
        assert_eq!(replay["matched"], to - from, "{replay}");
        assert!(
            replay["safe_heads"]["matched"].as_u64() > Some(0),
            "{replay}"
        );
        let name = &self.nodes[node].name;
        say(&format!(
            "recorded from the {name}: {summary}, which replays: {replay}"
        ));
    }

    /// Kills an op-geth as `kill -9` does, and starts it again on what it had written down: how many
    /// blocks it has lost.
    pub(crate) fn kill_op_geth(&mut self, engine: usize) -> u64 {
        let status = self.nodes[engine]
            .rpc
            .call("optimism_syncStatus", json!([]));
        let told = number(&status["unsafe_l2"]["number"]);
        let engine = &mut self.engines[engine];
        engine.process.kill_and_restart();
        let rpc = engine.rpc;
        let head = self.deadline.wait("op-geth answers again", || {
            rpc.try_call("eth_blockNumber", json!([]))
        });
        let head = number(&head);
        say(&format!(
            "the {} was killed after block {told}, and is back at block {head}",
            engine.name
        ));
        told.saturating_sub(head)
    }

    fn assert_running(&mut self) {
        self.l1.assert_running();
        self.batcher.assert_running();
        for engine in &mut self.engines {
            engine.process.assert_running();
        }
        for node in &mut self.nodes {
            node.process.assert_running();
        }
    }

    /// Waits until a head of a node is at least at `height`: `unsafe_l2`, `safe_l2`, …
    pub(crate) fn wait_for(&mut self, node: usize, head: &str, height: u64) {
        let (name, rpc) = (self.nodes[node].name.clone(), self.nodes[node].rpc);
        let deadline = self.deadline;
        deadline.wait(&format!("{head} of the {name} is {height}"), || {
            self.assert_running();
            let status = rpc.try_call("optimism_syncStatus", json!([]))?;
            let found = number(&status[head]["number"]);
            if found >= height {
                Ok(())
            } else {
                Err(format!("it is {found}"))
            }
        });
        say(&format!("{head} of the {name} has reached {height}"));
    }

    /// Kills the sequencer's engine as `kill -9` does, and starts it again on the same database,
    /// which must have every block that the rollup node was told of.
    pub(crate) fn kill_and_restart_engine(&mut self) {
        let status = self.nodes[0].rpc.call("optimism_syncStatus", json!([]));
        let told = number(&status["unsafe_l2"]["number"]);
        let engine = &mut self.engines[0];
        engine.process.kill_and_restart();
        let rpc = engine.rpc;
        let head = self.deadline.wait("the engine answers again", || {
            rpc.try_call("eth_blockNumber", json!([]))
        });
        let head = number(&head);
        assert!(head >= told, "block {told} was lost; the head is {head}");
        say(&format!(
            "the sequencer's engine was killed after block {told}, and is back at block {head}"
        ));
    }
}

impl Engine {
    fn start(kind: EngineKind, name: &str, peers: &Peers, folder: &Folder) -> Self {
        let genesis = folder.path("genesis.json");
        let data = folder.path(name);
        let mut command = match kind {
            EngineKind::Doppio => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_doppio"));
                command.arg("engine").arg("--genesis").arg(genesis).args([
                    "--db.cache",
                    "64",
                    "--http.api",
                    "eth,net,web3,debug,txpool,miner",
                ]);
                command
            }
            EngineKind::OpGeth => {
                let mut command = Command::new(peers.path("op-geth"));
                command
                    .args(["init", "--state.scheme=hash", "--datadir"])
                    .arg(&data)
                    .arg(genesis);
                Process::run("op-geth-init", command, folder);
                let mut command = Command::new(peers.path("op-geth"));
                command
                    .args(["--state.scheme=hash", "--gcmode=archive", "--syncmode=full"])
                    .args(["--nodiscover", "--maxpeers=0", "--port=0", "--ipcdisable"])
                    .args(["--cache=64", "--rollup.disabletxpoolgossip=true"])
                    .args(["--http.api", "eth,net,web3,debug,txpool,miner"]);
                command
            }
        };
        let [http_port, auth_port] = free_ports();
        command
            .arg("--datadir")
            .arg(data)
            .args(["--http", "--http.port", &http_port.to_string()])
            .args(["--authrpc.port", &auth_port.to_string()])
            .arg("--authrpc.jwtsecret")
            .arg(folder.path("jwt"));
        Self {
            name: name.to_owned(),
            rpc: Rpc { port: http_port },
            process: Process::start(name, command, folder),
            auth_port,
        }
    }
}

impl Node {
    /// Both kinds take the same flags.
    fn start(
        kind: NodeKind,
        name: &str,
        engine: &Engine,
        l1: &L1,
        peers: &Peers,
        folder: &Folder,
    ) -> Self {
        let [port] = free_ports();
        let rpc = Rpc { port };
        let path = |name: &str| folder.path(name);
        let mut command = match kind {
            NodeKind::OpNode => Command::new(peers.path("op-node")),
            NodeKind::Doppio => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_doppio"));
                command.arg("node");
                command
            }
        };
        command
            .args(["--l1", l1.url(), "--l1.beacon", l1.url()])
            .args([
                "--l1.rpckind",
                "standard",
                "--l1.http-poll-interval",
                "500ms",
            ])
            .args(["--l1.epoch-poll-interval", "2s"])
            .arg("--rollup.l1-chain-config")
            .arg(&l1.chain.l1_config_path)
            .arg("--rollup.config")
            .arg(&l1.chain.rollup_path)
            .args([
                "--l2",
                &(Rpc {
                    port: engine.auth_port,
                })
                .url(),
            ])
            .arg("--l2.jwt-secret")
            .arg(path("jwt"))
            .args(["--rpc.addr", "127.0.0.1", "--rpc.port", &port.to_string()])
            .args(["--p2p.disable", "--log.format", "logfmt"])
            .arg("--safedb.path")
            .arg(path(&format!("{name}-safedb")));
        if name == "sequencer" {
            command.args(["--sequencer.enabled", "--sequencer.l1-confs", "1"]);
        }
        let log = format!("{name}-node");
        Self {
            kind,
            name: name.to_owned(),
            rpc,
            process: Process::start(&log, command, folder),
        }
    }

    /// Every kind of warning and error in its log, with how often it is there.
    pub(crate) fn complaints(&self) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for line in self.process.log().lines() {
            let serious = ["lvl=warn", "lvl=error", "lvl=crit", "panic", "fatal"];
            if serious.iter().any(|mark| line.contains(mark)) {
                let message = line.split_once("msg=").map_or(line, |(_, message)| message);
                let message = match message.strip_prefix('"') {
                    Some(quoted) => quoted.split('"').next(),
                    None => message.split(' ').next(),
                };
                *found.entry(message.unwrap_or(line).to_owned()).or_default() += 1;
            }
        }
        found
    }
}

/// The batcher. It wants `miner_setMaxDASize` of the engine, and ends without it.
fn batcher(
    plan: &Plan,
    l1: &L1,
    engine: &Engine,
    node: &Node,
    peers: &Peers,
    folder: &Folder,
) -> Process {
    let target = if plan.blobs { "blobs" } else { "calldata" };
    let key = l1.chain.keys.batcher.key_hex();
    let [port] = free_ports();
    let mut command = match plan.batcher {
        BatcherKind::OpBatcher => Command::new(peers.path("op-batcher")),
        BatcherKind::Doppio => {
            let mut command = Command::new(env!("CARGO_BIN_EXE_doppio"));
            command
                .arg("batcher")
                .arg("--rollup.l1-chain-config")
                .arg(&l1.chain.l1_config_path);
            command
        }
    };
    command
        .args(["--l1-eth-rpc", l1.url(), "--l2-eth-rpc", &engine.rpc.url()])
        .args(["--rollup-rpc", &node.rpc.url(), "--private-key", &key])
        .args(["--data-availability-type", target])
        .args(["--max-channel-duration", "2", "--sub-safety-margin", "4"])
        .args(["--num-confirmations", "1", "--poll-interval", "500ms"])
        .args(["--txmgr.receipt-query-interval", "500ms"])
        .args(["--rpc.addr", "127.0.0.1", "--rpc.port", &port.to_string()]);
    Process::start("batcher", command, folder)
}
