// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @notice What tests use of forge.
interface Vm {
    function roll(uint256 blockNumber) external;
    function warp(uint256 timestamp) external;
    function prank(address sender) external;
    function deal(address account, uint256 wei_) external;
    function load(address account, bytes32 slot) external view returns (bytes32);
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);
    function getNonce(address account) external view returns (uint64);
    function expectRevert() external;
    function expectRevert(bytes4 selector) external;
    function expectPartialRevert(bytes4 selector) external;
    function snapshotGasLastCall(string calldata group, string calldata name) external returns (uint256);
    function assume(bool condition) external pure;
}

/// @notice What every test has.
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function assertTrue(bool condition, string memory what) internal pure {
        require(condition, what);
    }

    function assertEq(uint256 found, uint256 expected, string memory what) internal pure {
        require(found == expected, what);
    }

    function assertEq(bytes32 found, bytes32 expected, string memory what) internal pure {
        require(found == expected, what);
    }

    function assertEq(address found, address expected, string memory what) internal pure {
        require(found == expected, what);
    }
}
