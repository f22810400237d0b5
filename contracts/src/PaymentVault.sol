// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Owned} from "./Owned.sol";

/// @title Who may disperse how much
/// @notice Reservations are given by the owner; on-demand dispersals are paid in advance.
contract PaymentVault is Owned {
    struct Reservation {
        uint64 symbolsPerSecond;
        uint64 startTimestamp;
        uint64 endTimestamp;
        bytes quorumNumbers;
        /// Percentages, which add up to 100.
        bytes quorumSplits;
    }

    struct Parameters {
        /// Smaller blobs are billed as this many symbols.
        uint64 minNumSymbols;
        /// Wei.
        uint64 pricePerSymbol;
        /// Seconds between two changes of the price.
        uint64 priceUpdateCooldown;
        /// On-demand dispersals of all accounts, in symbols a period.
        uint64 globalSymbolsPerPeriod;
        /// Seconds.
        uint64 reservationPeriodInterval;
        /// Seconds.
        uint64 globalRatePeriodInterval;
    }

    Parameters private _parameters;
    /// @notice When the price was last changed.
    uint64 public lastPriceUpdateTime;
    mapping(address => Reservation) private _reservations;
    mapping(address => uint80) private _deposits;

    /// @notice The splits do not fit the quorums, or are not 100 in sum.
    error InvalidSplits();
    /// @notice The reservation ends before it begins.
    error InvalidPeriod();
    /// @notice The price was changed a moment ago.
    error PriceUpdateCooldown(uint64 until);
    /// @notice More was paid in than the ledger can hold.
    error DepositTooLarge();
    /// @notice The money was refused.
    error WithdrawalFailed();

    /// @notice An account has a reservation.
    event ReservationUpdated(address indexed account, Reservation reservation);
    /// @notice An account has paid.
    event OnDemandPaymentUpdated(address indexed account, uint80 onDemandPayment, uint80 totalDeposit);
    /// @notice Dispersals have another price.
    event PriceParamsUpdated(uint64 minNumSymbols, uint64 pricePerSymbol, uint64 priceUpdateCooldown);

    constructor(address initialOwner, Parameters memory parameters) Owned(initialOwner) {
        _parameters = parameters;
        lastPriceUpdateTime = uint64(block.timestamp);
    }

    /// @notice Pays for the caller.
    receive() external payable {
        _deposit(msg.sender, msg.value);
    }

    /// @notice Pays for an account.
    function depositOnDemand(address account) external payable {
        _deposit(account, msg.value);
    }

    /// @notice Gives an account a reservation.
    function setReservation(address account, Reservation calldata reservation) external onlyOwner {
        require(reservation.quorumNumbers.length == reservation.quorumSplits.length, InvalidSplits());
        uint256 sum;
        for (uint256 i; i < reservation.quorumSplits.length; ++i) {
            sum += uint8(reservation.quorumSplits[i]);
        }
        require(sum == 100, InvalidSplits());
        require(reservation.startTimestamp < reservation.endTimestamp, InvalidPeriod());
        _reservations[account] = reservation;
        emit ReservationUpdated(account, reservation);
    }

    /// @notice Changes the price, not too often.
    function setPriceParams(uint64 symbols, uint64 price, uint64 cooldown) external onlyOwner {
        uint64 until = lastPriceUpdateTime + _parameters.priceUpdateCooldown;
        require(block.timestamp >= until, PriceUpdateCooldown(until));
        _parameters.minNumSymbols = symbols;
        _parameters.pricePerSymbol = price;
        _parameters.priceUpdateCooldown = cooldown;
        lastPriceUpdateTime = uint64(block.timestamp);
        emit PriceParamsUpdated(symbols, price, cooldown);
    }

    /// @notice Changes what all accounts together may disperse on demand.
    function setGlobalSymbolsPerPeriod(uint64 symbols) external onlyOwner {
        _parameters.globalSymbolsPerPeriod = symbols;
    }

    /// @notice Takes out what was paid.
    function withdraw(uint256 amount) external onlyOwner {
        (bool isTaken,) = payable(owner()).call{value: amount}("");
        require(isTaken, WithdrawalFailed());
    }

    /// @notice An account's reservation.
    function getReservation(address account) external view returns (Reservation memory) {
        return _reservations[account];
    }

    /// @notice Accounts' reservations.
    function getReservations(address[] calldata accounts) external view returns (Reservation[] memory reservations) {
        reservations = new Reservation[](accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            reservations[i] = _reservations[accounts[i]];
        }
    }

    /// @notice What an account has paid so far, in wei.
    function getOnDemandTotalDeposit(address account) external view returns (uint80) {
        return _deposits[account];
    }

    /// @notice What accounts have paid so far, in wei.
    function getOnDemandTotalDeposits(address[] calldata accounts) external view returns (uint80[] memory deposits) {
        deposits = new uint80[](accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            deposits[i] = _deposits[accounts[i]];
        }
    }

    /// @notice Smaller blobs are billed as this many symbols.
    function minNumSymbols() external view returns (uint64) {
        return _parameters.minNumSymbols;
    }

    /// @notice Wei for a symbol.
    function pricePerSymbol() external view returns (uint64) {
        return _parameters.pricePerSymbol;
    }

    /// @notice Seconds between two changes of the price.
    function priceUpdateCooldown() external view returns (uint64) {
        return _parameters.priceUpdateCooldown;
    }

    /// @notice On-demand dispersals of all accounts, in symbols a period.
    function globalSymbolsPerPeriod() external view returns (uint64) {
        return _parameters.globalSymbolsPerPeriod;
    }

    /// @notice Seconds of a reservation's period.
    function reservationPeriodInterval() external view returns (uint64) {
        return _parameters.reservationPeriodInterval;
    }

    /// @notice Seconds of a period of all on-demand dispersals.
    function globalRatePeriodInterval() external view returns (uint64) {
        return _parameters.globalRatePeriodInterval;
    }

    function _deposit(address account, uint256 amount) private {
        uint256 total = _deposits[account] + amount;
        require(total <= type(uint80).max, DepositTooLarge());
        _deposits[account] = uint80(total);
        emit OnDemandPaymentUpdated(account, uint80(amount), uint80(total));
    }
}
