//! Reads the batches out of a compressed channel of an OP Stack rollup, and compresses them.
//!
//! In derivation, a *channel* is a compressed byte stream that was put together from frames on L1.
//! Its first byte tells how it is compressed: a low nibble of 8 (or 15) stands for zlib, `0x01` for
//! brotli. Decompressed it is a row of RLP byte strings, and each of them is one batch.
//!
//! [`ChannelReader`] takes the bytes of a channel and returns those strings one after another.
//! What a string means is no business of this crate.
//!
//! # What is promised
//!
//! The strings are exactly those that op-node reads from the same bytes, for *any* bytes: hostile,
//! cut off, or corrupt ones too. A node that gets one batch more or less than op-node out of a
//! broken channel leaves the chain that everybody else follows. That is why the crate has decoders
//! of its own: which bytes of a broken stream become visible before the error does depends on
//! details of the Go programs that op-node is made of, such as where their windows and buffers
//! end, and no other decoder has the same ones. The README tells which details matter, and how
//! the promise was tested.
//!
//! Nothing panics, whatever the bytes are. Memory is bounded by the compressed channel, the string
//! being read, the window of the format (96 KiB for zlib, at most 16 MiB for brotli), and tables; a
//! header that claims a large string does not by itself cause a large allocation.
//!
//! # Example
//!
//! ```
//! use doppio_compression::{Algorithm, ChannelReader, Limits, compress};
//!
//! // Two strings: one of three bytes, and one of a single small byte, which stands for itself.
//! let channel = compress(Algorithm::Brotli, 10, &[0x83, b'a', b'b', b'c', 0x05]);
//!
//! let mut reader = ChannelReader::open(channel, Limits::FJORD)?;
//! assert_eq!(reader.next_string()?, Some(b"abc".to_vec()));
//! assert_eq!(reader.next_string()?, Some(vec![5]));
//! assert_eq!(reader.next_string()?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bits;
mod brotli;
mod compress;
mod error;
mod go_reader;
mod inflate;
mod prefix;
mod reader;
mod rlp_stream;
mod zlib;

pub use compress::compress;
pub use error::{
    BrotliError, DeflateError, OpenError, ReadError, ReadErrorKind, StreamError, ZlibHeaderError,
};
pub use reader::{Algorithm, ChannelReader, Limits};
