//! Files of JSON lines, compressed or not.

use crate::recording::RecordingError;
use flate2::read::MultiGzDecoder;
use serde::de::DeserializeOwned;
use std::{
    fs::File,
    io::{BufRead, BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

/// Longest line that is read: an L1 block full of calldata is a few megabytes of hexadecimal.
const MAX_LINE: u64 = 256 << 20;

/// The lines of `NAME.jsonl.gz`, or of `NAME.jsonl`.
pub(crate) struct Lines<T> {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    line: u64,
    buffer: Vec<u8>,
    item: core::marker::PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Lines<T> {
    /// Opens a file of the folder; none if it has no such file.
    pub(crate) fn open(folder: &Path, name: &str) -> Result<Option<Self>, RecordingError> {
        for (suffix, compressed) in [("jsonl.gz", true), ("jsonl", false)] {
            let path = folder.join(format!("{name}.{suffix}"));
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(RecordingError::Io { path, error }),
            };
            let reader: Box<dyn BufRead + Send> = if compressed {
                Box::new(BufReader::with_capacity(1 << 18, MultiGzDecoder::new(file)))
            } else {
                Box::new(BufReader::with_capacity(1 << 18, file))
            };
            let (line, buffer) = (0, Vec::new());
            return Ok(Some(Self {
                path,
                reader,
                line,
                buffer,
                item: core::marker::PhantomData,
            }));
        }
        Ok(None)
    }

    fn read_line(&mut self) -> Result<Option<T>, RecordingError> {
        self.line += 1;
        self.buffer.clear();
        let mut limited = (&mut self.reader).take(MAX_LINE);
        limited
            .read_until(b'\n', &mut self.buffer)
            .map_err(|error| RecordingError::Io {
                path: self.path.clone(),
                error,
            })?;
        if self.buffer.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&self.buffer)
            .map(Some)
            .map_err(|error| RecordingError::Json {
                path: self.path.clone(),
                line: self.line,
                error,
            })
    }
}

impl<T: DeserializeOwned> Iterator for Lines<T> {
    type Item = Result<T, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read_line().transpose()
    }
}

/// The text of a file; none if the folder has no such file.
pub(crate) fn read_text(folder: &Path, name: &str) -> Result<Option<String>, RecordingError> {
    let path = folder.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(RecordingError::Io { path, error }),
    }
}

/// The text of `NAME.gz`, or of `NAME`; none if the folder has neither.
pub(crate) fn read_compressed_text(
    folder: &Path,
    name: &str,
) -> Result<Option<String>, RecordingError> {
    let path = folder.join(format!("{name}.gz"));
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return read_text(folder, name),
        Err(error) => return Err(RecordingError::Io { path, error }),
    };
    let mut text = String::new();
    MultiGzDecoder::new(BufReader::new(file))
        .take(MAX_LINE)
        .read_to_string(&mut text)
        .map_err(|error| RecordingError::Io { path, error })?;
    Ok(Some(text))
}
