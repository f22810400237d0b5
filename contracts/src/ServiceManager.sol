// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Bn254} from "./Bn254.sol";
import {Owned} from "./Owned.sol";
import {Quorums} from "./Quorums.sol";
import {BlsApkRegistry, DelegationManager, StakeRegistry} from "./Registries.sol";
import {RegistryCoordinator} from "./RegistryCoordinator.sol";
import {Attestation, G1Point, QuorumStakeTotals} from "./Types.sol";

/// @title Whether operators signed, and with how much stake
contract ServiceManager is Owned {
    uint256[201] private _before;
    /// @notice Whether stakes that were not updated for long count for nothing: slot 201.
    bool public staleStakesForbidden;

    /// @notice Who is in which quorum.
    RegistryCoordinator public immutable registryCoordinator;
    /// @notice Stakes.
    StakeRegistry public immutable stakeRegistry;
    /// @notice Keys.
    BlsApkRegistry public immutable blsApkRegistry;
    /// @notice The delay of withdrawals.
    DelegationManager public immutable delegation;

    /// @notice A list of the attestation has the wrong length.
    error ListLength();
    /// @notice The reference block is not in the past.
    error ReferenceBlockNotPast(uint32 referenceBlockNumber);
    /// @notice Non-signers do not ascend by id.
    error NonSignersNotAscending(uint256 index);
    /// @notice The quorum's stakes were not updated for too long.
    error StaleStakes(uint8 quorum);
    /// @notice The quorum's key is not the one of the reference block.
    error WrongQuorumKey(uint8 quorum);
    /// @notice The signature does not hold.
    error WrongSignature();

    constructor(address initialOwner, RegistryCoordinator coordinator) Owned(initialOwner) {
        registryCoordinator = coordinator;
        stakeRegistry = coordinator.stakeRegistry();
        blsApkRegistry = coordinator.blsApkRegistry();
        delegation = coordinator.stakeRegistry().delegation();
    }

    /// @notice Forbids or allows stale stakes.
    function setStaleStakesForbidden(bool forbidden) external onlyOwner {
        staleStakesForbidden = forbidden;
    }

    /// @notice Checks an aggregate signature of the operators of quorums at a block, all but the
    /// non-signers.
    /// @param messageHash What they signed.
    /// @param quorums The quorums, ascending. Who is in several signs once for each.
    /// @param referenceBlockNumber The block.
    /// @return totals How much stake signed, and how much there is.
    /// @return signatoryRecordHash The hash of who did not sign.
    function checkSignatures(
        bytes32 messageHash,
        bytes calldata quorums,
        uint32 referenceBlockNumber,
        Attestation calldata attestation
    ) external view returns (QuorumStakeTotals memory totals, bytes32 signatoryRecordHash) {
        _checkLengths(quorums.length, attestation);
        require(referenceBlockNumber < block.number, ReferenceBlockNotPast(referenceBlockNumber));
        uint256 signed = Quorums.bitmapBelow(quorums, registryCoordinator.quorumCount());
        (bytes32[] memory ids, uint256[] memory bitmaps, G1Point memory absent) =
            _nonSigners(signed, referenceBlockNumber, attestation);
        G1Point memory key = Bn254.add(_quorumKeys(quorums, referenceBlockNumber, attestation), Bn254.negate(absent));
        totals = _stakes(quorums, referenceBlockNumber, attestation, ids, bitmaps);
        require(Bn254.isSigned(messageHash, key, attestation.apkG2, attestation.sigma), WrongSignature());
        signatoryRecordHash = keccak256(abi.encodePacked(referenceBlockNumber, ids));
    }

    function _checkLengths(uint256 quorums, Attestation calldata attestation) private pure {
        require(
            quorums > 0 && quorums == attestation.quorumApks.length && quorums == attestation.quorumApkIndices.length
                && quorums == attestation.totalStakeIndices.length
                && quorums == attestation.nonSignerStakeIndices.length
                && attestation.nonSignerPubkeys.length == attestation.nonSignerQuorumBitmapIndices.length,
            ListLength()
        );
    }

    /// @dev Ids and quorums of the non-signers, and the sum of their keys, each as often as its owner
    /// should have signed.
    function _nonSigners(uint256 signed, uint32 referenceBlockNumber, Attestation calldata attestation)
        private
        view
        returns (bytes32[] memory ids, uint256[] memory bitmaps, G1Point memory absent)
    {
        uint256 count = attestation.nonSignerPubkeys.length;
        ids = new bytes32[](count);
        bitmaps = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            G1Point memory key = attestation.nonSignerPubkeys[i];
            ids[i] = Bn254.hashOf(key);
            require(i == 0 || ids[i - 1] < ids[i], NonSignersNotAscending(i));
            bitmaps[i] = registryCoordinator.getQuorumBitmapAtBlockNumberByIndex(
                ids[i], referenceBlockNumber, attestation.nonSignerQuorumBitmapIndices[i]
            );
            absent = Bn254.add(absent, Bn254.mul(key, Quorums.count(bitmaps[i] & signed)));
        }
    }

    function _quorumKeys(bytes calldata quorums, uint32 referenceBlockNumber, Attestation calldata attestation)
        private
        view
        returns (G1Point memory sum)
    {
        bool isStaleForbidden = staleStakesForbidden;
        uint256 delay = isStaleForbidden ? delegation.minWithdrawalDelayBlocks() : 0;
        for (uint256 i; i < quorums.length; ++i) {
            uint8 quorum = uint8(quorums[i]);
            require(
                !isStaleForbidden || registryCoordinator.quorumUpdateBlockNumber(quorum) + delay > referenceBlockNumber,
                StaleStakes(quorum)
            );
            G1Point memory key = attestation.quorumApks[i];
            bytes24 hash = blsApkRegistry.getApkHashAtBlockNumberAndIndex(
                quorum, referenceBlockNumber, attestation.quorumApkIndices[i]
            );
            require(bytes24(Bn254.hashOf(key)) == hash, WrongQuorumKey(quorum));
            sum = Bn254.add(sum, key);
        }
    }

    function _stakes(
        bytes calldata quorums,
        uint32 referenceBlockNumber,
        Attestation calldata attestation,
        bytes32[] memory ids,
        uint256[] memory bitmaps
    ) private view returns (QuorumStakeTotals memory totals) {
        totals.signedStakeForQuorum = new uint96[](quorums.length);
        totals.totalStakeForQuorum = new uint96[](quorums.length);
        for (uint256 i; i < quorums.length; ++i) {
            uint8 quorum = uint8(quorums[i]);
            uint96 total = stakeRegistry.getTotalStakeAtBlockNumberFromIndex(
                quorum, referenceBlockNumber, attestation.totalStakeIndices[i]
            );
            totals.totalStakeForQuorum[i] = total;
            uint256 next;
            for (uint256 j; j < ids.length; ++j) {
                if (Quorums.has(bitmaps[j], quorum)) {
                    // an index that is lacking is a panic, as in EigenDA's contract
                    total -= stakeRegistry.getStakeAtBlockNumberAndIndex(
                        quorum, referenceBlockNumber, ids[j], attestation.nonSignerStakeIndices[i][next]
                    );
                    ++next;
                }
            }
            totals.signedStakeForQuorum[i] = total;
        }
    }
}
