// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Bn254} from "../src/Bn254.sol";
import {CertVerifierV3, CertVerifierV4} from "../src/CertVerifier.sol";
import {CertVerifierRouter} from "../src/CertVerifierRouter.sol";
import {OperatorStateRetriever} from "../src/OperatorStateRetriever.sol";
import {
    BlsApkRegistry,
    DelegationManager,
    IndexRegistry,
    PubkeyRegistration,
    SocketRegistry,
    StakeRegistry
} from "../src/Registries.sol";
import {RegistryCoordinator} from "../src/RegistryCoordinator.sol";
import {ServiceManager} from "../src/ServiceManager.sol";
import {ThresholdRegistry} from "../src/ThresholdRegistry.sol";
import {
    BlobCertificate,
    BlobHeader,
    CertificateV3,
    CertificateV4,
    G1Point,
    SecurityThresholds,
    VersionedBlobParams
} from "../src/Types.sol";
import {Keys} from "./Keys.sol";
import {Test} from "./Vm.sol";

/// @notice A network: three quorums, four operators with the secret keys 3, 5, 7, 11, and verifiers that
/// want 55 % of quorums 0 and 1.
abstract contract Network is Test {
    uint32 internal constant REFERENCE = 1_000;
    uint32 internal constant V4_FROM = 900;

    DelegationManager internal delegation;
    StakeRegistry internal stakes;
    BlsApkRegistry internal keys;
    IndexRegistry internal indices;
    SocketRegistry internal sockets;
    RegistryCoordinator internal coordinator;
    ServiceManager internal manager;
    ThresholdRegistry internal thresholds;
    OperatorStateRetriever internal retriever;
    CertVerifierV3 internal third;
    CertVerifierV4 internal fourth;
    CertVerifierRouter internal router;
    uint256[4] internal secrets = [uint256(3), 5, 7, 11];

    function setUp() public virtual {
        vm.roll(100);
        delegation = new DelegationManager(50);
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 4);
        stakes = new StakeRegistry(next, delegation);
        keys = new BlsApkRegistry(next);
        indices = new IndexRegistry(next);
        sockets = new SocketRegistry(next);
        coordinator = new RegistryCoordinator(address(this), stakes, keys, indices, sockets);
        assertEq(address(coordinator), next, "the registries follow the coordinator");
        manager = new ServiceManager(address(this), coordinator);
        VersionedBlobParams[] memory versions = new VersionedBlobParams[](1);
        versions[0] = VersionedBlobParams(3537, 8192, 8);
        thresholds = new ThresholdRegistry(address(this), hex"212121", hex"373737", hex"0001", versions);
        retriever = new OperatorStateRetriever();
        SecurityThresholds memory percentages = SecurityThresholds(55, 33);
        third = new CertVerifierV3(thresholds, manager, percentages, hex"0001");
        fourth = new CertVerifierV4(thresholds, manager, percentages, hex"0001", 0);
        router = new CertVerifierRouter(address(this), 0, address(third));
        router.addCertVerifier(V4_FROM, address(fourth));
        for (uint256 i; i < 3; ++i) {
            coordinator.createQuorum(10, 1);
        }
        // quorum 0: 40, 30, 20, 10; quorum 1: 25 each; quorum 2: the last alone
        uint96[4] memory first = [uint96(40), 30, 20, 10];
        for (uint256 i; i < 4; ++i) {
            vm.roll(200 + 10 * i);
            join(i, first[i], 25, i == 3 ? 7 : 0);
        }
        vm.roll(REFERENCE + 1);
    }

    function operator(uint256 place) internal pure returns (address) {
        return address(uint160(0x1000 + place));
    }

    function registration(uint256 place) internal view returns (PubkeyRegistration memory) {
        uint256 secret = secrets[place];
        bytes32 message = keys.pubkeyRegistrationMessage(operator(place));
        return PubkeyRegistration(Keys.sign(secret, message), Keys.key(secret), Keys.key2(secret));
    }

    function join(uint256 place, uint96 stake0, uint96 stake1, uint96 stake2) internal {
        address who = operator(place);
        delegation.setStake(who, 0, stake0);
        delegation.setStake(who, 1, stake1);
        delegation.setStake(who, 2, stake2);
        PubkeyRegistration memory shown = registration(place);
        vm.prank(who);
        coordinator.registerOperator(stake2 > 0 ? bytes(hex"000102") : bytes(hex"0001"), "localhost;;;1;2", shown);
    }

    /// @dev A certificate of a blob in quorums 0 and 1, whose batch all signed but those in `absent`.
    function certificate(bool[4] memory absent) internal view returns (CertificateV4 memory cert) {
        cert.signedQuorumNumbers = hex"0001";
        cert.blobInclusion.blobCertificate.blobHeader.quorumNumbers = hex"0001";
        cert.blobInclusion.blobCertificate.blobHeader.commitment.length = 2;
        cert.blobInclusion.blobCertificate.signature = new bytes(65);
        cert.blobInclusion.blobCertificate.relayKeys = new uint32[](1);
        cert.batchHeader.referenceBlockNumber = REFERENCE;
        sign(cert, absent);
    }

    /// @dev Puts the blob into a batch of two, as the second, and has the batch signed.
    function sign(CertificateV4 memory cert, bool[4] memory absent) internal view {
        bytes32 sibling = keccak256("another blob");
        cert.blobInclusion.blobIndex = 1;
        cert.blobInclusion.inclusionProof = abi.encode(sibling);
        cert.batchHeader.batchRoot = keccak256(abi.encode(sibling, this.leaf(cert.blobInclusion.blobCertificate)));
        attest(cert, absent);
    }

    /// @dev The leaf of a blob's certificate.
    function leaf(BlobCertificate calldata cert) external pure returns (bytes32) {
        BlobHeader calldata header = cert.blobHeader;
        bytes32 content = keccak256(abi.encode(header.version, header.quorumNumbers, header.commitment));
        bytes32 key = keccak256(abi.encode(content, header.paymentHeaderHash));
        return keccak256(abi.encode(keccak256(abi.encode(key, cert.signature, cert.relayKeys))));
    }

    function attest(CertificateV4 memory cert, bool[4] memory absent) internal view {
        bytes memory quorums = cert.signedQuorumNumbers;
        bytes32[] memory ids = new bytes32[](4);
        uint256[] memory places = new uint256[](4);
        uint256 count;
        uint256 sum;
        uint256[] memory ofQuorums = new uint256[](quorums.length);
        for (uint256 place; place < 4; ++place) {
            bytes32 id = Bn254.hashOf(Keys.key(secrets[place]));
            uint192 bitmap = coordinator.getCurrentQuorumBitmap(id);
            bool counts;
            for (uint256 i; i < quorums.length; ++i) {
                if ((bitmap >> uint8(quorums[i])) & 1 == 1) {
                    counts = true;
                    ofQuorums[i] += secrets[place];
                    sum += absent[place] ? 0 : secrets[place];
                }
            }
            if (counts && absent[place]) {
                // by ascending id
                uint256 at = count++;
                for (; at > 0 && ids[at - 1] > id; --at) {
                    (ids[at], places[at]) = (ids[at - 1], places[at - 1]);
                }
                (ids[at], places[at]) = (id, place);
            }
        }
        assembly ("memory-safe") {
            mstore(ids, count)
        }
        OperatorStateRetriever.CheckSignaturesIndices memory named =
            retriever.getCheckSignaturesIndices(coordinator, cert.batchHeader.referenceBlockNumber, quorums, ids);
        cert.attestation.nonSignerQuorumBitmapIndices = named.nonSignerQuorumBitmapIndices;
        cert.attestation.quorumApkIndices = named.quorumApkIndices;
        cert.attestation.totalStakeIndices = named.totalStakeIndices;
        cert.attestation.nonSignerStakeIndices = named.nonSignerStakeIndices;
        cert.attestation.nonSignerPubkeys = new G1Point[](count);
        for (uint256 i; i < count; ++i) {
            cert.attestation.nonSignerPubkeys[i] = Keys.key(secrets[places[i]]);
        }
        cert.attestation.quorumApks = new G1Point[](quorums.length);
        for (uint256 i; i < quorums.length; ++i) {
            cert.attestation.quorumApks[i] = Keys.key(ofQuorums[i]);
        }
        cert.attestation.apkG2 = Keys.key2(sum);
        cert.attestation.sigma = Keys.sign(sum, keccak256(abi.encode(cert.batchHeader)));
    }

    function asThird(CertificateV4 memory cert) internal pure returns (CertificateV3 memory) {
        return CertificateV3(cert.batchHeader, cert.blobInclusion, cert.attestation, cert.signedQuorumNumbers);
    }
}
