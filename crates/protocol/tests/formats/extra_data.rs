//! EIP-1559 parameters and minimum base fee in L2 headers.

use crate::common::{chain_at, chain_under, chain_with};
use alloy_primitives::{B64, hex};
use doppio_protocol::{
    config::{ChainProfile, Fork, ForkTimes},
    extra_data::{Eip1559Params, ExtraDataError, HeaderParams},
};
use proptest::prelude::*;

fn decode(fork: Fork, extra_data: &[u8]) -> Result<HeaderParams, ExtraDataError> {
    HeaderParams::decode(&chain_at(fork), 2_000, extra_data)
}

const PARAMS: Eip1559Params = Eip1559Params {
    denominator: 250,
    elasticity: 6,
};

#[test]
fn extra_data_is_empty_before_holocene() {
    assert_eq!(decode(Fork::Granite, &[]), Ok(HeaderParams::default()));
    assert_eq!(
        decode(Fork::Granite, &[0; 9]),
        Err(ExtraDataError::BeforeHolocene(9))
    );
}

#[test]
fn holocene_has_9_bytes_of_version_0() {
    let bytes = hex!("00000000fa00000006");
    let params = HeaderParams {
        eip1559: PARAMS,
        min_base_fee: 0,
    };
    assert_eq!(decode(Fork::Holocene, &bytes), Ok(params));
    assert_eq!(decode(Fork::Isthmus, &bytes), Ok(params));
    assert_eq!(params.encode(&chain_at(Fork::Holocene), 2_000)[..], bytes);
    for length in [0, 8, 10, 17] {
        let mut wrong = bytes.to_vec();
        wrong.resize(length, 0);
        let error = ExtraDataError::Length {
            expected: 9,
            found: length,
        };
        assert_eq!(decode(Fork::Holocene, &wrong), Err(error));
    }
    let mut version = bytes;
    version[0] = 1;
    assert_eq!(
        decode(Fork::Holocene, &version),
        Err(ExtraDataError::Version(1))
    );
}

#[test]
fn jovian_has_17_bytes_of_version_1() {
    let bytes = hex!("01000000fa0000000600000000000003e8");
    let params = HeaderParams {
        eip1559: PARAMS,
        min_base_fee: 1_000,
    };
    for fork in [Fork::Jovian, Fork::Karst] {
        assert_eq!(decode(fork, &bytes), Ok(params));
        assert_eq!(params.encode(&chain_at(fork), 2_000)[..], bytes);
    }
    let error = ExtraDataError::Length {
        expected: 17,
        found: 9,
    };
    assert_eq!(decode(Fork::Jovian, &bytes[..9]), Err(error));
    let mut version = bytes;
    version[0] = 0;
    assert_eq!(
        decode(Fork::Jovian, &version),
        Err(ExtraDataError::Version(0))
    );
}

/// The order of Jovian and later forks is not checked by op-node, and Jovian is asked first.
#[test]
fn jovians_form_holds_even_without_holocene() {
    let chain = chain_with(|rollup| rollup.forks.set(Fork::Jovian, Some(0)));
    let params = HeaderParams {
        eip1559: PARAMS,
        min_base_fee: 7,
    };
    let encoded = params.encode(&chain, 2_000);
    assert_eq!(HeaderParams::decode(&chain, 2_000, &encoded), Ok(params));
}

#[test]
fn the_form_changes_with_the_activation_block_itself() {
    let chain = chain_with(|rollup| {
        rollup.forks = ForkTimes::all_until(Fork::Jovian);
        rollup.forks.set(Fork::Jovian, Some(2_000));
    });
    let params = HeaderParams {
        eip1559: PARAMS,
        min_base_fee: 0,
    };
    assert_eq!(
        [1_998, 2_000].map(|time| params.encode(&chain, time).len()),
        [9, 17]
    );
}

// opstack 3.9, opstack-2026-09 3.9: both rules, on both sides

#[test]
fn headers_hold_no_zero_upstream_and_no_zero_denominator_alone_on_celo() {
    let header = |denominator: u32, elasticity: u32| {
        let packed = Eip1559Params {
            denominator,
            elasticity,
        }
        .packed();
        [&[0], packed.as_slice()].concat()
    };
    let upstream = chain_at(Fork::Holocene);
    let celo = chain_under(ChainProfile::celo(), Fork::Holocene);
    for ((denominator, elasticity), by_upstream, by_celo) in [
        ((250, 6), None, None),
        ((0, 0), Some(ExtraDataError::ZeroDenominator), None),
        (
            (0, 6),
            Some(ExtraDataError::ZeroDenominator),
            Some(ExtraDataError::ZeroDenominator),
        ),
        ((250, 0), Some(ExtraDataError::ZeroElasticity), None),
    ] {
        let bytes = header(denominator, elasticity);
        assert_eq!(
            HeaderParams::decode(&upstream, 2_000, &bytes).err(),
            by_upstream
        );
        assert_eq!(HeaderParams::decode(&celo, 2_000, &bytes).err(), by_celo);
    }
}

#[test]
fn settable_parameters_are_both_zero_or_neither() {
    let upstream = chain_at(Fork::Holocene).rules;
    let celo = chain_under(ChainProfile::celo(), Fork::Holocene).rules;
    let check = |denominator, elasticity| {
        let params = Eip1559Params {
            denominator,
            elasticity,
        };
        (
            params.check_settable(&upstream),
            params.check_settable(&celo),
        )
    };
    let zero_denominator = Err(ExtraDataError::ZeroDenominator);
    assert_eq!(check(0, 0), (Ok(()), Ok(())));
    assert_eq!(check(1, 1), (Ok(()), Ok(())));
    assert_eq!(check(0, 1), (zero_denominator, zero_denominator));
    assert_eq!(check(1, 0), (Err(ExtraDataError::ZeroElasticity), Ok(())));
    assert!(Eip1559Params::default().is_zero() && !PARAMS.is_zero());
}

proptest! {
    #[test]
    fn what_is_written_is_read(denominator in 1u32.., elasticity in 1u32.., fee in any::<u64>()) {
        for (fork, min_base_fee) in [(Fork::Holocene, 0), (Fork::Jovian, fee)] {
            let params = HeaderParams {
                eip1559: Eip1559Params { denominator, elasticity },
                min_base_fee,
            };
            let encoded = params.encode(&chain_at(fork), 2_000);
            prop_assert_eq!(decode(fork, &encoded), Ok(params));
        }
    }

    #[test]
    fn what_is_accepted_is_written_back_unchanged(
        bytes in proptest::collection::vec(any::<u8>(), 0..20), version in 0u8..3,
        length in proptest::sample::select(vec![0usize, 8, 9, 16, 17]),
    ) {
        let mut bytes = bytes;
        bytes.resize(length, 1);
        if let Some(first) = bytes.first_mut() {
            *first = version;
        }
        for fork in [Fork::Granite, Fork::Holocene, Fork::Jovian] {
            if let Ok(params) = decode(fork, &bytes) {
                prop_assert_eq!(&params.encode(&chain_at(fork), 2_000)[..], &bytes);
            }
        }
    }

    #[test]
    fn packed_parameters_are_two_numbers(packed in any::<[u8; 8]>()) {
        let params = Eip1559Params::from_packed(B64::from(packed));
        prop_assert_eq!(params.packed(), B64::from(packed));
        let number = u64::from(params.denominator) << 32 | u64::from(params.elasticity);
        prop_assert_eq!(number.to_be_bytes(), packed);
    }
}
