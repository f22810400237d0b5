//! anvil and supersim, from npm: at the versions that this repository's lock file names.

use super::NetworkError;
use crate::{DevnetError, Programs};
use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
};

/// What npm is given. The lock file has versions and hashes, and no server.
const FILES: [(&str, &str); 3] = [
    ("package.json", include_str!("../../../../package.json")),
    (
        "package-lock.json",
        include_str!("../../../../package-lock.json"),
    ),
    (".npmrc", include_str!("../../../../.npmrc")),
];
/// What npm is told.
const ARGUMENTS: [&str; 2] = ["ci", "--ignore-scripts"];

/// The programs: those of the repository or of `DOPPIO_PEERS`, or else those in the folder `npm` of
/// `home`, where npm brings them. `say` is told when that takes its time.
pub(crate) fn programs(home: &Path, say: &mut dyn FnMut(&str)) -> Result<Programs, NetworkError> {
    if let Ok(programs) = Programs::find() {
        return Ok(programs);
    }
    let home = std::path::absolute(home).map_err(DevnetError::io(home))?;
    let folder = home.join("npm");
    let modules = folder.join("node_modules");
    fs::create_dir_all(&folder).map_err(DevnetError::io(&folder))?;
    // two devnets may want them at once
    let lock = folder.join("lock");
    let lock_file = File::create(&lock).map_err(DevnetError::io(&lock))?;
    lock_file.lock().map_err(DevnetError::io(&lock))?;
    if is_as_locked(&folder)
        && let Ok(programs) = Programs::npm(&modules)
    {
        return Ok(programs);
    }
    say("anvil and supersim are fetched from npm, once (28 MB)");
    for (name, text) in FILES {
        let path = folder.join(name);
        fs::write(&path, text).map_err(DevnetError::io(&path))?;
    }
    install("npm", &folder)?;
    Ok(Programs::npm(&modules)?)
}

/// Whether what is installed is what the lock file has now.
fn is_as_locked(folder: &Path) -> bool {
    FILES
        .iter()
        .all(|(name, text)| fs::read_to_string(folder.join(name)).is_ok_and(|found| found == *text))
}

/// Runs npm.
fn install(npm: &str, folder: &Path) -> Result<(), NetworkError> {
    let failed = |reason: String| NetworkError::Npm {
        command: format!("npm {}", ARGUMENTS.join(" ")),
        folder: folder.to_owned(),
        reason,
    };
    let output = Command::new(npm)
        .args(ARGUMENTS)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    // What is not there completely must not look as if it were.
    let _ = fs::remove_dir_all(folder.join("node_modules"));
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.contains("error"))
        .take(4)
        .collect();
    Err(failed(format!(
        "failed ({}): {}",
        output.status,
        lines.join("; ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_lock_file_names_hashes_and_no_server() {
        let [_, (_, lock), (_, npmrc)] = FILES;
        assert!(
            !lock.contains("resolved") && lock.contains("sha512-"),
            "{lock}"
        );
        assert!(!npmrc.contains("http") && npmrc.contains("omit-lockfile-registry-resolved=true"));
        let lock: Value = serde_json::from_str(lock).unwrap();
        let package: Value = serde_json::from_str(FILES[0].1).unwrap();
        assert_eq!(
            lock["packages"][""]["dependencies"],
            package["dependencies"]
        );
    }

    #[test]
    fn without_npm_the_remedy_is_named() {
        let folder = std::env::temp_dir();
        let error = install("/nowhere/npm", &folder).unwrap_err().to_string();
        assert!(error.contains("npm ci --ignore-scripts"), "{error}");
        assert!(
            error.contains("Node.js") && error.contains("DOPPIO_PEERS"),
            "{error}"
        );
    }
}
