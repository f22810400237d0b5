//! The service's parts, each by itself.

mod folder;
mod persistence;
mod safe_db;
