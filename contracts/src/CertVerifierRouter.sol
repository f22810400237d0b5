// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {CertVerifier} from "./CertVerifier.sol";
import {Owned} from "./Owned.sol";

/// @title Which verifier judges certificates of a reference block
contract CertVerifierRouter is Owned {
    uint256[101] private _before;
    /// @notice The verifier that holds from a block on: slot 101.
    mapping(uint32 => address) public certVerifiers;
    /// @notice Those blocks, ascending: slot 102.
    uint32[] public certVerifierABNs;

    /// @notice There is a verifier more.
    event CertVerifierAdded(uint32 indexed activationBlockNumber, address indexed certVerifier);

    /// @notice A verifier can only hold from a later block on.
    error ABNNotInFuture(uint32 activationBlockNumber);
    /// @notice It must hold from a later block on than the one before.
    error ABNNotGreaterThanLast(uint32 activationBlockNumber);
    /// @notice Bytes without a reference block.
    error InvalidCertLength();
    /// @notice A reference block that is not there yet.
    error RBNInFuture(uint32 referenceBlockNumber);

    constructor(address initialOwner, uint32 activationBlockNumber, address certVerifier) Owned(initialOwner) {
        _add(activationBlockNumber, certVerifier);
    }

    /// @notice Adds a verifier that holds from a later block on.
    function addCertVerifier(uint32 activationBlockNumber, address certVerifier) external onlyOwner {
        require(activationBlockNumber > block.number, ABNNotInFuture(activationBlockNumber));
        uint32 last = certVerifierABNs[certVerifierABNs.length - 1];
        require(activationBlockNumber > last, ABNNotGreaterThanLast(activationBlockNumber));
        _add(activationBlockNumber, certVerifier);
    }

    /// @notice Whether a certificate counts, by the verifier of its reference block.
    /// @return 1 if it counts.
    function checkDACert(bytes calldata abiEncodedCert) external view returns (uint8) {
        // behind the offset stand the batch's root and the reference block
        require(abiEncodedCert.length >= 96, InvalidCertLength());
        uint32 referenceBlockNumber = abi.decode(abiEncodedCert[64:96], (uint32));
        return CertVerifier(getCertVerifierAt(referenceBlockNumber)).checkDACert(abiEncodedCert);
    }

    /// @notice The verifier of a reference block: the newest not above it, or the first.
    function getCertVerifierAt(uint32 referenceBlockNumber) public view returns (address) {
        require(referenceBlockNumber <= block.number, RBNInFuture(referenceBlockNumber));
        uint32 found;
        for (uint256 i = certVerifierABNs.length; i > 0; --i) {
            found = certVerifierABNs[i - 1];
            if (found <= referenceBlockNumber) {
                break;
            }
        }
        return certVerifiers[found];
    }

    function _add(uint32 activationBlockNumber, address certVerifier) private {
        certVerifiers[activationBlockNumber] = certVerifier;
        certVerifierABNs.push(activationBlockNumber);
        emit CertVerifierAdded(activationBlockNumber, certVerifier);
    }
}
