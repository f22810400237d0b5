//! Whether the engine's block is the derived one: field by field, fork by fork.

use crate::{
    engines::user_transaction,
    l1::{GENESIS_TIME, chain},
};
use alloy_consensus::constants::EMPTY_ROOT_HASH;
use alloy_primitives::{Address, B256, Bytes};
use doppio_derive::differences;
use doppio_protocol::{
    attributes::{PayloadAttributes, SEQUENCER_FEE_VAULT},
    config::{ChainConfig, Fork},
    extra_data::Eip1559Params,
    l2::L2Block,
};
use std::sync::Arc;

/// Attributes and the block that is made of them.
struct Case {
    chain: Arc<ChainConfig>,
    parent: B256,
    attributes: PayloadAttributes,
    block: L2Block,
}

/// The extra data of a Holocene block.
fn holocene(denominator: u32, elasticity: u32) -> Bytes {
    let words = [denominator.to_be_bytes(), elasticity.to_be_bytes()];
    [&[0], words.concat().as_slice()].concat().into()
}

/// The extra data of a Jovian block.
fn jovian(denominator: u32, elasticity: u32, min_base_fee: u64) -> Bytes {
    let words = [denominator.to_be_bytes(), elasticity.to_be_bytes()];
    [&[1], words.concat().as_slice(), &min_base_fee.to_be_bytes()]
        .concat()
        .into()
}

fn case(fork: Fork) -> Case {
    let chain = chain(fork, |_| {});
    let is = |since| chain.active(since, GENESIS_TIME);
    let (canyon, ecotone) = (is(Fork::Canyon), is(Fork::Ecotone));
    let parent = B256::repeat_byte(0x12);
    let beacon_root = ecotone.then_some(B256::repeat_byte(0x45));
    let mut attributes = PayloadAttributes {
        timestamp: GENESIS_TIME + 2,
        prev_randao: B256::repeat_byte(0x78),
        suggested_fee_recipient: SEQUENCER_FEE_VAULT,
        has_withdrawals: canyon,
        parent_beacon_block_root: beacon_root,
        deposits: vec![Bytes::from_static(b"\x7edeposit")],
        transactions: [user_transaction(1)].into_iter().collect(),
        gas_limit: 1_000,
        ..PayloadAttributes::default()
    };
    let mut block = L2Block::default();
    let header = &mut block.header;
    header.parent_hash = parent;
    header.timestamp = attributes.timestamp;
    header.mix_hash = attributes.prev_randao;
    header.beneficiary = SEQUENCER_FEE_VAULT;
    header.gas_limit = 1_000;
    header.withdrawals_root = canyon.then_some(EMPTY_ROOT_HASH);
    header.parent_beacon_block_root = beacon_root;
    if is(Fork::Jovian) {
        attributes.eip1559 = Some(params(100, 3));
        attributes.min_base_fee = Some(1_000_000_000);
        header.extra_data = jovian(100, 3, 1_000_000_000);
    } else if is(Fork::Holocene) {
        attributes.eip1559 = Some(params(100, 3));
        header.extra_data = holocene(100, 3);
    }
    block.transactions = vec![attributes.deposits[0].clone(), user_transaction(1)];
    Case {
        chain,
        parent,
        attributes,
        block,
    }
}

const fn params(denominator: u32, elasticity: u32) -> Eip1559Params {
    Eip1559Params {
        denominator,
        elasticity,
    }
}

impl Case {
    fn fields(&self) -> Vec<&'static str> {
        let found = differences(&self.chain, self.parent, &self.attributes, &self.block);
        found.iter().map(|difference| difference.field).collect()
    }
}

const FORKS: [Fork; 10] = [
    Fork::Regolith,
    Fork::Canyon,
    Fork::Delta,
    Fork::Ecotone,
    Fork::Fjord,
    Fork::Granite,
    Fork::Holocene,
    Fork::Isthmus,
    Fork::Jovian,
    Fork::Karst,
];

/// A case: its name, the fork, what is changed, and the fields in which it is not the block any more.
type Row = (&'static str, Fork, fn(&mut Case), &'static [&'static str]);

#[track_caller]
fn each(cases: &[Row]) {
    for (name, fork, edit, expected) in cases {
        let mut case = case(*fork);
        edit(&mut case);
        assert_eq!(case.fields(), *expected, "{name}");
    }
}

const NOTHING: fn(&mut Case) = |_| {};

/// TestAttributesMatch, by the names of its cases. Where attributes or payloads of op-node may lack a
/// field, ours cannot; the case is then the same with the field of another fork.
// opstack 11 K, TestAttributesMatch
#[test]
fn attributes_match() {
    for fork in FORKS {
        assert!(case(fork).fields().is_empty(), "{fork:?}");
    }
    each(&[
        ("validBedrockArgs", Fork::Regolith, NOTHING, &[]),
        (
            "bedrockArgsPostCanyon",
            Fork::Canyon,
            |case| case.block.header.withdrawals_root = None,
            &["withdrawals"],
        ),
        ("validCanyonArgs", Fork::Canyon, NOTHING, &[]),
        ("validEcotoneArgs", Fork::Ecotone, NOTHING, &[]),
        ("validholoceneArgs", Fork::Holocene, NOTHING, &[]),
        ("validJovianArgs", Fork::Jovian, NOTHING, &[]),
        (
            "mismatchedParentHashArgs",
            Fork::Holocene,
            |case| case.parent = B256::repeat_byte(0xab),
            &["parent"],
        ),
        (
            "createMismatchedTimestamp",
            Fork::Holocene,
            |case| case.attributes.timestamp += 1,
            &["time"],
        ),
        (
            "createMismatchedPrevRandao",
            Fork::Holocene,
            |case| case.attributes.prev_randao = B256::repeat_byte(0xab),
            &["prev-randao"],
        ),
        (
            "createMismatchedTransactions",
            Fork::Holocene,
            |case| {
                let twice = [user_transaction(1), user_transaction(1)];
                case.attributes.transactions = twice.into_iter().collect();
            },
            &["number of transactions"],
        ),
        (
            "another transaction",
            Fork::Holocene,
            |case| case.block.transactions[1] = user_transaction(2),
            &["transaction"],
        ),
        (
            "another order of transactions",
            Fork::Holocene,
            |case| case.block.transactions.swap(0, 1),
            &["transaction", "transaction"],
        ),
        (
            "ecotoneNoParentBeaconBlockRoot",
            Fork::Holocene,
            |case| case.block.header.parent_beacon_block_root = None,
            &["parent beacon root"],
        ),
        (
            "ecotoneUnexpectedParentBeaconBlockRoot",
            Fork::Canyon,
            |case| case.block.header.parent_beacon_block_root = Some(B256::ZERO),
            &["parent beacon root"],
        ),
        (
            "ecotoneMismatchParentBeaconBlockRoot",
            Fork::Ecotone,
            |case| case.attributes.parent_beacon_block_root = Some(B256::repeat_byte(0xab)),
            &["parent beacon root"],
        ),
        (
            "ecotoneNilParentBeaconBlockRoots",
            Fork::Canyon,
            NOTHING,
            &[],
        ),
        (
            "createMismatchedGasLimit",
            Fork::Holocene,
            |case| case.attributes.gas_limit = 2_000,
            &["gas limit"],
        ),
        (
            "createMismatchedFeeRecipient",
            Fork::Holocene,
            |case| case.attributes.suggested_fee_recipient = Address::repeat_byte(0xde),
            &["fee recipient"],
        ),
        (
            "createMismatchedEIP1559Params",
            Fork::Holocene,
            |case| case.attributes.eip1559 = Some(params(999, 999)),
            &["extra data"],
        ),
        (
            "missingMinBaseFee in the attributes",
            Fork::Jovian,
            |case| case.attributes.min_base_fee = None,
            &["extra data"],
        ),
        (
            "missingMinBaseFee in the block",
            Fork::Jovian,
            |case| case.block.header.extra_data = holocene(100, 3),
            &["extra data"],
        ),
        (
            "inconsistentMinBaseFee",
            Fork::Jovian,
            |case| case.attributes.min_base_fee = Some(2_000_000_000),
            &["extra data"],
        ),
    ]);
}

/// TestWithdrawalsMatch. A list that is not empty has another root, and ours has no other way to say it.
// opstack 11 K, TestWithdrawalsMatch
#[test]
fn withdrawals_match() {
    let other: fn(&mut Case) =
        |case| case.block.header.withdrawals_root = Some(B256::repeat_byte(1));
    let none: fn(&mut Case) = |case| case.block.header.withdrawals_root = None;
    let no_list: fn(&mut Case) = |case| case.attributes.has_withdrawals = false;
    each(&[
        (
            "pre-canyon: nil attr withdrawals",
            Fork::Regolith,
            NOTHING,
            &[],
        ),
        (
            "pre-canyon: non-nil withdrawals",
            Fork::Regolith,
            |case| case.attributes.has_withdrawals = true,
            &["withdrawals"],
        ),
        (
            "pre-canyon: a root in the block",
            Fork::Regolith,
            |case| case.block.header.withdrawals_root = Some(EMPTY_ROOT_HASH),
            &["withdrawals"],
        ),
        (
            "post-isthmus: nil block withdrawalsRoot",
            Fork::Isthmus,
            none,
            &["withdrawals"],
        ),
        (
            "post-isthmus: no attr withdrawals list",
            Fork::Isthmus,
            no_list,
            &["withdrawals"],
        ),
        (
            "post-isthmus: any block withdrawalsRoot",
            Fork::Isthmus,
            other,
            &[],
        ),
        (
            "pre-isthmus: non-empty block withdrawals list",
            Fork::Holocene,
            other,
            &["withdrawals root"],
        ),
        (
            "pre-isthmus: no attr withdrawals list",
            Fork::Holocene,
            no_list,
            &["withdrawals"],
        ),
        (
            "pre-isthmus: no block withdrawals list",
            Fork::Holocene,
            none,
            &["withdrawals"],
        ),
        ("pre-isthmus: empty lists", Fork::Holocene, NOTHING, &[]),
    ]);
}

/// TestCheckEIP1559ParamsMatch, by the names of its cases.
// opstack 11 K, CheckEIP1559ParamsMatch
#[test]
fn check_eip1559_params_match() {
    each(&[
        ("match-empty", Fork::Granite, NOTHING, &[]),
        (
            "match-zero-attrs",
            Fork::Holocene,
            |case| {
                case.attributes.eip1559 = Some(params(0, 0));
                // the chain's own, from Canyon on
                case.block.header.extra_data = holocene(250, 6);
            },
            &[],
        ),
        ("match-non-zero", Fork::Holocene, NOTHING, &[]),
        (
            "err-both-zero",
            Fork::Holocene,
            |case| {
                case.attributes.eip1559 = Some(params(0, 0));
                case.block.header.extra_data = holocene(0, 0);
            },
            &["extra data"],
        ),
        (
            "the denominator of before Canyon",
            Fork::Holocene,
            |case| {
                case.attributes.eip1559 = Some(params(0, 0));
                case.block.header.extra_data = holocene(50, 6);
            },
            &["extra data"],
        ),
        (
            "err-invalid-extra",
            Fork::Holocene,
            |case| {
                let mut extra = case.block.header.extra_data.to_vec();
                extra[0] = 42;
                case.block.header.extra_data = extra.into();
            },
            &["extra data"],
        ),
        (
            "err-no-match",
            Fork::Holocene,
            |case| case.attributes.eip1559 = Some(params(100, 4)),
            &["extra data"],
        ),
        (
            "err-non-nil-extra",
            Fork::Granite,
            |case| case.block.header.extra_data = holocene(0, 0),
            &["extra data"],
        ),
        (
            "9 bytes of extra data in a Jovian block",
            Fork::Jovian,
            |case| case.block.header.extra_data = holocene(100, 3),
            &["extra data"],
        ),
    ]);
}

/// Every field is told, so that an operator sees all of an incident at once.
#[test]
fn all_differences_are_told() {
    let mut case = case(Fork::Karst);
    case.parent = B256::ZERO;
    case.attributes.gas_limit = 1;
    case.block.transactions.pop();
    assert_eq!(
        case.fields(),
        ["parent", "gas limit", "number of transactions"]
    );
    let found = differences(&case.chain, case.parent, &case.attributes, &case.block);
    assert_eq!(found[1].to_string(), "gas limit should be 1, is 1000");
}
