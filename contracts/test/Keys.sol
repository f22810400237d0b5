// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Bn254} from "../src/Bn254.sol";
import {G1Point, G2Point} from "../src/Types.sol";

/// @notice Keys and signatures of operators. G2 has no precompile but the pairing, so its group law is
/// written out here, for tests alone.
library Keys {
    uint256 private constant P = Bn254.FIELD;

    /// @notice The public key in G1.
    function key(uint256 secret) internal view returns (G1Point memory) {
        return Bn254.mul(Bn254.generator(), secret);
    }

    /// @notice A signature.
    function sign(uint256 secret, bytes32 hash) internal view returns (G1Point memory) {
        return Bn254.mul(Bn254.ofHash(hash), secret);
    }

    /// @notice The public key in G2; the secret is not zero.
    function key2(uint256 secret) internal view returns (G2Point memory sum) {
        G2Point memory base = Bn254.negatedGenerator2();
        base.y = [P - base.y[0], P - base.y[1]];
        bool isZero = true;
        for (; secret != 0; secret >>= 1) {
            if (secret & 1 == 1) {
                sum = isZero ? base : _add(sum, base);
                isZero = false;
            }
            base = _double(base);
        }
    }

    function _double(G2Point memory a) private view returns (G2Point memory) {
        uint256[2] memory square = _mul(a.x, a.x);
        uint256[2] memory slope = _mul(_plus(_plus(square, square), square), _inverse(_plus(a.y, a.y)));
        return _third(slope, a, a.x);
    }

    function _add(G2Point memory a, G2Point memory b) private view returns (G2Point memory) {
        uint256[2] memory slope = _mul(_minus(b.y, a.y), _inverse(_minus(b.x, a.x)));
        return _third(slope, a, b.x);
    }

    function _third(uint256[2] memory slope, G2Point memory a, uint256[2] memory bx)
        private
        pure
        returns (G2Point memory c)
    {
        c.x = _minus(_minus(_mul(slope, slope), a.x), bx);
        c.y = _minus(_mul(slope, _minus(a.x, c.x)), a.y);
    }

    // numbers are [imaginary, real]

    function _plus(uint256[2] memory a, uint256[2] memory b) private pure returns (uint256[2] memory) {
        return [addmod(a[0], b[0], P), addmod(a[1], b[1], P)];
    }

    function _minus(uint256[2] memory a, uint256[2] memory b) private pure returns (uint256[2] memory) {
        return [addmod(a[0], P - b[0], P), addmod(a[1], P - b[1], P)];
    }

    function _mul(uint256[2] memory a, uint256[2] memory b) private pure returns (uint256[2] memory) {
        return [
            addmod(mulmod(a[0], b[1], P), mulmod(a[1], b[0], P), P),
            addmod(mulmod(a[1], b[1], P), P - mulmod(a[0], b[0], P), P)
        ];
    }

    function _inverse(uint256[2] memory a) private view returns (uint256[2] memory) {
        uint256 norm = addmod(mulmod(a[0], a[0], P), mulmod(a[1], a[1], P), P);
        (, bytes memory result) = address(5).staticcall(abi.encode(32, 32, 32, norm, P - 2, P));
        uint256 inverse = abi.decode(result, (uint256));
        return [mulmod(P - a[0], inverse, P), mulmod(a[1], inverse, P)];
    }
}
