//! Bytes of any kind in any place: they are dropped for a reason, and nothing waits for them.

use crate::{plans::*, support::*};
use alloy_primitives::Bytes;
use doppio_protocol::{config::Fork, frame::encode_frames};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    /// Whatever is posted, derivation reads L1 to its end.
    #[test]
    fn hostile_bytes_neither_stop_nor_delay(chain in chains(), plan in plan()) {
        let planned = carry_out(&chain, &plan);
        let mut node = planned.node();
        node.run_to_end();
    }

    /// An honest batcher that posts alone after all of it is heard.
    #[test]
    fn after_hostile_bytes_an_honest_batch_counts(
        items in proptest::collection::vec(
            (0u8..3, proptest::collection::vec(any::<u8>(), 0..200)),
            0..20,
        ),
        fork in prop_oneof![Just(Fork::Delta), Just(Fork::Granite), Just(Fork::Karst)],
    ) {
        let chain = chain(rollup(fork));
        let mut l1 = L1::new(&chain);
        let mut sequencer = Sequencer::new(&l1);
        let batches: Vec<_> = (0..3).map(|n| sequencer.block([l2_tx(n)])).collect();
        l1.add(
            items
                .iter()
                .map(|(version, bytes)| L1Tx::inbox([&[*version], bytes.as_slice()].concat())),
        );
        l1.add([L1Tx::inbox(singular_item(9, &batches))]);
        let mut node = Node::new(&l1);
        node.run_to_end();
        prop_assert_eq!(node.pipeline.safe_head(), &sequencer.head);
    }

    /// A channel of arbitrary strings: each is a batch or ends the channel.
    #[test]
    fn arbitrary_strings_in_a_channel_are_dropped(
        strings in proptest::collection::vec(
            (0u8..4, proptest::collection::vec(any::<u8>(), 0..120))
                .prop_map(|(kind, bytes)| [&[kind], bytes.as_slice()].concat()),
            0..6,
        ),
    ) {
        for fork in [Fork::Delta, Fork::Jovian] {
            let mut l1 = L1::new(&chain(rollup(fork)));
            l1.add([L1Tx::inbox(item(1, &strings))]);
            let mut node = Node::new(&l1);
            node.run_to_end();
            prop_assert_eq!(node.safe_number(), 0);
            prop_assert_eq!(node.drops.is_empty(), strings.is_empty());
        }
    }

    /// Frames of arbitrary channels, numbers and flags.
    #[test]
    fn arbitrary_frames_are_dropped_or_kept(
        frames in proptest::collection::vec(
            (0u8..3, 0u16..4, any::<bool>(), proptest::collection::vec(any::<u8>(), 0..20)),
            1..30,
        ),
        per_block in 1usize..10,
    ) {
        for fork in [Fork::Delta, Fork::Jovian] {
            let mut l1 = L1::new(&chain(rollup(fork)));
            for frames in frames.chunks(per_block) {
                l1.add(frames.iter().map(|(letter, number, is_last, data)| {
                    let frame = doppio_protocol::frame::Frame {
                        id: id(*letter),
                        number: *number,
                        data: Bytes::from(data.clone()),
                        is_last: *is_last,
                    };
                    L1Tx::inbox(encode_frames([&frame]))
                }));
            }
            l1.add_empty(15);
            let mut node = Node::new(&l1);
            node.run_to_end();
            // the sequencing window passes, and the blocks are empty
            prop_assert!(node.derived_transactions().iter().all(Vec::is_empty));
        }
    }
}
