//! Random L1 chains: what batchers do, honest and not.

use crate::support::*;
use alloy_primitives::{Address, B256, Bytes, U256};
use doppio_protocol::{
    config::{AuthProfile, AuthRule, ChainConfig, ChainProfile, Fork, Overrides},
    deposit::{DepositTx, encode_deposit_log},
    frame::encode_frames,
};
use proptest::prelude::*;
use std::{collections::HashMap, sync::Arc};

/// One thing that happens in an L1 block.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Batches for the next blocks of the chain.
    Post {
        blocks: u8,
        form: BatchForm,
        frames: u8,
    },
    /// The last batches once more, or a part of them.
    PostAgain {
        skip: u8,
        form: BatchForm,
    },
    /// Good batches, with bytes of the channel changed.
    Damage {
        at: u16,
        value: u8,
        layer: Layer,
    },
    /// Bytes of no meaning behind a byte that has one.
    Junk {
        version: u8,
        bytes: Vec<u8>,
    },
    /// Half a channel.
    Half,
    Deposit {
        n: u8,
    },
    /// By someone else.
    Stranger,
}

/// Where bytes are changed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layer {
    /// In the data item: frames.
    Item,
    /// In the compressed channel.
    Channel,
    /// In what is compressed: a batch.
    Batch,
}

pub(crate) fn action() -> impl Strategy<Value = Action> {
    let form = prop_oneof![Just(BatchForm::Singular), Just(BatchForm::Span)];
    let layer = prop_oneof![Just(Layer::Item), Just(Layer::Channel), Just(Layer::Batch)];
    prop_oneof![
        4 => (1u8..7, form.clone(), 1u8..4)
            .prop_map(|(blocks, form, frames)| Action::Post { blocks, form, frames }),
        1 => (0u8..4, form).prop_map(|(skip, form)| Action::PostAgain { skip, form }),
        2 => (any::<u16>(), any::<u8>(), layer)
            .prop_map(|(at, value, layer)| Action::Damage { at, value, layer }),
        1 => (0u8..3, proptest::collection::vec(any::<u8>(), 0..80))
            .prop_map(|(version, bytes)| Action::Junk { version, bytes }),
        1 => Just(Action::Half),
        1 => (0u8..9).prop_map(|n| Action::Deposit { n }),
        1 => Just(Action::Stranger),
    ]
}

/// The actions of consecutive L1 blocks.
pub(crate) fn plan() -> impl Strategy<Value = Vec<Vec<Action>>> {
    proptest::collection::vec(proptest::collection::vec(action(), 0..4), 1..30)
}

/// Chains on whose rules the pipeline differs most.
pub(crate) fn chains() -> impl Strategy<Value = Arc<ChainConfig>> {
    prop_oneof![
        Just(chain(rollup(Fork::Delta))),
        Just(chain(rollup(Fork::Granite))),
        Just(chain(rollup(Fork::Jovian))),
        Just({
            // Holocene in the middle
            let mut rollup = rollup(Fork::Granite);
            rollup.forks.holocene = Some(GENESIS_TIME + 10 * L1_BLOCK_TIME);
            chain(rollup)
        }),
        Just({
            let overrides = Overrides {
                profile: Some(ChainProfile {
                    batch_auth: Some(AuthProfile {
                        rule: AuthRule::InboxContract,
                        from: Some(0),
                    }),
                    ..ChainProfile::celo()
                }),
                ..Overrides::default()
            };
            chain_with(rollup(Fork::Jovian), overrides)
        }),
    ]
}

/// An L1 made by a plan.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) l1: L1,
    pub(crate) blobs: HashMap<B256, Box<doppio_protocol::blob::Blob>>,
}

impl Planned {
    /// A node that derives from it.
    pub(crate) fn node(&self) -> Node {
        let mut node = Node::new(&self.l1);
        node.blobs = self.blobs.clone();
        node
    }
}

/// Carries a plan out.
pub(crate) fn carry_out(chain: &Arc<ChainConfig>, plan: &[Vec<Action>]) -> Planned {
    let mut l1 = L1::new(chain);
    let mut sequencer = Sequencer::new(&l1);
    let mut blobs = HashMap::new();
    let mut last = Vec::new();
    let mut letter = 0u8;
    for actions in plan {
        let mut transactions = Vec::new();
        for action in actions {
            letter = letter.wrapping_add(1);
            transactions.extend(act(
                chain,
                &mut sequencer,
                &mut last,
                &mut blobs,
                letter,
                action,
            ));
        }
        l1.add(transactions);
        sequencer.sees(&l1);
    }
    Planned { l1, blobs }
}

type Blobs = HashMap<B256, Box<doppio_protocol::blob::Blob>>;

fn act(
    chain: &Arc<ChainConfig>,
    sequencer: &mut Sequencer,
    last: &mut Vec<doppio_protocol::batch::SingularBatch>,
    blobs: &mut Blobs,
    letter: u8,
    action: &Action,
) -> Vec<L1Tx> {
    let strings = |batches: &[doppio_protocol::batch::SingularBatch], form| {
        let first = batches.first().map_or(100, |batch| batch.epoch_num);
        match form {
            _ if batches.is_empty() => Vec::new(),
            BatchForm::Singular => batches.iter().map(|batch| batch.encode()).collect(),
            BatchForm::Span => vec![span(chain, first, batches)],
        }
    };
    match action {
        Action::Post {
            blocks,
            form,
            frames: count,
        } => {
            *last = (0..*blocks)
                .map(|n| sequencer.block((0..n % 3).map(|n| l2_tx(u64::from(n)))))
                .collect();
            let whole = channel(&strings(last, *form));
            frames(letter, &whole, usize::from(*count))
                .iter()
                .map(|frame| {
                    let item = encode_frames([frame]);
                    // every other channel in blobs
                    if letter.is_multiple_of(2) {
                        return L1Tx::inbox(item);
                    }
                    let blob = blob(&item);
                    let transaction = L1Tx::blobs(BATCHER, INBOX, std::slice::from_ref(&blob));
                    blobs.insert(blob.0, blob.1);
                    transaction
                })
                .collect()
        }
        Action::PostAgain { skip, form } => {
            let batches = last.get(usize::from(*skip)..).unwrap_or_default();
            vec![L1Tx::inbox(item(letter, &strings(batches, *form)))]
        }
        Action::Damage { at, value, layer } => {
            // of a chain that nobody follows, if it gets through
            let mut strings = strings(last, BatchForm::Singular);
            let damage = |bytes: &mut Vec<u8>| {
                if let Some(length) = core::num::NonZero::new(bytes.len()) {
                    bytes[usize::from(*at) % length] ^= value;
                }
            };
            if let (Layer::Batch, Some(first)) = (layer, strings.first_mut()) {
                damage(first);
            }
            let mut whole = channel(&strings).to_vec();
            if let Layer::Channel = layer {
                damage(&mut whole);
            }
            let mut item = encode_frames(&frames(letter, &whole.into(), 1)).to_vec();
            if let Layer::Item = layer {
                damage(&mut item);
            }
            vec![L1Tx::inbox(item)]
        }
        Action::Junk { version, bytes } => {
            vec![L1Tx::inbox([&[*version], bytes.as_slice()].concat())]
        }
        Action::Half => {
            let whole = channel(&strings(last, BatchForm::Singular));
            let frames = frames(letter, &whole, 2);
            vec![L1Tx::inbox(encode_frames(&frames[..1]))]
        }
        Action::Deposit { n } => {
            let deposit = DepositTx {
                from: Address::repeat_byte(*n),
                to: Some(Address::repeat_byte(n + 1)),
                value: U256::from(*n),
                gas: 100_000,
                data: Bytes::from(vec![*n; usize::from(*n)]),
                ..DepositTx::default()
            };
            vec![L1Tx::with_logs(vec![encode_deposit_log(PORTAL, &deposit)])]
        }
        Action::Stranger => {
            let item = item(letter, &strings(last, BatchForm::Singular));
            let transaction = L1Tx::to(STRANGER, INBOX, item);
            vec![transaction.clone().reverted(), transaction]
        }
    }
}
