//! The L1-info transaction: four layouts, and when each begins.

use crate::common::{
    BLOCK_TIME, address_of, bytes_of, chain_at, chain_with, hash_of, number_of, vectors,
};
use alloy_primitives::{Address, B256, U256, hex, keccak256};
use doppio_protocol::{
    config::{
        BlobFeeError, CANCUN_UPDATE_FRACTION, ChainConfig, ChainProfile, Fork, ForkTimes,
        MIN_BLOB_BASE_FEE, Overrides, blob_base_fee,
    },
    deposit::{DepositSource, DepositTx, L1_ATTRIBUTES_DEPOSITOR},
    l1::L1Header,
    l1_info::{L1_BLOCK, L1BlockInfo, L1InfoError, L1InfoLayout},
};
use proptest::prelude::*;

const LAYOUTS: [(L1InfoLayout, Fork, usize); 4] = [
    (L1InfoLayout::Bedrock, Fork::Delta, 260),
    (L1InfoLayout::Ecotone, Fork::Ecotone, 164),
    (L1InfoLayout::Isthmus, Fork::Isthmus, 176),
    (L1InfoLayout::Jovian, Fork::Jovian, 178),
];

/// What a layout holds of the information.
fn held(layout: L1InfoLayout, info: L1BlockInfo) -> L1BlockInfo {
    let mut held = info;
    if layout == L1InfoLayout::Bedrock {
        held.blob_base_fee = U256::ZERO;
        held.base_fee_scalar = 0;
        held.blob_base_fee_scalar = 0;
    } else {
        held.l1_fee_overhead = B256::ZERO;
        held.l1_fee_scalar = B256::ZERO;
    }
    if layout < L1InfoLayout::Isthmus {
        held.operator_fee_scalar = 0;
        held.operator_fee_constant = 0;
    }
    if layout < L1InfoLayout::Jovian {
        held.da_footprint_gas_scalar = 0;
    }
    held
}

fn sample() -> L1BlockInfo {
    L1BlockInfo {
        number: 1,
        time: 2,
        base_fee: U256::from(3),
        block_hash: B256::repeat_byte(4),
        sequence_number: 5,
        batcher: Address::repeat_byte(6),
        l1_fee_overhead: B256::repeat_byte(7),
        l1_fee_scalar: B256::repeat_byte(8),
        blob_base_fee: U256::from(9),
        base_fee_scalar: 10,
        blob_base_fee_scalar: 11,
        operator_fee_scalar: 12,
        operator_fee_constant: 13,
        da_footprint_gas_scalar: 14,
    }
}

// opstack 11 H, L1 info: random, zero basefee, zero time, zero num, zero seq, all zero

#[test]
fn round_trips_with_each_field_zero_and_with_all() {
    let zero_fields: [fn(&mut L1BlockInfo); 6] = [
        |info| info.base_fee = U256::ZERO,
        |info| info.time = 0,
        |info| info.number = 0,
        |info| info.sequence_number = 0,
        |info| *info = L1BlockInfo::default(),
        |_| {},
    ];
    for (layout, _, length) in LAYOUTS {
        for zero in zero_fields {
            let mut info = sample();
            zero(&mut info);
            let encoded = info.encode(layout);
            assert_eq!((encoded.len(), layout.length()), (length, length));
            assert_eq!(
                L1BlockInfo::decode(layout, &encoded),
                Ok(held(layout, info))
            );
        }
    }
}

// opstack 11 H, L1 info: no data, not enough, too much, invalid selector

#[test]
fn no_data_not_enough_too_much_and_an_invalid_selector_are_refused() {
    for (layout, _, length) in LAYOUTS {
        let encoded = sample().encode(layout);
        for wrong in [0, 4, length - 1, length + 1, 2 * length] {
            let mut bytes = encoded.to_vec();
            bytes.resize(wrong, 0);
            assert_eq!(
                L1BlockInfo::decode(layout, &bytes),
                Err(L1InfoError::Length {
                    layout,
                    length: wrong
                })
            );
        }
        for place in 0..4 {
            let mut bytes = encoded.to_vec();
            bytes[place] ^= 1;
            assert_eq!(
                L1BlockInfo::decode(layout, &bytes),
                Err(L1InfoError::Selector(layout))
            );
        }
    }
}

#[test]
fn integers_and_addresses_beyond_their_types_are_refused() {
    let padding = |layout: L1InfoLayout, place: usize| {
        let mut bytes = sample().encode(layout).to_vec();
        bytes[place] = 1;
        L1BlockInfo::decode(layout, &bytes)
    };
    use L1InfoLayout::{Bedrock, Ecotone, Isthmus, Jovian};
    for (place, name) in [
        (4, "number"),
        (36 + 23, "time"),
        (132, "sequence number"),
        (164 + 11, "batcher"),
    ] {
        assert_eq!(padding(Bedrock, place), Err(L1InfoError::Padding(name)));
    }
    for layout in [Ecotone, Isthmus, Jovian] {
        for place in 132..144 {
            assert_eq!(padding(layout, place), Err(L1InfoError::Padding("batcher")));
        }
    }
}

#[test]
fn selectors_are_the_hashes_of_their_signatures() {
    let selector = |signature: &str| keccak256(signature)[..4].to_vec();
    let signatures = [
        "setL1BlockValues(uint64,uint64,uint256,bytes32,uint64,bytes32,uint256,uint256)",
        "setL1BlockValuesEcotone()",
        "setL1BlockValuesIsthmus()",
        "setL1BlockValuesJovian()",
    ];
    for (layout, signature) in L1InfoLayout::ALL.into_iter().zip(signatures) {
        assert_eq!(layout.selector().to_vec(), selector(signature));
    }
}

// opstack 11 H, L1 info: regolith gas

#[test]
fn regolith_gas() {
    for (chain, gas, is_system) in [
        (chain_with(|_| {}), 150_000_000, true),
        (chain_at(Fork::Regolith), 1_000_000, false),
        (chain_at(Fork::Karst), 1_000_000, false),
    ] {
        let deposit = sample().deposit(&chain, 2_000);
        assert_eq!((deposit.gas, deposit.is_system), (gas, is_system));
        assert_eq!(
            (deposit.from, deposit.to),
            (L1_ATTRIBUTES_DEPOSITOR, Some(L1_BLOCK))
        );
        assert_eq!((deposit.mint, deposit.value), (U256::ZERO, U256::ZERO));
        let source = DepositSource::L1Info {
            l1_block_hash: B256::repeat_byte(4),
            sequence_number: 5,
        };
        assert_eq!(deposit.source_hash, source.hash());
    }
}

// opstack 11 H, L1 info: ecotone, isthmus, jovian, interop × {normal, activation block, genesis}

#[test]
fn a_layout_begins_after_the_activation_block_and_at_genesis_at_once() {
    const AT: u64 = 2_000;
    let layouts = LAYOUTS.map(|(layout, fork, _)| (layout, fork));
    for pair in layouts.windows(2) {
        let ((old, _), (new, fork)) = (pair[0], pair[1]);
        for offset in 0..BLOCK_TIME {
            let chain = chain_with(|rollup| {
                rollup.forks = ForkTimes::all_until(fork);
                rollup.forks.set(fork, Some(AT - offset));
            });
            let at = |time| L1InfoLayout::at(&chain, time);
            assert_eq!(at(AT - BLOCK_TIME), old);
            assert_eq!(at(AT), old, "the activation block");
            assert_eq!(at(AT + BLOCK_TIME), new);
            let deposit = sample().deposit(&chain, AT);
            assert_eq!(deposit.data[..4], old.selector());
        }
        let genesis = chain_at(fork);
        assert_eq!(
            L1InfoLayout::at(&genesis, 1_000 + BLOCK_TIME),
            new,
            "active at genesis"
        );
        assert_eq!(L1InfoLayout::at(&genesis, 0), new);
    }
}

#[test]
fn karst_and_lagoon_keep_jovians_layout() {
    for fork in [Fork::Karst, Fork::Lagoon] {
        let chain = chain_with(|rollup| {
            rollup.forks = ForkTimes::all_until(fork);
            rollup.forks.set(fork, Some(2_000));
        });
        for time in [1_998, 2_000, 2_002] {
            assert_eq!(L1InfoLayout::at(&chain, time), L1InfoLayout::Jovian);
        }
    }
}

/// Two forks in one block: the newer one's layout follows the older one's predecessor.
#[test]
fn forks_that_activate_together_skip_a_layout() {
    let chain = chain_with(|rollup| {
        rollup.forks = ForkTimes::all_until(Fork::Jovian);
        rollup.forks.set(Fork::Isthmus, Some(2_000));
        rollup.forks.set(Fork::Jovian, Some(2_000));
    });
    assert_eq!(L1InfoLayout::at(&chain, 2_000), L1InfoLayout::Ecotone);
    assert_eq!(L1InfoLayout::at(&chain, 2_002), L1InfoLayout::Jovian);
}

// the vectors: calldata constants, and the L1 info of 27 real blocks

#[test]
fn calldata_of_other_implementations_is_read_and_written_back() {
    let Some(vectors) = vectors() else { return };
    let json = vectors.json("outputs/l1_info_calldata.json");
    let mut seen = [0; 4];
    for vector in json.as_array().unwrap() {
        let calldata = match vector.get("calldata") {
            Some(calldata) => bytes_of(calldata),
            None => {
                DepositTx::decode(&bytes_of(&vector["raw_tx"]))
                    .unwrap()
                    .data
            }
        };
        let fields = &vector["fields"];
        let (index, layout) = L1InfoLayout::ALL
            .into_iter()
            .enumerate()
            .find(|(_, layout)| hex::encode(layout.selector()) == fields["selector"])
            .unwrap();
        seen[index] += 1;
        let info = L1BlockInfo::decode(layout, &calldata).unwrap();
        let number = |name: &str| fields.get(name).map_or(0, number_of);
        let word = |name: &str| fields.get(name).map_or(B256::ZERO, hash_of);
        let expected = L1BlockInfo {
            number: number("number"),
            time: number("time"),
            base_fee: U256::from(number("base_fee")),
            block_hash: word("block_hash"),
            sequence_number: number("sequence_number"),
            batcher: address_of(&fields["batcher"]),
            l1_fee_overhead: word("overhead"),
            l1_fee_scalar: word("scalar"),
            blob_base_fee: U256::from(number("blob_base_fee")),
            base_fee_scalar: number("base_fee_scalar") as u32,
            blob_base_fee_scalar: number("blob_base_fee_scalar") as u32,
            operator_fee_scalar: number("operator_fee_scalar") as u32,
            operator_fee_constant: number("operator_fee_constant"),
            da_footprint_gas_scalar: number("da_footprint_gas_scalar") as u16,
        };
        assert_eq!(info, expected);
        assert_eq!(info.encode(layout), calldata);
    }
    assert_eq!(seen, [3, 4, 2, 1]);
}

#[test]
fn the_l1_info_of_real_blocks_is_built_again() {
    let Some(vectors) = vectors() else { return };
    let json = vectors.json("outputs/l1_info_vectors.json");
    for vector in json.as_array().unwrap() {
        let raw = bytes_of(&vector["raw_tx"]);
        let deposit = DepositTx::decode(&raw).unwrap();
        let layout = L1InfoLayout::ALL
            .into_iter()
            .find(|layout| hex::encode(layout.selector()) == vector["selector"])
            .unwrap();
        let info = L1BlockInfo::decode(layout, &deposit.data).unwrap();
        assert_eq!(info.number, number_of(&vector["l1_number"]));
        assert_eq!(info.time, number_of(&vector["l1_time"]));
        assert_eq!(info.sequence_number, number_of(&vector["sequence_number"]));
        assert_eq!(
            info.blob_base_fee,
            U256::from(number_of(&vector["blob_base_fee"]))
        );
        assert_eq!(info.block_hash, hash_of(&vector["l1_hash"]));
        assert_eq!(info.batcher, address_of(&vector["batcher"]));
        let (_, fork, _) = LAYOUTS
            .into_iter()
            .find(|(known, ..)| *known == layout)
            .unwrap();
        assert_eq!(info.deposit(&chain_at(fork), 2_000).encode(), raw);
    }
}

// opstack 3.11: what blobs cost

fn header(timestamp: u64, excess_blob_gas: Option<u64>) -> L1Header {
    L1Header {
        timestamp,
        excess_blob_gas,
        ..L1Header::default()
    }
}

fn on_l1(chain_id: u64, profile: ChainProfile, change: impl FnOnce(&mut ForkTimes)) -> ChainConfig {
    let mut rollup = crate::common::rollup();
    rollup.l1_chain_id = chain_id;
    rollup.forks = ForkTimes::all_until(Fork::Isthmus);
    change(&mut rollup.forks);
    let overrides = Overrides {
        profile: Some(profile),
        ..Overrides::default()
    };
    ChainConfig::new(rollup, overrides).unwrap()
}

/// Expected values are those of op-node's TestCalcBlobFeeAcrossForksWithFixedExcess and
/// TestCalcBlobFeeCancun.
#[test]
fn the_blob_base_fee_follows_sepolias_schedule() {
    let chain = on_l1(11_155_111, ChainProfile::upstream(), |_| {});
    for (time, fee) in [
        (1_706_655_072, 159_773),
        (1_741_159_775, 159_773),
        (1_741_159_776, 2_944),
        (1_760_427_360, 2_944),
        (1_761_017_183, 2_944),
        (1_761_017_184, 120),
        (1_761_607_008, 30),
    ] {
        let found = chain.blob_base_fee(&header(time, Some(40_000_000)), time);
        assert_eq!(found, Ok(U256::from(fee)), "{time}");
    }
    let before = 1_706_655_071;
    assert_eq!(
        chain.blob_base_fee(&header(before, Some(0)), before),
        Err(BlobFeeError::NoSchedule { time: before })
    );
    let fee = blob_base_fee(20 * CANCUN_UPDATE_FRACTION, CANCUN_UPDATE_FRACTION);
    assert_eq!(fee, Ok(U256::from(485_165_195)));
}

#[test]
fn an_l1_without_blobs_reports_the_minimum() {
    let chain = on_l1(1, ChainProfile::upstream(), |_| {});
    assert_eq!(
        chain.blob_base_fee(&header(5, None), 5),
        Ok(MIN_BLOB_BASE_FEE)
    );
}

/// kona try_new_isthmus_before_pectra_blob_schedule.
#[test]
fn the_pectra_blob_schedule_keeps_cancuns_fraction_by_the_time_of_the_origin() {
    let until = 1_742_486_400;
    let mut rollup = crate::common::rollup();
    rollup.l1_chain_id = 11_155_111;
    rollup.pectra_blob_schedule_time = Some(until);
    let chain = ChainConfig::new(rollup, Overrides::default()).unwrap();
    let fee = |time| {
        chain
            .blob_base_fee(&header(time, Some(40_000_000)), u64::MAX)
            .unwrap()
    };
    assert_eq!(fee(until - 1), U256::from(159_773));
    assert_eq!(fee(until), U256::from(2_944));
    assert_eq!(
        chain.blob_base_fee(&header(until - 1, None), 0),
        Ok(MIN_BLOB_BASE_FEE),
        "L1 before Cancun"
    );
}

/// Celo mainnet's block 53619115 of December 2025 carries 200,571,432,049: Prague's fraction,
/// though L1 was at BPO1.
#[test]
fn celo_ignores_osaka_and_later_until_jovian() {
    let bpo1 = 1_765_290_071;
    let jovian = 1_774_958_788;
    let set = |forks: &mut ForkTimes| forks.set(Fork::Jovian, Some(jovian));
    let celo = on_l1(1, ChainProfile::celo(), set);
    let upstream = on_l1(1, ChainProfile::upstream(), set);
    let l1 = header(bpo1, Some(130_347_000));
    let at = |chain: &ChainConfig, l2_time| chain.blob_base_fee(&l1, l2_time).unwrap();
    let prague = blob_base_fee(130_347_000, 5_007_716).unwrap();
    let stepped = blob_base_fee(130_347_000, 8_346_193).unwrap();
    assert!(prague > U256::from(10_000) * stepped);
    assert_eq!(
        [at(&celo, jovian - 1), at(&celo, jovian)],
        [prague, stepped]
    );
    assert_eq!(
        [at(&upstream, jovian - 1), at(&upstream, jovian)],
        [stepped, stepped]
    );
}

prop_compose! {
    fn any_info()(
        numbers in any::<[u64; 4]>(), words in any::<[[u8; 32]; 5]>(), batcher in any::<[u8; 20]>(),
        scalars in any::<[u32; 3]>(), footprint in any::<u16>(), shift in 0usize..257,
    ) -> L1BlockInfo {
        L1BlockInfo {
            number: numbers[0],
            time: numbers[1],
            base_fee: U256::from_be_bytes(words[0]) >> shift,
            block_hash: words[1].into(),
            sequence_number: numbers[2],
            batcher: batcher.into(),
            l1_fee_overhead: words[2].into(),
            l1_fee_scalar: words[3].into(),
            blob_base_fee: U256::from_be_bytes(words[4]) >> shift,
            base_fee_scalar: scalars[0],
            blob_base_fee_scalar: scalars[1],
            operator_fee_scalar: scalars[2],
            operator_fee_constant: numbers[3],
            da_footprint_gas_scalar: footprint,
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(info in any_info()) {
        for layout in L1InfoLayout::ALL {
            let read = L1BlockInfo::decode(layout, &info.encode(layout));
            prop_assert_eq!(read, Ok(held(layout, info)));
        }
    }

    #[test]
    fn what_is_accepted_is_written_back_unchanged(
        info in any_info(), place in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        for layout in L1InfoLayout::ALL {
            let mut bytes = info.encode(layout).to_vec();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            if let Ok(read) = L1BlockInfo::decode(layout, &bytes) {
                prop_assert_eq!(&read.encode(layout)[..], bytes);
            }
        }
    }
}
