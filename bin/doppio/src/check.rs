//! `--check` of every role: what can be looked at on this machine, and how checks are printed.

use crate::output::{self, CommandError};
use doppio_checks::{Check, Severity, verdict};
use doppio_rpc::JwtSecret;
use std::{
    fs,
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::ExitCode,
};
use tracing::{error, info, warn};

/// Prints checks with their remedies; success if the role would start.
pub(crate) fn print(checks: &[Check]) -> ExitCode {
    for check in checks {
        let mark = match check.severity {
            Severity::Good => "ok     ",
            Severity::Warning => "warning",
            Severity::Failure => "FAILED ",
        };
        output::line(format!("{mark} {}: {}", check.name, check.found));
        if !check.remedy.is_empty() {
            output::line(format!("        {}", check.remedy));
        }
    }
    match verdict(checks) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Says in the log what checks found.
///
/// # Errors
///
/// The first that forbids a start.
pub(crate) fn log(checks: &[Check]) -> Result<(), CommandError> {
    for check in checks {
        match check.severity {
            Severity::Good => info!("{check}"),
            Severity::Warning => warn!("{check}"),
            Severity::Failure => error!("{check}"),
        }
    }
    Ok(verdict(checks)?)
}

/// Whether files can be written in a folder, or it can be made. Nothing is left behind.
pub(crate) fn folder(name: &'static str, path: &Path, flag: &str) -> Check {
    let remedy = || format!("Give a folder that this user can write to with {flag}");
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => {
            Check::failure(name, format!("{} is no folder", path.display()), remedy())
        }
        Ok(_) => {
            let probe = path.join(format!(".doppio-check-{}", std::process::id()));
            let written = fs::write(&probe, []).and_then(|()| fs::remove_file(&probe));
            match written {
                Ok(()) => Check::good(name, path.display().to_string()),
                Err(error) => {
                    Check::failure(name, format!("{}: {error}", path.display()), remedy())
                }
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => match existing_parent(path) {
            Some(parent) if parent.is_dir() => match folder(name, parent, flag) {
                check if check.severity == Severity::Good => {
                    Check::good(name, format!("{} will be made", path.display()))
                }
                check => check,
            },
            _ => Check::failure(name, format!("{}: {error}", path.display()), remedy()),
        },
        Err(error) => Check::failure(name, format!("{}: {error}", path.display()), remedy()),
    }
}

/// The nearest folder above a path that exists.
fn existing_parent(path: &Path) -> Option<&Path> {
    let parents = path.ancestors().skip(1);
    parents
        .map(|parent| {
            if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            }
        })
        .find(|parent| parent.exists())
}

/// Whether there is a JWT secret in a file, or one can be made there.
pub(crate) fn secret(name: &'static str, path: &Path, flag: &str) -> Check {
    match fs::read_to_string(path) {
        Ok(text) => match JwtSecret::parse(&text) {
            Ok(_) => Check::good(name, path.display().to_string()),
            Err(error) => Check::failure(
                name,
                format!("{}: {error}", path.display()),
                format!("Give the file of a secret with {flag}, or delete it for a new one"),
            ),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            match folder(name, path.parent().unwrap_or(Path::new(".")), flag) {
                check if check.severity == Severity::Good => {
                    Check::good(name, format!("{} will be made", path.display()))
                }
                check => check,
            }
        }
        Err(error) => Check::failure(
            name,
            format!("{}: {error}", path.display()),
            format!("Give a file that this user can read with {flag}"),
        ),
    }
}

/// Addresses to listen on. They are all held until this is dropped, so that two that are the same are
/// found as well.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    held: Vec<TcpListener>,
    checks: Vec<Check>,
}

impl Addresses {
    /// Looks at one; `flag` says with what it is given.
    pub(crate) fn add(&mut self, name: &'static str, address: SocketAddr, flag: &str) {
        self.checks.push(match TcpListener::bind(address) {
            Ok(listener) => {
                self.held.push(listener);
                Check::good(name, address.to_string())
            }
            Err(error) => Check::failure(
                name,
                format!("{address}: {error}"),
                format!("Stop what listens there, or give another address with {flag}"),
            ),
        });
    }

    /// What was found.
    pub(crate) fn into_checks(self) -> Vec<Check> {
        self.checks
    }
}
