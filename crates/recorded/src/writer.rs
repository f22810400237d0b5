//! Writing the folder of a recorded chain.
//!
//! It is made under another name, and has its own only when it is whole. Lines are compressed as they
//! come, so that as little is in memory as a line.

use crate::{
    recording::{RecordedL2Block, RecordedPayload},
    start::Start,
};
use alloy_primitives::{B256, Bytes, hex};
use doppio_protocol::{blob::Blob, block::BlockId};
use doppio_verify::BlockJson;
use flate2::{Compression, write::GzEncoder};
use serde::Serialize;
use std::{
    fs::{self, File},
    io::{self, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
};
use thiserror::Error;

/// Why a recording cannot be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// A file or folder cannot be written.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        error: io::Error,
    },
    /// There is something under the recording's name already.
    #[error("{} is there already; give another folder, or remove it", .0.display())]
    Exists(PathBuf),
}

/// What a folder may hold that was left unfinished.
const FILES: [&str; 9] = [
    "rollup.json",
    "profile.json",
    "l1-chain-config.json",
    "start.json",
    "l1.jsonl.gz",
    "blobs.jsonl.gz",
    "payloads.jsonl.gz",
    "l2.jsonl.gz",
    "safe.jsonl.gz",
];

/// A file of JSON lines, which is made when its first line comes.
struct Lines {
    path: PathBuf,
    file: Option<GzEncoder<BufWriter<File>>>,
}

impl Lines {
    fn new(folder: &Path, name: &str) -> Self {
        Self {
            path: folder.join(format!("{name}.jsonl.gz")),
            file: None,
        }
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), WriteError> {
        self.try_write(line).map_err(|error| WriteError::Io {
            path: self.path.clone(),
            error,
        })
    }

    fn try_write(&mut self, line: &impl Serialize) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = BufWriter::new(File::create(&self.path)?);
                none.insert(GzEncoder::new(file, Compression::default()))
            }
        };
        serde_json::to_writer(&mut *file, line)?;
        file.write_all(b"\n")
    }

    fn finish(self) -> Result<(), WriteError> {
        let Some(file) = self.file else {
            return Ok(());
        };
        let finish = || file.finish()?.into_inner()?.sync_all();
        finish().map_err(|error| WriteError::Io {
            path: self.path,
            error,
        })
    }
}

/// The folder of a recorded chain that is being written.
pub struct RecordingWriter {
    folder: PathBuf,
    partial: PathBuf,
    l1: Lines,
    blobs: Lines,
    payloads: Lines,
    l2: Lines,
    safe: Lines,
}

impl core::fmt::Debug for RecordingWriter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RecordingWriter")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct BlobLine<'a> {
    block: u64,
    versioned_hash: B256,
    blob: &'a str,
}

#[derive(Serialize)]
struct PayloadLine<'a> {
    block: u64,
    commitment: &'a Bytes,
    #[serde(flatten)]
    answer: &'a RecordedPayload,
}

#[derive(Serialize)]
struct SafeLine {
    l1: u64,
    safe: BlockId,
}

impl RecordingWriter {
    /// Begins a recording. What an earlier attempt left unfinished is removed.
    ///
    /// # Errors
    ///
    /// If there is a recording of that name, or files cannot be made.
    pub fn create(folder: &Path) -> Result<Self, WriteError> {
        if folder.exists() {
            return Err(WriteError::Exists(folder.to_owned()));
        }
        let mut partial = folder.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let io = |error| WriteError::Io {
            path: partial.clone(),
            error,
        };
        fs::create_dir_all(&partial).map_err(io)?;
        for name in FILES {
            match fs::remove_file(partial.join(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
                _ => {}
            }
        }
        let lines = |name| Lines::new(&partial, name);
        Ok(Self {
            folder: folder.to_owned(),
            l1: lines("l1"),
            blobs: lines("blobs"),
            payloads: lines("payloads"),
            l2: lines("l2"),
            safe: lines("safe"),
            partial,
        })
    }

    /// Writes a file of text: `rollup.json`, `profile.json`, `l1-chain-config.json`.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn text(&self, name: &str, text: &str) -> Result<(), WriteError> {
        let path = self.partial.join(name);
        fs::write(&path, text).map_err(|error| WriteError::Io { path, error })
    }

    /// Says where derivation begins, if not at genesis.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn start(&self, start: &Start) -> Result<(), WriteError> {
        // derived serialisation of plain data has no way to fail
        let json = serde_json::to_string_pretty(start).unwrap_or_default();
        self.text("start.json", &json)
    }

    /// Takes an L1 block. They come in order, without gaps.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn l1_block(&mut self, block: &BlockJson) -> Result<(), WriteError> {
        self.l1.write(block)
    }

    /// Takes a blob of an L1 block.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn blob(
        &mut self,
        block: u64,
        versioned_hash: B256,
        blob: &Blob,
    ) -> Result<(), WriteError> {
        let blob = hex::encode_prefixed(blob);
        self.blobs.write(&BlobLine {
            block,
            versioned_hash,
            blob: &blob,
        })
    }

    /// Takes what is behind a commitment in an L1 block.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn payload(
        &mut self,
        block: u64,
        commitment: &Bytes,
        answer: &RecordedPayload,
    ) -> Result<(), WriteError> {
        self.payloads.write(&PayloadLine {
            block,
            commitment,
            answer,
        })
    }

    /// Takes an L2 block.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn l2_block(&mut self, block: &RecordedL2Block) -> Result<(), WriteError> {
        self.l2.write(block)
    }

    /// Takes the safe head once an L1 block had been derived.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn safe_head(&mut self, l1: u64, safe: BlockId) -> Result<(), WriteError> {
        self.safe.write(&SafeLine { l1, safe })
    }

    /// Ends the recording, which has its name from now on.
    ///
    /// # Errors
    ///
    /// If something cannot be written.
    pub fn finish(self) -> Result<(), WriteError> {
        for lines in [self.l1, self.blobs, self.payloads, self.l2, self.safe] {
            lines.finish()?;
        }
        fs::rename(&self.partial, &self.folder).map_err(|error| WriteError::Io {
            path: self.folder,
            error,
        })
    }
}
