//! Tagged base64: how Espresso prints hashes, commitments, keys and signatures.
//!
//! `TAG~` and then, in the alphabet for URLs without padding, the value and one byte of checksum.
// spec: espresso 3.1

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use thiserror::Error;

/// Why a text is not tagged base64 of what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TaggedError {
    /// There is no `~`.
    #[error("there is no tag before a ~")]
    NoTag,
    /// Another tag.
    #[error("the tag is {found}, not {expected}")]
    WrongTag {
        /// What was expected.
        expected: &'static str,
        /// What was found, cut to 32 characters.
        found: String,
    },
    /// What follows the tag is not base64 for URLs without padding.
    #[error("what follows the tag is not base64 for URLs")]
    Base64,
    /// The checksum is that of another tag or value.
    #[error("the checksum is wrong")]
    Checksum,
    /// The value has another length.
    #[error("the value has {found} bytes, not {expected}")]
    Length {
        /// What was expected.
        expected: usize,
        /// What was found.
        found: usize,
    },
}

/// The checksum of a tag and a value: CRC-8 (polynomial 7), and the low byte of the value's length.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the length's low byte is meant"
)]
pub fn checksum(tag: &str, value: &[u8]) -> u8 {
    let crc = |crc: u8, byte: &u8| {
        (0..8).fold(crc ^ byte, |crc, _| {
            (crc << 1) ^ if crc & 0x80 == 0 { 0 } else { 7 }
        })
    };
    tag.as_bytes().iter().chain(value).fold(0, crc) ^ value.len() as u8
}

/// Prints a value with its tag.
pub fn print(tag: &str, value: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(value.len() + 1);
    bytes.extend_from_slice(value);
    bytes.push(checksum(tag, value));
    format!("{tag}~{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Splits a text into its tag and its value.
///
/// # Errors
///
/// If there is no tag, what follows is not base64, or the checksum is wrong.
pub fn parse(text: &str) -> Result<(&str, Vec<u8>), TaggedError> {
    let (tag, encoded) = text.split_once('~').ok_or(TaggedError::NoTag)?;
    let mut value = URL_SAFE_NO_PAD
        .decode(encoded)
        .map_err(|_| TaggedError::Base64)?;
    let check = value.pop().ok_or(TaggedError::Checksum)?;
    if check != checksum(tag, &value) {
        return Err(TaggedError::Checksum);
    }
    Ok((tag, value))
}

/// Reads a value with this tag.
///
/// # Errors
///
/// If the text is no tagged base64, or its tag is another.
pub fn parse_as(expected: &'static str, text: &str) -> Result<Vec<u8>, TaggedError> {
    let (tag, value) = parse(text)?;
    if tag != expected {
        let found = tag.chars().take(32).collect();
        return Err(TaggedError::WrongTag { expected, found });
    }
    Ok(value)
}

macro_rules! text_form {
    ($name:ident) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! tagged {
    ($($(#[$doc:meta])* $name:ident($tag:literal, $length:literal);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// What stands before the `~`.
            pub const TAG: &'static str = $tag;
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&print($tag, &self.0))
            }
        }

        impl std::str::FromStr for $name {
            type Err = TaggedError;

            fn from_str(text: &str) -> Result<Self, TaggedError> {
                let value = parse_as($tag, text)?;
                let found = value.len();
                let value = value.try_into();
                value.map(Self).map_err(|_| TaggedError::Length { expected: $length, found })
            }
        }

        text_form!($name);
    )*};
}

macro_rules! tagged_bytes {
    ($($(#[$doc:meta])* $name:ident($tag:literal);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Vec<u8>);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&print($tag, &self.0))
            }
        }

        impl std::str::FromStr for $name {
            type Err = TaggedError;

            fn from_str(text: &str) -> Result<Self, TaggedError> {
                parse_as($tag, text).map(Self)
            }
        }

        text_form!($name);
    )*};
}

tagged! {
    /// The commitment to a header: what names a HotShot block.
    BlockHash("BLOCK", 32);
    /// The commitment to a transaction.
    TxHash("TX", 32);
    /// The commitment to a leaf, to what a vote is about, or to a certificate.
    Commit("COMMIT", 32);
    /// The commitment to a chain configuration.
    ChainConfigHash("CHAIN_CONFIG", 32);
    /// The commitment to a namespace table.
    NsTableHash("NSTABLE", 32);
    /// The commitment to an L1 block's number, time and hash.
    L1BlockHash("L1BLOCK", 32);
    /// The commitment to a fee and its account.
    FeeInfoHash("FEE_INFO", 32);
    /// What the block's builder signed.
    BuilderCommitment("BUILDER_COMMITMENT", 32);
    /// The commitment to the stake table of a later epoch.
    StakeTableHash("STAKE_TABLE", 32);
    /// The commitment to a Merkle tree: root, height and number of leaves.
    MerkleCommitment("MERKLE_COMM", 48);
    /// A BLS signature: a point of G1, not yet checked.
    BlsSignatureBytes("BLS_SIG", 64);
    /// A BLS key: a point of G2, not yet checked.
    BlsKeyBytes("BLS_VER_KEY", 128);
}

tagged_bytes! {
    /// A number or hash in a Merkle path.
    FieldBytes("FIELD");
    /// The siblings of a namespace in the payload's tree.
    MerkleProofBytes("MERKLE_PROOF");
    /// A key that signs the light client's states. Nothing here checks its signatures.
    SchnorrKeyBytes("SCHNORR_VER_KEY");
}

/// How a payload is committed to, which says how it is encoded.
// spec: espresso 3.6
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PayloadCommitment {
    /// Headers to 0.2: ADVZ. No namespace of it can be proven here.
    Advz([u8; 32]),
    /// Headers 0.3 to 0.5: AvidM, over BN254's scalars.
    AvidM([u8; 32]),
    /// Headers from 0.6 on: AvidmGf2.
    AvidmGf2([u8; 32]),
}

impl PayloadCommitment {
    /// What stands before the `~`.
    pub const fn tag(&self) -> &'static str {
        match self {
            Self::Advz(_) => "HASH",
            Self::AvidM(_) => "AvidMCommit",
            Self::AvidmGf2(_) => "AvidmGf2Commit",
        }
    }

    /// The commitment's bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        match self {
            Self::Advz(bytes) | Self::AvidM(bytes) | Self::AvidmGf2(bytes) => bytes,
        }
    }
}

impl std::fmt::Display for PayloadCommitment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&print(self.tag(), self.bytes()))
    }
}

impl std::str::FromStr for PayloadCommitment {
    type Err = TaggedError;

    fn from_str(text: &str) -> Result<Self, TaggedError> {
        let (tag, value) = parse(text)?;
        let found = value.len();
        let value = value.try_into().map_err(|_| TaggedError::Length {
            expected: 32,
            found,
        })?;
        match tag {
            "HASH" => Ok(Self::Advz(value)),
            "AvidMCommit" => Ok(Self::AvidM(value)),
            "AvidmGf2Commit" => Ok(Self::AvidmGf2(value)),
            _ => Err(TaggedError::WrongTag {
                expected: "AvidmGf2Commit, AvidMCommit or HASH",
                found: tag.chars().take(32).collect(),
            }),
        }
    }
}

text_form!(PayloadCommitment);

impl MerkleCommitment {
    /// Puts a commitment together.
    pub fn new(root: [u8; 32], height: u64, leaves: u64) -> Self {
        let mut bytes = [0; 48];
        let (first, rest) = bytes.split_at_mut(32);
        let (second, third) = rest.split_at_mut(8);
        first.copy_from_slice(&root);
        second.copy_from_slice(&height.to_le_bytes());
        third.copy_from_slice(&leaves.to_le_bytes());
        Self(bytes)
    }

    /// The tree's root.
    pub fn root(&self) -> [u8; 32] {
        let mut root = [0; 32];
        for (to, from) in root.iter_mut().zip(self.0) {
            *to = from;
        }
        root
    }

    fn word(&self, at: usize) -> u64 {
        let bytes = self.0.iter().skip(at).take(8).rev();
        bytes.fold(0, |word, byte| word << 8 | u64::from(*byte))
    }

    /// The tree's height.
    pub fn height(&self) -> u64 {
        self.word(32)
    }

    /// The number of leaves.
    pub fn leaves(&self) -> u64 {
        self.word(40)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GENUINE: &str =
        "MERKLE_COMM~AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgAAAAAAAAAAAAAAAAAAAAQA";

    #[test]
    fn a_genuine_commitment_to_an_empty_tree_reads_and_prints() {
        let commitment: MerkleCommitment = GENUINE.parse().unwrap();
        assert_eq!(commitment, MerkleCommitment::new([0; 32], 32, 0));
        assert_eq!((commitment.height(), commitment.leaves()), (32, 0));
        assert_eq!(commitment.to_string(), GENUINE);
    }

    #[test]
    fn each_defect_of_a_text_has_its_own_error() {
        assert_eq!("BLOCK".parse::<BlockHash>(), Err(TaggedError::NoTag));
        assert_eq!("BLOCK~=".parse::<BlockHash>(), Err(TaggedError::Base64));
        assert_eq!("BLOCK~".parse::<BlockHash>(), Err(TaggedError::Checksum));
        let block = BlockHash([1; 32]).to_string();
        let other = block.replacen("BLOCK", "BLOCX", 1);
        assert_eq!(other.parse::<BlockHash>(), Err(TaggedError::Checksum));
        let other = print("TX", &[1; 32]);
        assert!(matches!(
            other.parse::<BlockHash>(),
            Err(TaggedError::WrongTag {
                expected: "BLOCK",
                ..
            })
        ));
        let short = print("BLOCK", &[1; 31]);
        let error = TaggedError::Length {
            expected: 32,
            found: 31,
        };
        assert_eq!(short.parse::<BlockHash>(), Err(error));
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_as_itself(tag in "[A-Za-z_0-9]{0,12}", value: Vec<u8>) {
            let text = print(&tag, &value);
            prop_assert_eq!(parse(&text), Ok((tag.as_str(), value)));
        }

        #[test]
        fn one_changed_bit_is_seen(value: [u8; 32], at in 0usize..32, bit in 0u8..8) {
            let mut other = value;
            other[at] ^= 1 << bit;
            let mut bytes = other.to_vec();
            bytes.push(checksum("TX", &value));
            let text = format!("TX~{}", URL_SAFE_NO_PAD.encode(bytes));
            prop_assert_eq!(text.parse::<TxHash>(), Err(TaggedError::Checksum));
        }
    }
}
