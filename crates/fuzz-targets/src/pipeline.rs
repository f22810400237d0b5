//! The whole pipeline, and what stands around it.

use crate::chain::chains;
use alloy_primitives::{B256, Bytes, keccak256};
use doppio_derive::{
    DerivedAttributes, Outcome, Pipeline, Request, ResetPoint, Response, Step, read_da_answer,
};
use doppio_protocol::{
    config::{ChainConfig, ChainProfile},
    extra_data::{Eip1559Params, HeaderParams},
    frame::{encode_frames, split_channel},
    l1::{L1Block, L1Header, L1Receipt, L1Transaction},
    l2::L2Block,
    rlp,
};
use std::{collections::BTreeMap, sync::Arc};

pub(crate) fn da_answer(data: &[u8]) {
    let Some(([high, low], body)) = data.split_first_chunk() else {
        return;
    };
    let status = u16::from_be_bytes([*high, *low]) % 600;
    let body = Bytes::copy_from_slice(body);
    for profile in [ChainProfile::upstream(), ChainProfile::celo()] {
        for status in [status, 200, 404, 418] {
            let _ = read_da_answer(&profile, status, body.clone());
        }
    }
}

pub(crate) fn explain(data: &[u8]) {
    let options = doppio_explain::Options::default();
    let _ = doppio_explain::explain(&[Bytes::copy_from_slice(data)], &options);
    let _ = doppio_explain::parse_input(data);
}

/// Data items of several L1 blocks. The first byte says what the others are: items as they are, or
/// what frames, or a channel's strings, hold.
pub(crate) fn inbox(data: &[u8]) {
    let Some((kind, mut rest)) = data.split_first() else {
        return;
    };
    let mut items = Vec::new();
    while let Some((length, tail)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        let length = length.min(tail.len()).min(60_000);
        let (chunk, tail) = tail.split_at(length);
        items.push(item(kind % 3, chunk));
        rest = tail;
    }
    for chain in chains() {
        let chain = Arc::new(chain.clone());
        derive(&chain, &items);
    }
}

fn item(kind: u8, chunk: &[u8]) -> Bytes {
    match kind {
        0 => Bytes::copy_from_slice(chunk),
        1 => [&[0], chunk].concat().into(),
        _ => {
            let mut string = Vec::new();
            rlp::put_string(chunk, &mut string);
            let frames = split_channel(Default::default(), &stored(&string), 100_000);
            encode_frames(&frames.expect("a chunk is short"))
        }
    }
}

/// A zlib stream that compresses nothing.
fn stored(bytes: &[u8]) -> Bytes {
    let length = u16::try_from(bytes.len()).expect("a chunk is short");
    let (mut a, mut b) = (1u32, 0u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    [
        &[0x78, 0x01, 0x01][..],
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
        bytes,
        &((b << 16) | a).to_be_bytes(),
    ]
    .concat()
    .into()
}

/// Derives from L1 blocks of up to three items each, and some empty ones.
fn derive(chain: &Arc<ChainConfig>, items: &[Bytes]) {
    let point = ResetPoint::genesis(&chain.rollup);
    let mut pipeline = Pipeline::new(Arc::clone(chain), point);
    let mut l2_blocks = BTreeMap::from([(0, genesis_block(chain))]);
    let mut l1_blocks = l1_blocks(chain, items).into_iter();
    loop {
        match pipeline.step().expect("nothing that is posted stops it") {
            Step::Need(Request::L1Block(_)) => {
                let first = l1_blocks.next().expect("there is a first one");
                pipeline.supply(Response::L1Block(first)).expect("asked");
            }
            Step::Need(Request::L2Block(number)) => {
                let block = Box::new(l2_blocks[&number].clone());
                pipeline.supply(Response::L2Block(block)).expect("asked");
            }
            Step::Need(other) => panic!("nothing else can be lacking: {other:?}"),
            Step::Attributes(derived) => {
                let (block, outcome) = execute(chain, &derived);
                l2_blocks.insert(block.header.number, block);
                pipeline.executed(outcome).expect("in flight");
            }
            Step::Exhausted(_) => match l1_blocks.next() {
                Some(next) => pipeline.supply(Response::NextL1Block(next)).expect("asked"),
                None => return,
            },
        }
    }
}

fn genesis_block(chain: &ChainConfig) -> L2Block {
    let genesis = &chain.rollup.genesis;
    let mut block = L2Block {
        hash: genesis.l2.hash,
        ..L2Block::default()
    };
    block.header.timestamp = genesis.l2_time;
    block
}

fn execute(chain: &ChainConfig, derived: &DerivedAttributes) -> (L2Block, Outcome) {
    let attributes = &derived.attributes;
    let number = derived.parent.number + 1;
    let hash = keccak256([derived.parent.hash.as_slice(), &number.to_be_bytes()].concat());
    let eip1559 = Eip1559Params {
        denominator: 250,
        elasticity: 6,
    };
    let params = HeaderParams {
        eip1559,
        min_base_fee: attributes.min_base_fee.unwrap_or_default(),
    };
    let extra_data = params.encode(chain, attributes.timestamp);
    let mut block = L2Block {
        hash,
        transactions: attributes
            .all_transactions()
            .map(Bytes::copy_from_slice)
            .collect(),
        ..L2Block::default()
    };
    block.header.number = number;
    block.header.parent_hash = derived.parent.hash;
    block.header.timestamp = attributes.timestamp;
    (block, Outcome::Accepted { hash, extra_data })
}

fn l1_blocks(chain: &ChainConfig, items: &[Bytes]) -> Vec<L1Block> {
    let rollup = &chain.rollup;
    let mut header = L1Header {
        hash: rollup.genesis.l1.hash,
        number: rollup.genesis.l1.number,
        timestamp: rollup.genesis.l2_time,
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        ..L1Header::default()
    };
    let mut blocks = vec![L1Block::new(rollup, header, [], Vec::new())];
    // the empty ones let timeouts and windows pass
    for items in items.chunks(3).chain([&[][..]; 12]) {
        header = L1Header {
            hash: keccak256(header.hash),
            number: header.number + 1,
            parent_hash: header.hash,
            timestamp: header.timestamp + 12,
            ..header
        };
        let transactions = items.iter().map(|item| L1Transaction::Deposit {
            from: rollup.genesis.system_config.batcher,
            to: Some(rollup.batch_inbox_address),
            input: item.clone(),
        });
        let receipts = items.iter().map(|_| L1Receipt {
            success: true,
            logs: Vec::new(),
        });
        blocks.push(L1Block::new(
            rollup,
            header,
            transactions,
            receipts.collect(),
        ));
    }
    blocks
}
