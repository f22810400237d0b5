//! Where anvil and supersim are.

use std::{
    env::{
        self,
        consts::{ARCH, OS},
    },
    path::{Path, PathBuf},
};
use thiserror::Error;

/// The environment variable that names a folder of other people's programs.
pub const PEERS_VARIABLE: &str = "DOPPIO_PEERS";

/// The programs that an L1 is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// anvil's executable.
    pub anvil: PathBuf,
    /// supersim's executable. It is never run: the contracts are read out of it.
    pub supersim: PathBuf,
}

/// A program is missing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{} is missing: run `npm ci --ignore-scripts` in the repository's folder{}",
    path.display(), other_platform()
)]
pub struct ProgramsError {
    /// Where it was looked for.
    pub path: PathBuf,
}

/// What to do where npm has no anvil.
fn other_platform() -> String {
    if (OS, ARCH) == ("linux", "x86_64") {
        return String::new();
    }
    format!(
        ". package-lock.json has anvil for Linux on x86-64 only: on {OS} on {ARCH}, set \
         {PEERS_VARIABLE} to a folder that has anvil and supersim"
    )
}

impl Programs {
    /// The programs that npm installed: in `node_modules` of this folder or of one above it. Where
    /// there are none, those in the folder that `DOPPIO_PEERS` names.
    ///
    /// # Errors
    ///
    /// If a program is missing, with the command that installs it.
    pub fn find() -> Result<Self, ProgramsError> {
        let here = env::current_dir().unwrap_or_default();
        let mut missing = None;
        for folder in here.ancestors() {
            let modules = folder.join("node_modules");
            match Self::npm(&modules) {
                Ok(programs) => return Ok(programs),
                // A folder that has some of it says more than the one that was begun with.
                Err(error) if modules.is_dir() => {
                    missing.get_or_insert(error);
                }
                Err(_) => {}
            }
        }
        if let Some(folder) = env::var_os(PEERS_VARIABLE)
            && let Ok(programs) = Self::in_folder(Path::new(&folder))
        {
            return Ok(programs);
        }
        Err(missing.unwrap_or_else(|| ProgramsError {
            path: here.join("node_modules"),
        }))
    }

    /// The programs in a folder `node_modules`.
    ///
    /// # Errors
    ///
    /// If a program is missing.
    pub fn npm(modules: &Path) -> Result<Self, ProgramsError> {
        Self {
            anvil: modules.join(format!("@foundry-rs/anvil-{}/bin/anvil", platform())),
            supersim: modules.join("supersim/bin/supersim"),
        }
        .checked()
    }

    /// The programs `anvil` and `supersim` in a folder.
    ///
    /// # Errors
    ///
    /// If a program is missing.
    pub fn in_folder(folder: &Path) -> Result<Self, ProgramsError> {
        Self {
            anvil: folder.join("anvil"),
            supersim: folder.join("supersim"),
        }
        .checked()
    }

    fn checked(self) -> Result<Self, ProgramsError> {
        for path in [&self.anvil, &self.supersim] {
            if !path.is_file() {
                return Err(ProgramsError { path: path.clone() });
            }
        }
        Ok(self)
    }
}

/// This machine, as the names of npm's packages have it.
fn platform() -> String {
    let os = match OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    let arch = match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{os}-{arch}")
}
