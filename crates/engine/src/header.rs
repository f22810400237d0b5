//! What a header must say, given its parent.

use crate::chain_spec::ChainSpec;
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_eips::{eip1559::BaseFeeParams, eip7685::EMPTY_REQUESTS_HASH};
use alloy_primitives::{B64, Bytes, U256};
use alloy_trie::EMPTY_ROOT_HASH;
use doppio_protocol::{
    config::{Fork, RuleSet},
    extra_data::{Eip1559Params, ExtraDataError, HeaderParams},
};
use thiserror::Error;

/// Why a header cannot follow its parent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// Not the next height.
    #[error("block number is {found}, the parent's is {parent}")]
    Number {
        /// Of the header.
        found: u64,
        /// Of the parent.
        parent: u64,
    },
    /// Not after the parent.
    #[error("timestamp is {found}, the parent's is {parent}")]
    Timestamp {
        /// Of the header.
        found: u64,
        /// Of the parent.
        parent: u64,
    },
    /// More gas used than allowed.
    #[error("gas used is {used}, the limit is {limit}")]
    GasUsed {
        /// Gas used.
        used: u64,
        /// Gas limit.
        limit: u64,
    },
    /// A gas limit above what can be.
    #[error("gas limit {0} is above 2^63 - 1")]
    GasLimit(u64),
    /// Another base fee than the parent's use calls for.
    #[error("base fee is {found:?}, but must be {expected}")]
    BaseFee {
        /// Of the header.
        found: Option<u64>,
        /// By the rules.
        expected: u64,
    },
    /// A base fee above what this engine can hold.
    #[error("the base fee is above 2^64 - 1 wei")]
    BaseFeeTooLarge,
    /// Extra data of another form than the fork's.
    #[error("extra data: {0}")]
    ExtraData(#[from] ExtraDataError),
    /// The parent's extra data. The parent was accepted, so this cannot be of the header's making.
    #[error("extra data of the parent: {0}")]
    ParentExtraData(ExtraDataError),
    /// A field that is there although its fork is not active, or is not although it is.
    #[error("{field} must {} at this time", if *.expected { "be set" } else { "not be set" })]
    Presence {
        /// The field.
        field: &'static str,
        /// Whether it must be there.
        expected: bool,
    },
    /// A field whose value is fixed.
    #[error("{0} has another value than the one that it must have")]
    Fixed(&'static str),
}

/// The base fee of the block after `parent`, at `time`.
// spec: opstack-2026-09 B #4
pub fn next_base_fee(spec: &ChainSpec, parent: &Header, time: u64) -> Result<u64, HeaderError> {
    if !spec.active(Fork::Holocene, parent.timestamp) {
        // the parent may be the first block, whose extra data is free
        return base_fee(parent, parent.gas_used, spec.base_fee_params(time));
    }
    let said = header_params(spec, parent).map_err(HeaderError::ParentExtraData)?;
    let params = BaseFeeParams::new(
        u128::from(said.eip1559.denominator),
        u128::from(said.eip1559.elasticity),
    );
    if !spec.active(Fork::Jovian, parent.timestamp) {
        return base_fee(parent, parent.gas_used, params);
    }
    // data counts like gas, and there is a floor
    let data = parent.blob_gas_used.unwrap_or_default();
    let next = base_fee(parent, parent.gas_used.max(data), params)?;
    Ok(next.max(said.min_base_fee))
}

/// EIP-1559.
fn base_fee(parent: &Header, used: u64, params: BaseFeeParams) -> Result<u64, HeaderError> {
    let old = parent.base_fee_per_gas.unwrap_or_default();
    let target = u128::from(parent.gas_limit) / params.elasticity_multiplier;
    let change = |difference: u128| {
        // op-geth does not survive a target of 0; op-reth lets the fee stay
        let per_target = (u128::from(old) * difference).checked_div(target);
        per_target.map(|change| change / params.max_change_denominator)
    };
    let used = u128::from(used);
    let next = if used > target {
        change(used - target)
            .map_or_else(|| u128::from(old), |change| u128::from(old) + change.max(1))
    } else {
        u128::from(old).saturating_sub(change(target - used).unwrap_or_default())
    };
    u64::try_from(next).map_err(|_| HeaderError::BaseFeeTooLarge)
}

/// What a header's extra data says.
// spec: opstack-2026-09 B #5
pub fn header_params(spec: &ChainSpec, header: &Header) -> Result<HeaderParams, ExtraDataError> {
    let rules = RuleSet::Upstream.rules();
    HeaderParams::decode_for(&spec.forks, &rules, header.timestamp, &header.extra_data)
}

/// The extra data of a block at `time`, from its attributes. Zero means the chain's own parameters.
pub fn extra_data(
    spec: &ChainSpec,
    time: u64,
    params: Option<B64>,
    min_base_fee: Option<u64>,
) -> Bytes {
    let params = Eip1559Params::from_packed(params.unwrap_or_default());
    let eip1559 = if params.is_zero() {
        let own = spec.base_fee_params(time);
        let word = |value: u128| u32::try_from(value).unwrap_or(u32::MAX);
        Eip1559Params {
            denominator: word(own.max_change_denominator),
            elasticity: word(own.elasticity_multiplier),
        }
    } else {
        params
    };
    HeaderParams {
        eip1559,
        min_base_fee: min_base_fee.unwrap_or_default(),
    }
    .encode_for(&spec.forks, time)
}

/// Checks everything that can be checked without executing the block.
// spec: opstack-2026-09 B #9
pub fn check(spec: &ChainSpec, parent: &Header, header: &Header) -> Result<(), HeaderError> {
    let time = header.timestamp;
    if parent.number.checked_add(1) != Some(header.number) {
        return Err(HeaderError::Number {
            found: header.number,
            parent: parent.number,
        });
    }
    if time <= parent.timestamp {
        return Err(HeaderError::Timestamp {
            found: time,
            parent: parent.timestamp,
        });
    }
    if header.gas_limit > u64::MAX >> 1 {
        return Err(HeaderError::GasLimit(header.gas_limit));
    }
    if header.gas_used > header.gas_limit {
        return Err(HeaderError::GasUsed {
            used: header.gas_used,
            limit: header.gas_limit,
        });
    }
    let expected = next_base_fee(spec, parent, time)?;
    if header.base_fee_per_gas != Some(expected) {
        return Err(HeaderError::BaseFee {
            found: header.base_fee_per_gas,
            expected,
        });
    }
    header_params(spec, header)?;
    check_presence(spec, header)?;
    check_fixed(spec, header)
}

fn check_presence(spec: &ChainSpec, header: &Header) -> Result<(), HeaderError> {
    let canyon = spec.active(Fork::Canyon, header.timestamp);
    let ecotone = spec.active(Fork::Ecotone, header.timestamp);
    let isthmus = spec.active(Fork::Isthmus, header.timestamp);
    for (field, found, expected) in [
        ("withdrawalsRoot", header.withdrawals_root.is_some(), canyon),
        ("blobGasUsed", header.blob_gas_used.is_some(), ecotone),
        ("excessBlobGas", header.excess_blob_gas.is_some(), ecotone),
        (
            "parentBeaconBlockRoot",
            header.parent_beacon_block_root.is_some(),
            ecotone,
        ),
        ("requestsHash", header.requests_hash.is_some(), isthmus),
    ] {
        if found != expected {
            return Err(HeaderError::Presence { field, expected });
        }
    }
    Ok(())
}

fn check_fixed(spec: &ChainSpec, header: &Header) -> Result<(), HeaderError> {
    let time = header.timestamp;
    let isthmus = spec.active(Fork::Isthmus, time);
    let jovian = spec.active(Fork::Jovian, time);
    for (field, holds) in [
        ("sha3Uncles", header.ommers_hash == EMPTY_OMMER_ROOT_HASH),
        ("difficulty", header.difficulty == U256::ZERO),
        ("nonce", header.nonce == B64::ZERO),
        // from Isthmus on it is a storage root, which execution finds
        (
            "withdrawalsRoot",
            isthmus
                || header
                    .withdrawals_root
                    .is_none_or(|root| root == EMPTY_ROOT_HASH),
        ),
        // from Jovian on it is the data footprint, which execution finds
        (
            "blobGasUsed",
            jovian || header.blob_gas_used.is_none_or(|gas| gas == 0),
        ),
        (
            "excessBlobGas",
            header.excess_blob_gas.is_none_or(|gas| gas == 0),
        ),
        (
            "requestsHash",
            header
                .requests_hash
                .is_none_or(|hash| hash == EMPTY_REQUESTS_HASH),
        ),
    ] {
        if !holds {
            return Err(HeaderError::Fixed(field));
        }
    }
    Ok(())
}
