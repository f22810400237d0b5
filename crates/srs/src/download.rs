//! A file, piece by piece.

use crate::SrsFile;
use core::time::Duration;
use doppio_rpc::{Http, HttpError, Target, UrlError};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};
use thiserror::Error;

/// What is asked for at once: a slow line brings it in time, and little is asked for twice.
const PIECE: u64 = 1 << 20;
/// HTTP's status of a part.
const PARTIAL: u16 = 206;

/// How long to wait, and how often to try again.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one piece.
    pub piece: Duration,
    /// Attempts in a row that may fail.
    pub attempts: u32,
    /// After the first failure; it doubles with each further one.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            piece: Duration::from_secs(60),
            attempts: 6,
            pause: Duration::from_secs(1),
        }
    }
}

/// Why there is no file.
#[derive(Debug, Error)]
pub enum BringError {
    /// The URL is none.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The disk.
    #[error("{path}: {error}")]
    Disk {
        /// Of the file.
        path: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// The server did not answer, or broke off, too often in a row. What has come stays for the next
    /// time.
    #[error("{name}, after {have} of {all} bytes: {error}")]
    Http {
        /// Of the file.
        name: &'static str,
        /// Bytes on disk.
        have: u64,
        /// Bytes of the file.
        all: u64,
        /// The last failure.
        error: HttpError,
    },
    /// The server answered with something else than the piece.
    #[error(
        "{name}: the server answered with status {status} and {found} bytes, not with {expected} from byte {from} on"
    )]
    Answer {
        /// Of the file.
        name: &'static str,
        /// HTTP's status.
        status: u16,
        /// Bytes that came.
        found: u64,
        /// Bytes that were asked for.
        expected: u64,
        /// From which byte on.
        from: u64,
    },
    /// What came is another file. It was removed.
    #[error("{0} has another digest than the ceremony's; it was removed")]
    Digest(&'static str),
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> BringError {
    |error| BringError::Disk {
        path: path.to_owned(),
        error,
    }
}

/// Downloads a file from below `base` into a folder, unless it is there. `progress` is told how many of
/// how many bytes there are.
///
/// # Errors
///
/// If the server does not answer, answers something else, or the content is another.
pub async fn bring(
    http: &Http,
    base: &str,
    file: &SrsFile,
    folder: &Path,
    patience: Patience,
    mut progress: impl FnMut(u64, u64),
) -> Result<PathBuf, BringError> {
    let path = folder.join(file.name);
    if path.exists() {
        return if is_meant(&path, file)? {
            Ok(path)
        } else {
            Err(BringError::Digest(file.name)).inspect_err(|_| drop(fs::remove_file(&path)))
        };
    }
    fs::create_dir_all(folder).map_err(disk(folder))?;
    let part = folder.join(format!("{}.part", file.name));
    let mut to = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&part)
        .map_err(disk(&part))?;
    let mut have = to.metadata().map_err(disk(&part))?.len();
    let all = file.bytes();
    if have > all {
        to.set_len(0).map_err(disk(&part))?;
        have = 0;
    }
    progress(have, all);
    while have < all {
        let length = PIECE.min(all - have);
        let piece = piece(http, base, file, (have, length), patience).await?;
        to.write_all(&piece).map_err(disk(&part))?;
        have += length;
        progress(have, all);
    }
    to.sync_all().map_err(disk(&part))?;
    drop(to);
    if !is_meant(&part, file)? {
        fs::remove_file(&part).map_err(disk(&part))?;
        return Err(BringError::Digest(file.name));
    }
    fs::rename(&part, &path).map_err(disk(&path))?;
    Ok(path)
}

/// A piece, however often it breaks off.
async fn piece(
    http: &Http,
    base: &str,
    file: &SrsFile,
    (from, length): (u64, u64),
    patience: Patience,
) -> Result<Vec<u8>, BringError> {
    let range = format!("Range: bytes={from}-{}", from + length - 1);
    let target = Target::parse(base)?.with_header(&range)?;
    let path = format!("/{}", file.name);
    // one byte more, so that a longer answer is seen to be one
    let limit = usize::try_from(length)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    let mut pause = patience.pause;
    let mut left = patience.attempts;
    loop {
        left = left.saturating_sub(1);
        let error = match http.get(&target, &path, limit, patience.piece).await {
            Ok(answer) => {
                let found = answer.body.len() as u64;
                let status = answer.status.as_u16();
                if (status, found) == (PARTIAL, length) {
                    return Ok(answer.body.to_vec());
                }
                // a server in trouble may be better soon; another answer stays
                if !answer.status.is_server_error() || left == 0 {
                    return Err(BringError::Answer {
                        name: file.name,
                        status,
                        found,
                        expected: length,
                        from,
                    });
                }
                None
            }
            Err(error) => Some(error),
        };
        if let (0, Some(error)) = (left, error) {
            return Err(BringError::Http {
                name: file.name,
                have: from,
                all: file.bytes(),
                error,
            });
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2);
    }
}

/// Whether a file has the length and digest that are meant.
fn is_meant(path: &Path, file: &SrsFile) -> Result<bool, BringError> {
    let mut from = File::open(path).map_err(disk(path))?;
    if from.metadata().map_err(disk(path))?.len() != file.bytes() {
        return Ok(false);
    }
    let mut hash = Sha256::new();
    let mut run = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut run).map_err(disk(path))?;
        match run.get(..read) {
            None | Some([]) => break,
            Some(bytes) => hash.update(bytes),
        }
    }
    Ok(<[u8; 32]>::from(hash.finalize()) == file.digest.sha256)
}
