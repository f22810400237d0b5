//! Stake tables: who may sign in an epoch, with what weight, and what follows for certificates and
//! for shares.
// spec: espresso 4.3

use crate::{
    bls::{BlsError, read_key},
    certificate::{Certificate, Signatures, VoteData},
    number::hexadecimal,
    tagged::{BlsKeyBytes, Commit, SchnorrKeyBytes},
    vid::VidParams,
};
use alloy_primitives::U256;
use doppio_bn254::G2;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use thiserror::Error;

/// Most validators of a table that is read. Networks have 100.
pub const MAX_VALIDATORS: usize = 4096;

/// Total weight to which stakes are scaled down for shares.
const SHARES: u64 = 1000;

/// A validator, as services and configurations print it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StakeTableEntry {
    /// The key with which it votes.
    pub stake_key: BlsKeyBytes,
    /// Its stake.
    #[serde(with = "hexadecimal")]
    pub stake_amount: U256,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EntryJson {
    Wrapped {
        stake_table_entry: StakeTableEntry,
        #[serde(default)]
        #[expect(dead_code, reason = "it must be a key if it is there")]
        state_ver_key: Option<SchnorrKeyBytes>,
    },
    Plain(StakeTableEntry),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TableJson {
    Wrapped { stake_table: Vec<EntryJson> },
    Plain(Vec<EntryJson>),
}

/// Why a stake table is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StakeTableError {
    /// Not the JSON of a table.
    #[error("the stake table is not in a form that services give: {0}")]
    Json(String),
    /// No validator, or more than are read.
    #[error("a stake table has 1 to {MAX_VALIDATORS} validators, not {0}")]
    Count(usize),
    /// A key is not a point of its group.
    #[error("key {index} of the stake table: {error}")]
    Key {
        /// The validator's place.
        index: usize,
        /// What is wrong.
        error: BlsError,
    },
    /// Two validators have the same key.
    #[error("validator {0} of the stake table has the key of an earlier one")]
    SameKey(usize),
    /// All stakes are zero, or their sum has more than 240 bits.
    #[error("the stakes sum up to nothing, or to more than 240 bits")]
    Total,
}

/// The validators of an epoch, in the order of the signers' bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StakeTable {
    entries: Vec<StakeTableEntry>,
    keys: Vec<G2>,
    total: U256,
}

/// Why a certificate does not count.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// Nobody signed it.
    #[error("the certificate is not signed")]
    Unsigned,
    /// What it says was signed is not what follows from what was voted on.
    #[error("the certificate names {found} as what was signed, which is {expected}")]
    VoteCommitment {
        /// What follows.
        expected: Commit,
        /// What it says.
        found: Commit,
    },
    /// Its signers are counted in another table.
    #[error("the certificate has bits for {found} validators, and the stake table has {expected}")]
    Signers {
        /// Validators of the table.
        expected: usize,
        /// Bits.
        found: u64,
    },
    /// Too little stake signed.
    #[error("{stake} of the stake signed, and {threshold} are needed")]
    Threshold {
        /// Stake that signed.
        stake: U256,
        /// Stake that is needed.
        threshold: U256,
    },
    /// The signature is no point.
    #[error("the signature: {0}")]
    Point(#[from] BlsError),
    /// The signature is not that of the signers.
    #[error("the signature is not that of the signers")]
    Signature,
}

impl StakeTable {
    /// The table of these validators.
    ///
    /// That each holds the secret of its key must be known: the contract on L1 checks that when they
    /// register. Without it, one could make a key that cancels those of others.
    ///
    /// # Errors
    ///
    /// If there is none or there are too many, a key is no point or there twice, or the stakes sum up
    /// to nothing.
    pub fn new(entries: Vec<StakeTableEntry>) -> Result<Self, StakeTableError> {
        if entries.is_empty() || entries.len() > MAX_VALIDATORS {
            return Err(StakeTableError::Count(entries.len()));
        }
        let mut seen = BTreeSet::new();
        let mut keys = Vec::with_capacity(entries.len());
        let mut total = Some(U256::ZERO);
        for (index, entry) in entries.iter().enumerate() {
            let key = read_key(&entry.stake_key);
            keys.push(key.map_err(|error| StakeTableError::Key { index, error })?);
            if !seen.insert(entry.stake_key) {
                return Err(StakeTableError::SameKey(index));
            }
            total = total.and_then(|total| total.checked_add(entry.stake_amount));
        }
        // products with a thousand must fit 256 bits
        let total = total.filter(|total| !total.is_zero() && total.bit_len() <= 240);
        let total = total.ok_or(StakeTableError::Total)?;
        Ok(Self {
            entries,
            keys,
            total,
        })
    }

    /// Reads a table in any form in which services give it.
    ///
    /// # Errors
    ///
    /// If it is in none of them, or is no table.
    pub fn from_json(json: &str) -> Result<Self, StakeTableError> {
        let table = serde_json::from_str(json);
        let table: TableJson = table.map_err(|error| StakeTableError::Json(error.to_string()))?;
        let (TableJson::Wrapped {
            stake_table: entries,
        }
        | TableJson::Plain(entries)) = table;
        let entry = |entry| match entry {
            EntryJson::Wrapped {
                stake_table_entry, ..
            } => stake_table_entry,
            EntryJson::Plain(entry) => entry,
        };
        Self::new(entries.into_iter().map(entry).collect())
    }

    /// The validators.
    pub fn entries(&self) -> &[StakeTableEntry] {
        &self.entries
    }

    /// All stakes together.
    pub const fn total(&self) -> U256 {
        self.total
    }

    /// The stake that a certificate needs: more than two thirds.
    pub fn threshold(&self) -> U256 {
        self.total * U256::from(2) / U256::from(3) + U256::ONE
    }

    /// Into how many shares payloads are encoded: the stakes if they are few, or else what is left of
    /// them when scaled down to a thousand, and one more for each validator.
    // spec: espresso 3.6
    pub fn vid_params(&self) -> Option<VidParams> {
        let shares = U256::from(SHARES);
        let weight = |entry: &StakeTableEntry| {
            if self.total <= shares {
                entry.stake_amount
            } else {
                entry.stake_amount * shares / self.total + U256::ONE
            }
        };
        let total: U256 = self.entries.iter().map(weight).sum();
        VidParams::of_weights(u32::try_from(total).ok()?).ok()
    }

    /// Checks that a certificate is signed by enough of these validators.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn verify<D: VoteData>(
        &self,
        certificate: &Certificate<D>,
    ) -> Result<(), CertificateError> {
        let message = certificate.message();
        let (expected, found) = (Commit(message), certificate.vote_commitment);
        if expected != found {
            return Err(CertificateError::VoteCommitment { expected, found });
        }
        let signatures = certificate.signatures.as_ref();
        let Signatures(signature, signers) = signatures.ok_or(CertificateError::Unsigned)?;
        let (expected, found) = (self.entries.len(), signers.length());
        if expected as u64 != found {
            return Err(CertificateError::Signers { expected, found });
        }
        let signed = || {
            signers
                .iter()
                .zip(&self.entries)
                .zip(&self.keys)
                .filter(|((bit, _), _)| *bit)
        };
        // the sum is at most the total
        let stake: U256 = signed().map(|((_, entry), _)| entry.stake_amount).sum();
        let threshold = self.threshold();
        if stake < threshold {
            return Err(CertificateError::Threshold { stake, threshold });
        }
        let signature = crate::bls::read_signature(signature)?;
        let key: G2 = signed().map(|(_, key)| *key).sum();
        if crate::bls::verify(&key, &message, &signature) {
            Ok(())
        } else {
            Err(CertificateError::Signature)
        }
    }
}
