// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @title Who may change a contract
/// @notice The owner stands at a slot of its own, far from all others: EigenDA's contracts keep it at
/// places that depend on their libraries, and nothing that is proven reads it.
abstract contract Owned {
    bytes32 private constant OWNER = keccak256("doppio.contracts.owner");

    /// @notice The caller is not the owner.
    error NotOwner();

    /// @notice There is another owner.
    event OwnershipTransferred(address indexed previous, address indexed next);

    constructor(address initialOwner) {
        _setOwner(initialOwner);
    }

    modifier onlyOwner() {
        require(msg.sender == owner(), NotOwner());
        _;
    }

    /// @notice Who may change this contract.
    function owner() public view returns (address current) {
        bytes32 slot = OWNER;
        assembly ("memory-safe") {
            current := sload(slot)
        }
    }

    /// @notice Hands the contract over.
    function transferOwnership(address next) external onlyOwner {
        _setOwner(next);
    }

    function _setOwner(address next) private {
        emit OwnershipTransferred(owner(), next);
        bytes32 slot = OWNER;
        assembly ("memory-safe") {
            sstore(slot, next)
        }
    }
}
