//! Opening recorded chains, and copies of them with changes.

use doppio_protocol::config::Overrides;
use doppio_recorded::{OpenOptions, RecordedChain, RecordingError, Replay, ReplayReport};
use doppio_test_vectors::Vectors;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Derives the chain of a folder again.
pub(crate) fn replay(folder: &Path, overrides: Overrides) -> ReplayReport {
    let chain = open(folder, overrides).unwrap();
    Replay::new(&chain).run(|_| {}).unwrap()
}

pub(crate) fn open(folder: &Path, overrides: Overrides) -> Result<RecordedChain, RecordingError> {
    let options = OpenOptions {
        overrides,
        ..OpenOptions::default()
    };
    RecordedChain::open(folder, options)
}

/// A copy of a recorded chain that can be changed; gone when dropped.
pub(crate) struct Copy {
    pub(crate) folder: PathBuf,
}

impl Copy {
    /// Copies the chain `chain` for the test `test`.
    pub(crate) fn new(vectors: &Vectors, chain: &str, test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for name in vectors.list(chain) {
            fs::copy(vectors.path(chain).join(&name), folder.join(&name)).unwrap();
        }
        Self { folder }
    }

    /// Changes the lines of `NAME.jsonl.gz`, which becomes `NAME.jsonl`.
    pub(crate) fn change_lines(&self, name: &str, change: impl FnOnce(&mut Vec<Value>)) {
        let compressed = self.folder.join(format!("{name}.jsonl.gz"));
        let changed = self.folder.join(format!("{name}.jsonl"));
        let path = if changed.exists() {
            changed
        } else {
            compressed.clone()
        };
        let text = String::from_utf8(Vectors::read(&path)).unwrap();
        let mut lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        change(&mut lines);
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        let _ = fs::remove_file(compressed);
        self.write(&format!("{name}.jsonl"), &lines.join("\n"));
    }

    /// Keeps some of the lines of `NAME.jsonl.gz`, by their position, without reading them.
    pub(crate) fn keep_lines(&self, name: &str, keep: impl Fn(u64) -> bool) {
        let compressed = self.folder.join(format!("{name}.jsonl.gz"));
        let text = String::from_utf8(Vectors::read(&compressed)).unwrap();
        let lines = (0..).zip(text.lines());
        let kept: Vec<&str> = lines
            .filter(|(index, _)| keep(*index))
            .map(|(_, line)| line)
            .collect();
        fs::remove_file(compressed).unwrap();
        self.write(&format!("{name}.jsonl"), &kept.join("\n"));
    }

    /// Changes a JSON file.
    pub(crate) fn change_json(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut json = serde_json::from_slice(&Vectors::read(&self.folder.join(name))).unwrap();
        change(&mut json);
        self.write(name, &json.to_string());
    }

    /// Takes a file of the chain as it was.
    pub(crate) fn restore(&self, vectors: &Vectors, chain: &str, name: &str) {
        fs::copy(vectors.path(chain).join(name), self.folder.join(name)).unwrap();
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
