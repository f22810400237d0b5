// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {CertVerifierV3, CertVerifierV3Rounding, CertVerifierV4, CertVerifier} from "../src/CertVerifier.sol";
import {CertVerifierRouter} from "../src/CertVerifierRouter.sol";
import {ServiceManager} from "../src/ServiceManager.sol";
import {CertificateV4, G1Point, SecurityThresholds, VersionedBlobParams} from "../src/Types.sol";
import {Network} from "./Network.sol";

contract CertVerifierTest is Network {
    function status(CertificateV4 memory cert) internal view returns (uint8) {
        return router.checkDACert(abi.encode(cert));
    }

    function whole() internal view returns (CertificateV4 memory) {
        return certificate([false, false, false, false]);
    }

    function test_a_signed_certificate_counts() public {
        bytes memory cert = abi.encode(whole());
        assertEq(router.checkDACert(cert), 1, "all signed");
        vm.snapshotGasLastCall("checkDACert", "V4, two quorums, all signed");
        cert = abi.encode(certificate([false, false, true, true]));
        fourth.checkDACert(cert);
        vm.snapshotGasLastCall("checkDACert", "V4, two quorums, two absent");
        cert = abi.encode(asThird(whole()));
        assertEq(third.checkDACert(cert), 1, "V3");
        vm.snapshotGasLastCall("checkDACert", "V3, two quorums, all signed");
    }

    function test_enough_stake_of_every_quorum_must_have_signed() public view {
        // quorum 1 has 25 each, and 55 % are wanted of both
        assertEq(status(certificate([false, false, false, true])), 1, "90 % and 75 %");
        assertEq(status(certificate([true, false, false, false])), 1, "60 % and 75 %");
        assertEq(status(certificate([false, false, true, true])), 6, "70 % and 50 %");
    }

    function test_the_threshold_itself_is_enough() public {
        delegation.setStake(operator(0), 0, 45);
        delegation.setStake(operator(1), 0, 55);
        delegation.setStake(operator(2), 0, 0);
        delegation.setStake(operator(3), 0, 0);
        address[] memory all = new address[](4);
        for (uint256 i; i < 4; ++i) {
            all[i] = operator(i);
        }
        vm.roll(REFERENCE + 2);
        coordinator.updateOperators(all);
        vm.roll(REFERENCE + 10);
        CertificateV4 memory cert = whole();
        cert.batchHeader.referenceBlockNumber = REFERENCE + 5;
        sign(cert, [true, false, false, false]);
        assertEq(status(cert), 1, "55 of 100");
        // one less, and the old certificate is judged by the old stakes
        delegation.setStake(operator(1), 0, 54);
        coordinator.updateOperators(all);
        vm.roll(REFERENCE + 20);
        assertEq(status(cert), 1, "as it was");
        cert.batchHeader.referenceBlockNumber = REFERENCE + 15;
        sign(cert, [true, false, false, false]);
        assertEq(status(cert), 6, "54 of 99");
    }

    function test_each_changed_field_counts() public view {
        for (uint256 change; change < 22; ++change) {
            CertificateV4 memory cert = certificate([false, false, false, true]);
            _change(cert, change);
            uint8 found = status(cert);
            assertTrue(found == 6 || found == 7, string.concat("change ", string(abi.encodePacked(uint8(65 + change)))));
        }
    }

    function _change(CertificateV4 memory cert, uint256 change) private pure {
        if (change == 0) cert.batchHeader.batchRoot ^= bytes32(uint256(1));
        if (change == 1) cert.batchHeader.referenceBlockNumber -= 1;
        if (change == 2) cert.blobInclusion.blobCertificate.blobHeader.version = 1;
        if (change == 3) cert.blobInclusion.blobCertificate.blobHeader.quorumNumbers = hex"00";
        if (change == 4) cert.blobInclusion.blobCertificate.blobHeader.commitment.commitment.x += 1;
        if (change == 5) cert.blobInclusion.blobCertificate.blobHeader.commitment.length *= 2;
        if (change == 6) cert.blobInclusion.blobCertificate.blobHeader.paymentHeaderHash ^= bytes32(uint256(1));
        if (change == 7) cert.blobInclusion.blobCertificate.signature = "";
        if (change == 8) cert.blobInclusion.blobCertificate.relayKeys[0] = 1;
        if (change == 9) cert.blobInclusion.blobIndex = 0;
        if (change == 10) cert.blobInclusion.inclusionProof = "";
        if (change == 11) cert.attestation.nonSignerQuorumBitmapIndices[0] = 1;
        if (change == 12) cert.attestation.nonSignerPubkeys[0] = G1Point(1, 2);
        if (change == 13) cert.attestation.nonSignerPubkeys = new G1Point[](0);
        if (change == 14) cert.attestation.quorumApks[1] = G1Point(1, 2);
        if (change == 15) cert.attestation.apkG2.x[0] += 1;
        if (change == 16) cert.attestation.sigma = G1Point(1, 2);
        if (change == 17) cert.attestation.quorumApkIndices[0] = 0;
        if (change == 18) cert.attestation.totalStakeIndices[1] = 99;
        if (change == 19) cert.attestation.nonSignerStakeIndices[0] = new uint32[](0);
        if (change == 20) cert.signedQuorumNumbers = hex"0100";
        if (change == 21) cert.offchainDerivationVersion = 1;
    }

    function test_quorums_that_are_required_or_unknown() public view {
        CertificateV4 memory cert = whole();
        cert.blobInclusion.blobCertificate.blobHeader.quorumNumbers = hex"00";
        sign(cert, [false, false, false, false]);
        assertEq(status(cert), 6, "quorum 1 is required");
        cert.blobInclusion.blobCertificate.blobHeader.quorumNumbers = hex"000102";
        sign(cert, [false, false, false, false]);
        assertEq(status(cert), 6, "quorum 2 was not signed");
        cert.signedQuorumNumbers = hex"000102";
        sign(cert, [false, false, false, false]);
        assertEq(status(cert), 1, "all three");
    }

    function test_the_router_names_the_verifier_of_the_reference_block() public {
        assertEq(router.getCertVerifierAt(V4_FROM - 1), address(third), "before");
        assertEq(router.getCertVerifierAt(V4_FROM), address(fourth), "from its block on");
        vm.expectPartialRevert(CertVerifierRouter.RBNInFuture.selector);
        router.getCertVerifierAt(REFERENCE + 2);
        vm.expectPartialRevert(CertVerifierRouter.ABNNotInFuture.selector);
        router.addCertVerifier(REFERENCE + 1, address(third));
        CertVerifierRouter late = new CertVerifierRouter(address(this), REFERENCE + 1, address(third));
        assertEq(late.getCertVerifierAt(5), address(third), "the first, if none holds");
        router.addCertVerifier(REFERENCE + 5, address(third));
        vm.expectPartialRevert(CertVerifierRouter.ABNNotGreaterThanLast.selector);
        router.addCertVerifier(REFERENCE + 5, address(third));
        vm.expectRevert(CertVerifierRouter.InvalidCertLength.selector);
        router.checkDACert(new bytes(95));
        vm.prank(operator(0));
        vm.expectRevert();
        router.addCertVerifier(REFERENCE + 100, address(third));
    }

    function test_bytes_that_are_no_certificate_do_not_count() public view {
        bytes memory third_ = abi.encode(asThird(whole()));
        assertEq(fourth.checkDACert(third_), 6, "a V3 is no V4");
        assertEq(fourth.checkDACert(""), 6, "nothing");
        assertEq(fourth.checkDACert(new bytes(262_145)), 6, "too long");
        assertEq(third.checkDACert(new bytes(500)), 6, "zeros");
    }

    function testFuzz_no_bytes_revert(bytes memory encoded) public view {
        assertTrue(fourth.checkDACert(encoded) != 1 && third.checkDACert(encoded) != 1, "noise counts");
    }

    function test_the_reference_block_must_be_past() public {
        CertificateV4 memory cert = whole();
        vm.roll(REFERENCE);
        assertEq(status(cert), 6, "its own block");
        vm.roll(REFERENCE - 1);
        vm.expectPartialRevert(CertVerifierRouter.RBNInFuture.selector);
        router.checkDACert(abi.encode(cert));
    }

    function test_stale_stakes() public {
        CertificateV4 memory cert = whole();
        manager.setStaleStakesForbidden(true);
        assertEq(status(cert), 6, "never updated");
        address[] memory all = new address[](4);
        for (uint256 i; i < 4; ++i) {
            all[i] = operator(i);
        }
        address[][] memory both = new address[][](2);
        (both[0], both[1]) = (all, all);
        vm.roll(REFERENCE - 49);
        coordinator.updateOperatorsForQuorum(both, hex"0001");
        vm.roll(REFERENCE + 1);
        assertEq(status(cert), 1, "49 blocks before, and 50 are allowed");
        delegation.setMinWithdrawalDelayBlocks(49);
        assertEq(status(cert), 6, "49 are allowed");
    }

    function test_safety_of_parameters_at_its_edge() public {
        SecurityThresholds memory edge = SecurityThresholds(55, 34);
        CertVerifierV4 strict = new CertVerifierV4(thresholds, manager, edge, hex"0001", 0);
        assertEq(strict.checkDACert(abi.encode(whole())), 6, "21 % are too little");
        // with rounding and exactly, the first version's parameters give the same
        bytes memory cert = abi.encode(asThird(whole()));
        CertVerifierV3Rounding rounding =
            new CertVerifierV3Rounding(thresholds, manager, SecurityThresholds(55, 33), hex"0001");
        assertEq(rounding.checkDACert(cert), 1, "22 % are enough");
        rounding = new CertVerifierV3Rounding(thresholds, manager, edge, hex"0001");
        assertEq(rounding.checkDACert(cert), 6, "21 % are too little with rounding");
    }

    function test_constructors_refuse_what_cannot_be_meant() public {
        vm.expectRevert(CertVerifier.InvalidSecurityThresholds.selector);
        new CertVerifierV3(thresholds, manager, SecurityThresholds(33, 33), hex"00");
        vm.expectPartialRevert(CertVerifier.InvalidQuorumNumbersRequired.selector);
        new CertVerifierV3(thresholds, manager, SecurityThresholds(55, 33), "");
        vm.expectPartialRevert(CertVerifier.InvalidQuorumNumbersRequired.selector);
        new CertVerifierV3(thresholds, manager, SecurityThresholds(55, 33), new bytes(257));
    }

    function test_a_blob_version_can_be_added_and_not_changed() public {
        CertificateV4 memory cert = whole();
        cert.blobInclusion.blobCertificate.blobHeader.version = 1;
        sign(cert, [false, false, false, false]);
        assertEq(status(cert), 6, "unknown");
        thresholds.addVersionedBlobParams(VersionedBlobParams(3537, 8192, 8));
        assertEq(status(cert), 1, "known");
        thresholds.addVersionedBlobParams(VersionedBlobParams(8193, 8192, 8));
        cert.blobInclusion.blobCertificate.blobHeader.version = 2;
        sign(cert, [false, false, false, false]);
        assertEq(status(cert), 6, "more operators than chunks");
    }
}
