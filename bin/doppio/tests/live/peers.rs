//! The programs that the test needs.

use crate::process::say;
use std::path::PathBuf;

/// The environment variable that names the folder.
const VARIABLE: &str = "DOPPIO_PEERS";
/// What must be in it.
const NEEDED: [&str; 3] = ["op-batcher", "op-geth", "op-node"];

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
}
