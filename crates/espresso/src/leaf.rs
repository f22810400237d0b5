//! Leaves: a block's header with what ties it to the leaf before it.
// spec: espresso 4.1

use crate::{
    certificate::{Certificate, QuorumCertificate, TimeoutData, UpgradeData, ViewSyncData},
    commit::Builder,
    header::Header,
    tagged::Commit,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why a leaf does not follow in the view after the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence {
    /// The view ended without a block.
    Timeout(Certificate<TimeoutData>),
    /// The validators had to meet again.
    ViewSync(Certificate<ViewSyncData>),
}

/// A leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// The view in which it was proposed.
    pub view_number: u64,
    /// That the leaf before it was proposed rightly.
    pub justify_qc: QuorumCertificate,
    /// The same, from the validators of the next epoch, where the epochs change.
    pub next_epoch_justify_qc: Option<QuorumCertificate>,
    /// The leaf before it.
    pub parent_commitment: Commit,
    /// The block.
    pub block_header: Header,
    /// That the protocol will change.
    pub upgrade_certificate: Option<Certificate<UpgradeData>>,
    /// The payload, which the commitment does not cover. Services give it elsewhere.
    #[serde(default)]
    pub block_payload: Option<Value>,
    /// Why views were left out.
    pub view_change_evidence: Option<Evidence>,
    /// Randomness for the epoch after the next, 32 bytes as numbers.
    pub next_drb_result: Option<[u8; 32]>,
    /// Whether the protocol has epochs, which it has from 0.3 on.
    pub with_epoch: bool,
}

impl Leaf {
    /// The commitment.
    pub fn commit(&self) -> Commit {
        let upgrade = self.upgrade_certificate.as_ref().map(Certificate::commit);
        let mut builder = Builder::new("leaf commitment")
            .u64_field("view number", self.view_number)
            .field("parent leaf commitment", &self.parent_commitment.0)
            .field("block header", &self.block_header.commit().0)
            .field("justify qc", &self.justify_qc.commit())
            .optional("upgrade certificate", upgrade.as_ref());
        if self.with_epoch {
            let next = self.next_epoch_justify_qc.as_ref().map(Certificate::commit);
            builder = builder
                .name("with_epoch")
                .optional("next_epoch_justify_qc", next.as_ref());
            if let Some(drb) = &self.next_drb_result {
                builder = builder.field("next_drb_result", drb);
            }
            builder = match &self.view_change_evidence {
                Some(Evidence::Timeout(cert)) => builder.field("timeout cert", &cert.commit()),
                Some(Evidence::ViewSync(cert)) => builder.field("viewsync cert", &cert.commit()),
                None => builder,
            };
        }
        Commit(builder.finish())
    }
}

/// A leaf with the certificate for it, as services give it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafQueryData {
    /// The leaf.
    pub leaf: Leaf,
    /// The certificate for it.
    pub qc: QuorumCertificate,
}
