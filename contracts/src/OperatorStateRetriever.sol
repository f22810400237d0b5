// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Quorums} from "./Quorums.sol";
import {BlsApkRegistry, IndexRegistry, SocketRegistry, StakeRegistry} from "./Registries.sol";
import {RegistryCoordinator} from "./RegistryCoordinator.sol";

/// @title Reads for clients
/// @notice Who is in a quorum, and which places in the histories a certificate must name.
contract OperatorStateRetriever {
    struct Operator {
        address operator;
        bytes32 operatorId;
        uint96 stake;
    }

    struct CheckSignaturesIndices {
        uint32[] nonSignerQuorumBitmapIndices;
        uint32[] quorumApkIndices;
        uint32[] totalStakeIndices;
        /// For each quorum, of those non-signers that are in it.
        uint32[][] nonSignerStakeIndices;
    }

    /// @notice A non-signer was in no quorum at the block.
    error NotRegistered(bytes32 operatorId);

    /// @notice The operators of quorums at a block, in the order of the index registry.
    function getOperatorState(RegistryCoordinator coordinator, bytes memory quorums, uint32 blockNumber)
        public
        view
        returns (Operator[][] memory operators)
    {
        StakeRegistry stakes = coordinator.stakeRegistry();
        IndexRegistry indices = coordinator.indexRegistry();
        BlsApkRegistry keys = coordinator.blsApkRegistry();
        operators = new Operator[][](quorums.length);
        for (uint256 i; i < quorums.length; ++i) {
            uint8 quorum = uint8(quorums[i]);
            bytes32[] memory ids = indices.getOperatorListAtBlockNumber(quorum, blockNumber);
            operators[i] = new Operator[](ids.length);
            for (uint256 place; place < ids.length; ++place) {
                operators[i][place] = Operator({
                    operator: keys.pubkeyHashToOperator(ids[place]),
                    operatorId: ids[place],
                    stake: stakes.getStakeAtBlockNumber(ids[place], quorum, blockNumber)
                });
            }
        }
    }

    /// @notice As `getOperatorState`, and where each operator is reached now.
    function getOperatorStateWithSocket(RegistryCoordinator coordinator, bytes memory quorums, uint32 blockNumber)
        external
        view
        returns (Operator[][] memory operators, string[][] memory sockets)
    {
        SocketRegistry registry = coordinator.socketRegistry();
        operators = getOperatorState(coordinator, quorums, blockNumber);
        sockets = new string[][](operators.length);
        for (uint256 i; i < operators.length; ++i) {
            sockets[i] = new string[](operators[i].length);
            for (uint256 place; place < operators[i].length; ++place) {
                sockets[i][place] = registry.getOperatorSocket(operators[i][place].operatorId);
            }
        }
    }

    /// @notice The places in the histories that hold at a reference block: what a certificate names.
    /// @param quorums The signed quorums.
    /// @param nonSignerOperatorIds Those who did not sign, ascending.
    function getCheckSignaturesIndices(
        RegistryCoordinator coordinator,
        uint32 referenceBlockNumber,
        bytes calldata quorums,
        bytes32[] calldata nonSignerOperatorIds
    ) external view returns (CheckSignaturesIndices memory indices) {
        StakeRegistry stakes = coordinator.stakeRegistry();
        indices.nonSignerQuorumBitmapIndices =
            coordinator.getQuorumBitmapIndicesAtBlockNumber(referenceBlockNumber, nonSignerOperatorIds);
        indices.totalStakeIndices = stakes.getTotalStakeIndicesAtBlockNumber(referenceBlockNumber, quorums);
        indices.quorumApkIndices =
            coordinator.blsApkRegistry().getApkIndicesAtBlockNumber(quorums, referenceBlockNumber);

        uint256[] memory bitmaps = new uint256[](nonSignerOperatorIds.length);
        for (uint256 j; j < bitmaps.length; ++j) {
            bitmaps[j] = coordinator.getQuorumBitmapAtBlockNumberByIndex(
                nonSignerOperatorIds[j], referenceBlockNumber, indices.nonSignerQuorumBitmapIndices[j]
            );
            require(bitmaps[j] != 0, NotRegistered(nonSignerOperatorIds[j]));
        }
        indices.nonSignerStakeIndices = new uint32[][](quorums.length);
        for (uint256 i; i < quorums.length; ++i) {
            indices.nonSignerStakeIndices[i] =
                _stakeIndices(stakes, uint8(quorums[i]), referenceBlockNumber, nonSignerOperatorIds, bitmaps);
        }
    }

    function _stakeIndices(
        StakeRegistry stakes,
        uint8 quorum,
        uint32 blockNumber,
        bytes32[] calldata ids,
        uint256[] memory bitmaps
    ) private view returns (uint32[] memory indices) {
        indices = new uint32[](ids.length);
        uint256 count;
        for (uint256 j; j < ids.length; ++j) {
            if (Quorums.has(bitmaps[j], quorum)) {
                indices[count] = stakes.getStakeUpdateIndexAtBlockNumber(ids[j], quorum, blockNumber);
                ++count;
            }
        }
        assembly ("memory-safe") {
            mstore(indices, count)
        }
    }
}
