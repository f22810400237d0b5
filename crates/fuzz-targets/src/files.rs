//! What lies in folders: recordings, and the node's state.

use doppio_node_service::AdminState;
use doppio_recorded::{OpenOptions, RecordedChain};
use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::LazyLock,
};

/// A folder of this process. One run at a time uses it.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("doppio-fuzz-{}", process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder
});

/// Files that a recording may have.
const FILES: [&str; 10] = [
    "rollup.json",
    "profile.json",
    "l1-chain-config.json",
    "start.json",
    "l1.jsonl",
    "l2.jsonl",
    "blobs.jsonl",
    "payloads.jsonl",
    "safe.jsonl",
    "verdicts.jsonl",
];

/// Files one after the other, each after a line with a hash sign and its name. rollup.json is a good one
/// if it is not among them.
pub(crate) fn recording(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let folder: &Path = &FOLDER;
    for name in FILES {
        let _ = fs::remove_file(folder.join(name));
    }
    let rollup = include_str!("../data/rollup.json");
    fs::write(folder.join("rollup.json"), rollup).expect("a file");
    for part in text.split("\n#") {
        let (name, content) = part.split_once('\n').unwrap_or((part, ""));
        if let Some(name) = FILES
            .iter()
            .find(|known| **known == name.trim_start_matches('#'))
        {
            fs::write(folder.join(name), content).expect("a file");
        }
    }
    let Ok(recorded) = RecordedChain::open(folder, OpenOptions::default()) else {
        return;
    };
    for block in &recorded.l2_blocks {
        if let Ok(decoded) = block.decode() {
            assert_eq!(decoded.header.hash_slow(), block.hash);
        }
    }
    if let Ok(blocks) = recorded.l1_blocks() {
        // what is broken ends the reading
        let _ = blocks.take_while(Result::is_ok).count();
    }
    let _ = recorded.start();
}

pub(crate) fn admin_state(data: &[u8]) {
    let path = FOLDER.join("state.json");
    fs::write(&path, data).expect("a file");
    let state = AdminState::new(path);
    if state.is_sequencing().is_ok() {
        state.set_sequencing(true).expect("a file");
        assert_eq!(state.is_sequencing().ok(), Some(Some(true)));
    }
}
