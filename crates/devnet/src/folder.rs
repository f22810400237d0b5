//! A folder for what an L1 writes.

use crate::DevnetError;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

/// A folder; removed when dropped, unless it was somebody else's.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    is_own: bool,
}

impl Folder {
    /// The folder `path`, or a new one for temporary files.
    pub(crate) fn new(path: Option<PathBuf>) -> Result<Self, DevnetError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let folder = match path {
            Some(path) => Self {
                path,
                is_own: false,
            },
            None => {
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let name = format!("doppio-devnet-{}-{number}", process::id());
                Self {
                    path: env::temp_dir().join(name),
                    is_own: true,
                }
            }
        };
        fs::create_dir_all(&folder.path).map_err(DevnetError::io(&folder.path))?;
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its path, if it is to be removed.
    pub(crate) fn temporary(&self) -> Option<&Path> {
        self.is_own.then_some(&*self.path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_own {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Writes a file; its path.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf, DevnetError> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(DevnetError::io(&path))?;
    Ok(path)
}

/// Writes a file that is there as a whole or not at all, whenever this process ends.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), DevnetError> {
    let partial = path.with_added_extension("partial");
    fs::write(&partial, content).map_err(DevnetError::io(&partial))?;
    fs::rename(&partial, path).map_err(DevnetError::io(path))
}
