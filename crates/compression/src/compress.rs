//! Compressing a channel.
// spec: opstack 2.5

use crate::reader::{Algorithm, BROTLI_VERSION};
use ::brotli::enc::BrotliEncoderParams;
use std::io::Write;

/// Window bits of brotli; op-batcher uses the same.
const BROTLI_WINDOW: i32 = 22;

/// Compresses the RLP strings of a channel. Returns all bytes of the channel, for brotli with the
/// version byte in front.
///
/// The quality goes from 0 to 9 for zlib and from 0 to 11 for brotli; a larger one is taken for the
/// best there is. op-batcher writes zlib with 9, and brotli with 9, 10 (the default), or 11.
pub fn compress(algorithm: Algorithm, quality: u32, data: &[u8]) -> Vec<u8> {
    const INTO_MEMORY: &str = "writing to memory does not fail";
    match algorithm {
        Algorithm::Zlib => {
            let level = flate2::Compression::new(quality.min(9));
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(data).expect(INTO_MEMORY); // cannot fail: it writes to a Vec
            encoder.finish().expect(INTO_MEMORY) // cannot fail: it writes to a Vec
        }
        Algorithm::Brotli => {
            let parameters = BrotliEncoderParams {
                quality: i32::try_from(quality).map_or(11, |quality| quality.min(11)),
                lgwin: BROTLI_WINDOW,
                size_hint: data.len(),
                ..BrotliEncoderParams::default()
            };
            let mut channel = vec![BROTLI_VERSION];
            let outcome = ::brotli::BrotliCompress(&mut &*data, &mut channel, &parameters);
            outcome.expect(INTO_MEMORY); // cannot fail: it reads a slice and writes to a Vec
            channel
        }
    }
}
