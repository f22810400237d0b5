//! Tests about the repository itself: what its crates may depend on, and whether every rule that
//! we implement is written down, implemented and tested. They are in `tests/`; here is what they
//! share.

pub mod rules;
pub mod sheet;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A source file: its path from the root, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Path from the root, with slashes.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// All Rust sources of the workspace's crates, sorted by path.
pub fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in ["bin", "crates"] {
        collect(&root().join(folder), folder, &mut sources);
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn collect(folder: &Path, name: &str, sources: &mut Vec<Source>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let path = entry.path();
        let file_name = entry.file_name();
        let name = format!("{name}/{}", file_name.to_string_lossy());
        if path.is_dir() {
            collect(&path, &name, sources);
        } else if name.ends_with(".rs")
            && let Ok(text) = fs::read_to_string(&path)
        {
            sources.push(Source { path: name, text });
        }
    }
}

impl Source {
    /// Whether the file is code that runs in production, not a test, benchmark or example.
    pub fn is_production(&self) -> bool {
        !["/tests/", "/benches/", "/examples/", "/tests.rs"]
            .iter()
            .any(|part| self.path.contains(part))
    }
}
