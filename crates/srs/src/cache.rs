//! Points from disk: from the cache, or from the file, of which a cache is made then.

use crate::SrsFile;
use doppio_bn254::srs::{G1Srs, G2Srs, SrsError};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// Why there are no points.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The disk.
    #[error("{path}: {error}")]
    Disk {
        /// Of the file.
        path: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// The file is not the one that is meant.
    #[error("{path}: {error}")]
    Srs {
        /// Of the file.
        path: PathBuf,
        /// What is wrong.
        error: SrsError,
    },
}

/// Reads a file of G1 that [`bring`](crate::bring) brought.
///
/// # Errors
///
/// If it is not there, or is another.
pub fn g1(folder: &Path, file: &SrsFile) -> Result<G1Srs, ReadError> {
    let from_cache = |bytes: &[u8]| G1Srs::from_cache(bytes, &file.digest);
    let from_file = |bytes: &[u8]| G1Srs::from_compressed(bytes, &file.digest);
    read(folder, file, from_cache, from_file, G1Srs::to_cache)
}

/// Reads a file of G2 that [`bring`](crate::bring) brought.
///
/// # Errors
///
/// If it is not there, or is another.
pub fn g2(folder: &Path, file: &SrsFile) -> Result<G2Srs, ReadError> {
    let from_cache = |bytes: &[u8]| G2Srs::from_cache(bytes, &file.digest);
    let from_file = |bytes: &[u8]| G2Srs::from_compressed(bytes, &file.digest);
    read(folder, file, from_cache, from_file, G2Srs::to_cache)
}

fn read<S>(
    folder: &Path,
    file: &SrsFile,
    from_cache: impl Fn(&[u8]) -> Result<S, SrsError>,
    from_file: impl Fn(&[u8]) -> Result<S, SrsError>,
    to_cache: impl Fn(&S) -> Vec<u8>,
) -> Result<S, ReadError> {
    let cache = folder.join(format!("{}.cache", file.name));
    // a cache that is damaged is as good as none
    if let Some(srs) = fs::read(&cache)
        .ok()
        .and_then(|bytes| from_cache(&bytes).ok())
    {
        return Ok(srs);
    }
    let path = folder.join(file.name);
    let bytes = fs::read(&path).map_err(|error| ReadError::Disk {
        path: path.clone(),
        error,
    })?;
    let srs = from_file(&bytes).map_err(|error| ReadError::Srs { path, error })?;
    // under another name first: whoever reads meanwhile sees all of it, or nothing
    let part = folder.join(format!("{}.cache.part", file.name));
    let disk = |error| ReadError::Disk {
        path: cache.clone(),
        error,
    };
    fs::write(&part, to_cache(&srs)).map_err(disk)?;
    fs::rename(&part, &cache).map_err(disk)?;
    Ok(srs)
}
