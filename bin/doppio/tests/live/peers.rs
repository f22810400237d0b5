//! The programs that the test needs, and the contracts that come with one of them.

use crate::process::say;
use serde_json::Value;
use std::{fs, path::PathBuf};

/// The environment variable that names the folder.
const VARIABLE: &str = "DOPPIO_PEERS";
/// What must be in it.
const NEEDED: [&str; 5] = ["anvil", "op-batcher", "op-geth", "op-node", "supersim"];

/// How every `genesis.json` inside `supersim` begins.
const GENESIS_BEGINS: &[u8] = b"{\n  \"config\"";

/// The folder of the programs.
pub(crate) struct Peers(PathBuf);

impl Peers {
    /// The folder; none, and said loudly, if a program is missing.
    pub(crate) fn find() -> Option<Self> {
        let folder = std::env::var_os(VARIABLE).map(PathBuf::from);
        let is_there = |name: &&&str| folder.as_ref().is_some_and(|it| it.join(name).is_file());
        let missing: Vec<_> = NEEDED.iter().filter(|name| !is_there(name)).collect();
        if missing.is_empty() {
            return folder.map(Self);
        }
        let thread = std::thread::current();
        say(&format!(
            "\n*** NOT TESTED: {} needs {missing:?}; set {VARIABLE} to a folder of other people's \
             programs (see bin/doppio/tests/live/main.rs) ***",
            thread.name().unwrap_or("a test"),
        ));
        None
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The `genesis.json` of a chain that `supersim` carries, as text in its binary.
    pub(crate) fn genesis(&self, chain_id: u64) -> Value {
        let binary = fs::read(self.path("supersim")).unwrap();
        let mut rest: &[u8] = &binary;
        while let Some(at) = rest
            .windows(GENESIS_BEGINS.len())
            .position(|window| window == GENESIS_BEGINS)
        {
            let text = &rest[at..];
            let mut values = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
            if let Some(Ok(genesis)) = values.next()
                && genesis["config"]["chainId"] == chain_id
                && genesis["alloc"].is_object()
            {
                return genesis;
            }
            rest = &text[values.byte_offset().max(1)..];
        }
        panic!("supersim has no genesis.json of chain {chain_id}");
    }
}
