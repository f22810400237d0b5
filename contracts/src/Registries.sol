// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Bn254} from "./Bn254.sol";
import {ApkUpdate, G1Point, G2Point, StakeUpdate} from "./Types.sol";

/// @title What the registries have in common
/// @notice Only the coordinator changes them. Every history is appended to; an entry that is changed
/// twice in a block is overwritten, so a block has one entry at most.
abstract contract Registry {
    /// @notice The contract that decides who is in which quorum.
    address public immutable registryCoordinator;

    /// @notice The caller is not the coordinator.
    error NotCoordinator();
    /// @notice A history has no entry at this place.
    error NoSuchEntry(uint256 index);
    /// @notice The entry does not hold at the block.
    error EntryDoesNotHold(uint32 from, uint32 until, uint32 blockNumber);
    /// @notice A history begins after the block.
    error BeforeHistory(uint32 blockNumber);

    constructor(address coordinator) {
        registryCoordinator = coordinator;
    }

    modifier onlyCoordinator() {
        require(msg.sender == registryCoordinator, NotCoordinator());
        _;
    }

    /// @dev An entry holds from its block up to, and without, the next one's.
    function _mustHold(uint32 from, uint32 until, uint32 blockNumber) internal pure {
        require(from <= blockNumber && (until == 0 || blockNumber < until), EntryDoesNotHold(from, until, blockNumber));
    }

    function _now() internal view returns (uint32) {
        return uint32(block.number);
    }
}

/// @title Where stakes come from
/// @notice EigenLayer's delegation manager as far as a network of one's own needs it: the owner says
/// what an operator has staked in a quorum. The delay of withdrawals stands where EigenLayer's contract
/// keeps it.
contract DelegationManager {
    uint256[157] private _before;
    /// @notice For so many blocks stakes stay where they are: slot 157.
    uint256 public minWithdrawalDelayBlocks;
    mapping(address => mapping(uint8 => uint96)) private _stakes;
    address private immutable _owner;

    /// @notice The caller is not the owner.
    error NotOwner();

    constructor(uint256 delayBlocks) {
        minWithdrawalDelayBlocks = delayBlocks;
        _owner = msg.sender;
    }

    /// @notice Sets what an operator has staked. Quorums see it when they are next updated.
    function setStake(address operator, uint8 quorum, uint96 stake) external {
        require(msg.sender == _owner, NotOwner());
        _stakes[operator][quorum] = stake;
    }

    /// @notice Sets the delay.
    function setMinWithdrawalDelayBlocks(uint256 delayBlocks) external {
        require(msg.sender == _owner, NotOwner());
        minWithdrawalDelayBlocks = delayBlocks;
    }

    /// @notice What an operator has staked in a quorum.
    function stakeOf(address operator, uint8 quorum) external view returns (uint96) {
        return _stakes[operator][quorum];
    }
}

/// @title Histories of stakes
contract StakeRegistry is Registry {
    /// @notice The least stake with which one may be in a quorum: slot 0.
    mapping(uint8 => uint96) public minimumStakeForQuorum;
    /// Slot 1.
    mapping(uint8 => StakeUpdate[]) private _totalStakeHistory;
    /// Slot 2.
    mapping(bytes32 => mapping(uint8 => StakeUpdate[])) private _operatorStakeHistory;

    /// @notice Where stakes come from.
    DelegationManager public immutable delegation;

    /// @notice An operator's stake is another one.
    event OperatorStakeUpdate(bytes32 indexed operatorId, uint8 quorumNumber, uint96 stake);

    constructor(address coordinator, DelegationManager delegation_) Registry(coordinator) {
        delegation = delegation_;
    }

    /// @notice Begins the history of a new quorum.
    function initializeQuorum(uint8 quorum, uint96 minimumStake) external onlyCoordinator {
        minimumStakeForQuorum[quorum] = minimumStake;
        _append(_totalStakeHistory[quorum], 0);
    }

    /// @notice Takes an operator's stake from the delegation manager. An operator that has too little
    /// counts with nothing, and is told so.
    /// @return isEnough Whether it may be in the quorum.
    function update(address operator, bytes32 operatorId, uint8 quorum)
        external
        onlyCoordinator
        returns (bool isEnough)
    {
        uint96 stake = delegation.stakeOf(operator, quorum);
        isEnough = stake >= minimumStakeForQuorum[quorum];
        _set(operatorId, quorum, isEnough ? stake : 0);
    }

    /// @notice Takes the stake of one who leaves.
    function deregister(bytes32 operatorId, uint8 quorum) external onlyCoordinator {
        _set(operatorId, quorum, 0);
    }

    /// @notice A quorum's stake, by its place in the history.
    function getTotalStakeAtBlockNumberFromIndex(uint8 quorum, uint32 blockNumber, uint256 index)
        external
        view
        returns (uint96)
    {
        return _at(_totalStakeHistory[quorum], blockNumber, index);
    }

    /// @notice An operator's stake, by its place in the history.
    function getStakeAtBlockNumberAndIndex(uint8 quorum, uint32 blockNumber, bytes32 operatorId, uint256 index)
        external
        view
        returns (uint96)
    {
        return _at(_operatorStakeHistory[operatorId][quorum], blockNumber, index);
    }

    /// @notice An operator's stake at a block; zero before its first.
    function getStakeAtBlockNumber(bytes32 operatorId, uint8 quorum, uint32 blockNumber)
        external
        view
        returns (uint96)
    {
        StakeUpdate[] storage history = _operatorStakeHistory[operatorId][quorum];
        (bool isThere, uint32 index) = _indexAt(history, blockNumber);
        return isThere ? history[index].stake : 0;
    }

    /// @notice The places in the quorums' histories that hold at a block.
    function getTotalStakeIndicesAtBlockNumber(uint32 blockNumber, bytes calldata quorums)
        external
        view
        returns (uint32[] memory indices)
    {
        indices = new uint32[](quorums.length);
        for (uint256 i; i < quorums.length; ++i) {
            indices[i] = _mustIndexAt(_totalStakeHistory[uint8(quorums[i])], blockNumber);
        }
    }

    /// @notice The place in an operator's history that holds at a block.
    function getStakeUpdateIndexAtBlockNumber(bytes32 operatorId, uint8 quorum, uint32 blockNumber)
        external
        view
        returns (uint32)
    {
        return _mustIndexAt(_operatorStakeHistory[operatorId][quorum], blockNumber);
    }

    /// @notice What a quorum has now.
    function getCurrentTotalStake(uint8 quorum) external view returns (uint96) {
        return _current(_totalStakeHistory[quorum]);
    }

    /// @notice What an operator has in a quorum now.
    function getCurrentStake(bytes32 operatorId, uint8 quorum) external view returns (uint96) {
        return _current(_operatorStakeHistory[operatorId][quorum]);
    }

    function _set(bytes32 operatorId, uint8 quorum, uint96 stake) private {
        StakeUpdate[] storage history = _operatorStakeHistory[operatorId][quorum];
        uint96 before = _current(history);
        if (stake == before && history.length > 0) {
            return;
        }
        _append(history, stake);
        StakeUpdate[] storage totals = _totalStakeHistory[quorum];
        _append(totals, _current(totals) - before + stake);
        emit OperatorStakeUpdate(operatorId, quorum, stake);
    }

    function _append(StakeUpdate[] storage history, uint96 stake) private {
        uint256 length = history.length;
        if (length > 0) {
            StakeUpdate storage last = history[length - 1];
            if (last.updateBlockNumber == _now()) {
                last.stake = stake;
                return;
            }
            last.nextUpdateBlockNumber = _now();
        }
        history.push(StakeUpdate(_now(), 0, stake));
    }

    function _current(StakeUpdate[] storage history) private view returns (uint96) {
        uint256 length = history.length;
        return length == 0 ? 0 : history[length - 1].stake;
    }

    function _at(StakeUpdate[] storage history, uint32 blockNumber, uint256 index) private view returns (uint96) {
        require(index < history.length, NoSuchEntry(index));
        StakeUpdate memory entry = history[index];
        _mustHold(entry.updateBlockNumber, entry.nextUpdateBlockNumber, blockNumber);
        return entry.stake;
    }

    function _indexAt(StakeUpdate[] storage history, uint32 blockNumber) private view returns (bool, uint32) {
        for (uint256 i = history.length; i > 0; --i) {
            if (history[i - 1].updateBlockNumber <= blockNumber) {
                return (true, uint32(i - 1));
            }
        }
        return (false, 0);
    }

    function _mustIndexAt(StakeUpdate[] storage history, uint32 blockNumber) private view returns (uint32) {
        (bool isThere, uint32 index) = _indexAt(history, blockNumber);
        require(isThere, BeforeHistory(blockNumber));
        return index;
    }
}

/// @notice A key, and that its owner has it.
struct PubkeyRegistration {
    /// The operator's address, signed.
    G1Point signature;
    G1Point key;
    G2Point key2;
}

/// @title Keys of operators and quorums
contract BlsApkRegistry is Registry {
    uint256 private _slot0;
    /// @notice The hash of an operator's key, which is its id: slot 1.
    mapping(address => bytes32) public operatorToPubkeyHash;
    /// @notice Whose key it is: slot 2.
    mapping(bytes32 => address) public pubkeyHashToOperator;
    /// @notice An operator's key: slot 3.
    mapping(address => G1Point) public operatorToPubkey;
    /// Slot 4.
    mapping(uint8 => ApkUpdate[]) private _apkHistory;
    /// @notice The sum of a quorum's keys: slot 5.
    mapping(uint8 => G1Point) public currentApk;
    /// @notice An operator's key in G2.
    mapping(address => G2Point) private _operatorToPubkeyG2;

    /// @notice The operator, or somebody else, has registered this key already.
    error KeyIsTaken();
    /// @notice The point at infinity is nobody's key.
    error KeyIsZero();
    /// @notice The signature does not show that the key is the operator's.
    error KeyIsNotShown();

    /// @notice An operator has a key.
    event NewPubkeyRegistration(address indexed operator, G1Point key, G2Point key2);

    constructor(address coordinator) Registry(coordinator) {}

    /// @notice What an operator signs to show that a key is its own.
    function pubkeyRegistrationMessage(address operator) public view returns (bytes32) {
        return keccak256(abi.encode("doppio.BlsApkRegistry.key", block.chainid, address(this), operator));
    }

    /// @notice Registers an operator's key.
    /// @return id The operator's id.
    function registerKey(address operator, PubkeyRegistration calldata registration)
        external
        onlyCoordinator
        returns (bytes32 id)
    {
        G1Point memory key = registration.key;
        require(key.x != 0 || key.y != 0, KeyIsZero());
        id = Bn254.hashOf(key);
        require(operatorToPubkeyHash[operator] == 0 && pubkeyHashToOperator[id] == address(0), KeyIsTaken());
        require(
            Bn254.isSigned(pubkeyRegistrationMessage(operator), key, registration.key2, registration.signature),
            KeyIsNotShown()
        );
        operatorToPubkeyHash[operator] = id;
        pubkeyHashToOperator[id] = operator;
        operatorToPubkey[operator] = key;
        _operatorToPubkeyG2[operator] = registration.key2;
        emit NewPubkeyRegistration(operator, key, registration.key2);
    }

    /// @notice Begins the history of a new quorum.
    function initializeQuorum(uint8 quorum) external onlyCoordinator {
        _apkHistory[quorum].push(ApkUpdate(bytes24(0), _now(), 0));
    }

    /// @notice Adds an operator's key to a quorum's.
    function register(address operator, uint8 quorum) external onlyCoordinator {
        _change(quorum, operatorToPubkey[operator]);
    }

    /// @notice Takes an operator's key out of a quorum's.
    function deregister(address operator, uint8 quorum) external onlyCoordinator {
        _change(quorum, Bn254.negate(operatorToPubkey[operator]));
    }

    /// @notice An operator's key in G2.
    function getOperatorPubkeyG2(address operator) external view returns (G2Point memory) {
        return _operatorToPubkeyG2[operator];
    }

    /// @notice The hash of a quorum's key, by its place in the history.
    function getApkHashAtBlockNumberAndIndex(uint8 quorum, uint32 blockNumber, uint256 index)
        external
        view
        returns (bytes24)
    {
        ApkUpdate[] storage history = _apkHistory[quorum];
        require(index < history.length, NoSuchEntry(index));
        ApkUpdate memory entry = history[index];
        _mustHold(entry.updateBlockNumber, entry.nextUpdateBlockNumber, blockNumber);
        return entry.apkHash;
    }

    /// @notice The places in the quorums' histories that hold at a block.
    function getApkIndicesAtBlockNumber(bytes calldata quorums, uint256 blockNumber)
        external
        view
        returns (uint32[] memory indices)
    {
        indices = new uint32[](quorums.length);
        for (uint256 i; i < quorums.length; ++i) {
            ApkUpdate[] storage history = _apkHistory[uint8(quorums[i])];
            uint256 next = history.length;
            while (next > 0 && history[next - 1].updateBlockNumber > blockNumber) {
                --next;
            }
            require(next > 0, BeforeHistory(uint32(blockNumber)));
            indices[i] = uint32(next - 1);
        }
    }

    function _change(uint8 quorum, G1Point memory by) private {
        G1Point memory key = Bn254.add(currentApk[quorum], by);
        currentApk[quorum] = key;
        bytes24 hash = bytes24(Bn254.hashOf(key));
        ApkUpdate[] storage history = _apkHistory[quorum];
        ApkUpdate storage last = history[history.length - 1];
        if (last.updateBlockNumber == _now()) {
            last.apkHash = hash;
        } else {
            last.nextUpdateBlockNumber = _now();
            history.push(ApkUpdate(hash, _now(), 0));
        }
    }
}

/// @title Who is in a quorum, as a list
/// @notice Places are filled up: who leaves is replaced by the last one.
contract IndexRegistry is Registry {
    struct OperatorUpdate {
        uint32 fromBlockNumber;
        bytes32 operatorId;
    }

    struct QuorumUpdate {
        uint32 fromBlockNumber;
        uint32 numOperators;
    }

    uint256 private _slot0;
    /// @notice An operator's place in a quorum: slot 1.
    mapping(uint8 => mapping(bytes32 => uint32)) public currentOperatorIndex;
    /// Slot 2.
    mapping(uint8 => mapping(uint32 => OperatorUpdate[])) private _operatorIndexHistory;
    /// Slot 3.
    mapping(uint8 => QuorumUpdate[]) private _operatorCountHistory;

    constructor(address coordinator) Registry(coordinator) {}

    /// @notice Begins the history of a new quorum.
    function initializeQuorum(uint8 quorum) external onlyCoordinator {
        _operatorCountHistory[quorum].push(QuorumUpdate(_now(), 0));
    }

    /// @notice Puts an operator behind the others.
    /// @return count How many there are now.
    function register(bytes32 operatorId, uint8 quorum) external onlyCoordinator returns (uint32 count) {
        count = totalOperatorsForQuorum(quorum) + 1;
        _setCount(quorum, count);
        _setOperator(quorum, count - 1, operatorId);
    }

    /// @notice Takes an operator out.
    function deregister(bytes32 operatorId, uint8 quorum) external onlyCoordinator {
        uint32 last = totalOperatorsForQuorum(quorum) - 1;
        _setCount(quorum, last);
        uint32 place = currentOperatorIndex[quorum][operatorId];
        OperatorUpdate[] storage history = _operatorIndexHistory[quorum][last];
        bytes32 mover = history[history.length - 1].operatorId;
        _setOperator(quorum, last, 0);
        if (place != last) {
            _setOperator(quorum, place, mover);
        }
        delete currentOperatorIndex[quorum][operatorId];
    }

    /// @notice How many operators a quorum has now.
    function totalOperatorsForQuorum(uint8 quorum) public view returns (uint32) {
        QuorumUpdate[] storage history = _operatorCountHistory[quorum];
        return history[history.length - 1].numOperators;
    }

    /// @notice The operators of a quorum at a block.
    function getOperatorListAtBlockNumber(uint8 quorum, uint32 blockNumber)
        external
        view
        returns (bytes32[] memory operators)
    {
        operators = new bytes32[](_countAt(quorum, blockNumber));
        for (uint32 place; place < operators.length; ++place) {
            OperatorUpdate[] storage history = _operatorIndexHistory[quorum][place];
            for (uint256 i = history.length; i > 0; --i) {
                if (history[i - 1].fromBlockNumber <= blockNumber) {
                    operators[place] = history[i - 1].operatorId;
                    break;
                }
            }
        }
    }

    function _countAt(uint8 quorum, uint32 blockNumber) private view returns (uint32) {
        QuorumUpdate[] storage history = _operatorCountHistory[quorum];
        for (uint256 i = history.length; i > 0; --i) {
            if (history[i - 1].fromBlockNumber <= blockNumber) {
                return history[i - 1].numOperators;
            }
        }
        revert BeforeHistory(blockNumber);
    }

    function _setCount(uint8 quorum, uint32 count) private {
        QuorumUpdate[] storage history = _operatorCountHistory[quorum];
        QuorumUpdate storage last = history[history.length - 1];
        if (last.fromBlockNumber == _now()) {
            last.numOperators = count;
        } else {
            history.push(QuorumUpdate(_now(), count));
        }
    }

    function _setOperator(uint8 quorum, uint32 place, bytes32 operatorId) private {
        OperatorUpdate[] storage history = _operatorIndexHistory[quorum][place];
        uint256 length = history.length;
        if (length > 0 && history[length - 1].fromBlockNumber == _now()) {
            history[length - 1].operatorId = operatorId;
        } else {
            history.push(OperatorUpdate(_now(), operatorId));
        }
        currentOperatorIndex[quorum][operatorId] = place;
    }
}

/// @title Where operators are reached
contract SocketRegistry is Registry {
    uint256 private _slot0;
    /// @notice `host:v1 dispersal;v1 retrieval;v2 dispersal;v2 retrieval`: slot 1.
    mapping(bytes32 => string) public operatorIdToSocket;

    constructor(address coordinator) Registry(coordinator) {}

    /// @notice Sets where an operator is reached.
    function setOperatorSocket(bytes32 operatorId, string calldata socket) external onlyCoordinator {
        operatorIdToSocket[operatorId] = socket;
    }

    /// @notice Where an operator is reached.
    function getOperatorSocket(bytes32 operatorId) external view returns (string memory) {
        return operatorIdToSocket[operatorId];
    }
}
