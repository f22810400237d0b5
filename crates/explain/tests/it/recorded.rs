//! The inboxes of recorded chains, compared with what the chains became.

use crate::support::*;
use alloy_primitives::{B256, Bytes, keccak256};
use doppio_explain::{Chain, Explanation, Form, Options, Rules, explain};
use doppio_protocol::{
    blob::{Blob, decode_blob},
    deposit::DEPOSIT_TX_TYPE,
    frame::parse_frames,
};
use doppio_recorded::{OpenOptions, RecordedChain, Replay};
use doppio_test_vectors::Vectors;
use std::collections::{BTreeMap, BTreeSet};

const BLOB_TX_TYPE: u8 = 3;

/// An item of the inbox, and the time of the L1 block that it is in.
struct InboxItem {
    l1_time: u64,
    data: Bytes,
    is_blob: bool,
}

impl InboxItem {
    /// What derivation takes of it.
    fn decoded(&self) -> Bytes {
        if !self.is_blob {
            return self.data.clone();
        }
        let blob = <&Blob>::try_from(self.data.as_ref()).unwrap();
        decode_blob(blob).unwrap().into()
    }
}

struct Recorded {
    chain: RecordedChain,
    inbox: Vec<InboxItem>,
}

fn open(name: &str) -> Option<Recorded> {
    let vectors = Vectors::find("recorded")?;
    let chain = RecordedChain::open(&vectors.path(name), OpenOptions::default()).unwrap();
    let mut inbox = Vec::new();
    for block in chain.l1_blocks().unwrap() {
        let block = block.unwrap();
        let l1_time = block.header.timestamp;
        for sent in &block.inbox {
            let transaction = &sent.transaction;
            if transaction.tx_type() == BLOB_TX_TYPE {
                inbox.extend(
                    transaction
                        .blob_versioned_hashes()
                        .iter()
                        .map(|hash| InboxItem {
                            l1_time,
                            data: Bytes::copy_from_slice(chain.blob(hash).unwrap().as_slice()),
                            is_blob: true,
                        }),
                );
            } else {
                inbox.push(InboxItem {
                    l1_time,
                    data: transaction.input(),
                    is_blob: false,
                });
            }
        }
    }
    Some(Recorded { chain, inbox })
}

impl Recorded {
    fn options(&self) -> Options {
        Options {
            chain: Chain::of(&self.chain.chain.rollup),
            rules: Rules::newest(&self.chain.chain.profile),
            ..Options::default()
        }
    }

    /// The blocks of the chain, without genesis, which is in no batch.
    fn blocks(&self) -> BTreeSet<Told> {
        self.chain
            .l2_blocks
            .iter()
            .skip(1)
            .map(|recorded| {
                let block = recorded.decode().unwrap();
                let reference = block.block_ref(&self.chain.chain).unwrap();
                let hashes = block
                    .transactions
                    .iter()
                    .filter(|transaction| transaction.first() != Some(&DEPOSIT_TX_TYPE))
                    .map(keccak256)
                    .collect();
                (block.header.timestamp, reference.l1_origin.number, hashes)
            })
            .collect()
    }
}

/// What a batch tells of a block: time, number of its L1 origin, hashes of the transactions that
/// are no deposits.
type Told = (u64, u64, Vec<B256>);

fn told(explanation: &Explanation) -> BTreeSet<Told> {
    batches(explanation)
        .into_iter()
        .flat_map(blocks)
        .map(|(time, origin, transactions)| (time.unwrap(), origin, hashes(transactions)))
        .collect()
}

/// The blocks that are told are those of the chain, up to where the recording ends.
fn assert_equal_blocks(explanation: &Explanation, expected: &BTreeSet<Told>) {
    let end = expected.last().unwrap().0;
    let mut told = told(explanation);
    told.retain(|block| block.0 <= end);
    assert_eq!(told.len(), expected.len());
    assert!(told == *expected);
}

/// Explains the whole inbox at once, so that channels are put together across transactions, and
/// finds every block of the chain in it.
fn assert_whole_inbox(name: &str) {
    let Some(recorded) = open(name) else {
        return;
    };
    assert!(!recorded.inbox.is_empty());
    let data: Vec<Bytes> = recorded.inbox.iter().map(InboxItem::decoded).collect();
    let mut options = recorded.options();
    options.detail.total = usize::MAX;
    let explanation = explain(&data, &options);
    assert!(explanation.sound, "{explanation}");
    assert_equal_blocks(&explanation, &recorded.blocks());
}

#[test]
fn every_block_of_the_calldata_chain_is_in_the_explanation_of_its_inbox() {
    assert_whole_inbox("calldata-singular-zlib");
}

#[test]
fn every_block_of_the_blob_chain_is_in_the_explanation_of_its_inbox() {
    assert_whole_inbox("blobs-span-brotli-jovian");
}

#[test]
fn every_block_of_the_chain_through_all_forks_is_in_the_explanation_of_its_inbox() {
    assert_whole_inbox("all-forks-calldata");
}

/// Before Holocene other rules hold; on honest data they make no difference.
#[test]
fn the_rules_of_each_items_own_time_explain_it_too() {
    let Some(recorded) = open("all-forks-calldata") else {
        return;
    };
    let chain = &recorded.chain.chain;
    let mut rules_seen = BTreeSet::new();
    for item in &recorded.inbox {
        let rules = Rules::at(&chain.rollup, &chain.profile, item.l1_time);
        let seen = (rules.span_batches, rules.brotli, rules.in_order);
        rules_seen.insert(seen);
        let options = Options {
            rules,
            ..recorded.options()
        };
        let explanation = explain(std::slice::from_ref(&item.data), &options);
        assert_eq!(explanation.form, Some(Form::Inbox));
        assert!(explanation.sound, "{explanation}");
    }
    let fork_steps = [
        (false, false, false),
        (true, false, false),
        (true, true, false),
        (true, true, true),
    ];
    assert!(rules_seen.into_iter().eq(fork_steps));
}

/// Each blob is recognised by itself, and what is in it is inbox data.
#[test]
fn each_blob_of_the_blob_chain_is_recognised() {
    let Some(recorded) = open("blobs-span-brotli-jovian") else {
        return;
    };
    let mut blobs = 0;
    for item in recorded.inbox.iter().filter(|item| item.is_blob) {
        let explanation = explain(std::slice::from_ref(&item.data), &recorded.options());
        assert_eq!(explanation.form, Some(Form::Blob));
        assert!(explanation.sound, "{explanation}");
        assert!(inbox(&explanation).items.items[0].frames.count > 0);
        blobs += 1;
    }
    assert!(blobs > 0);
}

/// Each commitment is recognised with and without the derivation version byte, and the payloads
/// behind them hold every block of the chain.
#[test]
fn commitments_are_recognised_and_their_payloads_hold_the_chain() {
    let Some(recorded) = open("altda-span-brotli") else {
        return;
    };
    let options = recorded.options();
    let mut payloads = Vec::new();
    for item in &recorded.inbox {
        let explanation = explain(std::slice::from_ref(&item.data), &options);
        assert_eq!(explanation.form, Some(Form::Inbox));
        assert!(explanation.sound, "{explanation}");
        assert!(inbox(&explanation).items.items[0].commitment.is_some());
        let bare = item.data.slice(1..);
        let explanation = explain(std::slice::from_ref(&bare), &options);
        assert_eq!(explanation.form, Some(Form::Commitment));
        assert!(explanation.sound, "{explanation}");
        payloads.push(recorded.chain.payload(&bare).unwrap().clone());
    }
    let explanation = explain(&payloads, &options);
    assert!(explanation.sound, "{explanation}");
    assert_equal_blocks(&explanation, &recorded.blocks());
}

/// The forks of Espresso put the same data into the inbox. What matters there is who posts it,
/// which is not looked at: what was refused is told too, so that more is told than the chain has.
#[test]
fn every_block_of_the_espresso_chains_is_in_the_explanation_of_their_inboxes() {
    for name in ["espresso-gen2-calldata", "espresso-gen2-batcher"] {
        let Some(recorded) = open(name) else {
            return;
        };
        let data: Vec<Bytes> = recorded
            .inbox
            .iter()
            .map(|item| item.data.clone())
            .collect();
        let explanation = explain(&data, &recorded.options());
        let told = told(&explanation);
        // the last blocks of a recording may be newer than its inbox
        let end = told.last().unwrap().0;
        let mut expected = recorded.blocks();
        expected.retain(|block| block.0 <= end);
        assert!(expected.len() > 200);
        let missing: Vec<_> = expected.difference(&told).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
}

/// The whole of an inbox under attack. What derivation counts as dropped for the form of the data
/// alone is found, as often, and with a rule each.
#[test]
fn what_derivation_drops_of_a_hostile_inbox_is_explained_with_its_rule() {
    for name in ["hostile-inbox", "expired-windows"] {
        let Some(recorded) = open(name) else {
            return;
        };
        let dropped = Replay::new(&recorded.chain).run(|_| {}).unwrap().dropped;
        let data: Vec<Bytes> = recorded
            .inbox
            .iter()
            .map(|item| item.data.clone())
            .collect();
        let explanation = explain(&data, &recorded.options());
        let mut found = BTreeMap::<&str, u64>::new();
        for broken in &explanation.breaks {
            assert!(!broken.rule.is_empty() && !broken.message.is_empty());
            assert!(!broken.effect.is_empty() && !broken.path.is_empty());
            if let Some(reason) = broken.reason {
                *found.entry(reason).or_default() += 1;
            }
        }
        // these depend on nothing but the item
        let by_item = ["frames", "frame_order", "blob", "commitment"];
        // Derivation takes no channel that has timed out, and stops reading one at a batch that
        // does not fit the safe head: it may see fewer of these. In the hostile inbox it does not.
        let by_channel = [
            "frame",
            "frame_without_channel",
            "channel_replaced",
            "channel_too_large",
            "channel_open",
            "channel_read",
            "batch_decode",
            "span_transactions",
            "batch_empty_transaction",
            "batch_deposit",
        ];
        let count =
            |counts: &BTreeMap<&str, u64>, reason| counts.get(reason).copied().unwrap_or_default();
        for reason in by_item.into_iter().chain(by_channel) {
            let (found, dropped) = (count(&found, reason), count(&dropped, reason));
            let is_exact = by_item.contains(&reason) || name == "hostile-inbox";
            assert!(found >= dropped, "{name}: {reason}: {found} of {dropped}");
            assert!(
                found == dropped || !is_exact,
                "{name}: {reason}: {found}, {dropped} dropped"
            );
        }
        // the attack is there
        assert!(count(&dropped, "frames") > 0 || name != "hostile-inbox");
    }
}

/// Each hostile item by itself, as a user would paste it.
#[test]
fn each_hostile_item_alone_is_explained() {
    let Some(recorded) = open("hostile-inbox") else {
        return;
    };
    let max_frame_len = recorded.chain.chain.profile.max_frame_len;
    let (mut broken_items, mut sound_items) = (0, 0);
    for item in &recorded.inbox {
        let data = std::slice::from_ref(&item.data);
        let explanation = explain(data, &recorded.options());
        match parse_frames(&item.data, max_frame_len) {
            Ok(frames) => {
                assert_eq!(explanation.form, Some(Form::Inbox));
                let told = &inbox(&explanation).items.items[0].frames.items;
                assert_eq!(told.len(), frames.len());
                sound_items += u64::from(explanation.sound);
            }
            Err(error) => {
                assert!(!explanation.sound);
                // whatever form was preferred, as inbox data it breaks for derivation's reason
                let options = Options {
                    form: Some(Form::Inbox),
                    ..recorded.options()
                };
                let explanation = explain(data, &options);
                let first = &explanation.breaks[0];
                assert_eq!(first.reason, Some("frames"));
                assert!(first.message.contains(&error.to_string()), "{first}");
                assert!(first.offset.unwrap() <= item.data.len() as u64);
                broken_items += 1;
            }
        }
    }
    assert!(broken_items > 10 && sound_items > 10);
}
