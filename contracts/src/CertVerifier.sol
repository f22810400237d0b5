// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Quorums} from "./Quorums.sol";
import {ServiceManager} from "./ServiceManager.sol";
import {ThresholdRegistry} from "./ThresholdRegistry.sol";
import {
    Attestation,
    BatchHeader,
    BlobCertificate,
    BlobHeader,
    BlobInclusion,
    CertificateV3,
    CertificateV4,
    QuorumStakeTotals,
    SecurityThresholds,
    VersionedBlobParams
} from "./Types.sol";

/// @title What the verifiers of certificates have in common
/// @notice `checkDACert` tells by a number whether a certificate counts, and does not revert. The rules
/// are in the order in which EigenDA's verifier has them.
abstract contract CertVerifier {
    /// Slot 0.
    SecurityThresholds private _securityThresholds;
    /// Slot 1.
    bytes private _quorumNumbersRequired;

    /// @notice Parameters of blobs.
    ThresholdRegistry public immutable eigenDAThresholdRegistry;
    /// @notice Signatures and stakes.
    ServiceManager public immutable eigenDASignatureVerifier;

    /// @notice The certificate counts.
    uint8 internal constant SUCCESS = 1;
    /// @notice It does not.
    uint8 internal constant INVALID_CERT = 6;
    /// @notice It broke the verifier; it does not count either.
    uint8 internal constant INTERNAL_ERROR = 7;

    /// @notice Thresholds in the wrong order.
    error InvalidSecurityThresholds();
    /// @notice No quorum is required, or too many.
    error InvalidQuorumNumbersRequired(uint256 length);
    /// @notice The blob is not in the batch.
    error InvalidInclusionProof();
    /// @notice There is no such version of blobs' parameters.
    error InvalidBlobVersion(uint16 version, uint16 next);
    /// @notice Parameters and thresholds do not protect the blob.
    error SecurityAssumptionsNotMet();
    /// @notice One of the blob's quorums is not confirmed.
    error BlobQuorumsNotSubset(uint256 blob, uint256 confirmed);
    /// @notice One of the required quorums is none of the blob's.
    error RequiredQuorumsNotSubset(uint256 required, uint256 blob);

    constructor(
        ThresholdRegistry registry,
        ServiceManager signatures,
        SecurityThresholds memory thresholds,
        bytes memory required
    ) {
        require(thresholds.confirmationThreshold > thresholds.adversaryThreshold, InvalidSecurityThresholds());
        require(required.length > 0 && required.length <= 256, InvalidQuorumNumbersRequired(required.length));
        eigenDAThresholdRegistry = registry;
        eigenDASignatureVerifier = signatures;
        _securityThresholds = thresholds;
        _quorumNumbersRequired = required;
    }

    /// @notice How much stake must sign, and how much an adversary may have.
    function securityThresholds() public view returns (SecurityThresholds memory) {
        return _securityThresholds;
    }

    /// @notice Quorums that every blob must have.
    function quorumNumbersRequired() public view returns (bytes memory) {
        return _quorumNumbersRequired;
    }

    /// @notice Which certificates it judges.
    function certVersion() external pure virtual returns (uint8);

    /// @notice Whether a certificate counts.
    /// @param abiEncodedCert The certificate, as `abi.encode` writes it.
    /// @return 1 if it counts; 6 or 7 if it does not.
    function checkDACert(bytes calldata abiEncodedCert) external view virtual returns (uint8);

    /// @dev What a revert of the rules says: a panic, or nothing at all, is no rule's.
    function _status(bytes memory reason) internal pure returns (uint8) {
        bool isRule = reason.length >= 4 && bytes4(reason) != bytes4(keccak256("Panic(uint256)"));
        return isRule ? INVALID_CERT : INTERNAL_ERROR;
    }

    /// @dev All rules that versions share. Reverts if one is broken.
    function _check(
        BatchHeader calldata batch,
        BlobInclusion calldata blob,
        Attestation calldata attestation,
        bytes calldata signedQuorums
    ) internal view {
        _checkInclusion(batch.batchRoot, blob);
        SecurityThresholds memory thresholds = _securityThresholds;
        _checkParameters(blob.blobCertificate.blobHeader.version, thresholds);
        (QuorumStakeTotals memory stakes,) = eigenDASignatureVerifier.checkSignatures(
            keccak256(abi.encode(batch)), signedQuorums, batch.referenceBlockNumber, attestation
        );
        uint256 confirmed;
        for (uint256 i; i < signedQuorums.length; ++i) {
            // in 96 bits, as EigenDA's verifier multiplies
            uint96 needed = stakes.totalStakeForQuorum[i] * thresholds.confirmationThreshold;
            if (uint256(stakes.signedStakeForQuorum[i]) * 100 >= needed) {
                confirmed |= uint256(1) << uint8(signedQuorums[i]);
            }
        }
        uint256 ofBlob = Quorums.bitmap(blob.blobCertificate.blobHeader.quorumNumbers);
        require(ofBlob & ~confirmed == 0, BlobQuorumsNotSubset(ofBlob, confirmed));
        uint256 required = Quorums.bitmap(_quorumNumbersRequired);
        require(required & ~ofBlob == 0, RequiredQuorumsNotSubset(required, ofBlob));
    }

    /// @dev Whether so few chunks as an adversary leaves are enough to know the blob.
    function _isSafe(VersionedBlobParams memory params, SecurityThresholds memory thresholds)
        internal
        pure
        virtual
        returns (bool)
    {
        if (
            params.maxNumOperators > params.numChunks
                || thresholds.confirmationThreshold < thresholds.adversaryThreshold
        ) {
            return false;
        }
        uint32 left = params.codingRate * (params.numChunks - params.maxNumOperators)
            * (thresholds.confirmationThreshold - thresholds.adversaryThreshold);
        return left >= 100 * params.numChunks;
    }

    function _checkParameters(uint16 version, SecurityThresholds memory thresholds) private view {
        uint16 next = eigenDAThresholdRegistry.nextBlobVersion();
        require(version < next, InvalidBlobVersion(version, next));
        require(_isSafe(eigenDAThresholdRegistry.getBlobParams(version), thresholds), SecurityAssumptionsNotMet());
    }

    /// @dev The tree's leaf is the hash of the hash; bits of the index beyond the proof do not count.
    function _checkInclusion(bytes32 root, BlobInclusion calldata blob) private pure {
        bytes calldata proof = blob.inclusionProof;
        require(proof.length % 32 == 0, InvalidInclusionProof());
        bytes32 node = keccak256(abi.encodePacked(_hash(blob.blobCertificate)));
        uint256 index = blob.blobIndex;
        for (uint256 at; at < proof.length; at += 32) {
            bytes32 sibling = bytes32(proof[at:at + 32]);
            node = index & 1 == 0 ? keccak256(abi.encode(node, sibling)) : keccak256(abi.encode(sibling, node));
            index >>= 1;
        }
        require(node == root, InvalidInclusionProof());
    }

    function _hash(BlobCertificate calldata certificate) private pure returns (bytes32) {
        BlobHeader calldata header = certificate.blobHeader;
        bytes32 content = keccak256(abi.encode(header.version, header.quorumNumbers, header.commitment));
        bytes32 key = keccak256(abi.encode(content, header.paymentHeaderHash));
        return keccak256(abi.encode(key, certificate.signature, certificate.relayKeys));
    }
}

/// @title Judges certificates of the third version (3.1)
contract CertVerifierV3 is CertVerifier {
    constructor(
        ThresholdRegistry registry,
        ServiceManager signatures,
        SecurityThresholds memory thresholds,
        bytes memory required
    ) CertVerifier(registry, signatures, thresholds, required) {}

    /// @inheritdoc CertVerifier
    function certVersion() external pure override returns (uint8) {
        return 3;
    }

    /// @inheritdoc CertVerifier
    function checkDACert(bytes calldata abiEncodedCert) external view override returns (uint8) {
        CertificateV3 memory certificate;
        try this.decode(abiEncodedCert) returns (CertificateV3 memory decoded) {
            certificate = decoded;
        } catch {
            return INVALID_CERT;
        }
        try this.checkDACertReverts(certificate) {
            return SUCCESS;
        } catch (bytes memory reason) {
            return _status(reason);
        }
    }

    /// @notice Reverts if the certificate does not count, and tells why.
    function checkDACertReverts(CertificateV3 calldata certificate) external view {
        _check(
            certificate.batchHeader, certificate.blobInclusion, certificate.attestation, certificate.signedQuorumNumbers
        );
    }

    /// @notice Decodes a certificate; a call of its own, so that failing can be caught.
    function decode(bytes calldata encoded) external pure returns (CertificateV3 memory) {
        return abi.decode(encoded, (CertificateV3));
    }
}

/// @title Judges certificates of the third version (3.0), which computed safety with rounding
contract CertVerifierV3Rounding is CertVerifierV3 {
    constructor(
        ThresholdRegistry registry,
        ServiceManager signatures,
        SecurityThresholds memory thresholds,
        bytes memory required
    ) CertVerifierV3(registry, signatures, thresholds, required) {}

    function _isSafe(VersionedBlobParams memory params, SecurityThresholds memory thresholds)
        internal
        pure
        override
        returns (bool)
    {
        uint256 margin = thresholds.confirmationThreshold - thresholds.adversaryThreshold;
        uint256 left = (10_000 - 1_000_000 / margin / params.codingRate) * params.numChunks;
        return left >= uint256(params.maxNumOperators) * 10_000;
    }
}

/// @title Judges certificates of the fourth version
contract CertVerifierV4 is CertVerifier {
    /// Slot 2.
    uint16 private _offchainDerivationVersion;

    /// @notice Longer certificates do not count.
    uint256 private constant MOST_BYTES = 262_144;
    /// @notice Certificates that take more to decode do not count.
    uint256 private constant MOST_DECODE_GAS = 2_097_152;
    /// @notice Certificates of more signed quorums do not count.
    uint256 private constant MOST_QUORUMS = 5;
    /// @notice Certificates of more non-signers, counted once for each quorum, do not count.
    uint256 private constant MOST_NON_SIGNERS = 415;

    /// @notice The certificate follows other rules off L1.
    error InvalidOffchainDerivationVersion(uint16 found, uint16 expected);
    /// @notice Too many quorums.
    error QuorumCountExceedsMaximum(uint256 count);
    /// @notice Too many non-signers.
    error NonSignerCountExceedsMaximum(uint256 count);

    constructor(
        ThresholdRegistry registry,
        ServiceManager signatures,
        SecurityThresholds memory thresholds,
        bytes memory required,
        uint16 offchain
    ) CertVerifier(registry, signatures, thresholds, required) {
        _offchainDerivationVersion = offchain;
    }

    /// @inheritdoc CertVerifier
    function certVersion() external pure override returns (uint8) {
        return 4;
    }

    /// @notice The rules off L1 that certificates must name.
    function offchainDerivationVersion() external view returns (uint16) {
        return _offchainDerivationVersion;
    }

    /// @inheritdoc CertVerifier
    function checkDACert(bytes calldata abiEncodedCert) external view override returns (uint8) {
        if (abiEncodedCert.length > MOST_BYTES) {
            return INVALID_CERT;
        }
        CertificateV4 memory certificate;
        try this.decode{gas: MOST_DECODE_GAS}(abiEncodedCert) returns (CertificateV4 memory decoded) {
            certificate = decoded;
        } catch {
            return INVALID_CERT;
        }
        try this.checkDACertReverts(certificate) {
            return SUCCESS;
        } catch (bytes memory reason) {
            return _status(reason);
        }
    }

    /// @notice Reverts if the certificate does not count, and tells why.
    function checkDACertReverts(CertificateV4 calldata certificate) external view {
        (uint16 found, uint16 expected) = (certificate.offchainDerivationVersion, _offchainDerivationVersion);
        require(found == expected, InvalidOffchainDerivationVersion(found, expected));
        uint256 quorums = certificate.signedQuorumNumbers.length;
        require(quorums <= MOST_QUORUMS, QuorumCountExceedsMaximum(quorums));
        uint256 nonSigners;
        for (uint256 i; i < certificate.attestation.nonSignerStakeIndices.length; ++i) {
            nonSigners += certificate.attestation.nonSignerStakeIndices[i].length;
        }
        require(nonSigners <= MOST_NON_SIGNERS, NonSignerCountExceedsMaximum(nonSigners));
        _check(
            certificate.batchHeader, certificate.blobInclusion, certificate.attestation, certificate.signedQuorumNumbers
        );
    }

    /// @notice Decodes a certificate; a call of its own, so that its gas can be bounded.
    function decode(bytes calldata encoded) external pure returns (CertificateV4 memory) {
        return abi.decode(encoded, (CertificateV4));
    }
}
