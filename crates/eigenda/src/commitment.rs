//! What a batcher posts: which certificate of which version, or why it is none.
//!
//! Everything malformed is dropped, on every node, in bounded time. Other readers of the same calldata
//! do not agree in every case: some stall, some accept. Where they differ, the error tells the
//! [`KnownDifference`], so that a node can count and say it.
// spec: eigenda 1.1, eigenda 1.6

use crate::{blob_info::BlobInfo, certificate::Certificate};
use doppio_protocol::rlp::RlpError;
use thiserror::Error;

/// The commitment type that is generic.
const GENERIC: u8 = 1;
/// The DA layer byte of EigenDA.
const EIGENDA: u8 = 0;

/// A well-formed commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A certificate of versions 2 to 4.
    Certificate(Box<Certificate>),
    /// A certificate of EigenDA's first version. The network that could serve it is gone.
    BlobInfo(Box<BlobInfo>),
}

/// Why bytes are no commitment to data on EigenDA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// Too few bytes for commitment type, layer and version.
    #[error("the commitment ends before the certificate's version")]
    Truncated,
    /// Another commitment type than generic.
    #[error("the commitment type {0:#04x} is not the generic one")]
    Type(u8),
    /// Another DA layer.
    #[error("DA layer {0:#04x} is not EigenDA")]
    Layer(u8),
    /// A version that nobody knows.
    #[error("certificate version byte {0:#04x} is unknown")]
    Version(u8),
    /// Nothing behind the version.
    #[error("there is nothing behind the certificate's version")]
    Empty,
    /// Bytes behind the certificate.
    #[error("{0} bytes follow the certificate")]
    Trailing(usize),
    /// Not the encoding of a certificate.
    #[error("the certificate is malformed: {0}")]
    Rlp(#[from] RlpError),
}

/// Where readers of the same bytes are known to disagree. `op-node` stands for it with
/// eigenda-proxy behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KnownDifference {
    /// op-node serves a certificate behind any DA layer byte; hokulea and we drop it.
    OtherLayer,
    /// op-node waits for ever on a version that it does not know; hokulea and we drop it.
    UnknownVersion,
    /// op-node waits for ever on an empty certificate, and may stop; hokulea and we drop it.
    EmptyBody,
    /// hokulea ignores bytes behind the certificate; op-node and we drop it.
    TrailingBytes,
    /// op-node waits for ever on a certificate of the first version, hokulea drops it; we verify it.
    FirstVersion,
    /// op-node's proxy reads numbers of any length, and hands L1 their last 256 bits; so a coordinate with
    /// something in front passes there. hokulea and we drop it. (Other strings that are too long for
    /// their type are counted here, too.)
    WideNumber,
    /// hokulea stops at a good V4 certificate of unknown off-chain rules; op-node and we drop it.
    UnknownRules,
    /// op-node waits for ever for the blob of a certificate that no blob can satisfy, which needs
    /// operators who sign it; we drop it.
    ImpossibleBlob,
}

impl KnownDifference {
    /// A name for metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OtherLayer => "other_layer",
            Self::UnknownVersion => "unknown_version",
            Self::EmptyBody => "empty_body",
            Self::TrailingBytes => "trailing_bytes",
            Self::FirstVersion => "first_version",
            Self::WideNumber => "wide_number",
            Self::UnknownRules => "unknown_rules",
            Self::ImpossibleBlob => "impossible_blob",
        }
    }
}

impl ParseError {
    /// Where others read the same bytes otherwise.
    pub const fn known_difference(&self) -> Option<KnownDifference> {
        match self {
            Self::Layer(_) => Some(KnownDifference::OtherLayer),
            Self::Version(_) => Some(KnownDifference::UnknownVersion),
            Self::Empty => Some(KnownDifference::EmptyBody),
            Self::Trailing(_) => Some(KnownDifference::TrailingBytes),
            Self::Rlp(RlpError::WrongLength(33..)) => Some(KnownDifference::WideNumber),
            Self::Truncated | Self::Type(_) | Self::Rlp(_) => None,
        }
    }
}

/// Reads a commitment: what stands in an inbox transaction behind the derivation version byte.
///
/// # Errors
///
/// If it is malformed. Then it counts for nothing, on every node.
pub fn parse(commitment: &[u8]) -> Result<Parsed, ParseError> {
    let (layer, version, body) = match commitment {
        [GENERIC, layer, version, body @ ..] => (*layer, *version, body),
        [GENERIC, ..] | [] => return Err(ParseError::Truncated),
        [other, ..] => return Err(ParseError::Type(*other)),
    };
    if layer != EIGENDA {
        return Err(ParseError::Layer(layer));
    }
    parse_certificate(version, body)
}

/// Reads a certificate by the version byte in front of it.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_certificate(version: u8, body: &[u8]) -> Result<Parsed, ParseError> {
    if version > 3 {
        return Err(ParseError::Version(version));
    }
    if body.is_empty() {
        return Err(ParseError::Empty);
    }
    let body = without_trailing(body)?;
    match Certificate::from_rlp(version, body) {
        Some(certificate) => Ok(Parsed::Certificate(Box::new(certificate?))),
        None => Ok(Parsed::BlobInfo(Box::new(BlobInfo::from_rlp(body)?))),
    }
}

/// Bytes behind the list are an error of their own, for hokulea does not see them.
fn without_trailing(body: &[u8]) -> Result<&[u8], ParseError> {
    let mut rest = body;
    doppio_protocol::rlp::next_item(&mut rest)?;
    if rest.is_empty() {
        Ok(body)
    } else {
        Err(ParseError::Trailing(rest.len()))
    }
}

impl Certificate {
    /// The commitment that [`parse`] reads.
    pub fn to_commitment(&self) -> Vec<u8> {
        let prefix = [GENERIC, EIGENDA, self.version.byte()];
        [prefix.as_slice(), &self.to_rlp()].concat()
    }
}
