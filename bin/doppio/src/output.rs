//! Where words go: results to stdout, talk to stderr.

use std::{
    error::Error,
    io::{self, Write},
};

/// A command's failure.
pub(crate) type CommandError = Box<dyn Error>;

/// Writes a line of a result. A reader that has gone away is no failure of ours.
pub(crate) fn line(text: impl AsRef<str>) {
    let _ = writeln!(io::stdout().lock(), "{}", text.as_ref());
}

/// Writes a line of talk.
pub(crate) fn note(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
}

/// Writes a failure and what caused it.
pub(crate) fn error(error: &dyn Error) {
    note(format!("error: {error}"));
    let mut source = error.source();
    while let Some(cause) = source {
        note(format!("  caused by: {cause}"));
        source = cause.source();
    }
}
