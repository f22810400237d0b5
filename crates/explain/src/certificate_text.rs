//! EigenDA certificates as indented text.

use crate::{
    certificate::{
        BlobContent, CertificateCheck, CertificateContent, CheckVerdict, FirstCertificate, L1State,
        SignedQuorum, StateOf,
    },
    text::{Text, bytes, count, number},
    tree::Certificate,
};
use core::fmt::{self, Display};

/// Numbers with spaces between.
fn spaced<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() {
        return "none".to_owned();
    }
    items.join(" ")
}

/// A place in a history, which may be lacking.
fn place(place: Option<u32>) -> String {
    place.map_or_else(|| "lacking".to_owned(), |place| place.to_string())
}

impl Text<'_, '_> {
    pub(crate) fn certificate(&mut self, certificate: &Certificate) -> fmt::Result {
        let name = certificate.name.unwrap_or("unknown");
        self.line(format_args!(
            "certificate version byte {:#04x} ({name}), {} of certificate",
            certificate.version,
            bytes(certificate.length)
        ))?;
        self.inside(|text| {
            match &certificate.content {
                Some(CertificateContent::Blob(content)) => text.blob_content(content)?,
                Some(CertificateContent::First(content)) => text.first_content(content)?,
                None => {}
            }
            if let Some(broken) = &certificate.broken {
                text.line(format_args!(
                    "DOES NOT COUNT: {} [{}]",
                    broken.reason, broken.rule
                ))?;
            }
            if let Some(name) = certificate.known_difference {
                text.line(format_args!(
                    "other readers of these bytes do otherwise: {name}"
                ))?;
            }
            text.checks(&certificate.checks)?;
            text.needed(&certificate.needed)
        })
    }

    fn blob_content(&mut self, content: &BlobContent) -> fmt::Result {
        let index = content.blob_index;
        let siblings = content.inclusion_proof.len() / 32;
        self.line(format_args!(
            "batch root {}, reference block {}",
            content.batch_root,
            number(content.reference_block)
        ))?;
        self.line(format_args!(
            "batch header hash {}",
            content.batch_header_hash
        ))?;
        self.line(format_args!("blob key {}", content.blob_key))?;
        self.inside(|text| {
            text.line(format_args!(
                "leaf {} of the batch, {}",
                number(index),
                count(siblings as u64, "sibling", "siblings")
            ))?;
            text.line(format_args!(
                "blob version {}, quorums {}, {} of 32 bytes",
                content.blob_version,
                spaced(&content.quorums),
                count(content.symbols.into(), "symbol", "symbols")
            ))?;
            text.line(format_args!("commitment {}", content.commitment))?;
            text.line(format_args!(
                "length commitment {}",
                content.length_commitment
            ))?;
            text.line(format_args!("length proof {}", content.length_proof))?;
            text.line(format_args!(
                "payment header hash {}",
                content.payment_header_hash
            ))?;
            match content.account {
                Some(account) => text.line(format_args!("requested by account {account}"))?,
                None => text.line("requested by nobody: the signature is no account's")?,
            }
            text.line(format_args!("signature {}", content.signature))?;
            text.line(format_args!("relays {}", spaced(&content.relay_keys)))
        })?;
        let rules = content
            .offchain_rules
            .map(|rules| match content.last_inclusion_block {
                Some(last) => format!(
                    "off-chain rules {rules}: counts up to L1 block {}",
                    number(last)
                ),
                None => format!("off-chain rules {rules}, which are unknown"),
            });
        rules.map_or(Ok(()), |rules| self.line(rules))?;
        self.line(format_args!("signers' key {}", content.signers_key))?;
        self.line(format_args!(
            "their signature {}",
            content.signers_signature
        ))?;
        for quorum in &content.signed_quorums {
            self.signed_quorum(quorum)?;
        }
        for non_signer in &content.non_signers {
            self.line(format_args!(
                "non-signer {}, quorums: entry {}",
                non_signer.id,
                place(non_signer.bitmap_index)
            ))?;
        }
        Ok(())
    }

    fn signed_quorum(&mut self, quorum: &SignedQuorum) -> fmt::Result {
        self.line(format_args!(
            "signed by quorum {}; key: entry {}, stake: entry {}, stakes of {}: entries {}",
            quorum.number,
            place(quorum.key_index),
            place(quorum.stake_index),
            count(
                quorum.non_signer_stake_indices.len() as u64,
                "non-signer",
                "non-signers"
            ),
            spaced(&quorum.non_signer_stake_indices)
        ))?;
        match &quorum.key {
            Some(key) => self.inside(|text| text.line(format_args!("key {key}"))),
            None => Ok(()),
        }
    }

    fn first_content(&mut self, content: &FirstCertificate) -> fmt::Result {
        self.line(format_args!(
            "batch {}, root {}, reference block {}, confirmed in block {}",
            content.batch_id,
            content.batch_root,
            number(content.reference_block),
            number(content.confirmation_block)
        ))?;
        self.line(format_args!(
            "batch metadata hash {}",
            content.metadata_hash
        ))?;
        self.line(format_args!(
            "quorums of the batch {}, of which signed: {} %",
            spaced(&content.batch_quorums),
            spaced(&content.signed_percentages)
        ))?;
        self.line(format_args!(
            "leaf {} of the batch, {}; {} of 32 bytes",
            number(content.blob_index),
            count(
                (content.inclusion_proof.len() / 32) as u64,
                "sibling",
                "siblings"
            ),
            count(content.symbols.into(), "symbol", "symbols")
        ))?;
        self.line(format_args!("commitment {}", content.commitment))?;
        for quorum in &content.quorums {
            self.line(format_args!(
                "quorum {}: {} % must have signed, an adversary may have {} %, chunks of {}",
                quorum.number,
                quorum.confirmation_threshold,
                quorum.adversary_threshold,
                count(quorum.chunk_length.into(), "symbol", "symbols")
            ))?;
        }
        self.line(format_args!(
            "their places among the batch's: {}",
            spaced(&content.quorum_places)
        ))
    }

    fn checks(&mut self, checks: &[CertificateCheck]) -> fmt::Result {
        if checks.is_empty() {
            return Ok(());
        }
        self.line("checks")?;
        self.inside(|text| {
            checks.iter().try_for_each(|check| {
                let CertificateCheck { name, rule, .. } = check;
                let beside = if check.decides {
                    ""
                } else {
                    "; not part of the verdict"
                };
                match &check.verdict {
                    CheckVerdict::Holds => {
                        text.line(format_args!("holds     {name} ({rule}{beside})"))
                    }
                    CheckVerdict::Broken { reason } => {
                        text.line(format_args!("BROKEN    {name} ({rule}{beside}): {reason}"))
                    }
                    CheckVerdict::NeedsL1 => {
                        text.line(format_args!("needs L1  {name} ({rule}{beside})"))
                    }
                }
            })
        })
    }

    fn needed(&mut self, needed: &[L1State]) -> fmt::Result {
        if needed.is_empty() {
            return Ok(());
        }
        self.line("still needed of L1, beside the stakes of non-signers")?;
        self.inside(|text| {
            needed.iter().try_for_each(|state| {
                let of = match state.of {
                    StateOf::AnyLaterBlock => "the inclusion block or a later one",
                    StateOf::InclusionBlock => "the inclusion block",
                };
                let slots = count(state.slots.len() as u64, "slot", "slots");
                text.line(format_args!(
                    "{}: {slots}, in the state of {of}",
                    state.contract
                ))?;
                text.inside(|text| state.slots.iter().try_for_each(|slot| text.line(slot)))
            })
        })
    }
}
