//! A channel's bytes: compression, and the batches in it.

use crate::{
    tree::{Channel, Compression, Listed},
    walk::{At, CHANNEL, DECOMPRESSED, Depth, Walker},
};
use alloy_primitives::Bytes;
use doppio_compression::{ChannelReader, Limits, ReadError, ReadErrorKind};
use doppio_derive::DropReason;
use doppio_protocol::rlp::{self, RlpError};

impl Walker<'_> {
    /// The bytes of a channel that came without frames.
    pub(crate) fn bare_channel(&mut self, data: Vec<u8>) -> Channel {
        let mut channel = Channel::bare(data.len(), None);
        self.compressed(data, &mut channel);
        channel
    }

    /// A channel's bytes as they are compressed in its frames.
    // spec: opstack 2.5
    pub(crate) fn compressed(&mut self, data: Vec<u8>, channel: &mut Channel) {
        if self.decompressed >= self.options.max_decompressed {
            channel.unread = true;
            self.unread = true;
            return;
        }
        let compression = match data.first() {
            Some(1) => Compression::Brotli,
            _ => Compression::Zlib,
        };
        let limits = Limits {
            max_rlp_bytes: self.options.rules.max_rlp_bytes,
            brotli: self.options.rules.brotli,
        };
        let mut reader = match ChannelReader::open(data, limits) {
            Ok(reader) => reader,
            Err(error) => {
                let reason = DropReason::ChannelOpen(error);
                channel.broken = self.break_for(&reason, "", Some(At(0, CHANNEL)));
                return;
            }
        };
        channel.compression = Some(compression);
        if compression == Compression::Zlib {
            // two bytes that fit together; brotli begins with anything
            self.reach(Depth::Something);
        }
        self.batches(channel, || Ok(reader.next_string()?.map(Bytes::from)));
    }

    /// What a channel decompresses to.
    pub(crate) fn decompressed(&mut self, data: &Bytes) -> Channel {
        let mut channel = Channel::bare(data.len(), Some(Compression::None));
        let mut rest = data.as_ref();
        let mut budget = self.options.rules.max_rlp_bytes;
        self.batches(&mut channel, || next_string(data, &mut rest, &mut budget));
        channel
    }

    /// The batches of a channel, up to the first that cannot be read.
    // spec: opstack 2.5
    fn batches(
        &mut self,
        channel: &mut Channel,
        mut next: impl FnMut() -> Result<Option<Bytes>, ReadError>,
    ) {
        let limit = self.options.detail.batches;
        loop {
            let string = match next() {
                Ok(Some(string)) => string,
                Ok(None) => break,
                Err(error) => {
                    let field = format!("batches[{}]", channel.batches.count);
                    let reason = DropReason::ChannelRead(error);
                    let at = At(error.offset, DECOMPRESSED);
                    channel.broken = self.break_for(&reason, field, Some(at));
                    break;
                }
            };
            if channel.compression == Some(Compression::Brotli) {
                self.reach(Depth::Something);
            }
            let offset = channel.decompressed;
            channel.decompressed += string_length(&string);
            let mut goes_on = true;
            self.entry("batches", &mut channel.batches, limit, |walk, index| {
                let batch;
                (batch, goes_on) = walk.batch(index, offset, &string);
                batch
            });
            if !goes_on {
                break;
            }
        }
        self.decompressed += channel.decompressed;
    }
}

impl Channel {
    fn bare(length: usize, compression: Option<Compression>) -> Self {
        Self {
            index: 0,
            id: None,
            frames: None,
            missing: None,
            length: length as u64,
            compression,
            decompressed: 0,
            unread: false,
            batches: Listed::default(),
            broken: None,
        }
    }
}

/// Bytes of a string with its RLP header.
fn string_length(string: &Bytes) -> u64 {
    let header = match string.as_ref() {
        [0x00..=0x7f] => 0,
        string => rlp::header_length(string.len()),
    };
    (header + string.len()) as u64
}

/// Takes the next RLP string off `rest`, by the rules of a channel's stream.
fn next_string(
    data: &Bytes,
    rest: &mut &[u8],
    budget: &mut u64,
) -> Result<Option<Bytes>, ReadError> {
    let offset = (data.len() - rest.len()) as u64;
    let error = |kind| ReadError { offset, kind };
    if rest.is_empty() || *budget == 0 {
        return Ok(None);
    }
    let read_error = |rlp_error| {
        error(match rlp_error {
            RlpError::Truncated => ReadErrorKind::EndsWithin,
            _ => ReadErrorKind::NonCanonicalSize,
        })
    };
    let (header, is_list, claimed) = rlp::split_header(rest).map_err(read_error)?;
    let remaining = budget.saturating_sub(header as u64);
    if claimed > remaining {
        return Err(error(ReadErrorKind::OverBudget { claimed, remaining }));
    }
    if is_list {
        return Err(error(ReadErrorKind::List));
    }
    let item = rlp::next_item(rest).map_err(read_error)?;
    *budget = remaining - claimed;
    Ok(Some(data.slice_ref(item.payload)))
}
