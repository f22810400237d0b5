//! Recorded chains, served over HTTP, recorded again: whole and in parts, by nodes that lack things,
//! and by nodes that lie.

mod parts;
mod refusals;
mod support;
