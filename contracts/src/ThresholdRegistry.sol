// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Owned} from "./Owned.sol";
import {VersionedBlobParams} from "./Types.sol";

/// @title Parameters of blobs, by version
contract ThresholdRegistry is Owned {
    /// @notice Of the first version of EigenDA, by quorum: slots 0 to 2.
    bytes public quorumAdversaryThresholdPercentages;
    /// @notice Of the first version of EigenDA, by quorum.
    bytes public quorumConfirmationThresholdPercentages;
    /// @notice Of the first version of EigenDA.
    bytes public quorumNumbersRequired;
    /// @notice How many versions there are: slot 3.
    uint16 public nextBlobVersion;
    /// @notice Their parameters: slot 4.
    mapping(uint16 => VersionedBlobParams) public versionedBlobParams;

    /// @notice There is a version more.
    event VersionedBlobParamsAdded(uint16 indexed version, VersionedBlobParams params);

    constructor(
        address initialOwner,
        bytes memory adversaryPercentages,
        bytes memory confirmationPercentages,
        bytes memory required,
        VersionedBlobParams[] memory versions
    ) Owned(initialOwner) {
        quorumAdversaryThresholdPercentages = adversaryPercentages;
        quorumConfirmationThresholdPercentages = confirmationPercentages;
        quorumNumbersRequired = required;
        for (uint256 i; i < versions.length; ++i) {
            _add(versions[i]);
        }
    }

    /// @notice Adds a version. A version is never changed.
    function addVersionedBlobParams(VersionedBlobParams calldata params) external onlyOwner returns (uint16) {
        return _add(params);
    }

    /// @notice The parameters of a version; zeros if there is none.
    function getBlobParams(uint16 version) external view returns (VersionedBlobParams memory) {
        return versionedBlobParams[version];
    }

    function _add(VersionedBlobParams memory params) private returns (uint16 version) {
        version = nextBlobVersion;
        versionedBlobParams[version] = params;
        nextBlobVersion = version + 1;
        emit VersionedBlobParamsAdded(version, params);
    }
}
