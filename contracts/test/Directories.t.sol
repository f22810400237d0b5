// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {DisperserRegistry, EigenDADirectory, RelayRegistry} from "../src/Directories.sol";
import {Owned} from "../src/Owned.sol";
import {PaymentVault} from "../src/PaymentVault.sol";
import {Test} from "./Vm.sol";

contract DirectoriesTest is Test {
    address private constant SOMEBODY = address(0x77);

    receive() external payable {}

    function test_a_name_has_one_contract() public {
        EigenDADirectory directory = new EigenDADirectory(address(this));
        directory.addAddress("RELAY_REGISTRY", SOMEBODY);
        assertEq(directory.getAddress("RELAY_REGISTRY"), SOMEBODY, "as it was added");
        assertEq(directory.getAddress("relay_registry"), address(0), "another name");
        vm.expectPartialRevert(EigenDADirectory.WrongName.selector);
        directory.addAddress("RELAY_REGISTRY", address(1));
        vm.expectPartialRevert(EigenDADirectory.WrongName.selector);
        directory.replaceAddress("PAYMENT_VAULT", address(1));
        vm.expectPartialRevert(EigenDADirectory.NoAddress.selector);
        directory.addAddress("PAYMENT_VAULT", address(0));
        directory.replaceAddress("RELAY_REGISTRY", address(1));
        assertEq(directory.getAddress("RELAY_REGISTRY"), address(1), "as it was replaced");
        assertEq(directory.getAllNames().length, 1, "one name");
        directory.transferOwnership(SOMEBODY);
        vm.expectRevert(Owned.NotOwner.selector);
        directory.addAddress("PAYMENT_VAULT", address(1));
    }

    function test_relays_and_dispersers_are_found_by_number() public {
        RelayRegistry relays = new RelayRegistry(address(this));
        relays.addRelayInfo(RelayRegistry.RelayInfo(SOMEBODY, "a:1"));
        uint32 key = relays.addRelayInfo(RelayRegistry.RelayInfo(address(1), "b:2"));
        assertEq(key, 1, "the second");
        assertEq(keccak256(bytes(relays.relayKeyToUrl(0))), keccak256("a:1"), "the first one's place");
        assertEq(relays.relayKeyToAddress(1), address(1), "who runs it");
        DisperserRegistry dispersers = new DisperserRegistry(address(this));
        dispersers.setDisperserInfo(3, DisperserRegistry.DisperserInfo(SOMEBODY));
        assertEq(dispersers.disperserKeyToAddress(3), SOMEBODY, "the disperser");
        vm.prank(SOMEBODY);
        vm.expectRevert(Owned.NotOwner.selector);
        dispersers.setDisperserInfo(3, DisperserRegistry.DisperserInfo(address(1)));
    }
}

contract PaymentVaultTest is Test {
    PaymentVault private vault;

    receive() external payable {}

    function setUp() public {
        vm.warp(1_000);
        vault = new PaymentVault(address(this), PaymentVault.Parameters(4096, 447_000_000, 60, 131_072, 300, 30));
    }

    function reservation() private pure returns (PaymentVault.Reservation memory) {
        return PaymentVault.Reservation(1_000, 10, 20, hex"0001", hex"3232");
    }

    function test_what_is_paid_adds_up() public {
        vm.deal(address(this), 10 ether);
        vault.depositOnDemand{value: 1 ether}(address(1));
        vault.depositOnDemand{value: 2 ether}(address(1));
        assertEq(vault.getOnDemandTotalDeposit(address(1)), 3 ether, "both");
        (bool isPaid,) = address(vault).call{value: 1 ether}("");
        assertTrue(isPaid && vault.getOnDemandTotalDeposit(address(this)) == 1 ether, "for oneself");
        vault.withdraw(4 ether);
        assertEq(address(this).balance, 10 ether, "taken out");
        assertEq(vault.getOnDemandTotalDeposit(address(1)), 3 ether, "the ledger stays");
        vm.deal(address(this), 1 << 90);
        vm.expectRevert(PaymentVault.DepositTooLarge.selector);
        vault.depositOnDemand{value: 1 << 80}(address(1));
    }

    function test_a_reservation_is_whole() public {
        PaymentVault.Reservation memory good = reservation();
        vault.setReservation(address(1), good);
        PaymentVault.Reservation memory read = vault.getReservation(address(1));
        assertEq(keccak256(abi.encode(read)), keccak256(abi.encode(good)), "as it was set");
        PaymentVault.Reservation memory bad = reservation();
        bad.quorumSplits = hex"3231";
        vm.expectRevert(PaymentVault.InvalidSplits.selector);
        vault.setReservation(address(1), bad);
        bad.quorumSplits = hex"64";
        vm.expectRevert(PaymentVault.InvalidSplits.selector);
        vault.setReservation(address(1), bad);
        bad = reservation();
        bad.endTimestamp = bad.startTimestamp;
        vm.expectRevert(PaymentVault.InvalidPeriod.selector);
        vault.setReservation(address(1), bad);
        vm.prank(address(1));
        vm.expectRevert();
        vault.setReservation(address(1), good);
    }

    function test_the_price_rests_between_changes() public {
        vm.expectPartialRevert(PaymentVault.PriceUpdateCooldown.selector);
        vault.setPriceParams(1, 2, 3);
        vm.warp(1_060);
        vault.setPriceParams(1, 2, 3);
        assertEq(vault.pricePerSymbol(), 2, "the new price");
        assertEq(vault.minNumSymbols(), 1, "the new minimum");
    }
}
