//! Layer by layer, and beyond kona's last fork: data items of L1 blocks, frames of data items,
//! batches of channels.
//!
//! As in `differential.rs`, what kona is known to do otherwise is named exactly.

use alloy_primitives::Bytes;
use doppio_oracle::{
    Batch, Chain, RECORDED, Reach, channels, data_items,
    kona::{self, World},
    our_batches,
};
use doppio_protocol::frame::{FrameError, parse_frames};
use doppio_test_vectors::Vectors;

/// Runs a test on every recorded chain. True if there were any.
fn each_chain(mut test: impl FnMut(&'static str, &Chain)) -> bool {
    let Some(vectors) = Vectors::find("recorded") else {
        return false;
    };
    for name in RECORDED {
        test(name, &Chain::open(&vectors.path(name)).unwrap());
    }
    true
}

/// Who may post what. Left out are the alt-DA chain, and the L1 blocks from which on
/// authentication events decide: kona knows neither.
#[test]
fn l1_blocks_hold_the_same_data_items() {
    let mut compared = 0;
    let any = each_chain(|name, chain| {
        let Some(reach) = Reach::of_kona(&chain.recorded.chain) else {
            return;
        };
        let world = World::open(chain, reach).unwrap();
        let accepted = chain.derive(Reach::WHOLE).unwrap().accepted;
        let batcher = chain.recorded.chain.rollup.genesis.system_config.batcher;
        for block in chain.l1_blocks(reach) {
            let l1 = block.header.number;
            let counts = block
                .inbox
                .iter()
                .filter(|inbox| accepted.contains(&(l1, inbox.index)));
            let ours: Vec<Bytes> = counts.flat_map(|inbox| data_items(chain, inbox)).collect();
            let theirs = kona::data_items(&world, l1, batcher).unwrap();
            assert_eq!(ours, theirs, "{name}, L1 block {l1}");
            compared += ours.len();
        }
    });
    assert!(!any || compared >= 293, "only {compared} items to compare");
}

/// Where a frame's `is_last` is neither 0 nor 1: chain, L1 block, position of the transaction.
/// op-node ignores the whole item; kona reads `is_last` as 0.
const IS_LAST_OF_2: [(&str, u64, u32); 3] = [
    ("expired-windows", 48, 7),
    ("hostile-inbox", 45, 7),
    ("hostile-inbox", 217, 0),
];

/// All inbox transactions, whether they count or not.
#[test]
fn data_items_hold_the_same_frames() {
    let mut compared = 0;
    let mut differences = Vec::new();
    let any = each_chain(|name, chain| {
        let limit = chain.recorded.chain.profile.max_frame_len;
        for block in &chain.l1 {
            let l1 = block.header.number;
            for inbox in &block.inbox {
                for item in data_items(chain, inbox) {
                    let (ours, theirs) = (parse_frames(&item, limit), kona::frames(&item));
                    compared += 1;
                    if matches!(ours, Err(FrameError::IsLast { byte: 2, .. })) {
                        assert!(theirs.is_some_and(|frames| !frames[0].is_last));
                        differences.push((name, l1, inbox.index));
                    } else {
                        assert_eq!(ours.ok(), theirs, "{name}, L1 block {l1}");
                    }
                }
            }
        }
    });
    if any {
        assert!(compared >= 434, "only {compared} items to compare");
        differences.sort_unstable();
        assert_eq!(differences, IS_LAST_OF_2);
    }
}

#[test]
fn channels_hold_the_same_batches() {
    let (mut singular, mut span_blocks) = (0, 0);
    let mut panics = Vec::new();
    let any = each_chain(|name, chain| {
        let config = kona::read_config(chain).unwrap();
        let derivation = chain.derive(Reach::WHOLE).unwrap();
        for channel in channels(chain, &derivation) {
            let l1 = channel.l1.number;
            let ours = our_batches(&channel, chain.span_params());
            let theirs = kona::batches(&channel, &config);
            assert_eq!(ours, theirs.batches, "{name}, L1 block {l1}");
            panics.extend(theirs.panic.map(|message| (name, l1, message)));
            for batch in &ours {
                match batch {
                    Batch::Singular { .. } => singular += 1,
                    Batch::Span { blocks, .. } => span_blocks += blocks.len(),
                }
            }
        }
    });
    if any {
        // a type that does not exist ends the channel
        let message = "Invalid batch type: 5".to_owned();
        assert_eq!(panics, [("hostile-inbox", 225, message)]);
        assert!(singular >= 2072, "only {singular} singular batches");
        assert!(span_blocks >= 611, "only {span_blocks} blocks of spans");
    }
}
