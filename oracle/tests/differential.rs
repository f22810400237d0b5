//! Doppio and kona derive the same blocks of every recorded chain, as far as kona can follow.
//!
//! Where they do not, op-node's recording says who is right. Every divergence of kona that is
//! known is named here, exactly; one that is missing and one that is new both fail the test.

use alloy_primitives::Bytes;
use doppio_derive::{BatchDrop, DropReason};
use doppio_oracle::{
    Block, Chain, RECORDED, Reach, Safe,
    kona::{self, Divergence, World},
    ours::Derivation,
};
use doppio_protocol::batch::BatchError;
use doppio_test_vectors::Vectors;

/// What kona does otherwise than op-node, by chain.
fn known_divergences(chain: &str) -> Vec<Divergence> {
    match chain {
        // A block whose transactions cannot be executed is replaced by its deposits.
        "expired-windows" => vec![single_bytes_for_deposits(126, 4)],
        "hostile-inbox" => vec![
            single_bytes_for_deposits(80, 4),
            single_bytes_for_deposits(322, 2),
            unknown_parent_accepted(221, 394),
            // A batch of a type that does not exist ends its channel; kona panics.
            Divergence::Panics {
                l1: 225,
                message: "Invalid batch type: 5".to_owned(),
            },
            unknown_parent_accepted(226, 394),
        ],
        _ => Vec::new(),
    }
}

/// kona's `OpAttributesWithParent::as_deposits_only` keeps as many transactions as there were, each
/// of them the single byte 0x7e, where it should keep the deposits.
fn single_bytes_for_deposits(number: u64, transactions: usize) -> Divergence {
    Divergence::DepositsOnly {
        number,
        transactions: vec![Bytes::from_static(&[0x7e]); transactions],
    }
}

/// A singular batch of the right time and epoch on an unknown parent is invalid, and takes the
/// rest of its channel with it. kona's batch validator writes the safe head's hash over the
/// batch's parent hash before it checks it, and derives a block.
fn unknown_parent_accepted(l1: u64, number: u64) -> Divergence {
    Divergence::Accepts {
        l1,
        number,
        fields: vec!["parent_beacon_root", "transactions"],
    }
}

/// Why Doppio left out what kona diverges on. A deposits-only version is no drop.
fn our_reason(divergence: &Divergence) -> Option<(u64, DropReason)> {
    match divergence {
        Divergence::Accepts { l1, .. } => Some((*l1, DropReason::Batch(BatchDrop::ParentHash))),
        Divergence::Panics { l1, .. } => {
            Some((*l1, DropReason::BatchDecode(BatchError::UnknownType(5))))
        }
        Divergence::DepositsOnly { .. } => None,
    }
}

fn compare(name: &str) {
    let Some(vectors) = Vectors::find("recorded") else {
        return;
    };
    let chain = Chain::open(&vectors.path(name)).unwrap();
    let Some(reach) = Reach::of_kona(&chain.recorded.chain) else {
        assert!(chain.recorded.chain.rollup.alt_da.is_some());
        return;
    };
    // an error here means that Doppio's blocks are not op-node's
    let ours = chain.derive(reach).unwrap();
    let world = World::open(&chain, reach).unwrap();
    let kona = kona::derive(&chain, &world, reach).unwrap();

    compare_blocks(&ours.blocks, &kona.blocks);
    assert_eq!(ours.safe, kona.safe, "safe heads");
    check_safe_heads(&chain, &ours.safe);
    assert_eq!(kona.divergences, known_divergences(name));
    for reason in kona.divergences.iter().filter_map(our_reason) {
        assert!(is_dropped(&ours, &reason), "{reason:?}");
    }
}

fn compare_blocks(ours: &[Block], kona: &[Block]) {
    for (ours, kona) in ours.iter().zip(kona) {
        assert_eq!(ours, kona);
    }
    assert_eq!(ours.len(), kona.len());
    // the first block after genesis is 1, and none is left out
    assert!(
        ours.iter()
            .map(|block| block.number)
            .eq(1..=ours.len() as u64)
    );
    assert!(ours.len() > 40, "only {} blocks to compare", ours.len());
}

fn check_safe_heads(chain: &Chain, safe: &[Safe]) {
    let mut compared = 0;
    for Safe { l1, head } in safe {
        if let Some(recorded) = chain.recorded.safe_head(*l1) {
            assert_eq!(*head, recorded, "safe head after L1 block {l1}");
            compared += 1;
        }
    }
    assert!(compared > 0);
}

fn is_dropped(ours: &Derivation, (l1, reason): &(u64, DropReason)) -> bool {
    ours.drops
        .iter()
        .any(|drop| drop.l1.number == *l1 && drop.reason == *reason)
}

macro_rules! chains {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            compare($name);
        })*

        #[test]
        fn every_recorded_chain_is_compared() {
            assert_eq!(RECORDED, [$($name),*]);
            let Some(vectors) = Vectors::find("recorded") else {
                return;
            };
            for name in vectors.list("") {
                let is_chain = vectors.path(&name).join("rollup.json").is_file();
                if is_chain && !RECORDED.contains(&name.as_str()) {
                    compare(&name);
                }
            }
        }
    };
}

chains! {
    calldata_singular_zlib: "calldata-singular-zlib",
    blobs_span_brotli_jovian: "blobs-span-brotli-jovian",
    altda_span_brotli: "altda-span-brotli",
    all_forks_calldata: "all-forks-calldata",
    expired_windows: "expired-windows",
    hostile_inbox: "hostile-inbox",
    espresso_gen2_calldata: "espresso-gen2-calldata",
    espresso_gen2_batcher: "espresso-gen2-batcher",
}
