//! Where tests find genuine data, and what happens when it is not there.
//!
//! The vectors are large and are not part of this repository. Tests look for them in the folder
//! that `DOPPIO_VECTORS` names, by default `../shared/vectors` beside the repository. Where there
//! is none, a test that needs them says so past the test harness, on the real stderr, and ends:
//! whoever reads the output of `cargo test` sees what was not tested.
//!
//! For tests only; files are trusted, and a damaged one panics.

use serde_json::Value;
use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
};

/// The environment variable that names the folder.
pub const VARIABLE: &str = "DOPPIO_VECTORS";

/// A folder of vectors.
#[derive(Clone, Debug)]
pub struct Vectors {
    folder: PathBuf,
}

impl Vectors {
    /// The folder `name` of the vectors, for example `opstack` or `recorded`; none, and said
    /// loudly, if it is absent.
    pub fn find(name: &str) -> Option<Self> {
        let root = std::env::var_os(VARIABLE).map_or_else(default_root, PathBuf::from);
        let folder = root.join(name);
        if folder.is_dir() {
            return Some(Self { folder });
        }
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        // not through `eprintln!`, which the test harness swallows
        let _ = writeln!(
            std::io::stderr(),
            "\n*** NOT TESTED: {test} needs {}; set {VARIABLE} to the folder of the vectors ***",
            folder.display()
        );
        None
    }

    /// The path of a file or folder in it.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join(name)
    }

    /// The names of what is in the folder `name`, sorted; `""` is the folder itself.
    pub fn list(&self, name: impl AsRef<Path>) -> Vec<String> {
        let path = self.path(name);
        let entries =
            std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut names: Vec<String> = entries
            .map(|entry| {
                let name = entry.map(|entry| entry.file_name());
                let name = name.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                name.to_string_lossy().into_owned()
            })
            .collect();
        names.sort();
        names
    }

    /// The bytes of a file; decompressed if its name ends in `.gz`.
    pub fn bytes(&self, name: impl AsRef<Path>) -> Vec<u8> {
        Self::read(&self.path(name))
    }

    /// The bytes of the file at a path; decompressed if its name ends in `.gz`.
    pub fn read(path: &Path) -> Vec<u8> {
        let read = || {
            let bytes = std::fs::read(path)?;
            if path.extension().is_none_or(|extension| extension != "gz") {
                return Ok(bytes);
            }
            let mut plain = Vec::new();
            flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain)?;
            Ok::<_, std::io::Error>(plain)
        };
        read().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The text of a file; decompressed if its name ends in `.gz`.
    pub fn text(&self, name: impl AsRef<Path>) -> String {
        let path = self.path(&name);
        String::from_utf8(self.bytes(name))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The JSON of a file; decompressed if its name ends in `.gz`.
    pub fn json(&self, name: impl AsRef<Path>) -> Value {
        let path = self.path(&name);
        serde_json::from_slice(&self.bytes(name))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The JSON of a file, in which numbers of more digits than a float has stand as strings.
    pub fn exact_json(&self, name: impl AsRef<Path>) -> Value {
        let (mut quoted, mut digits) = (String::new(), String::new());
        let mut in_string = false;
        for c in self.text(&name).chars() {
            if !in_string && c.is_ascii_digit() {
                digits.push(c);
                continue;
            }
            let mark = if digits.len() > 15 { "\"" } else { "" };
            quoted.extend([mark, &digits, mark]);
            digits.clear();
            in_string ^= c == '"';
            quoted.push(c);
        }
        serde_json::from_str(&quoted)
            .unwrap_or_else(|error| panic!("{}: {error}", self.path(name).display()))
    }
}

/// `../shared/vectors` beside the repository.
fn default_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors")
}
