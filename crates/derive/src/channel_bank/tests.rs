//! Channels before Holocene (opstack 3.4; opstack 11 C), by the reference's names.

use super::*;
use crate::{batch_check::tests::chain, drops::DropLog};
use alloy_primitives::Bytes;
use doppio_protocol::BlockId;
use proptest::prelude::*;

/// An L1 block of a height.
pub(crate) fn at(number: u64) -> L1BlockRef {
    L1BlockRef {
        number,
        timestamp: 12 * number,
        ..L1BlockRef::default()
    }
}

/// A frame written as in the reference's tests: channel letter, number, data, `!` if last.
pub(crate) fn frame(text: &str) -> Frame {
    let is_last = text.ends_with('!');
    let mut parts = text.trim_end_matches('!').split(':');
    let mut part = || parts.next().unwrap();
    Frame {
        id: ChannelId::repeat_byte(part().as_bytes()[0]),
        number: part().parse().unwrap(),
        data: Bytes::copy_from_slice(part().as_bytes()),
        is_last,
    }
}

/// A bank and what it reports.
struct Stage {
    chain: ChainConfig,
    bank: ChannelBank,
    log: DropLog,
    origin: L1BlockRef,
}

impl Stage {
    fn new(canyon: bool) -> Self {
        let mut chain = chain();
        chain.rollup.forks.canyon = canyon.then_some(0);
        Self {
            chain,
            bank: ChannelBank::default(),
            log: DropLog::default(),
            origin: at(100),
        }
    }

    fn ingest(&mut self, frame: Frame) {
        let report = &mut Reporter::new(&mut self.log, BlockId::default());
        self.bank.ingest(&self.chain, &self.origin, frame, report);
    }

    fn read(&mut self) -> BankRead {
        let report = &mut Reporter::new(&mut self.log, BlockId::default());
        self.bank.read(&self.chain, &self.origin, report)
    }

    /// Takes a frame after nothing could be read, as the pipeline does.
    fn load(&mut self, text: &str) {
        assert_eq!(self.read(), BankRead::Nothing, "before {text}");
        self.ingest(frame(text));
    }

    fn reasons(&mut self) -> Vec<DropReason> {
        let drops = self.log.take();
        drops.into_iter().map(|drop| drop.reason).collect()
    }

    /// Makes a channel count for more bytes than it has, and costs no memory.
    fn count_for(&mut self, letter: u8, size: u64) {
        let id = ChannelId::repeat_byte(letter);
        let channel = self.bank.channels.get_mut(&id).unwrap();
        self.bank.total_size = self.bank.total_size - channel.size + size;
        channel.size = size;
    }

    /// The letters of the channels, oldest first.
    fn queue(&self) -> String {
        self.bank.queue.iter().map(|id| char::from(id[0])).collect()
    }
}

fn channel(data: &str) -> BankRead {
    BankRead::Channel(data.into())
}

// TestFrameValidity. Its first case, the wrong channel, is one of the assembler's: here frames find
// their channel by its id.

/// What each frame is refused for, and the size of the channel after it.
fn sizes(frames: &[&str]) -> Vec<(Option<FrameRefusal>, u64)> {
    let mut channel = Channel::new(0);
    let add = |text: &&str| (channel.add(&frame(text)).err(), channel.size);
    frames.iter().map(add).collect()
}

#[test]
fn double_close() {
    let refused = Some(FrameRefusal::SecondLast);
    assert_eq!(
        sizes(&["a:2:four!", "a:1:!"]),
        [(None, 204), (refused, 204)]
    );
}

#[test]
fn duplicate_frame() {
    let refused = Some(FrameRefusal::Duplicate);
    assert_eq!(
        sizes(&["a:2:four", "a:2:seven__"]),
        [(None, 204), (refused, 204)]
    );
}

#[test]
fn duplicate_closing_frames() {
    let refused = Some(FrameRefusal::SecondLast);
    assert_eq!(
        sizes(&["a:2:four!", "a:2:seven__!"]),
        [(None, 204), (refused, 204)]
    );
}

#[test]
fn frame_past_closing() {
    let refused = Some(FrameRefusal::BeyondLast);
    assert_eq!(
        sizes(&["a:2:four!", "a:10:seven__"]),
        [(None, 204), (refused, 204)]
    );
}

#[test]
fn prune_after_close_frame() {
    assert_eq!(
        sizes(&["a:10:seven__", "a:2:four!"]),
        [(None, 207), (None, 204)]
    );
}

#[test]
fn multiple_valid_frames() {
    assert_eq!(
        sizes(&["a:10:seven__", "a:2:four"]),
        [(None, 207), (None, 411)]
    );
}

/// The frames that stay are no longer counted: the reference's mistake, which decides what a full
/// bank prunes.
// opstack 3.4 *1
#[test]
fn a_closing_frame_that_prunes_takes_off_the_size_of_every_frame() {
    let frames = ["a:0:four", "a:1:four", "a:9:four", "a:2:four!", "a:3:four"];
    let beyond = Some(FrameRefusal::BeyondLast);
    assert_eq!(
        sizes(&frames),
        [
            (None, 204),
            (None, 408),
            (None, 612),
            (None, 204),
            (beyond, 204)
        ]
    );
    // nothing to prune, nothing to take off
    assert_eq!(
        sizes(&["a:0:four", "a:1:four", "a:2:four!"])[2],
        (None, 612)
    );
}

/// The mistake seen from outside: by its true size the bank would be too full.
// opstack 3.4 *2
#[test]
fn sizes_that_were_taken_off_wrongly_keep_channels_alive() {
    let large = |text: &str| Frame {
        data: vec![0; 1000].into(),
        ..frame(text)
    };
    let closed = |beyond: Option<Frame>| {
        let mut stage = Stage::new(true);
        let frames = [large("a:0:"), large("a:1:"), frame("b:0:")];
        frames
            .into_iter()
            .chain(beyond)
            .for_each(|frame| stage.ingest(frame));
        stage.count_for(b'b', 99_997_000);
        stage.ingest(large("a:2:!"));
        stage
    };
    // frame 1 is the highest, so the last frame 2 prunes nothing: 600 bytes too many
    let mut stage = closed(None);
    assert_eq!(stage.queue(), "b");
    assert_eq!(stage.reasons(), [DropReason::ChannelPruned]);
    // frame 9 goes, and with it the sizes of frames 0 and 1
    let mut stage = closed(Some(frame("a:9:")));
    assert_eq!(stage.queue(), "ab");
    assert_eq!(stage.reasons(), []);
    assert_eq!(stage.bank.total_size, 99_997_000 + 1200);
    assert_eq!(stage.read(), BankRead::Channel(vec![0; 3000]));
    assert_eq!(stage.bank.total_size, 99_997_000);
}

// TestChannelBankSimple
#[test]
fn simple() {
    let mut stage = Stage::new(false);
    for text in ["a:0:first", "a:2:third!", "a:1:second"] {
        stage.load(text);
    }
    assert_eq!(stage.read(), channel("firstsecondthird"));
    assert_eq!(stage.read(), BankRead::Nothing);
    assert_eq!(stage.reasons(), []);
}

// TestChannelBankInterleavedPreCanyon; kona's read_channel_canyon_not_active
#[test]
fn interleaved_pre_canyon() {
    let mut stage = Stage::new(false);
    for text in ["a:0:first", "b:2:trois!", "b:1:deux", "a:2:third!"] {
        stage.load(text);
    }
    stage.load("b:0:premiere");
    // b is complete, but a is older
    stage.load("a:1:second");
    assert_eq!(stage.read(), channel("firstsecondthird"));
    assert_eq!(stage.read(), channel("premieredeuxtrois"));
    assert_eq!(stage.read(), BankRead::Nothing);
}

// TestChannelBankInterleaved; kona's read_channel_active
#[test]
fn interleaved() {
    let mut stage = Stage::new(true);
    for text in ["a:0:first", "b:2:trois!", "b:1:deux", "a:2:third!"] {
        stage.load(text);
    }
    stage.load("b:0:premiere");
    assert_eq!(stage.read(), channel("premieredeuxtrois"));
    stage.load("a:1:second");
    assert_eq!(stage.read(), channel("firstsecondthird"));
    assert_eq!(stage.read(), BankRead::Nothing);
}

/// Of several complete channels the oldest is read first.
#[test]
fn complete_channels_are_read_in_the_order_in_which_they_were_opened() {
    let mut stage = Stage::new(true);
    for text in ["a:0:a", "b:0:b", "c:0:c!", "b:1:b!"] {
        stage.ingest(frame(text));
    }
    assert_eq!(stage.read(), channel("bb"));
    assert_eq!(stage.read(), channel("c"));
    assert_eq!(stage.read(), BankRead::Nothing);
    assert_eq!(stage.queue(), "a");
}

/// Canyon counts by the time of the L1 origin.
#[test]
fn canyon_begins_at_an_l1_origin() {
    let mut stage = Stage::new(false);
    stage.chain.rollup.forks.canyon = Some(at(101).timestamp);
    for text in ["a:0:a", "b:0:b!"] {
        stage.ingest(frame(text));
    }
    assert_eq!(stage.read(), BankRead::Nothing);
    stage.origin = at(101);
    assert_eq!(stage.read(), channel("b"));
}

// TestChannelBankDuplicates
#[test]
fn duplicates() {
    let mut stage = Stage::new(false);
    for text in ["a:0:first", "a:2:third!", "a:0:altfirst", "a:2:altthird!"] {
        stage.load(text);
    }
    stage.load("a:1:second");
    assert_eq!(stage.read(), channel("firstsecondthird"));
    assert_eq!(stage.read(), BankRead::Nothing);
    let refused = [FrameRefusal::Duplicate, FrameRefusal::SecondLast];
    assert_eq!(stage.reasons(), refused.map(DropReason::Frame));
}

// kona's read_empty
#[test]
fn read_empty() {
    let mut stage = Stage::new(true);
    assert_eq!(stage.read(), BankRead::Nothing);
    assert_eq!(stage.bank.len(), 0);
}

// kona's ingest_invalid_frame
#[test]
fn a_channel_that_was_read_is_opened_again_by_its_id() {
    let mut stage = Stage::new(true);
    stage.ingest(frame("a:0:a"));
    stage.ingest(frame("b:0:b!"));
    assert_eq!(stage.read(), channel("b"));
    stage.ingest(frame("b:0:c"));
    assert_eq!(stage.queue(), "ab");
    // a frame that is refused changes nothing
    stage.ingest(frame("b:0:d"));
    stage.ingest(frame("b:1:e!"));
    assert_eq!(stage.read(), channel("ce"));
    let refused = [DropReason::Frame(FrameRefusal::Duplicate)];
    assert_eq!(stage.reasons(), refused);
}

// kona's channel_timeout and try_read_channel_at_index_timed_out
#[test]
fn the_oldest_channels_time_out_one_by_one() {
    let mut stage = Stage::new(true);
    stage.ingest(frame("a:0:a"));
    stage.ingest(frame("b:0:b!"));
    stage.origin = at(110);
    stage.ingest(frame("c:0:c!"));
    stage.ingest(frame("a:1:a"));
    assert_eq!(stage.reasons(), []);
    // opened at 100 with a timeout of 10
    stage.origin = at(111);
    stage.ingest(frame("a:2:a!"));
    assert_eq!(stage.reasons(), [DropReason::FrameTimedOut]);
    assert_eq!(stage.read(), BankRead::TimedOut);
    assert_eq!(stage.read(), BankRead::TimedOut);
    assert_eq!(stage.read(), channel("c"));
    assert_eq!(stage.read(), BankRead::Nothing);
    assert_eq!(stage.reasons(), vec![DropReason::ChannelTimedOut; 2]);
}

/// Frames of a timed out channel are ignored until the channel has become the oldest and is gone;
/// then they open it again.
#[test]
fn a_timed_out_channel_blocks_its_id_until_it_is_read() {
    let mut stage = Stage::new(true);
    stage.ingest(frame("a:0:a"));
    stage.origin = at(111);
    stage.ingest(frame("a:1:x!"));
    assert_eq!(stage.read(), BankRead::TimedOut);
    stage.ingest(frame("a:0:b!"));
    assert_eq!(stage.read(), channel("b"));
}

/// Granite shortens the timeout of channels that are open already.
#[test]
fn granite_changes_the_timeout_of_open_channels() {
    let mut stage = Stage::new(true);
    stage.chain.rollup.channel_timeout = 300;
    stage.ingest(frame("a:0:a"));
    stage.origin = at(200);
    assert_eq!(stage.read(), BankRead::Nothing);
    stage.chain.rollup.forks.granite = Some(at(200).timestamp);
    assert_eq!(stage.read(), BankRead::TimedOut);
}

// kona's ingest_and_prune_channel_bank and _fjord
#[test]
fn a_full_bank_prunes_the_oldest_channels() {
    for (fjord, limit) in [(None, 100_000_000), (Some(0), 1_000_000_000)] {
        let mut stage = Stage::new(true);
        stage.chain.rollup.forks.fjord = fjord;
        for letter in *b"abcdefghi" {
            stage.ingest(Frame {
                id: ChannelId::repeat_byte(letter),
                ..Frame::default()
            });
            stage.count_for(letter, limit / 10);
        }
        stage.ingest(frame("j:0:"));
        stage.count_for(b'j', limit / 10 - 201);
        // full to the last byte
        stage.ingest(frame("k:0:x"));
        assert_eq!(stage.bank.total_size, limit);
        assert_eq!(stage.queue(), "abcdefghijk");
        assert_eq!(stage.reasons(), []);
        stage.ingest(frame("l:0:"));
        assert_eq!(stage.queue(), "bcdefghijkl");
        assert_eq!(stage.reasons(), [DropReason::ChannelPruned]);
        // a frame that is too much may be one of the channel that goes
        stage.count_for(b'b', limit / 5 - 200);
        stage.ingest(frame("b:1:x"));
        assert_eq!(stage.queue(), "cdefghijkl");
        assert_eq!(stage.reasons(), [DropReason::ChannelPruned]);
        // and one may be too much for several
        stage.count_for(b'l', limit / 2);
        stage.ingest(frame("m:0:"));
        assert_eq!(stage.queue(), "ghijklm");
        let pruned = vec![DropReason::ChannelPruned; 4];
        assert_eq!(stage.reasons(), pruned);
    }
}

/// A bank whose only channel is too large is empty afterwards.
#[test]
fn a_channel_larger_than_the_bank_prunes_itself() {
    let mut stage = Stage::new(true);
    stage.ingest(frame("a:0:"));
    stage.count_for(b'a', 100_000_000);
    stage.ingest(frame("a:1:"));
    assert_eq!((stage.queue().as_str(), stage.bank.total_size), ("", 0));
    assert_eq!(stage.reasons(), [DropReason::ChannelPruned]);
}

/// The channel bank as opstack 3.4 describes it, without any thought of speed.
#[derive(Default)]
struct Model {
    channels: Vec<ModelChannel>,
}

struct ModelChannel {
    id: ChannelId,
    opened_at: u64,
    frames: Vec<Frame>,
    end: Option<u16>,
    size: u64,
}

impl ModelChannel {
    fn timed_out(&self, origin: u64) -> bool {
        self.opened_at + 10 < origin
    }

    fn is_ready(&self) -> bool {
        self.end.is_some_and(|end| {
            (0..=end).all(|number| self.frames.iter().any(|frame| frame.number == number))
        })
    }

    fn data(&self) -> Vec<u8> {
        let numbers = 0..=self.end.unwrap();
        let frame = |number| self.frames.iter().find(|frame| frame.number == number);
        numbers
            .flat_map(|number| frame(number).unwrap().data.to_vec())
            .collect()
    }

    fn accepts(&self, frame: &Frame) -> bool {
        !(frame.is_last && self.end.is_some()
            || self.frames.iter().any(|other| other.number == frame.number)
            || self.end.is_some_and(|end| frame.number >= end))
    }

    fn add(&mut self, frame: Frame) {
        let size = |frame: &Frame| frame.data.len() as u64 + 200;
        if frame.is_last {
            self.end = Some(frame.number);
            if self.frames.iter().any(|other| other.number > frame.number) {
                for other in &self.frames {
                    self.size = self.size.wrapping_sub(size(other));
                }
                self.frames.retain(|other| other.number < frame.number);
            }
        }
        self.size = self.size.wrapping_add(size(&frame));
        self.frames.push(frame);
    }
}

impl Model {
    fn ingest(&mut self, origin: u64, frame: Frame) {
        let known = self
            .channels
            .iter()
            .position(|channel| channel.id == frame.id);
        let index = known.unwrap_or_else(|| {
            self.channels.push(ModelChannel {
                id: frame.id,
                opened_at: origin,
                frames: Vec::new(),
                end: None,
                size: 0,
            });
            self.channels.len() - 1
        });
        let channel = &mut self.channels[index];
        if channel.timed_out(origin) || !channel.accepts(&frame) {
            return;
        }
        channel.add(frame);
        while self.total() > 100_000_000 {
            self.channels.remove(0);
        }
    }

    fn total(&self) -> u64 {
        let sizes = self.channels.iter().map(|channel| channel.size);
        sizes.fold(0, u64::wrapping_add)
    }

    fn read(&mut self, origin: u64, canyon: bool) -> BankRead {
        match self.channels.first() {
            None => return BankRead::Nothing,
            Some(first) if first.timed_out(origin) => {
                self.channels.remove(0);
                return BankRead::TimedOut;
            }
            Some(_) => {}
        }
        let candidates = if canyon { self.channels.len() } else { 1 };
        let ready = self.channels[..candidates]
            .iter()
            .position(|channel| channel.is_ready() && !channel.timed_out(origin));
        match ready {
            Some(index) => BankRead::Channel(self.channels.remove(index).data()),
            None => BankRead::Nothing,
        }
    }
}

/// Something that happens to a bank.
#[derive(Clone, Debug)]
enum Event {
    Frame(Frame),
    Read,
    Origin(u64),
    /// A channel, if it is there, counts for more.
    Grow(u8),
}

fn event() -> impl Strategy<Value = Event> {
    let frame = (0u8..4, 0u16..6, 0u8..5, prop::bool::weighted(0.3)).prop_map(
        |(id, number, length, is_last)| {
            Event::Frame(Frame {
                id: ChannelId::repeat_byte(id),
                number,
                data: vec![length; length.into()].into(),
                is_last,
            })
        },
    );
    prop_oneof![
        12 => frame,
        4 => Just(Event::Read),
        1 => (1u64..6).prop_map(Event::Origin),
        1 => (0u8..4).prop_map(Event::Grow),
    ]
}

proptest! {
    #[test]
    fn the_bank_does_as_the_model(
        events in proptest::collection::vec(event(), 0..80),
        canyon in any::<bool>(),
    ) {
        let mut stage = Stage::new(canyon);
        let mut model = Model::default();
        for event in events {
            let origin = stage.origin.number;
            match event {
                Event::Frame(frame) => {
                    model.ingest(origin, frame.clone());
                    stage.ingest(frame);
                }
                Event::Read => {
                    prop_assert_eq!(stage.read(), model.read(origin, canyon));
                }
                Event::Origin(blocks) => stage.origin = at(origin + blocks),
                Event::Grow(letter) => {
                    let id = ChannelId::repeat_byte(letter);
                    let mut channels = model.channels.iter_mut();
                    if let Some(channel) = channels.find(|channel| channel.id == id) {
                        channel.size += 40_000_000;
                        stage.count_for(letter, channel.size);
                    }
                }
            }
            let ids: Vec<_> = model.channels.iter().map(|channel| channel.id).collect();
            prop_assert_eq!(&stage.bank.queue, &ids);
            prop_assert_eq!(stage.bank.total_size, model.total());
            let ready = model.channels.iter().filter(|channel| channel.is_ready());
            prop_assert_eq!(stage.bank.ready, ready.count());
            for channel in &model.channels {
                prop_assert_eq!(stage.bank.channels[&channel.id].size, channel.size);
            }
        }
    }
}
