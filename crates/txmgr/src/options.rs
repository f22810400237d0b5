//! What an operator can set. Names and defaults are op-service's (opstack 5.4).

use crate::Millis;
use alloy_primitives::Address;
use doppio_protocol::config::{BlobSchedule, L1Fork};
use thiserror::Error;

const GWEI: u128 = 1_000_000_000;

/// What can be changed while it runs (`txmgr_set…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Base fee that is reckoned with at least, in wei (`txmgr.min-basefee`).
    pub min_base_fee: u128,
    /// Least tip, in wei (`txmgr.min-tip-cap`).
    pub min_tip_cap: u128,
    /// Least blob fee cap, in wei (`txmgr_setMinBlobFee`).
    pub min_blob_fee: u128,
    /// Fees below it are not limited by the multiplier, in wei (`txmgr.fee-limit-threshold`); none
    /// to limit all.
    pub fee_limit_threshold: Option<u128>,
    /// After how many milliseconds the same transaction is handed in again
    /// (`txmgr.rebroadcast-interval`); 0 for never.
    pub rebroadcast_interval: Millis,
    /// After how many milliseconds it is replaced by one that pays more (`resubmission-timeout`).
    pub resubmission_timeout: Millis,
    /// Whether transactions with blobs give the tip that others of late gave
    /// (`txmgr.blob-tip-cap-dynamic`).
    pub blob_tip_cap_dynamic: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_base_fee: GWEI,
            min_tip_cap: GWEI,
            min_blob_fee: GWEI,
            fee_limit_threshold: Some(100 * GWEI),
            rebroadcast_interval: 12_000,
            resubmission_timeout: 48_000,
            blob_tip_cap_dynamic: false,
        }
    }
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Chain id of L1.
    pub chain_id: u64,
    /// The account.
    pub address: Address,
    /// What blobs cost on this L1. Empty: nothing with blobs is sent.
    pub blob_schedule: BlobSchedule,
    /// What can be changed later.
    pub settings: Settings,
    /// Most nonces that are in use at a time (`max-pending-tx`); 0 for no limit.
    pub max_pending: u64,
    /// How many blocks an inclusion needs, its own counted (`num-confirmations`).
    pub num_confirmations: u64,
    /// How many blocks more a transaction is remembered, to be handed in again if L1 is reorganised
    /// deeper than that. Not op-service's.
    pub remembered_blocks: u64,
    /// How many times "nonce too low" is heard before it is believed
    /// (`safe-abort-nonce-too-low-count`).
    pub safe_abort_nonce_too_low_count: u64,
    /// How many times what is usual a bump may pay (`fee-limit-multiplier`).
    pub fee_limit_multiplier: u64,
    /// Highest base fee to send anything at, in wei (`txmgr.max-basefee`).
    pub max_base_fee: Option<u128>,
    /// Highest tip to send anything at, in wei (`txmgr.max-tip-cap`).
    pub max_tip_cap: Option<u128>,
    /// Most wei that all transactions together may cost in any hour (`txmgr.max-fee-per-hour`):
    /// what was spent, and what is on its way if it had to pay all that it offers. Not op-service's.
    pub max_fee_per_hour: Option<u128>,
    /// Milliseconds between two attempts after a failure (`txmgr.retry-interval`).
    pub retry_interval: Millis,
    /// Attempts to have something signed or its gas estimated, besides the first, before it is given
    /// up (`txmgr.max-retries`).
    pub max_retries: u64,
    /// Milliseconds before a request that is not mined is given up (`txmgr.send-timeout`); 0 for
    /// never.
    pub send_timeout: Millis,
    /// Milliseconds before a request that no pool takes is given up
    /// (`txmgr.not-in-mempool-timeout`).
    pub not_in_mempool_timeout: Millis,
    /// Milliseconds after which receipts are looked up, if no new head makes it sooner
    /// (`txmgr.receipt-query-interval`).
    pub receipt_query_interval: Millis,
    /// Milliseconds after which a question without answer is asked again. More than the shell needs
    /// to give up.
    pub answer_timeout: Millis,
    /// Parts of answers that mean that a pool has the transaction already
    /// (`txmgr.already-published-custom-errs`).
    pub already_published: Vec<String>,
    /// Time, in seconds since the Unix epoch, from which blobs are proven by cells
    /// (`txmgr.cell-proof-time`); none for never.
    pub cell_proof_time: Option<u64>,
    /// Percentile of others' tips (`txmgr.blob-tip-cap-percentile`).
    pub blob_tip_cap_percentile: u8,
    /// How many of the newest blocks to read others' tips from (`txmgr.blob-tip-cap-range`).
    pub blob_tip_cap_range: u64,
}

impl Options {
    /// op-service's defaults, for an account on an L1. What only a public L1 tells (its blob schedule
    /// and when Osaka was) is found by its chain id.
    pub fn new(chain_id: u64, address: Address) -> Self {
        Self {
            chain_id,
            address,
            blob_schedule: BlobSchedule::of_public_l1(chain_id).unwrap_or_default(),
            settings: Settings::default(),
            max_pending: 1,
            num_confirmations: 10,
            remembered_blocks: 64,
            safe_abort_nonce_too_low_count: 3,
            fee_limit_multiplier: 5,
            max_base_fee: None,
            max_tip_cap: None,
            max_fee_per_hour: None,
            retry_interval: 1_000,
            max_retries: 10,
            send_timeout: 0,
            not_in_mempool_timeout: 120_000,
            receipt_query_interval: 12_000,
            answer_timeout: 60_000,
            already_published: Vec::new(),
            cell_proof_time: osaka_time_of_public_l1(chain_id),
            blob_tip_cap_percentile: 60,
            blob_tip_cap_range: 20,
        }
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    ///
    /// If a value is 0 that must not be, or a minimum is above its maximum.
    pub fn check(&self) -> Result<(), OptionsError> {
        for (name, value) in [
            ("num-confirmations", self.num_confirmations),
            (
                "safe-abort-nonce-too-low-count",
                self.safe_abort_nonce_too_low_count,
            ),
            ("fee-limit-multiplier", self.fee_limit_multiplier),
            ("resubmission-timeout", self.settings.resubmission_timeout),
            ("txmgr.retry-interval", self.retry_interval),
            ("txmgr.not-in-mempool-timeout", self.not_in_mempool_timeout),
            ("txmgr.receipt-query-interval", self.receipt_query_interval),
            ("network-timeout", self.answer_timeout),
        ] {
            if value == 0 {
                return Err(OptionsError::Zero(name));
            }
        }
        for (name, min, max) in [
            ("base fee", self.settings.min_base_fee, self.max_base_fee),
            ("tip cap", self.settings.min_tip_cap, self.max_tip_cap),
        ] {
            if let Some(max) = max
                && min > max
            {
                return Err(OptionsError::MinAboveMax { name, min, max });
            }
        }
        if self.blob_tip_cap_percentile > 100 {
            return Err(OptionsError::Percentile(self.blob_tip_cap_percentile));
        }
        Ok(())
    }
}

/// Why options are refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OptionsError {
    /// A value of zero.
    #[error("{0} must not be 0")]
    Zero(&'static str),
    /// A minimum above its maximum.
    #[error("the least {name} ({min} wei) is above the highest ({max} wei)")]
    MinAboveMax {
        /// Of what.
        name: &'static str,
        /// In wei.
        min: u128,
        /// In wei.
        max: u128,
    },
    /// More than 100 percent.
    #[error("txmgr.blob-tip-cap-percentile {0} is above 100")]
    Percentile(u8),
}

/// When Osaka was on a public L1, in seconds since the Unix epoch. Since then pools take blobs with
/// the proofs of cells only.
// spec: opstack-2026-09 7 *7
pub fn osaka_time_of_public_l1(chain_id: u64) -> Option<u64> {
    let schedule = BlobSchedule::of_public_l1(chain_id)?;
    let osaka = schedule
        .steps()
        .iter()
        .find(|step| step.fork == L1Fork::Osaka)?;
    Some(osaka.time)
}
