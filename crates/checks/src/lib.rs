//! Start-up checks of every role: what was looked at, what was found, and what to do about it.
//!
//! `--check` runs them all and prints them; a start stops if one fails. What is checked is the roles'
//! own business: a [`Check`] only says what came of it.

use std::fmt;
use thiserror::Error;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It holds.
    Good,
    /// It may become a problem.
    Warning,
    /// The role must not start.
    Failure,
}

/// A check, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub severity: Severity,
    /// What was found.
    pub found: String,
    /// What to do about it; empty if nothing.
    pub remedy: String,
}

impl Check {
    /// It holds.
    pub fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            severity: Severity::Good,
            found: found.into(),
            remedy: String::new(),
        }
    }

    /// It may become a problem.
    pub fn warning(
        name: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::failure(name, found, remedy)
        }
    }

    /// It does not hold.
    pub fn failure(
        name: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            name,
            severity: Severity::Failure,
            found: found.into(),
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.found)?;
        if !self.remedy.is_empty() {
            write!(f, ". {}", self.remedy)?;
        }
        Ok(())
    }
}

/// A check that failed.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct CheckFailure(pub Check);

/// The first check that failed.
///
/// # Errors
///
/// That one.
pub fn verdict(checks: &[Check]) -> Result<(), CheckFailure> {
    let failed = checks
        .iter()
        .find(|check| check.severity == Severity::Failure);
    failed.map_or(Ok(()), |check| Err(CheckFailure(check.clone())))
}
