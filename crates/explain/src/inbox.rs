//! Inbox data: items, their frames or commitments, and the channels that the frames make.

use crate::{
    AltDa, Form,
    assembly::{Assembly, Gathered, Taken, prune},
    tree::{Blob, Certificate, Channel, Commitment, CommitmentKind, Frame, Inbox, Item, Listed},
    walk::{At, BLOB, COMMITMENT, Depth, ITEM, Walker},
};
use alloy_primitives::Bytes;
use doppio_derive::DropReason;
use doppio_protocol::{
    blob::{BLOB_SIZE, BlobError, MAX_BLOB_DATA_SIZE, decode_blob, encode_blob},
    commitment::{self, CommitmentError, DERIVATION_VERSION_1, DaLayer},
    config::CommitmentType,
    frame::{self, FRAME_OVERHEAD, FrameError, parse_frames},
};

impl Walker<'_> {
    /// The data items of inbox transactions, in the order of L1.
    // spec: opstack 2.1
    pub(crate) fn inbox(&mut self, data: &[Bytes]) -> Inbox {
        let rules = self.options.rules;
        let mut assembly = Assembly::new(rules.in_order, rules.max_rlp_bytes);
        let mut inbox = Inbox {
            items: Listed::default(),
            channels: Listed::default(),
        };
        // what a broken item holds does not count, but if it is all there is it is shown
        let alone = data.len() == 1;
        for bytes in data {
            let mut ended = Vec::new();
            let limit = self.options.detail.items;
            self.entry("items", &mut inbox.items, limit, |walk, index| {
                walk.item(index, bytes, &mut assembly, alone, &mut ended)
            });
            for channel in ended {
                self.gathered(channel, &mut inbox.channels);
            }
        }
        for channel in assembly.finish() {
            self.gathered(channel, &mut inbox.channels);
        }
        inbox
    }

    fn item(
        &mut self,
        index: u64,
        bytes: &Bytes,
        assembly: &mut Assembly,
        alone: bool,
        ended: &mut Vec<Gathered>,
    ) -> Item {
        let mut item = Item {
            index,
            length: bytes.len() as u64,
            version: bytes.first().copied(),
            commitment: None,
            frames: Listed::default(),
            broken: None,
        };
        if item.version == Some(DERIVATION_VERSION_1) {
            (item.commitment, item.broken) = self.inbox_commitment(bytes);
            return item;
        }
        match parse_frames(bytes, self.options.rules.max_frame_len) {
            Ok(frames) => {
                item.frames = self.frames(&frames, Some(assembly), ended);
            }
            Err(error) => {
                let broken = BrokenFrame::find(bytes, &error);
                // nothing but the version byte is no sequence of frames, and gives none
                let sound = bytes.slice(..broken.start);
                let frames =
                    parse_frames(&sound, self.options.rules.max_frame_len).unwrap_or_default();
                item.frames = self.frames(&frames, alone.then_some(assembly), ended);
                let at = At(broken.offset as u64, ITEM);
                let reason = match (error, self.options.chain.alt_da) {
                    (FrameError::Empty, AltDa::Yes(_)) => DropReason::EmptyItem,
                    (error, _) => DropReason::Frames(error),
                };
                item.broken = self.break_for(&reason, broken.field, Some(at));
            }
        }
        item
    }

    fn frames(
        &mut self,
        frames: &[frame::Frame],
        mut assembly: Option<&mut Assembly>,
        ended: &mut Vec<Gathered>,
    ) -> Listed<Frame> {
        if frames.iter().any(|frame| !frame.data.is_empty()) {
            self.reach(Depth::Frames);
        } else if !frames.is_empty() {
            // nothing but zeros reads as frames without data
            self.reach(Depth::Something);
        }
        let pruned = if self.options.rules.in_order {
            prune(frames)
        } else {
            vec![None; frames.len()]
        };
        let mut list = Listed::default();
        let mut offset = 1u64;
        for (frame, pruned) in frames.iter().zip(pruned) {
            let taken = match (pruned, &mut assembly) {
                (Some(order), _) => Taken {
                    refused: Some(DropReason::FrameOrder(order)),
                    ended: Vec::new(),
                },
                (None, Some(assembly)) => assembly.push(frame),
                (None, None) => Taken::default(),
            };
            let limit = self.options.detail.frames;
            self.entry("frames", &mut list, limit, |walk, index| Frame {
                index,
                offset,
                channel: frame.id,
                number: frame.number,
                length: frame.data.len() as u64,
                is_last: frame.is_last,
                broken: taken
                    .refused
                    .as_ref()
                    .and_then(|reason| walk.break_for(reason, "", Some(At(offset, ITEM)))),
            });
            ended.extend(taken.ended);
            offset += frame.encoded_len() as u64;
        }
        list
    }

    /// A channel that frames made, whole or not.
    fn gathered(&mut self, gathered: Gathered, channels: &mut Listed<Channel>) {
        let limit = self.options.detail.channels;
        self.entry("channels", channels, limit, |walk, index| {
            let mut channel = Channel {
                index,
                id: Some(gathered.id),
                frames: Some(gathered.frames),
                missing: None,
                length: gathered.length,
                compression: None,
                decompressed: 0,
                unread: false,
                batches: Listed::default(),
                broken: None,
            };
            match (gathered.dropped, gathered.data) {
                (Some(reason), data) => {
                    channel.missing = data.err();
                    channel.broken = walk.break_for(&reason, "", None);
                }
                (None, Err(missing)) => channel.missing = Some(missing),
                (None, Ok(data)) => walk.compressed(data, &mut channel),
            }
            channel
        });
    }

    /// A commitment in an item.
    // spec: opstack 2.1 |2
    fn inbox_commitment(&mut self, bytes: &Bytes) -> (Option<Commitment>, Option<usize>) {
        let decoded = commitment::Commitment::decode(&bytes.slice(1..));
        let broken = match (self.options.chain.alt_da, &decoded) {
            // without alt-DA, nothing but frames is expected
            (AltDa::No, _) => {
                let error = FrameError::Version(DERIVATION_VERSION_1);
                self.break_for(&DropReason::Frames(error), "", Some(At(0, ITEM)))
            }
            (_, Err(error)) => self.broken_commitment(*error, 1),
            (AltDa::Unknown, _)
            | (AltDa::Yes(CommitmentType::Keccak), Ok(commitment::Commitment::Keccak(_)))
            | (AltDa::Yes(CommitmentType::Generic), Ok(commitment::Commitment::Generic(_))) => None,
            (AltDa::Yes(_), _) => {
                self.break_for(&DropReason::CommitmentType, "commitment", Some(At(1, ITEM)))
            }
        };
        let commitment = decoded
            .ok()
            .map(|commitment| self.commitment_fields(&commitment, true));
        (commitment, broken)
    }

    fn broken_commitment(&mut self, error: CommitmentError, start: u64) -> Option<usize> {
        let layer = if start == 0 { COMMITMENT } else { ITEM };
        let offset = match error {
            CommitmentError::Empty | CommitmentError::Type(_) => start,
            CommitmentError::KeccakLength(_) | CommitmentError::GenericEmpty => start + 1,
        };
        let at = At(offset, layer);
        self.break_for(&DropReason::Commitment(error), "commitment", Some(at))
    }

    /// A commitment by itself, with or without the derivation version byte.
    pub(crate) fn commitment(&mut self, bytes: &Bytes) -> Option<Commitment> {
        let with_version = bytes.first() == Some(&DERIVATION_VERSION_1)
            && commitment::Commitment::decode(&bytes.slice(1..)).is_ok();
        let start = usize::from(with_version);
        match commitment::Commitment::decode(&bytes.slice(start..)) {
            Ok(commitment) => Some(self.commitment_fields(&commitment, with_version)),
            Err(error) => {
                self.broken_commitment(error, start as u64);
                None
            }
        }
    }

    fn commitment_fields(
        &mut self,
        commitment: &commitment::Commitment,
        with_version: bool,
    ) -> Commitment {
        let kind = match commitment {
            commitment::Commitment::Keccak(hash) => CommitmentKind::Keccak { hash: *hash },
            commitment::Commitment::Generic(content) => generic(content),
        };
        let is_known = match &kind {
            CommitmentKind::Keccak { .. } => true,
            CommitmentKind::Generic {
                certificate: Some(certificate),
                ..
            } => certificate.name.is_some(),
            CommitmentKind::Generic { name, length, .. } => name.is_some() && *length > 0,
        };
        if is_known {
            self.reach(Depth::Commitment);
        } else if with_version {
            // without the version byte, anything that begins with 1 could be one
            self.reach(Depth::Something);
        }
        Commitment { with_version, kind }
    }

    /// A blob, and what is in it.
    // spec: opstack 2.2
    pub(crate) fn blob(&mut self, bytes: &Bytes) -> Option<Blob> {
        let Ok(raw) = <&[u8; BLOB_SIZE]>::try_from(bytes.as_ref()) else {
            let length = bytes.len();
            self.break_form(
                "opstack 2.2",
                format!("{length} bytes are no blob of {BLOB_SIZE}"),
            );
            return None;
        };
        let mut blob = Blob {
            version: raw[1],
            length: 0,
            form: None,
            data: None,
            broken: None,
        };
        match decode_blob(raw) {
            Ok(data) => {
                self.reach(Depth::Something);
                blob.length = data.len() as u64;
                self.blob_data(&data.into(), &mut blob);
            }
            Err(error) => {
                let at = At(blob_offset(raw, error) as u64, BLOB);
                blob.broken = self.break_for(&DropReason::Blob(error), "", Some(at));
            }
        }
        Some(blob)
    }

    /// A blob's data. Derivation takes nothing but inbox data there; whatever else it may be is
    /// told nonetheless.
    fn blob_data(&mut self, data: &Bytes, blob: &mut Blob) {
        let data = core::slice::from_ref(data);
        let as_inbox = self.read_inside("data", Form::Inbox, data);
        if as_inbox.depth < Depth::Frames && as_inbox.break_count > 0 {
            let other = self.detect_inside("data", &Form::IN_BLOB, data);
            if let Some(form) = other {
                let first = as_inbox.breaks.into_iter().next();
                blob.broken = first.and_then(|first| self.note(|_| first));
                blob.form = Some(form);
                let reading = self.read_inside("data", form, data);
                blob.data = self.take_over(reading);
                return;
            }
        }
        blob.form = Some(Form::Inbox);
        blob.data = self.take_over(as_inbox);
    }
}

/// What a generic commitment says of itself.
fn generic(content: &Bytes) -> CommitmentKind {
    // a commitment is never empty
    let layer = content.first().copied().unwrap_or_default();
    let rest = content.get(1..).unwrap_or_default();
    let da_layer = DaLayer::from_byte(layer);
    CommitmentKind::Generic {
        layer,
        name: match da_layer {
            DaLayer::EigenDa => Some("EigenDA"),
            DaLayer::Avail => Some("Avail"),
            DaLayer::Celestia => Some("Celestia"),
            DaLayer::Unknown(_) => None,
        },
        length: rest.len() as u64,
        certificate: match (da_layer, rest) {
            (DaLayer::EigenDa, [version, body @ ..]) => {
                Some(Box::new(Certificate::read(*version, body)))
            }
            _ => None,
        },
    }
}

/// Where an item breaks that is no sequence of frames.
struct BrokenFrame {
    /// Where the frame begins that breaks; everything before it is sound.
    start: usize,
    /// Where its field begins that breaks.
    offset: usize,
    /// Path of the field.
    field: String,
}

impl BrokenFrame {
    fn find(item: &Bytes, error: &FrameError) -> Self {
        let index = match error {
            FrameError::Empty | FrameError::Version(_) => return Self::nowhere(0),
            FrameError::NoFrames => return Self::nowhere(1),
            FrameError::Truncated { index }
            | FrameError::TooLong { index, .. }
            | FrameError::IsLast { index, .. } => *index,
        };
        // the frames before are sound, so their lengths can be trusted
        let mut start = 1;
        for _ in 0..index {
            start += FRAME_OVERHEAD + claimed_length(item, start).unwrap_or_default();
        }
        let length = claimed_length(item, start);
        let is_last = 22 + length.unwrap_or_default();
        let (field, offset) = match error {
            FrameError::TooLong { .. } => ("frame_data_length", 18),
            FrameError::IsLast { .. } => ("is_last", is_last),
            _ => match item.len() - start {
                0..16 => ("channel_id", 0),
                16..18 => ("frame_number", 16),
                18..22 => ("frame_data_length", 18),
                rest if rest < is_last => ("frame_data", 22),
                _ => ("is_last", is_last),
            },
        };
        Self {
            start,
            offset: start + offset,
            field: format!("frames[{index}].{field}"),
        }
    }

    const fn nowhere(offset: usize) -> Self {
        Self {
            start: offset,
            offset,
            field: String::new(),
        }
    }
}

/// The data length that the frame at `start` claims.
fn claimed_length(item: &Bytes, start: usize) -> Option<usize> {
    let (length, _) = item.get(start + 18..)?.split_first_chunk()?;
    usize::try_from(u32::from_be_bytes(*length)).ok()
}

/// The byte at which a blob breaks.
fn blob_offset(blob: &[u8; BLOB_SIZE], error: BlobError) -> usize {
    match error {
        BlobError::Version(_) => 1,
        BlobError::Length(_) => 2,
        BlobError::FieldElement(offset) => offset,
        BlobError::Padding => padding_offset(blob).unwrap_or_default(),
        BlobError::TooLarge(_) => 0,
    }
}

/// The first byte behind a blob's data that is not zero: where the blob differs from a blob that
/// holds the same data and nothing else.
fn padding_offset(blob: &[u8; BLOB_SIZE]) -> Option<usize> {
    let length = usize::from(blob[2]) << 16 | usize::from(blob[3]) << 8 | usize::from(blob[4]);
    let mut whole = Box::new(*blob);
    // claim everything, so that what stands behind the data is read instead of refused
    let most = u32::try_from(MAX_BLOB_DATA_SIZE).ok()?.to_be_bytes();
    whole[2..5].copy_from_slice(&most[1..]);
    // high bits behind the data are not zero either, and would be refused before they are read
    whole
        .iter_mut()
        .skip(32)
        .step_by(32)
        .for_each(|byte| *byte &= 0x3f);
    let mut data = decode_blob(&whole).ok()?;
    data.truncate(length);
    let clean = encode_blob(&data).ok()?;
    // of the very first byte nobody reads the high bits
    let differs = |(index, (found, expected)): (usize, (&u8, &u8))| {
        let mask = if index == 0 { 0x3f } else { 0xff };
        (found & mask != expected & mask).then_some(index)
    };
    blob.iter().zip(clean.iter()).enumerate().find_map(differs)
}
