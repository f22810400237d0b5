//! Where data goes, by what routes, and what it costs.

use crate::{
    action::Payload,
    event::FeeSample,
    options::{BatcherOptions, DaKind, DataAvailability},
};
use doppio_protocol::blob::MAX_BLOB_DATA_SIZE;

/// Gas of any transaction.
const TX_GAS: u128 = 21_000;
/// Gas of a byte of calldata that is not zero (EIP-7623): four tokens of ten gas.
const CALLDATA_GAS: u128 = 40;
/// Gas of a zero byte of calldata (EIP-7623): one token.
const ZERO_CALLDATA_GAS: u128 = 10;
/// Blob gas of a blob.
const BLOB_GAS: u128 = 131_072;

/// What a byte of a channel costs, in thousandths of a wei.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// As calldata.
    pub calldata: u128,
    /// In blobs.
    pub blobs: u128,
}

/// What a data unit goes through before it is in an L1 block, in this order.
///
/// A layer in front of L1 (a disperser, an authentication transaction) is a stage more, with an
/// event that ends it; the stages behind it stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The transaction is with whoever sends transactions.
    Sent,
    /// It is in the L1 block of this height.
    Included(u64),
}

/// The price of each kind of data, from full transactions.
// spec: opstack 7.6
pub(crate) fn price(fees: &FeeSample, options: &BatcherOptions) -> Price {
    let calldata = options.max_l1_tx_size_bytes as u128;
    let blobs = options.target_num_frames as u128;
    let calldata_cost = calldata_cost(fees, CALLDATA_GAS * calldata);
    let blob_cost = blob_cost(fees, blobs);
    let per_byte = |cost: u128, bytes: u128| cost.saturating_mul(1000) / bytes.max(1);
    Price {
        calldata: per_byte(calldata_cost, calldata),
        blobs: per_byte(blob_cost, blobs * MAX_BLOB_DATA_SIZE as u128),
    }
}

// spec: opstack 7.6
const fn calldata_cost(fees: &FeeSample, data_gas: u128) -> u128 {
    let gas_price = fees.base_fee.saturating_add(fees.tip);
    gas_price.saturating_mul(TX_GAS + data_gas)
}

// spec: opstack 7.6
const fn blob_cost(fees: &FeeSample, blobs: u128) -> u128 {
    let gas_price = fees.base_fee.saturating_add(fees.tip);
    let blob_gas = fees
        .blob_base_fee
        .saturating_mul(BLOB_GAS.saturating_mul(blobs));
    gas_price.saturating_mul(TX_GAS).saturating_add(blob_gas)
}

/// What a transaction costs, in wei.
pub(crate) fn cost(fees: &FeeSample, payload: &Payload) -> u128 {
    match payload {
        Payload::Calldata(data) => {
            let zeros = data.iter().filter(|byte| **byte == 0).count() as u128;
            let others = data.len() as u128 - zeros;
            calldata_cost(fees, CALLDATA_GAS * others + ZERO_CALLDATA_GAS * zeros)
        }
        Payload::Blobs(blobs) => blob_cost(fees, blobs.len() as u128),
    }
}

/// Chooses between blobs and calldata.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chooser {
    present: Option<DaKind>,
}

/// A choice that differs from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Switched {
    pub(crate) to: DaKind,
    pub(crate) prices: Option<Price>,
    pub(crate) is_throttled: bool,
}

impl Chooser {
    /// Where the next channel goes, and whether that is news.
    ///
    /// The cheaper kind by the byte; once one was chosen, the other has to be cheaper by the
    /// hysteresis. Blobs while block builders are throttled. Without fees: as before, and blobs at
    /// first.
    // spec: opstack 7.6
    pub(crate) fn choose(
        &mut self,
        options: &BatcherOptions,
        fees: Option<&FeeSample>,
        is_throttled: bool,
    ) -> (DaKind, Option<Switched>) {
        let percent = match options.data_availability {
            DataAvailability::Fixed(kind) => return (kind, None),
            DataAvailability::Auto { hysteresis_percent } => hysteresis_percent,
        };
        let prices = fees.map(|fees| price(fees, options));
        let to = match prices {
            _ if is_throttled => DaKind::Blobs,
            None => self.present.unwrap_or(DaKind::Blobs),
            Some(prices) => self.cheaper(prices, percent),
        };
        let before = self.present.replace(to);
        let switched = Switched {
            to,
            prices,
            is_throttled,
        };
        (to, (before != Some(to)).then_some(switched))
    }

    fn cheaper(self, prices: Price, percent: u32) -> DaKind {
        let is_worth_it = |other: u128, present: u128| {
            let threshold = 100_u128.saturating_sub(percent.into());
            other.saturating_mul(100) < present.saturating_mul(threshold)
        };
        match self.present {
            Some(DaKind::Blobs) if is_worth_it(prices.calldata, prices.blobs) => DaKind::Calldata,
            Some(DaKind::Calldata) if is_worth_it(prices.blobs, prices.calldata) => DaKind::Blobs,
            Some(present) => present,
            None if prices.blobs > prices.calldata => DaKind::Calldata,
            None => DaKind::Blobs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Bytes;

    fn auto(hysteresis_percent: u32) -> BatcherOptions {
        BatcherOptions {
            target_num_frames: 3,
            data_availability: DataAvailability::Auto { hysteresis_percent },
            ..BatcherOptions::default()
        }
    }

    fn fees(blob_base_fee: u128) -> FeeSample {
        FeeSample {
            base_fee: 1_000_000,
            tip: 1000,
            blob_base_fee,
        }
    }

    /// op-batcher's cases (`TestDynamicEthChannelConfig_ChannelConfig`), with the price of a blob
    /// just under and just above where both are equal.
    #[test]
    fn the_cheaper_kind_is_chosen() {
        for (name, blob_base_fee, is_throttled, expected) in [
            ("much-cheaper-blobs", 1, false, DaKind::Blobs),
            ("close-cheaper-blobs", 39_800_000, false, DaKind::Blobs),
            (
                "close-cheaper-calldata",
                39_900_000,
                false,
                DaKind::Calldata,
            ),
            (
                "much-cheaper-calldata",
                1_000_000_000,
                false,
                DaKind::Calldata,
            ),
            ("throttling-is-enabled", 1_000_000_000, true, DaKind::Blobs),
        ] {
            let mut chooser = Chooser::default();
            let (kind, _) = chooser.choose(&auto(0), Some(&fees(blob_base_fee)), is_throttled);
            assert_eq!(kind, expected, "{name}");
        }
    }

    #[test]
    fn without_fees_it_stays_as_it_was() {
        let mut chooser = Chooser::default();
        assert_eq!(chooser.choose(&auto(0), None, false).0, DaKind::Blobs);
        chooser.choose(&auto(0), Some(&fees(1_000_000_000)), false);
        let (kind, switched) = chooser.choose(&auto(0), None, false);
        assert_eq!((kind, switched), (DaKind::Calldata, None));
    }

    #[test]
    fn a_switch_has_to_pay_by_the_hysteresis() {
        let mut chooser = Chooser::default();
        assert_eq!(
            chooser.choose(&auto(10), Some(&fees(1)), false).0,
            DaKind::Blobs
        );
        // calldata is cheaper, but not by a tenth
        let close = fees(42_000_000);
        assert_eq!(
            chooser.choose(&auto(10), Some(&close), false).0,
            DaKind::Blobs
        );
        let (kind, switched) = chooser.choose(&auto(10), Some(&fees(46_000_000)), false);
        assert_eq!(kind, DaKind::Calldata);
        assert!(switched.is_some_and(|switched| switched.to == DaKind::Calldata));
        assert_eq!(
            chooser.choose(&auto(10), Some(&close), false),
            (DaKind::Calldata, None)
        );
        assert_eq!(
            chooser.choose(&auto(10), Some(&fees(38_000_000)), false).0,
            DaKind::Calldata
        );
        assert_eq!(
            chooser.choose(&auto(10), Some(&fees(34_000_000)), false).0,
            DaKind::Blobs
        );
    }

    #[test]
    fn compute_single_calldata_tx_cost() {
        let fees = FeeSample {
            base_fee: 1,
            tip: 1,
            blob_base_fee: 0,
        };
        // op-batcher's case counts tokens; 30,000 bytes that are not zero have 120,000
        let data = Payload::Calldata(Bytes::from(vec![1; 30_000]));
        assert_eq!(cost(&fees, &data), 2_442_000);
        let zeros = Payload::Calldata(Bytes::from(vec![0; 120_000]));
        assert_eq!(cost(&fees, &zeros), 2_442_000);
    }

    #[test]
    fn compute_single_blob_tx_cost() {
        let fees = FeeSample {
            base_fee: 1,
            tip: 1,
            blob_base_fee: 32,
        };
        let blobs = Payload::Blobs(vec![Bytes::from_static(&[0]); 5]);
        assert_eq!(cost(&fees, &blobs), 21_013_520);
    }

    #[test]
    fn no_fee_overflows() {
        let most = FeeSample {
            base_fee: u128::MAX,
            tip: u128::MAX,
            blob_base_fee: u128::MAX,
        };
        assert!(price(&most, &auto(0)).blobs > 0);
        assert!(cost(&most, &Payload::Blobs(vec![Bytes::new(); 6])) > 0);
        assert!(
            Chooser::default()
                .choose(&auto(100), Some(&most), false)
                .1
                .is_some()
        );
    }
}
