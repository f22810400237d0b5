// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Bn254} from "../src/Bn254.sol";
import {OperatorStateRetriever} from "../src/OperatorStateRetriever.sol";
import {Quorums} from "../src/Quorums.sol";
import {BlsApkRegistry, PubkeyRegistration, Registry} from "../src/Registries.sol";
import {RegistryCoordinator} from "../src/RegistryCoordinator.sol";
import {Keys} from "./Keys.sol";
import {Network} from "./Network.sol";

contract RegistriesTest is Network {
    function mapped(bytes32 key, bytes32 slot) internal pure returns (bytes32) {
        return keccak256(abi.encode(key, slot));
    }

    function element(bytes32 array, uint256 index) internal pure returns (bytes32) {
        return bytes32(uint256(keccak256(abi.encode(array))) + index);
    }

    function word(uint256 number) internal pure returns (bytes32) {
        return bytes32(number);
    }

    /// Every slot that a proof reads is where EigenDA's contracts have it.
    function test_storage_is_where_eigenda_has_it() public {
        bytes32 id = Bn254.hashOf(Keys.key(11));
        assertEq(vm.load(address(coordinator), word(150)), word(3), "quorumCount");
        bytes32 array = mapped(id, word(152));
        assertEq(vm.load(address(coordinator), array), word(1), "bitmaps");
        assertEq(vm.load(address(coordinator), element(array, 0)), word(230 | 7 << 64), "bitmap");

        array = mapped(0, word(1));
        assertEq(vm.load(address(stakes), array), word(5), "totals");
        assertEq(vm.load(address(stakes), element(array, 1)), word(200 | 210 << 32 | 40 << 64), "total");
        array = mapped(word(1), mapped(id, word(2)));
        assertEq(vm.load(address(stakes), element(array, 0)), word(230 | 25 << 64), "stake");

        array = mapped(word(2), word(4));
        uint256 entry = uint256(vm.load(address(keys), element(array, 1)));
        assertEq(entry >> 192, 230, "key from");
        assertEq(bytes32(entry << 64), bytes24(id), "key hash");
        assertEq(uint256(vm.load(address(keys), element(array, 0))) >> 192, 100 | 230 << 32, "key until");

        assertEq(vm.load(address(router), word(102)), word(2), "entries of the router");
        assertEq(vm.load(address(router), element(word(102), 0)), word(uint256(V4_FROM) << 32), "their blocks");
        bytes32 named = vm.load(address(router), mapped(word(V4_FROM), word(101)));
        assertEq(named, word(uint160(address(fourth))), "verifier");
        assertEq(vm.load(address(fourth), 0), word(55 | 33 << 8), "thresholds");
        assertEq(vm.load(address(fourth), word(1)), bytes32(hex"0001") | word(4), "required");
        assertEq(vm.load(address(fourth), word(2)), 0, "off-chain rules");
        assertEq(vm.load(address(thresholds), word(3)), word(1), "blob versions");
        bytes32 params = vm.load(address(thresholds), mapped(0, word(4)));
        assertEq(params, word(3537 | 8192 << 32 | 8 << 64), "parameters");

        manager.setStaleStakesForbidden(true);
        assertEq(vm.load(address(manager), word(201)), word(1), "staleStakesForbidden");
        assertEq(vm.load(address(delegation), word(157)), word(50), "delay");
        address[][] memory all = new address[][](1);
        all[0] = new address[](1);
        all[0][0] = operator(3);
        coordinator.updateOperatorsForQuorum(all, hex"02");
        assertEq(vm.load(address(coordinator), mapped(word(2), word(155))), word(block.number), "update");
    }

    function test_who_leaves_counts_no_more_and_still_did_before() public {
        vm.prank(operator(1));
        coordinator.deregisterOperator(hex"0001");
        assertEq(stakes.getCurrentTotalStake(0), 70, "its stake is gone");
        bytes32 id = Bn254.hashOf(Keys.key(5));
        assertEq(coordinator.getCurrentQuorumBitmap(id), 0, "in no quorum");
        (uint256 x,) = keys.currentApk(0);
        assertEq(x, Keys.key(3 + 7 + 11).x, "its key is gone");

        OperatorStateRetriever.Operator[][] memory before = retriever.getOperatorState(coordinator, hex"00", REFERENCE);
        OperatorStateRetriever.Operator[][] memory present =
            retriever.getOperatorState(coordinator, hex"00", REFERENCE + 1);
        assertEq(before[0].length, 4, "four then");
        assertEq(before[0][1].operatorId, id, "it was the second");
        assertEq(before[0][1].stake, 30, "with its stake");
        assertEq(present[0].length, 3, "three now");
        assertEq(present[0][1].operator, operator(3), "the last has its place");

        // and may come back
        vm.roll(REFERENCE + 5);
        PubkeyRegistration memory none;
        vm.prank(operator(1));
        coordinator.registerOperator(hex"00", "elsewhere", none);
        assertEq(stakes.getCurrentTotalStake(0), 100, "back");
        assertEq(keccak256(bytes(sockets.getOperatorSocket(id))), keccak256("elsewhere"), "its socket");
    }

    function test_operators_are_told_with_their_sockets() public view {
        bytes memory call = abi.encodeCall(retriever.getOperatorStateWithSocket, (coordinator, hex"02", REFERENCE));
        (, bytes memory found) = address(retriever).staticcall(call);
        string[][] memory reached = new string[][](1);
        reached[0] = new string[](1);
        reached[0][0] = "localhost;;;1;2";
        bytes memory expected = abi.encode(retriever.getOperatorState(coordinator, hex"02", REFERENCE), reached);
        assertEq(keccak256(found), keccak256(expected), "operators and sockets");
    }

    function test_a_key_must_be_shown_and_is_taken_once() public {
        address who = operator(9);
        delegation.setStake(who, 0, 5);
        PubkeyRegistration memory shown = registration(0);
        vm.prank(who);
        vm.expectRevert(BlsApkRegistry.KeyIsTaken.selector);
        coordinator.registerOperator(hex"00", "", shown);
        bytes32 message = keys.pubkeyRegistrationMessage(who);
        shown = PubkeyRegistration(Keys.sign(13, message), Keys.key(13), Keys.key2(17));
        vm.prank(who);
        vm.expectRevert(BlsApkRegistry.KeyIsNotShown.selector);
        coordinator.registerOperator(hex"00", "", shown);
        shown = PubkeyRegistration(Keys.sign(13, bytes32(0)), Keys.key(13), Keys.key2(13));
        vm.prank(who);
        vm.expectRevert(BlsApkRegistry.KeyIsNotShown.selector);
        coordinator.registerOperator(hex"00", "", shown);
        shown.signature = Keys.sign(13, message);
        vm.prank(who);
        coordinator.registerOperator(hex"00", "", shown);
        delete shown.key;
        vm.prank(operator(10));
        vm.expectRevert(BlsApkRegistry.KeyIsZero.selector);
        coordinator.registerOperator(hex"00", "", shown);
    }

    function test_one_changes_what_is_ones_own_alone() public {
        vm.expectRevert(Registry.NotCoordinator.selector);
        stakes.deregister(0, 0);
        vm.expectRevert(Registry.NotCoordinator.selector);
        keys.initializeQuorum(3);
        vm.prank(operator(0));
        vm.expectRevert();
        coordinator.ejectOperator(operator(1), hex"00");
        coordinator.ejectOperator(operator(1), hex"00");
        assertEq(stakes.getCurrentTotalStake(0), 70, "the owner may");
        vm.prank(operator(0));
        vm.expectRevert();
        delegation.setStake(operator(0), 0, 1_000);
    }

    function test_quorums_are_joined_and_left_once() public {
        PubkeyRegistration memory none;
        vm.prank(operator(0));
        vm.expectPartialRevert(RegistryCoordinator.AlreadyInQuorum.selector);
        coordinator.registerOperator(hex"01", "", none);
        vm.prank(operator(0));
        vm.expectPartialRevert(RegistryCoordinator.NotInQuorum.selector);
        coordinator.deregisterOperator(hex"0102");
        vm.prank(operator(0));
        vm.expectPartialRevert(RegistryCoordinator.TooLittleStake.selector);
        coordinator.registerOperator(hex"02", "", none);
        vm.prank(operator(0));
        vm.expectPartialRevert(Quorums.NoSuchQuorum.selector);
        coordinator.registerOperator(hex"03", "", none);
        vm.prank(operator(0));
        vm.expectRevert(Quorums.QuorumsNotAscending.selector);
        coordinator.deregisterOperator(hex"0100");
        vm.prank(operator(0));
        vm.expectRevert(RegistryCoordinator.NoQuorums.selector);
        coordinator.deregisterOperator("");
        coordinator.createQuorum(0, 0);
        vm.prank(operator(0));
        vm.expectPartialRevert(RegistryCoordinator.QuorumIsFull.selector);
        coordinator.registerOperator(hex"03", "", none);
    }

    function test_who_has_too_little_leaves_at_the_next_update() public {
        delegation.setStake(operator(0), 0, 0);
        address[] memory one = new address[](1);
        one[0] = operator(0);
        coordinator.updateOperators(one);
        assertEq(stakes.getCurrentTotalStake(0), 60, "60 are left");
        assertEq(coordinator.getCurrentQuorumBitmap(Bn254.hashOf(Keys.key(3))), 2, "in quorum 1 still");
        address[][] memory all = new address[][](1);
        all[0] = one;
        vm.expectPartialRevert(RegistryCoordinator.NotAllOperators.selector);
        coordinator.updateOperatorsForQuorum(all, hex"00");
    }

    function test_histories_are_read_where_they_hold() public {
        assertEq(stakes.getTotalStakeAtBlockNumberFromIndex(0, 209, 1), 40, "its last block");
        vm.expectPartialRevert(Registry.EntryDoesNotHold.selector);
        stakes.getTotalStakeAtBlockNumberFromIndex(0, 210, 1);
        vm.expectPartialRevert(Registry.EntryDoesNotHold.selector);
        stakes.getTotalStakeAtBlockNumberFromIndex(0, 199, 1);
        vm.expectPartialRevert(Registry.NoSuchEntry.selector);
        stakes.getTotalStakeAtBlockNumberFromIndex(0, 209, 5);
        vm.expectPartialRevert(Registry.BeforeHistory.selector);
        keys.getApkIndicesAtBlockNumber(hex"00", 99);
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = Bn254.hashOf(Keys.key(5));
        vm.expectPartialRevert(RegistryCoordinator.BeforeHistory.selector);
        retriever.getCheckSignaturesIndices(coordinator, 205, hex"00", ids);
    }

    function testFuzz_a_set_of_quorums_has_one_order(bytes memory numbers) public {
        bool ascends = true;
        for (uint256 i = 1; i < numbers.length; ++i) {
            ascends = ascends && numbers[i - 1] < numbers[i];
        }
        if (!ascends) {
            vm.expectRevert(Quorums.QuorumsNotAscending.selector);
        }
        uint256 bits = this.bitmap(numbers);
        if (ascends) {
            assertEq(Quorums.count(bits), numbers.length, "one bit each");
        }
    }

    function bitmap(bytes memory numbers) external pure returns (uint256) {
        return Quorums.bitmap(numbers);
    }
}
