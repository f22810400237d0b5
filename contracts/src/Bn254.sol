// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {G1Point, G2Point} from "./Types.sol";

/// @title Arithmetic on BN254, by the precompiles
library Bn254 {
    /// Modulus of the coordinates.
    uint256 internal constant FIELD = 21888242871839275222246405745257275088696311157297823662689037894645226208583;
    /// Order of the groups.
    uint256 internal constant ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    /// @notice Gas for one pairing equation: its price is 113,000. A precompile that is given something
    /// that is no point takes all the gas that it got.
    uint256 private constant PAIRING_GAS = 120_000;

    /// @notice What a precompile was given is no point.
    error NoPoint();

    /// @notice The generator of G1.
    function generator() internal pure returns (G1Point memory) {
        return G1Point(1, 2);
    }

    /// @notice The generator of G2, negated.
    function negatedGenerator2() internal pure returns (G2Point memory) {
        return G2Point(
            [
                11559732032986387107991004021392285783925812861821192530917403151452391805634,
                10857046999023057135944570762232829481370756359578518086990519993285655852781
            ],
            [
                17805874995975841540914202342111839520379459829704422454583296818431106115052,
                13392588948715843804641432497768002650278120570034223513918757245338268106653
            ]
        );
    }

    /// @notice a + b.
    function add(G1Point memory a, G1Point memory b) internal view returns (G1Point memory sum) {
        uint256[4] memory input = [a.x, a.y, b.x, b.y];
        bool isPoint;
        assembly ("memory-safe") {
            isPoint := staticcall(gas(), 6, input, 128, sum, 64)
        }
        require(isPoint, NoPoint());
    }

    /// @notice point * factor.
    function mul(G1Point memory point, uint256 factor) internal view returns (G1Point memory product) {
        uint256[3] memory input = [point.x, point.y, factor];
        bool isPoint;
        assembly ("memory-safe") {
            isPoint := staticcall(gas(), 7, input, 96, product, 64)
        }
        require(isPoint, NoPoint());
    }

    /// @notice -point.
    function negate(G1Point memory point) internal pure returns (G1Point memory) {
        if (point.x == 0 && point.y == 0) {
            return point;
        }
        return G1Point(point.x, FIELD - (point.y % FIELD));
    }

    /// @notice Whether e(a1, a2) * e(b1, b2) = 1. False if something is no point of its group.
    function pairsToOne(G1Point memory a1, G2Point memory a2, G1Point memory b1, G2Point memory b2)
        internal
        view
        returns (bool)
    {
        uint256[12] memory input =
            [a1.x, a1.y, a2.x[0], a2.x[1], a2.y[0], a2.y[1], b1.x, b1.y, b2.x[0], b2.x[1], b2.y[0], b2.y[1]];
        uint256[1] memory result;
        bool arePoints;
        assembly ("memory-safe") {
            arePoints := staticcall(PAIRING_GAS, 8, input, 384, result, 32)
        }
        return arePoints && result[0] == 1;
    }

    /// @notice The point that a hash stands for when it is signed: the first whose x is the hash or
    /// above it.
    function ofHash(bytes32 hash) internal view returns (G1Point memory) {
        uint256 x = uint256(hash) % FIELD;
        while (true) {
            uint256 square = addmod(mulmod(mulmod(x, x, FIELD), x, FIELD), 3, FIELD);
            uint256 y = power(square, (FIELD + 1) / 4);
            if (mulmod(y, y, FIELD) == square) {
                return G1Point(x, y);
            }
            x = addmod(x, 1, FIELD);
        }
        return G1Point(0, 0); // not reached
    }

    /// @notice The hash by which a key is known.
    function hashOf(G1Point memory point) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(point.x, point.y));
    }

    /// @notice Whether `sigma` is the signature of `hash` by the key that `key` is in G1 and `key2` in
    /// G2. One equation tells both: that the keys belong together, and that the signature holds.
    function isSigned(bytes32 hash, G1Point memory key, G2Point memory key2, G1Point memory sigma)
        internal
        view
        returns (bool)
    {
        uint256 weight = uint256(
            keccak256(
                abi.encodePacked(hash, key.x, key.y, key2.x[0], key2.x[1], key2.y[0], key2.y[1], sigma.x, sigma.y)
            )
        ) % ORDER;
        return pairsToOne(
            add(sigma, mul(key, weight)), negatedGenerator2(), add(ofHash(hash), mul(generator(), weight)), key2
        );
    }

    function power(uint256 base, uint256 exponent) private view returns (uint256) {
        (bool done, bytes memory result) = address(5).staticcall(abi.encode(32, 32, 32, base, exponent, FIELD));
        require(done, NoPoint());
        return abi.decode(result, (uint256));
    }
}
