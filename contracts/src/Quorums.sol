// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @title Sets of quorums: as ascending bytes, and as bits
library Quorums {
    /// @notice The bytes do not ascend, so they are no set.
    error QuorumsNotAscending();
    /// @notice There is no quorum of this number.
    error NoSuchQuorum(uint8 quorum);

    /// @notice The bits of an ascending list.
    function bitmap(bytes memory numbers) internal pure returns (uint256 bits) {
        for (uint256 i; i < numbers.length; ++i) {
            uint256 bit = uint256(1) << uint8(numbers[i]);
            require(bit > bits, QuorumsNotAscending());
            bits |= bit;
        }
    }

    /// @notice The bits of an ascending list of quorums below `next`.
    function bitmapBelow(bytes memory numbers, uint8 next) internal pure returns (uint256 bits) {
        bits = bitmap(numbers);
        if (numbers.length > 0) {
            uint8 last = uint8(numbers[numbers.length - 1]);
            require(last < next, NoSuchQuorum(last));
        }
    }

    /// @notice Whether the quorum is in the set.
    function has(uint256 bits, uint8 quorum) internal pure returns (bool) {
        return (bits >> quorum) & 1 == 1;
    }

    /// @notice How many quorums are in the set.
    function count(uint256 bits) internal pure returns (uint256 ones) {
        for (; bits != 0; bits &= bits - 1) {
            ++ones;
        }
    }
}
