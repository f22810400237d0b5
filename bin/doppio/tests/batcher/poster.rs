//! A batcher that runs.

use crate::{
    net::{Net, Node},
    process::{Folder, Process, free_ports},
};
use doppio_devnet::{Account, DevL1, Rpc};
use serde_json::{Value, json};
use std::process::Command;

/// A batcher, and its RPC.
pub(crate) struct Poster {
    pub(crate) process: Process,
    pub(crate) rpc: Rpc,
}

/// What all are told; flags of a test come after, and the last of a flag counts.
pub(crate) fn command(l1: &DevL1, sequencer: &Node, net: &Net, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doppio"));
    command
        .arg("batcher")
        .args(["--l1-eth-rpc", l1.rpc_url()])
        .args(["--l2-eth-rpc", sequencer.l2.url()])
        .args(["--rollup-rpc", sequencer.rpc.url()])
        .arg("--rollup.l1-chain-config")
        .arg(&net.chain.l1_config_path)
        .args(["--poll-interval", "200ms", "--num-confirmations", "1"])
        .args(["--txmgr.receipt-query-interval", "500ms"])
        .args(["--resubmission-timeout", "5s"])
        .args(["--max-channel-duration", "2", "--sub-safety-margin", "4"])
        .args(["--rpc.addr", "127.0.0.1", "--rpc.enable-admin"])
        .args(flags);
    command
}

/// The flag that gives an account's key.
pub(crate) fn key(account: Account) -> String {
    format!("--private-key={}", account.key_hex())
}

impl Poster {
    pub(crate) fn start(net: &Net, flags: &[&str]) -> Self {
        Self::of(net, &net.folder, "batcher", flags)
    }

    pub(crate) fn of(net: &Net, folder: &Folder, name: &str, flags: &[&str]) -> Self {
        let [port] = free_ports();
        let key = key(net.chain.keys.batcher);
        let port_flag = format!("--rpc.port={port}");
        let mut all = vec![port_flag.as_str()];
        if !flags.contains(&"--dry-run") {
            all.push(&key);
        }
        all.extend(flags);
        let command = command(&net.l1, &net.sequencer, net, &all);
        Self {
            process: Process::start(name, command, folder),
            rpc: Rpc::new(&format!("http://127.0.0.1:{port}")).unwrap(),
        }
    }

    /// Calls `admin_*` or `txmgr_*`.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Result<Value, String> {
        let answer = self.rpc.call(method, params).await;
        answer.map_err(|error| error.to_string())
    }

    /// Once its RPC answers.
    pub(crate) async fn ready(&self, net: &Net) {
        net.until("the batcher's RPC answers", async || {
            self.call("health_status", json!([])).await
        })
        .await;
    }
}

impl Net {
    /// Waits until a height is safe in both nodes.
    pub(crate) async fn safe(&self, height: u64) {
        for node in [&self.sequencer, &self.verifier] {
            self.reach(node, "safe_l2", height).await;
        }
    }

    /// A user's transaction becomes safe, and both nodes have the same chain up to it.
    pub(crate) async fn a_transaction_becomes_safe(&self, user: u32) -> u64 {
        let user = self.user(user, &self.sequencer);
        let number = self.transact(&user).await;
        self.safe(number).await;
        self.assert_same(number).await;
        number
    }
}
