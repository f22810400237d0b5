//! Brotli (RFC 7932), with its output handed out as op-node's decoder hands it out.
//!
//! op-node uses the Go package andybalholm/brotli. Which bytes of a broken stream a reader gets
//! to see depends on when that decoder passes its output on; this module reproduces that.
// spec: opstack-2026-09 2 *8 *9

mod command;
mod context;
mod decoder;
mod dictionary;
mod distance;
mod header;
mod literals;
mod pieces;
mod ring;

use crate::error::{BrotliError, StreamError};
use crate::go_reader::{ReadOutcome, Sink, Source, StreamEnd};
use decoder::{Decoder, Event};

/// A brotli stream that can be read from.
#[derive(Debug)]
pub(crate) struct BrotliSource {
    decoder: Decoder,
    /// Output of a used-up piece is being handed out.
    is_flushing: bool,
    is_done: bool,
}

impl BrotliSource {
    /// The stream starts at byte `start` of the input.
    pub(crate) fn new(start: usize) -> Self {
        Self {
            decoder: Decoder::new(start),
            is_flushing: false,
            is_done: false,
        }
    }

    /// Hands out at most `room` bytes of the pending output.
    fn write(&mut self, room: usize, out: &mut Sink<'_>) -> usize {
        let pending = self.decoder.pending();
        let count = pending.len().min(room);
        out.push(&pending[..count]);
        self.decoder.hand_out(count);
        count
    }

    fn has_pending(&self) -> bool {
        !self.decoder.pending().is_empty()
    }
}

const fn failed(error: BrotliError) -> Option<StreamEnd> {
    Some(StreamEnd::Failed(StreamError::Brotli(error)))
}

impl Source for BrotliSource {
    fn read(&mut self, input: &[u8], room: usize, out: &mut Sink<'_>) -> ReadOutcome {
        let mut count = 0;
        if self.is_done && !self.has_pending() {
            // Everything was read before. Only now more input is asked for, and there must be
            // none.
            return if self.decoder.next_piece(input) {
                (0, failed(BrotliError::ExcessiveInput))
            } else {
                (0, Some(StreamEnd::Eof))
            };
        }
        if self.is_flushing {
            count += self.write(room, out);
            if count > 0 {
                return (count, None);
            }
            self.is_flushing = false;
        }
        loop {
            match self.decoder.run(input) {
                Event::WindowFull => {
                    if self.decoder.is_overfull() {
                        return (count, failed(BrotliError::BlockLength1));
                    }
                    count += self.write(room - count, out);
                    if self.has_pending() && self.decoder.window_is_complete() {
                        self.decoder.wait_for_room();
                        return (count, None);
                    }
                    self.decoder.window_written();
                }
                Event::StartUsed => {
                    if self.decoder.is_overfull() {
                        return (count, failed(BrotliError::BlockLength1));
                    }
                    count += self.write(room - count, out);
                }
                Event::PieceUsed => {
                    if self.decoder.is_overfull() {
                        return (count, failed(BrotliError::BlockLength1));
                    }
                    count += self.write(room - count, out);
                    if count > 0 {
                        self.is_flushing = true;
                        return (count, None);
                    }
                }
                Event::Done => {
                    self.is_done = true;
                    count += self.write(room - count, out);
                    if !self.has_pending() && self.decoder.has_excess() {
                        return (count, failed(BrotliError::ExcessiveInput));
                    }
                    return (count, None);
                }
                Event::Failed(error) => return (count, failed(error)),
            }
        }
    }

    fn memory(&self) -> usize {
        self.decoder.memory()
    }
}
