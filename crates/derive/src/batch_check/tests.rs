//! The rules on batches: each row of the tables, and the order of the rows.
//!
//! The world is that of the reference's own cases (TestValidBatch), whose names the tests bear: L1
//! blocks are seven seconds apart, L2 blocks two; a sequencing window has four L1 blocks; L2 may
//! be six seconds ahead of its L1 origin.

mod order;
mod singular;
mod span;

use super::*;
use crate::safe_blocks::SafeBlock;
use alloy_consensus::{SignableTransaction, TxEip1559, TxEip7702, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind};
use doppio_protocol::{
    batch::{Batch, SpanBatchWriter, SpanParams},
    config::{ForkTimes, Overrides, RollupConfig, RuleSet},
};
use std::sync::{Arc, LazyLock};

/// A chain without forks. Other tests of this crate set what they need.
pub(crate) fn chain() -> ChainConfig {
    let hash = |byte| B256::repeat_byte(byte).to_string();
    let address = |byte| Address::repeat_byte(byte).to_string();
    let rollup: RollupConfig = serde_json::from_value(serde_json::json!({
        "genesis": {
            "l1": {"hash": hash(1), "number": 0},
            "l2": {"hash": hash(2), "number": 0},
            // not aligned with anything, to make it more interesting
            "l2_time": 31,
            "system_config": {
                "batcherAddr": address(3),
                "overhead": hash(0),
                "scalar": hash(1),
                "gasLimit": 30_000_000,
            },
        },
        "block_time": 2,
        "max_sequencer_drift": 6,
        "seq_window_size": 4,
        "channel_timeout": 10,
        "l1_chain_id": 1,
        "l2_chain_id": 901,
        "batch_inbox_address": address(4),
        "deposit_contract_address": address(5),
    }))
    .unwrap();
    ChainConfig::new(rollup, Overrides::default()).unwrap()
}

static CHAIN: LazyLock<ChainConfig> = LazyLock::new(chain);

const fn l1(letter: u8, number: u64, timestamp: u64) -> L1BlockRef {
    L1BlockRef {
        hash: B256::repeat_byte(letter),
        number,
        parent_hash: B256::ZERO,
        timestamp,
    }
}

const fn l2(hash: u8, number: u64, parent: u8, timestamp: u64, origin: L1BlockRef) -> L2BlockRef {
    L2BlockRef {
        hash: B256::repeat_byte(hash),
        number,
        parent_hash: B256::repeat_byte(parent),
        timestamp,
        l1_origin: origin.id(),
        sequence_number: 0,
    }
}

const T: u64 = 20_000;

const A: L1BlockRef = l1(b'A', 1000, T);
const B: L1BlockRef = l1(b'B', 1001, T + 7);
const C: L1BlockRef = l1(b'C', 1002, T + 14);
const D: L1BlockRef = l1(b'D', 1003, T + 21);
const E: L1BlockRef = l1(b'E', 1004, T + 28);
const F: L1BlockRef = l1(b'F', 1005, T + 35);

const A0: L2BlockRef = l2(0xa0, 100, 0x99, T, A);
const A1: L2BlockRef = l2(0xa1, 101, 0xa0, T + 2, A);
const A2: L2BlockRef = l2(0xa2, 102, 0xa1, T + 4, A);
const A3: L2BlockRef = l2(0xa3, 103, 0xa2, T + 6, A);
/// Two seconds beyond the drift.
const A4: L2BlockRef = l2(0xa4, 104, 0xa3, T + 8, A);
/// One second after its origin.
const B0: L2BlockRef = l2(0xb0, 104, 0xa3, T + 8, B);
const B1: L2BlockRef = l2(0xb1, 105, 0xb0, T + 10, B);
const B2: L2BlockRef = l2(0xb2, 106, 0xb1, T + 12, B);

/// An L1 block after A that is too young for A4.
const B_LATE: L1BlockRef = l1(b'b', 1001, T + 9);

/// An L2 chain that is so far ahead of its origins that every block exceeds the drift.
const X: L1BlockRef = l1(b'X', 42, 10_000);
const Y: L1BlockRef = l1(b'Y', 43, 10_012);
const Z: L1BlockRef = l1(b'Z', 44, 10_024);
const X0: L2BlockRef = l2(0x10, 1000, 0x0f, 10_029, X);
const Y0: L2BlockRef = l2(0x11, 1001, 0x10, 10_031, Y);
const Z0: L2BlockRef = l2(0x12, 1002, 0x11, 10_033, Z);

/// The batch that makes a block.
fn batch(block: L2BlockRef) -> SingularBatch {
    SingularBatch {
        parent_hash: block.parent_hash,
        epoch_num: block.l1_origin.number,
        epoch_hash: block.l1_origin.hash,
        timestamp: block.timestamp,
        transactions: TransactionList::default(),
    }
}

/// Transactions that a span can carry.
fn ordinary_tx(nonce: u64) -> Bytes {
    signed(TxEip1559 {
        chain_id: 901,
        nonce,
        to: TxKind::Call(Address::repeat_byte(7)),
        ..TxEip1559::default()
    })
}

fn set_code_tx() -> Bytes {
    signed(TxEip7702 {
        chain_id: 901,
        ..TxEip7702::default()
    })
}

fn post_exec_tx() -> Bytes {
    Bytes::from_static(&[POST_EXEC_TX_TYPE, 0xc2, 0x01, 0x02])
}

fn signed<T>(tx: T) -> Bytes
where
    T: SignableTransaction<Signature>,
    TxEnvelope: From<alloy_consensus::Signed<T>>,
{
    let envelope: TxEnvelope = tx.into_signed(Signature::test_signature()).into();
    envelope.encoded_2718().into()
}

/// What is checked.
#[derive(Clone, Debug)]
enum Subject {
    Singular(SingularBatch),
    Span(Vec<SingularBatch>),
}

/// A batch, and what it is checked against.
#[derive(Clone, Debug)]
struct Case {
    chain: ChainConfig,
    l1_blocks: VecDeque<L1BlockRef>,
    safe_head: L2BlockRef,
    included_in: L1BlockRef,
    safe_blocks: SafeBlocks,
    subject: Subject,
    /// Whether a span says that its first block begins an epoch.
    first_origin_bit: bool,
}

impl Case {
    fn new(
        l1_blocks: &[L1BlockRef],
        safe_head: L2BlockRef,
        included_in: L1BlockRef,
        subject: Subject,
    ) -> Self {
        Self {
            chain: CHAIN.clone(),
            l1_blocks: l1_blocks.iter().copied().collect(),
            safe_head,
            included_in,
            safe_blocks: SafeBlocks::default(),
            subject,
            first_origin_bit: true,
        }
    }

    fn fork(mut self, fork: Fork, time: u64) -> Self {
        self.chain.rollup.forks.set(fork, Some(time));
        self
    }

    /// Holocene at an L1 block, and the earlier forks that matter here since ever.
    fn holocene_at(self, block: L1BlockRef) -> Self {
        self.fork(Fork::Delta, 0)
            .fork(Fork::Fjord, 0)
            .fork(Fork::Holocene, block.timestamp)
    }

    fn rules(mut self, rules: RuleSet) -> Self {
        self.chain.rules = rules.rules();
        self
    }

    /// Changes a batch of the subject.
    fn edit_at(mut self, index: usize, edit: impl FnOnce(&mut SingularBatch)) -> Self {
        edit(match &mut self.subject {
            Subject::Singular(batch) => batch,
            Subject::Span(batches) => &mut batches[index],
        });
        self
    }

    fn edit(self, edit: impl FnOnce(&mut SingularBatch)) -> Self {
        self.edit_at(0, edit)
    }

    fn txs_at<T: AsRef<[u8]>>(self, index: usize, txs: impl IntoIterator<Item = T>) -> Self {
        self.edit_at(index, |batch| {
            batch.transactions = txs.into_iter().collect()
        })
    }

    fn txs<T: AsRef<[u8]>>(self, txs: impl IntoIterator<Item = T>) -> Self {
        self.txs_at(0, txs)
    }

    /// Makes known what a block of the safe chain holds.
    fn safe_block<T: AsRef<[u8]>>(
        mut self,
        block: L2BlockRef,
        txs: impl IntoIterator<Item = T>,
    ) -> Self {
        self.safe_blocks
            .insert(block.number, safe_block(Some(block), txs));
        self
    }

    fn context(&self) -> Context<'_> {
        Context {
            chain: &self.chain,
            l1_blocks: &self.l1_blocks,
            safe_head: &self.safe_head,
            included_in: &self.included_in,
        }
    }

    fn span_params(&self) -> SpanParams {
        SpanParams::of_chain(&self.chain)
    }

    /// The span's encoding, without its type byte.
    fn span_bytes(&self, batches: &[SingularBatch]) -> Bytes {
        let mut writer = SpanBatchWriter::new(self.span_params());
        for batch in batches {
            let sequence_number = u64::from(!self.first_origin_bit);
            writer.push(batch, sequence_number).unwrap();
        }
        Bytes::from(writer.encode().unwrap()).slice(1..)
    }

    fn span(&self, batches: &[SingularBatch]) -> SpanCursor {
        self.cursor(&self.span_bytes(batches))
    }

    fn cursor(&self, bytes: &Bytes) -> SpanCursor {
        let mut string = vec![doppio_protocol::batch::SPAN_BATCH_TYPE];
        string.extend_from_slice(bytes);
        let Ok(Batch::Span(span)) = Batch::decode(&string.into()) else {
            panic!("the writer writes span batches");
        };
        span.check_transactions(&self.span_params()).unwrap();
        SpanCursor::new(Arc::new(span), self.span_params())
    }

    fn check_cursor(&self, span: &SpanCursor) -> Result<Validity, Box<Stop>> {
        let context = self.context();
        let result = if context.holocene() {
            context.check_span_holocene(span, &self.safe_blocks)
        } else {
            context.check_span(span, &self.safe_blocks)
        };
        result.map_err(Box::new)
    }

    fn result(&self) -> Result<Validity, Box<Stop>> {
        match &self.subject {
            Subject::Singular(batch) => Ok(self.context().check_singular(batch)),
            Subject::Span(batches) => self.check_cursor(&self.span(batches)),
        }
    }

    #[track_caller]
    fn check(&self) -> Validity {
        match self.result() {
            Ok(validity) => validity,
            Err(stop) => panic!("the check stops: {stop:?}"),
        }
    }
}

fn safe_block<T: AsRef<[u8]>>(
    block_ref: Option<L2BlockRef>,
    txs: impl IntoIterator<Item = T>,
) -> SafeBlock {
    let list: TransactionList = txs.into_iter().collect();
    SafeBlock {
        block_ref,
        transaction_count: list.len(),
        transactions_hash: keccak256(list.rlp_payload()),
    }
}

/// The batch of one block.
fn singular(
    l1_blocks: &[L1BlockRef],
    safe_head: L2BlockRef,
    included_in: L1BlockRef,
    block: L2BlockRef,
) -> Case {
    let subject = Subject::Singular(batch(block));
    Case::new(l1_blocks, safe_head, included_in, subject)
}

/// A span of blocks, on a chain with Delta, where the safe chain is known as it is.
fn span<const N: usize>(
    l1_blocks: &[L1BlockRef],
    safe_head: L2BlockRef,
    included_in: L1BlockRef,
    blocks: [L2BlockRef; N],
) -> Case {
    let subject = Subject::Span(blocks.into_iter().map(batch).collect());
    let mut case = Case::new(l1_blocks, safe_head, included_in, subject).fork(Fork::Delta, 0);
    for block in [A0, A1, A2, A3, B0] {
        case = case.safe_block::<Bytes>(block, []);
    }
    case
}

const NO_TXS: [Bytes; 0] = [];

/// Tests of single cases, and a list of what they expect.
macro_rules! cases {
    ($($(#[$doc:meta])* $name:ident: $case:expr => $expected:expr;)*) => {
        $(
            $(#[$doc])*
            #[test]
            fn $name() {
                let case: Case = $case;
                assert_eq!(case.check(), $expected);
            }
        )*

        pub(super) const EXPECTED: &[Validity] = &[$($expected),*];
    };
}
use cases;

/// A rule that is added must come with a case.
#[test]
fn every_rule_has_a_case() {
    for rule in BatchDrop::ALL {
        let expected = Validity::Drop(*rule);
        let tables = [singular::EXPECTED, span::EXPECTED];
        assert!(
            tables.iter().any(|table| table.contains(&expected)),
            "no case expects {rule:?}"
        );
    }
}

/// An operator counts drops by name, and looks up rules.
#[test]
fn names_are_distinct_and_rules_are_named() {
    let mut names: Vec<_> = BatchDrop::ALL.iter().map(|drop| drop.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), BatchDrop::ALL.len());
    for drop in BatchDrop::ALL {
        assert!(drop.rule().starts_with("opstack"), "{drop:?}");
        assert!(!drop.to_string().is_empty());
    }
}

#[test]
fn forks_of_the_test_chain_are_none() {
    assert_eq!(chain().rollup.forks, ForkTimes::default());
}
