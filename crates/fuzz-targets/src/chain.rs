//! What L1 and L2 blocks hold.

use alloy_primitives::{Address, B256, Bytes, Log};
use doppio_protocol::{
    commitment::Commitment,
    config::{ChainConfig, Fork, ForkTimes, Overrides, RollupConfig},
    da_challenge::{decode_challenge_log, decode_resolve_call},
    deposit::{DepositTx, decode_deposit_log, encode_deposit_log},
    extra_data::HeaderParams,
    l1_info::{L1BlockInfo, L1InfoLayout},
    l2::L2Block,
    system_config::{ConfigUpdate, SystemConfig},
};
use std::sync::LazyLock;

/// A configuration, up to different forks.
pub(crate) fn chains() -> &'static [ChainConfig] {
    static CHAINS: LazyLock<Vec<ChainConfig>> = LazyLock::new(|| {
        let parsed = RollupConfig::parse(include_str!("../data/rollup.json"), false)
            .expect("the file is part of the crate");
        [Fork::Regolith, Fork::Ecotone, Fork::Holocene, Fork::Jovian]
            .into_iter()
            .map(|last| {
                let mut rollup = parsed.config.clone();
                rollup.forks = ForkTimes::all_until(last);
                ChainConfig::new(rollup, Overrides::default()).expect("it is a configuration")
            })
            .collect()
    });
    &CHAINS
}

/// A log out of bytes: how many topics, the topics, the data.
fn log(data: &[u8], first: B256) -> Log {
    let (count, mut rest) = data.split_first().unwrap_or((&0, &[]));
    let mut topics = vec![first];
    for _ in 0..count % 5 {
        let Some((topic, tail)) = rest.split_first_chunk::<32>() else {
            break;
        };
        topics.push(B256::from(topic));
        rest = tail;
    }
    Log::new_unchecked(Address::ZERO, topics, Bytes::copy_from_slice(rest))
}

pub(crate) fn deposit_log(data: &[u8]) {
    let log = log(data, doppio_protocol::deposit::TRANSACTION_DEPOSITED);
    let Ok(deposit) = decode_deposit_log(&log, B256::ZERO, 7) else {
        return;
    };
    let encoded = deposit.encode();
    assert_eq!(DepositTx::decode(&encoded), Ok(deposit.clone()));
    let again = encode_deposit_log(Address::ZERO, &deposit);
    assert_eq!(decode_deposit_log(&again, B256::ZERO, 7), Ok(deposit));
}

pub(crate) fn deposit_tx(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(deposit) = DepositTx::decode(&bytes) {
        assert_eq!(deposit.encode(), bytes);
    }
}

pub(crate) fn l1_info(data: &[u8]) {
    for layout in [
        L1InfoLayout::Bedrock,
        L1InfoLayout::Ecotone,
        L1InfoLayout::Isthmus,
        L1InfoLayout::Jovian,
    ] {
        if let Ok(info) = L1BlockInfo::decode(layout, data) {
            assert_eq!(L1BlockInfo::decode(layout, &info.encode(layout)), Ok(info));
        }
    }
}

pub(crate) fn config_update(data: &[u8]) {
    let log = log(data, doppio_protocol::system_config::CONFIG_UPDATE);
    for chain in chains() {
        let before = SystemConfig::default();
        let mut config = before;
        if ConfigUpdate::decode(chain, &log).is_err() {
            assert!(config.apply_log(chain, &log, 1_000).is_err());
            assert_eq!(config, before, "a malformed update changes nothing");
        } else {
            assert_eq!(config.apply_log(chain, &log, 1_000), Ok(()));
        }
    }
}

pub(crate) fn challenge(data: &[u8]) {
    let log = log(
        data,
        doppio_protocol::da_challenge::CHALLENGE_STATUS_CHANGED,
    );
    let _ = decode_challenge_log(&log);
    let calldata = Bytes::copy_from_slice(data);
    for commitment in [
        Commitment::Keccak(alloy_primitives::keccak256(data)),
        Commitment::Generic(Bytes::from_static(&[0])),
    ] {
        if let Ok(input) = decode_resolve_call(&calldata, &commitment) {
            assert!(!input.is_empty() && input.len() < data.len());
        }
    }
}

pub(crate) fn extra_data(data: &[u8]) {
    for chain in chains() {
        if let Ok(params) = HeaderParams::decode(chain, 1_000, data) {
            assert_eq!(params.encode(chain, 1_000).as_ref(), data);
        }
    }
}

pub(crate) fn l2_block(data: &[u8]) {
    let Ok(block) = L2Block::decode(&Bytes::copy_from_slice(data)) else {
        return;
    };
    for chain in chains() {
        let _ = block.block_ref(chain);
        let _ = block.system_config(chain);
    }
}
