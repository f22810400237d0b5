//! HotShot's headers, of every version, and the commitment that names a block.
//!
//! A header is read from JSON, as services print it, and printed again byte for byte. What it says
//! counts only by its commitment: nothing a service adds around a header is part of it.
// spec: espresso 3.4

use crate::{
    chain_config::ResolvableConfig,
    commit::Builder,
    namespace::NsTable,
    number::{decimal, hexadecimal, optional_decimal},
    tagged::{
        BlockHash, BuilderCommitment, FeeInfoHash, L1BlockHash, MerkleCommitment,
        PayloadCommitment, StakeTableHash,
    },
};
use alloy_primitives::{Address, B256, U256};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;
use thiserror::Error;

/// Leaders that are counted from 0.5 on.
pub const LEADER_COUNTS: usize = 100;

/// The newest minor version whose headers are read.
pub const NEWEST_MINOR: u16 = 7;

/// The version of HotShot's protocol that made a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Always 0 so far.
    pub major: u16,
    /// 1 to 7.
    pub minor: u16,
}

impl Version {
    /// Version 0 of this minor version.
    pub const fn minor(minor: u16) -> Self {
        Self { major: 0, minor }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The L1 block that HotShot's validators knew to be finalized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct L1BlockInfo {
    /// Height.
    pub number: u64,
    /// Seconds since the Unix epoch.
    #[serde(with = "hexadecimal")]
    pub timestamp: U256,
    /// Hash.
    pub hash: B256,
}

impl L1BlockInfo {
    /// The commitment.
    // spec: espresso 3.2
    pub fn commit(&self) -> L1BlockHash {
        L1BlockHash(
            Builder::new("L1BLOCK")
                .u64_field("number", self.number)
                .field("timestamp", &self.timestamp.to_le_bytes::<32>())
                .field("hash", self.hash.as_slice())
                .finish(),
        )
    }
}

/// What the builder pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FeeInfo {
    /// Who pays.
    pub account: Address,
    /// How much, in wei.
    #[serde(with = "decimal")]
    pub amount: U256,
}

impl FeeInfo {
    /// The commitment.
    // spec: espresso 3.2
    pub fn commit(&self) -> FeeInfoHash {
        FeeInfoHash(
            Builder::new("FEE_INFO")
                .field("account", self.account.as_slice())
                .field("amount", &self.amount.to_le_bytes::<32>())
                .finish(),
        )
    }
}

/// The builder's signature, which no commitment covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BuilderSignature {
    /// First half.
    #[serde(with = "hexadecimal")]
    pub r: U256,
    /// Second half.
    #[serde(with = "hexadecimal")]
    pub s: U256,
    /// Which of the two points.
    pub v: u64,
}

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderFields {
    /// Espresso's configuration.
    pub chain_config: ResolvableConfig,
    /// Height of the block.
    pub height: u64,
    /// Seconds since the Unix epoch.
    pub timestamp: u64,
    /// From 0.4 on: milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_millis: Option<u64>,
    /// Height of the newest L1 block that the leader knew.
    pub l1_head: u64,
    /// The newest finalized one.
    pub l1_finalized: Option<L1BlockInfo>,
    /// The commitment to the payload.
    pub payload_commitment: PayloadCommitment,
    /// What the builder signed. Version 0.7 does without, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder_commitment: Option<BuilderCommitment>,
    /// Where the namespaces are in the payload.
    pub ns_table: NsTable,
    /// The tree of all blocks before this one.
    pub block_merkle_tree_root: MerkleCommitment,
    /// The tree of the builders' balances.
    pub fee_merkle_tree_root: MerkleCommitment,
    /// What the builder pays.
    pub fee_info: FeeInfo,
    /// The builder's signature.
    pub builder_signature: Option<BuilderSignature>,
    /// From 0.3 on: the tree of the validators' rewards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward_merkle_tree_root: Option<MerkleCommitment>,
    /// From 0.4 on: all rewards so far, in wei.
    #[serde(
        default,
        with = "optional_decimal",
        skip_serializing_if = "Option::is_none"
    )]
    pub total_reward_distributed: Option<U256>,
    /// From 0.4 on, in an epoch's root block: the stake table of a later epoch.
    #[serde(default)]
    pub next_stake_table_hash: Option<StakeTableHash>,
    /// From 0.5 on: how often each validator has led.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_counts: Option<Vec<u16>>,
}

/// Why JSON is not a header of its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// A version that this release does not know.
    #[error("headers of version {0} are not supported")]
    Version(Version),
    /// A field that the version has is missing.
    #[error("a header of version {version} has {field}")]
    Missing {
        /// The header's version.
        version: Version,
        /// The field.
        field: &'static str,
    },
    /// A field that the version does not have.
    #[error("a header of version {version} has no {field}")]
    Unexpected {
        /// The header's version.
        version: Version,
        /// The field.
        field: &'static str,
    },
    /// Another number of leaders.
    #[error("a header counts {LEADER_COUNTS} leaders, not {0}")]
    Leaders(usize),
}

/// A header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    version: Version,
    fields: HeaderFields,
}

impl Header {
    /// Puts a header together.
    ///
    /// # Errors
    ///
    /// If the version is unknown, or the fields are not those of the version.
    pub fn new(version: Version, fields: HeaderFields) -> Result<Self, HeaderError> {
        let minor = version.minor;
        if version.major != 0 || !(1..=NEWEST_MINOR).contains(&minor) {
            return Err(HeaderError::Version(version));
        }
        let since = |first, field, there: bool| match (minor >= first, there) {
            (true, false) => Err(HeaderError::Missing { version, field }),
            (false, true) => Err(HeaderError::Unexpected { version, field }),
            _ => Ok(()),
        };
        since(4, "timestamp_millis", fields.timestamp_millis.is_some())?;
        since(
            3,
            "reward_merkle_tree_root",
            fields.reward_merkle_tree_root.is_some(),
        )?;
        since(
            4,
            "total_reward_distributed",
            fields.total_reward_distributed.is_some(),
        )?;
        since(5, "leader_counts", fields.leader_counts.is_some())?;
        if fields.next_stake_table_hash.is_some() {
            since(4, "next_stake_table_hash", true)?;
        }
        if minor < 7 && fields.builder_commitment.is_none() {
            let field = "builder_commitment";
            return Err(HeaderError::Missing { version, field });
        }
        match fields.leader_counts.as_ref().map(Vec::len) {
            Some(count) if count != LEADER_COUNTS => Err(HeaderError::Leaders(count)),
            _ => Ok(Self { version, fields }),
        }
    }

    /// The protocol's version.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// What the header says.
    pub const fn fields(&self) -> &HeaderFields {
        &self.fields
    }

    /// Height of the block.
    pub const fn height(&self) -> u64 {
        self.fields.height
    }

    /// The same header with other fields, for those who make headers.
    ///
    /// # Errors
    ///
    /// If they are not those of the version.
    pub fn with(&self, change: impl FnOnce(&mut HeaderFields)) -> Result<Self, HeaderError> {
        let mut fields = self.fields.clone();
        change(&mut fields);
        Self::new(self.version, fields)
    }

    /// The commitment, which names the block.
    pub fn commit(&self) -> BlockHash {
        let fields = self.commit_fields();
        if self.version.minor == 1 {
            return BlockHash(fields);
        }
        let builder = Builder::new("BLOCK")
            .u64_field("version_major", u64::from(self.version.major))
            .u64_field("version_minor", u64::from(self.version.minor));
        BlockHash(builder.field("fields", &fields).finish())
    }

    fn commit_fields(&self) -> [u8; 32] {
        let f = &self.fields;
        let mut builder = Builder::new("BLOCK")
            .field("chain_config", &f.chain_config.commit(self.version.minor).0)
            .u64_field("height", f.height)
            .u64_field("timestamp", f.timestamp);
        if let Some(millis) = f.timestamp_millis {
            builder = builder.u64_field("timestamp_millis", millis);
        }
        let finalized = f.l1_finalized.as_ref().map(|block| block.commit().0);
        builder = builder
            .u64_field("l1_head", f.l1_head)
            .optional("l1_finalized", finalized.as_ref())
            .field("payload_commitment", f.payload_commitment.bytes());
        if let Some(commitment) = &f.builder_commitment {
            builder = builder.field("builder_commitment", &commitment.0);
        }
        builder = builder
            .field("ns_table", &f.ns_table.commit().0)
            .var_field("block_merkle_tree_root", &f.block_merkle_tree_root.0)
            .var_field("fee_merkle_tree_root", &f.fee_merkle_tree_root.0)
            .field("fee_info", &f.fee_info.commit().0);
        if let Some(root) = &f.reward_merkle_tree_root {
            builder = builder.var_field("reward_merkle_tree_root", &root.0);
        }
        if let Some(total) = &f.total_reward_distributed {
            builder = builder.var_field("total_reward_distributed", &total.to_le_bytes::<32>());
        }
        if let Some(counts) = &f.leader_counts {
            let bytes: Vec<u8> = counts
                .iter()
                .flat_map(|count| count.to_le_bytes())
                .collect();
            builder = builder.var_field("leader_counts", &bytes);
        }
        if let Some(hash) = &f.next_stake_table_hash {
            builder = builder.field("next_stake_table_hash", &hash.0);
        }
        builder.finish()
    }
}

#[derive(Serialize, Deserialize)]
struct VersionJson {
    #[serde(rename = "Version")]
    version: Version,
}

/// The fields before 0.4, of which none is `next_stake_table_hash`, not even as `null`.
#[derive(Serialize)]
struct EarlyFields<'a> {
    chain_config: &'a ResolvableConfig,
    height: u64,
    timestamp: u64,
    l1_head: u64,
    l1_finalized: Option<L1BlockInfo>,
    payload_commitment: PayloadCommitment,
    builder_commitment: Option<BuilderCommitment>,
    ns_table: &'a NsTable,
    block_merkle_tree_root: MerkleCommitment,
    fee_merkle_tree_root: MerkleCommitment,
    fee_info: FeeInfo,
    builder_signature: Option<BuilderSignature>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reward_merkle_tree_root: Option<MerkleCommitment>,
}

impl<'a> From<&'a HeaderFields> for EarlyFields<'a> {
    fn from(fields: &'a HeaderFields) -> Self {
        Self {
            chain_config: &fields.chain_config,
            height: fields.height,
            timestamp: fields.timestamp,
            l1_head: fields.l1_head,
            l1_finalized: fields.l1_finalized,
            payload_commitment: fields.payload_commitment,
            builder_commitment: fields.builder_commitment,
            ns_table: &fields.ns_table,
            block_merkle_tree_root: fields.block_merkle_tree_root,
            fee_merkle_tree_root: fields.fee_merkle_tree_root,
            fee_info: fields.fee_info,
            builder_signature: fields.builder_signature,
            reward_merkle_tree_root: fields.reward_merkle_tree_root,
        }
    }
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Outer<T> {
            version: VersionJson,
            fields: T,
        }
        let version = VersionJson {
            version: self.version,
        };
        let fields = &self.fields;
        match self.version.minor {
            1 => EarlyFields::from(fields).serialize(to),
            2 | 3 => Outer {
                version,
                fields: EarlyFields::from(fields),
            }
            .serialize(to),
            _ => Outer { version, fields }.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Outer {
            version: VersionJson,
            fields: Value,
        }
        let value = Value::deserialize(from)?;
        let (version, fields) = if value.get("version").is_some() {
            let outer: Outer = serde_json::from_value(value).map_err(D::Error::custom)?;
            (outer.version.version, outer.fields)
        } else {
            (Version::minor(1), value)
        };
        if version.major != 0 || !(1..=NEWEST_MINOR).contains(&version.minor) {
            return Err(D::Error::custom(HeaderError::Version(version)));
        }
        let fields = serde_json::from_value(fields).map_err(D::Error::custom)?;
        Self::new(version, fields).map_err(D::Error::custom)
    }
}
