//! When a HotShot block is final, and the proof of it.
// spec: espresso 4.4

use crate::{
    certificate::{FinalCertificate, QuorumCertificate},
    epochs::Epochs,
    header::Version,
    leaf::Leaf,
    stake_table::CertificateError,
    tagged::Commit,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most leaves of a proof.
pub const MAX_LEAVES: usize = 1024;

/// A certificate, with that of the next epoch's validators where the epochs change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificatePair {
    /// The certificate.
    pub qc: QuorumCertificate,
    /// That of the next epoch's validators.
    #[serde(default)]
    pub next_epoch_qc: Option<QuorumCertificate>,
}

/// Why the last leaf of a proof is final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finality {
    /// The reader is said to know it.
    Assumption,
    /// Before 0.3: certificates of three views in a row.
    HotStuff {
        /// For the leaf.
        precommit_qc: Box<CertificatePair>,
        /// In the view after it.
        committing_qc: Box<CertificatePair>,
        /// In the view after that.
        deciding_qc: Box<CertificatePair>,
    },
    /// From 0.3 to 0.5: certificates of two views in a row.
    HotStuff2 {
        /// For the leaf.
        committing_qc: Box<CertificatePair>,
        /// In the view after it, for a leaf that builds on the first certificate.
        deciding_qc: Box<CertificatePair>,
        /// That leaf. Services do not give it; where it is given, it is held against the
        /// certificates.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deciding_leaf: Option<Box<Leaf>>,
    },
    /// From 0.6 on: one certificate that says so.
    NewProtocol {
        /// The certificate.
        cert2: FinalCertificate,
        /// That the leaf was proposed rightly. It adds nothing to the proof.
        leaf_qc: Box<QuorumCertificate>,
    },
}

/// That a leaf is final: leaves from it to one of which it can be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafProof {
    /// The leaves, each the parent of the next. The first is the one in question.
    pub leaves: Vec<Leaf>,
    /// Why the last is final.
    pub proof: Finality,
}

/// Why a leaf is not shown to be final.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FinalityError {
    /// No leaf, or more than are read.
    #[error("a proof of finality has 1 to {MAX_LEAVES} leaves, not {0}")]
    Leaves(usize),
    /// A leaf does not name the one before it as its parent.
    #[error("leaf {0} of the proof does not name the one before it as its parent")]
    Chain(usize),
    /// The header's height is not one above its parent's.
    #[error("leaf {0} of the proof is not one block above the one before it")]
    Height(usize),
    /// The proof appeals to what the reader knows, and the reader knows nothing of the leaf.
    #[error("the proof assumes that the leaf is final already")]
    Assumption,
    /// Finality of this version's blocks cannot be shown here.
    #[error("finality of blocks of version {0} cannot be shown: the version is not supported")]
    UnsupportedVersion(Version),
    /// The proof is by the rule of another version.
    #[error("the proof is not by the rule of version {0}")]
    Rule(Version),
    /// A certificate is for another leaf.
    #[error("the {which} certificate is for leaf {found}, not {expected}")]
    OtherLeaf {
        /// Which certificate.
        which: &'static str,
        /// The leaf in question.
        expected: Commit,
        /// The one that is certified.
        found: Commit,
    },
    /// A certificate is of another view.
    #[error("the {which} certificate is of view {found}, not {expected}")]
    View {
        /// Which certificate.
        which: &'static str,
        /// The view in question.
        expected: u64,
        /// The certificate's.
        found: u64,
    },
    /// A certificate is for another height.
    #[error("the {which} certificate is for block {found:?}, not {expected}")]
    Block {
        /// Which certificate.
        which: &'static str,
        /// The height in question.
        expected: u64,
        /// The certificate's.
        found: Option<u64>,
    },
    /// A certificate is of another epoch.
    #[error("the {which} certificate is of epoch {found:?}, not {expected}")]
    Epoch {
        /// Which certificate.
        which: &'static str,
        /// The epoch in question.
        expected: u64,
        /// The certificate's.
        found: Option<u64>,
    },
    /// The epoch's stake table is not known. With it the proof may hold.
    #[error("the stake table of epoch {0} is not known")]
    NoTable(u64),
    /// A certificate does not count.
    #[error("the {which} certificate: {error}")]
    Certificate {
        /// Which certificate.
        which: &'static str,
        /// What is wrong.
        error: CertificateError,
    },
    /// At the end of an epoch, that of the next epoch's validators is missing.
    #[error("the last block of an epoch needs a certificate of the next epoch's validators")]
    NoNextEpoch,
    /// That of the next epoch's validators is for something else.
    #[error("the next epoch's validators have certified something else")]
    NextEpoch,
    /// The protocol changes between the two certificates.
    #[error("the deciding certificate is of a view of the new protocol")]
    Upgrade,
    /// The leaf in the deciding view does not build on the certificate.
    #[error("the leaf of the deciding view does not build on the committing certificate")]
    DecidingLeaf,
}

impl FinalityError {
    /// Whether it is only that something is not known yet.
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::NoTable(_))
    }
}

/// What a certificate must be for.
struct Claim {
    leaf: Commit,
    view: u64,
    height: u64,
    epoch: u64,
}

impl LeafProof {
    /// Checks the proof against the known stake tables, and gives the leaf that is final.
    ///
    /// # Errors
    ///
    /// If it is not shown, or the stake table of its epoch is not known.
    pub fn verify<'a>(&'a self, epochs: &Epochs) -> Result<&'a Leaf, FinalityError> {
        let count = self.leaves.len();
        let bounds = FinalityError::Leaves(count);
        let [first, rest @ ..] = self.leaves.as_slice() else {
            return Err(bounds);
        };
        if count > MAX_LEAVES {
            return Err(bounds);
        }
        let (mut last, mut commit) = (first, first.commit());
        for (at, leaf) in rest.iter().enumerate() {
            if leaf.parent_commitment != commit {
                return Err(FinalityError::Chain(at + 1));
            }
            if last.block_header.height().checked_add(1) != Some(leaf.block_header.height()) {
                return Err(FinalityError::Height(at + 1));
            }
            (last, commit) = (leaf, leaf.commit());
        }
        self.verify_last(last, commit, epochs)?;
        Ok(first)
    }

    fn verify_last(
        &self,
        leaf: &Leaf,
        commit: Commit,
        epochs: &Epochs,
    ) -> Result<(), FinalityError> {
        let version = leaf.block_header.version();
        let height = leaf.block_header.height();
        let claim = Claim {
            leaf: commit,
            view: leaf.view_number,
            height,
            epoch: epochs.epoch(height),
        };
        match &self.proof {
            Finality::Assumption => Err(FinalityError::Assumption),
            _ if version.minor < 3 => Err(FinalityError::UnsupportedVersion(version)),
            Finality::HotStuff2 {
                committing_qc,
                deciding_qc,
                deciding_leaf,
            } if version.minor < 6 => claim.two_chain(
                leaf,
                committing_qc,
                deciding_qc,
                deciding_leaf.as_deref(),
                epochs,
            ),
            Finality::NewProtocol { cert2, .. } if version.minor >= 6 => claim.one(cert2, epochs),
            _ => Err(FinalityError::Rule(version)),
        }
    }
}

// What a certificate names, beside what it must name.

fn leaf_is(which: &'static str, expected: Commit, found: Commit) -> Result<(), FinalityError> {
    if found == expected {
        return Ok(());
    }
    Err(FinalityError::OtherLeaf {
        which,
        expected,
        found,
    })
}

fn view_is(which: &'static str, expected: u64, found: u64) -> Result<(), FinalityError> {
    if found == expected {
        return Ok(());
    }
    Err(FinalityError::View {
        which,
        expected,
        found,
    })
}

fn block_is(which: &'static str, expected: u64, found: Option<u64>) -> Result<(), FinalityError> {
    if found == Some(expected) {
        return Ok(());
    }
    Err(FinalityError::Block {
        which,
        expected,
        found,
    })
}

fn epoch_is(which: &'static str, expected: u64, found: Option<u64>) -> Result<(), FinalityError> {
    if found == Some(expected) {
        return Ok(());
    }
    Err(FinalityError::Epoch {
        which,
        expected,
        found,
    })
}

impl Claim {
    /// The rule from 0.6 on.
    fn one(&self, cert: &FinalCertificate, epochs: &Epochs) -> Result<(), FinalityError> {
        let which = "finality";
        leaf_is(which, self.leaf, cert.data.leaf_commit)?;
        view_is(which, self.view, cert.view_number)?;
        block_is(which, self.height, Some(cert.data.block_number))?;
        epoch_is(which, self.epoch, Some(cert.data.epoch))?;
        let table = epochs
            .table(self.epoch)
            .ok_or(FinalityError::NoTable(self.epoch))?;
        table
            .verify(cert)
            .map_err(|error| FinalityError::Certificate { which, error })
    }

    /// The rule from 0.3 to 0.5.
    fn two_chain(
        &self,
        leaf: &Leaf,
        committing: &CertificatePair,
        deciding: &CertificatePair,
        deciding_leaf: Option<&Leaf>,
        epochs: &Epochs,
    ) -> Result<(), FinalityError> {
        let (first, second) = (&committing.qc, &deciding.qc);
        let which = "committing";
        leaf_is(which, self.leaf, first.data.leaf_commit)?;
        view_is(which, self.view, first.view_number)?;
        // certificates of 0.3 do not name the height
        if first.data.block_number.is_some() || leaf.block_header.version().minor >= 4 {
            block_is(which, self.height, first.data.block_number)?;
        }
        epoch_is(which, self.epoch, first.data.epoch)?;
        let (which, found) = ("deciding", second.view_number);
        let Some(next) = self.view.checked_add(1) else {
            return Err(FinalityError::View {
                which,
                expected: u64::MAX,
                found,
            });
        };
        view_is(which, next, found)?;
        if leaf.upgrade_certificate.as_ref().is_some_and(|upgrade| {
            upgrade.data.new_version.minor >= 6 && found >= upgrade.data.new_version_first_view
        }) {
            return Err(FinalityError::Upgrade);
        }
        self.pair("committing", committing, self.epoch, epochs)?;
        // the block after an epoch's last is the next epoch's
        let epoch = self.epoch + u64::from(epochs.is_last(self.height));
        epoch_is(which, epoch, second.data.epoch)?;
        self.pair(which, deciding, epoch, epochs)?;
        match deciding_leaf {
            Some(after)
                if after.commit() != second.data.leaf_commit
                    || after.view_number != second.view_number
                    || after.parent_commitment != self.leaf
                    || after.justify_qc != *first =>
            {
                Err(FinalityError::DecidingLeaf)
            }
            _ => Ok(()),
        }
    }

    /// Checks a certificate and, where there is one or must be, that of the next epoch's validators.
    fn pair(
        &self,
        which: &'static str,
        pair: &CertificatePair,
        epoch: u64,
        epochs: &Epochs,
    ) -> Result<(), FinalityError> {
        let check = |epoch, certificate| {
            let table = epochs.table(epoch).ok_or(FinalityError::NoTable(epoch))?;
            let checked = table.verify(certificate);
            checked.map_err(|error| FinalityError::Certificate { which, error })
        };
        check(epoch, &pair.qc)?;
        match &pair.next_epoch_qc {
            Some(next) if next.data != pair.qc.data || next.view_number != pair.qc.view_number => {
                Err(FinalityError::NextEpoch)
            }
            Some(next) => check(epoch.saturating_add(1), next),
            None if which == "committing" && epochs.is_last(self.height) => {
                Err(FinalityError::NoNextEpoch)
            }
            None => Ok(()),
        }
    }
}
