//! Everything that two nodes of one chain must agree on before they read a byte of L1.
//!
//! [`RollupConfig`] is the file that operators have (rollup.json). [`ChainProfile`] is what that
//! file cannot say: where the chain's rules differ from upstream's. [`ChainConfig`] joins both
//! with the L1's blob schedule and answers every question of the form "which rule at this time";
//! its [`ChainConfig::config_id`] is one hash over all of it.

mod auth;
mod chain;
mod check;
mod forks;
mod l1_fees;
mod networks;
mod overrides;
mod profile;
mod rollup;

pub use auth::{
    AUTH_LOOKBACK_WINDOW, ActiveAuth, AuthRule, BatchAuth, BatchAuthSchedule, ENFORCEMENT_DELAY,
    SignatureForm,
};
pub use chain::{ChainConfig, ChainConfigError, Overrides};
pub use check::CheckError;
pub use forks::{Fork, ForkTimes};
pub use l1_fees::{
    BlobFeeError, BlobSchedule, BlobScheduleStep, CANCUN_UPDATE_FRACTION, L1ChainConfig,
    L1ConfigError, L1Fork, MIN_BLOB_BASE_FEE, blob_base_fee,
};
pub use networks::{Network, NetworkError};
pub use overrides::RollupOverrides;
pub use profile::{
    AuthProfile, CeloTxTypes, ChainProfile, IsthmusL1Block, ProfileError, RuleSet, Rules,
};
pub use rollup::{
    AltDaConfig, ChainOpConfig, CommitmentType, Genesis, ParseError, Parsed, RollupConfig,
};

/// Channel timeout from Granite on, in L1 blocks.
// spec: opstack 2.8 |4
pub const CHANNEL_TIMEOUT_GRANITE: u64 = 50;
/// Decompressed bytes read from one channel at most, before Fjord.
// spec: opstack 2.8 |1
pub const MAX_RLP_BYTES_PER_CHANNEL_BEDROCK: u64 = 10_000_000;
/// Decompressed bytes read from one channel at most, from Fjord on.
pub const MAX_RLP_BYTES_PER_CHANNEL_FJORD: u64 = 100_000_000;
/// Bytes that the channel bank holds at most, before Fjord.
// spec: opstack 2.8 |2
pub const MAX_CHANNEL_BANK_SIZE_BEDROCK: u64 = 100_000_000;
/// Bytes that the channel bank holds at most, from Fjord on.
pub const MAX_CHANNEL_BANK_SIZE_FJORD: u64 = 1_000_000_000;
/// Blocks, and transactions, that a span batch has at most.
// spec: opstack 2.8 |6
pub const MAX_SPAN_BATCH_ELEMENT_COUNT: u64 = 10_000_000;
/// Bytes that a channel bank or assembler counts for a frame beside its data.
// spec: opstack 2.4
pub const FRAME_SIZE_OVERHEAD: u64 = 200;
/// Bytes behind a Keccak commitment at most, unless `da_max_input_size` says otherwise.
// spec: opstack 2.8 |8
pub const KECCAK_MAX_INPUT_SIZE: u64 = 130_672;
