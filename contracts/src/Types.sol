// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

// What certificates are made of, in the order in which the ABI has it.

/// @notice A point of G1, as the precompiles take it; (0, 0) is the point at infinity.
struct G1Point {
    uint256 x;
    uint256 y;
}

/// @notice A point of G2; the imaginary part of a coordinate stands first.
struct G2Point {
    uint256[2] x;
    uint256[2] y;
}

/// @notice A batch of blobs, as operators sign it.
struct BatchHeader {
    /// Root of the tree of the batch's blob certificates.
    bytes32 batchRoot;
    /// The block by whose operators and stakes the batch is judged.
    uint32 referenceBlockNumber;
}

/// @notice What is said of a blob's polynomial.
struct BlobCommitment {
    G1Point commitment;
    G2Point lengthCommitment;
    G2Point lengthProof;
    /// Symbols of 32 bytes.
    uint32 length;
}

/// @notice What a client asks the network to keep.
struct BlobHeader {
    /// Version of the blob's parameters.
    uint16 version;
    /// Quorums that keep it, ascending.
    bytes quorumNumbers;
    BlobCommitment commitment;
    bytes32 paymentHeaderHash;
}

/// @notice The client's signed request, and the relays that have the blob.
struct BlobCertificate {
    BlobHeader blobHeader;
    bytes signature;
    uint32[] relayKeys;
}

/// @notice A blob's place in its batch.
struct BlobInclusion {
    BlobCertificate blobCertificate;
    uint32 blobIndex;
    /// Siblings on the way to the root, 32 bytes each.
    bytes inclusionProof;
}

/// @notice Who did not sign, the others' signature, and the places in the histories of keys and stakes.
struct Attestation {
    uint32[] nonSignerQuorumBitmapIndices;
    /// By ascending id.
    G1Point[] nonSignerPubkeys;
    /// For each signed quorum, the sum of all its operators' keys.
    G1Point[] quorumApks;
    /// The sum of the signers' keys.
    G2Point apkG2;
    G1Point sigma;
    uint32[] quorumApkIndices;
    uint32[] totalStakeIndices;
    /// For each signed quorum, one for each of its non-signers.
    uint32[][] nonSignerStakeIndices;
}

/// @notice What verifiers of the third version judge.
struct CertificateV3 {
    BatchHeader batchHeader;
    BlobInclusion blobInclusion;
    Attestation attestation;
    bytes signedQuorumNumbers;
}

/// @notice What verifiers of the fourth version judge.
struct CertificateV4 {
    BatchHeader batchHeader;
    BlobInclusion blobInclusion;
    Attestation attestation;
    bytes signedQuorumNumbers;
    /// Version of the rules that are not on L1.
    uint16 offchainDerivationVersion;
}

/// @notice Stakes of the signed quorums, in the order of the quorums.
struct QuorumStakeTotals {
    uint96[] signedStakeForQuorum;
    uint96[] totalStakeForQuorum;
}

/// @notice How blobs of a version are spread.
struct VersionedBlobParams {
    uint32 maxNumOperators;
    uint32 numChunks;
    uint8 codingRate;
}

/// @notice Percentages of a quorum's stake.
struct SecurityThresholds {
    /// So much must have signed.
    uint8 confirmationThreshold;
    /// So much may be held by an adversary.
    uint8 adversaryThreshold;
}

/// @notice An entry in the history of a stake. It holds from its block up to, and without, the next
/// one's; zero if there is none.
struct StakeUpdate {
    uint32 updateBlockNumber;
    uint32 nextUpdateBlockNumber;
    uint96 stake;
}

/// @notice An entry in the history of an operator's quorums.
struct QuorumBitmapUpdate {
    uint32 updateBlockNumber;
    uint32 nextUpdateBlockNumber;
    uint192 quorumBitmap;
}

/// @notice An entry in the history of a quorum's key.
struct ApkUpdate {
    /// First 24 bytes of the key's hash.
    bytes24 apkHash;
    uint32 updateBlockNumber;
    uint32 nextUpdateBlockNumber;
}
