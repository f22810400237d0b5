//! A devnet's folder: who may use it, whether it has a chain already, and where what is.
//!
//! ```text
//! DIR/devnet.json      addresses, keys, URLs and commands, for programs
//! DIR/chain/           rollup.json, genesis.json, l1-chain-config.json, jwt
//! DIR/l1/ DIR/node/ …  what each role keeps
//! DIR/logs/            a log for each role
//! DIR/lock             held while a devnet runs here
//! ```

use super::{NetworkError, roles::Role};
use crate::DevnetError;
use std::{
    fs::{self, File, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    process,
};

/// What a devnet's folder may have in it besides the roles' folders.
const OWN: [&str; 4] = ["lock", "devnet.json", "chain", "logs"];

/// Where what is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    folder: PathBuf,
}

impl Layout {
    pub(crate) fn of(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// For programs.
    pub(crate) fn description(&self) -> PathBuf {
        self.folder.join("devnet.json")
    }

    /// The chain's files.
    pub(crate) fn chain(&self) -> PathBuf {
        self.folder.join("chain")
    }

    /// One of them, as a flag has it.
    pub(crate) fn chain_file(&self, name: &str) -> String {
        self.chain().join(name).display().to_string()
    }

    /// What a role keeps.
    pub(crate) fn data(&self, role: Role) -> PathBuf {
        self.folder.join(role.name())
    }

    pub(crate) fn log(&self, role: Role) -> PathBuf {
        self.folder.join("logs").join(format!("{role}.log"))
    }
}

/// A devnet's folder, which is this process's as long as it lives.
#[derive(Debug)]
pub(crate) struct NetworkFolder {
    pub(crate) layout: Layout,
    /// There is a chain, which goes on.
    pub(crate) goes_on: bool,
    /// Open, and so locked.
    _lock: File,
}

impl NetworkFolder {
    /// Takes a folder. What is there goes on, unless it is to `begin_anew`.
    pub(crate) fn take(folder: &Path, begin_anew: bool) -> Result<Self, NetworkError> {
        let folder = std::path::absolute(folder).map_err(DevnetError::io(folder))?;
        let layout = Layout::of(&folder);
        check(&layout)?;
        fs::create_dir_all(folder.join("logs")).map_err(DevnetError::io(&folder))?;
        let lock = lock(&folder)?;
        if begin_anew {
            let roles = Role::ALL.map(|role| layout.data(role));
            for path in roles
                .into_iter()
                .chain([layout.chain(), folder.join("logs")])
            {
                if path.exists() {
                    fs::remove_dir_all(&path).map_err(DevnetError::io(&path))?;
                }
            }
            fs::create_dir_all(folder.join("logs")).map_err(DevnetError::io(&folder))?;
            // it may not be there
            let _ = fs::remove_file(layout.description());
        }
        // it is the last file of the chain to be written
        let goes_on = layout.chain().join("rollup.json").exists();
        let state = layout.data(Role::L1).join("state.json");
        if goes_on && !state.exists() {
            return Err(NetworkError::Lost {
                missing: state,
                folder,
            });
        }
        Ok(Self {
            layout,
            goes_on,
            _lock: lock,
        })
    }
}

/// A folder with something else in it is not touched.
fn check(layout: &Layout) -> Result<(), NetworkError> {
    let folder = layout.folder();
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    let roles = Role::ALL.map(Role::name);
    let is_foreign = entries.flatten().any(|entry| {
        let name = entry.file_name();
        let is = |own: &&str| name.to_str() == Some(*own);
        !OWN.iter().chain(&roles).any(is)
    });
    if is_foreign && !layout.description().exists() {
        return Err(NetworkError::NotOurs(folder.to_owned()));
    }
    Ok(())
}

fn lock(folder: &Path) -> Result<File, NetworkError> {
    let path = folder.join("lock");
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(DevnetError::io(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut process = String::new();
            let _ = file.take(20).read_to_string(&mut process);
            return Err(NetworkError::Locked {
                folder: folder.to_owned(),
                process,
            });
        }
        Err(TryLockError::Error(error)) => return Err(DevnetError::io(&path)(error).into()),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| write!(file, "{}", process::id()))
        .map_err(DevnetError::io(&path))?;
    Ok(file)
}

/// The end of a log.
pub(crate) fn tail(log: &Path) -> String {
    const LINES: usize = 15;
    const BYTES: u64 = 16_384;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(std::io::SeekFrom::Start(length.saturating_sub(BYTES)))?;
        let mut bytes = Vec::new();
        file.take(BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = String::from_utf8_lossy(&read().unwrap_or_default()).into_owned();
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    lines.get(from..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("doppio-{}-{name}", process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn a_folder_is_one_devnets_and_a_strangers_is_not_touched() {
        let path = empty("folder");
        let first = NetworkFolder::take(&path, false).unwrap();
        assert!(!first.goes_on);
        let error = NetworkFolder::take(&path, false).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&process::id().to_string()), "{text}");
        drop(first);
        // a chain without its L1
        let layout = Layout::of(&path);
        fs::create_dir_all(layout.chain()).unwrap();
        fs::write(layout.chain().join("rollup.json"), "{}").unwrap();
        let error = NetworkFolder::take(&path, false).unwrap_err();
        assert!(matches!(error, NetworkError::Lost { .. }), "{error}");
        fs::create_dir_all(layout.data(Role::L1)).unwrap();
        fs::write(layout.data(Role::L1).join("state.json"), "{}").unwrap();
        assert!(NetworkFolder::take(&path, false).unwrap().goes_on);
        // anew
        assert!(!NetworkFolder::take(&path, true).unwrap().goes_on);
        assert!(!layout.chain().exists());
        fs::write(path.join("thesis.tex"), "").unwrap();
        let error = NetworkFolder::take(&path, true).unwrap_err();
        assert!(matches!(error, NetworkError::NotOurs(_)), "{error}");
        assert!(path.join("thesis.tex").exists());
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn the_end_of_a_log_is_its_last_lines() {
        let path = empty("log");
        let text: String = (0..3000).map(|line| format!("line {line}\n")).collect();
        fs::write(&path, text).unwrap();
        let tail = tail(&path);
        assert!(
            tail.starts_with("line 2985\n") && tail.ends_with("line 2999"),
            "{tail}"
        );
        fs::remove_file(path).unwrap();
    }
}
