// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Owned} from "./Owned.sol";

/// @title Where EigenDA's contracts are, by name
contract EigenDADirectory is Owned {
    mapping(bytes32 => address) private _addresses;
    string[] private _names;

    /// @notice The name has an address already, or none.
    error WrongName(string name);
    /// @notice Zero is no contract's address.
    error NoAddress(string name);

    /// @notice A name has an address.
    event AddressSet(string name, address value);

    constructor(address initialOwner) Owned(initialOwner) {}

    /// @notice Adds a contract.
    function addAddress(string calldata name, address value) external onlyOwner {
        require(getAddress(name) == address(0), WrongName(name));
        _names.push(name);
        _set(name, value);
    }

    /// @notice Gives a name another contract.
    function replaceAddress(string calldata name, address value) external onlyOwner {
        require(getAddress(name) != address(0), WrongName(name));
        _set(name, value);
    }

    /// @notice The contract of a name; zero if there is none.
    function getAddress(string calldata name) public view returns (address) {
        return _addresses[keccak256(bytes(name))];
    }

    /// @notice All names.
    function getAllNames() external view returns (string[] memory) {
        return _names;
    }

    function _set(string calldata name, address value) private {
        require(value != address(0), NoAddress(name));
        _addresses[keccak256(bytes(name))] = value;
        emit AddressSet(name, value);
    }
}

/// @title Relays: who runs them, and where they are
contract RelayRegistry is Owned {
    struct RelayInfo {
        address relayAddress;
        string relayURL;
    }

    mapping(uint32 => RelayInfo) private _relays;
    /// @notice How many relays there are; also the next one's key.
    uint32 public nextRelayKey;

    /// @notice There is a relay more.
    event RelayAdded(address indexed relay, uint32 indexed key, string relayURL);

    constructor(address initialOwner) Owned(initialOwner) {}

    /// @notice Adds a relay.
    /// @return key Its number in certificates.
    function addRelayInfo(RelayInfo calldata info) external onlyOwner returns (uint32 key) {
        key = nextRelayKey++;
        _relays[key] = info;
        emit RelayAdded(info.relayAddress, key, info.relayURL);
    }

    /// @notice Who runs a relay.
    function relayKeyToAddress(uint32 key) external view returns (address) {
        return _relays[key].relayAddress;
    }

    /// @notice Where a relay is.
    function relayKeyToUrl(uint32 key) external view returns (string memory) {
        return _relays[key].relayURL;
    }
}

/// @title Dispersers: by whose signature operators know them
contract DisperserRegistry is Owned {
    struct DisperserInfo {
        address disperserAddress;
    }

    /// @notice A disperser's address.
    mapping(uint32 => address) public disperserKeyToAddress;

    /// @notice A disperser has an address.
    event DisperserAdded(uint32 indexed key, address indexed disperser);

    constructor(address initialOwner) Owned(initialOwner) {}

    /// @notice Sets a disperser's address.
    function setDisperserInfo(uint32 key, DisperserInfo calldata info) external onlyOwner {
        disperserKeyToAddress[key] = info.disperserAddress;
        emit DisperserAdded(key, info.disperserAddress);
    }
}
