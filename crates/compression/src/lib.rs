//! docs later
mod bits;
mod brotli;
mod error;
mod go_reader;
mod inflate;
mod prefix;
mod reader;
mod rlp_stream;
mod zlib;

pub use error::*;
pub use reader::*;
