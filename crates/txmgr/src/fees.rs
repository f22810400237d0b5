//! What is paid: first, when a transaction replaces itself, and at most.
//!
//! All numbers are wei for a unit of gas, or of blob gas. Sums that do not fit stay at the greatest
//! number, which every limit refuses.

use crate::{Options, TxKind};
use thiserror::Error;

/// What one pays who replaces a transaction, in percent of what it paid: geth's `PriceBump`.
const REPLACEMENT: u128 = 110;
/// The same of a transaction with blobs: geth's blob pool asks for twice as much, of all three.
const BLOB_REPLACEMENT: u128 = 200;
/// Gas of a transaction (EIP-2718 on).
const BASE_GAS: u64 = 21_000;
/// Floor of gas for a token of calldata (EIP-7623): a zero byte is one, any other four.
const FLOOR_GAS_OF_A_TOKEN: u64 = 10;
/// Gas of a transaction to an account that is not read besides (EIP-2780): 12,000 and 3,000.
const AMSTERDAM_BASE_GAS: u64 = 15_000;
/// Floor of gas for a byte of calldata (EIP-7976).
const AMSTERDAM_FLOOR_GAS_OF_A_BYTE: u64 = 64;
/// Gas of a blob (EIP-4844).
pub(crate) const GAS_OF_A_BLOB: u64 = 131_072;

/// What a transaction pays at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fees {
    /// `maxPriorityFeePerGas`.
    pub tip_cap: u128,
    /// `maxFeePerGas`.
    pub fee_cap: u128,
    /// `maxFeePerBlobGas`; without meaning for a transaction without blobs.
    pub blob_fee_cap: u128,
}

impl Fees {
    /// The most that a transaction costs, in wei, without the value that it sends.
    pub fn worst_cost(&self, gas_limit: u64, blobs: usize) -> u128 {
        let gas = u128::from(gas_limit).saturating_mul(self.fee_cap);
        let blob_gas = u128::from(GAS_OF_A_BLOB).saturating_mul(blobs as u128);
        gas.saturating_add(blob_gas.saturating_mul(self.blob_fee_cap))
    }

    /// For each cap the greater one.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            tip_cap: self.tip_cap.max(other.tip_cap),
            fee_cap: self.fee_cap.max(other.fee_cap),
            blob_fee_cap: self.blob_fee_cap.max(other.blob_fee_cap),
        }
    }
}

/// What endpoints say is usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Suggestion {
    /// `eth_maxPriorityFeePerGas`.
    pub tip: u128,
    /// The tip of transactions with blobs, where it was asked for
    /// ([`percentile_tip`]); none if there are none.
    pub blob_tip: Option<u128>,
}

/// What L1 asks for now, within the operator's minima.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Market {
    /// Tip.
    pub tip: u128,
    /// Tip of transactions with blobs.
    pub blob_tip: u128,
    /// Base fee of the head.
    pub base_fee: u128,
    /// Blob base fee of the head; none if L1 has no blobs or its schedule is not known.
    pub blob_base_fee: Option<u128>,
}

/// L1 asks for more than the operator allows.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LimitExceeded {
    /// `txmgr.max-tip-cap`.
    #[error("tip is too high: {tip}, cap: {max}")]
    Tip {
        /// What is usual.
        tip: u128,
        /// What is allowed.
        max: u128,
    },
    /// `txmgr.max-basefee`.
    #[error("base fee is too high: {base_fee}, cap: {max}")]
    BaseFee {
        /// What it is.
        base_fee: u128,
        /// What is allowed.
        max: u128,
    },
    /// `fee-limit-multiplier`: to replace the transaction would cost too many times what is usual.
    #[error("{}", multiple(*multiplier, tip.as_ref(), fee.as_ref(), blob_fee.as_ref()))]
    Multiple {
        /// How many times are allowed.
        multiplier: u64,
        /// The tip cap that would be needed, if it is too high.
        tip: Option<u128>,
        /// The fee cap that would be needed, if it is too high.
        fee: Option<u128>,
        /// The blob fee cap that would be needed, if it is too high.
        blob_fee: Option<u128>,
    },
}

fn multiple(
    multiplier: u64,
    tip: Option<&u128>,
    fee: Option<&u128>,
    blob_fee: Option<&u128>,
) -> String {
    let said: Vec<String> = [("tip", tip), ("fee", fee), ("blob fee", blob_fee)]
        .into_iter()
        .filter_map(|(name, cap)| Some(format!("{name} cap {}", cap?)))
        .collect();
    let said = said.join(" and ");
    format!("bumped {said} is over {multiplier} times the suggested value")
}

impl Market {
    /// Applies the operator's minima and maxima to what L1 says.
    ///
    /// # Errors
    ///
    /// If a maximum is exceeded.
    // spec: opstack 7.8
    pub fn new(
        suggestion: &Suggestion,
        base_fee: u128,
        blob_base_fee: Option<u128>,
        options: &Options,
    ) -> Result<Self, LimitExceeded> {
        let settings = &options.settings;
        let tip = suggestion.tip.max(settings.min_tip_cap);
        // The minimum is for the tip that an endpoint makes up, not for what others really paid.
        let blob_tip = match suggestion.blob_tip {
            Some(blob_tip) if settings.blob_tip_cap_dynamic => blob_tip,
            _ => tip,
        };
        if let Some(max) = options.max_tip_cap
            && let dearest = tip.max(blob_tip)
            && dearest > max
        {
            return Err(LimitExceeded::Tip { tip: dearest, max });
        }
        let base_fee = base_fee.max(settings.min_base_fee);
        if let Some(max) = options.max_base_fee
            && base_fee > max
        {
            return Err(LimitExceeded::BaseFee { base_fee, max });
        }
        Ok(Self {
            tip,
            blob_tip,
            base_fee,
            blob_base_fee,
        })
    }

    /// The tip of a kind of transaction.
    pub const fn tip_of(&self, kind: TxKind) -> u128 {
        match kind {
            TxKind::Plain => self.tip,
            TxKind::Blob => self.blob_tip,
        }
    }
}

const fn fee_cap(base_fee: u128, tip: u128) -> u128 {
    tip.saturating_add(base_fee.saturating_mul(2))
}

fn blob_fee_cap(blob_base_fee: u128, min_blob_fee: u128) -> u128 {
    blob_base_fee.saturating_mul(2).max(min_blob_fee)
}

/// What a transaction pays that replaces none. None for one with blobs if their price is not known.
// spec: opstack 7.8
pub fn first_fees(market: &Market, kind: TxKind, min_blob_fee: u128) -> Option<Fees> {
    let tip_cap = market.tip_of(kind);
    let blob_fee_cap = match kind {
        TxKind::Plain => 0,
        TxKind::Blob => blob_fee_cap(market.blob_base_fee?, min_blob_fee),
    };
    Some(Fees {
        tip_cap,
        fee_cap: fee_cap(market.base_fee, tip_cap),
        blob_fee_cap,
    })
}

/// The least that replaces this, rounded up. It is more by 1 at least, unless it is 0.
const fn threshold(old: u128, kind: TxKind) -> u128 {
    let percent = match kind {
        TxKind::Plain => REPLACEMENT,
        TxKind::Blob => BLOB_REPLACEMENT,
    };
    match old.checked_mul(percent) {
        Some(product) => product.div_ceil(100),
        None => u128::MAX,
    }
}

/// Tip cap and fee cap of a transaction that replaces one with other caps: what L1 asks for now, and
/// enough for pools to take it.
// spec: opstack 7.8
pub fn bumped_fees(
    old_tip_cap: u128,
    old_fee_cap: u128,
    tip: u128,
    base_fee: u128,
    kind: TxKind,
) -> (u128, u128) {
    let new_cap = fee_cap(base_fee, tip);
    let least_tip = threshold(old_tip_cap, kind);
    let least_cap = threshold(old_fee_cap, kind);
    match (tip >= least_tip, new_cap >= least_cap) {
        (true, true) => (tip, new_cap),
        (true, false) => (tip, least_cap),
        // More of the cap is the tip's now: what is left for the base fee has to be enough.
        (false, true) => (least_tip, fee_cap(base_fee, least_tip)),
        (false, false) => (least_tip, least_cap),
    }
}

/// Blob fee cap of a transaction that replaces one with another.
// spec: opstack 7.8
pub fn bumped_blob_fee_cap(old: u128, blob_base_fee: u128) -> u128 {
    threshold(old, TxKind::Blob).max(blob_base_fee)
}

/// Whether a bump stays within `fee-limit-multiplier` times what is usual. A cap below
/// `txmgr.fee-limit-threshold` always does.
///
/// # Errors
///
/// If a cap does not; all that do not are named.
// spec: opstack 7.8
pub fn check_limits(
    market: &Market,
    kind: TxKind,
    bumped: &Fees,
    options: &Options,
) -> Result<(), LimitExceeded> {
    let multiplier = options.fee_limit_multiplier;
    let times = |value: u128| value.saturating_mul(u128::from(multiplier));
    let max_tip = times(market.tip_of(kind));
    let max_fee = fee_cap(times(market.base_fee), max_tip);
    let max_blob_fee = times(blob_fee_cap(
        market.blob_base_fee.unwrap_or_default(),
        options.settings.min_blob_fee,
    ));
    let beyond = |value: u128, max: u128| {
        let free = options.settings.fee_limit_threshold;
        let is_free = free.is_some_and(|free| value < free);
        (!is_free && value > max).then_some(value)
    };
    let tip = beyond(bumped.tip_cap, max_tip);
    let fee = beyond(bumped.fee_cap, max_fee);
    let blob_fee = match kind {
        TxKind::Plain => None,
        TxKind::Blob => beyond(bumped.blob_fee_cap, max_blob_fee),
    };
    if tip.or(fee).or(blob_fee).is_none() {
        return Ok(());
    }
    Err(LimitExceeded::Multiple {
        multiplier,
        tip,
        fee,
        blob_fee,
    })
}

/// What a transaction pays that replaces another; none if it has blobs and their price is not known.
pub(crate) fn replacement(
    old: &Fees,
    market: &Market,
    kind: TxKind,
    options: &Options,
) -> Option<Result<Fees, LimitExceeded>> {
    let tip = market.tip_of(kind);
    let (tip_cap, fee_cap) = bumped_fees(old.tip_cap, old.fee_cap, tip, market.base_fee, kind);
    let blob_fee_cap = match kind {
        TxKind::Plain => 0,
        TxKind::Blob => bumped_blob_fee_cap(old.blob_fee_cap, market.blob_base_fee?),
    };
    let bumped = Fees {
        tip_cap,
        fee_cap,
        blob_fee_cap,
    };
    Some(check_limits(market, kind, &bumped, options).map(|()| bumped))
}

/// Gas limit that just suffices for calldata to an account without code, by the rules of before and
/// after Amsterdam (EIP-7623; EIP-2780 and EIP-7976).
// spec: opstack-2026-09 7 *4
pub fn data_gas_limit(data: &[u8]) -> u64 {
    let zeros = data.iter().filter(|byte| **byte == 0).count() as u64;
    let length = data.len() as u64;
    let tokens = zeros.saturating_add((length - zeros).saturating_mul(4));
    let now = BASE_GAS.saturating_add(FLOOR_GAS_OF_A_TOKEN.saturating_mul(tokens));
    let later =
        AMSTERDAM_BASE_GAS.saturating_add(AMSTERDAM_FLOOR_GAS_OF_A_BYTE.saturating_mul(length));
    now.max(later)
}

/// The tip that this percentage of tips is not above (`txmgr.blob-tip-cap-percentile`); none if there
/// are none.
// spec: opstack 7.8
pub fn percentile_tip(mut tips: Vec<u128>, percentile: u8) -> Option<u128> {
    tips.sort_unstable();
    let last = tips.len().checked_sub(1)?;
    let index = last.saturating_mul(usize::from(percentile.min(100))) / 100;
    tips.get(index).copied()
}
