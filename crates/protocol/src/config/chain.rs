//! One chain's configuration, complete: the file, the profile and the L1's schedule, joined.

use super::{
    AltDaConfig, AuthProfile, AuthRule, BatchAuth, BatchAuthSchedule, BlobFeeError, BlobSchedule,
    CHANNEL_TIMEOUT_GRANITE, ChainProfile, CheckError, Fork, KECCAK_MAX_INPUT_SIZE,
    MAX_CHANNEL_BANK_SIZE_BEDROCK, MAX_CHANNEL_BANK_SIZE_FJORD, MAX_RLP_BYTES_PER_CHANNEL_BEDROCK,
    MAX_RLP_BYTES_PER_CHANNEL_FJORD, MIN_BLOB_BASE_FEE, RollupConfig, Rules, SignatureForm,
    auth::AUTH_LOOKBACK_WINDOW, blob_base_fee, l1_fees::CANCUN_UPDATE_FRACTION,
    profile::MAX_SEQUENCER_DRIFT_FJORD,
};
use crate::{l1::L1Header, upgrades};
use alloy_primitives::{B256, Keccak256, U256};
use core::fmt::Display;
use thiserror::Error;

/// What an operator sets beside the files.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Instead of the profile that the configuration calls for.
    pub profile: Option<ChainProfile>,
    /// `--batch-auth`.
    pub batch_auth: Option<AuthRule>,
    /// `--auth-from`: L1 time.
    pub auth_from: Option<u64>,
    /// The L1's blob schedule, from its own chain configuration.
    pub l1_blob_schedule: Option<BlobSchedule>,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChainConfigError {
    /// rollup.json breaks a rule.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The chosen authorisation rule reads events, but of which contract is not said.
    #[error("batch authorisation by {0} needs batch_authenticator_address in rollup.json")]
    AuthenticatorMissing(&'static str),
    /// The chosen authorisation rule has no start.
    #[error(
        "batch authorisation by {0} needs the L1 time from which it holds: \
         batch_auth.from in the profile, --auth-from, or espresso_time in rollup.json"
    )]
    AuthFromMissing(&'static str),
    /// The L1 is not a public one and nothing says its blob schedule.
    #[error(
        "the blob schedule of L1 chain {0} is not known: give its own chain configuration \
         (--rollup.l1-chain-config) or l1_blob_schedule in the chain profile"
    )]
    UnknownL1(u64),
    /// The sequencer drift of Celo's kona is not the profile's.
    #[error(
        "fjord_max_sequencer_drift is {found} s in rollup.json, but {expected} s in the chain \
         profile: with the one kona derives another chain than op-node with the other"
    )]
    FjordSequencerDrift {
        /// The profile's.
        expected: u64,
        /// The one in rollup.json.
        found: u64,
    },
}

/// A chain's configuration. Immutable once made; every consensus rule that depends on time or
/// chain is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainConfig {
    /// rollup.json.
    pub rollup: RollupConfig,
    /// Where the chain differs from upstream.
    pub profile: ChainProfile,
    /// Verdicts of the profile's lineage.
    pub rules: Rules,
    /// What blobs cost on the L1.
    pub l1_blob_schedule: BlobSchedule,
    /// Who may post batches.
    pub batch_auth: BatchAuthSchedule,
}

impl ChainConfig {
    /// Joins the parts, or says which is missing.
    pub fn new(rollup: RollupConfig, overrides: Overrides) -> Result<Self, ChainConfigError> {
        rollup.check()?;
        let profile = overrides
            .profile
            .unwrap_or_else(|| ChainProfile::of_chain(&rollup));
        if let Some(found) = rollup.fjord_max_sequencer_drift
            && found != profile.max_sequencer_drift
        {
            return Err(ChainConfigError::FjordSequencerDrift {
                expected: profile.max_sequencer_drift,
                found,
            });
        }
        let l1_blob_schedule = overrides
            .l1_blob_schedule
            .or_else(|| profile.l1_blob_schedule.clone())
            .or_else(|| BlobSchedule::of_public_l1(rollup.l1_chain_id))
            .ok_or(ChainConfigError::UnknownL1(rollup.l1_chain_id))?;
        let batch_auth = resolve_auth(
            &rollup,
            profile.batch_auth,
            overrides.batch_auth,
            overrides.auth_from,
        )?;
        let rules = profile.rules.rules();
        Ok(Self {
            rollup,
            profile,
            rules,
            l1_blob_schedule,
            batch_auth,
        })
    }

    /// Whether `fork` is active at `time`; whose time it is, the rule says (opstack 0.1).
    pub const fn active(&self, fork: Fork, time: u64) -> bool {
        self.rollup.active(fork, time)
    }

    /// Whether the L2 block at `l2_time` is the first one under `fork`.
    pub const fn is_activation_block(&self, fork: Fork, l2_time: u64) -> bool {
        self.rollup.is_activation_block(fork, l2_time)
    }

    /// Whether `fork` is active at `l2_time`, and was already one block before or at genesis: from
    /// then on L1 information has the fork's layout.
    // spec: opstack 3.11
    pub const fn active_after_activation_block(&self, fork: Fork, l2_time: u64) -> bool {
        self.active(fork, l2_time) && !self.is_activation_block(fork, l2_time)
    }

    /// L1 blocks within which a channel must be completed, at an L1 block of `l1_time`.
    // spec: opstack 2.8 |4
    pub const fn channel_timeout(&self, l1_time: u64) -> u64 {
        if self.active(Fork::Granite, l1_time) {
            CHANNEL_TIMEOUT_GRANITE
        } else {
            self.rollup.channel_timeout
        }
    }

    /// Decompressed bytes read from one channel at most, at an L1 block of `l1_time`.
    // spec: opstack 2.8 |1
    pub const fn max_rlp_bytes_per_channel(&self, l1_time: u64) -> u64 {
        if self.active(Fork::Fjord, l1_time) {
            MAX_RLP_BYTES_PER_CHANNEL_FJORD
        } else {
            MAX_RLP_BYTES_PER_CHANNEL_BEDROCK
        }
    }

    /// Bytes that the channel bank holds at most, at an L1 block of `l1_time`.
    // spec: opstack 2.8 |2
    pub const fn max_channel_bank_size(&self, l1_time: u64) -> u64 {
        if self.active(Fork::Fjord, l1_time) {
            MAX_CHANNEL_BANK_SIZE_FJORD
        } else {
            MAX_CHANNEL_BANK_SIZE_BEDROCK
        }
    }

    /// Seconds that the time of an L2 block may be ahead of its L1 origin at `origin_time`.
    // spec: opstack 2.8 |5, opstack 0.2
    pub const fn max_sequencer_drift(&self, origin_time: u64) -> u64 {
        if !self.active(Fork::Fjord, origin_time) {
            return self.rollup.max_sequencer_drift;
        }
        match self.rollup.cel2_time {
            Some(cel2) if origin_time < cel2 => MAX_SEQUENCER_DRIFT_FJORD,
            _ => self.profile.max_sequencer_drift,
        }
    }

    /// Largest input behind a Keccak commitment, in bytes.
    // spec: opstack 2.8 |8, opstack-2026-09 2 *14
    pub const fn keccak_max_input_size(&self) -> u64 {
        match self.rollup.alt_da {
            Some(AltDaConfig {
                da_max_input_size: Some(size),
                ..
            }) => size,
            _ => KECCAK_MAX_INPUT_SIZE,
        }
    }

    /// Blob base fee of an L1 block as an L2 block at `l2_time` reports it, in wei.
    // spec: opstack 3.11
    pub fn blob_base_fee(&self, l1: &L1Header, l2_time: u64) -> Result<U256, BlobFeeError> {
        let Some(excess) = l1.excess_blob_gas else {
            return Ok(MIN_BLOB_BASE_FEE);
        };
        // spec: opstack 0.1 *4
        if self
            .rollup
            .pectra_blob_schedule_time
            .is_some_and(|until| l1.timestamp < until)
        {
            return blob_base_fee(excess, CANCUN_UPDATE_FRACTION);
        }
        if self.profile.l1_osaka_fees_from_jovian && !self.active(Fork::Jovian, l2_time) {
            return self
                .l1_blob_schedule
                .until_prague()
                .blob_base_fee(l1.timestamp, excess);
        }
        self.l1_blob_schedule.blob_base_fee(l1.timestamp, excess)
    }

    /// One hash over every value that derivation depends on. Two nodes with different ids may
    /// derive different chains.
    pub fn config_id(&self) -> B256 {
        let mut id = IdHasher::default();
        self.hash_rollup(&mut id);
        self.hash_profile(&mut id);
        id.0.finalize()
    }

    fn hash_rollup(&self, id: &mut IdHasher) {
        let rollup = &self.rollup;
        let genesis = &rollup.genesis;
        id.put("genesis.l1", genesis.l1);
        id.put("genesis.l2", genesis.l2);
        id.put("genesis.l2_time", genesis.l2_time);
        let system = &genesis.system_config;
        id.put("batcher", system.batcher);
        id.put("overhead", system.overhead);
        id.put("scalar", system.scalar);
        id.put("gas_limit", system.gas_limit);
        id.put("eip1559_params", system.eip1559_params);
        id.put("operator_fee_params", system.operator_fee_params);
        id.put("min_base_fee", system.min_base_fee);
        id.put("da_footprint_gas_scalar", system.da_footprint_gas_scalar);
        id.put("block_time", rollup.block_time);
        id.put("max_sequencer_drift", rollup.max_sequencer_drift);
        id.put("seq_window_size", rollup.seq_window_size);
        id.put("channel_timeout", rollup.channel_timeout);
        id.put("l1_chain_id", rollup.l1_chain_id);
        id.put("l2_chain_id", rollup.l2_chain_id);
        for fork in Fork::ALL {
            id.put_option(fork.name(), rollup.forks.time(fork));
        }
        id.put("keep_karst_upgrade_gas", rollup.keep_karst_upgrade_gas);
        id.put("batch_inbox_address", rollup.batch_inbox_address);
        id.put("deposit_contract_address", rollup.deposit_contract_address);
        id.put("l1_system_config_address", rollup.l1_system_config_address);
        if let Some(op) = &rollup.chain_op_config {
            id.put("eip1559_elasticity", op.eip1559_elasticity);
            id.put("eip1559_denominator", op.eip1559_denominator);
            id.put_option("eip1559_denominator_canyon", op.eip1559_denominator_canyon);
        }
        if let Some(alt_da) = &rollup.alt_da {
            id.put(
                "da_challenge_contract_address",
                alt_da.da_challenge_contract_address,
            );
            id.put(
                "da_commitment_type",
                format_args!("{:?}", alt_da.da_commitment_type),
            );
            id.put("da_max_input_size", self.keccak_max_input_size());
            id.put("da_challenge_window", alt_da.da_challenge_window);
            id.put("da_resolve_window", alt_da.da_resolve_window);
        }
        id.put_option(
            "pectra_blob_schedule_time",
            rollup.pectra_blob_schedule_time,
        );
        id.put_option("cel2_time", rollup.cel2_time);
    }

    fn hash_profile(&self, id: &mut IdHasher) {
        let profile = &self.profile;
        // spelled out, so that a new difference between the rule sets cannot be forgotten here
        let Rules {
            span_overlap_compared,
            zero_elasticity_refused,
            post_exec_known,
            span_transactions_checked_alike,
        } = self.rules;
        id.put("span_overlap_compared", span_overlap_compared);
        id.put("zero_elasticity_refused", zero_elasticity_refused);
        id.put("post_exec_known", post_exec_known);
        id.put(
            "span_transactions_checked_alike",
            span_transactions_checked_alike,
        );
        id.put("max_frame_len", profile.max_frame_len);
        id.put("max_sequencer_drift_fjord", profile.max_sequencer_drift);
        for tx_type in &profile.span_tx_types {
            id.put("span_tx_type", format_args!("{tx_type:?}"));
        }
        id.put(
            "isthmus_l1_block",
            format_args!("{:?}", profile.isthmus_l1_block),
        );
        id.put("upgrades", upgrades::digest(profile.isthmus_l1_block));
        id.put("da_refusals_drop", profile.da_refusals_drop);
        id.put(
            "l1_osaka_fees_from_jovian",
            profile.l1_osaka_fees_from_jovian,
        );
        for step in self.l1_blob_schedule.steps() {
            // which fork a step is of decides its precedence, and what Celo ignores
            id.put("l1_blob_schedule.fork", format_args!("{:?}", step.fork));
            id.put("l1_blob_schedule.time", step.time);
            id.put("l1_blob_schedule.update_fraction", step.update_fraction);
        }
        id.put(
            "batch_auth.rule",
            format_args!("{:?}", self.batch_auth.rule),
        );
        id.put("batch_auth.from", self.batch_auth.from);
    }
}

/// Hashes named values, so that no two configurations can run together.
struct IdHasher(Keccak256);

impl Default for IdHasher {
    fn default() -> Self {
        let mut hasher = Keccak256::new();
        hasher.update(b"doppio config id, version 1\n");
        Self(hasher)
    }
}

impl IdHasher {
    fn put(&mut self, name: &str, value: impl Display) {
        self.0.update(format!("{name}={value}\n"));
    }

    fn put_option(&mut self, name: &str, value: Option<u64>) {
        match value {
            Some(value) => self.put(name, value),
            None => self.put(name, "never"),
        }
    }
}

/// Which authorisation rule holds: an operator's override first, then the keys of rollup.json,
/// then the profile.
// spec: opstack 2.9
fn resolve_auth(
    rollup: &RollupConfig,
    profile: Option<AuthProfile>,
    rule: Option<AuthRule>,
    from: Option<u64>,
) -> Result<BatchAuthSchedule, ChainConfigError> {
    let by_keys = match (rollup.espresso_enforcement_time, rollup.espresso_time) {
        (Some(time), _) => Some((AuthRule::AuthEvent, time)),
        (None, Some(time)) => Some((AuthRule::AuthEventCallerDelayed, time)),
        (None, None) => None,
    };
    let (name, key_time) = match (rule, by_keys, profile) {
        (Some(rule), _, profile) => {
            let from = profile.and_then(|profile| profile.from);
            (
                rule,
                from.or(rollup.espresso_time)
                    .or(rollup.espresso_enforcement_time),
            )
        }
        (None, Some((rule, time)), _) => (rule, Some(time)),
        (None, None, Some(profile)) => (profile.rule, profile.from.or(rollup.espresso_time)),
        (None, None, None) => (AuthRule::Sender, Some(0)),
    };
    if name == AuthRule::Sender {
        return Ok(BatchAuthSchedule::SENDER);
    }
    let from = from
        .or(key_time)
        .ok_or_else(|| ChainConfigError::AuthFromMissing(name.name()))?;
    let authenticator = rollup.batch_authenticator_address.unwrap_or_default();
    if name.needs_authenticator() && authenticator.is_zero() {
        return Err(ChainConfigError::AuthenticatorMissing(name.name()));
    }
    let rule = match name {
        AuthRule::Sender => BatchAuth::Sender,
        AuthRule::InboxContract => BatchAuth::InboxContract {
            signature: SignatureForm::Separate,
        },
        AuthRule::InboxContractInline => BatchAuth::InboxContract {
            signature: SignatureForm::Inline,
        },
        AuthRule::AuthEvent => {
            let window = match rollup.batch_auth_lookback_window {
                None | Some(0) => AUTH_LOOKBACK_WINDOW,
                Some(window) => window,
            };
            BatchAuth::AuthEvent {
                authenticator,
                window,
            }
        }
        AuthRule::AuthEventCaller => BatchAuth::AuthEventCaller { authenticator },
        AuthRule::AuthEventCallerDelayed => BatchAuth::AuthEventCallerDelayed { authenticator },
    };
    Ok(BatchAuthSchedule { rule, from })
}
