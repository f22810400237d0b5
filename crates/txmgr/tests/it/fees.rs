//! op-service's tables of fees, by name.

use crate::model::{GWEI, ME, schedule};
use TxKind::{Blob, Plain};
use doppio_txmgr::{
    Fees, LimitExceeded, Market, Options, Settings, Suggestion, TxKind, bumped_blob_fee_cap,
    bumped_fees, check_limits, data_gas_limit, first_fees, osaka_time_of_public_l1, percentile_tip,
};
use proptest::prelude::*;

#[test]
fn test_update_fees() {
    // old tip and base fee, new tip and base fee, kind; tip and fee cap that are to come
    let table: &[(u128, u128, u128, u128, TxKind, u128, u128)] = &[
        (100, 1000, 90, 900, Plain, 110, 2310),
        (100, 1000, 90, 900, Blob, 200, 4200),
        (100, 1000, 101, 1000, Plain, 110, 2310),
        (100, 1000, 101, 1000, Blob, 200, 4200),
        (100, 1000, 100, 1001, Plain, 110, 2310),
        (100, 1000, 100, 1001, Blob, 200, 4200),
        (100, 1000, 101, 900, Plain, 110, 2310),
        (100, 1000, 101, 900, Blob, 200, 4200),
        (100, 1000, 90, 1010, Plain, 110, 2310),
        (100, 1000, 90, 1010, Blob, 200, 4200),
        (100, 1000, 101, 2000, Plain, 110, 4110),
        (100, 1000, 101, 3000, Blob, 200, 6200),
        (100, 1000, 120, 900, Plain, 120, 2310),
        (100, 1000, 220, 900, Blob, 220, 4200),
        (100, 1000, 120, 1100, Plain, 120, 2320),
        (100, 1000, 220, 2000, Blob, 220, 4220),
        (100, 1000, 120, 1140, Plain, 120, 2400),
        (100, 1000, 220, 2040, Blob, 220, 4300),
        (100, 1000, 120, 1200, Plain, 120, 2520),
        (100, 1000, 220, 2100, Blob, 220, 4420),
    ];
    for (row, &(old_tip, old_base, tip, base, kind, new_tip, new_cap)) in table.iter().enumerate() {
        let old_cap = old_tip + 2 * old_base;
        let bumped = bumped_fees(old_tip, old_cap, tip, base, kind);
        assert_eq!(bumped, (new_tip, new_cap), "row {row}");
    }
}

fn bare() -> Options {
    let mut options = Options::new(1, ME);
    options.settings = Settings {
        min_base_fee: 0,
        min_tip_cap: 0,
        fee_limit_threshold: None,
        ..Settings::default()
    };
    options
}

fn market(tip: u128, base_fee: u128) -> Market {
    Market {
        tip,
        blob_tip: tip,
        base_fee,
        blob_base_fee: Some(50),
    }
}

/// What op-service's tests do: a transaction with these caps is bumped in this market.
fn increase(
    old_tip: u128,
    old_cap: u128,
    tip: u128,
    base_fee: u128,
) -> Result<(u128, u128), LimitExceeded> {
    let market = market(tip, base_fee);
    let (tip_cap, fee_cap) = bumped_fees(old_tip, old_cap, tip, base_fee, Plain);
    let fees = Fees {
        tip_cap,
        fee_cap,
        blob_fee_cap: 0,
    };
    let mut options = bare();
    options.fee_limit_multiplier = 5;
    check_limits(&market, Plain, &fees, &options)?;
    Ok((tip_cap, fee_cap))
}

#[test]
fn increase_gas_price_bump_at_least_1() {
    let (tip, cap) = increase(1, 3, 1, 1).unwrap();
    assert!(tip > 1 && cap > 3);
}

#[test]
fn increase_gas_price_enforces_min_bump_on_tip_or_base_fee_alone() {
    for (tip, base_fee) in [(101, 460), (101, 440), (99, 460)] {
        let (new_tip, cap) = increase(100, 1000, tip, base_fee).unwrap();
        assert!(new_tip > 100 && cap > 1000, "{tip} {base_fee}");
    }
}

#[test]
fn increase_gas_price_uses_l1_values_when_larger() {
    assert_eq!(increase(10, 100, 50, 200), Ok((50, 450)));
}

#[test]
fn increase_gas_price_uses_l1_tip_when_larger_and_threshold_fee_cap() {
    assert_eq!(increase(100, 2200, 120, 1050), Ok((120, 2420)));
}

#[test]
fn increase_gas_price_uses_l1_fee_cap_when_larger_and_threshold_tip() {
    assert_eq!(increase(100, 2200, 100, 2000), Ok((110, 4110)));
}

#[test]
fn increase_gas_price_fee_tip_or_both_above_multiplier_limit() {
    let words = |error: LimitExceeded| error.to_string();
    let fee = words(increase(1, 9999, 1, 1).unwrap_err());
    assert!(fee.contains("fee cap") && !fee.contains("tip cap"), "{fee}");
    let tip = words(increase(9999, 0, 0, 9999).unwrap_err());
    assert!(tip.contains("tip cap") && !tip.contains("fee cap"), "{tip}");
    let both = words(increase(9999, 9999, 1, 1).unwrap_err());
    assert!(
        both.contains("tip cap") && both.contains("fee cap"),
        "{both}"
    );
}

/// Bumps until that is refused, in a market that does not move.
fn bump_until_refused(
    mut fees: Fees,
    kind: TxKind,
    threshold: Option<u128>,
) -> (Fees, LimitExceeded) {
    let market = market(10, 45);
    let mut options = bare();
    options.settings.fee_limit_threshold = threshold;
    loop {
        let (tip_cap, fee_cap) = bumped_fees(fees.tip_cap, fees.fee_cap, 10, 45, kind);
        let bumped = Fees {
            tip_cap,
            fee_cap,
            blob_fee_cap: bumped_blob_fee_cap(fees.blob_fee_cap, 50),
        };
        match check_limits(&market, kind, &bumped, &options) {
            Ok(()) => fees = bumped,
            Err(limit) => return (fees, limit),
        }
    }
}

#[test]
fn increase_gas_price_limits_with_and_without_threshold() {
    let rows = [
        (None, 46, 354, 4 * GWEI),
        (Some(10 * GWEI), 1_293_535_754, 9_192_620_686, 8 * GWEI),
    ];
    for (threshold, tip_cap, fee_cap, blob_fee_cap) in rows {
        let plain = Fees {
            tip_cap: 10,
            fee_cap: 100,
            blob_fee_cap: 0,
        };
        let (last, _) = bump_until_refused(plain, Plain, threshold);
        assert_eq!((last.tip_cap, last.fee_cap), (tip_cap, fee_cap));
        // The blob fee comes to its limit first.
        let blob = Fees {
            tip_cap: 1,
            fee_cap: 10,
            blob_fee_cap: 2 * GWEI,
        };
        let (last, limit) = bump_until_refused(blob, Blob, threshold);
        assert_eq!(last.blob_fee_cap, blob_fee_cap);
        assert!(limit.to_string().contains("blob fee cap"), "{limit}");
    }
}

fn suggestion(tip: u128) -> Suggestion {
    Suggestion {
        tip,
        blob_tip: None,
    }
}

#[test]
fn min_fees_raise_what_l1_asks_for() {
    // least base fee and tip; what comes of a tip of 5 and a base fee of 7, in gwei
    let rows = [
        (0, 0, 5, 7),
        (18, 0, 5, 18),
        (0, 10, 10, 7),
        (18, 10, 10, 18),
        (7, 5, 5, 7),
    ];
    for (min_base_fee, min_tip, tip, base_fee) in rows {
        let mut options = bare();
        options.settings.min_base_fee = min_base_fee * GWEI;
        options.settings.min_tip_cap = min_tip * GWEI;
        let market = Market::new(&suggestion(5 * GWEI), 7 * GWEI, None, &options).unwrap();
        assert_eq!((market.tip, market.base_fee), (tip * GWEI, base_fee * GWEI));
        let fees = first_fees(&market, Plain, 0).unwrap();
        assert_eq!(fees.fee_cap, (tip + 2 * base_fee) * GWEI);
    }
}

#[test]
fn max_fees_refuse_what_l1_asks_for() {
    let ask = |max_base_fee, max_tip_cap| {
        let mut options = bare();
        options.max_base_fee = max_base_fee;
        options.max_tip_cap = max_tip_cap;
        Market::new(&suggestion(5 * GWEI), 7 * GWEI, None, &options)
    };
    assert!(ask(None, None).is_ok());
    assert!(ask(Some(7 * GWEI), Some(5 * GWEI)).is_ok());
    let error = ask(Some(6 * GWEI), None).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("base fee is too high: 7000000000"),
        "{error}"
    );
    let error = ask(None, Some(4 * GWEI)).unwrap_err();
    assert!(
        error.to_string().starts_with("tip is too high: 5000000000"),
        "{error}"
    );
}

#[test]
fn tx_mgr_blob_tip_cap_dynamic() {
    let mut options = bare();
    options.settings.min_tip_cap = 3;
    let suggestion = Suggestion {
        tip: 10,
        blob_tip: Some(1),
    };
    let tips = |options: &Options| {
        let market = Market::new(&suggestion, 100, Some(1), options).unwrap();
        (market.tip_of(Plain), market.tip_of(Blob))
    };
    assert_eq!(tips(&options), (10, 10));
    options.settings.blob_tip_cap_dynamic = true;
    // neither raised to the minimum nor to what is usual otherwise
    assert_eq!(tips(&options), (10, 1));
}

#[test]
fn the_blob_tip_oracle_gives_the_60th_percentile() {
    assert_eq!(percentile_tip(vec![], 60), None);
    assert_eq!(percentile_tip(vec![7], 60), Some(7));
    // (10 - 1) · 60 / 100 = 5.4: the sixth in order
    assert_eq!(percentile_tip((1..=10).rev().collect(), 60), Some(6));
    assert_eq!(percentile_tip((1..=10).collect(), 100), Some(10));
}

#[test]
fn the_first_blob_fee_cap_is_twice_the_blob_base_fee_and_not_below_the_minimum() {
    let cap = |blob_base_fee| {
        let market = Market {
            blob_base_fee,
            ..market(1, 1)
        };
        first_fees(&market, Blob, GWEI).map(|fees| fees.blob_fee_cap)
    };
    assert_eq!(cap(Some(1)), Some(GWEI));
    assert_eq!(cap(Some(3 * GWEI)), Some(6 * GWEI));
    assert_eq!(cap(None), None);
}

#[test]
fn the_gas_of_data_is_the_floor_of_before_or_after_amsterdam() {
    // EIP-7623: 21000 + 10 for a zero byte, 40 for any other; EIP-2780, EIP-7976: 15000 + 64 a byte
    assert_eq!(data_gas_limit(&[]), 21_000);
    assert_eq!(data_gas_limit(&[1; 100]), 21_000 + 4_000);
    // from 250 bytes on the later floor is above the former one
    assert_eq!(data_gas_limit(&[1; 250]), 21_000 + 10_000);
    assert_eq!(data_gas_limit(&[1; 251]), 15_000 + 64 * 251);
    assert_eq!(data_gas_limit(&[0; 120_000]), 15_000 + 64 * 120_000);
}

#[test]
fn fallback_to_osaka_cell_proof_time_if_known() {
    // as op-service has them: mainnet, Sepolia, Holesky, Hoodi
    let known = [
        (1, 1_764_798_551),
        (11_155_111, 1_760_427_360),
        (17_000, 1_759_308_480),
        (560_048, 1_761_677_592),
    ];
    for (chain, time) in known {
        assert_eq!(osaka_time_of_public_l1(chain), Some(time));
        assert_eq!(Options::new(chain, ME).cell_proof_time, Some(time));
    }
    assert_eq!(Options::new(900, ME).cell_proof_time, None);
}

#[test]
fn default_options_are_valid_and_wrong_ones_are_refused() {
    assert_eq!(Options::new(1, ME).check(), Ok(()));
    let wrong = |change: fn(&mut Options)| {
        let mut options = Options::new(1, ME);
        change(&mut options);
        options.check().unwrap_err().to_string()
    };
    assert_eq!(
        wrong(|options| options.num_confirmations = 0),
        "num-confirmations must not be 0"
    );
    let words = wrong(|options| options.max_tip_cap = Some(1));
    assert!(words.contains("is above the highest"), "{words}");
    let _ = schedule();
}

proptest! {
    /// What pools ask of a replacement, and what L1 asks of a transaction.
    #[test]
    fn a_bump_replaces_and_pays_what_is_asked(
        old_tip in 0..1u128 << 60, old_base in 0..1u128 << 60,
        tip in 0..1u128 << 60, base_fee in 0..1u128 << 60, is_blob: bool,
    ) {
        let (kind, percent) = if is_blob { (Blob, 200) } else { (Plain, 110) };
        let old_cap = old_tip + 2 * old_base;
        let (new_tip, new_cap) = bumped_fees(old_tip, old_cap, tip, base_fee, kind);
        prop_assert!(new_tip * 100 >= old_tip * percent);
        prop_assert!(new_cap * 100 >= old_cap * percent);
        prop_assert!(new_tip >= tip);
        prop_assert!(new_cap >= tip + 2 * base_fee);
        prop_assert!(new_cap >= new_tip);
        prop_assert!(bumped_blob_fee_cap(old_base, base_fee) >= (2 * old_base).max(base_fee));
    }

    /// Nothing that an endpoint says makes the sums go over.
    #[test]
    fn no_fee_is_too_large_to_reckon_with(
        old_tip: u128, old_cap: u128, tip: u128, base_fee: u128, blob_base_fee: u128, gas: u64,
    ) {
        let market = Market { tip, blob_tip: tip, base_fee, blob_base_fee: Some(blob_base_fee) };
        let fees = first_fees(&market, Blob, 1).unwrap();
        let _ = fees.worst_cost(gas, 6);
        let _ = bumped_fees(old_tip, old_cap, tip, base_fee, Blob);
        let _ = check_limits(&market, Blob, &fees, &bare());
    }
}
