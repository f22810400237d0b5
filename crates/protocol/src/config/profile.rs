//! Where a chain's rules differ from upstream's and rollup.json does not say so.
//!
//! A fork of op-node changes constants and verdicts in code; here each such change is one named
//! field of data, so that one program can follow chains of different lineage and every difference
//! has a test on both sides.

use super::{AuthRule, BatchAuthSchedule, BlobSchedule, RollupConfig, SignatureForm};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Which lineage's verdicts derivation follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleSet {
    /// op-node, line 1.19.6.
    #[default]
    Upstream,
    /// Celo's fork and Espresso's, which is a fork of Celo's.
    Celo,
}

/// The verdicts in which the lineages differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rules {
    /// Under Holocene, a span batch's overlap with the safe chain must have the safe chain's
    /// transactions and L1 origins.
    // spec: opstack-2026-09 3.7 *4
    pub span_overlap_compared: bool,
    /// EIP-1559 parameters with elasticity 0 and a denominator are refused, in updates and headers.
    // spec: opstack-2026-09 3.9 *1
    pub zero_elasticity_refused: bool,
    /// Transaction type 0x7D is decoded in span batches and dropped block by block before Lagoon.
    // spec: opstack-2026-09 2 *10, opstack-2026-09 3.7 *1
    pub post_exec_known: bool,
    /// Before Holocene, the transactions of span batches are checked by the same rules as those of
    /// singular batches.
    // spec: opstack-2026-09 3.7 *2
    pub span_transactions_checked_alike: bool,
}

impl RuleSet {
    /// The verdicts of the lineage.
    pub const fn rules(self) -> Rules {
        let upstream = matches!(self, Self::Upstream);
        Rules {
            span_overlap_compared: upstream,
            zero_elasticity_refused: upstream,
            post_exec_known: upstream,
            span_transactions_checked_alike: upstream,
        }
    }
}

/// Transaction types beside the OP Stack's that a chain's span batches may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CeloTxTypes {
    /// CIP-64: a dynamic-fee transaction whose fee is paid in a named currency.
    #[serde(rename = "0x7b")]
    DynamicFeeV2,
}

/// Which L1Block contract the Isthmus upgrade deploys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IsthmusL1Block {
    /// Upstream's.
    #[default]
    Upstream,
    /// The one with getters for a custom gas token (Celo).
    CustomGasToken,
}

/// A batch authorisation rule that rollup.json cannot express.
///
/// In JSON `{"rule": "inbox-contract-inline", "from": TIME}`, or with the form of the signature on
/// its own: `{"rule": "inbox-contract", "signature": "inline", "from": TIME}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "AuthProfileJson")]
pub struct AuthProfile {
    /// The rule.
    pub rule: AuthRule,
    /// L1 time from which it holds. Missing: `espresso_time` of rollup.json.
    pub from: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthProfileJson {
    rule: AuthRule,
    from: Option<u64>,
    signature: Option<SignatureForm>,
}

impl TryFrom<AuthProfileJson> for AuthProfile {
    type Error = String;

    fn try_from(json: AuthProfileJson) -> Result<Self, String> {
        let rule = match (json.rule, json.signature) {
            (rule, None)
            | (rule @ AuthRule::InboxContract, Some(SignatureForm::Separate))
            | (rule @ AuthRule::InboxContractInline, Some(SignatureForm::Inline)) => rule,
            (AuthRule::InboxContract, Some(SignatureForm::Inline)) => AuthRule::InboxContractInline,
            (rule, Some(_)) => {
                return Err(format!("batch_auth.signature does not fit {}", rule.name()));
            }
        };
        Ok(Self {
            rule,
            from: json.from,
        })
    }
}

/// The chain profile.
// spec: opstack 0.2
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChainProfile {
    /// What to call it in logs.
    pub name: String,
    /// Which verdicts hold.
    pub rules: RuleSet,
    /// Largest data of one frame, in bytes.
    pub max_frame_len: u32,
    /// Seconds that L2 time may run ahead of its L1 origin, from Fjord on.
    pub max_sequencer_drift: u64,
    /// Further transaction types of span batches.
    pub span_tx_types: Vec<CeloTxTypes>,
    /// The contract of the Isthmus upgrade.
    pub isthmus_l1_block: IsthmusL1Block,
    /// The L1's blob schedule, where the L1 is not a public one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l1_blob_schedule: Option<BlobSchedule>,
    /// A DA server's HTTP 418 means that a commitment never counts; otherwise that it must be
    /// asked for again.
    // spec: opstack-2026-09 3.15 *2
    pub da_refusals_drop: bool,
    /// The chain ignores Osaka and later steps of the L1's blob schedule until Jovian.
    pub l1_osaka_fees_from_jovian: bool,
    /// Who may post batches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_auth: Option<AuthProfile>,
}

impl Default for ChainProfile {
    fn default() -> Self {
        Self::upstream()
    }
}

/// Why a profile is refused.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// Not a profile.
    #[error("the chain profile cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// Neither a name nor a file.
    #[error("there is no chain profile {0:?}; known are upstream and celo, or give a file")]
    Unknown(String),
    /// A frame length that no chain can mean.
    #[error("max_frame_len is {0}; it must be between 1 and 100,000,000 bytes")]
    MaxFrameLen(u32),
}

/// Chain ids of Celo: mainnet, Sepolia, Chaos.
const CELO_CHAIN_IDS: [u64; 3] = [42220, 11142220, 11162320];

/// Seconds of sequencer drift from Fjord on.
// spec: opstack 2.8 |5
pub(super) const MAX_SEQUENCER_DRIFT_FJORD: u64 = 1800;

impl ChainProfile {
    /// The OP Stack as upstream has it.
    pub const fn upstream() -> Self {
        Self {
            name: String::new(),
            rules: RuleSet::Upstream,
            max_frame_len: 1_000_000,
            max_sequencer_drift: MAX_SEQUENCER_DRIFT_FJORD,
            span_tx_types: Vec::new(),
            isthmus_l1_block: IsthmusL1Block::Upstream,
            l1_blob_schedule: None,
            da_refusals_drop: false,
            l1_osaka_fees_from_jovian: false,
            batch_auth: None,
        }
    }

    /// Celo: frames sized for EigenDA, sequencing from finalized L1 blocks, transactions whose fee
    /// is paid in other currencies.
    pub fn celo() -> Self {
        Self {
            name: "celo".to_owned(),
            rules: RuleSet::Celo,
            max_frame_len: 16_000_000,
            // Finalized L1 blocks are up to 3 epochs old instead of 5 blocks: 91 blocks of 12 s.
            max_sequencer_drift: MAX_SEQUENCER_DRIFT_FJORD + 91 * 12,
            span_tx_types: vec![CeloTxTypes::DynamicFeeV2],
            isthmus_l1_block: IsthmusL1Block::CustomGasToken,
            da_refusals_drop: true,
            l1_osaka_fees_from_jovian: true,
            ..Self::upstream()
        }
    }

    /// The profile that a configuration calls for by itself.
    pub fn of_chain(config: &RollupConfig) -> Self {
        if config.cel2_time.is_some() || CELO_CHAIN_IDS.contains(&config.l2_chain_id) {
            Self::celo()
        } else {
            Self::upstream()
        }
    }

    /// A built-in profile.
    pub fn named(name: &str) -> Result<Self, ProfileError> {
        match name {
            "upstream" => Ok(Self::upstream()),
            "celo" => Ok(Self::celo()),
            _ => Err(ProfileError::Unknown(name.to_owned())),
        }
    }

    /// Reads a profile from JSON. Fields that are missing are upstream's.
    pub fn parse(json: &str) -> Result<Self, ProfileError> {
        let profile: Self = serde_json::from_str(json)?;
        if !(1..=100_000_000).contains(&profile.max_frame_len) {
            return Err(ProfileError::MaxFrameLen(profile.max_frame_len));
        }
        Ok(profile)
    }

    /// Whether span batches may hold transactions of type 0x7b.
    pub fn celo_dynamic_fee_v2(&self) -> bool {
        self.span_tx_types.contains(&CeloTxTypes::DynamicFeeV2)
    }
}

/// The schedule before anything was configured.
impl Default for BatchAuthSchedule {
    fn default() -> Self {
        Self::SENDER
    }
}
