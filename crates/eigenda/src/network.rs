//! What a chain's configuration says of the EigenDA network that it uses.
// spec: eigenda 14

use crate::blob::PolynomialForm;
use alloy_primitives::{Address, address};
use doppio_bn254::srs::{SrsDigest, ceremony};
use std::collections::BTreeMap;
use thiserror::Error;

/// The L1 chains on which EigenDA runs for everybody: mainnet, Sepolia, Hoodi, Holesky.
pub const PUBLIC_L1: [u64; 4] = [1, 11_155_111, 560_048, 17_000];

/// The directories of the public networks: mainnet, Sepolia, Hoodi, Hoodi preproduction.
pub const PUBLIC_DIRECTORIES: [Address; 4] = [
    address!("0x64AB2e9A86FA2E183CB6f01B2D4050c1c2dFAad4"),
    address!("0x9620dC4B3564198554e4D2b06dEFB7A369D90257"),
    address!("0x5a44e56e88abcf610c68340c6814ae7f5c4369fd"),
    address!("0xbFa1b820bb302925a3eb98C8836a95361FB75b87"),
];

/// How many L1 blocks after its reference block a certificate may be included, by the version of the
/// off-chain rules: 48 hours for version 0.
// spec: eigenda 5.4
pub const RECENCY: [(u16, u64); 1] = [(0, 14_400)];

/// Which rules a verifier's contract follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rules {
    /// 3.0: the security of the parameters is computed with rounding.
    V3_0,
    /// 3.1: it is computed exactly.
    V3_1,
    /// 4: as 3.1, with limits, and a version of the off-chain rules.
    V4,
}

impl Rules {
    /// The version of the certificates that it judges.
    pub const fn certificate(self) -> u8 {
        match self {
            Self::V3_0 | Self::V3_1 => 3,
            Self::V4 => 4,
        }
    }
}

/// A verifier's contract, and the contracts that it asks. They are fixed in its code, which no storage
/// proof shows; so they are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verifier {
    /// The rules of its code.
    pub rules: Rules,
    /// Knows the blobs' parameters.
    pub threshold_registry: Address,
    /// Checks signatures; knows whether stakes may be stale.
    pub service_manager: Address,
    /// Knows which operator is in which quorums.
    pub registry_coordinator: Address,
    /// Knows the quorums' keys.
    pub key_registry: Address,
    /// Knows stakes.
    pub stake_registry: Address,
    /// Knows the delay of withdrawals.
    pub delegation_manager: Address,
}

/// Whether the service manager may forbid stakes that were not updated for long.
///
/// The flag can be switched at any time and keeps no history, and neither do the blocks of the last
/// updates. So they are read in the state of the inclusion block itself, or, where the network is known
/// never to have switched it on, not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StaleStakes {
    /// Never forbidden.
    Allowed,
    /// As the flag says in the state of the block that includes the certificate.
    AsAtInclusion,
}

/// The EigenDA network of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The contract that names the verifier for a reference block.
    pub router: Address,
    /// Verifiers that the router may name.
    pub verifiers: BTreeMap<Address, Verifier>,
    /// Versions of blobs' parameters, and the L1 block from which on each counts: when L1 learned
    /// them is not kept there.
    pub blob_versions: BTreeMap<u16, u64>,
    /// Recency windows by version of the off-chain rules.
    pub recency: BTreeMap<u16, u64>,
    /// Whether stakes may be stale.
    pub stale_stakes: StaleStakes,
    /// What payloads are to polynomials.
    pub form: PolynomialForm,
}

/// Why an SRS does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SrsRefused {
    /// A public network has the ceremony's, and no other.
    #[error("a public network accepts the ceremony's SRS only")]
    NotTheCeremonys,
    /// Neither the ceremony's nor the configured one.
    #[error("the SRS is neither the ceremony's nor the one in the chain's configuration")]
    NotConfigured,
}

/// Whether the SRS of a digest counts for a network. `configured` is what the chain's own configuration
/// names.
///
/// # Errors
///
/// If it does not.
pub fn admit_srs(
    l1_chain_id: u64,
    directory: &Address,
    configured: &[SrsDigest],
    digest: &SrsDigest,
) -> Result<(), SrsRefused> {
    const CEREMONY: [SrsDigest; 4] = [
        ceremony::G1,
        ceremony::G1_65536,
        ceremony::G2,
        ceremony::G2_TRAILING,
    ];
    if CEREMONY.contains(digest) {
        Ok(())
    } else if PUBLIC_L1.contains(&l1_chain_id) || PUBLIC_DIRECTORIES.contains(directory) {
        Err(SrsRefused::NotTheCeremonys)
    } else if configured.contains(digest) {
        Ok(())
    } else {
        Err(SrsRefused::NotConfigured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_network_has_the_ceremonys_srs_whatever_is_configured() {
        let own = SrsDigest {
            points: 8,
            sha256: [1; 32],
        };
        let local = Address::repeat_byte(1);
        for digest in [ceremony::G1, ceremony::G2_TRAILING] {
            assert_eq!(admit_srs(1, &local, &[], &digest), Ok(()));
        }
        assert_eq!(admit_srs(900, &local, &[own], &own), Ok(()));
        assert_eq!(
            admit_srs(900, &local, &[], &own),
            Err(SrsRefused::NotConfigured)
        );
        for chain in PUBLIC_L1 {
            assert_eq!(
                admit_srs(chain, &local, &[own], &own),
                Err(SrsRefused::NotTheCeremonys)
            );
        }
        for directory in &PUBLIC_DIRECTORIES {
            assert_eq!(
                admit_srs(900, directory, &[own], &own),
                Err(SrsRefused::NotTheCeremonys)
            );
        }
    }
}
